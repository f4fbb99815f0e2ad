"""Peak memory of a piece of code, in a process of its own."""

import subprocess
import sys

# ru_maxrss survives exec on Linux and would be that of the test process: ask the kernel for this process's own peak.
_PEAK = """
def _peak():
    import resource, sys
    if sys.platform.startswith("linux"):
        with open("/proc/self/status") as status:
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
print(_peak())
"""


def peak_megabytes(code: str, *arguments: object) -> tuple[float, list[str]]:
    """Run `code`; its own peak in MB, and the words that it printed."""
    command = [sys.executable, "-c", code + _PEAK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *words, peak = done.stdout.split()
    return float(peak), words

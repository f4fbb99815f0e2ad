"""Run every test of the project: first the labs' notebooks against their stored outputs, then the rest.

Some tests visit the built site with a browser.  If the site is missing or older than its sources, it is built first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import build_book

ROOT = Path(__file__).resolve().parent.parent
#: nbval runs every cell and compares the outputs of the tagged ones.  Release notebooks are left out: they stop at the
#: first task, as they must.  Chapters are run once, when the site is built; a test compares what they printed.
NOTEBOOKS = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120", "labs/source"]
UNIT = ["--doctest-modules", "src/cmslabs", "tests"]

#: A file is run by one worker.  Slow files come first (`conftest.py`), which xdist must not undo.
SHARED = ["--dist", "loadfile", "--no-loadscope-reorder"]


def run(name: str, arguments: list[str], workers: int) -> int:
    """Run pytest once and print how long it took."""
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), *SHARED, *arguments]
    # Each worker has a core.  Libraries that take all cores would wait for each other.
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **os.environ}
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    print(f"[{name}: {(time.monotonic() - start) / 60:.1f} min]", flush=True)
    return status


def site_is_fresh() -> bool:
    """Whether the built site belongs to the sources as they are now."""
    stamp = build_book.HTML / ".source-hash"
    return stamp.is_file() and stamp.read_text() == build_book.site_hash()


def main() -> int:
    """Both runs, also when the first fails; the last line printed is the last run's count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    if not site_is_fresh():
        command = [sys.executable, str(ROOT / "data_scripts" / "build_book.py"), "--workers", str(workers)]
        if status := subprocess.run(command, cwd=ROOT, check=False).returncode:
            return status
    notebooks = run("notebooks", NOTEBOOKS, workers)
    unit = run("tests", UNIT, workers)
    if notebooks:
        print("notebooks: nbval failed, see above")
    return notebooks or unit


if __name__ == "__main__":
    sys.exit(main())

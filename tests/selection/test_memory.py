"""Memory is bounded by the chunk, not by the file: a large file of repeated events, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from big_files import repeat_events
from running import sample

TESTS = Path(__file__).parent
sys.path.append(str(TESTS.parent / "data"))
from peak_memory import peak_megabytes  # noqa: E402

CHUNK = 50_000
#: MB above what Python and the libraries need, for chunks of 50 000 events with all variations and a table.
BOUND = 150

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from running import run, simulation
from cmslabs.selection.analysis import load_analysis
from pathlib import Path

def resident():
    import resource
    if sys.platform.startswith("linux"):
        return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2

analysis = load_analysis("four-muon", ["weights=[genWeight, prefiring]"])
small, large, folder, chunk = sys.argv[2:]
run(analysis, {simulation(): [small]}, folder, int(chunk))  # everything is imported and compiled now
before = resident()
result = run(analysis, {simulation(): [large]}, folder, int(chunk))["mc"]
print("n", result["n_events"], result["n_selected"], round(before, 1))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path, record_property):
    small = repeat_events(sample("fourlepton"), tmp_path / "small.root", 100)
    above, selected = {}, {}
    for n in (150_000, 300_000):
        large = repeat_events(sample("fourlepton"), tmp_path / f"{n}.root", n)
        peak, words = peak_megabytes(CODE, TESTS, small, large, tmp_path / f"out{n}", CHUNK)
        n_events, n_selected, before = words[words.index("n") + 1 :][:3]
        assert int(n_events) == n
        above[n], selected[n] = peak - float(before), int(n_selected)
        record_property(f"peak above baseline at {n} events [MB]", above[n])
        large.unlink()
    assert selected[300_000] == 2 * selected[150_000] > 30_000
    assert above[300_000] < BOUND
    assert above[300_000] < 1.15 * above[150_000] + 10, "twice the events, the same memory"
    print({n: round(value) for n, value in above.items()})


@pytest.mark.slow
def test_memory_follows_the_chunk(tmp_path):
    """The measurement sees memory: one chunk of everything needs much more."""
    small = repeat_events(sample("fourlepton"), tmp_path / "small.root", 100)
    large = repeat_events(sample("fourlepton"), tmp_path / "large.root", 100_000)
    above = {}
    for chunk in (10_000, 100_000):
        peak, words = peak_megabytes(CODE, TESTS, small, large, tmp_path / f"out{chunk}", chunk)
        above[chunk] = peak - float(words[words.index("n") + 3])
    assert above[100_000] > 2 * above[10_000]

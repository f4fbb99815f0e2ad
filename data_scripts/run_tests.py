"""Run every test of the project: notebooks against their stored outputs, doctests, unit tests, site.

Some tests visit the built site with a browser.  If the site is missing or older than its sources, it is built first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import build_book

ROOT = Path(__file__).resolve().parent.parent
#: Notebooks are run once: chapters when the site is built, labs by a test of theirs.  Their stored outputs are compared
#: there.  nbval, which runs a notebook for that, is itself among the tests.
TESTS = ["--doctest-modules", "src/cmslabs", "tests"]

#: A file is run by one worker.  Slow files come first (`conftest.py`), which xdist must not undo.
SHARED = ["--dist", "loadfile", "--no-loadscope-reorder"]


def run(arguments: list[str], workers: int) -> int:
    """Run pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), *SHARED, *arguments]
    # Each worker has a core.  Libraries that take all cores would wait for each other.
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **os.environ}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def site_is_fresh() -> bool:
    """Whether the built site belongs to the sources as they are now."""
    stamp = build_book.HTML / ".source-hash"
    return stamp.is_file() and stamp.read_text() == build_book.site_hash()


def main() -> int:
    """Build the site if need be, then test; the last line printed is the count of tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    if not site_is_fresh():
        command = [sys.executable, str(ROOT / "data_scripts" / "build_book.py"), "--workers", str(workers)]
        if status := subprocess.run(command, cwd=ROOT, check=False).returncode:
            return status
    return run(TESTS, workers)


if __name__ == "__main__":
    sys.exit(main())

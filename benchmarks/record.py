"""Keep a benchmark's numbers with what they came from: commit, configuration, machine, versions."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from cmslabs.io import json_hash, versions, write_json

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def commit() -> str:
    """The commit that is checked out, with a mark if the package or the benchmarks were changed since."""
    dirty = _git("status", "--porcelain", "--", "src", "benchmarks/*.py")
    return _git("rev-parse", "--short=12", "HEAD") + ("+changes" if dirty else "")


def save_result(name: str, *, config: dict[str, Any], numbers: dict[str, Any], packages: tuple[str, ...] = ()) -> Path:
    """Write ``benchmarks/results/<name>.json``.

    Parameters
    ----------
    name : str
        Of the benchmark.
    config : dict
        What was run: event numbers, seeds, options.  Its hash is stored beside it.
    numbers : dict
        What came out.  A speed is a ratio to a rival in the same run; absolute rates are additional.
    packages : tuple of str
        Distributions whose versions shape the numbers.
    """
    path = RESULTS / f"{name}.json"
    write_json(
        path,
        {
            "name": name,
            "commit": commit(),
            "config": config,
            "config_hash": json_hash(config),
            "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
            "versions": versions(*packages),
            "numbers": numbers,
        },
    )
    return path

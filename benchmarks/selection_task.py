"""One measurement of `selection.py`, in a process of its own: so that memory and warm caches are nobody else's.

    python benchmarks/selection_task.py '{"kind": "ours", "path": "big.root", ...}'

Prints one line of JSON: wall and CPU seconds, largest memory, and what was found.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cmslabs.data.fileset import Fileset
from cmslabs.data.fileset_parts import CrossSection, Dataset, File
from cmslabs.selection.analysis import Analysis, load_analysis


def fileset_of(path: Path, n_events: int, corrections: str) -> Fileset:
    """The large file as one simulated data set, with the bundled samples' corrections."""
    big = Dataset(
        kind="simulation",
        cross_section=CrossSection(pb=1.256, order="of no meaning here", source="cms-2016, zzto4l"),
        files=(File(path=str(path), n_events=n_events),),
    )
    return Fileset(name="big", version=1, luminosity_fb=16.39, corrections=corrections, datasets={"big": big})


def ours(task: dict[str, Any], analysis: Analysis, path: Path) -> dict[str, Any]:
    """`cmslabs.selection.runner.select`, as a user calls it."""
    from cmslabs.selection.runner import select

    with tempfile.TemporaryDirectory() as folder:
        report = select(
            analysis,
            fileset_of(path, task["n_events"], task["corrections"]),
            folder,
            chunk_size=task["chunk_size"],
            executor=task.get("executor", "iterative"),
            workers=task.get("workers"),
        )
    big = report.datasets["big"]
    return {
        "n": report.n_events,
        "n_selected": big.n_selected,
        "branches": list(report.branches),
        "bytes_read": report.bytes_read,
        "stages": report.seconds,
    }


def run(task: dict[str, Any], path: Path) -> dict[str, Any]:
    """What the task asks for."""
    kind, analysis = task["kind"], load_analysis("four-muon")
    if kind == "read":
        from selection_rivals import read_only

        return {"n": read_only(path, task["branches"], task["chunk_size"])}
    if kind == "bare":
        from selection_rivals import bare_coffea

        return bare_coffea(path, analysis, task["chunk_size"])
    if kind == "skim":
        from cmslabs.selection.skim import skim

        (made,) = skim([path], task["out"], analysis=analysis, overwrite=True)
        return {"n": made["n_events"], "bytes_out": made["bytes_out"]}
    if kind == "once":
        analysis = load_analysis("four-muon", ["systematics.muon_scale=null"])
    return ours(task, analysis, path)


def main() -> None:
    """Warm up on a small file, then measure."""
    task = json.loads(sys.argv[1])
    if "warm_up" in task:
        run(task | {"n_events": task["n_warm_up"], "workers": None, "executor": "iterative"}, Path(task["warm_up"]))
    wall, cpu = time.perf_counter(), time.process_time()
    found = run(task, Path(task["path"]))
    found |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024**2 if sys.platform == "darwin" else 1024
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main()

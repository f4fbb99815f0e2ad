"""How fast the four-muon selection is: against reading alone, and against coffea with the same cuts and nothing else.

    python benchmarks/selection.py                    about a quarter of an hour, and 4 GB in a temporary folder
    python benchmarks/selection.py --events 40000 --memory-events 0 --repeats 1 --no-save     a quick look
    python benchmarks/selection.py --only-large      memory and workers again, five minutes; the rest stays as it is

The same generated events (the bundled ZZ and Higgs sample, repeated by `big_file`) in LZ4, ZSTD and LZMA.  Every
measurement is a process of its own that has warmed up; rivals take turns, so that a slow minute hits all of them.
Rows:

- ``read`` reads the branches of `ours` with uproot and drops them;
- ``rest`` reads only those of them that `bare` does not need (jets, MET, weights, identifiers);
- ``bare`` is `selection_rivals.Bare` in coffea's Runner, which selects once;
- ``once`` is `cmslabs.selection.runner.select`, which selects once, too, and makes cutflow with N-1, all weights
  and their variations, histograms and table;
- ``ours`` is the analysis as it is bundled: it also selects again with the muons' momentum scale up and down, so
  that it has three selections to make.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from big_file import CODECS, bytes_per_event, repeat_events
from record import commit, save_result

from cmslabs.data.download import dataset_path
from cmslabs.io import sha256, write_json
from cmslabs.selection.rates import Rates

HERE = Path(__file__).resolve().parent
CORRECTIONS = HERE.parent / "src" / "cmslabs" / "data" / "filesets" / "samples-corrections.json.gz"
#: The package has a copy of the result, for the plan of the chapter "Scaling out".
COPY = CORRECTIONS.with_name("selection-benchmark.json")
RESULT = HERE / "results" / "selection.json"
KINDS = ("read", "rest", "bare", "once", "ours")
#: Branches that the cuts need begin like this.
CUTS = ("Flag_", "HLT_", "Muon_", "nMuon")
#: Events of the smaller of two files whose memory is compared.
SMALLER = 500_000


def measure(kind: str, path: Path, settings: argparse.Namespace, **task: Any) -> dict[str, Any]:
    """One run of `selection_task.py`."""
    task = {
        "kind": kind,
        "path": str(path),
        "n_events": settings.events,
        "chunk_size": settings.chunk,
        "warm_up": str(settings.source),
        "n_warm_up": settings.n_source,
        "corrections": str(settings.corrections),
        **task,
    }
    command = [sys.executable, str(HERE / "selection_task.py"), json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{kind} on {path.name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compare(paths: dict[str, Path], settings: argparse.Namespace) -> dict[str, Any]:
    """All rows on all codecs, in turn; the numbers that were selected have to agree."""
    branches = measure("ours", paths["LZ4"], settings)["branches"]
    read = {"read": branches, "rest": [name for name in branches if not name.startswith(CUTS)]}
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {(codec, kind): [] for codec in paths for kind in KINDS}
    for repeat in range(settings.repeats):
        for (codec, kind), found in runs.items():
            task = {"kind": "read", "branches": read[kind]} if kind in read else {"kind": kind}
            found.append(measure(path=paths[codec], settings=settings, **task))
            print(f"  {repeat + 1}: {codec:4} {kind:8} {found[-1]['wall']:8.2f} s", file=sys.stderr)
    selected = {run["n_selected"] for (_, kind), found in runs.items() if kind not in read for run in found}
    if len(selected) != 1:
        raise SystemExit(f"the rivals do not select the same: {selected}")
    rows = {codec: {kind: _row(runs[codec, kind], settings.events) for kind in KINDS} for codec in paths}
    for codec in paths:
        walls = {kind: [run["wall"] for run in runs[codec, kind]] for kind in KINDS}
        for kind in ("once", "ours"):
            rows[codec][kind]["speed_over_bare"] = _ratios(walls["bare"], walls[kind])
            both = [bare + rest for bare, rest in zip(walls["bare"], walls["rest"], strict=True)]
            rows[codec][kind]["speed_over_bare_and_rest"] = _ratios(both, walls[kind])
            rows[codec][kind]["time_over_read"] = _ratios(walls[kind], walls["read"])
    return {"rows": rows, "n_selected": selected.pop(), "n_branches": len(branches)}


def _ratios(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Of runs that followed each other."""
    return spread([a / b for a, b in zip(above, below, strict=True)])


def _row(runs: list[dict[str, Any]], n: int) -> dict[str, Any]:
    walls = spread([run["wall"] for run in runs])
    return {
        "events_per_second": n / walls["median"],
        "wall": walls,
        "cpu": spread([run["cpu"] for run in runs]),
        "peak_mb": max(run["peak_mb"] for run in runs),
    }


def skims(paths: dict[str, Path], folder: Path, settings: argparse.Namespace) -> dict[str, Any]:
    """Making the skim, from each codec, and the selection on it."""
    making, size = {}, 0
    for codec, path in paths.items():
        runs = [measure("skim", path, settings, out=str(folder / codec)) for _ in range(settings.repeats)]
        making[codec], size = _row(runs, settings.events), runs[0]["bytes_out"]
    skim = folder / "LZMA" / f"{paths['LZMA'].stem}.parquet"
    runs = [measure("ours", skim, settings) for _ in range(settings.repeats)]
    return {"making": making, "selection": _row(runs, settings.events), "bytes_per_event": size / settings.events}


def workers(path: Path, n_events: int, settings: argparse.Namespace) -> dict[str, Any]:
    """Two processes against one; ``total`` has also their start and the look at the file, which do not get faster.

    In ``selection``, too, each process first imports coffea: a second that counts less in a longer run.
    """
    found: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    # An even number of equal chunks, at least twenty, so that two workers end together.
    chunk = -(-n_events // (2 * max(10, round(n_events / settings.chunk / 2))))
    for _ in range(settings.repeats):
        for n, runs in found.items():
            options = {"executor": "futures", "workers": n, "chunk_size": chunk, "n_events": n_events}
            runs.append(measure("ours", path, settings, **options))
    pairs = list(zip(found[1], found[2], strict=True))
    return {
        "n_events": n_events,
        "chunk_size": chunk,
        "commit": commit(),
        "load_average": settings.load,
        "selection": spread([one["stages"]["simulation"] / two["stages"]["simulation"] for one, two in pairs]),
        "total": spread([one["wall"] / two["wall"] for one, two in pairs]),
        "wall": {str(n): spread([run["wall"] for run in runs]) for n, runs in found.items()},
    }


def large(folder: Path, settings: argparse.Namespace) -> dict[str, Any]:
    """Largest memory of one process on a small and on a large file (LZ4), same chunks; two workers on the latter."""
    found: dict[str, Any] = {"chunk_size": settings.chunk, "commit": commit()}
    for n in sorted({min(SMALLER, settings.memory_events), settings.memory_events}):
        path = repeat_events(settings.source, folder / f"memory-{n}.root", n, "LZ4")
        run = measure("ours", path, settings, n_events=n)
        found[str(n)] = {
            "peak_mb": run["peak_mb"],
            "file_mb": path.stat().st_size / 1e6,
            "events_per_second": n / run["wall"],
        }
        two = workers(path, n, settings) if n == settings.memory_events else {}
        path.unlink()
    return {"memory": found, "workers": two}


def large_again(settings: argparse.Namespace) -> None:
    """Measure the large file again and put the numbers into the stored result, with the commit of their own."""
    stored = json.loads(RESULT.read_text())
    mine = {key: getattr(settings, key) for key in ("repeats", "chunk", "memory_events")}
    if not settings.no_save and mine != {key: stored["config"][key] for key in mine}:
        raise SystemExit(f"the stored result was made otherwise than with {mine}: leave these options, or --no-save.")
    with tempfile.TemporaryDirectory(dir=settings.folder) as temporary:
        _check_disk(Path(temporary), settings)
        found = large(Path(temporary), settings)
    stored["numbers"] |= found
    show(stored["numbers"])
    if not settings.no_save:
        write_json(RESULT, stored)
        shutil.copyfile(RESULT, COPY)


def main() -> None:
    """Make the files, measure, print, keep the numbers."""
    settings = arguments()
    # How busy the computer is with other things: looked up before we keep it busy ourselves.
    settings.load = before = os.getloadavg()[0]
    if settings.only_large:
        return large_again(settings)
    with tempfile.TemporaryDirectory(dir=settings.folder) as temporary:
        folder = Path(temporary)
        _check_disk(folder, settings)
        paths = {
            codec: repeat_events(settings.source, folder / f"{codec}.root", settings.events, codec) for codec in CODECS
        }
        load = {"before": before, "start": os.getloadavg()[0]}
        numbers: dict[str, Any] = compare(paths, settings)
        numbers["bytes_per_event"] = {codec: bytes_per_event(path)["compressed"] for codec, path in paths.items()}
        numbers["bytes_per_event"]["bundled"] = bytes_per_event(settings.source)["compressed"]
        numbers["skim"] = skims(paths, folder, settings)
        if not settings.memory_events:
            numbers["workers"] = workers(paths["LZ4"], settings.events, settings)
        for path in paths.values():
            path.unlink()
        if settings.memory_events:
            numbers |= large(folder, settings)
        numbers["load_average"] = load | {"end": os.getloadavg()[0]}
    numbers["rates"] = rates(numbers)
    show(numbers)
    if not settings.no_save:
        config = {key: getattr(settings, key) for key in ("events", "repeats", "chunk", "memory_events")}
        config |= {"source_sha256": sha256(settings.source), "corrections_sha256": sha256(settings.corrections)}
        packages = ("coffea", "uproot", "awkward", "numpy", "hist", "pyarrow", "correctionlib")
        path = save_result("selection", config=config, numbers=numbers, packages=packages)
        shutil.copyfile(path, COPY)


def arguments() -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=400_000, help="events of the files that are compared")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--chunk", type=int, default=100_000, help="events in a chunk")
    parser.add_argument(
        "--memory-events", type=int, default=5_000_000, help="events of the large file; 0 leaves it out"
    )
    parser.add_argument("--corrections", type=Path, default=CORRECTIONS, help="file of corrections for ours")
    parser.add_argument("--folder", type=Path, default=None, help="where the temporary folder is made")
    parser.add_argument("--only-large", action="store_true", help="only memory and workers, into the stored result")
    parser.add_argument("--no-save", action="store_true", help="do not write results/selection.json")
    settings = parser.parse_args()
    settings.source = dataset_path("sim-fourlepton")
    import uproot

    with uproot.open({settings.source: "Events"}) as tree:
        settings.n_source = tree.num_entries
    return settings


def _check_disk(folder: Path, settings: argparse.Namespace) -> None:
    need = 1000 * max(2 * settings.events, settings.memory_events)
    if shutil.disk_usage(folder).free < need:
        raise SystemExit(f"{need / 1e9:.1f} GB are needed in {folder}: choose another with --folder.")


def rates(numbers: dict[str, Any]) -> dict[str, Any]:
    """What `cmslabs.selection.plan` needs."""
    return Rates(
        by_codec={codec: row["ours"]["events_per_second"] for codec, row in numbers["rows"].items()},
        skimmed=numbers["skim"]["selection"]["events_per_second"],
        skim={codec: row["events_per_second"] for codec, row in numbers["skim"]["making"].items()},
        skim_bytes_per_event=numbers["skim"]["bytes_per_event"],
        source=f"benchmarks/selection.py, commit {commit()}, four-muon selection on simulated ZZ and Higgs events",
    ).model_dump()


def show(numbers: dict[str, Any]) -> None:
    """Print the table."""
    ratios = {
        "speed/bare": "speed_over_bare",
        "speed/(bare+rest)": "speed_over_bare_and_rest",
        "time/read": "time_over_read",
    }
    print(f"{'':6}{'':6}{'events/s':>12}{'CPU [s]':>9}" + "".join(f"{title:>19}" for title in ratios))
    for codec, row in numbers["rows"].items():
        for kind in KINDS:
            found = row[kind]
            there = [found[name] for name in ratios.values() if name in found]
            text = "".join(f"{r['median']:7.2f} ({r['min']:.2f}-{r['max']:.2f})" for r in there)
            print(f"{codec:6}{kind:6}{found['events_per_second']:12,.0f}{found['cpu']['median']:9.2f}{text}")
    skim = numbers["skim"]
    print(
        f"skim: {skim['selection']['events_per_second']:,.0f} ev/s, {skim['bytes_per_event']:.0f} bytes an event; made"
    )
    print("  " + ", ".join(f"from {c} at {row['events_per_second']:,.0f} ev/s" for c, row in skim["making"].items()))
    two = numbers["workers"]
    ratio, total, n = two["selection"]["median"], two["total"]["median"], two["n_events"]
    print(f"two workers: {ratio:.2f} x one ({total:.2f} with their start) on {n:,} events")
    for n, found in numbers.get("memory", {}).items():
        if n.isdigit():
            print(f"memory: {found['peak_mb']:.0f} MB for {int(n):,} events ({found['file_mb']:.0f} MB)")
    load = numbers["load_average"]
    print(f"load average {load['before']:.2f} before, {load['start']:.2f} to {load['end']:.2f} while measuring")


if __name__ == "__main__":
    main()

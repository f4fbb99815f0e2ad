"""What a classifier can and cannot learn about sealed boxes, and how long it takes to make them.

    python benchmarks/box_leaks.py [--pool FOLDER] [--work FOLDER] [--workers N]

A class of 60 boxes of 2 000 events is made from a real background of 120 000 events (about half an hour on one core
where no --pool is given), and classifiers that know the truth of three quarters of the boxes try the others: with
everything that is no physics, and, as the bound, with the physics.  Then one box of 40 000 events is made, and a class
of 30 from that background repeated ten times: repeated events say nothing about physics, but reading, mixing and
writing takes as long.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd
from record import save_result

from cmslabs.data.catalog import samples_folder
from cmslabs.data.tables import event_writer, iterate_events, read_provenance, read_table, write_table
from cmslabs.io import read_json, write_json
from cmslabs.simulation.box_class import make_class
from cmslabs.simulation.box_events import BOX_COLUMNS, BoxEvents
from cmslabs.simulation.box_file import read_box
from cmslabs.simulation.box_leaks import box_bookkeeping, event_bookkeeping, physics, separate_boxes, separate_events
from cmslabs.simulation.box_truth import box_truth
from cmslabs.simulation.boxes import make_box
from cmslabs.simulation.generator import simulate

POOL_EVENTS, POOL_SEED = 120_000, 7301948265017394
BOXES, EVENTS, PERMUTATIONS = 60, 2_000, 199
CLASS, FULL, REPEATS = 30, 40_000, 10
#: Secrets of the class, so that the numbers can be measured again: real ones are drawn.
SECRETS = [f"benchmark box number {number}" for number in range(BOXES)]
FEATURES, JETS = "qcd-dijets-features.parquet", "qcd-dijets-constituents.parquet"


def small_class(pool: Path, work: Path, workers: int) -> list[tuple[Path, str]]:
    """Paths and kinds of the 60 boxes."""
    names = [f"student-{number:02d}" for number in range(1, BOXES + 1)]
    if not (work / "secrets.json").exists():
        write_json(work / "secrets.json", dict(zip(names, SECRETS, strict=True)))
    made = make_class(BOXES, work, pool, events=EVENTS, workers=workers, progress=True)
    return [(box.features, box_truth(secret).kind) for box, secret in zip(made.boxes, SECRETS, strict=True)]


def hidden_rows(pool: Path, frames: list[pd.DataFrame]) -> list[np.ndarray]:
    """Which rows of each box are not in the background."""
    table = BoxEvents.rounded(read_table(pool / FEATURES)).frame
    known = set(map(tuple, table.to_numpy().tolist()))
    return [np.array([tuple(row) not in known for row in f.drop(columns="event").to_numpy().tolist()]) for f in frames]


def box_level(cases: list[tuple[Path, str]]) -> dict[str, dict[str, float]]:
    """Boxes of each kind against the others, by what is no physics."""
    books = [box_bookkeeping(path) for path, _ in cases]
    answer = {}
    for kind in ("nothing", "wprime", "hot-cell"):
        auc, p = separate_boxes(books, [one == kind for _, one in cases], permutations=PERMUTATIONS)
        answer[kind] = {"auc": auc, "p": p}
    return answer


def event_level(cases: list[tuple[Path, str]], frames, hidden) -> dict[str, dict[str, float]]:
    """Hidden events against background within the boxes of their kind."""
    answer = {}
    for kind in ("wprime", "hot-cell"):
        chosen = [number for number, (_, one) in enumerate(cases) if one == kind]
        labels = [hidden[number] for number in chosen]
        for name, features in (("bookkeeping", event_bookkeeping), ("physics", physics)):
            auc, p = separate_events([features(frames[number]) for number in chosen], labels)
            answer[f"{kind}, {name}"] = {"auc": auc, "p": p, "hidden_events": int(sum(map(sum, labels)))}
    return answer


def low_order_bits() -> dict[str, float]:
    """All W' of the bundled sample against all of its QCD dijets, by place and low-order bits: a sharper test."""
    sample = read_table(samples_folder() / "dijet-features.parquet")
    features, labels = [], []
    for number in range(4):
        parts = [sample[sample.process == name].iloc[number::4] for name in ("qcd-dijets", "wprime-2prong")]
        mixed = pd.concat(parts).sample(frac=1, random_state=number)
        frame = BoxEvents.rounded({name: mixed[name].to_numpy() for name in BOX_COLUMNS}).frame
        features.append(event_bookkeeping(frame.assign(event=np.arange(len(frame)))))
        labels.append(mixed.label.to_numpy() == 1)
    auc, p = separate_events(features, labels)
    return {"auc": auc, "p": p, "hidden_events": int(sum(map(sum, labels)))}


def if_compressed(cases: list[tuple[Path, str]], frames, work: Path) -> dict[str, float]:
    """Mean excess in length of compressed files over empty boxes, in standard deviations of empty boxes."""
    sizes: dict[str, list[int]] = {}
    for (path, kind), frame in zip(cases, frames, strict=True):
        compressed = work / "compressed.parquet"
        write_table(compressed, frame, read_provenance(path))
        sizes.setdefault(kind, []).append(compressed.stat().st_size)
    empty = np.array(sizes["nothing"])
    return {kind: float((np.mean(sizes[kind]) - empty.mean()) / empty.std()) for kind in ("wprime", "hot-cell")}


def repeated(pool: Path, folder: Path) -> Path:
    """The background ten times over, with constituents."""
    if (folder / JETS).exists():
        return folder
    table = read_table(pool / FEATURES)
    parts = [table.assign(event=table.event + number * len(table)) for number in range(REPEATS)]
    write_table(folder / FEATURES, pd.concat(parts, ignore_index=True), read_provenance(pool / FEATURES))
    with event_writer(folder / JETS, read_provenance(pool / JETS)) as write:
        for number in range(REPEATS):
            for block in iterate_events(pool / JETS, 1000):
                write(ak.with_field(block, block.event + number * len(table), "event"))
    return folder


def timed_class(pool: Path, out: Path, workers: int, constituents: bool) -> dict[str, float]:
    """A class of 30 in a process of its own: seconds and peak memory."""
    code = (
        "import sys; from cmslabs.simulation.box_class import make_class\n"
        "if __name__ == '__main__':\n"
        f"    options = dict(events={FULL}, constituents={constituents}, workers={workers})\n"
        f"    make_class({CLASS}, sys.argv[1], sys.argv[2], **options)\n"
        "    print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
    )
    script = out.with_suffix(".py")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(code)
    before, begin = cpu_seconds(), time.perf_counter()
    done = subprocess.run([sys.executable, script, out, pool], capture_output=True, text=True, check=True)
    seconds = {"wall_minutes": (time.perf_counter() - begin) / 60, "cpu_minutes": (cpu_seconds() - before) / 60}
    kinds = [box_truth(secret).kind for secret in read_json(out / "secrets.json").values()]
    shutil.rmtree(out)
    return seconds | {
        "peak_megabytes": int(done.stdout) / 1024,
        "boxes_with_something": len(kinds) - kinds.count("nothing"),
    }


def cpu_seconds() -> float:
    """CPU time of this process and of those that it has waited for: other people's work does not count."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def timed_box(work: Path, workers: int) -> dict[str, float]:
    """One box of 40 000 events from nothing."""
    before, begin = cpu_seconds(), time.perf_counter()
    made = make_box("benchmark box", work / "box.parquet", events=FULL, workers=workers)
    seconds = {"wall_seconds": time.perf_counter() - begin, "cpu_seconds": cpu_seconds() - before}
    return seconds | {"workers": workers, "megabytes": made.features.stat().st_size / 1e6}


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, help="background with constituents that was made already")
    parser.add_argument("--work", type=Path, default=Path("build/box-leaks"))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    work, workers = options.work, options.workers
    pool = options.pool or work / "pool"
    if not (pool / JETS).exists():
        simulate("qcd-dijets", POOL_EVENTS, POOL_SEED, pool, workers=workers, constituents=True, progress=True)
    cases = small_class(pool, work / "small", workers)
    frames = [read_box(path) for path, _ in cases]
    hidden = hidden_rows(pool, frames)
    numbers = {
        "boxes_by_bookkeeping": box_level(cases),
        "events": event_level(cases, frames, hidden),
        "low_order_bits_of_the_sample": low_order_bits(),
        "length_if_compressed_in_sigma": if_compressed(cases, frames, work),
        "one_box": timed_box(work, workers),
    }
    large = repeated(pool, work / "large")
    for name, constituents in (("class_of_30", False), ("class_of_30_with_constituents", True)):
        numbers[name] = timed_class(large, work / name, workers, constituents)
    for name, value in numbers.items():
        print(name, value)
    config = {"boxes": BOXES, "events": EVENTS, "permutations": PERMUTATIONS, "pool": POOL_EVENTS, "workers": workers}
    packages = ("pythia8mc", "fastjet", "numpy", "awkward", "pyarrow", "scikit-learn")
    print(save_result("box_leaks", config=config, numbers=numbers, packages=packages))


if __name__ == "__main__":
    main()

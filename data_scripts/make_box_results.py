"""A class opens its boxes: the search of chapter 22 on boxes of every kind, and on empty ones.

Writes ``src/cmslabs/data/results/boxes.json``.  It takes some ten minutes on one core, after
``make_search_samples.py --only resonance``, whose background the boxes are made of.

Example: python data_scripts/make_box_results.py --folder search-samples --workers 2
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from repository import checked_out

from cmslabs.data.stored_results import result_path, write_result
from cmslabs.data.tables import read_table
from cmslabs.errors import CmslabsError
from cmslabs.io import json_hash, read_json, sha256, write_json
from cmslabs.search.boxes import BoxSearch, search_box
from cmslabs.simulation.box_truth import KINDS
from cmslabs.simulation.boxes import box_truth, make_box, read_box

POOL = "qcd-dijets-features.parquet"
#: What decides the numbers, besides the settings and the pool.
DECIDING = ("src/cmslabs/search", "data_scripts/make_box_results.py")
CONFIG: dict[str, Any] = {
    "events": 40_000,
    "per_kind": 4,
    "secret": "anomaly hunting, box {number}",
    "empty": 16,
    "max_toys": 300,
}


def main() -> int:
    """Make the boxes, search them, and store what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("search-samples"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=result_path("boxes"))
    options = parser.parse_args()
    pool = options.folder / "parts" / "boxes"
    # What other code, other settings or other events have found is not mixed with this.
    commit, pool_hash = checked_out(*DECIDING), sha256(pool / POOL)
    work = options.folder / "boxes" / json_hash([commit, CONFIG, pool_hash])
    tasks = [("box", number) for number in chosen()] + [("empty", number) for number in range(CONFIG["empty"])]
    try:
        with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as workers:
            found = list(workers.map(partial(result_of, pool, work), tasks))
    except CmslabsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    boxes, empty = ([one for one in found if one["task"] == task] for task in ("box", "empty"))
    write_result(
        options.out,
        "boxes",
        script="data_scripts/make_box_results.py",
        commit=commit,
        config=CONFIG | {"pool_sha256": pool_hash},
        numbers={"boxes": boxes, "empty": empty},
        packages=("numpy", "scikit-learn", "pythia8mc"),
    )
    return 0


def chosen() -> list[int]:
    """The first secrets that give so many boxes of each kind."""
    left, numbers, number = dict.fromkeys(KINDS, CONFIG["per_kind"]), [], 0
    while any(left.values()):
        kind = box_truth(secret(number)).kind
        if left[kind]:
            left[kind] -= 1
            numbers.append(number)
        number += 1
    return numbers


def secret(number: int) -> str:
    """Of a box of this class; it is public, and so its boxes are not for grading."""
    return CONFIG["secret"].format(number=number)


def result_of(pool: Path, work: Path, task: tuple[str, int]) -> dict[str, Any]:
    """Search one box, unless that was done already."""
    name, number = task
    stored = work / f"{name}-{number:03d}.json"
    if stored.exists():
        return read_json(stored)
    work.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"task": name, "number": number}
    if name == "box":
        table = read_box(make_box(secret(number), work / f"box-{number:03d}.parquet", background=pool).features)
        found["truth"] = box_truth(secret(number)).model_dump(mode="json", exclude_none=True)
    else:
        table = empty_box(pool, number)
    search = search_box(table, random_state=number, max_toys=CONFIG["max_toys"])
    found |= described(search)
    write_json(stored, found)
    print(f"{name} {number}: {found}", file=sys.stderr)
    return found


def empty_box(pool: Path, number: int) -> pd.DataFrame:
    """A random part of the pool.  Two such boxes share a quarter of their events."""
    table = read_table(pool / POOL)
    return table.iloc[np.random.default_rng([number, 22]).permutation(len(table))[: CONFIG["events"]]]


def described(search: BoxSearch) -> dict[str, Any]:
    """The numbers that a student writes into the log, before anything is opened."""
    signal, error = search.signal
    values = {
        "p_direction": search.p_direction,
        "p_window": search.p_window,
        "mass": search.mass,
        "mass_error": search.mass_error,
        "signal": signal,
        "signal_error": error,
    }
    rounded = {name: float(f"{value:.4g}") for name, value in values.items()}
    return rounded | {"probabilities": {kind: round(p, 4) for kind, p in search.probabilities().items()}}


if __name__ == "__main__":
    sys.exit(main())

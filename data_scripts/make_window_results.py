"""CWoLa on pure background: scored in sample and out of it, with a generator cut that sculpts, and scanned.

Writes ``src/cmslabs/data/results/windows.json``.  It takes some ten minutes on one core, after
``make_search_samples.py --only resonance``.

Example: python data_scripts/make_window_results.py --folder search-samples
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from repository import checked_out

from cmslabs.data.stored_results import result_path, write_result
from cmslabs.data.tables import read_table
from cmslabs.errors import CmslabsError
from cmslabs.evaluation.roc import auc
from cmslabs.features.dijets import DETECTOR_FEATURES, detector_features
from cmslabs.io import sha256
from cmslabs.search.boxes import EDGES
from cmslabs.search.counting import count_events
from cmslabs.search.estimate import Columns, ControlRegion, Estimate
from cmslabs.search.regions import Regions
from cmslabs.search.sidebands import Cwola
from cmslabs.search.weak_supervision import classify
from cmslabs.search.windows import make_mass_windows, scan_windows
from cmslabs.simulation.search_sample import SCULPTED, make_source

FEATURES = list(DETECTOR_FEATURES)
CONFIG: dict[str, Any] = {
    "events": 40_000,
    "window": [3300.0, 3700.0],
    "within": [2800.0, 4200.0],
    "in_sample": {"seeds": 100, "efficiency": 0.05, "trees": {"folds": 5, "members": 1, "max_leaf_nodes": 31}},
    "sculpting": {"seeds": 10, "window_events": 3000, "trees": {"folds": 5, "members": 2}},
    "scan": {
        "seeds": 3,
        "s_over_b": [0.0, 0.03],
        "centres": [3000.0, 4300.0],
        "efficiency": 0.02,
        "max_toys": 1000,
        "trees": {"folds": 5, "members": 4},
    },
}
REGIONS = Regions({"mjj": tuple(CONFIG["window"])}, {"mjj": tuple(CONFIG["within"])})


def main() -> int:
    """Measure all three and store them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("search-samples"))
    parser.add_argument("--workers", type=int, default=1, help="for the simulation of the sculpted sample")
    parser.add_argument("--out", type=Path, default=result_path("windows"))
    options = parser.parse_args()
    try:
        source = options.folder / "resonance.parquet"
        table = read_table(source)
        cut = read_table(make_source(SCULPTED, options.folder / "parts", options.workers))
        numbers = {"in_sample": in_sample(table), "sculpting": sculpting(table, cut), "scan": scans(table)}
    except CmslabsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write_result(
        options.out,
        "windows",
        script="data_scripts/make_window_results.py",
        commit=checked_out("src/cmslabs/search", "data_scripts/make_window_results.py"),
        config=CONFIG | {"sha256": sha256(source)},
        numbers=numbers,
        packages=("numpy", "scikit-learn"),
    )
    return 0


def background(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """So many events of the background, others for every generator."""
    qcd = table[table["process"] == "qcd-dijets"]
    return qcd.iloc[rng.permutation(len(qcd))[: CONFIG["events"]]]


def in_sample(table: pd.DataFrame) -> dict[str, dict[str, list[float]]]:
    """Observed over expected events behind the cut, and their pull, with shuffled regions: nothing is there."""
    settings, found = CONFIG["in_sample"], {}
    for name in ("in_sample", "folds"):
        ratios, pulls = [], []
        for seed in range(settings["seeds"]):
            rng = np.random.default_rng([seed, 1])
            events = background(table, rng)
            events = events[REGIONS.in_signal(events) | REGIONS.in_control(events)]
            # Which events are called the window's is shuffled, so that no feature can know it.
            inside = rng.permutation(REGIONS.in_signal(events))
            reference = events[~inside]
            estimate = Estimate(reference, np.full(len(reference), inside.sum() / len(reference)))
            trees = settings["trees"] | {"in_sample": name == "in_sample"}
            count = count_events(classify(events[inside], estimate, FEATURES, seed, **trees), settings["efficiency"])
            ratios.append(count.n_on / count.background)
            pulls.append((count.n_on - count.background) / np.hypot(np.sqrt(count.background), count.sigma))
        found[name] = {"ratio": _short(ratios), "pull": _short(pulls)}
    return found


def sculpting(table: pd.DataFrame, cut: pd.DataFrame) -> dict[str, list[float]]:
    """Area of a classifier between window and sidebands without any signal: plain, and with a cut on mHat."""
    settings = CONFIG["sculpting"]
    cut = detector_features(cut).assign(mjj=cut["mjj"].to_numpy(dtype=float))
    found: dict[str, list[float]] = {"plain": [], "mhat": []}
    for seed in range(settings["seeds"]):
        rng = np.random.default_rng([seed, 2])
        events = background(table, rng)
        beside = events[REGIONS.in_control(events)]
        sidebands = Cwola(Columns(tuple(FEATURES), ("mjj",)), REGIONS).fit(ControlRegion(beside)).estimate()
        for name, sample in (("plain", events), ("mhat", cut)):
            window = sample[REGIONS.in_signal(sample)]
            window = window.iloc[rng.permutation(len(window))[: settings["window_events"]]]
            model = classify(window, sidebands, FEATURES, seed, **settings["trees"])
            found[name].append(float(auc(model.y_, model.scores_, model.weights_)))
    return {name: _short(values) for name, values in found.items()} | {"n_mhat": len(cut[REGIONS.in_signal(cut)])}


def scans(table: pd.DataFrame) -> list[dict[str, Any]]:
    """All windows, with and without a signal."""
    settings, found = CONFIG["scan"], []
    signal = table[table["process"] == "wprime-2prong"]
    for seed in range(settings["seeds"]):
        for s_over_b in settings["s_over_b"]:
            rng = np.random.default_rng([seed, 3])
            events = background(table, rng)
            n = rng.poisson(s_over_b * REGIONS.in_signal(events).sum() / REGIONS.in_signal(signal).mean())
            mixed = pd.concat([events, signal.iloc[rng.permutation(len(signal))[:n]]], ignore_index=True)
            scan = scan_windows(
                mixed,
                FEATURES,
                make_mass_windows(*settings["centres"]),
                EDGES,
                efficiency=settings["efficiency"],
                random_state=seed,
                max_toys=settings["max_toys"],
                **settings["trees"],
            )
            rows = {name: _short(scan.table[name]) for name in scan.table}
            found.append({"seed": seed, "s_over_b": s_over_b, "n_signal": int(n), "p": float(scan.p), "windows": rows})
            print(f"scan {seed} with S/B = {s_over_b:g}: p = {scan.p:.3g}", file=sys.stderr)
    return found


def _short(values: Any) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


if __name__ == "__main__":
    sys.exit(main())

"""Weak supervision on the real LHC Olympics signal region: the idealised detector, single fits and ensembles.

Writes ``src/cmslabs/data/results/lhco-idealised.json``.  Needs the files of the CATHODE authors in the folder that
CMSLABS_TEST_DATA names (``lhco/innerdata_*.npy``).  It takes some ten minutes on one core.

Example: python data_scripts/make_lhco_results.py --out lhco.json
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from repository import checked_out
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from cmslabs.data.stored_results import result_path, write_result
from cmslabs.evaluation.roc import auc
from cmslabs.evaluation.sic import max_sic, sic_at_rejection
from cmslabs.io import sha256

FILES = ("innerdata_train.npy", "innerdata_test.npy", "innerdata_extrasig.npy")
CONFIG: dict[str, Any] = {
    "blocks": 5,
    "members": 30,
    "supervised_members": 10,
    "reference": 30_000,
    "signal": 13_000,
    "trees": {"max_iter": 100, "validation_fraction": 0.5, "n_iter_no_change": 10, "early_stopping": True},
}


def read(folder: Path) -> tuple[np.ndarray, ...]:
    """Data, reference, test events with labels, and training signal: the protocol of the files' description."""
    train, test, extra = (np.load(folder / name, allow_pickle=False) for name in FILES)
    background = test[test[:, -1] == 0][:, 1:5]
    background = background[np.random.default_rng(0).permutation(len(background))]
    signal = extra[:, 1:5]
    reference, rest = background[: CONFIG["reference"]], background[CONFIG["reference"] :]
    learnt, judged = signal[: CONFIG["signal"]], signal[CONFIG["signal"] :]
    X = np.concatenate([rest, judged])
    return train[:, 1:5], reference, X, np.repeat([0, 1], [len(rest), len(judged)]), learnt


def scores(first: np.ndarray, second: np.ndarray, X: np.ndarray, seeds: range) -> np.ndarray:
    """Log-odds of each fit of second against first, shape (n_fits, n_events); both classes weigh the same."""
    rows, y = np.concatenate([first, second]), np.repeat([0, 1], [len(first), len(second)])
    weights = np.where(y == 1, 1 / len(second), 1 / len(first)) * len(y) / 2
    found = []
    for seed in seeds:
        with threadpool_limits(1):
            model = HistGradientBoostingClassifier(**CONFIG["trees"], random_state=seed).fit(rows, y, weights)
            found.append(model.decision_function(X))
    return np.array(found)


def judged(y: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """Three numbers of a score."""
    values = {"auc": auc(y, score), "max_sic": max_sic(y, score), "sic_1e3": sic_at_rejection(y, score, 1000)}
    return {name: round(float(value), 4) for name, value in values.items()}


def main() -> int:
    """Fit everything and store the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CMSLABS_TEST_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=result_path("lhco-idealised"))
    options = parser.parse_args()
    folder = options.data / "lhco"
    data, reference, X, y, learnt = read(folder)
    blocks = []
    for block in range(CONFIG["blocks"]):
        first = block * CONFIG["members"]
        fits = scores(reference, data, X, range(first, first + CONFIG["members"]))
        bound = scores(reference, learnt, X, range(first, first + CONFIG["supervised_members"]))
        blocks.append(
            {
                "singles": [judged(y, one) for one in fits],
                "ensemble": judged(y, fits.mean(axis=0)),
                "supervised": judged(y, bound.mean(axis=0)),
            }
        )
        print(f"block {block}: {blocks[-1]['ensemble']}, supervised {blocks[-1]['supervised']}", file=sys.stderr)
    write_result(
        options.out,
        "lhco-idealised",
        script="data_scripts/make_lhco_results.py",
        commit=checked_out("data_scripts/make_lhco_results.py", "src/cmslabs/evaluation"),
        config=CONFIG | {"files": {name: sha256(folder / name) for name in FILES}},
        numbers={"blocks": blocks, "n_data": len(data), "n_background": int((y == 0).sum())},
        packages=("numpy", "scikit-learn"),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

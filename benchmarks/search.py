"""How long a search takes: an ensemble of classifiers, a flow, a scan; and what a second worker gives.

Times of ours are compared with scikit-learn used plainly in the same run: the same number of the same trees, with as
many threads as it likes (so leave OMP_NUM_THREADS alone).  A second worker first imports what it needs: some 4 seconds,
and 11 where Python may not keep its bytecode (PYTHONDONTWRITEBYTECODE).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from record import save_result
from sklearn.ensemble import HistGradientBoostingClassifier

from cmslabs.search.conditional import ConditionalFlow
from cmslabs.search.estimate import Estimate
from cmslabs.search.scan import run_search
from cmslabs.search.scan_config import load_search
from cmslabs.search.toy import ToyProblem
from cmslabs.search.weak_supervision import classify

CONFIG = {"repeats": 3, "folds": 5, "members": 4, "tries": ["seeds=5", "injections=[0, 0.08]"], "flow_events": 15_000}


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    """Measure and write."""
    problem = ToyProblem()
    sample = problem.draw(0)
    data = sample.data[problem.regions.in_signal(sample.data)]
    estimate = Estimate(sample.ideal, np.ones(len(sample.ideal)))
    X = np.concatenate([sample.ideal[["x"]], data[["x"]]])
    y = np.repeat([0, 1], [len(sample.ideal), len(data)])

    def ours() -> None:
        classify(data, estimate, ["x"], 0, folds=CONFIG["folds"], members=CONFIG["members"])

    def plain() -> None:
        rng = np.random.default_rng(0)
        fold = rng.integers(CONFIG["folds"], size=len(y))
        for number in range(CONFIG["folds"]):
            for member in range(CONFIG["members"]):
                rows = fold != number
                options = {"validation_fraction": 0.5, "early_stopping": True, "random_state": member}
                HistGradientBoostingClassifier(**options).fit(X[rows], y[rows]).decision_function(X[~rows])

    def flow() -> None:
        options = {"epochs": 15, "n_layers": 2, "widths": (32, 32)}
        ConditionalFlow(["x"], ["m1", "m2"], CONFIG["flow_events"], **options).fit(sample.data)

    pairs = [(seconds(ours), seconds(plain)) for _ in range(CONFIG["repeats"])]
    numbers = {
        "ensemble_seconds": float(np.median([one for one, _ in pairs])),
        "ensemble_plain_over_ours": float(np.median([other / one for one, other in pairs])),
        "flow_seconds": float(np.median([seconds(flow) for _ in range(CONFIG["repeats"])])),
        "load_at_start": os.getloadavg()[0],
    }
    config = load_search("toy", CONFIG["tries"])
    with tempfile.TemporaryDirectory() as folder:
        walls = {
            n: seconds(lambda n=n: run_search(config, Path(folder) / f"{n}", workers=n, progress=True)) for n in (1, 2)
        }
    numbers |= {"scan_seconds_one_worker": walls[1], "two_workers": walls[1] / walls[2]}
    print(save_result("search", config=CONFIG, numbers=numbers, packages=("scikit-learn", "torch", "nflows")))
    print(numbers)


if __name__ == "__main__":
    main()

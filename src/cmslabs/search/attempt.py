"""One try of a search: a seed and an injection, all methods, one row for each training."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import DataError
from cmslabs.evaluation.roc import auc
from cmslabs.evaluation.sic import max_sic, sic_at_rejection
from cmslabs.jobs import chunk_seed
from cmslabs.search.closure import closure_auc
from cmslabs.search.counting import count_events
from cmslabs.search.estimate import Estimate
from cmslabs.search.folds import FoldedTrees
from cmslabs.search.methods import estimate_all, ideal_estimate
from cmslabs.search.problem import Injected, Problem, Sample, control_region, inject
from cmslabs.search.scan_config import SearchConfig
from cmslabs.search.tables import columns_of
from cmslabs.search.weak_supervision import classify, supervised

__all__ = ["attempt"]


def attempt(problem: Problem, config: SearchConfig, injection: float, seed: int) -> list[dict[str, Any]]:
    """Rows of one try.

    Parameters
    ----------
    problem : Problem
    config : SearchConfig
    injection : float
        Expected signal over background in the signal region.
    seed : int
        Decides events, signal and trainings.

    Returns
    -------
    list of dict
        ``method``, ``injection``, ``seed``, ``permutation`` (0, or the number of a training with shuffled labels);
        ``s_over_b``, ``s_over_sqrt_b``, ``n_signal``, ``n_background``, ``contamination`` of the injected signal;
        ``auc``, ``max_sic``, ``sic_1e3``, ``sic_1e4`` on events that nothing has seen (None where too few background
        events pass); ``n_on``, ``background``, ``statistical`` behind the cut; ``expected``, ``effective``,
        ``clipped`` of the estimate; ``closure_auc`` against true background; ``seconds``.
    """
    sample = problem.draw(seed)
    injected = inject(sample, problem.regions, injection, np.random.default_rng([seed, round(1e6 * injection)]))
    control, simulation = control_region(injected, sample, problem.regions)
    judge = _Judge(problem, sample)
    learning = [name for name in config.methods if name not in ("supervised", "ideal")]
    clock = _Clock()
    estimates = estimate_all(
        learning,
        problem.columns,
        problem.regions,
        control,
        simulation,
        seed,
        config.ratio,
        config.flow,
        clock.tick,
    )
    clock.tick("")
    if "ideal" in config.methods:
        estimates["ideal"] = ideal_estimate(sample, injected)
    about = _about(injected, injection, seed)
    rows = []
    for name in config.methods:
        began = time.perf_counter()
        if name == "supervised":
            rows.append(about | {"method": name, "permutation": 0} | _bound(problem, sample, judge, config, seed))
        else:
            rows += _searched(name, estimates[name], problem, sample, injected, judge, config, about)
        rows[-1]["seconds"] = clock.spent.get(name, 0.0) + time.perf_counter() - began
    return [{"seconds": None} | row for row in rows]


def _about(injected: Injected, injection: float, seed: int) -> dict[str, Any]:
    names = ("s_over_b", "s_over_sqrt_b", "n_signal", "n_background", "contamination")
    return {"injection": injection, "seed": seed} | {name: getattr(injected, name) for name in names}


def _bound(problem: Problem, sample: Sample, judge: _Judge, config: SearchConfig, seed: int) -> dict[str, Any]:
    signal = sample.signal[problem.regions.in_signal(sample.signal)]
    return judge(supervised(sample.ideal, signal, problem.columns.features, seed, **config.trees))


def _searched(
    name: str,
    estimate: Estimate,
    problem: Problem,
    sample: Sample,
    injected: Injected,
    judge: _Judge,
    config: SearchConfig,
    about: dict[str, Any],
) -> list[dict[str, Any]]:
    """Rows with shuffled labels, if this is a null, and then the row of the method."""
    features, seed, rows = problem.columns.features, about["seed"], []
    data = injected.signal_region
    if about["injection"] == 0:
        for number in range(1, config.permutations + 1):
            model = _permuted(data, estimate, features, chunk_seed(seed, number) % (1 << 32), config)
            rows.append(about | {"method": name, "permutation": number} | judge(model))
    model = classify(data, estimate, features, seed, **config.trees)
    count = count_events(model, config.efficiency)
    row = about | {"method": name, "permutation": 0} | judge(model)
    row |= {"n_on": count.n_on, "background": count.background, "statistical": count.statistical}
    row |= {"expected": estimate.expected, "effective": estimate.effective, "clipped": estimate.clipped}
    row["closure_auc"] = closure_auc(sample.test, estimate, features, seed)
    return [*rows, row]


def _permuted(
    data: pd.DataFrame, estimate: Estimate, features: tuple[str, ...], seed: int, config: SearchConfig
) -> FoldedTrees:
    """A classifier between two random halves: estimate and data mixed, and each event keeps its weight."""
    X = np.concatenate([columns_of(part, features) for part in (estimate.table, data)])
    y = np.repeat([0, 1], [len(estimate.table), len(data)])
    # Weights are relative to the mean of their own sample, so that neither sample dominates a half.
    weights = np.concatenate([estimate.weights / estimate.weights.mean(), np.ones(len(data))])
    shuffled = np.random.default_rng(seed).permutation(y)
    return FoldedTrees(random_state=seed, **config.trees).fit(X, shuffled, weights)


class _Judge:
    """Numbers of a classifier on true background and signal that nothing has seen."""

    def __init__(self, problem: Problem, sample: Sample):
        parts = [columns_of(part, problem.columns.features) for part in (sample.test, sample.test_signal)]
        self.X, self.y = np.concatenate(parts), np.repeat([0, 1], [len(part) for part in parts])

    def __call__(self, model: FoldedTrees) -> dict[str, Any]:
        scores = model.score(self.X)
        found: dict[str, Any] = {"auc": auc(self.y, scores), "max_sic": max_sic(self.y, scores)}
        for name, rejection in (("sic_1e3", 1e3), ("sic_1e4", 1e4)):
            try:
                found[name] = sic_at_rejection(self.y, scores, rejection)
            except DataError:
                # Too few background events pass: the number does not exist on this sample.
                found[name] = None
        return found


class _Clock:
    """Seconds that each method took to learn."""

    def __init__(self):
        self.spent: dict[str, float] = {}
        self.name, self.began = "", time.perf_counter()

    def tick(self, name: str) -> None:
        """The next method begins."""
        now = time.perf_counter()
        if self.name:
            self.spent[self.name] = self.spent.get(self.name, 0.0) + now - self.began
        self.name, self.began = name, now

"""Does an estimate look like what it estimates?  A classifier that cannot tell the two apart says yes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from cmslabs.errors import DataError
from cmslabs.evaluation.roc import auc
from cmslabs.jobs import chunk_seed
from cmslabs.search.estimate import ControlRegion, Estimate
from cmslabs.search.tables import columns_of
from cmslabs.search.weak_supervision import classify

__all__ = ["Closure", "closure", "closure_auc", "closure_in_control", "feature_ratio"]

#: A few members suffice: what counts is whether there is a difference, not how sharply it can be cut on.
TREES: dict[str, Any] = {"folds": 4, "members": 1}


@dataclass(frozen=True)
class Closure:
    """Result of `closure`.

    Attributes
    ----------
    auc : float
        Weighted area for true against estimated background; 0.5 if they cannot be told apart.
    null : ndarray
        The same with shuffled labels.
    band : (float, float)
        Where one more value of the null would lie in 95 % of cases, by its mean and spread.
    yield_ratio : float
        Expected over true events.
    """

    auc: float
    null: np.ndarray
    band: tuple[float, float]
    yield_ratio: float

    @property
    def within(self) -> bool:
        """Whether the area lies in the band."""
        return bool(self.band[0] <= self.auc <= self.band[1])


def closure_auc(
    truth: pd.DataFrame, estimate: Estimate, features: Sequence[str], random_state: int = 0, **trees: Any
) -> float:
    """Weighted area under the curve of a cross-fitted classifier for truth (1) against estimate (0)."""
    model = classify(truth, estimate, features, random_state, **(TREES | trees))
    return auc(model.y_, model.scores_, model.weights_)


def closure(
    truth: pd.DataFrame,
    estimate: Estimate,
    features: Sequence[str],
    permutations: int = 20,
    random_state: int = 0,
    **trees: Any,
) -> Closure:
    """Compare an estimate with true background, and with what chance would give.

    For the null, which events are called true is shuffled, in the same proportion, each event keeping its weight.

    Parameters
    ----------
    truth : DataFrame
        Background events that no part of the estimate has seen.
    estimate : Estimate
    features : sequence of str
    permutations : int
        At least 10.
    random_state : int
    **trees
        Of `cmslabs.search.folds.FoldedTrees`.

    Raises
    ------
    DataError
        If there are too few permutations or events.
    """
    if permutations < 10:
        raise DataError(f"{permutations} permutations give no band.", remedy="Use at least 10.")
    value = closure_auc(truth, estimate, features, random_state, **trees)
    both = pd.concat([estimate.table[list(features)], truth[list(features)]], ignore_index=True)
    weights = np.concatenate([estimate.weights / estimate.weights.mean(), np.ones(len(truth))])
    rng = np.random.default_rng(random_state)
    null = np.empty(permutations)
    for number in range(permutations):
        order = rng.permutation(len(both))
        first, second = order[: len(estimate.table)], order[len(estimate.table) :]
        model = _shuffled(both, weights, first, second, features, chunk_seed(random_state, number) % (1 << 32), trees)
        null[number] = auc(model.y_, model.scores_, model.weights_)
    return Closure(value, null, _band(null), estimate.expected / len(truth))


def _band(null: np.ndarray) -> tuple[float, float]:
    """Where one more of these lies in 95 % of cases.  So few have no quantile of 2.5 %, but a mean and a spread."""
    n = len(null)
    half = student_t.ppf(0.975, n - 1) * null.std(ddof=1) * np.sqrt(1 + 1 / n)
    return float(null.mean() - half), float(null.mean() + half)


def _shuffled(both, weights, first, second, features, seed, trees):
    from cmslabs.search.folds import FoldedTrees

    X = columns_of(both.iloc[np.concatenate([first, second])], features)
    y = np.repeat([0, 1], [len(first), len(second)])
    model = FoldedTrees(random_state=seed, **(TREES | trees))
    return model.fit(X, y, weights[np.concatenate([first, second])])


def closure_in_control(
    make: Callable[[], Any], control: ControlRegion, features: Sequence[str], random_state: int = 0, **trees: Any
) -> Closure:
    """The same on held-out events of the control region, which an analysis can do without opening the signal region.

    Parameters
    ----------
    make : callable
        Gives a fresh method, with ``fit`` and ``estimate``.
    control : ControlRegion
        One half of data and simulation is learnt from, the other half compared.
    features, random_state, **trees
        As of `closure`.
    """
    rng = np.random.default_rng(random_state)
    halves = []
    for table in (control.data, control.needed_simulation("closure")):
        order = rng.permutation(len(table))
        halves.append((table.iloc[order[: len(order) // 2]], table.iloc[order[len(order) // 2 :]]))
    (data, held_out), (simulation, rest) = halves
    estimate = make().fit(ControlRegion(data, simulation)).estimate(rest)
    return closure(held_out, estimate, features, random_state=random_state, **trees)


def feature_ratio(truth: pd.DataFrame, estimate: Estimate, feature: str, bins: int = 12) -> pd.DataFrame:
    """Estimated over true events in bins of one feature.

    Bins hold about equally many true events.  What is estimated beyond the true ones counts in the outer bins.

    Returns
    -------
    pandas.DataFrame
        ``low``, ``high`` (in the feature's units), ``true``, ``estimated`` [events], ``ratio`` and ``error``: the
        statistical uncertainty of both.
    """
    (values,) = columns_of(truth, [feature]).T
    (drawn,) = columns_of(estimate.table, [feature]).T
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    true = np.histogram(values, edges)[0].astype(float)
    inner = np.clip(drawn, edges[0], edges[-1])
    found, squares = (np.histogram(inner, edges, weights=w)[0] for w in (estimate.weights, estimate.weights**2))
    ratio = found / true
    error = np.sqrt(squares + found**2 / true) / true
    columns = {"low": edges[:-1], "high": edges[1:], "true": true, "estimated": found, "ratio": ratio, "error": error}
    return pd.DataFrame(columns)

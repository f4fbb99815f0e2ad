"""The permutation control: break every dependence between the columns, train again, compare one number.

It asks whether the columns of the table depend on each other in a way that the score has learnt.  It does not ask
whether the tail is real: a table of independent columns has a tail, too, and the masses of two jets depend on each
other without any new physics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, DataError, close_names
from cmslabs.evaluation.validation.common import Train, permutation_p, plain, require_resolution, score_with

__all__ = ["STATISTICS", "PermutationControl", "permutation_control", "shuffle_columns"]


def _upper_tail(scores: np.ndarray) -> float:
    """How far the top 1 % reaches above the median, in units of the middle 68 %: no unit of the score matters."""
    low, middle, high, top = np.quantile(scores, [0.16, 0.5, 0.84, 0.99])
    return float((top - middle) / (high - low)) if high > low else 0.0


def _skewness(scores: np.ndarray) -> float:
    """Third standardised moment."""
    spread = scores.std()
    return float(np.mean(((scores - scores.mean()) / spread) ** 3)) if spread > 0 else 0.0


#: Numbers about the scores of the test events.  ``upper tail`` and ``skewness`` do not depend on the score's unit;
#: ``mean`` does: of a flow it is the entropy, which independent columns raise.
STATISTICS: Mapping[str, Callable[[np.ndarray], float]] = MappingProxyType(
    {"upper tail": _upper_tail, "skewness": _skewness, "mean": lambda scores: float(scores.mean())}
)


@dataclass(frozen=True)
class PermutationControl:
    """Result of `permutation_control`.

    Attributes
    ----------
    statistic : str
        The number that was named beforehand.
    observed : float
        Of the table as it is.
    permuted : ndarray, shape (n,)
        Of tables with shuffled columns, each with its own training.
    p_value : float
        Two-sided.
    alpha : float
        Probability of a false alarm.
    """

    statistic: str
    observed: float
    permuted: np.ndarray = field(repr=False)
    p_value: float
    alpha: float

    @property
    def interval(self) -> tuple[float, float]:
        """Where the middle 68 % of the permuted tables lie."""
        low, high = np.quantile(self.permuted, [0.16, 0.84])
        return float(low), float(high)

    @property
    def verdict(self) -> str:
        """ "dependent": the score has learnt how columns depend on each other; or "no dependence seen"."""
        return "dependent" if self.p_value <= self.alpha else "no dependence seen"

    @property
    def alarm(self) -> bool:
        """Never: dependence is no flaw, and a score without it is no worse than its columns."""
        return False

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON."""
        facts = {name: getattr(self, name) for name in ("verdict", "p_value", "alpha", "statistic", "observed")}
        low, high = self.interval
        more = {"permuted_low": low, "permuted_high": high, "n_permutations": len(self.permuted)}
        return plain({"study": "permutation", **facts, **more, "permuted": self.permuted})


def permutation_control(
    train: Train,
    X_train: Any,
    X_test: Any,
    statistic: str | Callable[[np.ndarray], float],
    *,
    n_permutations: int = 99,
    alpha: float = 0.05,
    seed: int = 0,
    tick: Callable[[int], None] | None = None,
) -> PermutationControl:
    """Compare a number about the scores with the same number after every column was shuffled on its own.

    Parameters
    ----------
    train : callable
        ``train(X, seed) -> scorer``.
    X_train, X_test : DataFrame or ndarray, shape (n_events, n_features)
        Each is shuffled in itself: the distribution of every single column stays as it is.
    statistic : str or callable
        One of `STATISTICS`, or a function of the test scores that gives a number.  Name it before you look: the best
        of many numbers is always remarkable.
    n_permutations : int
        Trainings with shuffled columns; at least 39 for alpha = 0.05, 99 or more for a result that is published.
    alpha : float
    seed : int
        Of all trainings, and of the shuffling.
    tick : callable, optional
        Called with the number of trainings done.

    Returns
    -------
    PermutationControl

    Raises
    ------
    ConfigError
        If there is no such statistic, or so few permutations cannot give a p-value of `alpha`.
    DataError
        If a scorer or the statistic gives no finite number.

    Examples
    --------
    Two columns that belong together, and the distance from their mean event in units of their covariance:

    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(800, 1)) + 0.3 * rng.normal(size=(800, 2))
    >>> def train(X, seed):
    ...     return lambda Y: np.abs(Y[:, 0] - Y[:, 1])
    >>> permutation_control(train, X[:400], X[400:], "mean", n_permutations=39).verdict
    'dependent'
    """
    require_resolution(n_permutations, alpha, sides=2)
    name, function = _statistic(statistic)
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n_permutations + 1):
        parts = (X_train, X_test) if number == 0 else (shuffle_columns(X_train, rng), shuffle_columns(X_test, rng))
        value = float(function(score_with(train(parts[0], seed), parts[1])))
        if not np.isfinite(value):
            raise DataError(f"the statistic '{name}' is {value} for the scores of training {number}.")
        found.append(value)
        if tick is not None:
            tick(number + 1)
    observed, permuted = found[0], np.array(found[1:])
    sides = permutation_p(observed, permuted), permutation_p(-observed, -permuted)
    return PermutationControl(name, observed, permuted, min(1.0, 2 * min(sides)), alpha)


def shuffle_columns(X: Any, rng: np.random.Generator) -> Any:
    """Each column in another random order: every number is an ordinary one, no combination is an event's own.

    Examples
    --------
    >>> X = np.column_stack([np.arange(5), np.arange(5)])
    >>> mixed = shuffle_columns(X, np.random.default_rng(1))
    >>> sorted(mixed[:, 1]) == sorted(X[:, 1]), bool((mixed[:, 0] == mixed[:, 1]).all())
    (True, False)
    """
    if hasattr(X, "iloc"):
        return type(X)({name: rng.permutation(X[name].to_numpy()) for name in X.columns}, index=X.index)
    return rng.permuted(np.asarray(X), axis=0)


def _statistic(statistic: str | Callable[[np.ndarray], float]) -> tuple[str, Callable[[np.ndarray], float]]:
    if callable(statistic):
        return getattr(statistic, "__name__", "statistic"), statistic
    if statistic not in STATISTICS:
        near = close_names(str(statistic), STATISTICS, n=1)
        raise ConfigError(
            f"there is no statistic '{statistic}'.",
            remedy=f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(STATISTICS)}, or any function.",
        )
    return statistic, STATISTICS[statistic]

"""From a classifier to a count: events that pass, background with its uncertainty, significance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.significance import p_bi, z_bi
from cmslabs.search.folds import FoldedTrees

__all__ = ["Count", "closure_residual", "count_events"]


@dataclass(frozen=True)
class Count:
    """A counting experiment behind a cut.

    Attributes
    ----------
    efficiency : float
        Share of the background estimate that the cut keeps.
    n_on : int
        Data events that pass.
    background, statistical, residual : float
        Expected events; their uncertainty from the estimate's own events; and that from the method's closure, relative.
    """

    efficiency: float
    n_on: int
    background: float
    statistical: float
    residual: float = 0.0

    @property
    def sigma(self) -> float:
        """Uncertainty of the background [events]: both parts in quadrature."""
        return float(np.hypot(self.statistical, self.residual * self.background))

    @property
    def z(self) -> float:
        """Significance Z_Bi."""
        return float(z_bi(self.n_on, self.background, self.sigma))

    @property
    def p(self) -> float:
        """Its p-value."""
        return float(p_bi(self.n_on, self.background, self.sigma))

    def __str__(self) -> str:
        return f"{self.n_on} observed, {self.background:.1f} +- {self.sigma:.1f} expected, Z = {self.z:.2f}"


def count_events(model: FoldedTrees, efficiency: float, residual: float = 0.0) -> Count:
    """Count behind a cut on the cross-fitted scores of a classifier between estimate and data.

    Parameters
    ----------
    model : FoldedTrees
        Fitted by `cmslabs.search.weak_supervision.classify`: the estimate's weights are expected events.
    efficiency : float
        Of the cut, on the estimate; every fold has its own threshold.
    residual : float
        From `closure_residual`.

    Raises
    ------
    ConfigError
        If the efficiency is no share, or the residual negative.
    """
    if not 0 < efficiency <= 1 or residual < 0:
        raise ConfigError(f"an efficiency of {efficiency!r} with a residual of {residual!r} is not possible.")
    passing = model.passes(efficiency) if efficiency < 1 else np.ones(len(model.y_), dtype=bool)
    weights = model.weights_[passing & (model.y_ == 0)]
    n_on = int((passing & (model.y_ == 1)).sum())
    return Count(efficiency, n_on, float(weights.sum()), float(np.sqrt((weights**2).sum())), residual)


def closure_residual(observed: np.ndarray, expected: np.ndarray, statistical: np.ndarray) -> float:
    """How wrong a method's prediction is beyond chance, from tries without signal.

    The mean square of observed / expected - 1 over the tries, less what Poisson numbers and the estimate's own
    statistics explain; its root, or 0.

    Parameters
    ----------
    observed, expected, statistical : array_like, shape (n_tries,)
        Counts behind the cut, the prediction, and its statistical uncertainty.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> expected = np.full(500, 400.0)
    >>> round(closure_residual(rng.poisson(440.0, 500), expected, np.full(500, 5.0)), 2)
    0.1
    """
    observed, expected, statistical = (np.asarray(values, dtype=float) for values in (observed, expected, statistical))
    if not len(observed):
        raise DataError("a closure residual needs tries without signal.", remedy="Put 0 among the injections.")
    beyond = (observed / expected - 1) ** 2 - (expected + statistical**2) / expected**2
    return float(np.sqrt(max(beyond.mean(), 0.0)))

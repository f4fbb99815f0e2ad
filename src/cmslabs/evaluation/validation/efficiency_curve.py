"""The share of events that a selection keeps, as a smooth function of the mass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import BSpline
from scipy.special import expit, xlogy

from cmslabs.errors import ConfigError, DataError

__all__ = ["STIFF", "EfficiencyCurve", "fit_efficiency"]

#: Numbers of parameters that are tried: no such curve follows a peak.
STIFF = (1, 2, 3, 4)
#: More parameters than this only follow fluctuations.
_MOST = 40
_MAX_STEPS = 50
_LARGEST_LOGIT = 30.0
#: So many bins hold the events while the curve is fitted: many fewer numbers, the same curve.
_BINS = 400


@dataclass(frozen=True)
class EfficiencyCurve:
    """Logistic function of a sum of smooth functions of the logarithm of the mass.

    Attributes
    ----------
    coefficients : ndarray, shape (n_parameters,)
        Up to three: of a polynomial.  More: of cubic B-splines on equal pieces (C. de Boor, *A Practical Guide to
        Splines*, Springer 1978).
    covariance : ndarray, shape (n_parameters, n_parameters)
        Of the coefficients.
    low, high : float
        Masses between which it was fitted [GeV]; beyond, it is constant.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    low: float
    high: float

    @property
    def n_parameters(self) -> int:
        """How flexible it is."""
        return len(self.coefficients)

    def __call__(self, mass: np.ndarray) -> np.ndarray:
        """Share of the events of a mass [GeV] that pass, from 0 to 1."""
        x = _unit(np.asarray(mass, dtype=float), self.low, self.high)
        return expit((_columns(x.ravel(), self.n_parameters) @ self.coefficients).reshape(x.shape))

    def varied(self, rng: np.random.Generator) -> EfficiencyCurve:
        """Another curve that the events allow as well."""
        drawn = rng.multivariate_normal(self.coefficients, self.covariance, method="eigh")
        return replace(self, coefficients=drawn)

    def in_bins(self, edges: np.ndarray, points: int = 5) -> np.ndarray:
        """Mean over each bin, shape (n_bins,)."""
        steps = (np.arange(points) + 0.5) / points
        return self(edges[:-1, None] + np.diff(edges)[:, None] * steps).mean(axis=1)


def fit_efficiency(mass: np.ndarray, passes: np.ndarray, n_parameters: Sequence[int] = STIFF) -> EfficiencyCurve:
    """Fit the share of passing events; the number of parameters has the smallest value of Akaike's criterion.

    Parameters
    ----------
    mass : ndarray, shape (n_events,)
        [GeV], positive.
    passes : ndarray of bool, shape (n_events,)
    n_parameters : sequence of int
        Numbers of parameters that are tried, from 1 to 40.  Four cannot follow a peak; twenty follow a turn-on.

    Raises
    ------
    ConfigError
        If that number is out of range.
    DataError
        If nothing passes, or everything, or the masses are not positive or all the same.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> mass = rng.uniform(2000, 4000, 20_000)
    >>> curve = fit_efficiency(mass, rng.random(20_000) < mass / 8000)
    >>> curve(np.array([2000.0, 4000.0])).round(2).tolist()
    [0.24, 0.49]
    """
    if not len(n_parameters) or not all(1 <= n <= _MOST for n in n_parameters):
        raise ConfigError(f"{tuple(n_parameters)} are no numbers of parameters from 1 to {_MOST}.")
    if not passes.any() or passes.all():
        raise DataError(f"{int(passes.sum())} of {len(passes)} events pass: that is no selection.")
    low, high = float(mass.min()), float(mass.max())
    if not 0 < low < high:
        raise DataError("masses must be above zero, and not all the same.", remedy="Leave out events without a mass.")
    x = _unit(mass, low, high)
    index = np.minimum((x * _BINS).astype(int), _BINS - 1)
    total, kept = (np.bincount(index, weights=weights, minlength=_BINS) for weights in (None, passes.astype(float)))
    there = total > 0
    middle = np.bincount(index, weights=x, minlength=_BINS)[there] / total[there]
    fits = [_newton(_columns(middle, n), total[there], kept[there]) for n in n_parameters]
    best = min(fits, key=lambda fit: 2 * fit[1] + 2 * len(fit[0]))
    return EfficiencyCurve(best[0], best[2], low, high)


def _unit(mass: np.ndarray, low: float, high: float) -> np.ndarray:
    """Logarithm of the mass on a scale from 0 to 1."""
    return np.clip(np.log(mass / low) / np.log(high / low), 0.0, 1.0)


def _columns(x: np.ndarray, n: int) -> np.ndarray:
    """The functions that are added up, shape (len(x), n)."""
    if n < 4:
        return np.polynomial.polynomial.polyvander(2 * x - 1, n - 1)
    knots = np.concatenate([np.zeros(3), np.linspace(0, 1, n - 2), np.ones(3)])
    return BSpline.design_matrix(x, knots, 3).toarray()


def _newton(columns: np.ndarray, total: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Coefficients, minus the logarithm of the likelihood, covariance; steps are halved until they help."""
    n = columns.shape[1]
    share = kept.sum() / total.sum()
    level = np.log(share / (1 - share))
    # Polynomials begin with a constant; splines add up to one everywhere.
    found = np.full(n, level) if n > 3 else np.append(level, np.zeros(n - 1))
    best = _cost(columns @ found, total, kept)
    for _ in range(_MAX_STEPS):
        step = np.linalg.solve(_curvature(columns, total, found), columns.T @ (kept - total * expit(columns @ found)))
        length, trial = 1.0, np.inf
        while length > 1e-4:
            trial = _cost(columns @ (found + length * step), total, kept)
            if trial <= best:
                break
            length /= 2
        if trial > best:
            break
        found, gain, best = found + length * step, best - trial, trial
        if gain < 1e-9 * max(1.0, abs(best)):
            break
    return found, best, np.linalg.inv(_curvature(columns, total, found))


def _curvature(columns: np.ndarray, total: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Second derivatives of minus the logarithm of the likelihood."""
    p, n = expit(columns @ coefficients), columns.shape[1]
    curvature = (columns * (total * p * (1 - p))[:, None]).T @ columns
    # A spline that no event reaches stays where it is.
    return curvature + 1e-4 * max(np.trace(curvature) / n, 1e-6) * np.eye(n)


def _cost(logit: np.ndarray, total: np.ndarray, kept: np.ndarray) -> float:
    p = expit(np.clip(logit, -_LARGEST_LOGIT, _LARGEST_LOGIT))
    return -float(np.sum(xlogy(kept, p) + xlogy(total - kept, 1 - p)))

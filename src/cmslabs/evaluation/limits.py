"""Upper limits on a signal's yield (CLs), and the band that spectra without a signal would give.

A. L. Read, J. Phys. G 28 (2002) 2693, doi:10.1088/0954-3899/28/10/313; the asymptotic distributions are those of
G. Cowan, K. Cranmer, E. Gross, O. Vitells, Eur. Phys. J. C 71 (2011) 1554, doi:10.1140/epjc/s10052-011-1554-0.
Where a window expects fewer than a few events they are too optimistic.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from cmslabs.evaluation.families import Shape
from cmslabs.evaluation.fits import Fits, fit_background, fit_signal, profile_background

__all__ = ["BAND", "upper_limits"]

#: Standard deviations of the expected band, and the names of its columns.
BAND = {"expected_m2": -2, "expected_m1": -1, "expected": 0, "expected_p1": 1, "expected_p2": 2}
_BISECTIONS = 40


def upper_limits(
    shape: Shape, counts: np.ndarray, templates: np.ndarray, used: np.ndarray, level: float = 0.95
) -> dict[str, np.ndarray]:
    """Largest yield of each signal that is not excluded.

    Parameters
    ----------
    shape : Shape
        The background function.
    counts : ndarray, shape (n_bins,)
    templates : ndarray, shape (n_signals, n_bins)
    used : ndarray of bool, shape (n_bins,)
    level : float
        Confidence level.

    Returns
    -------
    dict of ndarray, shape (n_signals,)
        ``observed``, and the keys of `BAND` [events].
    """
    counts = np.asarray(counts, dtype=float)
    alone = fit_background(shape, counts, used)
    data = _Profile(shape, counts, templates, used)
    asimov = _Profile(shape, alone.background[0], templates, used)
    scale = _first_guess(asimov)
    alpha = 1 - level
    result = {"observed": _solve(lambda s: _cls(data.q(s), asimov.q(s)) - alpha, scale)}
    for name, n in BAND.items():
        wanted = norm.isf(alpha * norm.cdf(n)) + n
        result[name] = _solve(lambda s, wanted=wanted: wanted - np.sqrt(asimov.q(s)), scale)
    return result


class _Profile:
    """Profile likelihood ratio of the yield for every template, on one spectrum."""

    def __init__(self, shape: Shape, counts: np.ndarray, templates: np.ndarray, used: np.ndarray):
        n = len(templates)
        self.shape, self.templates, self.used = shape, templates, used
        self.counts = np.broadcast_to(counts, (n, len(counts)))
        self.alone = fit_background(shape, self.counts, used)
        best = fit_signal(shape, self.counts, templates, self.alone, used)
        negative = best.signal < 0
        self.best = np.where(negative, 0.0, best.signal)
        self.floor = np.where(negative, self.alone.nll, np.minimum(best.nll, self.alone.nll))
        self.error = 1 / np.sqrt(_schur(best))

    def q(self, signal: np.ndarray) -> np.ndarray:
        """Test statistic for upper limits: zero where the best yield lies above `signal`."""
        fits = profile_background(self.shape, self.counts, self.templates, signal, self.alone, self.used)
        return np.where(signal <= self.best, 0.0, 2 * np.maximum(fits.nll - self.floor, 0.0))


def _schur(fits: Fits) -> np.ndarray:
    """Information on the yield after the background's parameters are profiled."""
    covariance = np.linalg.pinv(fits.information, hermitian=True)
    return 1 / np.maximum(covariance[:, -1, -1], 1e-12)


def _first_guess(asimov: _Profile) -> np.ndarray:
    return np.maximum(3 * asimov.error, 3.0)


def _cls(q: np.ndarray, q_asimov: np.ndarray) -> np.ndarray:
    """Ratio of the tails under signal plus background and under background alone."""
    root, root_a = np.sqrt(q), np.sqrt(np.maximum(q_asimov, 1e-12))
    far = q > q_asimov
    with_signal = np.where(far, norm.sf((q + q_asimov) / (2 * root_a)), norm.sf(root))
    without = np.where(far, norm.sf((q - q_asimov) / (2 * root_a)), norm.sf(root - root_a))
    return with_signal / np.maximum(without, 1e-300)


def _solve(function, scale: np.ndarray) -> np.ndarray:
    """Where a falling function of the yield crosses zero, by bisection for all signals together."""
    low, high = np.zeros_like(scale), scale.copy()
    for _ in range(60):
        short = function(high) > 0
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2 * high, high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = function(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2

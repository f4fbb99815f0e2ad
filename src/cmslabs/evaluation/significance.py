"""p-values and significances of a count on top of a background that is known with an uncertainty."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

from cmslabs.errors import DataError

__all__ = ["asimov_significance", "p_bi", "p_to_z", "z_bi", "z_to_p"]


def p_to_z(p):
    """Significance of a one-sided p-value: how many standard deviations leave that much in one tail.

    Examples
    --------
    >>> round(float(p_to_z(0.00135)), 2), round(float(p_to_z(0.5)), 2)
    (3.0, 0.0)
    """
    return stats.norm.isf(p)


def z_to_p(z):
    """One-sided p-value of a significance; exact far out, where one minus the distribution function would be 0.

    Examples
    --------
    >>> f"{float(z_to_p(5)):.2e}"
    '2.87e-07'
    """
    return stats.norm.sf(z)


def p_bi(n_on, background, sigma):
    """Probability of `n_on` events or more, where the background is known as `background` +- `sigma`.

    The uncertainty is read as that of a control measurement with Poisson fluctuations: ``tau b`` events where
    one expects tau times the background, tau = b / sigma**2.  Given both counts, ``n_on`` is binomial, and
    p = I_{1/(1+tau)}(n_on, tau b + 1), an incomplete beta function.  R. D. Cousins, J. T. Linnemann, J. Tucker,
    "Evaluation of three methods for calculating statistical significance ...", Nucl. Instrum. Meth. A 595 (2008) 480,
    doi:10.1016/j.nima.2008.07.086.  Where sigma vanishes it becomes the Poisson probability.

    Parameters
    ----------
    n_on : array_like
        Observed events, not negative; 0 gives p = 1.
    background, sigma : array_like
        Expected events (positive) and their uncertainty (not negative).

    Returns
    -------
    ndarray or float

    Raises
    ------
    DataError
        If a number is negative, not finite, or the background is zero.

    Examples
    --------
    >>> f"{p_bi(150, 100, 10):.6f}", f"{p_bi(150, 100, 0):.3g}"
    ('0.000942', '1.88e-06')
    """
    n_on, background, sigma = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (n_on, background, sigma)))
    if not all(np.isfinite(v).all() for v in (n_on, background, sigma)):
        raise DataError("a count, a background or its uncertainty is not finite.")
    if (n_on < 0).any() or (background <= 0).any() or (sigma < 0).any():
        raise DataError(
            "counts and uncertainties cannot be negative, and the background must be above zero.",
            remedy="Without any expected background a p-value does not exist: widen the sidebands.",
        )
    # Below a relative uncertainty of 1e-4 the incomplete beta function loses digits, and it is the Poisson limit.
    known = sigma < 1e-4 * np.sqrt(background)
    safe = np.where(known, 1.0, sigma)
    tau = background / safe**2
    counts = np.maximum(n_on, 1)
    p = np.where(
        known,
        special.gammainc(counts, background),
        special.betainc(counts, tau * background + 1, 1 / (1 + tau)),
    )
    p = np.where(n_on > 0, p, 1.0)
    return p if p.ndim else float(p)


def z_bi(n_on, background, sigma):
    """Significance of `p_bi`: negative where there is less than expected, -inf for no event at all (p = 1).

    Far out, where p or 1 - p is too small for a float, it is taken from the logarithm of that.

    Examples
    --------
    >>> [round(float(z_bi(*case)), 3) for case in ((150, 100, 10), (20, 10, 1), (110, 100, 10), (100, 100, 10))]
    [3.108, 2.521, 0.621, -0.071]
    """
    p = np.asarray(p_bi(n_on, background, sigma))
    z = p_to_z(p)
    if (p < 1e-300).any():
        z = np.where(p < 1e-300, -special.ndtri_exp(_log_p(n_on, background, sigma)), z)
    few = (p > 0.99) & (np.asarray(n_on) > 0)
    if few.any():
        z = np.where(few, special.ndtri_exp(_log_fewer(n_on, background, sigma)), z)
    return z if np.ndim(z) else float(z)


def _log_fewer(n_on, background, sigma):
    """Logarithm of 1 - `p_bi`, of fewer events than `n_on`: its largest term times a geometric series, far out."""
    n, b, sigma = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (n_on, background, sigma)))
    n = np.maximum(n, 1)
    known = sigma < 1e-4 * np.sqrt(b)
    tau = b / np.where(known, 1.0, sigma) ** 2
    x, m, k = 1 / (1 + tau), tau * b + 1, n - 1
    fewer = np.where(known, special.gammaincc(n, b), special.betaincc(n, m, x))
    last = np.where(
        known,
        k * np.log(b) - b - special.gammaln(n),
        k * np.log(x) + m * np.log1p(-x) + special.gammaln(m + k) - special.gammaln(m) - special.gammaln(n),
    )
    ratio = np.where(known, k / b, k / ((m + k - 1) * x))
    with np.errstate(divide="ignore"):
        return np.where(fewer > 1e-300, np.log(fewer), last - np.log1p(-np.minimum(ratio, 0.999)))


def _log_p(n_on, background, sigma):
    """Logarithm of `p_bi` far out in the tail: its first term times a geometric series, a close upper bound."""
    n, b, sigma = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (n_on, background, sigma)))
    n = np.maximum(n, 1)
    known = sigma < 1e-4 * np.sqrt(b)
    tau = b / np.where(known, 1.0, sigma) ** 2
    x, m = 1 / (1 + tau), tau * b + 1
    first = np.where(
        known,
        n * np.log(b) - b - special.gammaln(n + 1),
        n * np.log(x) + m * np.log1p(-x) - np.log(n) - special.betaln(n, m),
    )
    ratio = np.where(known, b / (n + 1), x * (n + m) / (n + 1))
    return first - np.log1p(-np.minimum(ratio, 0.999))


def asimov_significance(signal, background, sigma=0.0):
    """Median significance expected for `signal` events on `background` +- `sigma`.

    From the profile likelihood evaluated on data that equal their expectation (G. Cowan, K. Cranmer, E. Gross,
    O. Vitells, Eur. Phys. J. C 71 (2011) 1554, doi:10.1140/epjc/s10052-011-1554-0; with an uncertain background:
    G. Cowan, "Discovery sensitivity for a counting experiment with background uncertainty", 2012).
    ``signal / sqrt(background)`` is its limit for a small signal on a large, well known background.

    Raises
    ------
    DataError
        If a number is negative, not finite, or the background is zero.

    Examples
    --------
    >>> [round(float(asimov_significance(*case)), 3) for case in ((50, 100, 10), (10, 10, 1), (10, 100, 10))]
    [3.173, 2.616, 0.69]
    >>> [round(float(asimov_significance(*case)), 3) for case in ((50, 100), (10, 10), (10, 100))]
    [4.652, 2.78, 0.984]
    """
    s, b, sigma = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (signal, background, sigma)))
    if not all(np.isfinite(v).all() for v in (s, b, sigma)):
        raise DataError("a signal, a background or its uncertainty is not finite.")
    if (s < 0).any() or (b <= 0).any() or (sigma < 0).any():
        raise DataError("signal and uncertainty cannot be negative, and the background must be above zero.")
    variance = sigma**2
    with np.errstate(divide="ignore", invalid="ignore"):
        known = (s + b) * np.log1p(s / b) - s
        first = (s + b) * np.log((s + b) * (b + variance) / (b**2 + (s + b) * variance))
        second = b**2 / variance * np.log1p(variance * s / (b * (b + variance)))
    z = np.sqrt(2 * np.maximum(np.where(variance < 1e-10 * b**2, known, first - second), 0.0))
    return z if z.ndim else float(z)

"""From published values to numbers of events: a likelihood needs counts, tables often hold densities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["are_whole", "counts_from_density", "counts_from_errors", "errors_are_poisson"]

#: The probability that a wrong answer is accepted because random numbers happened to be nearly whole.
_CHANCE = 1e-4
#: By how much of itself the factor between values and counts may vary from bin to bin.
_SPREAD = 0.05
#: The share of a normal distribution below one standard deviation: the level of one-sided Poisson limits.
_ONE_SIGMA = 0.8413447460685429


def are_whole(values: np.ndarray) -> bool:
    """Whether all values are whole numbers.

    Examples
    --------
    >>> are_whole(np.array([3.0, 231784.0])), are_whole(np.array([3.0, 231784.5]))
    (True, False)
    """
    return bool((abs(values - np.round(values)) <= 1e-9 * np.maximum(1, abs(values))).all())


def counts_from_density(density: np.ndarray, candidates: Sequence[np.ndarray]) -> tuple[int, np.ndarray] | None:
    """The first bin widths for which density times width is a whole number in every bin, and these numbers.

    Rounding leaves the products nearly whole only; where it is coarser than a fifth of an event, a bin says
    nothing.  Few bins, or many candidates, can be whole by chance: then there is no answer.

    Parameters
    ----------
    density : ndarray, shape (n_bins,)
        Events per unit of the quantity, rounded to the digits that it is written with; not negative.
    candidates : sequence of ndarray, shape (n_bins,)
        Widths, the most plausible first.

    Returns
    -------
    (place among the candidates, counts) or None

    Examples
    --------
    >>> density = np.array([4.6667, 3.25, 1.2, 0.83333, 0.28571])
    >>> counts_from_density(density, [np.array([3.0, 4.0, 5.0, 6.0, 7.0])])[1].tolist()
    [14.0, 13.0, 6.0, 5.0, 2.0]
    """
    rounding = _rounding(density)
    for place, widths in enumerate(candidates):
        products, tolerance = density * widths, np.maximum(0.02, rounding * widths)
        if (abs(products - np.round(products)) > tolerance)[density > 0].any():
            continue
        telling = (tolerance < 0.2) & (products > 0.5)
        if np.log(2 * tolerance[telling]).sum() + np.log(len(candidates)) < np.log(_CHANCE):
            return place, np.round(products)
    return None


def _rounding(values: np.ndarray) -> np.ndarray:
    """Half a unit in the last digit, if all values have as many digits as the longest one, or as many decimals."""
    decimals = next(n for n in range(16) if n == 15 or np.allclose(values, values.round(n), rtol=1e-14, atol=0))
    digits = max(len(f"{value:.15e}".split("e")[0].rstrip("0").replace(".", "")) for value in values)
    size = np.floor(np.log10(np.where(values > 0, values, 1)))
    return 0.5 * np.maximum(10 ** (size - digits + 1), 10.0**-decimals)


def errors_are_poisson(counts: np.ndarray, up: np.ndarray, down: np.ndarray) -> bool:
    """Whether the errors are what counting gives: in nine of ten filled bins near the square root of the count,
    or between it and the limit of Garwood's interval (Biometrika 28 (1936) 437), a little less or more."""
    filled = counts > 0
    error, n = (up + down)[filled] / 2, counts[filled]
    fits = (error > 0.8 * np.sqrt(n)) & (error < 1.25 * _upper_error(n))
    return bool(fits.mean() >= 0.9)


def counts_from_errors(
    values: np.ndarray, widths: np.ndarray, up: np.ndarray, down: np.ndarray
) -> tuple[np.ndarray, float, bool] | None:
    """Numbers of events from values and their Poisson errors: value / error tells how many events a bin holds.

    Parameters
    ----------
    values, widths, up, down : ndarray, shape (n_bins,)
        Values in any units, and their errors in the same.

    Returns
    -------
    counts : ndarray, shape (n_bins,)
        Rounded to whole numbers.
    factor : float
        Value = factor x count, or factor x count / width.
    per_width : bool
        Which of the two.

    None where no factor is the same in nine of ten bins to 5 %: then the events were weighted differently, or
    the errors hold more than counting.

    Examples
    --------
    >>> n = np.array([100.0, 49.0, 25.0, 9.0])
    >>> counts, factor, per_width = counts_from_errors(0.5 * n, np.ones(4) * 2, 0.5 * n**0.5, 0.5 * n**0.5)
    >>> counts.tolist(), round(factor, 6), per_width
    ([100.0, 49.0, 25.0, 9.0], 0.5, False)
    """
    filled = (values > 0) & (up > 0)
    if filled.sum() < 2:
        return None
    y, w, error = values[filled], widths[filled], (up + down)[filled] / 2
    best = None
    for n in ((y / error) ** 2, _events_of_ratio(y / up[filled])):
        for per_width in (False, True):
            factors = y * w / n if per_width else y / n
            factor = float(np.median(factors))
            spread = float(np.quantile(abs(np.log(factors / factor)), 0.9))
            if best is None or spread < best[0]:
                best = spread, factor, per_width
    spread, factor, per_width = best
    if not spread < _SPREAD:
        return None
    return np.round((values * widths if per_width else values) / factor), factor, per_width


def _upper_error(n: np.ndarray) -> np.ndarray:
    """Distance from n to the upper end of Garwood's interval for one standard deviation."""
    from scipy.special import gammaincinv

    return gammaincinv(n + 1, _ONE_SIGMA) - n


def _events_of_ratio(ratio: np.ndarray) -> np.ndarray:
    """The n for which n divided by its upper error is `ratio`."""
    grid = np.concatenate([np.linspace(0.01, 50, 5000), np.geomspace(50.01, 1e9, 5000)])
    return np.interp(ratio, grid / _upper_error(grid), grid)

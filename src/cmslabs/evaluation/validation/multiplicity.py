"""Many tests at once: max-T for the chance of any false alarm, Benjamini-Hochberg for the share of false ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmslabs.errors import DataError

__all__ = ["benjamini_hochberg", "max_t", "standardised"]


def max_t(observed: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Adjusted p-values of many statistics, from draws in which they fluctuate together.

    The chance that *any* of them gives p <= alpha although there is nothing is at most alpha, whatever their
    correlations; copies of a column change nothing.  Step-down: the largest is compared with the largest of all in
    each draw, the next with the largest of the rest, and so on (P. H. Westfall, S. S. Young, *Resampling-Based
    Multiple Testing*, Wiley 1993, algorithm 2.8).

    Parameters
    ----------
    observed : ndarray, shape (n_tests,)
        Large means unusual.
    drawn : ndarray, shape (n_draws, n_tests)
        The same in draws without any effect.

    Returns
    -------
    ndarray, shape (n_tests,)

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(99, 3))
    >>> max_t(np.array([0.0, 5.0, 2.2]), draws).tolist()
    [0.56, 0.01, 0.03]
    """
    observed, drawn = np.asarray(observed, dtype=float), np.asarray(drawn, dtype=float)
    order = np.argsort(-observed, kind="stable")
    # The largest among this one and all that are smaller in the data.
    rest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
    reached = (rest >= observed[order] - 1e-12).sum(axis=0)
    stepped = np.maximum.accumulate((1 + reached) / (len(drawn) + 1))
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return adjusted


def benjamini_hochberg(p: Any) -> np.ndarray:
    """P-values adjusted such that those below q hold, on average, at most a share q of false alarms.

    Y. Benjamini, Y. Hochberg, J. R. Stat. Soc. B 57 (1995) 289, doi:10.1111/j.2517-6161.1995.tb02031.x.  A share has a
    denominator: copies of one true effect fill it, and then more of the others pass.

    Parameters
    ----------
    p : array_like, shape (n_tests,)

    Returns
    -------
    ndarray, shape (n_tests,)

    Raises
    ------
    DataError
        If one is no probability.

    Examples
    --------
    A p-value of 0.04 among three passes at 5 % once the best one is there six times:

    >>> benjamini_hochberg([0.001, 0.04, 0.5]).round(3).tolist()
    [0.003, 0.06, 0.5]
    >>> benjamini_hochberg([0.001] * 6 + [0.04, 0.5]).round(3).tolist()[-2:]
    [0.046, 0.5]
    """
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise DataError("p-values are a list of numbers from 0 to 1.")
    order = np.argsort(p, kind="stable")
    n = len(p)
    stepped = np.minimum.accumulate((p[order] * n / np.arange(1, n + 1))[::-1])[::-1]
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def standardised(rows: np.ndarray) -> np.ndarray:
    """Distance of each entry from its column's mean, in standard deviations, shape (n, n_tests).

    Data and draws are rows of one table: none of them is special, so that ranks among them are exact p-values.
    """
    spread = rows.std(axis=0)
    return np.abs(rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)

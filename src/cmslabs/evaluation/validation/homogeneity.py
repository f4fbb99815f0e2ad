"""Two spectra in the same bins: chi2 of homogeneity and Jensen-Shannon divergence, for many permutations at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmslabs.errors import DataError

__all__ = ["LEAST_EXPECTED", "MassBins", "chi2_of", "divergence_of", "mass_bins"]

#: Below this expectation in a bin the chi2 distribution is no good description (W. G. Cochran, Biometrics 10 (1954)
#: 417, doi:10.2307/3001616).
LEAST_EXPECTED = 5


@dataclass(frozen=True)
class MassBins:
    """Bins with about equal numbers of events.

    Attributes
    ----------
    edges : ndarray, shape (n_bins + 1,)
        [GeV]
    index : ndarray of int, shape (n_events,)
        The bin of each event.
    total : ndarray of int, shape (n_bins,)
        Events in each.
    """

    edges: np.ndarray
    index: np.ndarray
    total: np.ndarray


def mass_bins(mass: np.ndarray, n_pass: int, n_bins: int) -> MassBins:
    """As many bins as possible, up to `n_bins`, in which pass and fail both expect 5 events or more.

    Parameters
    ----------
    mass : ndarray, shape (n_events,)
        [GeV]
    n_pass : int
        Events that pass; the rest fails.
    n_bins : int

    Raises
    ------
    DataError
        If there are not two such bins.

    Examples
    --------
    >>> found = mass_bins(np.arange(1000.0), n_pass=30, n_bins=20)
    >>> len(found.total), float((found.total * 30 / 1000).min().round(2))
    (6, 4.98)
    """
    n = len(mass)
    rarer = min(n_pass, n - n_pass)
    rising = np.sort(mass)
    for wanted in range(min(n_bins, rarer // LEAST_EXPECTED), 1, -1):
        # Cut between events: a bin gets n / wanted of them, unless equal masses keep more together.
        inner = np.unique(rising[np.round(np.arange(1, wanted) * n / wanted).astype(int)])
        index = np.searchsorted(inner, mass, side="right")
        total = np.bincount(index, minlength=len(inner) + 1)
        # Rounding may take half an event from the expectation of one bin.
        if len(total) > 1 and total.min() * rarer / n > LEAST_EXPECTED - rarer / n:
            return MassBins(np.concatenate([rising[:1], inner, rising[-1:]]), index, total)
    raise DataError(
        f"{n_pass} passing and {n - n_pass} failing events do not fill two mass bins with {LEAST_EXPECTED} expected "
        "events each.",
        remedy="Use more events, or a looser threshold; a mass that has few values makes few bins.",
    )


def chi2_of(passing: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Chi2 of the hypothesis that passing and failing events have the same shape, n_bins - 1 degrees of freedom.

    Parameters
    ----------
    passing : ndarray, shape (..., n_bins)
    total : ndarray, shape (n_bins,)
        Passing and failing events.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> chi2_of(np.array([10.0, 30.0]), np.array([50, 50])).round(2).item()
    16.67
    """
    n, k = total.sum(), passing.sum(axis=-1, keepdims=True)
    expected = k * total / n
    return np.sum((passing - expected) ** 2 / expected, axis=-1) * (n / (n - k[..., 0]))


def divergence_of(passing: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence of passing and failing shapes [bit]: 0 if alike, 1 if they share no bin.

    J. Lin, IEEE Trans. Inf. Theory 37 (1991) 145, doi:10.1109/18.61115.  Parameters as in `chi2_of`.

    Examples
    --------
    >>> divergence_of(np.array([[5.0, 5.0], [10.0, 0.0]]), np.array([10, 10])).round(3).tolist()
    [0.0, 1.0]
    """
    failing = total - passing
    p, q = (part / part.sum(axis=-1, keepdims=True) for part in (passing, failing))
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.sum(p * np.log2(ratio), axis=-1)

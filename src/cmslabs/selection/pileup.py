"""Pile-up weights: simulated events get the distribution of the number of true interactions that data have.

A profile is an array: the probabilities of 0, 1, ... n - 1 true interactions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from cmslabs.errors import DataError

__all__ = ["CROSS_SECTION_ERROR", "Closure", "pileup_closure", "pileup_ratio"]

#: Relative uncertainty of the inelastic cross-section that CMS varies in Run 2: 69.2 mb +- 4.6 %, the
#: recommendation of its luminosity group; the cross-section itself is measured in arXiv:1802.02613.
CROSS_SECTION_ERROR = 0.046
#: Bins of the closure test are merged until so many events are in each, and a yield of so many is expected.
_LEAST_EVENTS = 25


def pileup_ratio(data: np.ndarray, simulation: np.ndarray) -> np.ndarray:
    """The weight of each number of interactions: w(n) = p_data(n) / p_simulation(n), shape (n_bins,).

    Both profiles are normalised first, so that the weights have the mean 1 over simulated events.

    Raises
    ------
    DataError
        If a profile is none, or if the simulation never has a number of interactions that data have: no
        weight makes events that are not there.

    Examples
    --------
    >>> pileup_ratio(np.array([0.25, 0.25, 0.5]), np.array([0.5, 0.25, 0.25])).tolist()
    [0.5, 1.0, 2.0]
    """
    data, simulation = (_profile(values) for values in (data, simulation))
    if data.shape != simulation.shape:
        raise DataError(
            f"the profiles have {len(data)} and {len(simulation)} bins.", remedy="Make both with the same bins."
        )
    never = simulation < 1e-12
    lost = data[never].sum()
    if lost > 1e-6:
        raise DataError(
            f"{lost:.2g} of the data have numbers of interactions that the simulation never has.",
            remedy="Simulate a wider profile.",
        )
    return np.divide(data, simulation, out=np.zeros_like(data), where=~never)


def _profile(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise DataError("a profile is a row of numbers that are not negative.", remedy="Make it again.")
    return values / values.sum()


@dataclass(frozen=True)
class Closure:
    """Weighted events against the profile that they should have.

    Attributes
    ----------
    expected, found, error : ndarray, shape (n_groups,)
        Sums of weights in groups of neighbouring bins, and the statistical error of `found`.
    chi2, p_value : float
    n_groups : int
        The number of degrees of freedom is one less: the number of events is fixed.
    normalisation : float
        Sum of the pile-up weights over the number of events: 1 within its error.
    normalisation_error : float
    """

    expected: np.ndarray
    found: np.ndarray
    error: np.ndarray
    chi2: float
    p_value: float
    normalisation: float
    normalisation_error: float

    @property
    def n_groups(self) -> int:
        """How many groups of bins were compared."""
        return len(self.found)


def pileup_closure(n_true: np.ndarray, weights: np.ndarray, profile: np.ndarray) -> Closure:
    """Do the weights give the events the profile?

    Parameters
    ----------
    n_true : ndarray, shape (n_events,)
        Numbers of true interactions; all events of the simulation, before any selection.
    weights : ndarray, shape (n_events,)
        Pile-up weights alone: the events count 1 otherwise.
    profile : ndarray, shape (n_bins,)
        What data have.

    Returns
    -------
    Closure
        chi2 = sum over groups of (W - N p)^2 / (N p w), where W is the group's sum of weights, N the number of
        events, and w = sum w^2 / sum w in the group: the variance of N p / w events of weight w each.

    Raises
    ------
    DataError
        If there are too few events for two groups, or a weight is negative or not finite.
    """
    profile = _profile(profile)
    weights = np.asarray(weights, dtype=float)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise DataError("a pile-up weight is negative or not finite.", remedy="Leave genWeight out of the weights.")
    n_events = len(n_true)
    bins = np.clip(np.asarray(n_true, dtype=int), 0, len(profile) - 1)
    counts, sums, squares = (np.bincount(bins, values, len(profile)) for values in (None, weights, weights**2))
    expected = n_events * profile
    groups = _groups(np.minimum(counts, expected))
    if len(groups) < 2:
        raise DataError(f"{n_events} events are too few to compare profiles.", remedy="Use more events.")
    expected, sums, squares = (np.add.reduceat(values, groups) for values in (expected, sums, squares))
    # A group whose weights are all 0 has no variance, and no excuse.
    variance = expected * np.divide(squares, sums, out=np.zeros_like(sums), where=sums > 0)
    value = float(
        np.sum(np.divide((sums - expected) ** 2, variance, out=np.full_like(sums, np.inf), where=variance > 0))
    )
    mean = float(np.mean(weights))
    return Closure(
        expected,
        sums,
        np.sqrt(variance),
        value,
        float(chi2.sf(value, len(groups) - 1)),
        mean,
        float(np.std(weights) / np.sqrt(n_events)),
    )


def _groups(counts: np.ndarray) -> np.ndarray:
    """First bins of groups of neighbours with enough events in every group."""
    starts, total = [0], 0.0
    for index, count in enumerate(counts):
        if total >= _LEAST_EVENTS and counts[index:].sum() >= _LEAST_EVENTS:
            starts.append(index)
            total = 0.0
        total += count
    return np.array(starts)

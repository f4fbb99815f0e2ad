"""How much the scores of several trainings agree on the same events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from cmslabs.errors import DataError
from cmslabs.evaluation.validation.common import checked_scores, largest, permutation_p, tail_size
from cmslabs.evaluation.validation.overlap import (
    chance_overlaps,
    jackknife,
    pairwise_jaccard,
    pairwise_spearman,
    upper_pairs,
)

__all__ = ["Agreement", "agreement", "tail_masks"]


@dataclass(frozen=True)
class Agreement:
    """How much the scores of several trainings agree on the same test events.

    Attributes
    ----------
    spearman, jaccard : ndarray, shape (n_pairs,)
        Rank correlation, and overlap of the tails, of each pair.
    mean_jaccard, jaccard_low, jaccard_high : float
        With a 95 % interval over trainings.
    chance_p : float
        Of as much overlap, or more, among tails that know nothing of each other.
    variance : float
        Of an event's rank (from 0 to 1) over trainings, averaged over events.  Ranks at random have 1 / 12.
    tail_variance : float
        The same for the events that are in a tail at least once.
    """

    spearman: np.ndarray
    jaccard: np.ndarray
    mean_jaccard: float
    jaccard_low: float
    jaccard_high: float
    chance_p: float
    variance: float
    tail_variance: float

    @property
    def mean_spearman(self) -> float:
        """Mean over pairs."""
        return float(self.spearman.mean())


def agreement(scores: Any, fraction: float = 0.01) -> Agreement:
    """Compare the scores of several trainings.

    Parameters
    ----------
    scores : array_like, shape (n_trainings, n_events)
        At least three trainings, on the same test events.
    fraction : float
        Share of the events in a tail.

    Returns
    -------
    Agreement

    Raises
    ------
    DataError
        If they are not that, or the tail is empty.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.normal(size=5000)
    >>> found = agreement(truth + 0.1 * rng.normal(size=(5, 5000)))
    >>> round(found.mean_spearman, 2), round(found.mean_jaccard, 2), found.chance_p
    (0.99, 0.77, 0.0001)
    """
    scores = np.array([checked_scores(row) for row in scores])
    if len(scores) < 3:
        raise DataError(f"{len(scores)} trainings show no spread.", remedy="Give 5 or more.")
    n_events = scores.shape[1]
    k = tail_size(fraction, n_events)
    if k < 1:
        raise DataError(f"the top {100 * fraction:g} % of {n_events} events is empty.", remedy="Use more events.")
    masks = tail_masks(scores, k)
    jaccard = pairwise_jaccard(masks)
    shared = masks.sum(axis=0)
    pairs = len(scores) * (len(scores) - 1) / 2
    overlap = float((shared * (shared - 1) // 2).sum() / pairs)
    ranks = (stats.rankdata(scores, axis=1) - 0.5) / n_events
    variance = ranks.var(axis=0, ddof=1)
    mean, low, high = jackknife(jaccard)
    return Agreement(
        spearman=upper_pairs(pairwise_spearman(scores)),
        jaccard=upper_pairs(jaccard),
        mean_jaccard=mean,
        jaccard_low=max(low, 0.0),
        jaccard_high=min(high, 1.0),
        chance_p=permutation_p(overlap, chance_overlaps(n_events, k, len(scores))),
        variance=float(variance.mean()),
        tail_variance=float(variance[shared > 0].mean()),
    )


def tail_masks(scores: Sequence[np.ndarray], k: int) -> np.ndarray:
    """The `k` highest of each row of scores, shape (n_trainings, n_events).

    Of equal scores any are taken: otherwise all trainings would agree on those that stand first.
    """
    rng = np.random.default_rng(k)
    return np.array([largest(row, k, rng) for row in scores])

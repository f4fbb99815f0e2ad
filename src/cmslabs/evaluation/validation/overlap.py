"""How much two tails have in common, and how much they would by chance."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy import stats

__all__ = ["chance_jaccard", "chance_overlaps", "jackknife", "pairwise_jaccard", "pairwise_spearman"]


def pairwise_jaccard(masks: np.ndarray) -> np.ndarray:
    """Events in both tails over events in either, for each pair.

    Parameters
    ----------
    masks : ndarray of bool, shape (n_tails, n_events)

    Returns
    -------
    ndarray, shape (n_tails, n_tails)
        Symmetric, 1 on the diagonal.

    Examples
    --------
    >>> pairwise_jaccard(np.array([[1, 1, 0, 0], [0, 1, 1, 0]], dtype=bool))[0].round(3).tolist()
    [1.0, 0.333]
    """
    counts = masks.astype(np.int64)
    both = counts @ counts.T
    size = np.diag(both)
    return both / (size[:, None] + size[None, :] - both)


def pairwise_spearman(scores: np.ndarray) -> np.ndarray:
    """Rank correlation of each pair of scores, shape (n_scores, n_scores); 0 with a score that is constant."""
    ranks = stats.rankdata(scores, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    size = np.linalg.norm(ranks, axis=1, keepdims=True)
    ranks = np.divide(ranks, size, out=np.zeros_like(ranks), where=size > 0)
    return ranks @ ranks.T


def chance_jaccard(fraction: float) -> float:
    """Jaccard index of two tails of a share f that know nothing of each other: f**2 / (2 f - f**2) = f / (2 - f).

    Examples
    --------
    >>> round(chance_jaccard(0.01), 4)
    0.005
    """
    return fraction / (2 - fraction)


@lru_cache(maxsize=64)
def chance_overlaps(n_events: int, k: int, n_tails: int, n_draws: int = 9999) -> np.ndarray:
    """Mean number of events that two of `n_tails` random tails share, in many draws, shape (n_draws,), rising.

    Parameters
    ----------
    n_events, k, n_tails : int
        Each tail takes k of n events, independently of the others.
    n_draws : int

    Notes
    -----
    One tail after the other takes its events from those that 0, 1, 2, ... tails hold already; only these numbers are
    drawn (from hypergeometric distributions), not the events.
    """
    rng = np.random.default_rng(0)
    held = np.zeros((n_tails + 1, n_draws), dtype=np.int64)
    held[0] = n_events
    for _ in range(n_tails):
        wanted = np.full(n_draws, k)
        left = np.full(n_draws, n_events)
        taken = np.zeros_like(held)
        for group in range(n_tails):
            left = left - held[group]
            taken[group] = rng.hypergeometric(held[group], left, wanted)
            wanted = wanted - taken[group]
        held = held - taken
        held[1:] += taken[:-1]
    times = np.arange(n_tails + 1)
    pairs = (times * (times - 1) // 2) @ held
    found = np.sort(pairs / (n_tails * (n_tails - 1) / 2))
    found.setflags(write=False)
    return found


def jackknife(pairs: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Mean over all pairs, and its interval, if the n members are a sample of many.

    The pairs are not independent, the members are: one member is left out at a time, and the spread of the n means is
    scaled (J. N. Arvesen, Ann. Math. Stat. 40 (1969) 2076, doi:10.1214/aoms/1177697287); Student's t with n - 1
    degrees of freedom.

    Parameters
    ----------
    pairs : ndarray, shape (n, n)
        Symmetric.

    Returns
    -------
    mean, low, high : float
    """
    n = len(pairs)
    off = ~np.eye(n, dtype=bool)
    mean = float(pairs[off].mean())
    rows = np.where(off, pairs, 0.0).sum(axis=1)
    left_out = (rows.sum() - 2 * rows) / ((n - 1) * (n - 2))
    error = np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))
    reach = float(stats.t.ppf((1 + level) / 2, n - 1) * error)
    return mean, mean - reach, mean + reach


def upper_pairs(matrix: np.ndarray) -> np.ndarray:
    """The entries above the diagonal, shape (n_pairs,)."""
    return np.array([matrix[i, j] for i, j in combinations(range(len(matrix)), 2)])

"""All statistics of sculpting, for the data and for data whose masses were dealt out anew, at once."""

from __future__ import annotations

import numpy as np
from scipy import stats

from cmslabs.evaluation.validation.homogeneity import MassBins, chi2_of, divergence_of

__all__ = ["permuted_statistics"]

#: Numbers that are permuted at a time.
_LARGEST = 1 << 20


def permuted_statistics(
    falling: np.ndarray,
    mass: np.ndarray,
    sizes: dict[float, int],
    bins: dict[float, MassBins],
    n_permutations: int,
    random_state: int,
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], dict[float, np.ndarray]]:
    """Correlations, chi2 and divergences; the first row is the data's, the others those of permuted masses."""
    rng = np.random.default_rng(random_state)
    tail = min(sizes.values())
    score_ranks, tail_ranks, mass_ranks = stats.rankdata(falling), stats.rankdata(falling[:tail]), stats.rankdata(mass)
    correlations: list[np.ndarray] = []
    counts: dict[float, list[np.ndarray]] = {fraction: [] for fraction in sizes}
    step = max(1, _LARGEST // len(mass))
    for start in range(0, n_permutations + 1, step):
        orders = np.tile(np.arange(len(mass)), (min(step, n_permutations + 1 - start), 1))
        shuffled = orders[1:] if start == 0 else orders
        rng.permuted(shuffled, axis=1, out=shuffled)
        ranks = mass_ranks[orders]
        overall = _correlation(score_ranks, ranks)
        correlations.append(
            np.column_stack([overall, _correlation(tail_ranks, stats.rankdata(ranks[:, :tail], axis=1))])
        )
        for fraction, k in sizes.items():
            counts[fraction].append(_counts(bins[fraction].index[orders[:, :k]], len(bins[fraction].total)))
    found = {fraction: np.concatenate(parts) for fraction, parts in counts.items()}
    chi2 = np.column_stack([chi2_of(found[fraction], bins[fraction].total) for fraction in sizes])
    js = np.column_stack([divergence_of(found[fraction], bins[fraction].total) for fraction in sizes])
    return (np.concatenate(correlations), chi2, js), found


def _counts(index: np.ndarray, n_bins: int) -> np.ndarray:
    """How often each bin stands in each row, shape (n_rows, n_bins), as float64."""
    offset = np.arange(len(index))[:, None] * n_bins
    return np.bincount((index + offset).ravel(), minlength=len(index) * n_bins).reshape(-1, n_bins).astype(float)


def _correlation(first: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pearson's correlation of one array with each row; 0 where one of the two is constant."""
    a, b = first - first.mean(), rows - rows.mean(axis=1, keepdims=True)
    size = np.sqrt((a @ a) * np.square(b).sum(axis=1))
    return np.divide(b @ a, size, out=np.zeros(len(rows)), where=size > 0)

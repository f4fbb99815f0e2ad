"""The Kolmogorov-Smirnov distance between some events and the rest: many features, many subsets at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import DataError

__all__ = ["Ladder", "like_in_mass", "random_subsets"]

#: Numbers that are sorted at a time.
_LARGEST = 1 << 22


@dataclass(frozen=True)
class Ladder:
    """All events of a table, ranked in each column once.

    Attributes
    ----------
    below, upto : ndarray of int32, shape (n_events, n_features)
        How many events have a smaller value, and how many one that is not larger.
    """

    below: np.ndarray
    upto: np.ndarray

    @classmethod
    def of(cls, X: Any) -> Ladder:
        """Rank a table of finite numbers.

        Raises
        ------
        DataError
            If it is none.
        """
        X = np.asarray(X, dtype=float)
        if X.ndim != 2 or len(X) < 2 or not X.shape[1] or not np.isfinite(X).all():
            raise DataError(f"features are a table of finite numbers, not an array of shape {X.shape}.")
        below, upto = np.empty(X.shape, dtype=np.int32), np.empty(X.shape, dtype=np.int32)
        for column, values in enumerate(X.T):
            rising = np.sort(values)
            below[:, column] = np.searchsorted(rising, values, side="left")
            upto[:, column] = np.searchsorted(rising, values, side="right")
        return cls(below, upto)

    def distances(self, subsets: np.ndarray) -> np.ndarray:
        """Largest difference of the cumulative distributions of each subset and of the events that are not in it.

        Parameters
        ----------
        subsets : ndarray of int, shape (n_subsets, k)
            Positions of events, none of them twice in a subset.

        Returns
        -------
        ndarray, shape (n_subsets, n_features)

        Notes
        -----
        With F the distribution of all n events and S that of the k, the rest has (n F - k S) / (n - k); so the
        distance from the rest is n / (n - k) times the one from all, and only the steps of S need to be looked at.

        Examples
        --------
        >>> Ladder.of([[1.0], [2.0], [3.0], [4.0]]).distances(np.array([[2, 3], [0, 3]])).ravel().tolist()
        [1.0, 0.5]
        """
        subsets = np.atleast_2d(subsets)
        n, n_features = self.below.shape
        k = subsets.shape[1]
        if not 0 < k < n:
            raise DataError(f"{k} of {n} events are no part that can be compared with the rest.")
        step = np.arange(k)[:, None]
        found = []
        block = max(1, _LARGEST // (k * n_features))
        for start in range(0, len(subsets), block):
            some = subsets[start : start + block]
            upto, below = np.sort(self.upto[some], axis=1), np.sort(self.below[some], axis=1)
            # Of equal values the last one counts on the way up and the first one before it: the maximum takes them.
            above = ((step + 1) / k - upto / n).max(axis=1)
            under = (below / n - step / k).max(axis=1)
            found.append(np.maximum(above, under) * n / (n - k))
        return np.concatenate(found)


def random_subsets(n: int, k: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """`n_draws` times `k` of `n` events, without replacement, shape (n_draws, k)."""
    return np.stack([rng.choice(n, size=k, replace=False, shuffle=False) for _ in range(n_draws)])


def like_in_mass(
    mass: np.ndarray, chosen: np.ndarray, n_draws: int, rng: np.random.Generator, per_bin: int = 50
) -> np.ndarray:
    """Random subsets with as many events in each mass bin as the chosen ones have, shape (n_draws, k).

    Parameters
    ----------
    mass : ndarray, shape (n_events,)
        [GeV]
    chosen : ndarray of bool, shape (n_events,)
    n_draws : int
    rng : numpy.random.Generator
    per_bin : int
        Bins hold equal numbers of events; so many, or more, in each.

    Returns
    -------
    ndarray of int
    """
    edges = np.unique(np.quantile(mass, np.linspace(0, 1, max(1, len(mass) // per_bin) + 1)[1:-1]))
    bins = np.searchsorted(edges, mass, side="right")
    pools = [np.flatnonzero(bins == number) for number in np.unique(bins[chosen])]
    counts = [int(chosen[pool].sum()) for pool in pools]
    draws = np.empty((n_draws, int(chosen.sum())), dtype=np.intp)
    for row in draws:
        row[:] = np.concatenate(
            [rng.choice(pool, size=count, replace=False) for pool, count in zip(pools, counts, strict=True)]
        )
    return draws

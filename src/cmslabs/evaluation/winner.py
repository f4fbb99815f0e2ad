"""The winner's curse: what the best of many candidates seems to be worth where it was chosen, and what it is worth.

The candidate with the largest number has, on average, more luck than the others.  On other events the luck is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from cmslabs.errors import DataError

__all__ = ["Chosen", "choose_by_truth"]


@dataclass(frozen=True)
class Chosen:
    """Repeated choices.

    Attributes
    ----------
    candidate : ndarray of int, shape (draws,)
        Who won.
    seen, fresh : ndarray, shape (draws,)
        The winner's AUC on the events that chose it, and on all others.
    """

    candidate: np.ndarray
    seen: np.ndarray
    fresh: np.ndarray


def choose_by_truth(
    usual: Any,
    unusual: Any,
    *,
    n_usual: int,
    n_unusual: int,
    n_candidates: int | None = None,
    draws: int = 200,
    random_state: int = 0,
) -> Chosen:
    """Choose the best of many scores by the AUC on a small sample with labels; again and again with another sample.

    Parameters
    ----------
    usual, unusual : array_like, shape (candidates, n)
        Scores that each candidate gives to background and to signal, high for signal.
    n_usual, n_unusual : int
        Events of the sample that chooses; the rest is fresh.
    n_candidates : int, optional
        So many of them, drawn anew each time; all if not given.
    draws : int
    random_state : int

    Raises
    ------
    DataError
        If the arrays do not belong together, or no event would be left.

    Examples
    --------
    Forty coins, and the best of them on 100 events of each kind:

    >>> rng = np.random.default_rng(1)
    >>> found = choose_by_truth(rng.random((40, 2000)), rng.random((40, 2000)), n_usual=100, n_unusual=100)
    >>> bool(found.seen.mean() > 0.57), bool(abs(found.fresh.mean() - 0.5) < 0.02)
    (True, True)
    """
    usual, unusual = np.asarray(usual, dtype=float), np.asarray(unusual, dtype=float)
    candidates = len(usual) if n_candidates is None else n_candidates
    if usual.ndim != 2 or unusual.ndim != 2 or len(usual) != len(unusual) or not 1 <= candidates <= len(usual):
        raise DataError(
            f"scores of shape {usual.shape} and {unusual.shape} are not those of the same {candidates} candidates or "
            "more."
        )
    for n, scores in ((n_usual, usual), (n_unusual, unusual)):
        if not 0 < n < scores.shape[1]:
            raise DataError(
                f"{n} of {scores.shape[1]} events cannot choose: both they and the rest must be some.",
                remedy="Give more events, or choose with fewer.",
            )
    rng = np.random.default_rng(random_state)
    found = []
    for _ in range(draws):
        tried = rng.choice(len(usual), size=candidates, replace=False)
        first, second = (rng.permutation(scores.shape[1]) for scores in (usual, unusual))
        seen = _auc(usual[np.ix_(tried, first[:n_usual])], unusual[np.ix_(tried, second[:n_unusual])])
        best = int(seen.argmax())
        row = slice(tried[best], tried[best] + 1)
        fresh = _auc(usual[row, first[n_usual:]], unusual[row, second[n_unusual:]])
        found.append((tried[best], seen[best], fresh[0]))
    candidate, seen, fresh = (np.array(column) for column in zip(*found, strict=True))
    return Chosen(candidate, seen, fresh)


def _auc(usual: np.ndarray, unusual: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each row; ties count one half."""
    n, m = usual.shape[1], unusual.shape[1]
    ranks = rankdata(np.concatenate([usual, unusual], axis=1), axis=1)
    return (ranks[:, n:].sum(axis=1) - m * (m + 1) / 2) / (n * m)

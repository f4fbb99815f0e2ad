"""Events in the order of their scores: what every curve and number about a score is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import DataError

__all__ = ["Ranked", "Tally", "rank"]


@dataclass(frozen=True)
class Tally:
    """What passes each threshold; the first entry is a threshold that nothing passes.

    Attributes
    ----------
    signal, background : ndarray, shape (..., n_thresholds + 1)
        Sum of the weights of the events with a score at the threshold or above.
    squares : ndarray, shape (..., n_thresholds + 1)
        Sum of the squared weights of the background.
    """

    signal: np.ndarray
    background: np.ndarray
    squares: np.ndarray

    @property
    def tpr(self) -> np.ndarray:
        """Signal efficiency."""
        return self.signal / self.signal[..., -1:]

    @property
    def fpr(self) -> np.ndarray:
        """Background efficiency."""
        return self.background / self.background[..., -1:]

    @property
    def effective(self) -> np.ndarray:
        """Effective number of background events, (sum w)**2 / sum w**2: its inverse root is their relative error."""
        return effective_number(self.background, self.squares)


def effective_number(total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Events of weight 1 with the same relative error; 0 where the weights add up to nothing, or to less."""
    counted = (squares > 0) & (total > 0)
    return np.where(counted, total, 0.0) ** 2 / np.where(counted, squares, 1.0)


@dataclass(frozen=True)
class Ranked:
    """Labels and weights, sorted once by falling score.

    Attributes
    ----------
    order : ndarray of int, shape (n_events,)
        Positions of the events by falling score.
    ends : ndarray of int, shape (n_thresholds,)
        Place of the last event of each group of equal scores: a threshold cannot cut through such a group.
    thresholds : ndarray, shape (n_thresholds,)
        The different scores, falling.
    signal : ndarray of bool, shape (n_events,)
        In this order.
    weights : ndarray, shape (n_events,)
        In this order.
    weighted : bool
        Whether weights were given.
    """

    order: np.ndarray
    ends: np.ndarray
    thresholds: np.ndarray
    signal: np.ndarray
    weights: np.ndarray
    weighted: bool

    @property
    def n_signal(self) -> int:
        """Signal events, without their weights."""
        return int(np.count_nonzero(self.signal))

    @property
    def n_background(self) -> int:
        """Background events, without their weights."""
        return len(self.signal) - self.n_signal

    def tally(self, counts: np.ndarray | None = None) -> Tally:
        """Sums above every threshold.

        Parameters
        ----------
        counts : ndarray, shape (..., n_events), optional
            How often each event is there, in the order in which the events were given.
        """
        weights = self.weights if counts is None else self.weights * counts[..., self.order]
        background = np.where(self.signal, 0.0, weights)
        above = self._above(background)
        squares = self._above(background * self.weights) if self.weighted else above
        return Tally(self._above(np.where(self.signal, weights, 0.0)), above, squares)

    def _above(self, values: np.ndarray) -> np.ndarray:
        sums = np.cumsum(values, axis=-1)
        if len(self.ends) < values.shape[-1]:
            sums = sums[..., self.ends]
        return np.concatenate([np.zeros((*sums.shape[:-1], 1)), sums], axis=-1)


def rank(labels: Any, scores: Any, weights: Any = None) -> Ranked:
    """Check and sort.

    Parameters
    ----------
    labels : array_like, shape (n_events,)
        0 or False for background, 1 or True for signal.
    scores : array_like, shape (n_events,)
        High means like signal; finite.
    weights : array_like, shape (n_events,), optional
        Finite; single ones may be negative, the sum of each class may not.

    Raises
    ------
    DataError
        If they are not as described, or one class has no event.
    """
    labels, scores = np.asarray(labels), _numbers(scores, "scores")
    if labels.shape != scores.shape:
        raise DataError(f"{scores.size} scores need {scores.size} labels, not an array of shape {labels.shape}.")
    signal = _signal(labels)
    given = weights is not None
    weights = _numbers(weights, "weights") if given else np.ones(len(scores))
    if weights.shape != scores.shape:
        raise DataError(f"{scores.size} scores need {scores.size} weights, not an array of shape {weights.shape}.")
    for name, total in {"signal": weights[signal].sum(), "background": weights[~signal].sum()}.items():
        if not total > 0:
            raise DataError(
                f"the weights of the {name} add up to {total:g}: no efficiency can be divided by that.",
                remedy="Use more events, or leave the weights out to see the raw numbers.",
            )
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    return Ranked(order, ends, falling[ends], signal[order], weights[order], given)


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the {name} are not numbers ({error}).") from error
    if array.ndim != 1 or not array.size:
        hint = "Take the column of the signal: [:, 1]." if array.ndim == 2 and array.shape[1] == 2 else None
        raise DataError(
            f"the {name} must be a list of numbers, one for each event, not an array of shape {array.shape}.",
            remedy=hint,
        )
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise DataError(
            f"{len(bad)} of the {name} are NaN or inf.",
            where=f"event {bad[0]}",
            remedy="Find out why these events have no value; dropping them changes every efficiency.",
        )
    return array


def _signal(labels: np.ndarray) -> np.ndarray:
    """Which events are signal."""
    found = np.unique(labels) if labels.dtype.kind in "biuf" else ["no numbers"]
    if not all(value in (0, 1) for value in found):
        raise DataError(
            f"labels must be 0 (background) and 1 (signal), not {', '.join(str(value) for value in found[:4])}.",
            remedy='Write for example (process == "wprime").astype(int).',
        )
    if len(found) < 2:
        raise DataError(
            f"all {labels.size} events are {'signal' if found[0] else 'background'}: there is nothing to tell apart.",
            remedy="Give events of both classes.",
        )
    return labels.astype(bool)

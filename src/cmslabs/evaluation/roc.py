"""The ROC curve of a score, the area under it, and the threshold that the Youden index chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.evaluation.ranked import Tally, rank

__all__ = ["RocCurve", "auc", "roc_curve", "youden_threshold"]


@dataclass(frozen=True)
class RocCurve:
    """Efficiencies at every threshold, from the one that nothing passes to the one that everything passes.

    Attributes
    ----------
    fpr, tpr : ndarray, shape (n_thresholds + 1,)
        Efficiency for background and for signal: the weighted share of events with a score at the threshold or above.
    thresholds : ndarray, shape (n_thresholds + 1,)
        Falling; the first is inf.
    passing_background : ndarray, shape (n_thresholds + 1,)
        Effective number of background events that pass, (sum w)**2 / sum w**2.
    n_background, n_signal : int
        Events, without their weights.
    """

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray
    passing_background: np.ndarray
    n_background: int
    n_signal: int


def roc_curve(labels: Any, scores: Any, weights: Any = None) -> RocCurve:
    """Signal efficiency against background efficiency.

    Events of the same score pass or fail together: between two thresholds the curve is a straight line, which is
    what drawing lots among them gives.

    Parameters
    ----------
    labels : array_like, shape (n_events,)
        0 for background, 1 for signal.
    scores : array_like, shape (n_events,)
        High means like signal.
    weights : array_like, shape (n_events,), optional
        Negative ones are allowed, as generators at next-to-leading order give them.  The curve is then not
        monotonic, and its area is still the weighted share of pairs in the right order.

    Raises
    ------
    DataError
        If one class has no event, a number is not finite, or the shapes differ.

    Examples
    --------
    >>> curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    >>> curve.fpr.tolist(), curve.tpr.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    ranked = rank(labels, scores, weights)
    tally = ranked.tally()
    thresholds = np.concatenate([[np.inf], ranked.thresholds])
    return RocCurve(tally.fpr, tally.tpr, thresholds, tally.effective, ranked.n_background, ranked.n_signal)


def auc(labels: Any, scores: Any, weights: Any = None) -> float:
    """Area under the ROC curve.

    It is the probability that a random signal event has a higher score than a random background event, where a tie
    counts one half (D. Bamber, J. Math. Psychol. 12 (1975) 387, doi:10.1016/0022-2496(75)90001-2).  Parameters and
    errors as in `roc_curve`.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return float(area(rank(labels, scores, weights).tally()))


def area(tally: Tally) -> np.ndarray:
    """Area under the curve(s) of a tally, by trapezoids: exact, ties included."""
    heights = tally.signal[..., 1:] + tally.signal[..., :-1]
    pairs = np.einsum("...i,...i->...", np.diff(tally.background), heights) / 2
    return pairs / (tally.signal[..., -1] * tally.background[..., -1])


def youden_threshold(labels: Any, scores: Any, weights: Any = None) -> float:
    """Threshold at which signal efficiency minus background efficiency is largest.

    (W. J. Youden, Cancer 3 (1950) 32.)  Events with a score at the threshold or above are called signal.  Choose it
    on validation events and count on test events: on the events that chose it, it looks too good.  It weighs both
    kinds of error alike, whatever the numbers of events are; a search for few signal events needs a much higher one.

    Parameters and errors as in `roc_curve`.

    Returns
    -------
    float
        One of the scores; among equally good ones the highest.

    Examples
    --------
    >>> youden_threshold([0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.5, 0.9])
    0.5
    """
    ranked = rank(labels, scores, weights)
    tally = ranked.tally()
    distance = (tally.tpr - tally.fpr)[1:]
    # Sums of the same weights in another order differ in their last digit.
    best = int(np.argmax(distance >= distance.max() - 1e-12))
    return float(ranked.thresholds[best])

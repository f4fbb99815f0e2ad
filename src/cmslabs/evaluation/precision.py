"""The precision-recall curve: how pure a selection is, and how that depends on how much signal there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import DataError
from cmslabs.evaluation.ranked import Ranked, Tally, rank

__all__ = ["PrCurve", "average_precision", "pr_curve"]


@dataclass(frozen=True)
class PrCurve:
    """Purity and efficiency at every threshold.

    Attributes
    ----------
    recall, precision : ndarray, shape (n_thresholds,)
        Signal efficiency, and the share of signal among what passes.
    thresholds : ndarray, shape (n_thresholds,)
        Falling.
    prevalence : float
        Share of signal among all events: the precision of a score that knows nothing.
    """

    recall: np.ndarray
    precision: np.ndarray
    thresholds: np.ndarray
    prevalence: float


def pr_curve(labels: Any, scores: Any, weights: Any = None) -> PrCurve:
    """Precision against recall.

    Unlike the ROC curve it depends on how much signal the sample holds: give weights that make it what you expect.

    Parameters
    ----------
    labels, scores, weights
        As in `cmslabs.evaluation.roc.roc_curve`, but no weight may be negative: a purity would leave 0 to 1.

    Raises
    ------
    DataError
        As `cmslabs.evaluation.roc.roc_curve`, and for a negative weight.

    Examples
    --------
    >>> curve = pr_curve([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    >>> curve.recall.tolist(), curve.precision.round(2).tolist(), curve.prevalence
    ([0.5, 1.0, 1.0], [1.0, 0.67, 0.5], 0.5)
    """
    ranked = rank_pure(labels, scores, weights)
    tally = ranked.tally()
    passing = (tally.signal + tally.background)[1:]
    counted = passing > 0
    precision = tally.signal[1:][counted] / passing[counted]
    prevalence = float(tally.signal[-1] / passing[-1])
    return PrCurve(tally.tpr[1:][counted], precision, ranked.thresholds[counted], prevalence)


def average_precision(labels: Any, scores: Any, weights: Any = None) -> float:
    """Precision averaged over the recall: the sum of its values times the steps of the recall.

    There is no interpolation, which would be too optimistic (J. Davis, M. Goadrich, ICML 2006 233,
    doi:10.1145/1143844.1143874).  Parameters and errors as in `pr_curve`.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8]), 3)
    0.833
    """
    return float(mean_precision(rank_pure(labels, scores, weights).tally()))


def mean_precision(tally: Tally) -> np.ndarray:
    """Average precision of the curve(s) of a tally."""
    passing = (tally.signal + tally.background)[..., 1:]
    precision = tally.signal[..., 1:] / np.where(passing > 0, passing, 1.0)
    return np.einsum("...i,...i->...", np.diff(tally.tpr), precision)


def rank_pure(labels: Any, scores: Any, weights: Any = None) -> Ranked:
    """As `rank`; negative weights are refused."""
    ranked = rank(labels, scores, weights)
    negative = int(np.count_nonzero(ranked.weights < 0))
    if negative:
        raise DataError(
            f"{negative} weights are negative: where they cancel, precision is no share of anything.",
            remedy="Use roc_curve or sic_curve, which allow them.",
        )
    return ranked

"""Numbers and curves that judge a score: all of them in one place.

`labels` are 0 for background and 1 for signal, a high score means like signal, `weights` are optional.
"""

from __future__ import annotations

from cmslabs.evaluation.bootstrap import Interval, bootstrap, paired_difference
from cmslabs.evaluation.precision import PrCurve, average_precision, pr_curve
from cmslabs.evaluation.roc import RocCurve, auc, roc_curve, youden_threshold
from cmslabs.evaluation.sic import SicCurve, max_sic, sic_at_rejection, sic_curve

__all__ = [
    "Interval",
    "PrCurve",
    "RocCurve",
    "SicCurve",
    "auc",
    "average_precision",
    "bootstrap",
    "max_sic",
    "paired_difference",
    "pr_curve",
    "roc_curve",
    "sic_at_rejection",
    "sic_curve",
    "youden_threshold",
]

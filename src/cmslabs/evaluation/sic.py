"""Significance improvement: by how much a cut on a score multiplies S / sqrt(B), and where that can be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.ranked import Ranked, Tally, effective_number, rank

__all__ = ["SicCurve", "max_sic", "sic_at_rejection", "sic_curve"]

#: A working point needs so many (effective) background events: their relative error is then 20 %.
FLOOR = 25


@dataclass(frozen=True)
class SicCurve:
    """Significance improvement at every threshold that enough background events pass.

    Attributes
    ----------
    tpr, fpr, sic : ndarray, shape (n,)
        Efficiencies for signal and background, and tpr / sqrt(fpr).
    thresholds : ndarray, shape (n,)
        Falling.
    passing_background : ndarray, shape (n,)
        Effective number of background events that pass.
    """

    tpr: np.ndarray
    fpr: np.ndarray
    sic: np.ndarray
    thresholds: np.ndarray
    passing_background: np.ndarray


def sic_curve(labels: Any, scores: Any, weights: Any = None, min_background: float = FLOOR) -> SicCurve:
    """Significance improvement eps_S / sqrt(eps_B) against the threshold.

    S / sqrt(B) of the selected events is that of all events times this number.  The curve was introduced by
    J. Gallicchio et al., arXiv:1010.3698.

    Parameters
    ----------
    labels, scores, weights
        As in `cmslabs.evaluation.roc.roc_curve`.
    min_background : float
        Thresholds that fewer background events pass are left out: the improvement divides by the root of their
        number, which a few events do not tell.  Weighted events count by their effective number,
        (sum w)**2 / sum w**2; 25 have a relative error of 20 %.

    Raises
    ------
    DataError
        As `cmslabs.evaluation.roc.roc_curve`, and if the whole sample has fewer background events than that.

    Examples
    --------
    >>> labels = [0] * 100 + [1] * 4
    >>> scores = [*range(100), 40, 80, 90, 99]
    >>> curve = sic_curve(labels, scores)
    >>> float(curve.fpr[0]), float(curve.tpr[0]), float(curve.sic[0])
    (0.25, 0.75, 1.5)
    """
    ranked = rank(labels, scores, weights)
    tally = ranked.tally()
    allowed = _allowed(tally, min_background, ranked)
    tpr, fpr = tally.tpr[allowed], tally.fpr[allowed]
    return SicCurve(tpr, fpr, tpr / np.sqrt(fpr), ranked.thresholds[allowed[1:]], tally.effective[allowed])


def max_sic(labels: Any, scores: Any, weights: Any = None, min_background: float = FLOOR) -> float:
    """Largest significance improvement of any threshold that enough background events pass.

    Never below 1: the threshold that all events pass gives 1.  As the largest of many numbers that fluctuate it lies
    above what the same threshold gives on other events, the more the fewer events pass.  Parameters and errors as
    in `sic_curve`.

    Examples
    --------
    >>> max_sic([0] * 100 + [1] * 4, [*range(100), 40, 80, 90, 99])
    1.5
    """
    ranked = rank(labels, scores, weights)
    tally = ranked.tally()
    _allowed(tally, min_background, ranked)
    return float(best_sic(tally, min_background))


def best_sic(tally: Tally, min_background: float = FLOOR) -> np.ndarray:
    """Largest improvement of the curve(s) of a tally; where all events pass counts always."""
    allowed = tally.effective >= min_background * (1 - 1e-9)
    allowed[..., -1] = True
    fpr = np.where(allowed, tally.fpr, 1.0)
    return np.where(allowed, tally.tpr / np.sqrt(fpr), 0.0).max(axis=-1)


def sic_at_rejection(
    labels: Any, scores: Any, rejection: float, weights: Any = None, min_background: float = FLOOR
) -> float:
    """Significance improvement where one of `rejection` background events passes.

    Parameters
    ----------
    labels, scores, weights
        As in `cmslabs.evaluation.roc.roc_curve`.
    rejection : float
        1 / eps_B, at least 1.
    min_background : float
        So many background events have to pass (weighted ones count by their effective number).

    Raises
    ------
    ConfigError
        If `rejection` is below 1.
    DataError
        As `cmslabs.evaluation.roc.roc_curve`, and where fewer background events pass; the message says how many
        events are needed.

    Examples
    --------
    >>> round(sic_at_rejection([0] * 100 + [1] * 4, [*range(100), 40, 80, 90, 99], rejection=4), 3)
    1.5
    >>> sic_at_rejection([0] * 100 + [1] * 4, [*range(100), 40, 80, 90, 99], rejection=1000)
    Traceback (most recent call last):
    ...
    cmslabs.errors.DataError: SIC at rejection 1000 needs N >= 25000 background events, so that 25 pass; ...
    """
    if not (np.isfinite(rejection) and rejection >= 1):
        raise ConfigError(f"a rejection is 1 / efficiency and at least 1, not {rejection!r}.")
    ranked = rank(labels, scores, weights)
    tally = ranked.tally()
    passing = effective_number(*(_at(tally, values, rejection) for values in (tally.background, tally.squares)))
    if passing < min_background * (1 - 1e-9):
        # Counted in events, and the same for unweighted ones: N / rejection pass.
        needed = ranked.n_background * min_background / passing if passing > 0 else min_background * rejection
        raise DataError(
            f"SIC at rejection {rejection:g} needs N >= {np.ceil(needed - 1e-6):.0f} background events, so that "
            f"{min_background:g} pass; of the {ranked.n_background} here {passing:.3g} do.",
            remedy="Use more events, or a lower rejection.",
        )
    return float(sic_rejecting(tally, rejection))


def sic_rejecting(tally: Tally, rejection: float, min_background: float = FLOOR) -> np.ndarray:
    """Improvement at a rejection for the curve(s) of a tally, whatever the number of events."""
    return _at(tally, tally.signal, rejection) / tally.signal[..., -1] * np.sqrt(rejection)


def _at(tally: Tally, values: np.ndarray, rejection: float) -> np.ndarray:
    """`values` where the background efficiency first reaches 1 / rejection; linear within events of equal score."""
    target = tally.background[..., -1:] / rejection
    beyond = tally.background > target * (1 + 1e-12)
    last = tally.background.shape[-1] - 1
    after = np.where(beyond.any(axis=-1, keepdims=True), beyond.argmax(axis=-1)[..., None], last)
    before = after - 1
    low, high = (np.take_along_axis(tally.background, at, axis=-1) for at in (before, after))
    share = np.where(high > low, (target - low) / np.where(high > low, high - low, 1.0), 1.0)
    first, second = (np.take_along_axis(values, at, axis=-1) for at in (before, after))
    return (first + share * (second - first))[..., 0]


def _allowed(tally: Tally, min_background: float, ranked: Ranked) -> np.ndarray:
    """Which thresholds enough background events pass; at least the one that all pass."""
    if not min_background > 0:
        raise ConfigError(f"the smallest number of background events must be above 0, not {min_background!r}.")
    allowed = tally.effective >= min_background * (1 - 1e-9)
    if not allowed[-1]:
        have = f"{ranked.n_background}" + (f" (effectively {tally.effective[-1]:.1f})" if ranked.weighted else "")
        raise DataError(
            f"a significance improvement needs N >= {min_background:g} background events, here are {have}.",
            remedy="Use more events.",
        )
    return allowed

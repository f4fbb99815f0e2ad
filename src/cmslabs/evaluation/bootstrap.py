"""How much a number about a score would fluctuate with other test events: the bootstrap, many resamplings at once."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.precision import average_precision, mean_precision, rank_pure
from cmslabs.evaluation.ranked import rank
from cmslabs.evaluation.roc import area, auc
from cmslabs.evaluation.sic import best_sic, max_sic, sic_at_rejection, sic_rejecting

__all__ = ["Interval", "bootstrap", "paired_difference"]

#: Statistics that are computed for many resamplings at once, from their sums above each threshold.
_AT_ONCE: dict[Callable, Callable] = {
    auc: area,
    average_precision: mean_precision,
    max_sic: best_sic,
    sic_at_rejection: sic_rejecting,
}
#: Where these numbers end, with any events.
_BOUNDS: dict[Callable, tuple[float, float]] = {
    auc: (0.0, 1.0),
    average_precision: (0.0, 1.0),
    max_sic: (1.0, np.inf),
    sic_at_rejection: (0.0, np.inf),
}
#: Numbers that are in memory at a time.
_LARGEST = 1 << 21
#: With fewer events of a class the resamplings are too much alike.
_FEWEST = 10


@dataclass(frozen=True)
class Interval:
    """A number and its interval; ``f"{interval:.3f}"`` writes both.

    Attributes
    ----------
    value : float
        From all events.
    low, high : float
        Ends of the interval.
    level : float
        How often such an interval should cover the number that infinitely many events would give.
    samples : ndarray, shape (n,)
        The number in each resampling.
    drawn : tuple
        What the resamplings were drawn from; two intervals with the same one can be compared in pairs.
    """

    value: float
    low: float
    high: float
    level: float = 0.68
    samples: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    drawn: tuple = field(default=(), repr=False, compare=False)

    def __format__(self, spec: str) -> str:
        spec = spec or ".3f"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        return format(self)


def bootstrap(
    statistic: Callable[..., float],
    labels: Any,
    scores: Any,
    weights: Any = None,
    n: int = 200,
    level: float = 0.68,
    random_state: int = 0,
    **options: Any,
) -> Interval:
    """Interval of a number that judges a score, from resampled test events.

    Events are drawn with replacement, background and signal each as many as there are, because the two are separate
    samples.  The ends are quantiles of the resamplings, shifted as J. Carpenter and J. Bithell (Statist. Med. 19
    (2000) 1141) describe for a biased number: reflected at the value.  This matters for `max_sic`: the largest of many
    noisy numbers is too large in the sample, and once more in every resampling.

    The interval knows the fluctuation of the *test* events only.  Training again with another seed, or on other
    events, changes the score itself: repeat the training for that.

    Parameters
    ----------
    statistic : callable
        `auc`, `average_precision`, `max_sic` or `sic_at_rejection`, which are computed for all resamplings at once; or
        any function of (labels, scores) that gives a number, with `weights` as a keyword where there are some.
    labels, scores, weights
        As in `cmslabs.evaluation.roc.roc_curve`.
    n : int
        Resamplings, at least 10.
    level : float
        Between 0 and 1.
    random_state : int
        Seed.  For the same labels the same seed draws the same events, whatever the score.
    **options
        For the statistic, for example ``rejection=1000``.

    Returns
    -------
    Interval

    Raises
    ------
    ConfigError
        If `n` or `level` is out of range.
    DataError
        As the statistic, and if a class has fewer than 10 events.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> labels = np.repeat([0, 1], [500, 100])
    >>> print(f"{bootstrap(auc, labels, rng.normal(labels), n=100):.2f}")
    0.74 [0.72, 0.77]
    """
    if n < 10 or not 0 < level < 1:
        raise ConfigError(
            f"{n} resamplings and a level of {level:g} give no interval.",
            remedy="Take at least 10 resamplings, and a level between 0 and 1.",
        )
    value = _apply(statistic, labels, scores, weights, options)
    ranked = (rank_pure if statistic is average_precision else rank)(labels, scores, weights)
    if min(ranked.n_signal, ranked.n_background) < _FEWEST:
        raise DataError(
            f"{ranked.n_background} background and {ranked.n_signal} signal events are too few for an interval.",
            remedy=f"It needs at least {_FEWEST} of each.",
        )
    signal = np.asarray(labels).astype(bool)
    chunks = _counts(signal, n, np.random.default_rng(random_state))
    if statistic in _AT_ONCE:
        samples = np.concatenate([_AT_ONCE[statistic](ranked.tally(counts), **options) for counts in chunks])
    else:
        samples = np.array([_once(statistic, one, labels, scores, weights, options) for many in chunks for one in many])
    low, high = _ends(value, samples, level, _BOUNDS.get(statistic, (-np.inf, np.inf)))
    return Interval(value, low, high, level, samples, (zlib.crc32(np.packbits(signal)), len(signal), n, random_state))


def paired_difference(first: Interval, second: Interval) -> Interval:
    """Interval of `first` - `second`, two scores of the same events.

    Both scores see the same resampled events, so that what they fluctuate in common drops out: two intervals that
    overlap do not mean that the scores are equally good.

    Raises
    ------
    ConfigError
        If the two do not belong to the same labels, seed, level and number of resamplings.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> labels = np.repeat([0, 1], [500, 100])
    >>> score = rng.normal(labels)
    >>> blurred = score + np.random.default_rng(2).normal(0, 0.5, 600)
    >>> good, worse = bootstrap(auc, labels, score), bootstrap(auc, labels, blurred)
    >>> good.low < worse.high, paired_difference(good, worse).low > 0
    (True, True)
    """
    if not first.drawn or first.drawn != second.drawn or first.level != second.level:
        raise ConfigError(
            "these intervals do not come from the same resampled events.",
            remedy="Call bootstrap for both with the same labels, n, level and random_state.",
        )
    value, samples = first.value - second.value, first.samples - second.samples
    return Interval(value, *_ends(value, samples, first.level), first.level, samples, first.drawn)


def _ends(value: float, samples: np.ndarray, level: float, bounds=(-np.inf, np.inf)) -> tuple[float, float]:
    """Quantiles of the resamplings, reflected at the value, and not beyond what the number can be."""
    high, low = 2 * value - np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    # A float's last digit must not leave the value outside of an interval without width.
    return float(min(max(low, bounds[0]), value)), float(max(min(high, bounds[1]), value))


def _counts(signal: np.ndarray, n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each event is drawn, shape (n_resamplings, n_events), so many resamplings at a time as fit."""
    classes = [np.flatnonzero(signal == kind) for kind in (False, True)]
    step = max(1, _LARGEST // len(signal))
    for start in range(0, n, step):
        counts = np.empty((min(step, n - start), len(signal)))
        for row in counts:  # One after the other: the draws do not depend on how many fit.
            for events in classes:
                row[events] = np.bincount(rng.integers(0, len(events), len(events)), minlength=len(events))
        yield counts


def _once(statistic: Callable, counts: np.ndarray, labels, scores, weights, options) -> float:
    """The number for one resampling, from repeated events."""
    events = np.repeat(np.arange(len(counts)), counts.astype(int))
    weights = None if weights is None else np.asarray(weights)[events]
    return _apply(statistic, np.asarray(labels)[events], np.asarray(scores)[events], weights, options)


def _apply(statistic: Callable, labels, scores, weights, options) -> float:
    given = {} if weights is None else {"weights": weights}
    return float(statistic(labels, scores, **given, **options))

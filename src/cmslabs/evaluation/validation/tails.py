"""Tails: thresholds from validation events, and whether the test events know of them (row "tails")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaln

from cmslabs.errors import ConfigError
from cmslabs.evaluation.validation.common import (
    Train,
    checked_scores,
    plain,
    score_with,
    tail_size,
)

__all__ = ["FRACTIONS", "LEAST", "Tail", "Tails", "count_law", "count_p", "find_tails", "tail_study"]

#: The shares of events that a search calls its tail.
FRACTIONS = (0.01, 0.001, 0.0001)
#: With fewer events in a tail nothing about it is known.
LEAST = 50


@dataclass(frozen=True)
class Tail:
    """One tail.

    Attributes
    ----------
    fraction : float
        The share that was asked for.
    threshold : float or None
        An event is in the tail if its score is this or more; None if the tail was refused.
    n_validation, n_test : int
        Events in it.
    expected : float
        Events that the test part should have in it, if its events are like those of validation.
    p_value : float or None
        Of a count that is as far from `expected` as `n_test`, or farther, on either side.
    refused : str or None
        Why this tail cannot be used: it "needs N >= ..." events.
    """

    fraction: float
    threshold: float | None
    n_validation: int
    n_test: int
    expected: float
    p_value: float | None
    refused: str | None = None


@dataclass(frozen=True)
class Tails:
    """Result of `find_tails` and `tail_study`.

    Attributes
    ----------
    tails : tuple of Tail
        One for each fraction.
    n_validation, n_test : int
        All events of the two parts.
    least : int
        Events that a tail must have in both parts.
    alpha : float
        Probability of a false alarm.
    """

    tails: tuple[Tail, ...]
    n_validation: int
    n_test: int
    least: int
    alpha: float

    @property
    def usable(self) -> tuple[Tail, ...]:
        """Those that were not refused."""
        return tuple(tail for tail in self.tails if tail.refused is None)

    @property
    def p_value(self) -> float | None:
        """Smallest p-value times the number of usable tails (Bonferroni); None without a usable tail."""
        p = [tail.p_value for tail in self.usable]
        return min(1.0, min(p) * len(p)) if p else None

    @property
    def verdict(self) -> str:
        """ "steady", "drifted" (the test part has another share beyond a threshold), or "too few events"."""
        if self.p_value is None:
            return "too few events"
        return "drifted" if self.p_value <= self.alpha else "steady"

    @property
    def alarm(self) -> bool:
        """Whether something is wrong with what was claimed."""
        return self.verdict == "drifted"

    @property
    def table(self) -> pd.DataFrame:
        """One row per tail, with the attributes of `Tail`."""
        return pd.DataFrame([vars(tail) for tail in self.tails])

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON."""
        facts = {
            name: getattr(self, name) for name in ("verdict", "p_value", "alpha", "n_validation", "n_test", "least")
        }
        return plain({"study": "tails", **facts, "tails": [vars(tail) for tail in self.tails]})


def count_p(observed: int, n_test: int, k: int, n_validation: int) -> tuple[float, float]:
    """How often another sample has as many events beyond the k-th largest score of a first one.

    The share of all events beyond the k-th largest of n scores is distributed as Beta(k, n - k + 1), whatever the
    scores are; so the count among m further events is beta-binomial.  Poisson or binomial errors around k m / n are
    too small: they forget that the threshold itself was found with k events.  (H. A. David, H. N. Nagaraja, *Order
    Statistics*, doi:10.1002/0471722162.)

    Parameters
    ----------
    observed : int
        Test events at the threshold or above.
    n_test : int
    k : int
        Validation events at the threshold or above.
    n_validation : int

    Returns
    -------
    few, many : float
        Probabilities of `observed` or fewer, and of `observed` or more.

    Examples
    --------
    >>> few, many = count_p(75, 6000, 60, 6000)
    >>> from scipy.stats import poisson
    >>> round(many, 3), round(float(poisson.sf(74, 60)), 3)
    (0.096, 0.034)
    """
    law = count_law(n_test, k, n_validation)
    return float(min(law[: observed + 1].sum(), 1.0)), float(min(law[observed:].sum(), 1.0))


def count_law(n_test: int, k: int, n_validation: int) -> np.ndarray:
    """Probabilities of 0, 1, ... n_test test events beyond the k-th largest of n_validation scores: see `count_p`."""
    j = np.arange(n_test + 1)
    left = n_validation - k
    ways = gammaln(j + k) - gammaln(j + 1) - gammaln(k) + gammaln(n_test - j + left + 1)
    ways -= gammaln(n_test - j + 1) + gammaln(left + 1)
    everything = gammaln(n_validation + n_test + 1) - gammaln(n_test + 1) - gammaln(n_validation + 1)
    return np.exp(ways - everything)


def find_tails(
    validation: Any,
    test: Any,
    *,
    fractions: Sequence[float] = FRACTIONS,
    least: int = LEAST,
    alpha: float = 0.05,
) -> Tails:
    """Set thresholds on validation events, and count test events beyond them.

    Parameters
    ----------
    validation, test : array_like, shape (n,)
        Scores of two parts of the events that the score was not trained on.
    fractions : sequence of float
        Shares of the validation events that lie beyond the thresholds.
    least : int
        A tail with fewer events, in validation or in test, is refused.
    alpha : float
        Probability with which events without any difference give the verdict "drifted", at most.

    Returns
    -------
    Tails

    Raises
    ------
    DataError
        If the scores are no finite numbers.
    ConfigError
        If a fraction, `least` or `alpha` is out of range.

    Notes
    -----
    The p-values are exact for scores without ties.  Equal scores at a threshold are all in the tail, or none is: then
    counts may be off by about one event.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = find_tails(rng.normal(size=6000), rng.normal(size=6000))
    >>> found.verdict
    'steady'
    >>> found.table[["fraction", "n_validation", "n_test"]].to_dict("records")[0]
    {'fraction': 0.01, 'n_validation': 60, 'n_test': 42}
    >>> found.tails[2].refused
    'a tail of 0.01 % needs N >= 500000 events in validation and in test, not 6000 and 6000.'
    """
    validation, test = checked_scores(validation), checked_scores(test)
    if least < 1 or not 0 < alpha < 1:
        raise ConfigError(f"least = {least!r} and alpha = {alpha!r} are no number of events and no probability.")
    if not len(fractions):
        raise ConfigError("there is no fraction.", remedy="Give some, such as 0.01 for 1 %.")
    falling = np.sort(validation)[::-1]
    tails = tuple(_tail(fraction, falling, test, least) for fraction in fractions)
    return Tails(tails, len(validation), len(test), least, alpha)


def _tail(fraction: float, falling: np.ndarray, test: np.ndarray, least: int) -> Tail:
    n, m = len(falling), len(test)
    k = tail_size(fraction, n)
    expected = fraction * m
    if min(k, tail_size(fraction, m)) < least:
        needed = int(np.ceil(least / fraction - 1e-9))
        words = f"a tail of {100 * fraction:g} % needs N >= {needed} events in validation and in test, not {n} and {m}."
        return Tail(fraction, None, k, 0, expected, None, words)
    threshold = float(falling[k - 1])
    k = int((falling >= threshold).sum())  # All equal scores.
    found = int((test >= threshold).sum())
    p = min(1.0, 2 * min(count_p(found, m, k, n)))
    return Tail(fraction, threshold, k, found, m * k / (n + 1), p)


def tail_study(train: Train, X_train: Any, X_validation: Any, X_test: Any, *, seed: int = 0, **options: Any) -> Tails:
    """Train on one part, set thresholds on a second, count in a third.

    Parameters
    ----------
    train : callable
        ``train(X, seed) -> scorer``.
    X_train, X_validation, X_test : DataFrame or ndarray, shape (n_events, n_features)
    seed : int
    **options
        As in `find_tails`, which also names the errors.

    Returns
    -------
    Tails

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> parts = [rng.normal(size=(6000, 2)) for _ in range(3)]
    >>> tail_study(lambda X, seed: lambda Y: ((Y - X.mean(axis=0)) ** 2).sum(axis=1), *parts).verdict
    'steady'
    """
    scorer = train(X_train, seed)
    return find_tails(score_with(scorer, X_validation), score_with(scorer, X_test), **options)

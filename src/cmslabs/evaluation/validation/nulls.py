"""False alarms on background: the same count above a threshold, again and again, where there is nothing to find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from cmslabs.errors import ConfigError
from cmslabs.evaluation.validation.common import Train, rate_interval, score_with, tail_size, take
from cmslabs.evaluation.validation.tails import count_law, count_p

__all__ = ["LEAST_NULLS", "FalseAlarms", "Nulls", "run_nulls"]

#: A claim about false alarms rests on at least so many nulls.
LEAST_NULLS = 200
#: An honest score is called dishonest at most so often: certificates come in dozens.
_DOUBT = 0.01


@dataclass(frozen=True)
class FalseAlarms:
    """How often a count above a threshold was called an excess.

    Attributes
    ----------
    alarms, n_nulls : int
    claimed : float
        Probability that was promised: alpha, or less because counts are whole numbers.
    low, high : float
        95 % interval of the rate (Clopper-Pearson).
    """

    alarms: int
    n_nulls: int
    claimed: float
    low: float
    high: float

    @classmethod
    def of(cls, alarms: int, n_nulls: int, claimed: float) -> FalseAlarms:
        """With the interval of the rate."""
        return cls(int(alarms), int(n_nulls), float(claimed), *rate_interval(alarms, n_nulls))

    @property
    def rate(self) -> float:
        """Alarms per null."""
        return self.alarms / self.n_nulls

    @property
    def honest(self) -> bool:
        """Whether so many alarms, or more, come with a probability above 1 % at the rate that was promised."""
        return bool(stats.binom.sf(self.alarms - 1, self.n_nulls, self.claimed) > _DOUBT)


@dataclass(frozen=True)
class Nulls:
    """Result of `run_nulls`.

    Attributes
    ----------
    held_out : FalseAlarms
        Thresholds from validation events.
    in_sample : FalseAlarms
        Thresholds from the events that the score was trained on: honest only for a score that has not learnt them.
    validation, test : tuple of ndarray
        Scores of all validation and all test events, one array per training.
    rows : tuple of ndarray of int
        Which events the test scores belong to.
    fraction : float
        Share beyond the threshold.
    n_train, n_null : int
        Events of a training, and of a null (validation and test part each).
    """

    held_out: FalseAlarms
    in_sample: FalseAlarms
    validation: tuple[np.ndarray, ...] = field(repr=False)
    test: tuple[np.ndarray, ...] = field(repr=False)
    rows: tuple[np.ndarray, ...] = field(repr=False)
    fraction: float
    n_train: int
    n_null: int


def run_nulls(
    train: Train,
    X: Any,
    *,
    n_trainings: int = 10,
    n_null: int = 250,
    fraction: float = 0.1,
    alpha: float = 0.05,
    seed: int = 0,
) -> Nulls:
    """Cut background into many small searches, each with its own validation and test events.

    Parameters
    ----------
    train : callable
        ``train(X, seed) -> scorer``.
    X : DataFrame or ndarray, shape (n_events, n_features)
        Background only.
    n_trainings : int
        Each trains on another random half of X, with another seed.
    n_null : int
        Events of a null's validation part, and of its test part.
    fraction : float
        Of the validation events lie beyond the threshold.
    alpha : float
        An excess with this p-value or less is an alarm.
    seed : int

    Returns
    -------
    Nulls

    Raises
    ------
    ConfigError
        If there would be fewer than 200 nulls, or too few events beyond a threshold.

    Notes
    -----
    The nulls of one training share no event and no threshold: given the score they are independent.  Those of another
    training are cut from the same events in another way.
    """
    n, k = len(X), tail_size(fraction, n_null)
    per_training = (n - n // 2) // (2 * n_null) if n_null > 0 else 0
    if k < 5:
        raise ConfigError(
            f"{k} validation events would set the threshold of a null.", remedy="Raise fraction, or n_null."
        )
    if n_trainings * per_training < LEAST_NULLS:
        raise ConfigError(
            f"{n} events give {n_trainings} x {per_training} nulls: a claim rests on {LEAST_NULLS} or more.",
            remedy="Give more background events, more trainings, or smaller nulls.",
        )
    alarms = np.zeros(2, dtype=int)
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for number in range(n_trainings):
        order = np.random.default_rng((seed, number)).permutation(n)
        learnt = np.sort(order[: n // 2])
        scorer = train(take(X, learnt), seed + number)
        falling = np.sort(score_with(scorer, take(X, learnt)))[::-1]
        parts = order[n // 2 :][: 2 * n_null * per_training].reshape(per_training, 2, n_null)
        found = []
        for validation, test in parts:
            # Each part is scored on its own: a score that depends on what stands beside an event shows here.
            pair = score_with(scorer, take(X, validation)), score_with(scorer, take(X, test))
            alarms += (
                _excess(np.sort(pair[0])[::-1], pair[1], fraction, alpha),
                _excess(falling, pair[1], fraction, alpha),
            )
            found.append(pair)
        scores = [np.concatenate(column) for column in zip(*found, strict=True)]
        kept.append((scores[0], scores[1], parts[:, 1].ravel()))
    total = n_trainings * per_training
    claims = [_attained(alpha, n_null, tail_size(fraction, size), size) for size in (n_null, n // 2)]
    held_out, in_sample = (FalseAlarms.of(one, total, claim) for one, claim in zip(alarms, claims, strict=True))
    validation, test, rows = (tuple(column) for column in zip(*kept, strict=True))
    return Nulls(held_out, in_sample, validation, test, rows, fraction, n // 2, n_null)


def _excess(falling: np.ndarray, test: np.ndarray, fraction: float, alpha: float) -> bool:
    """Whether too many test events lie beyond the threshold that a share of `falling` sets."""
    threshold = falling[tail_size(fraction, len(falling)) - 1]
    k = int(np.searchsorted(-falling, -threshold, side="right"))
    return count_p(int((test >= threshold).sum()), len(test), k, len(falling))[1] <= alpha


def _attained(alpha: float, n_test: int, k: int, n: int) -> float:
    """Probability of a p-value of `alpha` or less, for counts that are whole numbers."""
    tails = np.cumsum(count_law(n_test, k, n)[::-1])
    return float(tails[tails <= alpha].max(initial=0.0))

"""Would another training have found the same tail?  And another sample?  The two are kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.common import (
    Train,
    checked_scores,
    largest,
    permutation_p,
    plain,
    score_with,
    tail_size,
    take,
)
from cmslabs.evaluation.validation.overlap import (
    chance_jaccard,
    chance_overlaps,
    jackknife,
    pairwise_jaccard,
    pairwise_spearman,
    upper_pairs,
)

__all__ = ["Agreement", "Stability", "agreement", "find_stability", "stability_study"]

#: With fewer trainings a spread is a guess.
_LEAST_TRAININGS = 5


@dataclass(frozen=True)
class Agreement:
    """How much the scores of several trainings agree on the same test events.

    Attributes
    ----------
    spearman, jaccard : ndarray, shape (n_pairs,)
        Rank correlation, and overlap of the tails, of each pair.
    mean_jaccard, jaccard_low, jaccard_high : float
        With a 95 % interval over trainings.
    chance_p : float
        Of as much overlap, or more, among tails that know nothing of each other.
    variance : float
        Of an event's rank (from 0 to 1) over trainings, averaged over events.  Ranks at random have 1 / 12.
    tail_variance : float
        The same for the events that are in a tail at least once.
    """

    spearman: np.ndarray
    jaccard: np.ndarray
    mean_jaccard: float
    jaccard_low: float
    jaccard_high: float
    chance_p: float
    variance: float
    tail_variance: float

    @property
    def mean_spearman(self) -> float:
        """Mean over pairs."""
        return float(self.spearman.mean())


@dataclass(frozen=True)
class Stability:
    """Result of `find_stability` and `stability_study`.

    Attributes
    ----------
    training : Agreement
        Same events, other seeds.
    sampling : Agreement or None
        Same seed, other events of the same kind (drawn with replacement).
    reference : Agreement or None
        Other events, and a score without training: what agreement costs nothing?
    with_reference : float or None
        Mean Jaccard index of the trained tails with the one of the score without training.
    fraction : float
    n_tail, n_events, n_trainings : int
    chance : float
        Jaccard index of two tails at random, f / (2 - f).
    least : float
        Jaccard index that was asked for.
    alpha : float
    """

    training: Agreement
    sampling: Agreement | None
    reference: Agreement | None
    with_reference: float | None
    fraction: float
    n_tail: int
    n_events: int
    n_trainings: int
    chance: float
    least: float
    alpha: float

    @property
    def p_value(self) -> float:
        """Of the overlap between seeds, among tails at random."""
        return self.training.chance_p

    @property
    def verdict(self) -> str:
        """ "chance" (no more overlap than tails at random), "unstable", "stable", or "undecided".

        Stable and unstable: the whole interval of the Jaccard index over seeds lies above, or below, `least`.
        """
        if self.training.chance_p > self.alpha:
            return "chance"
        if self.training.jaccard_low >= self.least:
            return "stable"
        return "unstable" if self.training.jaccard_high < self.least else "undecided"

    @property
    def alarm(self) -> bool:
        """Whether another seed would give another tail."""
        return self.verdict in ("chance", "unstable")

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON."""
        names = ("fraction", "n_tail", "n_events", "n_trainings", "chance", "least", "with_reference")
        facts = {name: getattr(self, name) for name in ("verdict", "p_value", "alpha", *names)}
        parts = {name: getattr(self, name) for name in ("training", "sampling", "reference")}
        described = {
            name: None if one is None else {**vars(one), "mean_spearman": one.mean_spearman}
            for name, one in parts.items()
        }
        return plain({"study": "stability", **facts, **described})


def agreement(scores: Any, fraction: float = 0.01) -> Agreement:
    """Compare the scores of several trainings.

    Parameters
    ----------
    scores : array_like, shape (n_trainings, n_events)
        At least three trainings, on the same test events.
    fraction : float
        Share of the events in a tail.

    Returns
    -------
    Agreement

    Raises
    ------
    DataError
        If they are not that, or the tail is empty.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.normal(size=5000)
    >>> found = agreement(truth + 0.1 * rng.normal(size=(5, 5000)))
    >>> round(found.mean_spearman, 2), round(found.mean_jaccard, 2), found.chance_p
    (0.99, 0.77, 0.0001)
    """
    scores = np.array([checked_scores(row) for row in scores])
    if len(scores) < 3:
        raise DataError(f"{len(scores)} trainings show no spread.", remedy=f"Give {_LEAST_TRAININGS} or more.")
    n_events = scores.shape[1]
    k = tail_size(fraction, n_events)
    if k < 1:
        raise DataError(f"the top {100 * fraction:g} % of {n_events} events is empty.", remedy="Use more events.")
    masks = _tails(scores, k)
    jaccard = pairwise_jaccard(masks)
    shared = masks.sum(axis=0)
    pairs = len(scores) * (len(scores) - 1) / 2
    overlap = float((shared * (shared - 1) // 2).sum() / pairs)
    ranks = (stats.rankdata(scores, axis=1) - 0.5) / n_events
    variance = ranks.var(axis=0, ddof=1)
    mean, low, high = jackknife(jaccard)
    return Agreement(
        spearman=upper_pairs(pairwise_spearman(scores)),
        jaccard=upper_pairs(jaccard),
        mean_jaccard=mean,
        jaccard_low=max(low, 0.0),
        jaccard_high=min(high, 1.0),
        chance_p=permutation_p(overlap, chance_overlaps(n_events, k, len(scores))),
        variance=float(variance.mean()),
        tail_variance=float(variance[shared > 0].mean()),
    )


def find_stability(
    scores: Any,
    *,
    sampled: Any = None,
    reference: Any = None,
    fraction: float = 0.01,
    least: float = 0.5,
    alpha: float = 0.05,
) -> Stability:
    """Judge scores that exist already.

    Parameters
    ----------
    scores : array_like, shape (n_trainings, n_events)
        Of one test sample, from trainings that differ in their seeds only; at least 5.
    sampled : array_like, shape (n_samples, n_events), optional
        From trainings on other events, with one seed.
    reference : array_like, shape (n_samples, n_events), optional
        The same of a score that is not trained, or hardly; a single row is only compared with `scores`.
    fraction : float
        Share of the events in a tail.
    least : float
        Jaccard index that a stable score has at least.
    alpha : float
        Probability with which tails at random are not called chance.

    Returns
    -------
    Stability

    Raises
    ------
    ConfigError
        If there are fewer than 5 trainings, or a setting is out of range.
    DataError
        If the scores do not belong together.
    """
    if len(scores) < _LEAST_TRAININGS:
        raise ConfigError(
            f"{len(scores)} trainings are too few to speak of stability.", remedy=f"Train {_LEAST_TRAININGS} or more."
        )
    if not 0 < least <= 1 or not 0 < alpha < 1:
        raise ConfigError(f"least = {least!r} is no Jaccard index, or alpha = {alpha!r} no probability.")
    given = {"scores": scores, "sampled": sampled, "reference": reference}
    arrays = {
        name: None if rows is None else np.array([checked_scores(row, len(scores[0]), name) for row in rows])
        for name, rows in given.items()
    }
    scores = arrays["scores"]
    k = tail_size(fraction, scores.shape[1])
    if arrays["reference"] is not None and len(arrays["reference"]) == 1:
        arrays["reference"], only = None, arrays["reference"]
    else:
        only = arrays["reference"]
    parts = {name: None if rows is None else agreement(rows, fraction) for name, rows in arrays.items()}
    with_reference = None
    if only is not None:
        masks = _tails([only[0], *scores], k)
        with_reference = float(pairwise_jaccard(masks)[0, 1:].mean())
    return Stability(
        training=parts["scores"],
        sampling=parts["sampled"],
        reference=parts["reference"],
        with_reference=with_reference,
        fraction=fraction,
        n_tail=k,
        n_events=scores.shape[1],
        n_trainings=len(scores),
        chance=chance_jaccard(fraction),
        least=least,
        alpha=alpha,
    )


def stability_study(
    train: Train,
    X_train: Any,
    X_test: Any,
    *,
    reference: Train | None = None,
    n_trainings: int = 5,
    n_samples: int = 5,
    seed: int = 0,
    **options: Any,
) -> Stability:
    """Train with several seeds on the same events, and with one seed on several samples; compare the tails.

    Parameters
    ----------
    train : callable
        ``train(X, seed) -> scorer``.
    X_train, X_test : DataFrame or ndarray, shape (n_events, n_features)
    reference : callable, optional
        As `train`, for a score without training, such as the norm of the standardised event.
    n_trainings : int
        Seeds, at least 5.
    n_samples : int
        Samples, drawn from X_train with replacement, at least 3; 0 leaves this part out.
    seed : int
        The first of the seeds, and the one of all samples.
    **options
        As in `find_stability`, which also names the errors.

    Returns
    -------
    Stability

    Notes
    -----
    A training that is chaotic changes with the events even if its seed stays: `sampling` holds that, too, and is an
    upper limit of what the sample alone does.
    """
    if n_trainings < _LEAST_TRAININGS:
        raise ConfigError(
            f"{n_trainings} trainings are too few to speak of stability.", remedy=f"Train {_LEAST_TRAININGS} or more."
        )
    if n_samples in (1, 2):
        raise ConfigError(f"{n_samples} samples show no spread.", remedy="Draw 3 or more, or none.")
    scores = [score_with(train(X_train, seed + number), X_test) for number in range(n_trainings)]
    rng = np.random.default_rng(seed)
    samples = [rng.integers(0, len(X_train), len(X_train)) for _ in range(n_samples)]
    sampled = [score_with(train(take(X_train, rows), seed), X_test) for rows in samples]
    untrained = None
    if reference is not None:
        parts = [X_train] if not samples else [take(X_train, rows) for rows in samples]
        untrained = [score_with(reference(part, seed), X_test) for part in parts]
    return find_stability(scores, sampled=sampled or None, reference=untrained, **options)


def _tails(scores: Any, k: int) -> np.ndarray:
    """Masks of the tails; equal scores are drawn at random, or all trainings would agree on those that stand first."""
    rng = np.random.default_rng(k)
    return np.array([largest(row, k, rng) for row in scores])

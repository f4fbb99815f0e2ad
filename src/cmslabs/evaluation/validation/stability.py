"""Would another training have found the same tail?  And another sample?  The two are kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError
from cmslabs.evaluation.validation.agreement import Agreement, agreement, tail_masks
from cmslabs.evaluation.validation.common import Train, checked_scores, plain, score_with, tail_size, take
from cmslabs.evaluation.validation.overlap import chance_jaccard, pairwise_jaccard

__all__ = ["Stability", "find_stability", "stability_study"]

#: With fewer trainings a spread is a guess.
_LEAST_TRAININGS = 5


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
    with_reference = None
    if reference is not None:
        masks = tail_masks([arrays["reference"][0], *scores], k)
        with_reference = float(pairwise_jaccard(masks)[0, 1:].mean())
        if len(reference) == 1:
            arrays["reference"] = None
    parts = {name: None if rows is None else agreement(rows, fraction) for name, rows in arrays.items()}
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

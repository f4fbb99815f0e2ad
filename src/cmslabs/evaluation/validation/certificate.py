"""The null certificate: what an estimator does where there is nothing to find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import DataError
from cmslabs.evaluation.validation.certificate_page import certificate_markdown
from cmslabs.evaluation.validation.common import checked_scores, plain, take
from cmslabs.evaluation.validation.nulls import Nulls, run_nulls
from cmslabs.evaluation.validation.sculpting import Sculpting, find_sculpting
from cmslabs.evaluation.validation.stability import Stability, stability_study
from cmslabs.evaluation.validation.tails import FRACTIONS, Tails, find_tails
from cmslabs.evaluation.validation.trainer import norm_trainer, trainer

__all__ = ["Certificate", "null_certificate"]


@dataclass(frozen=True)
class Certificate:
    """Result of `null_certificate`.

    Attributes
    ----------
    name : str
        Of the estimator.
    nulls : Nulls
        False alarms with thresholds from validation events, and from training events.
    sculpting : tuple of Sculpting
        One for each training, on its test events.
    tails : tuple of Tails
        One for each training.
    stability : Stability
        Of seeds, and of samples.
    n_events : int
        Background events that it was made with.
    alpha : float
        Probability of a false alarm in each part.
    simulation : bool
        Whether the events are simulated.
    """

    name: str
    nulls: Nulls = field(repr=False)
    sculpting: tuple[Sculpting, ...] = field(repr=False)
    tails: tuple[Tails, ...] = field(repr=False)
    stability: Stability = field(repr=False)
    n_events: int
    alpha: float
    simulation: bool

    @property
    def verdicts(self) -> dict[str, str]:
        """One word or two for each part.

        ``false alarms``: "honest" or "too many".  ``in sample``: "honest" or "overfitted".  ``sculpting``: "flat" or
        "sculpted"; ``tails``: "steady", "drifted" or "too few events"; both are those of the median p-value over
        trainings.  ``seeds``: as `cmslabs.evaluation.validation.stability.Stability.verdict`.
        """
        return {
            "false alarms": "honest" if self.nulls.held_out.honest else "too many",
            "in sample": "honest" if self.nulls.in_sample.honest else "overfitted",
            "sculpting": "sculpted" if self.sculpting_p <= self.alpha else "flat",
            "tails": self._tail_verdict(),
            "seeds": self.stability.verdict,
        }

    @property
    def sculpting_p(self) -> float:
        """Median over trainings: they judge overlapping events, so that their p-values must not be multiplied."""
        return float(np.median([one.p_value for one in self.sculpting]))

    @property
    def tails_p(self) -> float | None:
        """Median over trainings; None if no tail can be used."""
        p = [one.p_value for one in self.tails if one.p_value is not None]
        return float(np.median(p)) if p else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The parts with a verdict that a user must know of."""
        bad = {"too many", "overfitted", "sculpted", "drifted", "chance", "unstable"}
        return tuple(part for part, verdict in self.verdicts.items() if verdict in bad)

    @property
    def verdict(self) -> str:
        """ "clean", or "warnings: ..." with the parts' names."""
        return f"warnings: {', '.join(self.warnings)}" if self.warnings else "clean"

    @property
    def table(self) -> pd.DataFrame:
        """One row per number: ``check``, ``number``, ``value``, ``low``, ``high``, ``claim``, ``verdict``."""
        verdicts, seeds = self.verdicts, self.stability
        sculpting_p = _range([one.p_value for one in self.sculpting])
        rows = [
            ("false alarms", "rate, thresholds from validation", *_rate(self.nulls.held_out), verdicts["false alarms"]),
            ("in sample", "rate, thresholds from training", *_rate(self.nulls.in_sample), verdicts["in sample"]),
            ("sculpting", "Spearman(score, mass)", *_range([one.spearman for one in self.sculpting]), 0.0, ""),
            ("sculpting", "p-value", *sculpting_p, self.alpha, verdicts["sculpting"]),
            *self._shape_rows(),
            *self._tail_rows(verdicts["tails"]),
            *_agreement_rows("seeds", seeds.training, seeds.chance, seeds.verdict),
        ]
        if seeds.sampling is not None:
            rows += _agreement_rows("samples", seeds.sampling, seeds.chance, "")
        if seeds.reference is not None:
            rows += _agreement_rows("samples, no training", seeds.reference, seeds.chance, "")
        return pd.DataFrame(rows, columns=["check", "number", "value", "low", "high", "claim", "verdict"])

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON."""
        alarms = {
            name: {**vars(one), "rate": one.rate, "honest": one.honest}
            for name, one in (("held_out", self.nulls.held_out), ("in_sample", self.nulls.in_sample))
        }
        facts = {
            name: getattr(self, name) for name in ("name", "verdict", "verdicts", "n_events", "alpha", "simulation")
        }
        sizes = {"fraction": self.nulls.fraction, "n_train": self.nulls.n_train, "n_null": self.nulls.n_null}
        parts = {
            "sculpting": {
                "p_value": [one.p_value for one in self.sculpting],
                "spearman": [one.spearman for one in self.sculpting],
                "tail_spearman": [one.tail_spearman for one in self.sculpting],
                "cuts": [
                    [{"fraction": cut.fraction, "js": cut.js, "js_null": cut.js_null} for cut in one.cuts]
                    for one in self.sculpting
                ],
            },
            "tails": [one.to_dict() for one in self.tails],
            "stability": self.stability.to_dict(),
            "table": self.table.to_dict("records"),
        }
        return plain({"study": "certificate", **facts, **sizes, "false_alarms": alarms, **parts})

    def to_markdown(self) -> str:
        """The certificate as a page."""
        return certificate_markdown(self)

    def _tail_verdict(self) -> str:
        if self.tails_p is None:
            return "too few events"
        return "drifted" if self.tails_p <= self.alpha else "steady"

    def _shape_rows(self) -> list[tuple]:
        """How far the shapes of passing and failing events are apart, and how far permuted ones are."""
        rows = []
        for cuts in zip(*(one.cuts for one in self.sculpting), strict=False):
            name = f"divergence of shapes at {100 * cuts[0].fraction:g} % [bit]"
            null = float(np.median([cut.js_null for cut in cuts]))
            rows.append(("sculpting", name, *_range([cut.js for cut in cuts]), null, ""))
        return rows

    def _tail_rows(self, verdict: str) -> list[tuple]:
        """Events in each tail over the expected ones, all trainings together."""
        rows = []
        for number, first in enumerate(self.tails[0].tails):
            some = [one.tails[number] for one in self.tails]
            name = f"events in the {100 * first.fraction:g} % tail, expected {first.expected:.1f}"
            if first.refused:
                rows.append(("tails", name, None, None, None, None, "too few events"))
            else:
                ratio = [tail.n_test for tail in some]
                rows.append(("tails", name, *_range(ratio), first.expected, verdict))
        return rows


def null_certificate(
    estimator: Any,
    X: Any,
    mass: Any,
    *,
    name: str | None = None,
    simulation: bool,
    n_trainings: int = 10,
    n_null: int = 250,
    fraction: float = 0.1,
    fractions: Sequence[float] = FRACTIONS,
    n_seeds: int = 5,
    n_samples: int = 5,
    stability_fraction: float = 0.01,
    least: float = 0.5,
    alpha: float = 0.05,
    seed: int = 0,
    tick: Callable[[str], None] | None = None,
) -> Certificate:
    """Run an estimator where there is nothing to find, and report what it finds.

    Parameters
    ----------
    estimator : object
        Not fitted, with ``fit`` and ``anomaly_score``: every model of `cmslabs.models`.  One that needs labels learns
        random ones.
    X : DataFrame or ndarray, shape (n_events, n_features)
        Background only.
    mass : array_like, shape (n_events,)
        [GeV]; what the selection must not sculpt.
    name : str, optional
        On the certificate; by default the class.
    simulation : bool
        Whether the events are simulated: it stands on the page.
    n_trainings : int
        Each on another random half of the events, for false alarms, sculpting and tails.
    n_null, fraction
        As in `cmslabs.evaluation.validation.nulls.run_nulls`.
    fractions : sequence of float
        Tails whose events are counted.
    n_seeds, n_samples : int
        Trainings for the spread over seeds (at least 5), and for the spread that the training events cause.
    stability_fraction, least
        As in `cmslabs.evaluation.validation.stability.find_stability`.
    alpha : float
    seed : int
    tick : callable, optional
        Called with the name of each part that is done.

    Returns
    -------
    Certificate

    Raises
    ------
    ConfigError
        If the estimator does not keep the contract, or there are too few events for 200 nulls.
    DataError
        If the table and the masses do not belong together, or a score is not finite.
    """
    if not isinstance(simulation, bool | np.bool_):
        raise DataError(f"simulation must be True or False, not {simulation!r}.")
    train = trainer(estimator)
    mass = checked_scores(mass, len(X), "masses")
    tell = tick or (lambda part: None)
    nulls = run_nulls(train, X, n_trainings=n_trainings, n_null=n_null, fraction=fraction, alpha=alpha, seed=seed)
    tell("false alarms")
    sculpting = tuple(
        find_sculpting(scores, mass[rows], alpha=alpha, random_state=seed + number)
        for number, (scores, rows) in enumerate(zip(nulls.test, nulls.rows, strict=True))
    )
    tell("sculpting")
    tails = tuple(
        find_tails(validation, test, fractions=fractions, alpha=alpha)
        for validation, test in zip(nulls.validation, nulls.test, strict=True)
    )
    tell("tails")
    order = np.random.default_rng((seed, n_trainings)).permutation(len(X))
    learnt, judged = np.sort(order[: len(X) // 2]), np.sort(order[len(X) // 2 :])
    stability = stability_study(
        train,
        take(X, learnt),
        take(X, judged),
        reference=norm_trainer,
        n_trainings=n_seeds,
        n_samples=n_samples,
        fraction=stability_fraction,
        least=least,
        alpha=alpha,
        seed=seed,
    )
    tell("stability")
    title = name or type(estimator).__name__
    return Certificate(title, nulls, sculpting, tails, stability, len(X), alpha, bool(simulation))


def _rate(alarms: Any) -> tuple[float, float, float, float]:
    return alarms.rate, alarms.low, alarms.high, alarms.claimed


def _range(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, smallest and largest."""
    return float(np.median(values)), float(min(values)), float(max(values))


def _agreement_rows(check: str, found: Any, chance: float, verdict: str) -> list[tuple]:
    return [
        (check, "Spearman, median over pairs", *_range(found.spearman), None, ""),
        (check, "Jaccard of tails", found.mean_jaccard, found.jaccard_low, found.jaccard_high, chance, verdict),
    ]

"""The certificate: clean models pass, planted faults show in their own rows, and the page says what the table does."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from null_spectra import allowed
from sklearn.base import BaseEstimator
from validation_worlds import background, masses

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.certificate import Certificate, null_certificate
from cmslabs.evaluation.validation.nulls import run_nulls
from cmslabs.evaluation.validation.trainer import norm_trainer, trainer

N_EVENTS = 16_000
#: 10 trainings x 40 nulls, of 100 + 100 events.
OPTIONS = {"n_null": 100, "fraction": 0.2, "n_samples": 3, "simulation": True, "fractions": (0.02,)}


class Norm(BaseEstimator):
    """Honest."""

    def fit(self, X, y=None):
        self.scorer_ = norm_trainer(X)
        return self

    def anomaly_score(self, X):
        return self.scorer_(X)


class Memoriser(Norm):
    """Knows its training events by heart: they all score lower than any other event."""

    def fit(self, X, y=None):
        super().fit(X)
        self.known_ = set(np.asarray(X)[:, 0].tolist())
        return self

    def anomaly_score(self, X):
        new = [value not in self.known_ for value in np.asarray(X)[:, 0].tolist()]
        return super().anomaly_score(X) + 10.0 * np.array(new)


class Drifting(Norm):
    """Every other table that it scores looks more unusual: here the test parts, not the validation parts."""

    def anomaly_score(self, X):
        self.calls_ = getattr(self, "calls_", 0) + 1
        return super().anomaly_score(X) + 0.3 * (self.calls_ % 2 == 1) * (self.calls_ > 1)


class Moody(Norm):
    """Every seed prefers other events."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def anomaly_score(self, X):
        values = np.asarray(X)
        return np.abs(values @ np.random.default_rng(self.random_state).normal(size=values.shape[1]))


class Heavy(Norm):
    """Likes large values of the column that rises with the mass: a planted sculptor."""

    def anomaly_score(self, X):
        return np.asarray(X)[:, 0]


class Labelled(Norm):
    """Needs labels, as a classifier does."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(self, X, y=None):
        assert set(np.unique(y)) == {0, 1}
        self.seen_ = float(np.mean(y))
        return super().fit(X)


class NoScore(BaseEstimator):
    """An estimator of another kind."""

    def fit(self, X, y=None):
        return self


@cache
def world():
    """Background whose first column follows the mass a little."""
    mass = masses(N_EVENTS, 1)
    X = background(N_EVENTS, 1)
    X["mj_light"] += 0.5 * (mass - 2600) / 600
    return X, mass


@cache
def certified(kind) -> Certificate:
    X, mass = world()
    if kind is not Heavy:
        X = background(N_EVENTS, 1)
    return null_certificate(kind(), X, mass, **OPTIONS)


def test_a_clean_model_has_a_clean_certificate():
    found = certified(Norm)
    assert found.verdict == "clean"
    assert found.verdicts == {
        "false alarms": "honest",
        "in sample": "honest",
        "sculpting": "flat",
        "tails": "steady",
        "seeds": "stable",
    }
    held_out = found.nulls.held_out
    assert held_out.n_nulls == 400
    low, high = allowed(held_out.claimed, 400)
    assert low <= held_out.alarms <= high
    assert held_out.low < held_out.rate < held_out.high


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        (Memoriser, {"in sample": "overfitted"}),
        (Drifting, {"false alarms": "too many", "in sample": "overfitted", "tails": "drifted"}),
        (Moody, {"seeds": "unstable"}),
        (Heavy, {"sculpting": "sculpted"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_planted_faults_show_in_their_rows_and_in_no_other(kind, faults):
    found = certified(kind)
    assert {part: found.verdicts[part] for part in found.warnings} == faults
    assert found.verdict == f"warnings: {', '.join(found.warnings)}"


def test_nulls_share_no_event_within_a_training():
    X = background(2200, 1).assign(row=np.arange(2200.0))
    seen = []

    def train(X, seed):
        seen.append([set(np.asarray(X)[:, -1])])

        def scorer(events):
            seen[-1].append(set(np.asarray(events)[:, -1]))
            return np.asarray(events)[:, 0]

        return scorer

    run_nulls(train, X, n_trainings=10, n_null=25, fraction=0.2)
    for learnt, again, *parts in seen:
        assert learnt == again  # For the thresholds in sample.
        assert len(parts) == 2 * 22
        assert len(set.union(*parts)) == sum(map(len, parts)) == 44 * 25
        assert not set.union(*parts) & learnt
    assert seen[0][0] != seen[1][0]


def test_an_estimator_is_copied_and_gets_its_seed_and_labels():
    model = Moody(random_state=99)
    scorer = trainer(model)(background(50, 1), 7)
    assert model.random_state == 99
    assert not hasattr(model, "scorer_")
    X = background(20, 2)
    assert np.array_equal(scorer(X), Moody(7).anomaly_score(X))
    labelled = trainer(Labelled())
    assert labelled(background(200, 1), 3).__self__.seen_ == pytest.approx(0.5, abs=0.15)


def test_every_claim_of_the_page_is_in_the_table():
    found = certified(Norm)
    page = found.to_markdown()
    assert page.startswith("# Null certificate: Norm\n")
    assert "simulated background" in page
    assert "**Clean.**" in page
    assert f"{found.nulls.held_out.alarms} alarms" in page
    for row in found.table.itertuples():
        assert f"| {row.check} | {row.number} |" in page
    sculpted = certified(Heavy).to_markdown()
    assert "**Warnings: sculpting.**" in sculpted
    assert "decorrelate" in sculpted
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {4, 8}


def test_the_result_is_json_and_the_same_again():
    found = certified(Norm)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["false_alarms"]["held_out"]["n_nulls"] == 400
    assert content["verdicts"] == found.verdicts
    assert len(content["tails"]) == len(content["sculpting"]["p_value"]) == 10
    X, mass = background(N_EVENTS, 1), world()[1]
    again = run_nulls(trainer(Norm()), X, n_null=100, fraction=0.2)
    assert again.held_out == found.nulls.held_out
    assert len(mass) == found.n_events


def test_what_cannot_be_certified_is_refused():
    X, mass = background(400, 1), masses(400, 1)
    with pytest.raises(ConfigError, match="10 x 1 nulls: a claim rests on 200"):
        null_certificate(Norm(), X, mass, simulation=True, n_null=100)
    with pytest.raises(ConfigError, match="2 validation events"):
        null_certificate(Norm(), X, mass, simulation=True, n_null=20)
    with pytest.raises(ConfigError, match="no method anomaly_score"):
        null_certificate(NoScore(), X, mass, simulation=True)
    with pytest.raises(ConfigError, match="Give an instance"):
        null_certificate(Norm, X, mass, simulation=True)
    with pytest.raises(DataError, match="400 events need 400 masses"):
        null_certificate(Norm(), X, mass[:9], simulation=True)
    with pytest.raises(DataError, match="simulation must be"):
        null_certificate(Norm(), X, mass, simulation="yes")

"""Stability: overlaps against sets and draws, seeds and samples apart, planted instability."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from null_spectra import allowed
from scipy import stats
from validation_worlds import N_NULLS, background, random_scores

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.agreement import agreement
from cmslabs.evaluation.validation.overlap import (
    chance_jaccard,
    chance_overlaps,
    jackknife,
    pairwise_jaccard,
    pairwise_spearman,
)
from cmslabs.evaluation.validation.stability import find_stability, stability_study
from cmslabs.evaluation.validation.trainer import norm_trainer


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=2, max_size=4))
def test_overlaps_are_those_of_sets(rows):
    masks = np.array([[True, *row] for row in rows])
    sets = [set(np.flatnonzero(mask)) for mask in masks]
    expected = [[len(a & b) / len(a | b) for b in sets] for a in sets]
    np.testing.assert_allclose(pairwise_jaccard(masks), expected)


def test_rank_correlations_are_scipys():
    scores = np.random.default_rng(1).normal(size=(3, 50)).round(1)
    np.testing.assert_allclose(pairwise_spearman(scores), stats.spearmanr(scores.T).statistic)


def test_chance_is_that_of_random_tails():
    """The oracle: tails drawn as sets of events."""
    rng = np.random.default_rng(1)
    n, k, tails = 60, 12, 4
    drawn = []
    for _ in range(2000):
        masks = np.zeros((tails, n))
        for mask in masks:
            mask[rng.choice(n, k, replace=False)] = 1
        both = masks @ masks.T
        drawn.append((both.sum() - np.trace(both)) / (tails * (tails - 1)))
    known = chance_overlaps(n, k, tails)
    assert known.mean() == pytest.approx(k * k / n, rel=0.01)
    assert known.std() == pytest.approx(np.std(drawn), rel=0.06)
    assert stats.ks_2samp(np.round(known, 6), np.round(drawn, 6)).pvalue > 1e-3
    jaccard = pairwise_jaccard(np.random.default_rng(2).random((40, 5000)) < 0.1)
    assert jaccard[~np.eye(40, dtype=bool)].mean() == pytest.approx(chance_jaccard(0.1), rel=0.05)


def test_the_jackknife_knows_the_spread_of_the_members():
    """Pairs of members with an additive effect: the interval covers the mean of all members."""
    hits = 0
    for seed in range(N_NULLS):
        effect = np.random.default_rng(seed).normal(size=6)
        mean, low, high = jackknife(effect[:, None] + effect[None, :])
        assert low <= mean <= high
        hits += low <= 0 <= high
    fewest, most = allowed(0.95, N_NULLS)
    assert fewest <= hits <= most


def test_random_scores_are_called_chance_as_often_as_promised():
    above = sum(
        agreement(np.random.default_rng(seed).random((5, 1000)), 0.05).chance_p <= 0.05 for seed in range(N_NULLS)
    )
    assert allowed(0.03, N_NULLS)[0] <= above <= allowed(0.05, N_NULLS)[1]  # Overlaps are whole numbers.


def noisy(size: float):
    """A trainer whose seed shifts every event's score: planted instability."""

    def train(X, seed):
        known = norm_trainer(X)

        def scorer(events):
            values = np.ascontiguousarray(np.asarray(events))
            return known(events) + size * np.random.default_rng((seed, len(values))).normal(size=len(values))

        return scorer

    return train


@pytest.mark.parametrize(
    ("train", "verdict"),
    [(norm_trainer, "stable"), (noisy(0.02), "stable"), (noisy(0.7), "unstable"), (random_scores, "chance")],
    ids=["norm", "little", "much", "random"],
)
def test_planted_instability_is_found(train, verdict):
    X = background(3000, 1)
    found = stability_study(train, X[:1000], X[1000:], fraction=0.02, n_samples=0)
    assert found.verdict == verdict
    assert found.alarm == (verdict in ("chance", "unstable"))
    assert found.chance == pytest.approx(0.02 / 1.98)
    assert found.sampling is None


def test_seeds_and_samples_are_kept_apart():
    """One trainer knows its events only, the other its seed only."""
    X = background(2000, 1)
    learns = stability_study(norm_trainer, X[:100], X[100:], fraction=0.05)
    assert learns.training.variance < 1e-20
    assert learns.training.mean_jaccard == 1
    assert learns.sampling.variance > 0
    assert learns.sampling.mean_jaccard < 1

    def seeded(X, seed):
        return lambda events: np.asarray(events) @ np.random.default_rng(seed).normal(size=4)

    draws = stability_study(seeded, X[:100], X[100:], fraction=0.05, reference=norm_trainer)
    assert draws.training.variance > 0.03
    assert draws.sampling.variance < 1e-20
    assert draws.reference.mean_jaccard == pytest.approx(learns.sampling.mean_jaccard)
    assert 0 < draws.with_reference < 0.5
    same = stability_study(norm_trainer, X[:100], X[100:], fraction=0.05, reference=norm_trainer)
    assert same.with_reference > 0.6


def test_ranks_at_random_have_a_variance_of_a_twelfth():
    assert agreement(np.random.default_rng(1).random((9, 4000))).variance == pytest.approx(1 / 12, rel=0.03)


def test_equal_scores_do_not_agree_by_standing_first():
    found = agreement(np.zeros((5, 2000)), 0.05)
    assert found.mean_jaccard < 0.1
    assert found.mean_spearman == 0


def test_the_result_is_json():
    X = background(1500, 1)
    found = stability_study(noisy(0.1), X[:500], X[500:], fraction=0.05, reference=norm_trainer, n_samples=3)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(content["training"]["jaccard"]) == 10
    assert len(content["sampling"]["jaccard"]) == 3
    assert 0 <= content["training"]["jaccard_low"] <= content["training"]["jaccard_high"] <= 1


def test_what_cannot_be_asked_is_refused():
    X = background(200, 1)
    with pytest.raises(ConfigError, match="4 trainings are too few"):
        stability_study(norm_trainer, X, X, n_trainings=4)
    with pytest.raises(ConfigError, match="2 samples"):
        stability_study(norm_trainer, X, X, n_samples=2)
    with pytest.raises(ConfigError, match="3 trainings are too few"):
        find_stability(np.zeros((3, 50)))
    with pytest.raises(ConfigError, match="Jaccard"):
        find_stability(np.zeros((5, 50)), least=0)
    with pytest.raises(DataError, match="is empty"):
        find_stability(np.zeros((5, 50)), fraction=0.01)
    with pytest.raises(DataError, match="50 events need 50 sampled"):
        find_stability(np.zeros((5, 50)), sampled=np.zeros((3, 40)), fraction=0.1)

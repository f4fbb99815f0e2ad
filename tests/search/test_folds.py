"""Folds: no event meets a tree that has seen it, each fold keeps its share, and weights are weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_worlds import scored
from sklearn.base import clone

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.roc import auc
from cmslabs.search.counting import count_events
from cmslabs.search.folds import FoldedTrees, passing

SMALL = {"folds": 3, "members": 2, "max_iter": 10, "random_state": 3}


@pytest.fixture(scope="module")
def events():
    """Two samples that differ a little, in shape, size and weights."""
    rng = np.random.default_rng(9)
    y = np.repeat([0, 1], [700, 300])
    X = rng.normal(size=(1000, 3)) + 0.7 * y[:, None]
    return X, y, rng.uniform(0.2, 2.0, 1000)


@pytest.fixture(scope="module")
def model(events):
    return FoldedTrees(**SMALL).fit(*events)


def test_every_fold_has_its_share_of_both_samples(model, events):
    for label, n in ((0, 700), (1, 300)):
        counts = np.bincount(model.fold_[events[1] == label], minlength=3)
        assert counts.sum() == n
        assert np.ptp(counts) <= 1


def binned(X):
    """Between which 254 quantiles a value lies, counted one by one: trees see the number of the bin."""
    found = np.empty(X.shape)
    for column in range(X.shape[1]):
        edges = sorted(set(np.quantile(X[:, column], np.arange(1, 255) / 255)))
        for row in range(len(X)):
            found[row, column] = sum(edge <= X[row, column] for edge in edges)
    return found


def test_scores_are_those_of_trees_that_were_trained_without_the_fold(model, events):
    """Every tree is trained again, on the other folds alone."""
    X, y, weights = binned(events[0]), *events[1:]
    # Equal sums of both samples; the mean weight is 1.
    equal = weights * np.where(y == 1, 500 / weights[y == 1].sum(), 500 / weights[y == 0].sum())
    for fold, ensemble in enumerate(model.models_):
        rest, mine = model.fold_ != fold, model.fold_ == fold
        again = [clone(one).fit(X[rest], y[rest], sample_weight=equal[rest]) for one in ensemble]
        np.testing.assert_allclose(
            model.scores_[mine], np.mean([one.decision_function(X[mine]) for one in again], axis=0), rtol=1e-9
        )


def test_what_a_fold_looks_like_does_not_matter_to_its_own_trees(model, events):
    """The events of one fold exchange their features, labels stay: its trees are the same, and all others change."""
    X, y, weights = events
    spoiled, rows = X.copy(), np.flatnonzero(model.fold_ == 1)
    spoiled[rows] = X[rows[::-1]]
    other = FoldedTrees(**SMALL).fit(spoiled, y, weights)
    assert (other.fold_ == model.fold_).all()
    same = [(other.score_of_fold(X, fold) == model.score_of_fold(X, fold)).all() for fold in range(3)]
    assert same == [False, True, False]


def test_new_events_get_the_mean_of_all_trees(model, events):
    X = events[0][:50]
    np.testing.assert_allclose(model.score(X), np.mean([model.score_of_fold(X, k) for k in range(3)], axis=0))


def test_members_are_several_and_differ(model):
    assert [len(ensemble) for ensemble in model.models_] == [2, 2, 2]
    assert len({one.random_state for ensemble in model.models_ for one in ensemble}) == 6


@pytest.fixture(scope="module")
def noise():
    """Two samples of the same noise: whatever is found there was memorised."""
    y = np.repeat([0, 1], 1500)
    return np.random.default_rng(0).normal(size=(3000, 4)), y


def test_noise_is_not_found_out_of_fold(noise):
    model = FoldedTrees(folds=3, members=2, random_state=1).fit(*noise)
    # The area of 1500 against 1500 events has a standard deviation of 0.011.
    assert auc(model.y_, model.scores_) == pytest.approx(0.5, abs=0.035)
    count = count_events(model, 0.05)
    assert count.background == pytest.approx(75, abs=3)
    assert abs(count.n_on - 75) < 3.5 * np.sqrt(2 * 75)


def test_noise_is_found_in_sample_with_a_large_excess(noise):
    """The trap that the folds are there for."""
    model = FoldedTrees(folds=3, members=2, random_state=1, in_sample=True).fit(*noise)
    assert auc(model.y_, model.scores_) > 0.65
    count = count_events(model, 0.05)
    assert count.n_on > 2.5 * count.background
    assert (count.n_on - count.background) / np.sqrt(count.background) > 15


@pytest.mark.parametrize("efficiency", [0.03, 0.2, 0.5])
def test_every_fold_keeps_the_efficiency(model, efficiency):
    passed = model.passes(efficiency)
    for fold in range(3):
        rows = (model.fold_ == fold) & (model.y_ == 0)
        weights = model.weights_[rows]
        kept = weights[passed[rows]].sum() / weights.sum()
        # Not less than asked for, and less without the event that sets the threshold.
        assert efficiency * (1 - 1e-9) <= kept < efficiency + weights.max() / weights.sum()


def test_folds_on_different_scales_have_thresholds_of_their_own():
    """One threshold for all would let nobody pass of the first fold and everybody of the second."""
    scores = np.concatenate([np.arange(10.0), 1000 + np.arange(10.0)] * 2)
    folds = np.repeat([0, 1, 0, 1], 10)
    model = scored(np.repeat([0, 1], 20), scores, np.ones(40), folds)
    assert model.passes(0.3).tolist() == (scores % 1000 > 6).tolist()


def test_equal_seeds_equal_scores(model, events):
    again = FoldedTrees(**SMALL).fit(*events)
    assert (again.scores_ == model.scores_).all()
    other = FoldedTrees(**(SMALL | {"random_state": 4})).fit(*events)
    assert (other.fold_ != model.fold_).any()
    assert (other.scores_ != model.scores_).any()


def test_the_sums_of_the_weights_do_not_matter(events):
    """Both samples are trained with equal sums: a quarter of the weights gives the same trees, bit for bit."""
    X, y, weights = events
    a, b = (FoldedTrees(folds=2, members=1, max_iter=10).fit(X, y, weights * s) for s in (1.0, np.where(y, 0.25, 8.0)))
    assert (a.scores_ == b.scores_).all()
    assert (a.passes(0.1) == b.passes(0.1)).all()
    # What was given is kept: sums are expected events.
    assert b.weights_.tolist() == (weights * np.where(y, 0.25, 8.0)).tolist()


def test_a_weight_of_two_counts_like_two_events():
    """Odds by hand: background with two thirds of its weight above 0, data with one half there."""
    X, y = np.tile([[-1.0], [1.0]], (2000, 1)), np.repeat([0, 1], [3000, 1000])
    weights = np.where((y == 0) & (X[:, 0] > 0), 2.0, 1.0)
    weighted = FoldedTrees(folds=2, members=2, max_iter=60, random_state=1).fit(X, y, weights)
    twice = np.concatenate([np.arange(4000), np.flatnonzero(weights == 2)])
    doubled = FoldedTrees(folds=2, members=2, max_iter=60, random_state=1).fit(X[twice], y[twice])
    for model in (weighted, doubled):
        below, above = model.score([[-1.0], [1.0]])
        assert above == pytest.approx(np.log((1 / 2) / (2 / 3)), abs=0.08)
        assert below == pytest.approx(np.log((1 / 2) / (1 / 3)), abs=0.08)


def test_right_weights_make_two_samples_one():
    """Weighted by the true ratio of the densities, one Gaussian looks like the other."""
    rng = np.random.default_rng(11)
    X = np.concatenate([rng.normal(0, 1, (3000, 1)), rng.normal(0.8, 1, (3000, 1))])
    y = np.repeat([0, 1], 3000)
    weights = np.where(y == 0, np.exp(0.8 * X[:, 0] - 0.32), 1.0)
    found = [FoldedTrees(folds=2, members=2).fit(X, y, chosen) for chosen in (None, weights)]
    plain, weighted = (auc(model.y_, model.scores_, model.weights_) for model in found)
    assert plain > 0.68
    assert weighted == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.full(40, -1.0), "weights must be 40 finite numbers from 0 on"),
        (np.full(40, np.nan), "weights must be 40 finite numbers"),
        (np.ones(39), "weights must be 40"),
        (np.repeat([0.0, 1.0], 20), "the weights of the background estimate are all zero"),
        (np.repeat([1.0, 0.0], 20), "the weights of the data are all zero"),
    ],
)
def test_weights_that_are_none(weights, message):
    with pytest.raises(DataError, match=message):
        FoldedTrees(folds=2, members=1).fit(np.zeros((40, 1)), np.repeat([0, 1], 20), weights)


@pytest.mark.parametrize("labels", [np.arange(40), np.zeros(40), np.repeat([0, 1], 19)])
def test_labels_that_are_none(labels):
    with pytest.raises(DataError):
        FoldedTrees(folds=2, members=1).fit(np.zeros((40, 1)), labels)


def test_too_few_events_or_folds():
    X, y = np.zeros((24, 1)), np.repeat([0, 1], [20, 4])
    with pytest.raises(DataError, match=r"4 events of the data are too few for 5 folds. Use fewer folds"):
        FoldedTrees(folds=5).fit(X, y)
    with pytest.raises(DataError, match="4 events of the background estimate are too few"):
        FoldedTrees(folds=5).fit(X, 1 - y)
    for parameters in ({"folds": 1}, {"members": 0}):
        with pytest.raises(ConfigError, match=r"folds with .* members are not possible"):
            FoldedTrees(**parameters).fit(X, y)


def slow_passing(scores, fold, estimate, weights, efficiency):
    """From the highest score down, until the share of the estimate's weight is reached; no two scores are equal."""
    passed = set()
    for number in set(fold):
        rows = sorted((row for row in range(len(scores)) if fold[row] == number), key=lambda row: -scores[row])
        wanted, kept = efficiency * sum(weights[row] for row in rows if estimate[row]), 0.0
        for row in rows:
            kept += weights[row] if estimate[row] else 0.0
            passed.add(row)
            if kept >= wanted - 1e-9:
                break
    return [row in passed for row in range(len(scores))]


EVENTS = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 9)), min_size=1, max_size=30)


@given(EVENTS, st.integers(1, 100), st.randoms())
def test_what_passes_is_what_a_loop_lets_through(events, percent, random):
    fold, estimate, weights = (list(column) for column in zip(*events, strict=True))
    scores = random.sample(range(100), len(events))
    for number in set(fold):
        # Every fold has an event of the estimate.
        estimate[fold.index(number)] = True
    columns = np.array(scores, float), np.array(fold), np.array(estimate), np.array(weights, float)
    assert passing(*columns, percent / 100, 0).tolist() == slow_passing(scores, fold, estimate, weights, percent / 100)


@pytest.mark.parametrize("distinct", [10**9, 30])
@pytest.mark.parametrize("weighted", [False, True])
def test_background_passes_as_often_as_is_expected(distinct, weighted):
    """Scores that know nothing, also where many are equal: observed over expected is 1, to much less than an event."""
    rng = np.random.default_rng(7)
    observed, expected = [], []
    for seed in range(400):
        scores = rng.integers(distinct, size=2000).astype(float)
        estimate = np.arange(2000) < 1000
        weights = np.where(estimate & weighted, rng.exponential(size=2000), 1.0)
        weights[estimate] *= 1000 / weights[estimate].sum()
        passed = passing(scores, np.arange(2000) % 5, estimate, weights, 0.05, seed)
        observed.append(int(passed[~estimate].sum()))
        expected.append(weights[passed & estimate].sum())
    # One event of ten in each fold would be 10 %.
    assert np.sum(observed) / np.sum(expected) == pytest.approx(1.0, abs=4 / np.sqrt(np.sum(observed) / 2))
    assert np.mean(expected) == pytest.approx(50, abs=0.5 if not weighted else 6)


def test_lots_decide_between_equal_scores():
    """Ten equal events: five pass, and other ones for another seed."""
    ties = np.zeros(10), np.zeros(10), np.ones(10, dtype=bool), np.ones(10), 0.5
    chosen = [passing(*ties, seed) for seed in range(3)]
    assert [int(one.sum()) for one in chosen] == [5, 5, 5]
    assert (chosen[0] != chosen[1]).any()
    assert (passing(*ties, 0) == chosen[0]).all()

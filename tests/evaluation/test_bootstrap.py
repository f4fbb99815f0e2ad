"""Intervals cover as often as they say, are those of a slow loop, and are fast."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.metrics import (
    Interval,
    auc,
    average_precision,
    bootstrap,
    max_sic,
    paired_difference,
    sic_at_rejection,
)


def sample(n_background, n_signal, distance, seed):
    labels = np.repeat([0, 1], [n_background, n_signal])
    return labels, np.random.default_rng(seed).normal(distance * labels)


@pytest.mark.parametrize(
    ("statistic", "options"),
    [
        (auc, {}),
        (average_precision, {}),
        (max_sic, {"min_background": 10}),
        (sic_at_rejection, {"rejection": 8, "min_background": 5}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_all_at_once_is_the_same_as_one_by_one(statistic, options, weighted, ties):
    """The same draws as repeated events through the plain function, with ties and weights."""
    labels, scores = sample(220, 40, 1.0, seed=2)
    order = np.random.default_rng(5).permutation(len(labels))  # The classes need not stand in blocks.
    labels, scores = labels[order], scores[order]
    scores = np.round(2 * scores) if ties else scores
    weights = np.random.default_rng(3).uniform(0.5, 2, len(labels)) if weighted else None
    fast = bootstrap(statistic, labels, scores, weights, n=30, random_state=4, **options)

    def slow(labels, scores, weights=None):
        return statistic(labels, scores, weights=weights, **options)

    loop = bootstrap(slow, labels, scores, weights, n=30, random_state=4)
    np.testing.assert_allclose(fast.samples, loop.samples, rtol=1e-10)
    assert fast.value == loop.value == slow(labels, scores, weights)
    assert fast.low < fast.value < fast.high


def test_memory_does_not_change_the_draws(monkeypatch):
    labels, scores = sample(300, 50, 1.0, seed=1)
    whole = bootstrap(auc, labels, scores, n=40)
    for largest in (1, 1000):
        monkeypatch.setattr("cmslabs.evaluation.bootstrap._LARGEST", largest)
        assert bootstrap(auc, labels, scores, n=40).samples.tolist() == whole.samples.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.68, 0.95])
def test_coverage_of_the_area(level):
    """Of many samples the interval of so many covers the area that infinitely many events have."""
    truth = norm.cdf(1 / np.sqrt(2))
    hits = 0
    for seed in range(300):
        interval = bootstrap(auc, *sample(400, 150, 1.0, seed), level=level, random_state=seed)
        hits += interval.low <= truth <= interval.high
    low, high = binomtest(hits, 300).proportion_ci(0.999)
    assert low < level < high


@pytest.mark.slow
def test_coverage_of_the_largest_improvement():
    """Its maximum is biased; plain quantiles of the resamplings cover it in about half of the cases."""
    cuts = np.linspace(-3, 5, 8001)
    share = norm.sf(cuts)
    truth = (norm.sf(cuts - 1) / np.sqrt(share))[share * 2000 >= 25].max()
    hits = plain = 0
    for seed in range(200):
        interval = bootstrap(max_sic, *sample(2000, 300, 1.0, seed), random_state=seed)
        hits += interval.low <= truth <= interval.high
        low, high = np.quantile(interval.samples, [0.16, 0.84])
        plain += low <= truth <= high
    assert 0.55 < hits / 200 < 0.85
    assert plain < hits


def test_width_is_the_known_error_of_the_area():
    """The formula of J. A. Hanley and B. J. McNeil, Radiology 143 (1982) 29, is close for two Gaussians."""
    labels, scores = sample(4000, 1000, 1.0, seed=7)
    a = auc(labels, scores)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + 999 * (q1 - a * a) + 3999 * (q2 - a * a)) / (4000 * 1000)
    interval = bootstrap(auc, labels, scores, n=1000)
    assert np.std(interval.samples) == pytest.approx(np.sqrt(variance), rel=0.12)
    assert (interval.high - interval.low) / 2 == pytest.approx(np.sqrt(variance), rel=0.15)


def test_four_times_the_events_half_the_width():
    widths = []
    for n in (1000, 4000):
        interval = bootstrap(auc, *sample(n, n, 1.0, seed=9), n=1000)
        widths.append(interval.high - interval.low)
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.15)


def test_any_function_can_be_used():
    labels, scores = sample(200, 60, 1.0, seed=3)
    ours = bootstrap(auc, labels, scores, n=20)
    theirs = bootstrap(roc_auc_score, labels, scores, n=20)
    np.testing.assert_allclose(ours.samples, theirs.samples)
    assert bootstrap(lambda y, s, weights: weights.sum(), labels, scores, np.ones(260), n=20).value == 260


def test_seeds():
    labels, scores = sample(300, 50, 1.0, seed=1)
    first, again, other = (bootstrap(auc, labels, scores, random_state=seed) for seed in (1, 1, 2))
    assert (first.samples == again.samples).all()
    assert (first.samples != other.samples).any()


def test_natural_ends():
    """A reflected quantile must not promise an area above 1, or an improvement below 1."""
    labels, scores = sample(300, 50, 4.0, seed=1)
    interval = bootstrap(auc, labels, scores)
    assert 0.9 < interval.low <= interval.value <= interval.high <= 1
    perfect = bootstrap(auc, labels, labels)
    assert (perfect.low, perfect.value, perfect.high) == (1, 1, 1)
    nothing = bootstrap(max_sic, labels, np.random.default_rng(2).random(350))
    assert nothing.low >= 1


def test_pairs_see_what_two_intervals_do_not():
    """Two scores that share most of their noise: each interval is wide, the difference is known well."""
    labels, scores = sample(2000, 300, 1.0, seed=5)
    worse = scores + np.random.default_rng(6).normal(0, 0.5, len(scores))
    good, bad = (bootstrap(auc, labels, s) for s in (scores, worse))
    difference = paired_difference(good, bad)
    assert difference.value == pytest.approx(good.value - bad.value)
    assert difference.low > 0
    alone = np.hypot(good.high - good.low, bad.high - bad.low)
    assert difference.high - difference.low < 0.7 * alone


def test_pairs_must_be_pairs():
    labels, scores = sample(200, 60, 1.0, seed=5)
    first = bootstrap(auc, labels, scores)
    for other in (
        bootstrap(auc, labels, scores, random_state=1),
        bootstrap(auc, labels, scores, n=100),
        bootstrap(auc, labels, scores, level=0.95),
        bootstrap(auc, labels[::-1], scores),
        Interval(0.5, 0.4, 0.6),
    ):
        with pytest.raises(ConfigError, match="same resampled events"):
            paired_difference(first, other)


def test_written_form():
    interval = Interval(0.93141, 0.9277, 0.9349)
    assert f"{interval}" == str(interval) == "0.931 [0.928, 0.935]"
    assert f"{interval:.1%}" == "93.1% [92.8%, 93.5%]"


@pytest.mark.parametrize(("n", "level"), [(0, 0.68), (9, 0.68), (100, 0.0), (100, 1.0), (100, 68)])
def test_bad_settings(n, level):
    with pytest.raises(ConfigError, match="give no interval"):
        bootstrap(auc, *sample(100, 50, 1.0, 0), n=n, level=level)


def test_too_few_events_for_an_interval():
    with pytest.raises(DataError, match="100 background and 9 signal events are too few"):
        bootstrap(auc, *sample(100, 9, 1.0, 0))
    with pytest.raises(DataError, match="all 100 events are background"):
        bootstrap(auc, *sample(100, 0, 1.0, 0))
    with pytest.raises(DataError, match="needs N >= 25000"):
        bootstrap(sic_at_rejection, *sample(1000, 100, 1.0, 0), rejection=1000)


def test_speed():
    """200 resamplings of 23 000 events take about half a second; a loop over scikit-learn takes several."""
    labels, scores = sample(20_000, 3_000, 1.0, seed=0)
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        bootstrap(auc, labels, scores, n=200)
        best = min(best, time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(20):
        roc_auc_score(labels, scores)
    loop = 10 * (time.perf_counter() - start)
    assert best < 5
    assert best < loop

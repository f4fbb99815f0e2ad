"""ROC, precision and significance improvement against pair counting, scikit-learn, closed forms and symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from score_oracles import lots_sic, pair_auc, points, slow_average_precision, slow_max_sic
from sklearn import metrics as sk

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.metrics import (
    auc,
    average_precision,
    max_sic,
    pr_curve,
    roc_curve,
    sic_at_rejection,
    sic_curve,
    youden_threshold,
)


@st.composite
def tables(draw, n_min=4, n_max=30, most=10):
    """Labels, scores with many ties, and small whole weights."""
    n = draw(st.integers(n_min, n_max))
    labels = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))]
    scores = draw(st.lists(st.integers(-most, most), min_size=n, max_size=n))
    weights = draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    return np.array(labels), np.array(scores) / 4, np.array(weights)


NUMBERS = {"auc": auc, "average precision": average_precision, "max SIC": lambda *a: max_sic(*a, min_background=1)}


@given(tables())
def test_pairs_and_masks(table):
    labels, scores, weights = table
    for w in (None, weights):
        assert auc(labels, scores, w) == pytest.approx(pair_auc(labels, scores, w), abs=1e-12)
        assert average_precision(labels, scores, w) == pytest.approx(slow_average_precision(labels, scores, w))
        assert max_sic(labels, scores, w, min_background=1) == pytest.approx(slow_max_sic(labels, scores, w, 1))
        slow = np.array([point[:4] for point in points(labels, scores, w)])
        curve = roc_curve(labels, scores, w)
        fast = np.stack([curve.thresholds, curve.tpr, curve.fpr, curve.passing_background], axis=1)
        assert fast[0].tolist() == [np.inf, 0, 0, 0]
        np.testing.assert_allclose(fast[1:], slow, atol=1e-12)
        assert (curve.n_signal, curve.n_background) == (labels.sum(), (1 - labels).sum())


@given(tables(), st.lists(st.sampled_from([-1.0, 1.0, 3.0]), min_size=40, max_size=40))
def test_negative_weights_are_counted_in_pairs(table, weights):
    labels, scores, _ = table
    weights = np.array(weights[: len(labels)])
    if min(weights[labels == 1].sum(), weights[labels == 0].sum()) <= 0:
        with pytest.raises(DataError, match="add up to"):
            auc(labels, scores, weights)
        return
    assert auc(labels, scores, weights) == pytest.approx(pair_auc(labels, scores, weights), abs=1e-12)
    if points(labels, scores, weights)[-1][3] < 2:  # The whole sample has less than two effective events.
        with pytest.raises(DataError, match="needs N >= 2"):
            max_sic(labels, scores, weights, 2)
        return
    assert max_sic(labels, scores, weights, 2) == pytest.approx(slow_max_sic(labels, scores, weights, 2))


@given(tables())
def test_weights_are_repetitions(table):
    labels, scores, weights = table
    again = [np.repeat(column, weights) for column in (labels, scores)]
    for name, number in NUMBERS.items():
        if name != "max SIC":  # Its floor counts what is known, and copies add nothing to that.
            assert number(labels, scores, weights) == pytest.approx(number(*again)), name
    assert youden_threshold(labels, scores, weights) == youden_threshold(*again)
    weighted, repeated = roc_curve(labels, scores, weights), roc_curve(*again)
    np.testing.assert_allclose([weighted.tpr, weighted.fpr], [repeated.tpr, repeated.fpr])
    assert (weighted.passing_background <= repeated.passing_background + 1e-9).all()


@given(tables(), st.floats(0.1, 100))
def test_the_size_of_the_weights_of_a_class_does_not_matter_for_efficiencies(table, factor):
    labels, scores, weights = table
    scaled = np.where(labels == 1, factor * weights, weights / factor)
    for name in ("auc", "max SIC"):
        assert NUMBERS[name](labels, scores, scaled) == pytest.approx(NUMBERS[name](labels, scores, weights)), name


@given(tables())
def test_rising_maps_change_nothing(table):
    labels, scores, weights = table
    for rising in (np.exp, np.cbrt, lambda s: 3 * s - 7):
        for name, number in NUMBERS.items():
            assert number(labels, rising(scores), weights) == number(labels, scores, weights), name
        threshold = rising(np.float64(youden_threshold(labels, scores, weights)))
        assert youden_threshold(labels, rising(scores), weights) == pytest.approx(threshold)


@given(tables())
def test_flipped_labels_and_flipped_scores(table):
    labels, scores, weights = table
    assert auc(1 - labels, scores, weights) == pytest.approx(1 - auc(labels, scores, weights))
    assert auc(labels, -scores, weights) == pytest.approx(1 - auc(labels, scores, weights))
    assert auc(1 - labels, -scores, weights) == pytest.approx(auc(labels, scores, weights))


@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_the_events_does_not_matter(table, random):
    order = random.sample(range(len(table[0])), len(table[0]))
    for name, number in NUMBERS.items():
        assert number(*(column[order] for column in table)) == pytest.approx(number(*table), rel=1e-12), name


@given(tables())
@settings(max_examples=40)
def test_scikit_learn_agrees(table):
    labels, scores, weights = table
    for w in (None, weights):
        assert auc(labels, scores, w) == pytest.approx(sk.roc_auc_score(labels, scores, sample_weight=w))
        expected = sk.average_precision_score(labels, scores, sample_weight=w)
        assert average_precision(labels, scores, w) == pytest.approx(expected)
        fpr, tpr, thresholds = sk.roc_curve(labels, scores, sample_weight=w, drop_intermediate=False)
        curve = roc_curve(labels, scores, w)
        np.testing.assert_allclose([curve.fpr, curve.tpr, curve.thresholds], [fpr, tpr, thresholds])
        precision, recall, _ = sk.precision_recall_curve(labels, scores, sample_weight=w)
        ours = pr_curve(labels, scores, w)
        np.testing.assert_allclose([ours.recall, ours.precision], [recall[:-1][::-1], precision[:-1][::-1]])


@given(tables())
def test_bounds(table):
    labels, scores, weights = table
    curve = roc_curve(labels, scores, weights)
    assert (np.diff(curve.fpr) >= 0).all()
    assert (np.diff(curve.tpr) >= 0).all()
    assert curve.fpr[-1] == curve.tpr[-1] == 1
    assert 0 <= auc(labels, scores, weights) <= 1
    assert max_sic(labels, scores, weights, min_background=1) >= 1
    assert 0 < average_precision(labels, scores, weights) <= 1
    assert pr_curve(labels, scores, weights).prevalence == pytest.approx(np.average(labels, weights=weights))


@given(tables())
def test_youden_is_the_best_of_all_thresholds(table):
    labels, scores, weights = table
    rates = {threshold: tpr - fpr for threshold, tpr, fpr, _, _ in points(labels, scores, weights)}
    chosen = youden_threshold(labels, scores, weights)
    assert rates[chosen] == pytest.approx(max(rates.values()), abs=1e-12)
    assert all(value < rates[chosen] + 1e-12 for threshold, value in rates.items() if threshold > chosen)


# Closed forms.


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0, 2.0])
def test_two_gaussians(distance):
    """AUC = Phi(d / sqrt 2), Youden at d / 2, and the improvement Phi(d - t) / sqrt(Phi(-t))."""
    n = 200_000
    grid = norm.ppf((np.arange(n) + 0.5) / n)  # A sample that does not fluctuate.
    labels, scores = np.repeat([0, 1], n), np.concatenate([grid, grid + distance])
    assert auc(labels, scores) == pytest.approx(norm.cdf(distance / np.sqrt(2)), abs=1e-5)
    for rejection in (10, 100, 1000):
        cut = norm.isf(1 / rejection)
        expected = norm.sf(cut - distance) * np.sqrt(rejection)
        assert sic_at_rejection(labels, scores, rejection) == pytest.approx(expected, rel=2e-3)
    if distance:
        assert youden_threshold(labels, scores) == pytest.approx(distance / 2, abs=0.01)
    cuts = norm.isf(np.geomspace(25 / n, 1, 4000)[:-1])
    best = max(1, (norm.sf(cuts - distance) / np.sqrt(norm.sf(cuts))).max())
    assert max_sic(labels, scores) == pytest.approx(best, rel=5e-3)


def test_precision_of_two_gaussians_depends_on_the_mixture():
    n = 100_000
    grid = norm.ppf((np.arange(n) + 0.5) / n)
    labels, scores = np.repeat([0, 1], n), np.concatenate([grid, grid + 1])
    for share in (0.5, 0.01):
        weights = np.where(labels == 1, share, 1 - share)
        curve = pr_curve(labels, scores, weights)
        half = np.searchsorted(curve.recall, 0.5)
        expected = share * 0.5 / (share * 0.5 + (1 - share) * norm.sf(1))
        assert curve.precision[half] == pytest.approx(expected, rel=1e-3)
        assert curve.prevalence == pytest.approx(share)


def test_a_score_that_knows_nothing():
    """Random scores: AUC 1/2, precision the prevalence, improvement sqrt(eps); a constant one exactly so."""
    labels = np.repeat([0, 1], [40_000, 10_000])
    scores = np.random.default_rng(3).random(50_000)
    assert auc(labels, scores) == pytest.approx(0.5, abs=4 * np.sqrt(1 / (12 * 8000)))
    assert average_precision(labels, scores) == pytest.approx(0.2, abs=0.01)
    assert max_sic(labels, scores) < 1.2
    constant = np.ones(50_000)
    assert auc(labels, constant) == 0.5
    assert average_precision(labels, constant) == pytest.approx(0.2)
    assert max_sic(labels, constant) == 1.0
    assert sic_at_rejection(labels, constant, 100) == pytest.approx(np.sqrt(1 / 100))


def test_a_perfect_score():
    labels = np.repeat([0, 1], [1000, 50])
    assert auc(labels, labels) == 1.0
    assert average_precision(labels, labels) == 1.0
    assert youden_threshold(labels, labels) == 1.0
    assert sic_at_rejection(labels, labels, 40) == pytest.approx(np.sqrt(40))
    # All signal passes before any background; the floor still wants 25 of these.
    scores = labels + np.random.default_rng(0).random(1050) / 2
    assert max_sic(labels, scores) == pytest.approx(np.sqrt(1000 / 25))


# Ties.


def test_a_threshold_cannot_cut_through_equal_scores():
    labels, scores = np.array([0] * 100 + [1] * 10), np.array([1] * 50 + [0] * 50 + [1] * 8 + [0] * 2)
    curve = sic_curve(labels, scores)
    assert curve.thresholds.tolist() == [1, 0]
    assert curve.sic == pytest.approx([0.8 / np.sqrt(0.5), 1])
    assert len(roc_curve(labels, scores).fpr) == 3


def test_rejection_within_equal_scores_is_what_lots_give():
    rng = np.random.default_rng(8)
    labels = np.repeat([0, 1], [400, 60])
    scores = np.round(rng.normal(labels))
    expected = lots_sic(labels, scores, 10, 3000, rng)
    assert sic_at_rejection(labels, scores, 10) == pytest.approx(expected, rel=0.02)


def test_rejection_stops_before_the_next_background_event():
    """40 of 1000 background events may pass: all signal above the 41st counts."""
    labels = np.array([0] * 1000 + [1] * 10)
    scores = np.concatenate([np.arange(1000.0), [959.5] * 6, [958.5] * 4])
    assert sic_at_rejection(labels, scores, 25) == pytest.approx(0.6 * 5)
    assert sic_at_rejection(labels, scores, 1) == pytest.approx(1.0)


# The floor.


def test_floor_of_25_events():
    labels = np.array([0] * 1000 + [1] * 10)
    scores = np.concatenate([np.arange(1000.0), np.full(10, 2000.0)])
    curve = sic_curve(labels, scores)
    assert curve.passing_background[0] == 25
    assert curve.sic[0] == max_sic(labels, scores) == pytest.approx(1 / np.sqrt(0.025))
    assert max_sic(labels, scores, min_background=100) == pytest.approx(1 / np.sqrt(0.1))
    np.testing.assert_allclose(curve.sic, curve.tpr / np.sqrt(curve.fpr))


def test_floor_counts_effective_events():
    """30 events pass, but one of them has nearly all the weight: nobody knows this background to 20 %."""
    labels = np.array([0] * 1000 + [1] * 10)
    scores = np.concatenate([np.arange(1000.0), np.full(10, 2000.0)])
    weights = np.ones(1010)
    weights[999] = 100.0
    curve = sic_curve(labels, scores, weights)
    first = curve.passing_background[0]
    assert first == pytest.approx(25, rel=0.02)
    k = round((curve.fpr * 1099)[0]) - 100
    assert first == pytest.approx((100 + k) ** 2 / (100**2 + k))
    assert k > 300
    assert max_sic(labels, scores, 7 * np.ones(1010)) == pytest.approx(max_sic(labels, scores))


def test_too_few_events_are_refused_with_the_number_that_is_needed():
    labels = np.repeat([0, 1], [20_000, 300])
    scores = np.random.default_rng(1).normal(labels)
    with pytest.raises(DataError, match="needs N >= 25000 background events, so that 25 pass; of the 20000 here 20 do"):
        sic_at_rejection(labels, scores, 1000)
    assert sic_at_rejection(labels, scores, 1000, min_background=20) > 0
    assert sic_at_rejection(labels, scores, 800) > 0  # Exactly 25 pass.
    with pytest.raises(DataError, match="needs N >= 100 background events, here are 24"):
        sic_curve(labels[19_976:], scores[19_976:], min_background=100)
    with pytest.raises(DataError, match=r"here are 24 \(effectively 2.\d\)"):
        max_sic(labels[19_976:], scores[19_976:], np.where(np.arange(324) < 2, 100.0, 1.0))


def test_weighted_rejection_needs_more_events():
    """The number of events that is asked for is enough if it is provided."""
    rng = np.random.default_rng(4)

    def sample(n):
        labels = np.repeat([0, 1], [n, 300])
        return labels, rng.normal(labels), rng.exponential(size=n + 300)

    with pytest.raises(DataError, match="needs N >=") as refused:
        sic_at_rejection(*sample(10_000)[:2], 1000, sample(10_000)[2])
    needed = int(str(refused.value).split("N >= ")[1].split()[0])
    assert needed > 25_000
    labels, scores, weights = sample(int(1.6 * needed))
    assert sic_at_rejection(labels, scores, 1000, weights) > 0


# Bad input.


@pytest.mark.parametrize(
    "statistic", [auc, average_precision, max_sic, roc_curve, sic_curve, pr_curve, youden_threshold]
)
@pytest.mark.parametrize(
    ("labels", "scores", "weights", "reason"),
    [
        ([0, 0, 0], [1, 2, 3], None, "all 3 events are background"),
        ([1, 1, 1], [1, 2, 3], None, "all 3 events are signal"),
        ([0, 1], [1.0, np.nan], None, "event 1: 1 of the scores are NaN or inf"),
        ([0, 1], [np.inf, 1.0], None, "event 0: 1 of the scores are NaN or inf"),
        ([0, 1, 1], [1, 2], None, r"2 scores need 2 labels, not an array of shape \(3,\)"),
        ([[0], [1]], [1, 2], None, r"not an array of shape \(2, 1\)"),
        ([0, 1], [[1, 2], [3, 4]], None, r"shape \(2, 2\). Take the column of the signal"),
        ([], [], None, r"not an array of shape \(0,\)"),
        ([-1, 1], [1, 2], None, "labels must be 0"),
        ([0, 1, 2], [1, 2, 3], None, "not 0.0, 1.0, 2.0|not 0, 1, 2"),
        ([0, np.nan], [1, 2], None, "labels must be 0"),
        (["qcd", "wprime"], [1, 2], None, "labels must be 0"),
        ([0, 1], ["low", "high"], None, "the scores are not numbers"),
        ([0, 1], [1, 2], [1.0], "2 scores need 2 weights"),
        ([0, 1], [1, 2], [1.0, np.nan], "event 1: 1 of the weights are NaN"),
        ([0, 1], [1, 2], [0.0, 1.0], "weights of the background add up to 0"),
        ([0, 0, 1], [1, 2, 3], [1.0, -3.0, 1.0], "weights of the background add up to -2"),
    ],
)
def test_bad_input_is_named(statistic, labels, scores, weights, reason):
    with pytest.raises(DataError, match=reason):
        statistic(labels, scores, weights)


@pytest.mark.parametrize("statistic", [average_precision, pr_curve])
def test_precision_refuses_negative_weights(statistic):
    with pytest.raises(DataError, match="1 weights are negative"):
        statistic([0, 0, 1], [1, 2, 3], [3.0, -1.0, 1.0])


def test_precision_skips_thresholds_that_nothing_passes():
    curve = pr_curve([0, 1, 1], [3, 2, 1], [1.0, 0.0, 1.0])
    assert np.isfinite(curve.precision).all()
    leading = pr_curve([0, 1, 0], [3, 2, 1], [0.0, 1.0, 1.0])
    assert leading.thresholds.tolist() == [2, 1]


@pytest.mark.parametrize("rejection", [0, 0.5, -3, np.nan, np.inf])
def test_impossible_rejections(rejection):
    with pytest.raises(ConfigError, match="at least 1"):
        sic_at_rejection([0, 1], [1, 2], rejection)


@pytest.mark.parametrize("floor", [0, -1, np.nan])
def test_impossible_floors(floor):
    with pytest.raises(ConfigError, match="above 0"):
        max_sic([0, 1], [1, 2], min_background=floor)


@pytest.mark.parametrize("kind", [bool, np.int8, np.float32, np.uint8])
def test_types_of_labels(kind):
    assert auc(np.array([0, 0, 1], dtype=kind), [1, 2, 3]) == 1.0

"""The ratio of two densities against the analytic one, and weights that are bounded and never nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmslabs.errors import DataError
from cmslabs.search.estimate import ControlRegion, Estimate, bounded_weights
from cmslabs.search.ratio import DensityRatio

QUICK = {"members": 1, "epochs": 15, "learning_rate": 5e-3, "random_state": 2}


def true_log_ratio(x, shift=0.8):
    """Of two Gaussians of width 1, the second one shifted."""
    return shift * x - shift**2 / 2


@pytest.fixture(scope="module")
def ratio():
    """Four times as many events of the first sample."""
    rng = np.random.default_rng(12)
    return DensityRatio(**QUICK).fit(rng.normal(size=(12_000, 1)), rng.normal(0.8, 1, size=(3000, 1)))


def test_log_ratio_of_two_gaussians(ratio):
    x = np.linspace(-1.5, 2.3, 40)
    found = ratio.log_ratio(x[:, None])
    assert np.abs(found - true_log_ratio(x)).max() < 0.25
    assert np.abs(found - true_log_ratio(x)).mean() < 0.1


def test_sizes_of_the_samples_are_a_factor(ratio):
    x = np.linspace(-1, 1, 5)[:, None]
    np.testing.assert_allclose(ratio.log_ratio(x, normalised=False) - ratio.log_ratio(x), np.log(3000 / 12_000))
    assert ratio.log_share_ == pytest.approx(np.log(1 / 4))


def test_yields_of_the_second_sample(ratio):
    """The weighted first sample has as many events as the second one, there and in any part of it."""
    X = np.random.default_rng(13).normal(size=(12_000, 1))
    weights = np.exp(ratio.log_ratio(X, normalised=False))
    assert weights.sum() == pytest.approx(3000, rel=0.06)
    assert weights[X[:, 0] > 1].sum() == pytest.approx(3000 * 0.4207, rel=0.1)


def test_it_goes_on_where_it_has_seen_nothing():
    """Trained below 1 only.  A constant beyond it, as of trees, would be wrong by 0.8 at 2."""
    rng = np.random.default_rng(14)
    first, second = rng.normal(size=(20_000, 1)), rng.normal(0.8, 1, size=(20_000, 1))
    model = DensityRatio(**QUICK).fit(first[first[:, 0] < 1], second[second[:, 0] < 1])
    # The parts below 1 are normalised anew.
    offset = np.log(0.841345 / 0.579260)
    x = np.linspace(1, 2, 6)
    found = model.log_ratio(x[:, None])
    assert np.abs(found - (true_log_ratio(x) + offset)).max() < 0.3


def test_weights_of_the_first_sample_count():
    """Weighted to look like the second, there is nothing left to be told."""
    rng = np.random.default_rng(15)
    first, second = rng.normal(size=(12_000, 1)), rng.normal(0.8, 1, size=(6000, 1))
    weights = np.exp(true_log_ratio(first[:, 0]))
    model = DensityRatio(**QUICK).fit(first, second, weights)
    assert np.abs(model.log_ratio(np.linspace(-1, 2, 20)[:, None])).max() < 0.25
    assert model.log_share_ == pytest.approx(np.log(6000 / weights.sum()))


def test_the_log_ratio_is_the_mean_of_the_members():
    rng = np.random.default_rng(16)
    parts = rng.normal(size=(300, 2)), rng.normal(size=(300, 2))
    quick = QUICK | {"epochs": 2}
    both = DensityRatio(**(quick | {"members": 2})).fit(*parts)
    alone = DensityRatio(**quick).fit(*parts)
    X = rng.normal(size=(10, 2))
    assert len(both.networks_) == len(both.histories_) == 2
    # The first member does not depend on how many there are; the second one is another.
    both.networks_, second = both.networks_[:1], both.networks_[1]
    assert (both.log_ratio(X) == alone.log_ratio(X)).all()
    mean = (alone.log_ratio(X) + _alone(both, second, X)) / 2
    both.networks_ = [*both.networks_, second]
    np.testing.assert_allclose(both.log_ratio(X), mean, rtol=1e-5)
    assert (_alone(both, second, X) != alone.log_ratio(X)).any()


def _alone(model, network, X):
    kept, model.networks_ = model.networks_, [network]
    found = model.log_ratio(X)
    model.networks_ = kept
    return found


def test_too_few_events():
    with pytest.raises(DataError, match="9 and 100 events are too few to tell two samples apart"):
        DensityRatio().fit(np.zeros((9, 1)), np.zeros((100, 1)))


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=40), st.floats(-3, 3))
def test_weights_are_bounded_and_never_zero(log_ratios, log_share):
    log_ratios = np.array([*log_ratios, 0.0, 1.0])
    weights, clipped = bounded_weights(log_ratios, log_share)
    share = np.exp(log_share)
    expected = [share * np.exp(min(max(one, -6.0), 6.0)) for one in log_ratios]
    np.testing.assert_allclose(weights, expected, rtol=1e-12)
    assert weights.min() > 0
    assert clipped == pytest.approx(np.mean([abs(one) > 6 for one in log_ratios]))


def test_weights_that_are_all_equal_are_refused():
    with pytest.raises(DataError, match=r"has learnt nothing. Give more events or epochs"):
        bounded_weights(np.full(10, 0.3), 0.0)
    # That all are bounded is another mistake.
    for log_ratios in (np.linspace(7, 9, 10), np.linspace(-9, 9, 10)[[0, -1]]):
        with pytest.raises(DataError, match=r"weights lie beyond the bound of e.6: data and simulation do not overlap"):
            bounded_weights(log_ratios, 0.0)
    weights, clipped = bounded_weights(np.array([0.3]), 0.0)
    assert (weights.tolist(), clipped) == ([pytest.approx(np.exp(0.3))], 0.0)


def test_expected_and_effective_events():
    found = Estimate(pd.DataFrame({"x": range(4)}), np.array([1.0, 1.0, 2.0, 0.0]))
    assert found.expected == 4.0
    assert found.effective == pytest.approx(16 / 6)
    assert Estimate(pd.DataFrame({"x": range(4)}), np.full(4, 0.3)).effective == pytest.approx(4.0)


@pytest.mark.parametrize("simulation", [None, pd.DataFrame({"x": []})])
def test_a_missing_simulation_is_said_to_be_missing(simulation):
    with pytest.raises(DataError, match="the method 'morph' needs simulated events of the control region"):
        ControlRegion(pd.DataFrame({"x": [1.0]}), simulation).needed_simulation("morph")

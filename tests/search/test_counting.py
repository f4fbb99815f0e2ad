"""From scores to a count: against a loop over events, known significances, and how wrong a method is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from search_worlds import scored

from cmslabs.errors import ConfigError, DataError
from cmslabs.search.counting import Count, closure_residual, count_events


@pytest.mark.parametrize(
    ("n_on", "background", "sigma", "z"),
    [(150, 100, 10, 3.108), (20, 10, 1, 2.521), (110, 100, 10, 0.621), (100, 100, 10, -0.071)],
)
def test_significances_that_others_have(n_on, background, sigma, z):
    assert Count(0.01, n_on, background, sigma).z == pytest.approx(z, abs=6e-4)
    # The same uncertainty from the closure.
    other = Count(0.01, n_on, background, 0.0, sigma / background)
    assert other.sigma == pytest.approx(sigma)
    assert other.z == pytest.approx(z, abs=6e-4)


def test_both_uncertainties_in_quadrature():
    count = Count(0.01, 130, 100.0, 6.0, 0.08)
    assert count.sigma == pytest.approx(10.0)
    assert count.z < Count(0.01, 130, 100.0, 6.0).z
    assert count.p == pytest.approx(norm.sf(count.z))
    assert str(count) == f"130 observed, 100.0 +- 10.0 expected, Z = {count.z:.2f}"


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(22)
    y = np.repeat([0, 1], [400, 200])
    return scored(y, rng.normal(size=600), np.where(y == 1, 1.0, rng.uniform(0.1, 3, 600)), np.arange(600) % 3)


def count_by_hand(model, efficiency):
    """Event by event, fold by fold, from the highest score down."""
    n_on, weights = 0, []
    for fold in range(model.folds):
        rows = sorted(np.flatnonzero(model.fold_ == fold), key=lambda row: -model.scores_[row])
        allowed = efficiency * sum(model.weights_[row] for row in rows if model.y_[row] == 0)
        kept = []
        for row in rows:
            if model.y_[row] == 1:
                n_on += 1
                continue
            kept.append(model.weights_[row])
            if sum(kept) >= allowed:
                break
        weights += kept
    return n_on, sum(weights), np.sqrt(sum(weight**2 for weight in weights))


@pytest.mark.parametrize("efficiency", [0.05, 0.2, 0.7])
def test_counts_are_what_a_loop_over_events_finds(model, efficiency):
    count = count_events(model, efficiency, 0.1)
    n_on, background, statistical = count_by_hand(model, efficiency)
    assert count.n_on == n_on
    assert count.background == pytest.approx(background)
    assert count.statistical == pytest.approx(statistical)
    assert (count.efficiency, count.residual) == (efficiency, 0.1)


def test_without_a_cut_everything_counts(model):
    count = count_events(model, 1.0)
    assert count.n_on == 200
    assert count.background == pytest.approx(model.weights_[:400].sum())


@pytest.mark.parametrize(("efficiency", "residual"), [(0, 0), (1.2, 0), (-0.1, 0), (0.1, -0.2), (np.nan, 0)])
def test_impossible_cuts(model, efficiency, residual):
    with pytest.raises(ConfigError, match="is not possible"):
        count_events(model, efficiency, residual)


def test_among_equal_scores_the_share_passes_by_lot():
    model = scored(np.repeat([0, 1], 100), np.zeros(200), np.ones(200), np.arange(200) % 2)
    count = count_events(model, 0.3)
    assert count.background == 30
    # As many of the data, but for the lots.
    assert 15 < count.n_on < 45


@pytest.mark.parametrize("truth", [0.0, 0.05, 0.15])
def test_the_residual_of_many_tries_is_the_one_that_was_planted(truth):
    """Predictions that are wrong by a random share, with statistics of their own and Poisson numbers on top."""
    rng = np.random.default_rng(23)
    true, statistical = 300.0, 12.0
    expected = true * (1 + truth * rng.normal(size=3000)) + statistical * rng.normal(size=3000)
    found = closure_residual(rng.poisson(true, 3000), expected, np.full(3000, statistical))
    assert found == pytest.approx(truth, abs=0.012 + 0.1 * truth)


def test_a_bias_counts_as_a_spread_does():
    rng = np.random.default_rng(24)
    found = closure_residual(rng.poisson(330, 3000), np.full(3000, 300.0), np.zeros(3000))
    assert found == pytest.approx(0.1, abs=0.01)


def test_numbers_that_fluctuate_less_than_poisson_leave_nothing():
    assert closure_residual([100, 100], [100.0, 100.0], [3.0, 3.0]) == 0.0


def test_a_residual_needs_nulls():
    with pytest.raises(DataError, match=r"needs tries without signal. Put 0 among the injections"):
        closure_residual([], [], [])

"""Closure: what is the same lies in its band, what is not does not; ratios are those of numpy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cmslabs.errors import DataError, MissingBranchError
from cmslabs.search.closure import Closure, _band, closure, closure_auc, closure_in_control, feature_ratio
from cmslabs.search.estimate import ControlRegion, Estimate
from cmslabs.search.methods import Uncorrected

QUICK = {"folds": 2, "members": 1, "max_iter": 10}


def gaussian(n, rng, shift=0.0) -> pd.DataFrame:
    return pd.DataFrame(rng.normal(shift, 1, size=(n, 2)), columns=["a", "b"])


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(25)


@pytest.fixture(scope="module")
def same(rng):
    """Twice as many estimated events, each of more than half a weight: right looks, and a wrong yield."""
    return closure(gaussian(600, rng), Estimate(gaussian(1200, rng), np.full(1200, 0.65)), ["a", "b"], 20, **QUICK)


def test_identical_samples_lie_in_their_band(same):
    assert same.within
    assert same.auc == pytest.approx(0.5, abs=0.05)
    # A wrong yield is no matter of the area.
    assert same.yield_ratio == pytest.approx(1.3)


def test_the_band_is_where_one_more_of_the_null_would_be(same):
    assert len(same.null) == 20
    assert np.mean(same.band) == pytest.approx(same.null.mean())
    # Student's t for 19 degrees of freedom, from a table; and the mean of 20 is uncertain, too.
    assert np.ptp(same.band) / 2 == pytest.approx(2.093 * same.null.std(ddof=1) * np.sqrt(21 / 20), rel=1e-3)
    assert same.band[0] < 0.5 < same.band[1]
    # The spread of an area of 600 against 1200 events is 0.0144.
    assert 0.005 < same.null.std() < 0.03


def test_a_shift_is_found_and_its_band_is_where_it_was(rng, same):
    shifted = closure(
        gaussian(600, rng, 0.4), Estimate(gaussian(1200, rng), np.full(1200, 0.5)), ["a", "b"], 10, **QUICK
    )
    assert not shifted.within
    # Two Gaussians, 0.4 apart in two directions: Phi(0.4).
    assert 0.57 < shifted.auc < 0.69
    assert shifted.band[1] < shifted.auc
    assert shifted.null.mean() == pytest.approx(0.5, abs=0.02)


def test_the_area_is_weighted(rng):
    """A shifted estimate with the right weights closes; without them it does not."""
    truth, table = gaussian(1500, rng, 0.5), gaussian(3000, rng)
    weights = np.exp(0.5 * table.sum(axis=1).to_numpy() - 0.25)
    weighted, plain = (closure_auc(truth, Estimate(table, w), ["a", "b"], 1, **QUICK) for w in (weights, np.ones(3000)))
    assert weighted == pytest.approx(0.5, abs=0.05)
    assert plain > 0.58


def test_within_is_a_matter_of_the_band():
    inside, below, above = (Closure(auc, np.zeros(1), (0.48, 0.52), 1.0).within for auc in (0.52, 0.47, 0.53))
    assert (inside, below, above) == (True, False, False)


def test_too_few_permutations(rng):
    with pytest.raises(DataError, match=r"9 permutations give no band. Use at least 10"):
        closure(gaussian(100, rng), Estimate(gaussian(100, rng), np.ones(100)), ["a"], permutations=9)


def test_the_control_region_is_halved_and_no_event_is_on_both_sides(rng):
    """What is learnt from is not what is compared; the yield of one half is expected for the other."""
    data = gaussian(601, rng, 0.5).assign(event=np.arange(601))
    simulation = gaussian(1001, rng).assign(event=np.arange(1001))
    seen = []

    class Watched(Uncorrected):
        def fit(self, control):
            seen.append(control)
            return super().fit(control)

        def estimate(self, table):
            seen.append(table)
            return super().estimate(table)

    found = closure_in_control(Watched, ControlRegion(data, simulation), ["a", "b"], folds=2, max_iter=4)
    learnt, asked = seen
    assert (len(learnt.data), len(learnt.simulation), len(asked)) == (300, 500, 501)
    assert not set(learnt.simulation["event"]) & set(asked["event"])
    assert found.yield_ratio == pytest.approx(501 * 0.6 / 301)
    # The uncorrected simulation is not the data.
    assert not found.within
    assert found.auc > 0.55
    with pytest.raises(DataError, match="'closure' needs simulated events"):
        closure_in_control(Uncorrected, ControlRegion(data), ["a"])


def test_ratios_in_bins_are_those_of_numpy(rng):
    truth, table = gaussian(500, rng), gaussian(900, rng, 0.2)
    weights = rng.uniform(0.2, 1.5, 900)
    found = feature_ratio(truth, Estimate(table, weights), "b", bins=5)
    assert len(found) == 5
    assert found["true"].tolist() == [100] * 5
    for row in found.to_dict("records"):
        last = row["high"] == found["high"].max()
        first = row["low"] == found["low"].min()
        # The outer bins are open: an estimate that is too wide must not lose its tails.
        inside = [(first or row["low"] <= x) and (last or x < row["high"]) for x in table["b"]]
        chosen = weights[inside]
        assert row["estimated"] == pytest.approx(chosen.sum())
        assert row["ratio"] == pytest.approx(chosen.sum() / 100)
        relative = np.sqrt((chosen**2).sum() / chosen.sum() ** 2 + 1 / 100)
        assert row["error"] == pytest.approx(row["ratio"] * relative)
    assert found["estimated"].sum() == pytest.approx(weights.sum())
    assert (found["low"].iloc[0], found["high"].iloc[-1]) == (truth["b"].min(), truth["b"].max())
    assert (found["low"].iloc[1:].to_numpy() == found["high"].iloc[:-1].to_numpy()).all()


def test_many_equal_values_make_fewer_bins():
    truth = pd.DataFrame({"a": [1.0] * 60 + list(np.linspace(0, 1, 41)[:-1])})
    found = feature_ratio(truth, Estimate(truth, np.ones(100)), "a", bins=5)
    assert len(found) < 5
    assert found["true"].sum() == found["estimated"].sum() == 100
    assert (found["ratio"] == 1).all()


def test_a_missing_feature_is_named(rng):
    truth = gaussian(50, rng)
    with pytest.raises(MissingBranchError, match=r"no column 'B'. Is it called 'b'\?"):
        feature_ratio(truth, Estimate(truth, np.ones(50)), "B")


@pytest.mark.parametrize("n", [10, 20])
def test_a_band_of_few_shuffles_holds_95_percent(n):
    rng = np.random.default_rng(31)
    null = rng.normal(0.5, 0.01, (4000, n + 1))
    inside = [low <= one[-1] <= high for one in null for low, high in [_band(one[:-1])]]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)


def test_a_bin_with_nothing_estimated_has_the_ratio_0_with_an_error_of_0():
    truth = pd.DataFrame({"a": np.linspace(0, 1, 100)})
    found = feature_ratio(truth, Estimate(truth[:50], np.ones(50)), "a", bins=4)
    assert found[["ratio", "error"]].iloc[-1].tolist() == [0.0, 0.0]

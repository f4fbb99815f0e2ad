"""What is expected in each bin: sums over groups, variations, bins beyond the axis; against plain loops."""

from __future__ import annotations

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_stacks import EDGES, STACK, filled, simple

from cmslabs.errors import ConfigError, DataError
from cmslabs.plotting.expected import Expected, expected_events, observed_events


@st.composite
def samples(draw):
    number = st.floats(-1, 5)
    weight = st.floats(-2, 2).filter(lambda w: abs(w) > 1e-3)
    events = draw(st.lists(st.tuples(st.sampled_from("ab"), number, weight), min_size=1, max_size=25))
    entries = [("a", "nominal", 0.5, 1.0), ("b", "nominal", 0.5, 1.0)]
    for dataset, x, w in events:
        entries += [(dataset, "nominal", x, w), (dataset, "sUp", x, 1.5 * w), (dataset, "sDown", x, 0.7 * w)]
    entries += [(name, s, 0.5, 1.0) for name in "ab" for s in ("sUp", "sDown")]
    return entries


@given(entries=samples(), overflow=st.sampled_from(["omit", "add"]))
@settings(max_examples=60, deadline=None)
def test_sums_are_those_of_a_loop(entries, overflow):
    def by_hand(dataset, systematic, power):
        bins = [0.0, 0.0, 0.0]
        for name, variation, x, weight in entries:
            if name not in dataset or variation != systematic:
                continue
            index = sum(x >= edge for edge in EDGES) - 1
            if overflow == "add":
                index = min(max(index, 0), 2)
            if 0 <= index < 3:
                bins[index] += weight**power
        return np.array(bins)

    found = expected_events(filled(entries), {"A": "a", "B": ["b"]}, overflow=overflow)
    for name in "ab":
        np.testing.assert_allclose(found.groups[name.upper()], by_hand(name, "nominal", 1), atol=1e-12)
    np.testing.assert_allclose(found.variance, by_hand("ab", "nominal", 2), atol=1e-12)
    nominal = by_hand("ab", "nominal", 1)
    for side, shift in zip(("sUp", "sDown"), found.shifts["s"], strict=True):
        np.testing.assert_allclose(shift, by_hand("ab", side, 1) - nominal, atol=1e-9)
    total = sum(w for _, s, _, w in entries if s == "nominal")
    assert found.total.sum() + found.outside == pytest.approx(total, abs=1e-9)


def test_the_order_of_the_axes_does_not_matter():
    entries = [("a", "nominal", 0.5, 2.0), ("a", "nominal", 3.0, 1.0), ("b", "nominal", 1.5, 4.0)]
    for order in (("dataset", "systematic", "x"), ("x", "systematic", "dataset"), ("systematic", "x", "dataset")):
        assert expected_events(filled(entries, order), {"AB": ["a", "b"]}).total.tolist() == [2, 4, 1]


def test_axes_without_flow_have_nothing_outside():
    axis = hist.axis.Regular(2, 0, 2, name="x", flow=False)
    names = [hist.axis.StrCategory([name], name=axis_name) for axis_name, name in
             (("dataset", "a"), ("systematic", "nominal"))]  # fmt: skip
    histogram = hist.Hist(*names, axis, storage=hist.storage.Weight())
    histogram.fill(dataset="a", systematic="nominal", x=[-1, 0.5, 1.5, 1.6, 7])
    for overflow in ("omit", "add"):
        found = expected_events(histogram, {"A": "a"}, overflow=overflow)
        assert (found.total.tolist(), found.outside) == ([1, 2], 0)


def test_groups_bands_and_what_lies_beyond():
    found = expected_events(simple(), STACK)
    assert list(found.groups) == ["Other", "Drell-Yan"]
    assert found.groups["Drell-Yan"].tolist() == [2, 4, 4]
    assert found.total.tolist() == [2.5, 5, 5]
    assert found.outside == 5
    assert found.variance.tolist() == [4.25, 8.5, 8.5]
    low, high = found.band
    np.testing.assert_allclose(high, np.sqrt(found.variance + (0.1 * found.total) ** 2))
    np.testing.assert_allclose(low, np.sqrt(found.variance + (0.2 * found.total) ** 2))
    without = expected_events(simple(), STACK, systematics=())
    assert without.shifts == {}
    np.testing.assert_allclose(without.band[0], np.sqrt(without.variance))
    everything = expected_events(simple(), STACK, overflow="add")
    assert everything.total.tolist() == [5, 5, 7.5]
    counts, outside = observed_events(simple(), "data")
    assert (counts.counts.tolist(), outside) == ([2, 0, 1], 3)
    counts, outside = observed_events(simple(), ["data"], overflow="add")
    assert (counts.counts.tolist(), outside) == ([3, 0, 3], 0)


def test_variations_to_the_same_side_count_once():
    both_up = Expected(np.array([0.0, 1.0]), {"A": np.array([10.0])}, np.array([9.0]), {}, 0.0)
    shifted = Expected(both_up.edges, both_up.groups, both_up.variance, {"s": (np.array([4.0]), np.array([1.0]))}, 0.0)
    assert (shifted.band[0].tolist(), shifted.band[1].tolist()) == ([3.0], [5.0])


def test_covariance_is_that_of_toys():
    """A hundred thousand worlds: statistics bin by bin, and one pull for each systematic."""
    found = expected_events(simple(), STACK)
    rng = np.random.default_rng(1)
    pull = rng.standard_normal((200_000, 1))
    half = (found.shifts["id"][0] - found.shifts["id"][1]) / 2
    toys = found.total + rng.standard_normal((200_000, 3)) * np.sqrt(found.variance) + pull * half
    np.testing.assert_allclose(np.cov(toys.T), found.covariance, rtol=0.02, atol=0.05)
    np.testing.assert_allclose(half, 0.15 * found.total)


def test_a_variation_that_was_never_filled_is_no_loss_of_all_events():
    entries = [("a", s, 0.5, 1.0) for s in ("nominal", "sUp", "sDown")] + [("b", "nominal", 0.5, 1.0)]
    with pytest.raises(DataError, match="'b' was never filled for 'sUp'"):
        expected_events(filled(entries), {"AB": ["a", "b"]})
    assert expected_events(filled(entries), {"AB": ["a", "b"]}, systematics=()).total.tolist() == [2, 0, 0]
    # A data set that has no events at all may lack it.
    nothing = filled([*entries[:3], ("b", "nominal", 0.5, 0.0)])
    assert expected_events(nothing, {"AB": ["a", "b"]}).total.tolist() == [1, 0, 0]


def test_wrong_names_are_told():
    with pytest.raises(ConfigError, match=r"no dataset 'dyy'.*\n?.*Try: dy"):
        expected_events(simple(), {"Drell-Yan": "dyy"})
    with pytest.raises(ConfigError, match="no systematic 'scaleUp'"):
        expected_events(simple(), STACK, systematics="scale")
    with pytest.raises(ConfigError, match="two groups"):
        expected_events(simple(), {"A": ["dy"], "B": ["zz", "dy"]})
    with pytest.raises(ConfigError, match="no simulated data set"):
        expected_events(simple(), {})
    with pytest.raises(ConfigError, match="no data"):
        observed_events(simple(), [])
    with pytest.raises(ConfigError, match="overflow must be"):
        expected_events(simple(), STACK, overflow="hide")
    with pytest.raises(ConfigError, match="has the axes"):
        expected_events(simple()["dy", ...], STACK)


def test_a_lonely_variation_is_told():
    entries = [("a", s, 0.5, 1.0) for s in ("nominal", "sUp")]
    with pytest.raises(ConfigError, match="no partner: sUp"):
        expected_events(filled(entries), {"A": "a"})
    entries = [("a", s, 0.5, 1.0) for s in ("nominal", "tune")]
    with pytest.raises(ConfigError, match="no partner: tune"):
        expected_events(filled(entries), {"A": "a"})

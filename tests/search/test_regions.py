"""Signal and control region: where the borders belong, and whether one supports the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmslabs.errors import ConfigError, DataError, MissingBranchError, missing_column
from cmslabs.search.regions import Regions, overlap_of
from cmslabs.search.tables import columns_of

ENDS = st.one_of(st.none(), st.integers(-3, 3))


def is_inside(row, cuts) -> bool:
    """One event and one comparison after the other."""
    for name, (low, high) in cuts.items():
        if low is not None and not row[name] > low:
            return False
        if high is not None and not row[name] < high:
            return False
    return True


def usable(cut) -> bool:
    low, high = cut
    return not (low is None and high is None) and not (low is not None and high is not None and low >= high)


CUTS = st.dictionaries(st.sampled_from(["ht", "met"]), st.tuples(ENDS, ENDS).filter(usable), min_size=1)


@given(CUTS, st.one_of(st.just({}), CUTS), st.integers(0, 2**31))
def test_regions_are_what_a_loop_over_events_says(signal, within, seed):
    """Values on whole numbers, so that many lie on a border: that belongs to the outside."""
    values = np.random.default_rng(seed).integers(-4, 5, size=(60, 2)).astype(float)
    table = pd.DataFrame(values, columns=["ht", "met"])
    regions = Regions(signal, within)
    rows = table.to_dict("records")
    expected = [is_inside(row, within) and is_inside(row, signal) for row in rows]
    beside = [is_inside(row, within) and not is_inside(row, signal) for row in rows]
    assert regions.in_signal(table).tolist() == expected
    assert regions.in_control(table).tolist() == beside
    shares = regions.fractions(table)
    assert shares["signal"] == pytest.approx(np.mean(expected))
    assert sum(shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_context_that_is_not_finite_is_refused(bad):
    """It would count as control region, since it is in no signal region."""
    table = pd.DataFrame({"ht": [900.0, 700.0, bad], "met": [80.0, 20.0, 30.0]})
    regions = Regions({"ht": (800.0, None), "met": (75.0, None)})
    for use in (regions.in_signal, regions.in_control, regions.split, regions.fractions):
        with pytest.raises(DataError, match=r"row 2: the column 'ht' has a value that is not finite"):
            use(table)


def test_without_outer_edges_the_control_region_is_the_complement():
    table = pd.DataFrame(np.random.default_rng(1).normal(size=(500, 2)), columns=["ht", "met"])
    regions = Regions({"ht": (0.2, None), "met": (-0.1, None)})
    assert (regions.in_signal(table) ^ regions.in_control(table)).all()
    inside, beside = regions.split(table)
    pd.testing.assert_frame_equal(pd.concat([inside, beside]).sort_index(), table)


def test_the_context_has_all_columns_that_are_cut_on_once():
    assert Regions({"mjj": (1, 2)}, {"mjj": (0, 3), "ht": (5, None)}).context == ("mjj", "ht")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "signal_region: a signal region needs at least one cut"),
        (({"ht": (None, None)},), r"signal_region: the cut on 'ht' has no end. Give \[low, high\]"),
        (({"ht": (2.0, 1.0)},), "signal_region: 2 to 1 of 'ht' is no interval"),
        (({"ht": (1.0, 1.0)},), "is no interval"),
        (({"ht": (1.0, 2.0)}, {"met": (4.0, 3.0)}), "within: 4 to 3 of 'met' is no interval"),
    ],
)
def test_cuts_that_say_nothing(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Regions(*arguments)


def test_a_missing_column_is_named_with_the_one_that_was_meant():
    table = pd.DataFrame({"HT": [1.0], "met": [2.0]})
    with pytest.raises(MissingBranchError, match=r"no column 'ht'. Is it called 'HT'\?"):
        Regions({"ht": (0.0, None)}).in_signal(table)
    with pytest.raises(MissingBranchError, match=r"no column 'mjj'. It has: HT, met"):
        Regions({"HT": (0.0, None)}, {"mjj": (0.0, None)}).in_control(table)


@pytest.mark.parametrize(("units", "region"), [(1e-3, "signal"), (1e3, "control")])
def test_an_empty_region_is_refused_and_the_units_are_mentioned(units, region):
    table = pd.DataFrame({"ht": np.linspace(850.0, 900.0, 50) * units})
    with pytest.raises(DataError, match=rf"no event of the data \(50 events\) lies in the {region} region.*GeV"):
        Regions({"ht": (800.0, None)}).split(table, "the data")


def test_missing_column():
    error = missing_column("MET", ["met", "ht"], "a.parquet")
    assert isinstance(error, MissingBranchError)
    assert str(error) == "a.parquet: the table has no column 'MET'. Is it called 'met'?"
    assert str(missing_column("x", [])) == "the table has no column 'x'. It has: none."
    many = str(missing_column("x", [f"column{n}" for n in range(40)]))
    assert "column19" in many
    assert "column20" not in many


def test_columns_as_numbers():
    table = pd.DataFrame({"a": [1, 2], "b": [3.0, np.inf], "c": np.array([5, 6], dtype="f4")})
    assert columns_of(table, ["c", "a"]).tolist() == [[5.0, 1.0], [6.0, 2.0]]
    with pytest.raises(DataError, match="row 1: the column 'b' has a value that is not finite"):
        columns_of(table, ["a", "b"])
    with pytest.raises(MissingBranchError, match="no column 'd'"):
        columns_of(table, ["d"])


def square(low, high, n, rng):
    return pd.DataFrame(rng.uniform(low, high, size=(n, 2)), columns=["m1", "m2"])


def test_overlap_of_a_region_with_itself():
    rng = np.random.default_rng(2)
    found = overlap_of(square(0, 1, 3000, rng), square(0, 1, 3000, rng), ["m1", "m2"])
    assert found.in_range > 0.99
    assert found.near == pytest.approx(0.99, abs=0.01)
    assert found.distance == pytest.approx(1.0, abs=0.1)


def test_overlap_of_known_squares():
    """A quarter of the asked square lies in the known one; nothing else is near it."""
    rng = np.random.default_rng(3)
    found = overlap_of(square(0, 1, 4000, rng), square(0.5, 1.5, 4000, rng), ["m1", "m2"])
    assert found.in_range == pytest.approx(0.25, abs=0.03)
    assert found.in_range <= found.near < 0.32
    assert found.distance > 3


def test_a_hole_in_the_control_region_is_within_its_range_but_not_near():
    """The corner beyond an L-shaped control region: every context occurs, the pair of them does not."""
    rng = np.random.default_rng(4)
    table = square(0, 2, 8000, rng)
    beyond = (table > 1).all(axis=1)
    found = overlap_of(table[~beyond], table[beyond], ["m1", "m2"])
    assert found.in_range > 0.99
    assert found.near < 0.25
    assert found.distance > 5


def test_distances_know_no_units():
    rng = np.random.default_rng(5)
    control, signal = square(0, 1, 1000, rng), square(0.5, 1.5, 500, rng)
    plain, scaled = (overlap_of(control * unit, signal * unit, ["m1", "m2"]) for unit in ([1, 1], [1000, 0.001]))
    assert (plain.in_range, plain.near) == (scaled.in_range, scaled.near)
    assert plain.distance == pytest.approx(scaled.distance)


@pytest.mark.parametrize(
    ("control", "signal", "message"),
    [
        ((0, 1, 100), (2, 3, 100), "m1, m2: no context .* lies in the range that the control region covers. Choose"),
        ((0, 1, 10), (0, 1, 100), "10 control and 100 signal-region events are too few.*more than 10"),
        ((0, 1, 100), (0, 1, 0), "are too few"),
        ((1, 1, 100), (1, 1, 100), "the context 'm1' is constant in the control region"),
    ],
)
def test_regions_that_cannot_be_compared(control, signal, message):
    rng = np.random.default_rng(6)
    with pytest.raises(DataError, match=message):
        overlap_of(square(*control, rng), square(*signal, rng), ["m1", "m2"])


def test_overlap_names_a_missing_context():
    rng = np.random.default_rng(7)
    control, signal = square(0, 1, 100, rng), square(0, 1, 100, rng)
    with pytest.raises(MissingBranchError, match=r"'M2'. Is it called 'm2'\?"):
        overlap_of(control, signal, ["m1", "M2"])
    with pytest.raises(MissingBranchError, match="no column 'm2'"):
        overlap_of(control, signal.drop(columns="m2"), ["m1", "m2"])

"""Cutflows as pictures: shares are those of the numbers, and names and legends can be read."""

from __future__ import annotations

import warnings
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.errors import DataError
from cmslabs.plotting.cutflow import plot_cutflow, plot_n_minus_1, removed
from cmslabs.plotting.style import WIDTH

CUTS = ["all events", "event filters", "a trigger that fired", "two muons"]


@pytest.fixture(autouse=True)
def _strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@given(passed=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_shares_are_those_of_a_loop(passed):
    left = [sum(all(event[:k]) for event in passed) for k in range(4)]
    without = [sum(all(event[:k] + event[k + 1 :]) for event in passed) for k in range(3)]
    in_sequence, as_last = removed(left, without)
    for k in range(3):
        before = [event for event in passed if all(event[:k])]
        others = [event for event in passed if all(event[:k] + event[k + 1 :])]
        for share, events in ((in_sequence[k], before), (as_last[k], others)):
            expected = np.mean([not event[k] for event in events]) if events else np.nan
            assert share == pytest.approx(expected, nan_ok=True)
    assert in_sequence[-1] == pytest.approx(as_last[-1], nan_ok=True)  # The last cut is the last one.


def drawn(ax) -> dict:
    """Label -> x and y of each data set's markers, and its error bars."""
    found = {}
    for container in ax.containers:
        line, _, (horizontal,) = container
        found[container.get_label()] = (line.get_xdata(), line.get_ydata(), horizontal.get_segments())
    return found


def test_events_are_drawn_from_top_to_bottom():
    ax = plot_cutflow(
        CUTS,
        {"Z": [200, 200, 100, 50], "zz": [10, 9, 8, 6]},
        simulation=True,
        errors={"Z": [0, 0, 10, 4]},
        source="toy",
    )
    z, zz = drawn(ax)["Z"], drawn(ax)["zz"]
    assert z[0].tolist() == [1, 1, 0.5, 0.25]
    np.testing.assert_allclose(zz[0], [1, 0.9, 0.8, 0.6])
    np.testing.assert_allclose(z[2][2][:, 0], [0.45, 0.55])
    np.testing.assert_allclose(np.diff(z[1]), 1)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert np.abs(z[1] - np.arange(4)).max() < 0.3
    assert (z[1] != zz[1]).all()
    assert [label.get_text() for label in ax.get_yticklabels()][2] == "a trigger that\nfired"
    assert [text.get_text() for text in ax.texts] == ["Simulation", "toy"]
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == ["Z", "zz"]
    assert (ax.get_xlabel(), ax.get_xscale()) == ("Share of events left", "linear")


def test_one_data_set_needs_no_legend_and_small_shares_a_logarithm():
    ax = plot_cutflow(CUTS, {"J/psi": [1000, 900, 5, 2]}, simulation=False, relative=False)
    assert ax.figure.legends == []
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "Events left")
    assert drawn(ax)["J/psi"][0].tolist() == [1000, 900, 5, 2]
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    assert 0 < low < 2 < 1000 < high
    assert plot_cutflow(CUTS, {"a": [1000, 900, 5, 2]}, simulation=True, log=False).get_xscale() == "linear"
    ends = plot_cutflow(CUTS, {"Z": [1000, 900, 800, 700], "Y": [1000, 900, 3, 0]}, simulation=True)
    assert ends.get_xscale() == "log"
    assert drawn(ends)["Y"][0].tolist() == [1, 0.9, 0.003]
    assert len(drawn(ends)["Y"][2]) == 3
    nothing = plot_cutflow(CUTS, {"a": [3, 0, 0, 0]}, simulation=True)
    assert drawn(nothing)["a"][0].tolist() == [1, 0, 0, 0]
    assert nothing.get_xlim()[0] == 0


def test_negative_sums_of_weights_stay_visible():
    ax = plot_cutflow(["all", "one", "two"], {"a": [10, 3, -1]}, simulation=True, relative=False)
    assert ax.get_xlim()[0] < -1


def test_both_shares_of_each_cut():
    ax = plot_n_minus_1(CUTS[1:], [200, 200, 100, 50], [50, 55, 100], simulation=True)
    in_place, last = (line for line in ax.lines if line.get_marker() in ("o", "D"))
    np.testing.assert_allclose(in_place.get_xdata(), [0, 50, 50])
    np.testing.assert_allclose(last.get_xdata(), [0, 100 * (1 - 50 / 55), 50])
    bars = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(bars, np.transpose([in_place.get_xdata(), last.get_xdata()]))
    low, high = ax.get_xlim()
    assert low < 0
    assert high > 50


def test_cuts_that_see_no_event_have_no_marker():
    ax = plot_n_minus_1(["a", "b", "c"], [10, 0, 0, 0], [0, 0, 0], simulation=True)
    in_place, last = (line for line in ax.lines if line.get_marker() in ("o", "D"))
    np.testing.assert_array_equal(in_place.get_xdata(), [100, np.nan, np.nan])
    assert np.isnan(last.get_xdata()).all()


def test_wrong_numbers_are_refused():
    with pytest.raises(DataError, match="3 numbers, 3 of them finite, for 4 rows"):
        plot_cutflow(CUTS, {"a": [3, 2, 1]}, simulation=True)
    with pytest.raises(DataError, match="3 of them finite"):
        plot_cutflow(CUTS, {"a": [3, 2, 1, np.nan]}, simulation=True)
    with pytest.raises(DataError, match="begins with 0 events"):
        plot_cutflow(CUTS, {"a": [0, 0, 0, 0]}, simulation=True)
    with pytest.raises(DataError, match="no cutflow"):
        plot_cutflow(CUTS, {}, simulation=True)
    with pytest.raises(DataError, match="for 4 rows"):
        plot_n_minus_1(CUTS[1:], [3, 2, 1], [1, 1, 1], simulation=True)
    with pytest.raises(TypeError, match="simulation"):
        plot_cutflow(CUTS, {"a": [3, 2, 1, 1]}, simulation=1)


@pytest.mark.parametrize("n", [3, 6, 12])
def test_names_and_legends_do_not_overlap_and_can_be_read(n):
    cuts = [f"a cut with a rather long name {i}" for i in range(n)]
    flows = {f"data set {i}": np.linspace(100, 10, n) for i in range(3)}
    for ax in (
        plot_cutflow(cuts, flows, simulation=True),
        plot_n_minus_1(cuts, np.linspace(100, 10, n + 1), np.linspace(30, 40, n), simulation=True),
    ):
        ax.figure.canvas.draw()
        boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))
        assert min(box.x0 for box in boxes) >= 0
        legend = ax.figure.legends[0]
        box = legend.get_window_extent()
        assert not box.overlaps(ax.get_window_extent())
        assert not box.overlaps(ax.xaxis.label.get_window_extent())
        assert box.x0 >= 0
        assert box.x1 <= ax.figure.bbox.width
        texts = [*legend.get_texts(), *ax.get_yticklabels(), *ax.get_xticklabels(), *ax.texts, ax.xaxis.label]
        assert min(text.get_fontsize() / 72 * 390 / WIDTH for text in texts) >= 11 - 1e-6


def test_pictures_do_not_depend_on_the_style_that_is_set():
    with mpl.rc_context({"font.size": 5, "legend.fontsize": 4, "xtick.labelsize": 3, "ytick.labelsize": 3}):
        ax = plot_n_minus_1(CUTS[1:], [200, 200, 100, 50], [50, 55, 100], simulation=True)
        texts = [*ax.figure.legends[0].get_texts(), *ax.get_yticklabels(), *ax.texts]
    assert min(text.get_fontsize() for text in texts) >= 13

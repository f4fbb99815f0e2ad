"""The event display: every particle where it went."""

from __future__ import annotations

import awkward as ak
import matplotlib.pyplot as plt
import numpy as np
import pytest

from cmslabs.errors import DataError, MissingBranchError
from cmslabs.plotting.events import plot_event, plot_jet


@pytest.fixture
def event() -> ak.Array:
    return ak.Array([{"pt": 80.0, "eta": 0.5, "phi": 3.0}, {"pt": 20.0, "eta": -1.0, "phi": -2.0}])


def markers(ax) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places and areas of the markers, without those that only stand in the legend."""
    found = [(np.asarray(c.get_offsets()), np.asarray(c.get_sizes())) for c in ax.collections]
    return [(places, sizes) for places, sizes in found if len(places)]


def test_places_and_areas(event):
    ax = plot_event(event, simulation=True, source="toy")
    ((places, sizes),) = markers(ax)
    assert places.tolist() == [[0.5, pytest.approx(3.0)], [-1.0, pytest.approx(-2.0)]]
    assert sizes[0] == pytest.approx(4 * sizes[1])
    assert [text.get_text() for text in ax.texts] == ["Simulation", "toy"]
    assert ax.get_ylim() == (-np.pi, np.pi)
    assert ax.get_xlim() == (-2.5, 2.5)
    assert ax.get_legend() is None


def test_phi_of_any_turn_is_the_same_direction(event):
    turned = ak.zip({"pt": event.pt, "eta": event.eta, "phi": event.phi + 2 * np.pi})
    first, second = (markers(plot_event(one, simulation=True))[0][0] for one in (event, turned))
    np.testing.assert_allclose(first, second, atol=1e-12)


def test_collections_have_names_and_colours(event):
    ax = plot_event({"Muons": event, "Jets": event[:1], "Electrons": event[:0]}, simulation=False)
    legend = ax.figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["Muons", "Jets", "Electrons"]
    assert len({tuple(c.get_facecolor()[0]) for c in ax.collections if len(c.get_offsets())}) == 2
    ax.figure.canvas.draw()


def test_jets_are_circles_that_continue_at_the_other_side(event):
    jets = ak.Array([{"pt": 80.0, "eta": 0.5, "phi": 3.0, "constituents": [{"pt": 80.0, "eta": 0.5, "phi": 3.0}]}])
    ax = plot_event(event, jets=jets, simulation=True, radius=0.8)
    centres = [patch.get_center() for patch in ax.patches]
    assert [centre[0] for centre in centres] == [0.5] * 3
    assert sorted(round(centre[1] - 3.0, 6) for centre in centres) == [-6.283185, 0.0, 6.283185]
    assert {(patch.get_width(), patch.get_height()) for patch in ax.patches} == {(1.6, 1.6)}
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == ["Jet 1: 80 GeV"]
    assert len(markers(ax)) == 2  # All particles, and the jet's constituents once more in its colour.


def test_only_the_first_jets_are_shown(event):
    jets = ak.zip({"pt": [30.0, 20.0, 10.0], "eta": [0.0, 1.0, 2.0], "phi": [0.0, 1.0, 2.0]})
    assert len(plot_event(event, jets=jets, simulation=True).patches) == 2 * 3
    assert len(plot_event(event, jets=jets[:0], simulation=True).patches) == 0


def test_the_axis_reaches_as_far_as_the_event(event):
    forward = ak.Array([{"pt": 30.0, "eta": -4.0, "phi": 0.0}])
    assert plot_event(forward, simulation=True).get_xlim() == pytest.approx((-4.4, 4.4))
    assert plot_event(forward, simulation=True, eta_max=3).get_xlim() == (-3, 3)


def test_an_empty_event_is_an_empty_plot(event):
    ax = plot_event(event[:0], simulation=True)
    assert markers(ax) == []
    ax.figure.canvas.draw()


def test_given_axes_keep_their_neighbours(event):
    _, (left, right) = plt.subplots(1, 2)
    plot_event({"Muons": event}, simulation=True, ax=left)
    assert left.get_legend() is not None
    assert left.figure.legends == []
    assert not right.collections


def test_bad_events_are_refused(event):
    with pytest.raises(DataError, match="'Muons' hold more than one event"):
        plot_event({"Muons": event[np.newaxis]}, simulation=True)
    with pytest.raises(MissingBranchError, match=r"the objects have no phi \(they have: pt, eta\)"):
        plot_event(event[["pt", "eta"]], simulation=True)
    with pytest.raises(DataError, match="not finite"):
        plot_event(ak.Array([{"pt": 1.0, "eta": np.inf, "phi": 0.0}]), simulation=True)
    with pytest.raises(TypeError, match="True or False"):
        plot_event(event, simulation="toy")


def test_a_real_event(real_data):
    from cmslabs.data.lhco import read_particles
    from cmslabs.features.clustering import cluster_jets

    pytest.importorskip("fastjet", reason="needs the extra jets")
    events = read_particles(real_data / "lhco" / "events_anomalydetection_tiny.h5", stop=1)
    ax = plot_event(events.particles[0], jets=cluster_jets(events.particles)[0], simulation=True)
    assert len(markers(ax)[0][0]) == len(events.particles[0])
    ax.figure.canvas.draw()


@pytest.fixture
def jet() -> ak.Array:
    """A jet of two prongs across the seam of phi."""
    return ak.Array([{"pt": 90.0, "eta": 0.3, "phi": 3.1}, {"pt": 90.0, "eta": 0.7, "phi": -3.1}])


def test_a_jet_lies_around_its_axis(jet):
    ax = plot_jet(jet, simulation=True, radius=0.8)
    ((places, sizes),) = markers(ax)
    np.testing.assert_allclose(places, [[-0.2, 3.1 - np.pi], [0.2, np.pi - 3.1]], atol=0.01)
    assert sizes[0] == sizes[1]
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((-0.88, 0.88))
    assert [text.get_text() for text in ax.texts] == ["Simulation"]


def test_a_jet_may_be_anywhere(jet):
    turned = ak.zip({"pt": jet.pt, "eta": jet.eta - 1.5, "phi": jet.phi + 1.0})
    first, second = (markers(plot_jet(one, simulation=True, centre=(eta, phi)))[0][0] for one, eta, phi in
                     ((jet, 0.5, np.pi), (turned, -1.0, np.pi + 1.0)))  # fmt: skip
    np.testing.assert_allclose(first, second, atol=1e-12)


def test_constituents_take_the_look_of_the_nearest_axis(jet):
    ax = plot_jet(jet, simulation=True, axes=[(0.3, 3.1), (0.7, -3.1)], centre=(0.5, np.pi))
    assert [len(places) for places, _ in markers(ax)] == [1, 1]
    assert len({tuple(c.get_facecolor()[0]) for c in ax.collections}) == 2
    (crosses,) = ax.lines
    np.testing.assert_allclose(crosses.get_xdata(), [-0.2, 0.2])
    assert ax.get_legend() is None


def test_parts_of_a_jet_have_names_and_one_scale(jet):
    soft = ak.Array([{"pt": 45.0, "eta": 0.5, "phi": 3.1}])
    ax = plot_jet({"kept": jet, "dropped": soft}, simulation=True, pt_max=180.0)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["kept", "dropped"]
    (_, two), (_, one) = markers(ax)
    assert two.tolist() == [200.0, 200.0]
    assert one.tolist() == [100.0]


def test_bad_jets_are_refused(jet):
    with pytest.raises(DataError, match="the jet has no constituent"):
        plot_jet(jet[:0], simulation=True)
    with pytest.raises(DataError, match="hold more than one event"):
        plot_jet(jet[np.newaxis], simulation=True)
    with pytest.raises(MissingBranchError, match="'kept' have no phi"):
        plot_jet({"kept": jet[["pt", "eta"]]}, simulation=True)
    with pytest.raises(DataError, match="not finite"):
        plot_jet(ak.Array([{"pt": np.nan, "eta": 0.0, "phi": 0.0}]), simulation=True)

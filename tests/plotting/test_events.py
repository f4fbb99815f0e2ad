"""The event display: every particle where it went."""

from __future__ import annotations

import awkward as ak
import matplotlib.pyplot as plt
import numpy as np
import pytest

from cmslabs.errors import DataError, MissingBranchError
from cmslabs.plotting.events import plot_event


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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

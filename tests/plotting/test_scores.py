"""Plots of scores: the right numbers at the right places, and legends that hide nothing."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from cmslabs.errors import DataError
from cmslabs.plotting.scores import plot_embedding, plot_pr, plot_roc, plot_scores, plot_sic
from cmslabs.plotting.toplist import plot_top_events

GRID = np.linspace(0, 1, 50)
ROC = {"good": SimpleNamespace(fpr=GRID, tpr=GRID**0.2), "weak": (GRID, GRID**0.8), "bad": (GRID, GRID**2)}
SIC = {"good": SimpleNamespace(tpr=GRID[5:], sic=4 - 3 * GRID[5:]), "weak": (GRID, np.sqrt(GRID))}
PR = {"good": SimpleNamespace(recall=GRID, precision=1 - 0.8 * GRID, prevalence=0.2), "weak": (GRID, 0 * GRID + 0.2)}
DRAW = {"roc": (plot_roc, ROC), "sic": (plot_sic, SIC), "pr": (plot_pr, PR)}


def legend_of(ax):
    return ax.figure.legends[0] if ax.figure.legends else ax.get_legend()


@pytest.mark.parametrize("name", DRAW)
def test_curves_are_drawn_as_given(name):
    draw, curves = DRAW[name]
    ax = draw(curves, simulation=True, source="toy")
    x, y = ax.lines[1].get_data()
    assert (np.asarray(x) == curves["weak"][0]).all()
    assert (np.asarray(y) == curves["weak"][1]).all()
    assert [text.get_text() for text in ax.texts] == ["Simulation", "toy"]
    assert [text.get_text() for text in legend_of(ax).get_texts()] == [*curves, "Knows nothing"]


@pytest.mark.parametrize("name", DRAW)
def test_curves_differ_in_more_than_colour(name):
    draw, curves = DRAW[name]
    many = {f"curve {i}": curves["weak"] for i in range(6)}
    lines = draw(many, simulation=False).lines[:6]
    assert len({line.get_color() for line in lines}) == 6
    assert len({str(line._dash_pattern) for line in lines}) == 6


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_legend_lies_below_the_plot(name, n):
    draw, curves = DRAW[name]
    ax = draw({f"A curve with a long name, number {i}": curves["weak"] for i in range(n)}, simulation=True)
    ax.figure.canvas.draw()
    legend = legend_of(ax).get_window_extent()
    assert legend.y1 <= ax.get_tightbbox().y0 + 1
    assert legend.y0 >= 0
    # And the plot has kept its room.
    assert ax.get_window_extent().height > 200


def test_given_axes_keep_their_neighbours():
    _, (left, right) = plt.subplots(1, 2, figsize=(12, 5))
    plot_roc(ROC, simulation=True, ax=left)
    assert left.get_legend() is not None
    assert not right.lines
    assert not left.figure.legends


def test_roc_axes():
    linear, log = plot_roc(ROC, simulation=True), plot_roc(ROC, simulation=True, log=True)
    assert linear.get_xlim() == (0, 1)
    assert log.get_xscale() == "log"
    assert log.get_xlim() == pytest.approx((GRID[1], 1))
    chance = log.lines[-1].get_xydata()
    assert (chance[:, 0] == chance[:, 1]).all()


def test_sic_marks_the_largest():
    ax = plot_sic(SIC, simulation=True)
    assert ax.lines[0].get_markevery() == [0]
    assert ax.get_ylim()[1] > SIC["good"].sic.max()


def test_prevalence_is_the_line_of_no_knowledge():
    assert plot_pr(PR, simulation=True).lines[-1].get_ydata() == [0.2, 0.2]
    assert plot_pr({"a": PR["weak"]}, simulation=True, prevalence=0.1).lines[-1].get_ydata() == [0.1, 0.1]
    assert len(plot_pr({"a": PR["weak"]}, simulation=True).lines) == 1


@pytest.mark.parametrize("draw", [plot_roc, plot_sic, plot_pr])
@pytest.mark.parametrize(
    ("curves", "reason"),
    [
        ({}, "no curve to draw"),
        (ROC["good"], "no curve to draw"),
        ({"a": SimpleNamespace(x=1)}, "'a' has no"),
        ({"a": ([0, 1], [0, np.nan])}, "finite numbers"),
        ({"a": ([0, 1], [0, 1, 2])}, "same length|inhomogeneous|finite"),
    ],
)
def test_bad_curves(draw, curves, reason):
    with pytest.raises(DataError, match=reason):
        draw(curves, simulation=True)


@pytest.mark.parametrize("draw", [lambda **k: plot_roc(ROC, **k), lambda **k: plot_scores({"a": [1, 2]}, **k)])
def test_simulation_is_said_explicitly(draw):
    with pytest.raises(TypeError):
        draw()
    with pytest.raises(TypeError, match="True or False"):
        draw(simulation="toy")
    assert draw(simulation=False).texts[0].get_text() == "Data"


# Distributions.


def heights(ax, index):
    return ax.patches[index].get_data().values


def test_scores_add_up_to_one_and_nothing_is_lost():
    rng = np.random.default_rng(1)
    ax = plot_scores({"QCD": rng.normal(size=5000), "W'": rng.normal(2, 1, 700)}, simulation=True)
    for index in (0, 1):
        assert heights(ax, index).sum() == pytest.approx(1)
    ax = plot_scores({"a": [-99.0, 0.1, 0.6, 99.0]}, bins=2, limits=(0, 1), simulation=True)
    assert heights(ax, 0).tolist() == [0.5, 0.5]
    assert ax.get_xlim() == (0, 1)


def test_weighted_scores_and_threshold():
    ax = plot_scores(
        {"a": [0.1, 0.6]}, weights={"a": [3.0, 1.0]}, bins=2, limits=(0, 1), threshold=0.4, simulation=True, log=True
    )
    assert heights(ax, 0).tolist() == [0.75, 0.25]
    assert ax.lines[0].get_xdata() == [0.4, 0.4]
    assert ax.get_yscale() == "log"


def test_one_value_only():
    ax = plot_scores({"a": [2.0, 2.0]}, simulation=True)
    assert ax.get_xlim() == (1.5, 2.5)


@pytest.mark.parametrize(
    ("scores", "options", "reason"),
    [
        ({}, {}, "no sample"),
        ({"a": []}, {}, "'a' must be a list of finite"),
        ({"a": [1, np.inf]}, {}, "'a' must be a list of finite"),
        ({"a": [1, 2]}, {"limits": (2, 1)}, "limits must rise"),
    ],
)
def test_bad_scores(scores, options, reason):
    with pytest.raises(DataError, match=reason):
        plot_scores(scores, simulation=True, **options)


# Maps.


def test_high_scores_lie_on_top_and_the_marked_have_rings():
    rng = np.random.default_rng(2)
    points, scores = rng.normal(size=(300, 2)), rng.random(300)
    marked = scores > 0.9
    ax = plot_embedding(points, scores, marked=marked, simulation=True, xlabel="First", ylabel="Second")
    dots, rings = ax.collections
    drawn = np.asarray(dots.get_array())
    assert (np.diff(drawn) >= 0).all()
    np.testing.assert_allclose(np.asarray(dots.get_offsets()), points[np.argsort(scores)])
    assert len(rings.get_offsets()) == marked.sum()
    assert dots.get_cmap().name == "cividis"
    assert dots.get_clim() == pytest.approx(np.quantile(scores, [0.01, 0.99]))
    ax.figure.canvas.draw()
    assert ax.figure.legends[0].get_window_extent().y1 < ax.get_window_extent().y0


def test_constant_scores_can_be_drawn():
    ax = plot_embedding(np.zeros((5, 2)), np.ones(5), simulation=True)
    ax.figure.canvas.draw()
    assert not ax.figure.legends


@pytest.mark.parametrize(
    ("points", "scores", "marked", "reason"),
    [
        (np.zeros((3, 3)), np.zeros(3), None, "points in a plane"),
        (np.zeros((2, 2)), np.zeros(3), None, "points in a plane"),
        (np.full((3, 2), np.nan), np.zeros(3), None, "points in a plane"),
        (np.zeros((3, 2)), np.full(3, np.nan), None, "finite"),
        (np.zeros((3, 2)), np.zeros(3), [True], "3 times true or false"),
    ],
)
def test_bad_maps(points, scores, marked, reason):
    with pytest.raises(DataError, match=reason):
        plot_embedding(points, scores, marked=marked, simulation=True)


# Displays of the top of a list.


def test_displays_of_the_bundled_events():
    from cmslabs.data.download import dataset_path
    from cmslabs.data.tables import read_events

    events = read_events(dataset_path("sim-dijet-constituents"))[:3]
    shown = [{"Jet 1": event.j1, "Jet 2": event.j2} for event in events]
    axes = plot_top_events(shown, ["first", "second", "third"], simulation=True)
    figure = axes[0].figure
    figure.canvas.draw()
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [
        ["Simulation", name] for name in ("first", "second", "third")
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Jet 1", "Jet 2"]
    assert figure.legends[0].get_window_extent().y1 <= axes[-1].get_window_extent().y0
    assert {ax.get_xlim() for ax in axes} == {(-2.5, 2.5)}
    for ax, event in zip(axes, events, strict=True):
        assert len(ax.collections[0].get_offsets()) == len(event.j1)


def test_displays_with_circles():
    import awkward as ak

    event = ak.Array([{"pt": 80.0, "eta": 0.5, "phi": 3.0}])
    axes = plot_top_events([event, event], ["a", "b"], jets=[event, event], simulation=True)
    assert [text.get_text() for text in axes[0].figure.legends[0].get_texts()] == ["Jet 1"]


def test_bad_lists_of_displays():
    with pytest.raises(DataError, match="0 displays"):
        plot_top_events([], [], simulation=True)
    with pytest.raises(DataError, match="7 displays"):
        plot_top_events([None] * 7, [""] * 7, simulation=True)
    with pytest.raises(DataError, match="as many titles"):
        plot_top_events([None] * 2, [""], simulation=True)

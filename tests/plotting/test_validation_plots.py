"""Figures of the validation studies: they draw the numbers of the result, readably."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from cmslabs.errors import DataError
from cmslabs.evaluation.validation.ks import compare_tail
from cmslabs.evaluation.validation.nulls import FalseAlarms
from cmslabs.evaluation.validation.permutation import PermutationControl
from cmslabs.evaluation.validation.sculpting import find_sculpting
from cmslabs.evaluation.validation.stability import find_stability
from cmslabs.evaluation.validation.tails import find_tails
from cmslabs.plotting import validation as plots
from cmslabs.plotting.style import WIDTH

RNG = np.random.default_rng(1)
MASS = 2000 + RNG.exponential(600, 4000)
SHOWN = {"simulation": True, "source": "toy"}


@pytest.fixture(autouse=True)
def _strict():
    """No warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def tails():
    return find_tails(*np.random.default_rng(2).normal(size=(2, 60_000)))


def distances():
    X = np.random.default_rng(3).normal(size=(600, 3))
    return compare_tail(X, X[:, 0] > 1.5, mass=MASS[:600], pseudo=np.full((39, 3), 0.4), n_draws=39)


def sculpting():
    return find_sculpting(MASS / 1000 + np.random.default_rng(4).normal(size=4000), MASS, fractions=(0.5, 0.1))


def stability():
    known = np.random.default_rng(5).normal(size=2000)
    noisy = known + 0.2 * np.random.default_rng(6).normal(size=(9, 2000))
    return find_stability(noisy[:5], sampled=noisy[5:], reference=noisy[6:], fraction=0.05)


def hunted(bound=True):
    """What `plot_tail_hunt` looks at."""
    toys = SimpleNamespace(largest=np.random.default_rng(7).normal(6, 1, 300))
    own = SimpleNamespace(largest=np.random.default_rng(8).normal(2, 1, 300).clip(0))
    behind = SimpleNamespace(toys=own, local_significance=5.5, global_p=1e-6)
    return SimpleNamespace(behind=behind, toys=toys, is_bound=bound, p_value=0.7)


def certificates():
    one = {"held_out": vars(FalseAlarms.of(20, 400, 0.05)), "in_sample": vars(FalseAlarms.of(200, 400, 0.05))}
    for row in one.values():
        row["rate"] = row["alarms"] / row["n_nulls"]
    return {name: {"alpha": 0.05, "false_alarms": one} for name in ("norm", "isolation-forest", "autoencoder")}


DRAWN = {
    "tails": lambda: plots.plot_tails(tails(), **SHOWN),
    "distances": lambda: plots.plot_distances(distances(), **SHOWN),
    "sculpting": lambda: plots.plot_sculpting(sculpting(), **SHOWN)[0],
    "permutations": lambda: plots.plot_permutations(
        PermutationControl("mean", 3.0, np.random.default_rng(9).normal(size=99), 0.02, 0.05), **SHOWN
    ),
    "stability": lambda: plots.plot_stability(stability(), **SHOWN),
    "hunt": lambda: plots.plot_tail_hunt(hunted(), **SHOWN),
    "certificates": lambda: plots.plot_certificates(certificates(), **SHOWN),
}


@pytest.mark.parametrize("name", DRAWN)
def test_figures_say_what_they_are_and_fit_a_phone(name):
    ax = DRAWN[name]()
    figure = ax.figure
    figure.canvas.draw()
    texts = [text.get_text() for text in ax.texts]
    assert "Simulation" in texts
    assert "toy" in texts
    legends = [*figure.legends, *([ax.get_legend()] if ax.get_legend() else [])]
    assert legends
    written = [text for legend in legends for text in legend.get_texts()] + [ax.xaxis.label, ax.yaxis.label, *ax.texts]
    written += [*ax.get_xticklabels(), *ax.get_yticklabels()]
    assert min(text.get_fontsize() for text in written) / 72 * 390 / WIDTH >= 11 - 1e-6
    box, size = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= -0.02
    assert box.x1 <= size[0] + 0.02
    assert box.y0 >= -0.02
    assert box.y1 <= size[1] + 0.02


def test_data_are_called_data():
    texts = [text.get_text() for text in plots.plot_tails(tails(), simulation=False).texts]
    assert "Data" in texts
    assert "Simulation" not in texts
    with pytest.raises(TypeError, match="simulation"):
        plots.plot_tails(tails(), simulation="no")


def test_tails_are_drawn_over_their_expectation():
    result = tails()
    ax = plots.plot_tails(result, **SHOWN)
    drawn = ax.lines[-1].get_ydata()
    assert drawn == pytest.approx([tail.n_test / tail.expected for tail in result.usable])
    assert {text.get_text() for text in ax.texts} >= {str(tail.n_test) for tail in result.usable}
    with pytest.raises(DataError, match="no tail to draw"):
        plots.plot_tails(find_tails([1.0, 2.0], [1.0, 2.0]), **SHOWN)


def test_distances_stand_beside_their_names():
    result = distances()
    ax = plots.plot_distances(result, most=2, **SHOWN)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == list(result.table["feature"][:2])[::-1]
    assert ax.lines[0].get_xdata() == pytest.approx(list(result.table["distance"][:2])[::-1])
    alone = plots.plot_distances(result, null="mass", **SHOWN)
    assert [text.get_text() for text in alone.figure.legends[0].get_texts()] == ["Tail", "Random, with its masses"]
    with pytest.raises(DataError, match="no null 'x'"):
        plots.plot_distances(result, null="x", **SHOWN)


def test_shapes_and_ratio_are_those_of_the_cut():
    result = sculpting()
    ax, panel = plots.plot_sculpting(result, fraction=0.5, **SHOWN)
    cut = result.cuts[0]
    (failing,) = [patch.get_data() for patch in ax.patches]
    assert (failing.values * np.diff(failing.edges)).sum() == pytest.approx(1)
    (points,) = panel.containers
    assert points[0].get_ydata() == pytest.approx(cut.ratio)
    assert "Sculpted" in ax.get_legend().get_title().get_text()
    with pytest.raises(DataError, match=r"no threshold at 0\.2"):
        plots.plot_sculpting(result, fraction=0.2, **SHOWN)


def test_pairs_are_drawn_one_by_one():
    result = stability()
    ax = plots.plot_stability(result, **SHOWN)
    pairs = [line.get_ydata() for line in ax.lines if line.get_linestyle() == "None" and len(line.get_xdata()) > 1]
    assert [len(points) for points in pairs] == [10, 6, 3]
    assert pairs[0] == pytest.approx(result.training.jaccard)


def test_a_p_value_that_is_a_bound_says_so():
    title = plots.plot_tail_hunt(hunted(), **SHOWN).get_legend().get_title().get_text()
    assert "p ≤ 0.7" in title
    assert "p = 0.7" in plots.plot_tail_hunt(hunted(bound=False), **SHOWN).get_legend().get_title().get_text()


def test_certificates_are_drawn_from_the_top():
    ax = plots.plot_certificates(certificates(), **SHOWN)
    labels = dict(zip(ax.get_yticks(), [label.get_text() for label in ax.get_yticklabels()], strict=True))
    assert [labels[place] for place in sorted(labels, reverse=True)] == list(certificates())
    with pytest.raises(DataError, match="no certificate"):
        plots.plot_certificates({}, **SHOWN)

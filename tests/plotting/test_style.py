"""The house style: the label about simulation, sizes on a phone, colours for colour-blind eyes."""

from __future__ import annotations

import itertools
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cmslabs.plotting.style import COLORS, MARKERS, STYLE, WIDTH, axis_label, label_axes, new_figure, use_style

#: What a viewer without one kind of cone sees, for linear RGB: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes,
#: IEEE Trans. Vis. Comput. Graph. 15 (2009) 1291, doi:10.1109/TVCG.2009.113, severity 1.
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(color: str, matrix) -> np.ndarray:
    """CIE L*a*b* of an sRGB colour as such a viewer sees it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(matrix) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    t = xyz / [0.9505, 1.0, 1.089]
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.fixture(autouse=True)
def _clean_matplotlib():
    with mpl.rc_context():
        yield


@pytest.mark.parametrize("viewer", BLINDNESS)
def test_colours_stay_apart_for_every_viewer(viewer):
    seen = [lab(color, BLINDNESS[viewer]) for color in COLORS[:6]]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 10
    # The check itself can fail: red and green of the same lightness are one colour for a deutan viewer.
    if viewer == "deutan":
        red, green = (lab(color, BLINDNESS[viewer]) for color in ("#b03a3a", "#6b6b2a"))
        assert np.linalg.norm(red - green) < 20


def test_every_colour_has_its_own_marker():
    assert len(set(COLORS)) == len(set(MARKERS)) == len(COLORS) == len(MARKERS)


def test_text_is_readable_on_a_phone():
    pixels_per_point = 390 / WIDTH / 72
    for name in ("axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize", "font.size"):
        assert STYLE[name] * pixels_per_point >= 10.9


def test_the_style_needs_no_font_that_may_be_missing():
    use_style()
    figure, ax, _ = new_figure()
    label_axes(ax, True, xlabel=r"$m_{\mu\mu}$", xunit="GeV", source="a ± b")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    assert ax.xaxis.label.get_fontproperties().get_name() == "DejaVu Sans"


@pytest.mark.parametrize(("simulation", "text"), [(True, "Simulation"), (False, "Data")])
def test_the_plot_says_what_it_shows(simulation, text):
    _, ax, _ = new_figure()
    label_axes(ax, simulation, xlabel="Dimuon mass", xunit="GeV", ylabel="Events", source="CMS Open Data 2011")
    assert [found.get_text() for found in ax.texts] == [text, "CMS Open Data 2011"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Dimuon mass [GeV]", "Events")


@pytest.mark.parametrize("wrong", ["Dimuon mass", 1, None, "False"])
def test_simulation_is_yes_or_no(wrong):
    _, ax, _ = new_figure()
    with pytest.raises(TypeError, match="must be True or False"):
        label_axes(ax, wrong)
    assert len(ax.texts) == 0


def test_the_yes_or_no_of_numpy_counts_too():
    _, ax, _ = new_figure()
    label_axes(ax, np.bool_(False))
    assert ax.texts[0].get_text() == "Data"


def test_new_figure_has_the_style_without_changing_the_defaults():
    before = dict(mpl.rcParams)
    figure, ax, panel = new_figure(height=5, pulls=True)
    assert figure.get_size_inches().tolist() == [WIDTH, 5.0]
    assert ax.get_shared_x_axes().joined(ax, panel)
    assert ax.xaxis.get_major_ticks()[0].get_tickdir() == "in"
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(("unit", "text"), [("GeV", "m [GeV]"), ("1", "m"), ("", "m"), (None, "m"), ("rad", "m [rad]")])
def test_units_stand_in_brackets(unit, text):
    assert axis_label("m", unit) == text

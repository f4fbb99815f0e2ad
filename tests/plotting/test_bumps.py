"""Pictures of a bump hunt: what is drawn is what was given, blinded bins are not, legends hide nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy import stats

from cmslabs.errors import ConfigError, DataError
from cmslabs.plotting import decor
from cmslabs.plotting.binned import Spectrum
from cmslabs.plotting.bumps import plot_bump, plot_limits, plot_local_p
from cmslabs.plotting.style import WIDTH

MASS = {"simulation": True, "xlabel": "Dijet mass", "unit": "GeV"}
EDGES = np.array([1000.0, 1100, 1210, 1331, 1464, 1610, 1771])
COUNTS = np.array([4000.0, 2100, 1010, 520, 0, 3])
BACKGROUND = np.array([3950.0, 2110, 1000, 400, 1.5, 4])
MASSES = np.linspace(1000, 2000, 30)


def spectrum(edges=EDGES, counts=COUNTS) -> Spectrum:
    return Spectrum(np.asarray(edges, float), np.asarray(counts, float), np.asarray(counts, float))


@pytest.fixture(autouse=True)
def _strict():
    """No warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def points(ax):
    """x and y of the data points."""
    (container,) = ax.containers
    return container[0].get_xdata(), container[0].get_ydata()


def stairs(ax) -> dict:
    return {patch.get_label(): patch.get_data() for patch in ax.patches if hasattr(patch, "get_data")}


# ---- the spectrum


def test_points_background_and_signal_per_gev_in_bins_of_different_width():
    signal = np.array([0, 0, 5.0, 120, 5, 0])
    ax, panel = plot_bump(spectrum(), BACKGROUND, signal=signal, background_error=0.1 * BACKGROUND, **MASS)
    widths, centres = np.diff(EDGES), (EDGES[1:] + EDGES[:-1]) / 2
    x, y = points(ax)
    filled = COUNTS > 0
    assert x.tolist() == centres[filled].tolist()
    np.testing.assert_allclose(y, (COUNTS / widths)[filled])
    drawn = stairs(ax)
    np.testing.assert_allclose(drawn["Background fit"].values, BACKGROUND / widths)
    assert drawn["Background fit"].edges.tolist() == EDGES.tolist()
    there = ~np.isnan(drawn["With signal"].values)
    assert there.tolist() == [False, False, True, True, True, False]
    np.testing.assert_allclose(drawn["With signal"].values[there], ((BACKGROUND + signal) / widths)[there])
    (band,) = (patch.get_data() for patch in ax.patches if hasattr(patch, "get_data") and patch.get_fill())
    np.testing.assert_allclose(band.values, 1.1 * BACKGROUND / widths)
    np.testing.assert_allclose(band.baseline, 0.9 * BACKGROUND / widths)
    assert (ax.get_ylabel(), panel.get_xlabel(), panel.get_ylabel()) == ("Events / GeV", "Dijet mass [GeV]", "Pull")
    assert ax.texts[0].get_text() == "Simulation"
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(names) == ["Background fit", "Simulated events", "With signal"]


def test_equal_bins_count_events_per_bin():
    ax, _ = plot_bump(
        spectrum([0, 2, 4], [10, 20]), [12, 18], simulation=False, xlabel="Mass", unit="GeV", note="hi", source="toy"
    )
    assert ax.get_ylabel() == "Events / 2 GeV"
    assert points(ax)[1].tolist() == [10, 20]
    assert [text.get_text() for text in ax.texts] == ["Data", "toy"]
    assert ax.get_legend().get_title().get_text() == "hi"
    assert ax.get_ylim()[0] == 0


def test_pulls_are_fair_for_few_events_and_usual_for_many():
    """The oracle: minus twice the logarithm of the ratio of Poisson probabilities, by scipy."""
    _, panel = plot_bump(spectrum(), BACKGROUND, **MASS)
    pulls = panel.lines[-1].get_ydata()
    oracle = [
        np.sign(n - b) * np.sqrt(-2 * (stats.poisson.logpmf(n, b) - stats.poisson.logpmf(n, max(n, 1e-12))))
        for n, b in zip(COUNTS, BACKGROUND, strict=True)
    ]
    np.testing.assert_allclose(pulls, oracle, rtol=1e-5, atol=1e-5)
    assert pulls[0] == pytest.approx(50 / np.sqrt(3950), rel=0.01)
    assert pulls[4] == pytest.approx(-np.sqrt(3))
    rng, b = np.random.default_rng(3), np.full(400, 0.3)
    few = spectrum(np.arange(401), rng.poisson(b))
    _, panel = plot_bump(few, b, **MASS)
    assert np.abs(panel.lines[-1].get_ydata()).max() < 3.5  # (n - b) / sqrt(b) would be 5 and more.


def test_weighted_events_are_pulled_by_their_own_uncertainty():
    data = Spectrum(np.array([0.0, 1, 2]), np.array([10.0, 20.0]), np.array([4.0, 25.0]))
    _, panel = plot_bump(data, [12, 12], **MASS)
    assert panel.lines[-1].get_ydata() == pytest.approx([-1.0, 1.6])


def test_steep_spectra_are_logarithmic_unless_said_otherwise():
    assert plot_bump(spectrum(), BACKGROUND, **MASS)[0].get_yscale() == "log"
    assert plot_bump(spectrum(), BACKGROUND, log=False, **MASS)[0].get_yscale() == "linear"
    flat = spectrum(EDGES, [100] * 6)
    assert plot_bump(flat, [100] * 6, **MASS)[0].get_yscale() == "linear"
    assert plot_bump(flat, [100] * 6, log=True, **MASS)[0].get_yscale() == "log"


def test_blinded_bins_are_not_drawn_but_predicted():
    ax, panel = plot_bump(spectrum(), BACKGROUND, blind=(1250, 1400), **MASS)
    assert points(ax)[0].tolist() == [1050, 1155, 1690.5]
    assert panel.lines[-1].get_xdata().tolist() == [1050, 1155, 1537, 1690.5]
    assert np.isfinite(stairs(ax)["Background fit"].values).all()
    for axes in (ax, panel):
        (area,) = (patch for patch in axes.patches if patch.get_hatch())
        assert area.get_extents().transformed(axes.transData.inverted()).intervalx == pytest.approx([1210, 1464])
    assert "Blinded" in [text.get_text() for text in ax.get_legend().get_texts()]
    # Nothing that is drawn depends on what happened there.
    other = COUNTS.copy()
    other[2:4] = 7777
    again, below = plot_bump(spectrum(EDGES, other), BACKGROUND, blind=(1250, 1400), **MASS)
    assert again.get_ylim() == ax.get_ylim()
    assert below.get_ylim() == panel.get_ylim()
    assert points(again)[1].tolist() == points(ax)[1].tolist()


def test_wrong_arrays_are_refused():
    with pytest.raises(DataError, match="do not fit 6 bins"):
        plot_bump(spectrum(), BACKGROUND[:-1], **MASS)
    with pytest.raises(DataError, match="5 finite"):
        plot_bump(spectrum(), BACKGROUND, signal=[1, 2, 3, 4, 5, np.nan], **MASS)
    with pytest.raises(DataError, match="larger than 0"):
        plot_bump(spectrum(), BACKGROUND - 1.5, **MASS)
    with pytest.raises(ConfigError, match="from a lower to a higher"):
        plot_bump(spectrum(), BACKGROUND, blind=(2, 1), **MASS)
    with pytest.raises(TypeError, match="simulation"):
        plot_bump(spectrum(), BACKGROUND, simulation="no", xlabel="m", unit="GeV")


# ---- local p-values


def test_local_p_with_lines_where_the_deviations_are():
    p = np.full(30, 0.4)
    p[12] = 1e-5
    ax = plot_local_p(MASSES, p, global_p=0.013, **MASS)
    assert ax.get_yscale() == "log"
    bottom, top = ax.get_ylim()
    assert bottom < 1e-5 < 1 < top  # Deep is unlikely.
    observed = next(line for line in ax.lines if line.get_label() == "Observed")
    assert observed.get_ydata().tolist() == p.tolist()
    dashed = sorted(line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--")
    labels = [text for text in ax.texts if text.get_text().endswith("σ")]
    assert {"1σ", "2σ", "3σ", "4σ"} <= {text.get_text() for text in labels}
    assert sorted(stats.norm.sf(int(text.get_text()[:-1])) for text in labels) == pytest.approx(dashed)
    for text in labels:
        height = np.log(stats.norm.sf(int(text.get_text()[:-1])) / bottom) / np.log(top / bottom)
        assert text.get_position()[1] == pytest.approx(height)
    assert ax.get_legend().get_title().get_text() == "Global p = 0.013 (2.2σ)"


@pytest.mark.parametrize("lowest", [0.3, 1e-3, 1e-8, 1e-40, 1e-99, 0.0])
def test_names_of_deviations_never_overlap(lowest):
    p = np.full(30, 0.5)
    p[20] = lowest
    ax = plot_local_p(MASSES, p, **MASS)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text().endswith("σ")]
    assert len(boxes) >= 3
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])


def test_what_is_beyond_the_axis_is_marked():
    p = np.array([0.5, 0.0, 1e-250, 0.5])
    ax = plot_local_p([1, 2, 3, 4], p, global_p=0.0, **MASS)
    (mark,) = (line for line in ax.lines if line.get_marker() == "v")
    assert mark.get_xdata().tolist() == [2, 3]
    assert set(mark.get_ydata()) == {decor.SMALLEST_P}
    assert ax.get_legend().get_title().get_text() == "Global p: below 1e-100"
    assert decor.in_words(0.7) == "Global p = 0.7"


def test_expected_bands_of_one_number_and_of_one_per_mass():
    quantiles = stats.norm.sf([3.5, 2.8, 2.2, 1.6, 1.1])
    p = np.full(30, 0.3)
    flat = plot_local_p(MASSES, p, expected=quantiles, **MASS)
    each = plot_local_p(MASSES, p, expected=np.repeat(quantiles[::-1, None], 30, axis=1), **MASS)
    for ax, name in ((flat, "Lowest expected, 68 %"), (each, "Expected, 68 %")):
        outer, inner = (band.get_paths()[0].vertices[:, 1] for band in ax.collections)
        assert (outer.min(), outer.max()) == pytest.approx((quantiles[0], quantiles[4]))
        assert (inner.min(), inner.max()) == pytest.approx((quantiles[1], quantiles[3]))
        assert name in [text.get_text() for text in ax.get_legend().get_texts()]


# ---- limits


def test_limits_and_their_bands():
    expected = np.array([5, 7, 10, 14, 19.0])[:, None] * np.linspace(2, 1, 30)
    observed = np.linspace(25, 8, 30)
    ax = plot_limits(MASSES, observed, expected, **MASS)
    outer, inner = (band.get_paths()[0].vertices[:, 1] for band in ax.collections)
    assert (outer.max(), inner.max()) == (38, 28)
    assert next(line for line in ax.lines if line.get_label() == "Observed").get_ydata().tolist() == observed.tolist()
    assert (ax.get_yscale(), ax.get_ylim()[0]) == ("linear", 0)
    steep = plot_limits(MASSES, observed * np.geomspace(1, 0.01, 30), expected * np.geomspace(1, 0.01, 30), **MASS)
    assert steep.get_yscale() == "log"


def test_bands_are_apart_for_every_viewer():
    """Lightness is what all viewers see."""

    def lightness(color):
        rgb = np.array(to_rgb(color))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16

    steps = np.diff([lightness(color) for color in (decor.INNER, decor.OUTER, "white")])
    assert (steps > 7).all()


@pytest.mark.parametrize("draw", ["p", "limits"])
def test_blinded_masses_are_covered(draw):
    band = np.ones((5, 30)) * np.array([5, 7, 10, 14, 19.0])[:, None]
    if draw == "p":
        ax = plot_local_p(MASSES, np.full(30, 0.2), blind=(1300, 1500), **MASS)
    else:
        ax = plot_limits(MASSES, np.full(30, 9.0), band, blind=(1300, 1500), **MASS)
    (area,) = (patch for patch in ax.patches if patch.get_hatch())
    assert area.get_facecolor() == (1, 1, 1, 1)
    assert area.get_zorder() > max(line.get_zorder() for line in ax.lines)


def test_wrong_series_are_refused():
    with pytest.raises(DataError, match="between 0 and 1"):
        plot_local_p([1, 2], [0.5, 1.5], **MASS)
    with pytest.raises(DataError, match="masses must rise"):
        plot_local_p([1, 1], [0.5, 0.5], **MASS)
    for masses, values in (([1, 2], [0.5]), ([1], [0.5]), ([1, 2], [0.5, np.nan])):
        with pytest.raises(DataError, match="as many finite numbers"):
            plot_local_p(masses, values, **MASS)
    with pytest.raises(DataError, match="must be 5 x 2"):
        plot_limits([1, 2], [3, 4], np.ones((3, 2)), **MASS)


# ---- legends


def shapes():
    """Spectra whose data are on the left, on the right, in the middle, everywhere."""
    x = np.linspace(0.01, 1, 30)
    peak = 20 + 300 * np.exp(-((x - 0.5) ** 2) / 0.01)
    yield from {"falling": 1e5 * np.exp(-9 * x), "rising": 5 + 1e3 * x**3, "peak": peak, "flat": 0 * x + 50}.items()
    yield "right peak", 20 + 300 * np.exp(-((x - 0.85) ** 2) / 0.02)


@pytest.mark.parametrize(("name", "expected"), list(shapes()))
@pytest.mark.parametrize("log", [True, False])
def test_legends_hide_no_data(name, expected, log):
    data = spectrum(np.linspace(100, 200, 31), np.random.default_rng(1).poisson(expected))
    ax, _ = plot_bump(data, expected, signal=0.3 * expected, blind=(150, 155), note="a note", log=log, **MASS)
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    x, y = points(ax)
    tops = ax.transData.transform(np.column_stack([x, y + np.sqrt(y)]))
    assert not any(box.contains(*top) for top in tops)
    below = tops[(tops[:, 0] > box.x0) & (tops[:, 0] < box.x1)]
    assert (below[:, 1] < box.y0).all()
    low, high = ax.get_ylim()
    assert (y < high).all()
    assert low < y.max()


@pytest.mark.parametrize("place", [2, 14, 27])
@pytest.mark.parametrize("lowest", [0.1, 1e-4, 1e-60])
def test_legends_hide_no_dip(place, lowest):
    p = np.full(30, 0.5)
    p[place] = lowest
    ax = plot_local_p(MASSES, p, global_p=0.4, expected=[1e-4, 1e-3, 0.01, 0.03, 0.05], **MASS)
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    dip = ax.transData.transform([MASSES[place], lowest])
    assert not box.contains(*dip)
    assert ax.get_ylim()[0] < lowest


def test_text_is_readable_on_a_phone():
    """On a screen 390 pixels wide the smallest letters are 11 pixels high, as everywhere in the house."""
    p = np.full(30, 0.5)
    ax, panel = plot_bump(spectrum(), BACKGROUND, blind=(1250, 1400), note="a note", **MASS)
    other = plot_local_p(MASSES, p, global_p=0.4, expected=[1e-4, 1e-3, 0.01, 0.03, 0.05], **MASS)
    for axes in (ax, panel, other):
        texts = [*axes.texts, axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()]
        if axes.get_legend():
            texts += [*axes.get_legend().get_texts(), axes.get_legend().get_title()]
        assert min(text.get_fontsize() for text in texts if text.get_text()) * 390 / WIDTH / 72 >= 10.9

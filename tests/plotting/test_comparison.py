"""Data over a stack: what is drawn is what is in the histogram, and no legend hides it."""

from __future__ import annotations

import warnings

import hist
import numpy as np
import pytest
from scipy import stats
from small_stacks import STACK, filled, simple

from cmslabs.errors import ConfigError, DataError
from cmslabs.plotting.binned import Spectrum
from cmslabs.plotting.comparison import plot_comparison, poisson_interval
from cmslabs.plotting.expected import expected_events
from cmslabs.plotting.style import WIDTH

MASS = {"data": "data", "simulation": True, "xlabel": "Mass", "unit": "GeV"}


@pytest.fixture(autouse=True)
def _strict():
    """No warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def spectra(shape="peak", seed=1) -> hist.Hist:
    """Pseudo-data and two processes with one systematic in 30 bins."""
    rng = np.random.default_rng(seed)
    draw = {
        "peak": lambda n: rng.normal(91, 3, n),
        "falling": lambda n: 60 + rng.exponential(8, n),
        "rising": lambda n: 120 - rng.exponential(8, n),
        "flat": lambda n: rng.uniform(60, 120, n),
    }[shape]
    axes = [hist.axis.StrCategory([], growth=True, name=name) for name in ("dataset", "systematic")]
    histogram = hist.Hist(*axes, hist.axis.Regular(30, 60, 120, name="mass"), storage=hist.storage.Weight())
    for name, values in (("dy", draw(20_000)), ("zz", rng.uniform(60, 120, 2_000))):
        for systematic, weight in (("nominal", 0.1), ("idUp", 0.104), ("idDown", 0.095)):
            histogram.fill(dataset=name, systematic=systematic, mass=values, weight=weight)
    histogram.fill(dataset="data", systematic="nominal", mass=np.append(draw(2_000), rng.uniform(60, 120, 200)))
    return histogram


def points(ax):
    """x, y and the ends of the error bars."""
    (container,) = (c for c in ax.containers if hasattr(c, "has_yerr"))
    line, _, (vertical,) = container
    ends = np.array([segment[:, 1] for segment in vertical.get_segments()]).reshape(-1, 2)
    return line.get_xdata(), line.get_ydata(), ends


def stairs(ax) -> dict:
    return {patch.get_label(): patch.get_data() for patch in ax.patches if hasattr(patch, "get_data")}


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---- what is drawn


def test_the_stack_the_band_and_the_points_are_those_of_the_histogram():
    ax, panel = plot_comparison(simple(), stack=STACK, source="toy", **MASS)
    widths, expected = np.diff([0, 1, 2, 4]), expected_events(simple(), STACK)
    drawn = stairs(ax)
    np.testing.assert_allclose(drawn["Other"].values, expected.groups["Other"] / widths)
    np.testing.assert_allclose(drawn["Drell-Yan"].baseline, expected.groups["Other"] / widths)
    np.testing.assert_allclose(drawn["Drell-Yan"].values, expected.total / widths)
    low, high = expected.band
    np.testing.assert_allclose(drawn["Uncertainty"].values, (expected.total + high) / widths)
    np.testing.assert_allclose(drawn["Uncertainty"].baseline, (expected.total - low) / widths)
    x, y, ends = points(ax)
    assert (x.tolist(), y.tolist()) == ([0.5, 1.5, 3], [2, 0, 0.5])
    interval = np.transpose(poisson_interval(Spectrum(np.arange(4.0), np.array([2.0, 0, 1]), np.array([2.0, 0, 1]))))
    np.testing.assert_allclose(ends, interval / widths[:, None])
    assert (ax.get_ylabel(), panel.get_xlabel(), panel.get_ylabel()) == ("Events / GeV", "Mass [GeV]", "Ratio")
    assert [text.get_text() for text in ax.texts] == ["Simulation", "toy"]
    # The legend lists the stack as it is seen, from the top.
    assert legend(ax)[:2] == ["Drell-Yan", "Other"]
    assert set(legend(ax)) == {"Drell-Yan", "Other", "Uncertainty", "Pseudo-data"}


def test_the_panel_divides_everything_by_the_expectation():
    ax, panel = plot_comparison(
        spectra(), stack=STACK, lines={"Half": 0.5 * expected_events(spectra(), STACK).total}, ratio=(0, 3), **MASS
    )
    expected = expected_events(spectra(), STACK)
    x, y, ends = points(panel)
    _, upper, upper_ends = points(ax)
    np.testing.assert_allclose(y, upper / expected.total)
    np.testing.assert_allclose(ends, upper_ends / expected.total[:, None])
    band, half = (patch.get_data() for patch in panel.patches)
    np.testing.assert_allclose(band.values, 1 + expected.band[1] / expected.total)
    np.testing.assert_allclose(half.values, 0.5)
    assert panel.get_ylim() == (0, 3)
    assert len(x) == 30
    assert legend(ax).count("Half") == 1


def test_real_data_are_called_data():
    ax, _ = plot_comparison(simple(), stack=STACK, **MASS | {"simulation": False})
    assert "Data" in legend(ax)
    assert ax.texts[0].get_text() == "Data"
    ax, _ = plot_comparison(simple(), stack=STACK, data_label="Other half", **MASS)
    assert "Other half" in legend(ax)
    with pytest.raises(TypeError, match="simulation"):
        plot_comparison(simple(), stack=STACK, **MASS | {"simulation": "yes"})


def test_points_beyond_the_panel_become_triangles():
    entries = [("data", "nominal", 0.5, 1.0)] * 400 + [("data", "nominal", 1.5, 1.0)] * 10
    entries += [("data", "nominal", 3.0, 1.0)] * 100
    entries += [("dy", "nominal", x, 100.0) for x in (0.5, 1.5, 3.0)]
    _, panel = plot_comparison(filled(entries), stack={"DY": "dy"}, ratio=(0.5, 1.5), **MASS)
    marks = {line.get_marker(): line for line in panel.lines if line.get_marker() in "^v" and len(line.get_xdata())}
    assert (marks["^"].get_xdata().tolist(), marks["^"].get_ydata().tolist()) == ([0.5], [1.5])
    assert (marks["v"].get_xdata().tolist(), marks["v"].get_ydata().tolist()) == ([1.5], [0.5])
    assert points(panel)[0].tolist() == [3.0]


@pytest.mark.parametrize(("shift", "reach"), [(0.03, 0.1), (0.15, 0.2), (0.4, 0.5), (0.8, 1.0), (7, 1.0)])
def test_the_panel_is_as_high_as_it_needs(shift, reach):
    entries = [("dy", "nominal", x, 1000.0) for x in (0.5, 1.5, 3.0)]
    entries += [("data", "nominal", x, 1000 * (1 + shift)) for x in (0.5, 1.5, 3.0)]
    _, panel = plot_comparison(filled(entries), stack={"DY": "dy"}, **MASS)
    assert panel.get_ylim() == pytest.approx((1 - reach, 1 + reach))


def test_an_empty_bin_is_shown_where_something_is_expected():
    entries = [("data", "nominal", 0.5, 1.0), ("dy", "nominal", 0.5, 1.0)]
    for expectation, shown in ((1.5, True), (0.4, False)):
        ax, panel = plot_comparison(
            filled([*entries, ("dy", "nominal", 1.5, expectation)]), stack={"DY": "dy"}, ratio=(0, 2), **MASS
        )
        for axes in (ax, panel):
            assert (1.5 in points(axes)[0].tolist()) == shown
        if shown:
            assert points(ax)[2][1].tolist() == pytest.approx([0, 1.841], abs=1e-3)


def test_what_becomes_of_events_beyond_the_axis_is_said():
    ax, _ = plot_comparison(simple(), stack=STACK, note="p = 0.2", **MASS)
    assert ax.get_legend().get_title().get_text() == "p = 0.2\nBeyond the axis: 3\n(expected 5.0)"
    ax, _ = plot_comparison(simple(), stack=STACK, overflow="add", **MASS)
    assert ax.get_legend().get_title().get_text() == "End bins: and beyond"
    assert points(ax)[1].tolist() == [3, 0, 1.5]
    inside = filled([("data", "nominal", 0.5, 1.0), ("dy", "nominal", 0.5, 1.0)])
    ax, _ = plot_comparison(inside, stack={"DY": "dy"}, **MASS)
    assert ax.get_legend().get_title().get_text() == ""


def test_bins_without_expectation_and_negative_weights_are_drawn():
    entries = [("data", "nominal", 0.5, 1.0), ("dy", "nominal", 1.5, 1.0), ("dy", "nominal", 3.0, -2.0)]
    ax, panel = plot_comparison(filled(entries), stack={"DY": "dy"}, **MASS)
    assert ax.get_ylim()[0] < -1.5
    assert 0.5 in points(ax)[0]  # The count stands there, the ratio does not exist.
    assert points(panel)[0].tolist() in ([], [1.5])


def test_wrong_lines_are_refused():
    for line in ([1, 2], [1, 2, np.nan]):
        with pytest.raises(DataError, match="for 3 bins"):
            plot_comparison(simple(), stack=STACK, lines={"x": line}, **MASS)
    with pytest.raises(ConfigError, match="no dataset"):
        plot_comparison(simple(), stack=STACK, **MASS | {"data": "dta"})


# ---- intervals


def test_intervals_of_counts_are_garwoods():
    """The oracle: the mean for which the count, or more, has a probability of 15.87 %, found by bisection."""
    from scipy.optimize import brentq

    tail = stats.norm.sf(1)
    counts = np.array([0.0, 1, 2, 5, 40, 1000])
    low, high = poisson_interval(Spectrum(np.arange(7.0), counts, counts))
    for n, below, above in zip(counts, low, high, strict=True):
        assert above == pytest.approx(brentq(lambda mu: stats.poisson.cdf(n, mu) - tail, 1e-9, 2000), rel=1e-6)  # noqa: B023
        if n:
            assert below == pytest.approx(brentq(lambda mu: stats.poisson.sf(n - 1, mu) - tail, 1e-9, 2000), rel=1e-6)  # noqa: B023
    assert low[0] == 0


def test_intervals_cover():
    rng = np.random.default_rng(3)
    for mean in (0.7, 3.0, 30.0):
        counts = rng.poisson(mean, 20_000).astype(float)
        low, high = poisson_interval(Spectrum(np.arange(20_001.0), counts, counts))
        assert np.mean((low <= mean) & (mean <= high)) > 0.68


def test_weighted_points_have_the_error_of_their_weights():
    low, high = poisson_interval(Spectrum(np.array([0.0, 1, 2]), np.array([7.0, -1.0]), np.array([25.0, 1.0])))
    assert (low.tolist(), high.tolist()) == ([2, -2], [12, 0])


# ---- reading it


@pytest.mark.parametrize("shape", ["peak", "falling", "rising", "flat"])
@pytest.mark.parametrize("log", [True, False])
def test_the_legend_hides_no_data(shape, log):
    ax, _ = plot_comparison(spectra(shape), stack=STACK, log=log, note="a note", **MASS)
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    x, _, ends = points(ax)
    drawn = stairs(ax)["Uncertainty"]
    tops = np.maximum(drawn.values, ends[:, 1] if len(x) == 30 else drawn.values)
    places = ax.transData.transform(np.column_stack([(drawn.edges[1:] + drawn.edges[:-1]) / 2, tops]))
    below = places[(places[:, 0] > box.x0) & (places[:, 0] < box.x1)]
    assert (below[:, 1] < box.y0).all()
    low, high = ax.get_ylim()
    assert (tops < high).all()
    assert low < tops.max()


@pytest.mark.parametrize("shape", ["peak", "flat"])
def test_nothing_invisible_widens_the_figure(shape):
    """Notebooks cut the figure to what is drawn; what is drawn lies inside of it."""
    ax, _ = plot_comparison(spectra(shape), stack=STACK, **MASS)
    figure = ax.figure
    figure.canvas.draw()
    box = figure.get_tightbbox()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_size_inches()[0]
    assert box.y1 <= figure.get_size_inches()[1]


def test_text_is_readable_on_a_phone():
    """On a screen 390 pixels wide the smallest letters are 11 pixels high, as everywhere in the house."""
    ax, panel = plot_comparison(spectra(), stack=STACK, note="a note", **MASS)
    texts = [*ax.get_legend().get_texts(), ax.get_legend().get_title(), *ax.texts, panel.xaxis.label, ax.yaxis.label]
    texts += [*panel.get_xticklabels(), *ax.get_yticklabels()]
    pixels = [text.get_fontsize() / 72 * 390 / WIDTH for text in texts]
    assert min(pixels) >= 11 - 1e-6

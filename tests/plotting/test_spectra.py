"""Spectra and fits: what is drawn is what was counted."""

from __future__ import annotations

from itertools import pairwise

import awkward as ak
import hist
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from cmslabs.errors import ConfigError, DataError
from cmslabs.plotting.binned import Spectrum, as_spectrum, bin_integrals
from cmslabs.plotting.spectra import plot_fit, plot_spectrum

MASS = {"simulation": True, "xlabel": "Dimuon mass", "unit": "GeV"}


def points(ax) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """x, y and the length of the upper error bar of each set of points."""
    found = []
    for container in ax.containers:
        line, _, (horizontal, vertical) = container
        assert len(horizontal.get_segments()) == len(vertical.get_segments())
        up = np.array([segment[1, 1] - segment[0, 1] for segment in vertical.get_segments()]) / 2
        found.append((line.get_xdata(), line.get_ydata(), up))
    return found


# ---- counting


@given(
    values=st.lists(st.floats(0, 10), min_size=1, max_size=30),
    edges=st.lists(st.integers(0, 10), min_size=2, max_size=6, unique=True).map(sorted),
)
@settings(max_examples=50, deadline=None)
def test_counts_are_what_one_counts_by_hand(values, edges):
    spectrum = as_spectrum(values, bins=edges)
    by_hand = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
    by_hand[-1] += sum(value == edges[-1] for value in values)
    assert spectrum.counts.tolist() == by_hand
    assert spectrum.variances.tolist() == by_hand


def test_weights_give_the_sum_of_squares():
    spectrum = as_spectrum([1.0, 1.0, 3.0], bins=[0, 2, 4], weights=[2.0, 3.0, -1.0])
    assert spectrum.counts.tolist() == [5.0, -1.0]
    assert spectrum.variances.tolist() == [13.0, 1.0]


def test_histograms_with_and_without_weights():
    plain = hist.Hist(hist.axis.Regular(3, 0, 3)).fill([0.5, 0.6, 2.5])
    assert as_spectrum(plain).counts.tolist() == as_spectrum(plain).variances.tolist() == [2, 0, 1]
    weighted = hist.Hist(hist.axis.Variable([0, 1, 3]), storage=hist.storage.Weight()).fill([0.5, 2], weight=[2, 3])
    spectrum = as_spectrum(weighted)
    assert (spectrum.counts.tolist(), spectrum.variances.tolist()) == ([2, 3], [4, 9])
    assert spectrum.edges.tolist() == [0, 1, 3]
    assert (spectrum.width, as_spectrum(plain).width) == (None, 1.0)


def test_awkward_arrays_are_values():
    assert as_spectrum(ak.Array([1.0, 2.0]), bins=[0, 1.5, 3]).counts.tolist() == [1, 1]
    with pytest.raises(DataError, match="not 2 levels"):
        as_spectrum(ak.Array([[1.0], [2.0]]), bins=[0, 3])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    with pytest.raises(DataError, match="1 of 3 values are not finite"):
        as_spectrum([1.0, bad, 2.0], bins=3)


def test_wrong_use_is_refused():
    histogram = hist.Hist(hist.axis.Regular(3, 0, 3))
    with pytest.raises(ConfigError, match="values need bins"):
        as_spectrum([1.0])
    with pytest.raises(ConfigError, match="has its bins"):
        as_spectrum(histogram, bins=3)
    with pytest.raises(ConfigError, match="2 axes"):
        as_spectrum(hist.Hist(hist.axis.Regular(3, 0, 3), hist.axis.Regular(3, 0, 3)))
    with pytest.raises(ConfigError, match="kind must be"):
        plot_spectrum([1.0], bins=3, kind="bars", **MASS)
    with pytest.raises(ConfigError, match="nothing to draw"):
        plot_spectrum({}, bins=3, **MASS)
    with pytest.raises(TypeError, match="simulation"):
        plot_spectrum([1.0], bins=3, xlabel="m", unit="GeV")


@given(low=st.floats(-5, 5), width=st.floats(0.1, 5), power=st.integers(0, 7))
@settings(max_examples=50, deadline=None)
def test_bin_integrals_of_polynomials_are_exact(low, width, power):
    edges = np.array([low, low + width, low + 3 * width])
    expected = np.diff(edges ** (power + 1)) / (power + 1)
    np.testing.assert_allclose(bin_integrals(lambda x: x**power, edges), expected, rtol=1e-9, atol=1e-9)


# ---- drawing


def test_points_show_counts_and_their_uncertainties():
    ax = plot_spectrum([1.0, 1.5, 3.0, 9.0], bins=[0, 2, 4, 6], source="toy", **MASS)
    ((x, y, up),) = points(ax)
    assert (x.tolist(), y.tolist()) == ([1.0, 3.0], [2.0, 1.0])  # The empty bin has no point.
    np.testing.assert_allclose(up, np.sqrt([2, 1]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Dimuon mass [GeV]", "Events / 2 GeV")
    assert [text.get_text() for text in ax.texts] == ["Simulation", "toy"]
    assert ax.get_xlim() == (0, 6)
    assert ax.get_ylim()[0] == 0


def test_weighted_points_have_the_uncertainty_of_their_weights():
    ((_, y, up),) = points(plot_spectrum([1.0, 1.5], bins=[0, 2], weights=[3.0, 4.0], **MASS))
    assert (y.tolist(), up.tolist()) == ([7.0], [pytest.approx(5.0)])


def test_unequal_bins_are_divided_by_their_width():
    ax = plot_spectrum([1.0, 1.5, 3.0], bins=[0, 2, 6], **MASS)
    ((_, y, up),) = points(ax)
    assert y.tolist() == [1.0, 0.25]
    np.testing.assert_allclose(up, [np.sqrt(2) / 2, 0.25])
    assert ax.get_ylabel() == "Events / GeV"


def test_several_spectra_share_bins_and_have_a_legend():
    ax = plot_spectrum(
        {"Z": [1.0, 5.0], "other": [2.0, 2.5, 9.0]}, bins=2, weights={"other": [2, 2, 2]}, kind="steps", **MASS
    )
    first, second = (patch.get_data() for patch in ax.patches)
    assert first.edges.tolist() == second.edges.tolist() == [1, 3, 5]
    assert (first.values.tolist(), second.values.tolist()) == ([1, 1], [4, 0])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Z", "other"]
    assert len({patch.get_edgecolor() for patch in ax.patches}) == 2


def test_spectra_of_different_bins_are_compared_per_unit():
    fine, coarse = as_spectrum([0.5, 1.5], bins=[0, 1, 2]), as_spectrum([0.5, 1.5], bins=[0, 2])
    ax = plot_spectrum({"fine": fine, "coarse": coarse}, kind="filled", **MASS)
    assert ax.get_ylabel() == "Events / GeV"
    assert [patch.get_data().values.tolist() for patch in ax.patches] == [[1, 1], [1]]


def test_pure_numbers_have_no_unit_and_axes_can_be_logarithmic():
    ax = plot_spectrum([0.1, 0.2, 0.3], bins=[0.05, 0.15, 0.25, 0.35], simulation=False, xlabel="tau21", unit="1")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("tau21", "Events / 0.1")
    whole = plot_spectrum([2, 3], bins=[1.5, 2.5, 3.5], simulation=False, xlabel="Vertices", unit=None)
    assert whole.get_ylabel() == "Events"
    again = plot_spectrum([0.1], bins=[0.05, 0.5, 5], log=True, logx=True, simulation=False, xlabel="x", unit=None)
    assert (again.get_xscale(), again.get_yscale()) == ("log", "log")
    assert again.get_ylabel() == "Events / bin width"
    again.figure.canvas.draw()
    assert "1" in [label.get_text() for label in again.get_xticklabels()]


def test_negative_weights_stay_visible():
    ax = plot_spectrum([1.0, 3.0], bins=[0, 2, 4], weights=[1.0, -2.0], **MASS)
    assert ax.get_ylim()[0] < -2


def test_given_axes_are_used():
    _, ax = plt.subplots()
    assert plot_spectrum([1.0], bins=[0, 2], ax=ax, **MASS) is ax


# ---- fits


def test_pulls_of_the_right_model_are_standard_normal_and_of_a_wrong_one_are_not():
    edges, rng = np.linspace(60, 120, 61), np.random.default_rng(1)

    def model(x):
        return 40 + 300 * np.exp(-((x - 91) ** 2) / (2 * 0.5**2))  # A peak as narrow as a bin.

    expected = np.array([quad(model, low, high)[0] for low, high in pairwise(edges)])
    data = Spectrum(edges, counts := rng.poisson(expected).astype(float), counts)
    axes, panel = plot_fit(data, model, components={"Background": lambda x: 0 * x + 40}, note="m = 91 GeV", **MASS)
    pulls = panel.lines[-1].get_ydata()
    np.testing.assert_allclose(pulls, (counts - expected) / np.sqrt(expected), rtol=1e-5)
    assert abs(pulls.mean()) < 3 / np.sqrt(60)
    assert 0.75 < pulls.std() < 1.25
    wrong = plot_fit(data, lambda x: model(x + 1), **MASS)[1].lines[-1].get_ydata()
    assert wrong.std() > 2
    assert axes.get_legend().get_title().get_text() == "m = 91 GeV"
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(names) == ["Background", "Fit", "Simulated events"]
    assert (panel.get_xlabel(), panel.get_ylabel(), axes.get_ylabel()) == (
        "Dimuon mass [GeV]",
        "Pull",
        "Events / 1 GeV",
    )
    assert axes.texts[0].get_text() == "Simulation"


def test_the_curve_counts_events_per_bin_and_ends_with_the_fit_range():
    axes, panel = plot_fit([1.0, 3.0, 5.0, 5.0], lambda x: 0.5 + 0 * x, bins=[0, 2, 4, 6], fit_range=(2, 6), **MASS)
    curve = next(line for line in axes.lines if line.get_label() == "Fit")
    assert set(curve.get_ydata()) == {1.0}
    assert (curve.get_xdata().min(), curve.get_xdata().max()) == (2, 6)
    assert panel.lines[-1].get_xdata().tolist() == [3, 5]
    assert panel.lines[-1].get_ydata().tolist() == [0, 1]


def test_weighted_data_are_pulled_by_their_own_uncertainty():
    data = Spectrum(np.array([0.0, 1.0, 2.0]), np.array([10.0, 20.0]), np.array([4.0, 25.0]))
    _, panel = plot_fit(data, lambda x: 12 + 0 * x, **MASS)
    assert panel.lines[-1].get_ydata() == pytest.approx([-1.0, 1.6])


def test_far_pulls_are_not_cut_off():
    _, panel = plot_fit([1.0] * 400, lambda x: 100 + 0 * x, bins=[0, 2], **MASS)
    assert panel.get_ylim()[1] > panel.lines[-1].get_ydata().max() > 10


def test_a_fit_needs_equal_bins():
    with pytest.raises(ConfigError, match="equal width"):
        plot_fit([1.0, 2.0], lambda x: x, bins=[0, 1, 3], **MASS)

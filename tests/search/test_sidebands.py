"""A mass window without simulation: the spectrum beneath it, the sidebands themselves, and a density learnt there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, norm

from cmslabs.errors import ConfigError, DataError
from cmslabs.search.estimate import Columns, ControlRegion
from cmslabs.search.masses import SidebandSpectrum
from cmslabs.search.regions import Regions
from cmslabs.search.sidebands import Cathode, Cwola

WINDOW, EDGES, SCALE = (3300.0, 3700.0), (2800.0, 4200.0), 500.0
REGIONS = Regions({"mjj": WINDOW}, {"mjj": EDGES})
COLUMNS = Columns(("x",), ("mjj",))


def falling(n, rng, drift=0.0) -> pd.DataFrame:
    """Exponential masses between the edges, and a feature that drifts with them: by `drift` per TeV, width 0.3."""
    steps = rng.random(n) * (1 - np.exp(-(EDGES[1] - EDGES[0]) / SCALE))
    mass = EDGES[0] - SCALE * np.log1p(-steps)
    return pd.DataFrame({"mjj": mass, "x": rng.normal(drift * (mass - 3500) / 1000, 0.3)})


def share_in_window() -> float:
    low, high, *edges = (np.exp(-mass / SCALE) for mass in (*WINDOW, *EDGES))
    return (low - high) / (edges[0] - edges[1])


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return falling(40_000, np.random.default_rng(17), drift=1.0)


@pytest.fixture(scope="module")
def spectrum(data):
    return SidebandSpectrum.of(data["mjj"].to_numpy(), WINDOW, EDGES)


def test_expected_events_of_an_exponential(spectrum):
    """9 % of 40 000 lie there; the sidebands fluctuate, and so does what is carried on between them."""
    assert spectrum.expected == pytest.approx(40_000 * share_in_window(), rel=0.03)


def test_slopes_of_an_exponential(spectrum):
    """In units of the range the slope is -1400 / 500 all along: at its middle, a + b."""
    slope = spectrum.slopes[0] + spectrum.slopes[1]
    assert slope == pytest.approx(-(EDGES[1] - EDGES[0]) / SCALE, rel=0.03)
    assert abs(spectrum.slopes[1]) < 0.5


def test_a_parabola_in_the_logarithm_is_found():
    """A Gaussian of mean 2500 and width 900 GeV, cut to the range."""
    rng = np.random.default_rng(18)
    mass = rng.normal(2500, 900, 200_000)
    mass = mass[(mass > EDGES[0]) & (mass < EDGES[1])]
    found = SidebandSpectrum.of(mass, WINDOW, EDGES)
    ends = norm(2500, 900).cdf([*WINDOW, *EDGES])
    assert found.expected == pytest.approx(len(mass) * (ends[1] - ends[0]) / (ends[3] - ends[2]), rel=0.03)
    assert found.slopes[1] == pytest.approx(-((EDGES[1] - EDGES[0]) ** 2) / (2 * 900**2), abs=0.2)


def test_the_window_is_not_looked_at(data, spectrum):
    bump = np.concatenate([data["mjj"], np.random.default_rng(19).uniform(*WINDOW, 5000)])
    assert SidebandSpectrum.of(bump, WINDOW, EDGES) == spectrum
    beyond = np.concatenate([data["mjj"], np.full(300, 5000.0)])
    assert SidebandSpectrum.of(beyond, WINDOW, EDGES) == spectrum
    outside = (data["mjj"] <= WINDOW[0]) | (data["mjj"] >= WINDOW[1])
    assert spectrum.n_sidebands == outside.sum()


def test_the_expectation_has_no_bias_over_many_samples():
    """Beyond the 0.2 % that the finite cells of the spectrum cost."""
    rng = np.random.default_rng(30)
    found = [SidebandSpectrum.of(falling(4000, rng)["mjj"].to_numpy(), WINDOW, EDGES).expected for _ in range(60)]
    true = 4000 * share_in_window()
    assert np.mean(found) == pytest.approx(true, abs=0.003 * true + 3 * np.std(found) / np.sqrt(60))
    assert 0.02 < np.std(found) / true < 0.06


def test_drawn_masses_follow_the_spectrum(spectrum):
    mass = spectrum.draw(4000, np.random.default_rng(21))
    assert WINDOW[0] <= mass.min() < mass.max() <= WINDOW[1]
    low, high = (np.exp(-end / SCALE) for end in WINDOW)
    assert kstest(mass, lambda m: (low - np.exp(-m / SCALE)) / (low - high)).pvalue > 0.01
    # Flat masses would be noticed.
    assert kstest(mass, lambda m: (m - WINDOW[0]) / (WINDOW[1] - WINDOW[0])).pvalue < 1e-6


def test_a_window_without_a_sideband(data):
    mass = data["mjj"].to_numpy()
    with pytest.raises(DataError, match=r"events below and above 3300-3700 GeV are too few. Choose a window with"):
        SidebandSpectrum.of(mass[mass < 3700], WINDOW, EDGES)
    with pytest.raises(DataError, match=r"0 and \d+ events below and above"):
        SidebandSpectrum.of(mass[mass > 3300], WINDOW, EDGES)


@pytest.fixture(scope="module")
def control(data):
    return ControlRegion(data[REGIONS.in_control(data)])


def test_cwola_weighs_both_sidebands_equally(control, data):
    found = Cwola(COLUMNS, REGIONS).fit(control).estimate()
    low = found.table["mjj"].to_numpy() < WINDOW[0]
    assert low.sum() > 4 * (~low).sum()
    assert found.weights[low].sum() == pytest.approx(found.weights[~low].sum())
    assert len(set(found.weights[low])) == len(set(found.weights[~low])) == 1
    true = REGIONS.in_signal(data).sum()
    assert found.expected == pytest.approx(true, abs=4 * np.sqrt(true))
    assert found.clipped == 0


def test_in_cwola_a_straight_drift_cancels_but_for_where_the_sidebands_lie(control, data):
    """The two sidebands' means of x, weighted equally, against their mean as they come."""
    found = Cwola(COLUMNS, REGIONS).fit(control).estimate()
    true = data.loc[REGIONS.in_signal(data), "x"].mean()
    low, high = (found.table["mjj"] <= WINDOW[0]), (found.table["mjj"] >= WINDOW[1])
    equal = np.average(found.table["x"], weights=found.weights)
    assert equal == pytest.approx((found.table.loc[low, "x"].mean() + found.table.loc[high, "x"].mean()) / 2)
    assert abs(equal - true) < 0.06 < 0.2 < abs(found.table["x"].mean() - true)


def test_open_ends_take_what_the_data_have(control):
    open_ended = Cwola(COLUMNS, Regions({"mjj": WINDOW})).fit(control)
    mass = control.data["mjj"]
    assert open_ended.spectrum_.edges == (mass.min(), mass.max())
    closed = Cwola(COLUMNS, REGIONS).fit(control)
    assert open_ended.estimate().expected == pytest.approx(closed.estimate().expected, rel=0.02)


@pytest.mark.parametrize("kind", [Cwola, Cathode])
@pytest.mark.parametrize("signal", [{"mjj": (3300.0, None)}, {"mjj": WINDOW, "ht": (800.0, None)}])
def test_a_region_that_is_no_window(kind, signal):
    with pytest.raises(ConfigError, match=f"'{kind.name}' needs a signal region in one column, with two ends"):
        kind(COLUMNS, Regions(signal))


@pytest.fixture(scope="module")
def cathode(control):
    flow = {"max_events": 6000, "epochs": 10, "n_layers": 2, "widths": (32, 32)}
    return Cathode(COLUMNS, REGIONS, 1, flow).fit(control)


def test_cathode_draws_four_events_for_each_expected_one_in_the_window(cathode, data):
    found = cathode.estimate()
    assert len(found.table) == round(4 * cathode.spectrum_.expected)
    assert found.expected == pytest.approx(cathode.spectrum_.expected)
    assert found.expected == pytest.approx(REGIONS.in_signal(data).sum(), rel=0.06)
    assert found.table["mjj"].between(*WINDOW).all()
    assert REGIONS.in_signal(found.table).mean() > 0.99
    assert set(found.table) == {"x", "mjj"}


def test_cathode_knows_how_the_feature_drifts_in_the_window(cathode, data):
    """1 per TeV, interpolated: at every mass the drawn x has the right mean; CWoLa has one mean for all."""
    found = cathode.estimate().table
    for low in np.linspace(*WINDOW, 5)[:-1]:
        part = found[(found["mjj"] > low) & (found["mjj"] < low + 100)]
        assert part["x"].mean() == pytest.approx((low + 50 - 3500) / 1000, abs=0.06)
        assert part["x"].std() == pytest.approx(np.hypot(0.3, 0.1 / np.sqrt(12)), rel=0.2)


def test_cathode_draws_the_same_twice(cathode):
    pd.testing.assert_frame_equal(cathode.estimate().table, cathode.estimate().table)

"""Scans of mass windows and of boxes: a planted resonance is found, and nothing where there is none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import binom, kstest
from search_worlds import resonance_table

from cmslabs.errors import ConfigError, DataError
from cmslabs.search import boxes
from cmslabs.search.boxes import BoxSearch, direction_p, evidence, search_box
from cmslabs.search.windows import Window, WindowScan, make_mass_windows, scan_windows, select_in_window

EDGES = np.arange(2600.0, 6001.0, 100.0)
WINDOWS = make_mass_windows(3300, 3700)
OPTIONS = {"efficiency": 0.05, "max_toys": 60, "folds": 3, "members": 1, "max_iter": 20}


def test_windows_by_hand():
    first, second = make_mass_windows(3000, 3180, share=0.06)
    assert (first.low, first.high, first.side) == (2820, 3180, 360)
    assert first.within == (2460, 3540)
    # The next centre is one half-width further on.
    assert (second.low + second.high) / 2 == pytest.approx(3180)
    assert len(make_mass_windows(3000, 3179)) == 1
    assert [round((one.low + one.high) / 2) for one in make_mass_windows(3000, 3400, 0.1, 0.5)] == [3000, 3150, 3308]


@pytest.mark.parametrize("arguments", [(0, 10), (20, 10), (10, 20, 0), (10, 20, 0.5), (10, 20, 0.1, 0)])
def test_windows_that_there_are_not(arguments):
    with pytest.raises(ConfigError, match="there are no windows from"):
        make_mass_windows(*arguments)


@pytest.fixture(scope="module")
def null():
    return scan_windows(resonance_table(38, 12_000, 0), ["a", "b"], WINDOWS, EDGES, **OPTIONS)


@pytest.fixture(scope="module")
def found():
    told = []
    scan = scan_windows(resonance_table(39, 12_000, 150), ["a", "b"], WINDOWS, EDGES, tick=told.append, **OPTIONS)
    assert told == [1, 2]
    return scan


def test_a_strong_resonance_has_a_tiny_p_and_its_mass(found):
    assert found.p < 1e-6
    assert found.z > 4.7
    best = found.table.iloc[found.best]
    assert best["low"] < 3500 < best["high"]
    assert best["mass"] == pytest.approx(3500, abs=100)
    assert best["on"] > 1.8 * best["expected"]
    # 150 events were hidden.
    assert best["on"] - best["expected"] == pytest.approx(140, abs=45)


def test_where_there_is_none_there_is_no_p(null):
    assert null.p > 0.01
    assert (null.table["on"] - null.table["expected"]).abs().max() < 4 * np.sqrt(null.table["expected"].max())


def test_a_scan_has_one_row_and_one_hunt_for_each_window(found):
    assert len(found.table) == len(found.hunts) == len(WINDOWS)
    for row, hunt, window in zip(found.table.to_dict("records"), found.hunts, WINDOWS, strict=True):
        assert (row["low"], row["high"]) == (window.low, window.high)
        assert (row["p"], row["local_z"]) == (hunt.global_p, hunt.local_significance)
    assert found.efficiency == 0.05


def test_the_smallest_of_so_many():
    scan = WindowScan(pd.DataFrame({"p": [0.4, 0.01, 0.7]}), [], 0.01)
    assert scan.best == 1
    assert scan.p == pytest.approx(1 - 0.99**3)
    tiny = WindowScan(pd.DataFrame({"p": [1e-20, 0.5]}), [], 0.01)
    assert tiny.p == pytest.approx(2e-20)
    assert WindowScan(pd.DataFrame({"p": [1.0]}), [], 0.01).p == pytest.approx(1.0)


def test_the_cut_makes_no_step_where_the_training_region_ends():
    """Noise passes alike in the window, beside it and beyond: 10 % everywhere, none of it memorised."""
    table = resonance_table(40, 12_000, 0)
    window = WINDOWS[0]
    trees = {"folds": 3, "members": 1, "max_iter": 60}
    passes = select_in_window(table, ["a", "b"], window, "mjj", 0.1, 2, **trees)
    low, high = window.within
    inside = table["mjj"].between(window.low, window.high)
    beyond = ~table["mjj"].between(low, high)
    for part in (inside, beyond, ~inside & ~beyond):
        n = part.sum()
        assert passes[part].mean() == pytest.approx(0.1, abs=0.02 + 3.5 * np.sqrt(0.09 / n)), n


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"features": ["a", "mjj"]}, ConfigError, "'mjj' is mass and feature at once. A classifier that sees the mass"),
        ({"windows": []}, ConfigError, "there is no window to scan"),
        ({"efficiency": 1.0}, ConfigError, "an efficiency of 1.0 is not possible"),
        ({"efficiency": 0.0}, ConfigError, "an efficiency of 0.0 is not possible"),
        (
            {"windows": [Window(5000.0, 5400.0, 300.0)]},
            DataError,
            r"\d+ events beside 5000-5400 GeV are fewer than 100. Move the window, or widen its sidebands",
        ),
        (
            {"windows": [Window(2610.0, 3000.0, 400.0)]},
            DataError,
            r"\d+ events beside 2610-3000 GeV are fewer than 100",
        ),
    ],
)
def test_scans_that_cannot_be_made(changed, error, message):
    arguments = {"features": ["a", "b"], "windows": WINDOWS, "edges": EDGES} | OPTIONS | changed
    with pytest.raises(error, match=message):
        scan_windows(resonance_table(41, 3000, 0), **arguments)


def events(n, rng, hot=False) -> pd.DataFrame:
    """Azimuths and missing momenta; a hot cell adds to those of one direction."""
    phi = rng.uniform(-np.pi, np.pi, n)
    met = rng.exponential(30.0, n) + 100.0 * (hot & (phi > 2.0) & (phi < 2.2))
    pt = rng.uniform(1200, 1500, n)
    return pd.DataFrame({"met": met, "pxj1": pt * np.cos(phi), "pyj1": pt * np.sin(phi)})


def test_the_p_of_a_direction_is_uniform_on_nulls():
    rng = np.random.default_rng(42)
    found = np.array([direction_p(events(2000, rng)) for _ in range(300)])
    assert kstest(found, "uniform").pvalue > 0.01
    for level in (0.05, 0.2):
        low, high = binom.ppf([0.005, 0.995], 300, level)
        assert low <= (found < level).sum() <= high, level


def test_a_hot_direction_is_found():
    rng = np.random.default_rng(43)
    assert direction_p(events(4000, rng, hot=True)) < 1e-6
    # It hides among all events: most of them point elsewhere.
    assert direction_p(events(4000, rng, hot=True), share=1.0) > 1e-3


def test_a_direction_needs_events():
    table = events(200, np.random.default_rng(44))
    with pytest.raises(DataError, match=r"0.03 of 200 events are too few for a direction"):
        direction_p(table)
    assert 0 < direction_p(table, 0.05) <= 1


def box(seed, signal) -> pd.DataFrame:
    """A box as `read_box` gives it, as far as the search looks at it: the signal has two heavy jets with two prongs."""
    rng = np.random.default_rng(seed)
    table = resonance_table(seed, 14_000, signal)
    n, is_signal = len(table), (table["process"] == "signal").to_numpy()
    masses = np.where(is_signal[:, None], rng.normal([500, 100], 15, (n, 2)), rng.exponential(150, (n, 2)) + 20)
    columns = {"mj1": masses[:, 0], "mj2": masses[:, 1], "mjj": table["mjj"].to_numpy()}
    for jet in ("j1", "j2"):
        columns[f"tau1{jet}"] = rng.uniform(0.1, 0.4, n)
        columns[f"tau2{jet}"] = columns[f"tau1{jet}"] * np.where(
            is_signal, rng.uniform(0.1, 0.4, n), rng.uniform(0.3, 1, n)
        )
    return pd.DataFrame(columns).join(events(n, rng))


def test_a_box_with_a_resonance(monkeypatch):
    monkeypatch.setattr(boxes, "TREES", {"folds": 2, "members": 1, "max_iter": 20})
    monkeypatch.setattr(boxes, "CENTRES", (3300.0, 3700.0))
    table, told = box(45, 80), []
    found = search_box(table, 1, max_toys=30, tick=told.append)
    assert found.p_window == found.scan.p < 1e-4
    assert found.mass == pytest.approx(3500, abs=100)
    assert 0 < found.mass_error < 50
    assert found.p_direction == direction_p(table) > 0.001
    assert told == list(range(1, len(found.scan.table) + 1))
    # 80 events were hidden, and the cut keeps most of them.
    assert found.signal[0] == pytest.approx(75, abs=30)
    assert 5 < found.signal[1] < 30
    assert found.probabilities()["wprime"] > 0.9


@pytest.mark.parametrize("p", [1e-8, 0.001, 0.05, 0.4, 0.999])
def test_evidence_is_the_mean_of_all_bets(p):
    assert evidence(p) == pytest.approx(quad(lambda e: e * p ** (e - 1), 0, 1, epsabs=1e-10)[0], rel=1e-6)


def test_nobody_wins_who_bets_on_nulls():
    """Over uniform p from 1e-6 on the mean is 1 less the share of the smallest ones: 1 / 13.8."""
    mean = quad(lambda log: evidence(np.exp(log)) * np.exp(log), np.log(1e-6), 0, limit=200)[0]
    assert mean == pytest.approx(1 + (1 - 1e-6) / np.log(1e-6), rel=1e-4)


def test_evidence_at_its_ends():
    assert evidence(1.0) == pytest.approx(evidence(1 - 2e-4), abs=1e-3) == 0.5
    assert np.isfinite(evidence(0.0))
    assert evidence(0.0) > 1e290
    for p in (-0.1, 1.1, np.nan):
        with pytest.raises(DataError, match="is no p-value"):
            evidence(p)


def test_what_to_believe_of_a_box():
    """Three kinds, equally likely beforehand; each gets its evidence's share."""
    scan = WindowScan(pd.DataFrame({"p": [0.5]}), [], 0.01)
    found = BoxSearch(1e-4, scan).probabilities()
    odds = [1.0, evidence(0.5), evidence(1e-4)]
    assert list(found) == ["nothing", "wprime", "hot-cell"]
    assert list(found.values()) == pytest.approx([one / sum(odds) for one in odds])


def test_what_was_decided_before_any_box_was_opened():
    """The windows lie in the spectrum, and cover where a W' may be."""
    windows = make_mass_windows(*boxes.CENTRES)
    assert windows[0].within[0] < 2600 <= windows[0].low
    assert windows[-1].within[1] < boxes.EDGES[-1]
    for one, two in pairwise(windows):
        assert two.low < one.high


def test_a_direction_needs_finite_columns():
    table = events(400, np.random.default_rng(3))
    table.loc[table["met"].idxmax(), "pxj1"] = np.nan
    with pytest.raises(DataError, match="'pxj1' has a value that is not finite"):
        direction_p(table)
    with pytest.raises(DataError, match="no column 'pyj1'"):
        direction_p(table.drop(columns=["pxj1", "pyj1"]).assign(pxj1=1.0))
    with pytest.raises(ConfigError, match="share of 2"):
        direction_p(table, share=2)

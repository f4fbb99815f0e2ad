"""The whole hunt: a planted peak, an empty spectrum, blinding, and input that must be refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from null_spectra import EDGES, as_counts, draw, smooth

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.bumphunt import bump_hunt
from cmslabs.evaluation.windows import gaussian_template
from cmslabs.plotting.binned import Spectrum

PEAK = gaussian_template(EDGES, 4005.0, 160.0)
WANTED = {"mass", "width", "local_p", "global_p", "significance", "family", "gof_p", "n_toys"}


@pytest.mark.parametrize("statistic", ["template", "window"])
def test_a_peak_is_found(statistic):
    found = bump_hunt(draw(1, 800 * PEAK), statistic=statistic, max_toys=400)
    assert abs(found.mass - 4005) < 110
    assert found.local_significance > 5
    assert found.significance > 3
    assert found.significance < found.local_significance
    assert found.signal_yield == pytest.approx(800, abs=4 * found.signal_yield_error)


@pytest.mark.parametrize("statistic", ["template", "window"])
def test_an_empty_spectrum_is_empty(statistic):
    found = bump_hunt(draw(2), statistic=statistic, max_toys=400)
    assert found.global_p > 0.05
    assert found.global_p > found.local_p
    assert found.gof_p > 0.01


def test_summary_is_json_with_what_scripts_want():
    found = bump_hunt(draw(1, 800 * PEAK), max_toys=200)
    summary = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert set(summary) >= WANTED
    huge = bump_hunt(draw(1, 60_000 * PEAK), max_toys=200).summary()
    json.dumps(huge, allow_nan=False)
    assert huge["global_p"] == 0.0
    assert huge["significance"] > 38


def test_same_seed_same_result():
    spectrum = draw(3)
    first, again, other = (bump_hunt(spectrum, seed=seed, max_toys=300) for seed in (1, 1, 2))
    assert first.summary() == again.summary()
    assert not np.array_equal(first.toys.largest, other.toys.largest)


def test_enough_toys_for_the_p_value_that_is_quoted():
    found = bump_hunt(draw(4), max_toys=5000)
    assert found.global_method == "toys"
    assert found.n_toys >= 99 / found.global_p
    assert found.global_p_error == pytest.approx(np.sqrt(found.global_p * (1 - found.global_p) / found.n_toys))


def test_blinded_bins_are_used_for_nothing():
    counts = draw(5).counts
    hidden = (EDGES[:-1] >= 3900) & (EDGES[1:] <= 4200)
    changed = np.where(hidden, 123456.0, counts)
    results = [bump_hunt(as_counts(c), blind=(3900, 4200), max_toys=200) for c in (counts, changed)]
    assert results[0].summary() == results[1].summary()
    np.testing.assert_array_equal(results[0].background, results[1].background)
    assert not results[0].scan["mass"].between(3900, 4200).any()
    blind = results[0].summary()["blind"]
    overlapping = (EDGES[:-1] < 4200) & (EDGES[1:] > 3900)
    assert blind["low"] <= 3900 < 4200 <= blind["high"]
    assert blind["predicted"] == pytest.approx(smooth()[overlapping].sum(), rel=0.1)


def test_scan_range_limits_where_signals_are_looked_for():
    found = bump_hunt(draw(1, 800 * PEAK), scan_range=(5000, 6000), max_toys=200)
    assert found.scan["mass"].between(5000, 6000).all()
    assert found.local_significance < 4


def test_limits_lie_above_the_yield_and_the_band_is_ordered():
    found = bump_hunt(draw(1, 800 * PEAK), max_toys=200)
    columns = ["expected_m2", "expected_m1", "expected", "expected_p1", "expected_p2"]
    assert (np.diff(found.limits[columns].to_numpy(), axis=1) > 0).all()
    nearest = found.limits.iloc[(found.limits["mass"] - found.mass).abs().argmin()]
    assert nearest["observed"] > found.signal_yield
    assert nearest["observed"] > nearest["expected_p2"]


def test_best_windows_are_apart():
    windows = bump_hunt(draw(6), max_toys=200).best_windows(4)
    assert len(windows) == 4
    assert windows["local_p"].is_monotonic_increasing
    gaps = np.abs(windows["mass"].to_numpy()[:, None] - windows["mass"].to_numpy())
    assert (gaps[~np.eye(4, dtype=bool)] > 100).all()


def test_best_windows_of_an_overwhelming_peak_begin_with_it():
    """All p-values there are zero as floats: the order has to come from Z."""
    windows = bump_hunt(draw(6, 60_000 * PEAK), max_toys=200).best_windows(3)
    assert abs(windows["mass"][0] - 4005) < 110


def test_nothing_else_is_found_beside_an_overwhelming_peak():
    """The other windows are fitted without the peak's bins; their limits are those of an empty spectrum."""
    found = bump_hunt(draw(6, 60_000 * PEAK), max_toys=200)
    away = np.abs(found.scan["mass"] - 4005) > 3.5 * 160
    assert found.scan[away]["local_z"].max() < 4
    empty = bump_hunt(draw(6), max_toys=200)
    limits = found.limits.merge(empty.limits, on="mass")
    limits = limits[(limits["mass"] - 4005).abs() > 5 * 160]
    assert len(limits) > 10
    assert (limits["expected_x"] / limits["expected_y"]).between(0.2, 5).all()


def test_a_spectrum_without_any_excess_stays_finite():
    counts = np.round(smooth())
    summary = bump_hunt(as_counts(counts), max_toys=200).summary()
    assert summary["global_p"] > 0.9
    assert np.isfinite(summary["significance"])


def test_background_density_integrates_to_the_counts():
    found = bump_hunt(draw(7), max_toys=200)
    fine = np.linspace(EDGES[0], EDGES[-1], 20_001)
    middle = (fine[1:] + fine[:-1]) / 2
    total = (found.background_density(middle) * np.diff(fine)).sum()
    assert total == pytest.approx(found.background.sum(), rel=1e-3)


def test_empty_bins_at_the_end_are_no_obstacle():
    found = bump_hunt(draw(8, n_events=400), max_toys=200)
    assert (found.spectrum.counts == 0).any()
    assert np.isfinite(found.background).all()
    assert 0 < found.global_p <= 1


BAD_COUNTS = {
    "empty": (np.zeros(40), "empty"),
    "negative": (np.where(np.arange(40) == 3, -2.0, 10.0), "negative"),
    "nan": (np.where(np.arange(40) == 3, np.nan, 10.0), "no number"),
    "infinite": (np.where(np.arange(40) == 3, np.inf, 10.0), "no number"),
    "density": (np.full(40, 12.5), "densities"),
    "few": (np.where(np.arange(40) == 3, 4.0, 0.0), "too few"),
}


@pytest.mark.parametrize("name", BAD_COUNTS)
def test_counts_that_are_none_are_refused(name):
    counts, words = BAD_COUNTS[name]
    with pytest.raises(DataError, match=words):
        bump_hunt(as_counts(counts))


def test_other_bad_spectra_are_refused():
    counts = np.full(40, 100.0)
    with pytest.raises(DataError, match="one bin"):
        bump_hunt(as_counts([100.0], [1.0, 2.0]))
    with pytest.raises(DataError, match="rise"):
        bump_hunt(as_counts(counts, EDGES[::-1]))
    with pytest.raises(DataError, match="above zero"):
        bump_hunt(as_counts(counts, np.linspace(-1, 1, 41)))
    with pytest.raises(DataError, match="weighted"):
        bump_hunt(Spectrum(EDGES, counts, 2 * counts))
    with pytest.raises(DataError, match="edges"):
        bump_hunt(as_counts(counts, EDGES[:-1]))
    with pytest.raises(ConfigError, match="too few"):
        bump_hunt(as_counts([30.0, 20.0, 10.0], [1.0, 2.0, 3.0, 4.0]))
    one_filled = np.zeros(40)
    one_filled[7] = 500
    with pytest.raises(ConfigError, match="with events"):
        bump_hunt(as_counts(one_filled))


def test_bad_options_are_refused():
    spectrum = draw(1)
    for options, words in (
        ({"statistic": "magic"}, "statistic"),
        ({"families": "cubic"}, "family"),
        ({"widths": [0.0]}, "positive"),
        ({"blind": (5000, 4000)}, "rise"),
        ({"blind": (0, 9000)}, "blinded"),
        ({"scan_range": (1, 2)}, "no mass"),
        ({"sqrt_s": 5000.0}, "collisions"),
        ({"max_toys": 0}, "max_toys"),
        ({"seed": -1}, "seed"),
    ):
        with pytest.raises(ConfigError, match=words):
            bump_hunt(spectrum, **options)


def test_more_bins_than_a_scan_can_hold_are_refused():
    counts = np.full(1001, 10.0)
    with pytest.raises(DataError, match="1001 bins are too many"):
        bump_hunt(Spectrum(np.linspace(1000, 2000, 1002), counts, counts), max_toys=1)


def test_blinded_counts_are_not_visible():
    spectrum = draw(1)
    found = bump_hunt(spectrum, families="exponential", blind=(EDGES[10], EDGES[12]), max_toys=5)
    assert found.visible[10:12].tolist() == [0, 0]
    assert found.visible.sum() == spectrum.counts.sum() - spectrum.counts[10:12].sum()


@pytest.mark.parametrize("blind", [(1.0, 2.0), (1e6, 2e6)])
def test_a_blinded_range_that_hides_nothing_is_refused(blind):
    with pytest.raises(ConfigError, match="nothing would be hidden"):
        bump_hunt(as_counts(smooth(2e4).round()), blind=blind, max_toys=5)


@pytest.mark.parametrize("sqrt_s", [np.nan, np.inf, 0.0])
def test_an_energy_that_is_none_is_refused(sqrt_s):
    with pytest.raises(ConfigError, match="sqrt"):
        bump_hunt(as_counts(smooth(2e4).round()), sqrt_s=sqrt_s, max_toys=5)

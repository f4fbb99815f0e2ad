"""Where events come from and how a signal is hidden: fractions, Poisson numbers, and parts that share no event."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from search_worlds import resonance_table, toy_table

from cmslabs.errors import CmslabsError, ConfigError, DataError, MissingBranchError
from cmslabs.search.distortion import distorted
from cmslabs.search.estimate import Columns
from cmslabs.search.problem import Sample, check_injection, control_region, inject
from cmslabs.search.regions import Regions
from cmslabs.search.table_problem import TableProblem, load_source
from cmslabs.search.toy import SIMULATION_SHIFT, SIMULATION_WIDTH, ToyProblem, toy_events

REGIONS, COLUMNS = ToyProblem.regions, ToyProblem.columns
PARTS = ("data", "simulation", "ideal", "test", "signal", "test_signal")


@pytest.mark.parametrize(
    ("kind", "percent", "centre", "width"),
    [("background", 2.5, -1, 2), ("simulation", 5.6, -1, 2.8), ("signal", 99.97, 2.8, 0.5)],
)
def test_fractions_of_the_toy_in_its_signal_region(kind, percent, centre, width):
    """Those of the paper, and what two normal distributions say."""
    n = 200_000
    share = norm.sf(1, centre, width) ** 2
    assert 100 * share == pytest.approx(percent, abs=0.05)
    found = REGIONS.in_signal(toy_events(kind, n, np.random.default_rng(26))).mean()
    assert found == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n))


@pytest.mark.parametrize(
    ("kind", "shift", "width"),
    [("background", 0, 1), ("simulation", SIMULATION_SHIFT, SIMULATION_WIDTH), ("signal", 2, 1)],
)
def test_x_of_the_toy_drifts_with_its_context(kind, shift, width):
    events = toy_events(kind, 50_000, np.random.default_rng(27))
    rest = events["x"] - 0.5 * (events["m1"] + events["m2"]) / np.sqrt(2)
    assert rest.mean() == pytest.approx(shift, abs=4 * width / np.sqrt(50_000))
    assert rest.std() == pytest.approx(width, rel=4 / np.sqrt(100_000))
    assert abs(np.corrcoef(rest, events["m1"])[0, 1]) < 0.02


def test_a_throw_of_the_toy():
    problem = ToyProblem(5000, 300)
    sample = problem.draw(4)
    assert (len(sample.data), len(sample.simulation), len(sample.signal)) == (5000, 5000, 300)
    for name in ("ideal", "test", "test_signal"):
        assert REGIONS.in_signal(getattr(sample, name)).all(), name
    again, other = problem.draw(4), problem.draw(5)
    for name in PARTS:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(sample, name))
        assert not set(getattr(other, name)["x"]) & set(getattr(sample, name)["x"])
    # No part repeats another.
    values = np.concatenate([getattr(sample, name)["x"] for name in PARTS])
    assert len(set(values)) == len(values)


@pytest.fixture(scope="module")
def leaky() -> Sample:
    """Half of the signal misses the signal region: for each event there, one contaminates the control region."""
    rng = np.random.default_rng(28)
    background = toy_events("background", 4000, rng)
    signal = toy_events("signal", 2000, rng)
    signal.loc[::2, "m1"] = -1.0
    return Sample(background, None, background, background, signal, signal)


def test_injected_numbers_are_poisson_over_all_regions(leaky):
    """The mean puts S/B into the signal region; mean and variance of the total are the same number."""
    share = REGIONS.in_signal(leaky.signal).mean()
    assert share == pytest.approx(0.5, abs=0.01)
    tries = [inject(leaky, REGIONS, 0.4, np.random.default_rng(seed)) for seed in range(400)]
    n_background = tries[0].n_background
    total = np.array([one.n_signal + one.n_control for one in tries])
    mean = 0.4 * n_background / share
    assert total.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 400))
    # The variance of 400 Poisson numbers is known to 7 %.
    assert total.var(ddof=1) / mean == pytest.approx(1.0, abs=4 * np.sqrt(2 / 399))
    inside = np.array([one.s_over_b for one in tries])
    assert inside.mean() == pytest.approx(0.4, abs=4 * np.sqrt(0.4 / n_background / 400))


def test_what_is_injected_is_counted(leaky):
    found = inject(leaky, REGIONS, 0.4, np.random.default_rng(1))
    assert found.signal_region["label"].sum() == found.n_signal > 0
    assert found.control["label"].sum() == found.n_control > 0
    assert len(found.signal_region) == found.n_signal + found.n_background
    assert REGIONS.in_signal(found.signal_region).all()
    assert REGIONS.in_control(found.control).all()
    assert found.contamination == found.n_control / len(found.control)
    assert found.s_over_b == found.n_signal / found.n_background
    assert found.s_over_sqrt_b == pytest.approx(found.n_signal / np.sqrt(found.n_background))
    # Each signal event once, and the background is all there.
    hidden = pd.concat([part[part["label"] == 1] for part in (found.signal_region, found.control)])["x"]
    assert hidden.is_unique
    assert set(hidden) <= set(leaky.signal["x"])
    rest = pd.concat([part[part["label"] == 0] for part in (found.signal_region, found.control)])["x"]
    assert sorted(rest) == sorted(leaky.data["x"])


def test_nothing_is_injected_at_zero(leaky):
    found = inject(leaky, REGIONS, 0.0, np.random.default_rng(1))
    assert (found.n_signal, found.n_control, found.s_over_b, found.contamination) == (0, 0, 0.0, 0.0)
    assert not found.signal_region["label"].any()
    # A null needs no signal at all.
    without = Sample(leaky.data, None, leaky.data, leaky.data, leaky.signal.iloc[:0], leaky.signal)
    assert inject(without, REGIONS, 0.0, np.random.default_rng(1)).n_background == found.n_background


def test_signals_that_cannot_be_injected(leaky):
    rng = np.random.default_rng(1)
    with pytest.raises(
        ConfigError, match=r"injections: S/B = 50 needs \d+ signal events, but there are 2000. Inject less"
    ):
        inject(leaky, REGIONS, 50, rng)
    for size in (-0.1, np.nan, np.inf):
        with pytest.raises(ConfigError, match=r"injections: a signal over background of .* is not possible"):
            inject(leaky, REGIONS, size, rng)
    far = Sample(leaky.data, None, leaky.data, leaky.data, leaky.signal.assign(m1=-5.0), leaky.signal)
    with pytest.raises(DataError, match="none of the 2000 signal events lies in the signal region"):
        inject(far, REGIONS, 0.1, rng)


def test_a_signal_sample_that_is_too_small_is_noticed_beforehand(leaky):
    """At S/B = 0 nothing is needed; and a mean just below the sample's size is not enough."""
    n_background = REGIONS.in_signal(leaky.data).sum()
    share = REGIONS.in_signal(leaky.signal).mean()
    fits = (2000 - 5.2 * np.sqrt(2000)) * share / n_background
    for size in (0.0, fits):
        check_injection(leaky, REGIONS, size)
    for size in (1990 * share / n_background, 50):
        with pytest.raises(ConfigError, match=r"signal events, but there are 2000. Inject less"):
            check_injection(leaky, REGIONS, size)


def test_what_methods_may_learn_from(leaky):
    found = inject(leaky, REGIONS, 0.2, np.random.default_rng(2))
    control, simulation = control_region(found, leaky, REGIONS)
    assert control.data is found.control
    assert control.simulation is None
    assert simulation is None
    sample = Sample(leaky.data, leaky.data, leaky.data, leaky.data, leaky.signal, leaky.signal)
    control, simulation = control_region(found, sample, REGIONS)
    assert REGIONS.in_control(control.simulation).all()
    assert REGIONS.in_signal(simulation).all()
    assert len(control.simulation) + len(simulation) == len(leaky.data)


def table_problem(table, simulation="simulation", **changed) -> TableProblem:
    return TableProblem(table, COLUMNS, REGIONS, "background", "signal", simulation, **changed)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return toy_table(29, background=30_000, simulation=5000)


@pytest.mark.parametrize("simulation", [None, "simulation", "distorted"])
def test_parts_of_a_table_share_no_event(table, simulation):
    sample = table_problem(table, simulation).draw(1)
    parts = [getattr(sample, name) for name in PARTS if getattr(sample, name) is not None]
    numbers = np.concatenate([part["event"] for part in parts])
    assert len(set(numbers)) == len(numbers)
    for part, process in ((sample.data, "background"), (sample.ideal, "background"), (sample.test, "background")):
        assert set(part["process"]) == {process}
    assert set(sample.signal["process"]) == set(sample.test_signal["process"]) == {"signal"}
    for name in ("ideal", "test", "test_signal"):
        assert REGIONS.in_signal(getattr(sample, name)).all()
    assert (sample.simulation is None) == (simulation is None)
    if simulation == "simulation":
        assert set(sample.simulation["process"]) == {"simulation"}


def test_a_third_of_the_background_plays_data(table):
    sample = table_problem(table).draw(1)
    background = table[table["process"] == "background"]
    inside = REGIONS.in_signal(background).sum()
    assert REGIONS.in_signal(sample.data).sum() == pytest.approx(inside / 3, abs=1)
    assert REGIONS.in_control(sample.data).sum() == pytest.approx((len(background) - inside) / 3, abs=1)
    assert len(sample.ideal) + len(sample.test) == pytest.approx(2 * inside / 3, abs=1)
    assert len(sample.signal) == 300


def test_every_seed_deals_anew_and_equal_seeds_equally(table):
    problem = table_problem(table)
    first, again, other = (problem.draw(seed) for seed in (1, 1, 2))
    for name in PARTS:
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    both = set(first.data["event"]) & set(other.data["event"])
    assert len(both) == pytest.approx(len(first.data) / 3, rel=0.05)


def thin(table, kept):
    """Of the background's control region so many events are left."""
    control = REGIONS.in_control(table) & (table["process"] == "background")
    return table[~control | (np.random.default_rng(30).random(len(table)) < kept)]


@pytest.mark.parametrize("kept", [1.0, 0.5, 1 / 3])
def test_a_thinned_control_region_keeps_natures_ratio(table, kept):
    sample = table_problem(thin(table, kept), control_kept=kept).draw(1)
    inside, beside = REGIONS.in_signal(sample.data).sum(), REGIONS.in_control(sample.data).sum()
    assert inside / beside == pytest.approx(0.02517 / (1 - 0.02517), rel=0.15)
    assert beside == pytest.approx(30_000 * (1 - 0.02517) / 3, rel=0.03)


@pytest.mark.parametrize("kept", [1.0, 0.7, 0.5])
def test_a_distorted_simulation_has_natures_ratio_too(table, kept):
    """Half as many events as the data, in both regions: a yield that is carried over is right."""
    sample = table_problem(thin(table, kept), "distorted", control_kept=kept).draw(1)
    undone = table.set_index("event").loc[sample.simulation["event"]]
    inside, beside = REGIONS.in_signal(undone).sum(), REGIONS.in_control(undone).sum()
    assert inside == pytest.approx(REGIONS.in_signal(sample.data).sum() / 2, abs=1)
    assert beside == pytest.approx(REGIONS.in_control(sample.data).sum() / 2, rel=0.03)
    assert (sample.simulation["x"].to_numpy() != undone["x"].to_numpy()).mean() > 0.99


@pytest.mark.parametrize("kept", [1 / 3, 0.4])
def test_too_little_is_left_to_be_distorted(table, kept):
    with pytest.raises(ConfigError, match=r"simulation: there is too little background left over.*at least half"):
        table_problem(thin(table, kept), "distorted", control_kept=kept).draw(1)


def test_fewer_events_on_request(table):
    sample = table_problem(table, events=9000).draw(1)
    used = len(sample.data) + len(sample.ideal) + len(sample.test)
    assert len(sample.data) == pytest.approx(3000, abs=2)
    assert used < 3500
    assert len(sample.simulation) == 5000


def test_a_distortion_by_hand():
    """Up and down in turn, more at large contexts; the way back is known."""
    events = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [0.0, 10.0, 20.0], "ht": [700.0, 800.0, 900.0]})
    found = distorted(events, Columns(("x", "y"), ("ht",)))
    spread, level = np.sqrt(2 / 3), np.array([-1, 0, 1]) / np.sqrt(2 / 3)
    np.testing.assert_allclose(found["x"], events["x"] + spread * (0.15 + 0.05 * level))
    np.testing.assert_allclose(found["y"], events["y"] - 10 * spread * (0.15 + 0.05 * level))
    np.testing.assert_allclose(found["ht"], [700.0, 805.0, 910.0])
    assert events["x"].tolist() == [0.0, 1.0, 2.0]


def test_features_that_follow_the_mass():
    """By 0.5 of the spread for each width of the window above its middle; data, signal and all others alike."""
    regions, columns = Regions({"mjj": (3300.0, 3700.0)}), Columns(("a", "b"), ("mjj",))
    table = resonance_table(31, 6000, 300)
    plain, moved = (
        TableProblem(table, columns, regions, "background", "signal", correlated=c).draw(1) for c in (0.0, 0.5)
    )
    spread = table.loc[table["process"] == "background", "a"].std()
    for name in ("data", "ideal", "signal"):
        before, after = getattr(plain, name), getattr(moved, name)
        distance = (before["mjj"] - 3500) / 400
        np.testing.assert_allclose(after["a"], before["a"] + 0.5 * spread * distance)
        assert (after["mjj"] == before["mjj"]).all()


@pytest.mark.parametrize("signal", [{"m1": (1.0, None)}, {"m1": (1.0, 2.0), "m2": (1.0, 2.0)}])
def test_features_can_follow_one_mass_only(table, signal):
    with pytest.raises(
        ConfigError, match=r"correlated: features can follow one mass only. Give a signal region in one"
    ):
        TableProblem(table, COLUMNS, Regions(signal), "background", "signal", correlated=0.5)


def test_an_unknown_process_is_refused(table):
    with pytest.raises(ConfigError, match=r"no process 'sginal'. It has: background, signal, simulation"):
        TableProblem(table, COLUMNS, REGIONS, "background", "sginal")
    with pytest.raises(ConfigError, match="no process 'mc'"):
        table_problem(table, "mc")


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"simulation": "background"}, "must be different processes, not background, signal, background"),
        ({"signal": "background"}, "must be different processes"),
        ({"events": 10**6}, r"events: 1000000 events of 'background' are wanted, and the table has \d+"),
        ({"control_kept": 0.1}, r"control_kept: a table with 0.1 of the control region's events is too small"),
    ],
)
def test_roles_that_share_events_and_tables_that_are_too_small(table, roles, message):
    plain = {"background": "background", "signal": "signal", "simulation": "simulation"}
    with pytest.raises(ConfigError, match=message):
        TableProblem(table, COLUMNS, REGIONS, **(plain | roles))


def test_a_background_that_leaves_a_region_empty(table):
    everywhere = TableProblem(table, COLUMNS, Regions({"m1": (-100.0, None)}), "background", "signal")
    with pytest.raises(DataError, match=r"leaves a region empty.*GeV"):
        everywhere.draw(1)


def test_a_table_by_its_path_or_by_its_name(tmp_path):
    toy = toy_table(32, 200, 20)
    toy.to_csv(tmp_path / "toy.csv", index=False)
    found = load_source(tmp_path / "toy.csv", ["x", "m2"])
    assert list(found) == ["x", "m2", "process"]
    np.testing.assert_allclose(found["x"], toy["x"])
    with pytest.raises(MissingBranchError, match=r"toy\.csv: the table has no column 'M1'. Is it called 'm1'\?"):
        load_source(tmp_path / "toy.csv", ["M1"])
    toy.drop(columns="process").to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(MissingBranchError, match="no column 'process'"):
        load_source(tmp_path / "bare.csv", ["x"])
    with pytest.raises(DataError, match=r"gone\.csv"):
        load_source(tmp_path / "gone.csv", ["x"])
    with pytest.raises(CmslabsError, match="sim-extrapolation"):
        load_source("sim-extrapolatoin", ["x"])


def test_detector_features_are_computed_where_a_table_has_none():
    found = load_source("sim-dijet-features", ["mjj", "mj_light", "tau21_heavy"])
    assert list(found) == ["mjj", "mj_light", "tau21_heavy", "process"]
    assert np.isfinite(found.iloc[:, :3].to_numpy(dtype=float)).all()


def test_the_bundled_sample_is_a_search():
    """With control_kept = 1/3 its regions have nature's ratio: that of all 900 000 events that were made."""
    columns = ["ht", "met", "mjj", "tau21j1", "tau21j2", "tau32j1", "tau32j2"]
    regions = Regions({"ht": (800.0, None), "met": (75.0, None)})
    problem = TableProblem(
        load_source("sim-extrapolation", columns),
        Columns(tuple(columns[2:]), ("ht", "met"), True),
        regions,
        "qcd-extrapolation",
        "hidden-valley-2tev",
        "qcd-extrapolation-a14",
        1 / 3,
    )
    sample = problem.draw(0)
    data, simulation = (regions.in_signal(part).mean() for part in (sample.data, sample.simulation))
    assert data == pytest.approx(0.0414, rel=0.06)
    assert simulation == pytest.approx(0.0405, rel=0.06)

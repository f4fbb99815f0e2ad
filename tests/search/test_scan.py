"""Scans: rows of each try, the same for any number of workers and after an interruption, and their calibration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from search_worlds import resonance_table, tiny_config, toy_table

from cmslabs.cli.search import _as_json
from cmslabs.config import config_hash
from cmslabs.data.tables import read_provenance, read_table
from cmslabs.errors import ConfigError, DataError, JobError
from cmslabs.evaluation.significance import p_bi, z_bi
from cmslabs.io import sha256
from cmslabs.search import scan as scan_module
from cmslabs.search.attempt import attempt
from cmslabs.search.counting import closure_residual
from cmslabs.search.scaler import FeatureScaler
from cmslabs.search.scan import Scan, calibrate, run_search, summarise
from cmslabs.search.scan_config import SearchConfig, TableSettings, make_problem
from cmslabs.search.toy import ToyProblem


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A scan by one process without interruption."""
    return run_search(tiny_config(), tmp_path_factory.mktemp("scan"))


def numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """All but what the clock says."""
    return rows.drop(columns="seconds")


@pytest.fixture
def calls(monkeypatch):
    """Injection and seed of every try that is worked on."""
    made = []

    def counted(problem, config, injection, seed):
        made.append((injection, seed))
        return attempt(problem, config, injection, seed)

    monkeypatch.setattr(scan_module, "attempt", counted)
    return made


def test_one_row_for_each_training(whole):
    rows = whole.rows
    found = [tuple(row) for row in rows[["injection", "seed", "method", "permutation"]].itertuples(index=False)]
    null = [("supervised", 0), ("ideal", 1), ("ideal", 0), ("simulation", 1), ("simulation", 0)]
    signal = [("supervised", 0), ("ideal", 0), ("simulation", 0)]
    expected = [(i, seed, *row) for seed in (0, 1) for i, part in ((0.0, null), (0.3, signal)) for row in part]
    assert found == expected


def test_the_numbers_of_a_row(whole):
    rows = whole.rows
    counted = rows["method"].isin(["ideal", "simulation"]) & (rows["permutation"] == 0)
    for name in ("n_on", "background", "statistical", "expected", "effective", "clipped", "closure_auc", "z", "p"):
        assert rows[name].notna().tolist() == counted.tolist(), name
    assert rows["auc"].between(0, 1).all()
    assert (rows["max_sic"] >= 1).all()
    assert (rows["seconds"].dropna() > 0).all()
    nulls = rows[rows["injection"] == 0]
    assert not nulls[["n_signal", "s_over_b", "s_over_sqrt_b", "contamination"]].any(axis=None)
    # 403 background events are expected in the signal region of 16 000.
    assert rows["n_background"].between(320, 480).all()
    signal = rows[rows["injection"] == 0.3]
    np.testing.assert_allclose(signal["s_over_b"], signal["n_signal"] / signal["n_background"])
    np.testing.assert_allclose(signal["s_over_sqrt_b"], signal["n_signal"] / np.sqrt(signal["n_background"]))
    # A rejection of 10 000 needs more test events than there are.
    assert rows["sic_1e4"].isna().all()


def test_the_ideal_search_sees_a_signal_of_thirty_percent_and_no_null(whole):
    ideal = whole.rows[(whole.rows["method"] == "ideal") & (whole.rows["permutation"] == 0)]
    strong = ideal[ideal["injection"] == 0.3]
    assert (strong["n_on"] > 1.6 * strong["background"]).all()
    assert (strong["z"] > 1.5).all()
    assert (ideal.loc[ideal["injection"] == 0, "z"].abs() < 3).all()
    bound = whole.rows.loc[whole.rows["method"] == "supervised", "max_sic"].median()
    assert bound > ideal.loc[ideal["injection"] == 0, "max_sic"].median() + 1
    # Twice the yield, from a simulation that nothing has been done about.
    simulated = whole.rows[(whole.rows["method"] == "simulation") & (whole.rows["permutation"] == 0)]
    assert (simulated["expected"] > 2 * simulated["n_background"]).all()
    assert (simulated["residual"] > 0.1).all()


def test_shuffled_labels_find_nothing(whole):
    """The two halves are alike: an area of 0.5 for signal would be chance, and the signal is no better than noise."""
    shuffled = whole.rows[whole.rows["permutation"] == 1]
    bound = whole.rows[whole.rows["method"] == "supervised"]["auc"].min()
    assert len(shuffled) == 4
    assert (shuffled["auc"] < bound).all()
    assert (shuffled["injection"] == 0).all()


def test_what_lies_in_the_folder(whole):
    folder = whole.path.parent
    assert whole.path.name == "tiny.parquet"
    pd.testing.assert_frame_equal(read_table(whole.path), whole.rows, check_dtype=False)
    record = read_provenance(whole.path)
    assert record.simulation
    assert record.details["config_hash"] == config_hash(whole.config)
    assert SearchConfig.model_validate(record.details["config"]) == whole.config
    assert record.details["overlap"] == vars(whole.overlap)
    assert set(record.units) == set(whole.rows.columns)
    assert sorted(path.name for path in (folder / "tries").glob("chunk*")) == [f"chunk-0000{n}.json" for n in range(4)]


def test_the_scale_is_that_of_the_simulation_of_the_control_region(whole):
    sample = ToyProblem(16_000, 800).draw(0)
    simulation = sample.simulation[ToyProblem.regions.in_control(sample.simulation)]
    found = FeatureScaler.load(whole.path.parent / "scaler.json")
    assert found == FeatureScaler.of(simulation, ["x", "m1", "m2"])


def test_overlap_of_the_toy(whole):
    """The corner m1 > 1, m2 > 1 lies in the range of the rest, but few of its events have neighbours there."""
    assert whole.overlap.in_range > 0.95
    assert whole.overlap.near < 0.8
    assert whole.overlap.distance > 2


def test_the_scale_is_written_before_anything_is_trained(tmp_path, monkeypatch):
    def fail(*arguments):
        assert (tmp_path / "scaler.json").is_file()
        raise DataError("as far as this.")

    monkeypatch.setattr(scan_module, "attempt", fail)
    with pytest.raises(DataError, match="as far as this"):
        run_search(tiny_config(), tmp_path)


def test_finished_tries_are_not_made_again(whole, tmp_path, calls):
    folder = copy_of(whole, tmp_path)
    again = run_search(tiny_config(), folder)
    assert calls == []
    pd.testing.assert_frame_equal(again.rows, whole.rows)
    (folder / "tries" / "chunk-00001.json").unlink()
    again = run_search(tiny_config(), folder)
    assert calls == [(0.3, 0)]
    pd.testing.assert_frame_equal(numbers(again.rows), numbers(whole.rows))


def copy_of(found, target) -> Path:
    """The folder of a scan before its table was written."""
    (target / "tries").mkdir()
    for path in (found.path.parent / "tries").iterdir():
        (target / "tries" / path.name).write_bytes(path.read_bytes())
    return target


def test_a_folder_of_another_scan_is_refused(whole, tmp_path):
    folder = copy_of(whole, tmp_path)
    for changed in ({"efficiency": 0.3}, {"seeds": 3}, {"trees": {"folds": 3}}):
        with pytest.raises(ConfigError, match=r"holds chunks of another job.*Choose another folder"):
            run_search(tiny_config(**changed), folder)


def test_an_error_in_a_try_keeps_what_is_finished(tmp_path, monkeypatch):
    def fail_later(problem, config, injection, seed):
        if seed == 1:
            raise ValueError("a planted fault")
        return attempt(problem, config, injection, seed)

    monkeypatch.setattr(scan_module, "attempt", fail_later)
    config = tiny_config(methods=["supervised"], injections=[0])
    with pytest.raises(JobError, match=r"chunk 1 .* a planted fault"):
        run_search(config, tmp_path)
    assert len(list((tmp_path / "tries").glob("chunk-*.json"))) == 1
    assert not (tmp_path / "tiny.parquet").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_scan_leaves_whole_files_and_two_workers_finish_it(whole, tmp_path):
    """Killed in the third of four tries; the rest is done by two processes, and all rows are those of one."""
    script = Path(__file__).with_name("killed_scan.py")
    with subprocess.Popen([sys.executable, script, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "in the middle of a try\n"
        finally:
            process.kill()
    done = sorted((tmp_path / "tries").glob("chunk-*.json"))
    assert [path.name for path in done] == ["chunk-00000.json", "chunk-00001.json"]
    assert all(json.loads(path.read_text()) for path in done)
    assert not (tmp_path / "tiny.parquet").exists()
    before = {path: path.stat().st_mtime_ns for path in done}
    found = run_search(tiny_config(), tmp_path, workers=2)
    assert {path: path.stat().st_mtime_ns for path in done} == before
    pd.testing.assert_frame_equal(numbers(found.rows), numbers(whole.rows))


def test_an_executor_of_dask_makes_the_same_rows(whole, tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs the extra cms")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    options |= {"protocol": "tcp://", "host": "127.0.0.1"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        found = run_search(tiny_config(), tmp_path, executor=client.get_executor())
    pd.testing.assert_frame_equal(numbers(found.rows), numbers(whole.rows))


def test_a_try_does_not_depend_on_the_others(whole):
    """One try alone gives the very rows that it has in the scan."""
    alone = pd.DataFrame(attempt(ToyProblem(16_000, 800), tiny_config(), 0.3, 1))
    inside = whole.rows[(whole.rows["seed"] == 1) & (whole.rows["injection"] == 0.3)].reset_index(drop=True)
    for name in ("auc", "max_sic", "n_signal", "n_background", "contamination"):
        assert alone[name].tolist() == inside[name].tolist(), name


@pytest.mark.slow
def test_every_method_of_the_toy_ends_in_a_count(tmp_path):
    methods = ["ideal", "simulation", "context", "reweight", "generate", "morph"]
    found = run_search(tiny_config(methods=methods, seeds=1, injections=[0], permutations=0), tmp_path).rows
    assert found["method"].tolist() == methods
    assert np.isfinite(
        found[["n_on", "background", "statistical", "z", "p", "closure_auc"]].to_numpy(dtype=float)
    ).all()
    by_name = found.set_index("method")
    # Generate and morph have the context's weights.
    assert by_name.loc["generate", "expected"] == by_name.loc["morph", "expected"] == by_name.loc["context", "expected"]
    assert by_name.loc["ideal", "expected"] == pytest.approx(by_name.loc["ideal", "n_background"])


def test_a_window_needs_no_simulation_and_has_no_overlap(tmp_path):
    path = tmp_path / "window.parquet"
    resonance_table(34, 9000, 900, width=50.0).to_parquet(path)
    problem = TableSettings(
        source=str(path),
        features=["a", "b"],
        signal_region={"mjj": (3300, 3700)},
        within={"mjj": (2800, 4200)},
        background="background",
        signal="signal",
    )
    config = tiny_config(
        problem=problem, methods=["ideal", "cwola", "cathode"], seeds=1, injections=[0, 0.4], permutations=0
    )
    found = run_search(config, tmp_path / "scan")
    assert found.overlap is None
    assert not (tmp_path / "scan" / "scaler.json").exists()
    assert read_provenance(found.path).details["source_sha256"] == sha256(path)
    strong = found.rows[found.rows["injection"] == 0.4].set_index("method")
    assert (strong["auc"] > 0.8).all()
    assert (strong["n_on"] > 2 * strong["background"]).all()
    # The sidebands' spectrum knows how many there are.
    assert strong.loc["cwola", "expected"] == pytest.approx(strong.loc["cwola", "n_background"], rel=0.25)


def test_a_table_that_was_written_anew_is_read_anew(tmp_path):
    """In the same process: a table that is kept in memory is not the one that lies there now."""
    path, found = tmp_path / "toy.csv", []
    problem = TableSettings(
        source=str(path),
        features=["x"],
        signal_region={"m1": (-2, None), "m2": (-2, None)},
        background="background",
        signal="signal",
    )
    config = tiny_config(problem=problem, methods=["supervised"], seeds=1, injections=[0])
    for number, seed in enumerate((35, 36)):
        toy_table(seed, 1500, 300).to_csv(path, index=False)
        rows = run_search(config, tmp_path / str(number)).rows
        expected = attempt(make_problem(problem), config, 0, 0)[0]
        assert rows.loc[0, "auc"] == expected["auc"]
        found.append(expected["auc"])
    assert found[0] != found[1]
    with pytest.raises(ConfigError, match=r"different: source"):
        run_search(config, tmp_path / "0")


def rows_of(seeds=6, methods=("a", "b")) -> pd.DataFrame:
    """Counts by hand: two methods, of which the second one predicts badly; two sizes; one with shuffled labels."""
    rng = np.random.default_rng(37)
    rows = []
    for seed in range(seeds):
        for method in methods:
            for injection in (0.0, 0.1):
                b = 200.0 * (1 + 0.2 * (method == "b") * rng.normal())
                about = {"method": method, "injection": injection, "seed": 10 + seed, "s_over_sqrt_b": 10 * injection}
                count = {"n_on": rng.poisson(200 * (1 + injection)), "background": b, "statistical": 5.0}
                rows.append(about | count | {"permutation": 0, "max_sic": rng.uniform(1, 3)})
            rows.append({"method": method, "injection": 0.0, "seed": 10 + seed, "permutation": 1, "max_sic": 99.0})
    rows.append(
        {"method": "supervised", "injection": 0.0, "seed": 10, "permutation": 0, "max_sic": 5.0, "s_over_sqrt_b": 0.0}
    )
    return pd.DataFrame(rows)


def test_a_try_is_judged_by_the_other_seeds():
    rows = rows_of()
    found = calibrate(rows)
    for method in ("a", "b"):
        mine = rows[(rows["method"] == method) & (rows["permutation"] == 0)]
        for row in mine.index:
            others = mine[(mine["seed"] != rows.loc[row, "seed"]) & (mine["injection"] == 0)]
            residual = closure_residual(others["n_on"], others["background"], others["statistical"])
            count = rows.loc[row, "n_on"], rows.loc[row, "background"]
            sigma = np.hypot(5.0, residual * rows.loc[row, "background"])
            assert found.loc[row, "residual"] == residual
            assert found.loc[row, "z"] == pytest.approx(z_bi(*count, sigma))
            assert found.loc[row, "p"] == pytest.approx(p_bi(*count, sigma))
    assert found.loc[found["method"] == "b", "residual"].mean() > 0.08
    assert list(rows) == [name for name in found if name not in ("residual", "z", "p")]


def test_no_null_forgives_itself():
    """A wild null changes the residual of all other tries, and its own not at all."""
    rows = rows_of()
    wild = rows.copy()
    chosen = (rows["method"] == "a") & (rows["seed"] == 11) & (rows["injection"] == 0) & (rows["permutation"] == 0)
    wild.loc[chosen, "n_on"] = 2000
    before, after = (calibrate(part).query("method == 'a' and permutation == 0") for part in (rows, wild))
    own = before["seed"] == 11
    assert (after.loc[own, "residual"] == before.loc[own, "residual"]).all()
    assert (after.loc[~own, "residual"] > 1).all()
    assert float(after.loc[chosen[chosen].index[0], "z"]) > 20


def test_what_was_not_counted_has_no_significance():
    found = calibrate(rows_of())
    uncounted = (found["permutation"] == 1) | (found["method"] == "supervised")
    assert found["z"].isna().tolist() == uncounted.tolist()
    bound = calibrate(pd.DataFrame({"method": ["supervised"], "seed": [1], "permutation": [0], "injection": [0.0]}))
    assert bound[["residual", "z", "p"]].isna().all(axis=None)


def test_a_single_seed_has_no_others():
    found = calibrate(rows_of(seeds=1))
    assert found.loc[found["permutation"] == 0, "residual"].notna().sum() == 4


@pytest.mark.parametrize("column", ["max_sic", "z"])
def test_a_summary_is_median_and_middle_of_the_seeds(column):
    rows = calibrate(rows_of())
    found = summarise(rows, column).set_index(["method", "injection"])
    for key, line in found.iterrows():
        chosen = rows[(rows["method"] == key[0]) & (rows["injection"] == key[1]) & (rows["permutation"] == 0)]
        low, median, high = np.quantile(chosen[column], [0.16, 0.5, 0.84])
        assert line[["low", "median", "high"]].tolist() == pytest.approx([low, median, high])
        assert line["tries"] == len(chosen)
        assert line["s_over_sqrt_b"] == pytest.approx(10 * key[1])
    assert len(found) == (5 if column == "max_sic" else 4)


def test_summaries_of_nothing():
    with pytest.raises(DataError, match=r"the rows of a scan have no 'sic'. They have: method"):
        summarise(rows_of(), "sic")
    found = summarise(rows_of().assign(z=np.nan), "z")
    assert (len(found), list(found)) == (0, list(summarise(rows_of())))


def test_another_scan_does_not_touch_the_scale_of_the_first(whole, tmp_path):
    """It is refused, and what lies in the folder stays as it was."""
    run_search(tiny_config(), tmp_path)
    before = (tmp_path / "scaler.json").read_bytes()
    with pytest.raises(ConfigError, match="holds chunks of another job"):
        run_search(tiny_config(first_seed=7), tmp_path)
    assert (tmp_path / "scaler.json").read_bytes() == before


def test_a_count_of_nothing_has_a_median(tmp_path):
    """Z is minus infinity there: a summary says so, and JSON says null."""
    rows = rows_of()
    low = (rows["method"] == "a") & (rows["injection"] == 0) & (rows["permutation"] == 0)
    rows.loc[low & (rows["seed"] < 14), "n_on"] = 0
    found = summarise(calibrate(rows), "z").set_index(["method", "injection"])
    assert found.loc[("a", 0.0), "low"] == -np.inf
    assert np.isfinite(found.loc[("a", 0.0), "high"])
    assert np.isfinite(found.loc[("b", 0.0)].astype(float)).all()
    scan = Scan(tiny_config(), calibrate(rows), None, tmp_path / "x.parquet")
    printed = json.dumps(_as_json(scan), allow_nan=False)
    assert '"low": null' in printed

"""Before a run: events, sums of weights and problems of every file."""

import math

import numpy as np
import pytest
import uproot
from run_files import Server, data, fileset, sample, simulation, write_events

from cmslabs.data.fileset import File
from cmslabs.errors import CmslabsError, ConfigError, DataError
from cmslabs.io import adler32
from cmslabs.selection.executors import open_executor
from cmslabs.selection.survey import FileSurvey, sum_of_weights, survey_file, survey_fileset

pytest.importorskip("coffea")


def look(path, **options):
    return survey_file("a", File(path=str(path)), **{"simulation": True, **options})


def write(path, events, runs=None):
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: np.asarray(values).dtype for name, values in events.items()}).extend(events)
        if runs is not None:
            file.mktree("Runs", {name: np.asarray(values).dtype for name, values in runs.items()}).extend(runs)
    return path


def test_bundled_sample():
    with uproot.open(sample()) as file:
        expected = float(np.sum(file["Runs"]["genEventSumw"].array()))
        n_events = file["Events"].num_entries
    found = look(sample())
    assert (found.n_events, found.sum_weights) == (n_events, expected)
    assert (found.quantity, found.source, found.simulated) == ("genWeight", "Runs", True)
    assert found.size_bytes == sample().stat().st_size


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("nano_dy.root", "genEventSumw_"),  # Version 6 writes the name with an underscore.
        ("nano_tt_v12.root", None),
        ("NanoAODv5_sample.root", None),
        ("nanoAOD_2015_CMS_Open_Data_ttbar.root", None),
    ],
)
def test_real_simulation(real_data, name, branch):
    path = real_data / "nanoaod" / name
    with uproot.open(path) as file:
        weights = file["Events"]["genWeight"].array(library="np").astype(float)
        runs = file["Runs"].keys() if "Runs" in file else []
        if branch is None:
            branch = next((key for key in runs if key.startswith("genEventSumw") and "2" not in key), None)
        expected = math.fsum(weights) if branch is None else math.fsum(file["Runs"][branch].array(library="np"))
    found = look(path)
    assert found.source == ("events" if branch is None else "Runs")
    assert found.sum_weights == expected
    assert found.n_events == len(weights)


def test_real_data(real_data):
    path = real_data / "nanoaod" / "nano_dimuon.root"
    found = look(path, simulation=False)
    assert (found.n_events, found.sum_weights, found.simulated) == (40, None, False)


def test_negative_weights_count(tmp_path):
    path = write(tmp_path / "a.root", {"genWeight": np.array([2.0, -2.0, 2.0, 0.5])})
    assert look(path).sum_weights == 2.5
    assert look(path, weighted=False).sum_weights == 4
    assert look(path, weighted=False).quantity == "events"


TWO = {"simProcess": np.array([0, 0, 1, 0]), "genWeight": np.array([1.0, 2.0, 5.0, -0.5])}
ROWS = {
    "simProcess": np.array([0, 1, 0]),
    "genEventSumw": np.array([10.0, 70.0, 5.0]),
    "genEventCount": np.array([11, 71, 6]),
}


def test_only_some_rows_of_runs(tmp_path):
    path = write(tmp_path / "a.root", TWO, ROWS)
    assert look(path, only={"simProcess": 0}).sum_weights == 15
    assert look(path, only={"simProcess": 1}).sum_weights == 70
    assert look(path, only={"simProcess": 0}, weighted=False).sum_weights == 17
    assert look(path).sum_weights == 85


def test_runs_that_do_not_know_the_process(tmp_path):
    """The events decide where they are all there are; where they are a selection, nobody knows."""
    whole = write(tmp_path / "whole.root", TWO, {"genEventSumw": np.array([7.5])})
    found = look(whole, only={"simProcess": 0})
    assert (found.sum_weights, found.source) == (2.5, "events")
    selection = write(tmp_path / "selection.root", TWO, {"genEventSumw": np.array([85.0])})
    with pytest.raises(ConfigError, match="the sum of weights is unknown"):
        look(selection, only={"simProcess": 0})


def test_only_needs_its_branch(tmp_path):
    path = write(tmp_path / "a.root", {"genWeight": np.ones(3)})
    with pytest.raises(ConfigError, match="no branch simProcess"):
        look(path, only={"simProcess": 0})
    with open_executor() as workers, pytest.raises(ConfigError, match=r"a\.root"):
        survey_fileset(fileset(zz=simulation(path, only={"simProcess": 0})), workers)


def test_without_generator_weight_events_count(tmp_path):
    path = write(tmp_path / "a.root", {"run": np.ones(3, dtype=np.int64)})
    found = look(path)
    assert (found.sum_weights, found.quantity, found.source) == (3.0, "events", "events")


def entry(value, quantity="genWeight", source="Runs"):
    return FileSurvey("a", f"{value}.root", 1, sum_weights=value, quantity=quantity, source=source)


def test_sums_of_files_do_not_depend_on_their_order():
    values = [1e16, 1.0, -1e16, 3.0, 1e-3]
    found = {sum_of_weights([entry(value) for value in order], "a").value for order in (values, values[::-1])}
    assert found == {4.001}


def test_both_sources_are_recorded():
    total = sum_of_weights([entry(1.0), entry(2.0, source="events"), entry(3.0)], "a")
    assert (total.value, dict(total.sources)) == (6.0, {"Runs": 2, "events": 1})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([entry(1.0), entry(5.0, quantity="events")], "no common sum"),
        ([entry(1.0), entry(-1.0)], "sum of weights is 0"),
        ([entry(-3.0)], "sum of weights is -3"),
        ([entry(math.nan)], "sum of weights is nan"),
    ],
)
def test_sums_that_scale_nothing(files, message):
    with pytest.raises(DataError, match=message):
        sum_of_weights(files, "a")


BROKEN = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("run,event\n1,2\n" * 50),
    "truncated": lambda path: path.write_bytes(sample().read_bytes()[:-20_000]),
    "folder": lambda path: path.mkdir(),
    "no Events": lambda path: uproot.recreate(path).close(),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_files_that_cannot_be_read(tmp_path, kind):
    path = tmp_path / "bad.root"
    BROKEN[kind](path)
    with pytest.raises(DataError):
        look(path)
    with open_executor() as workers:
        found = survey_fileset(fileset(zz=simulation(sample(), path)), workers)["zz"]
    assert found[0].problem is None
    assert found[1].problem


def test_a_file_that_is_not_the_one_that_was_meant(tmp_path):
    path = write_events(tmp_path / "a.root", 100)
    good = File(path=str(path), n_events=100, size_bytes=path.stat().st_size, adler32=adler32(path))
    assert survey_file("a", good, simulation=True).problem is None
    for change in ({"n_events": 99}, {"size_bytes": 5}, {"adler32": "00000001"}):
        with pytest.raises(DataError, match="but the fileset says"):
            survey_file("a", good.model_copy(update=change), simulation=True)


def test_a_file_may_stand_twice_only_as_different_processes(tmp_path):
    path = write_events(tmp_path / "a.root", 100)
    with open_executor() as workers:
        for wrong in (fileset(a=simulation(path, path)), fileset(a=data(path), b=data(path))):
            with pytest.raises(ConfigError, match="stands twice"):
                survey_fileset(wrong, workers)
        assert survey_fileset(fileset(a=simulation(path), b=simulation(path)), workers)["b"][0].n_events == 100


def test_simulation_is_not_taken_for_data():
    with open_executor() as workers, pytest.raises(ConfigError, match="was simulated"):
        survey_fileset(fileset(a=data(sample(), simulated=False)), workers)


def test_over_the_web(tmp_path):
    write_events(tmp_path / "a.root", 100)
    with Server(tmp_path) as address:
        found = look(f"{address}/a.root")
        assert (found.n_events, found.sum_weights) == (100, look(tmp_path / "a.root").sum_weights)
        with pytest.raises(CmslabsError):
            look(f"{address}/gone.root")

"""A run's folder, written and read again."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from big_files import repeat_events
from running import sample

from cmslabs.errors import ConfigError, DataError
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.results import read_results
from cmslabs.selection.runner import select

ANALYSIS = load_analysis("four-muon", ["weights=[genWeight, prefiring]"])
ANALYSIS = ANALYSIS.model_copy(update={"triggers": {"Single": {"default": ("TripleMu_12_10_5",)}, **ANALYSIS.triggers}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small run: two simulated data sets from the shares of one file, and the file twice as pseudo-data."""
    place = tmp_path_factory.mktemp("results")
    # Without "Runs", which in files of older samples does not tell the processes apart.
    repeat_events(sample("fourlepton"), place / "events.root", 2000, keep_runs=False)
    entry = {"kind": "simulation", "files": [{"path": "events.root"}]}
    datasets = {f"p{i}": {**entry, "only": {"simProcess": i}} for i in (0, 1)}
    for name, primary in (("data1", "Single"), ("data2", "DoubleMuon")):
        path = place / f"{name}.root"
        path.symlink_to(place / "events.root")
        datasets[name] = {"kind": "data", "simulated": True, "primary": primary, "files": [{"path": path.name}]}
    fileset = {"name": "mine", "version": 3, "golden_json": "none", "datasets": datasets}
    (place / "mine.yaml").write_text(yaml.safe_dump(fileset, sort_keys=False))
    select(ANALYSIS, place / "mine.yaml", place / "out", chunk_size=700)
    return place / "out"


def test_everything_comes_back(folder):
    results = read_results(folder)
    assert results.analysis == ANALYSIS
    assert list(results.fileset.datasets) == list(results.report.datasets) == ["p0", "p1", "data1", "data2"]
    assert results.fileset.version == 3
    assert results.simulated
    assert results.report.fileset == "mine 3"
    assert set(results.cutflow.flows) == {"p0", "p1", "data1", "data2"}
    assert list(results.histograms) == list(results.analysis.histograms)
    # Their order is the priority by which events are shared out.
    assert list(results.analysis.triggers) == ["Single", "DoubleMuon"]


def test_what_comes_back_agrees(folder):
    results = read_results(folder)
    yields = results.cutflow.yields().set_index(["dataset", "systematic"])
    table = results.table()
    for name, rows in table.groupby("dataset", observed=False):
        assert len(rows) == yields.loc[(name, "nominal"), "events"]
        assert rows["weight"].sum() == pytest.approx(yields.loc[(name, "nominal"), "weighted"])
        cell = results.histograms["m4l"][{"dataset": name, "systematic": "nominal"}].sum(flow=True)
        assert cell.value == pytest.approx(yields.loc[(name, "nominal"), "weighted"])
        assert results.report.datasets[name].n_selected == len(rows)
    assert len(table) > 100
    # The data are the same file twice: all its processes together, and no event twice.
    data = table["dataset"].isin(["data1", "data2"])
    assert data.sum() == (~data).sum()
    up = results.table(["p0", "p1"], "muonScaleUp", ["m4l"])
    assert up.columns.tolist() == ["dataset", "m4l"]
    assert len(up) == yields.xs("muonScaleUp", level="systematic")["events"].sum()


def test_an_unfinished_run_is_none(tmp_path, folder):
    with pytest.raises(DataError, match="no finished run"):
        read_results(tmp_path)
    for path in folder.iterdir():
        if path.is_file() and path.suffix == ".json" and path.name != "report.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="no finished run"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("analysis.json", "[]", DataError),
        ("analysis.json", '{"name": "x", "chanel": "dimuon"}', ConfigError),
        ("fileset.json", "{", DataError),
        ("cutflow.json", "{}", DataError),
        ("histograms.json", "null", DataError),
        ("report.json", "{}", ConfigError),
    ],
)
def test_a_damaged_file_is_named(tmp_path, folder, name, content, error):
    for path in folder.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    read_results(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(error, match=name):
        read_results(tmp_path)


def test_only_plain_formats(folder):
    """Nothing in a run's folder can run code when it is read."""
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")}
    assert kinds == {".json", ".csv", ".txt", ".parquet"}
    assert json.loads((folder / "histograms.json").read_text())["format"].startswith("cmslabs")


@pytest.mark.parametrize("systematic", ["nominal", "muonScaleUp"])
@pytest.mark.parametrize("change", ["lost", "doubled", "lost data set", "strange data set"])
def test_a_table_that_is_not_that_of_the_run_is_refused(tmp_path, folder, change, systematic):
    """Fewer or more files of the table are fewer or more events, and nothing else would say so."""
    copy = shutil.copytree(folder, tmp_path / "out")
    there = copy / "table" / "dataset=p0"
    part = max((there / f"systematic={systematic}").iterdir(), key=lambda path: path.stat().st_size)
    rows = len(read_results(copy).table(systematic=systematic))
    if change == "lost":
        part.unlink()
    elif change == "doubled":
        shutil.copy(part, part.with_name("part-000000000000-000000000000-000000000001.parquet"))
    elif change == "lost data set":
        shutil.rmtree(there)
    else:
        shutil.copytree(there, there.with_name("dataset=p3"))
    results = read_results(copy)
    with pytest.raises(DataError, match=r"the table of 'p[03]' has"):
        results.table(systematic=systematic)
    assert 0 < len(results.table("p1", systematic)) < rows

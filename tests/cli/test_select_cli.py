"""`cmslabs select` as a user types it."""

import json
import shutil

import pytest
import yaml
from run_files import corrupt, data, simulation, write_events

pytest.importorskip("coffea")

WEIGHTS = ("--set", "weights=[genWeight,prefiring]")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return [write_events(folder / f"{i}.root", 200, first=200 * i, basket=100) for i in range(3)]


@pytest.fixture
def fileset(files, tmp_path):
    """A fileset on disk, with the files beside it."""

    def write(**datasets):
        for path in files:
            shutil.copy(path, tmp_path / path.name)
        content = {"name": "mine", "version": 3, "luminosity_fb": 16.2, "golden_json": "none", "datasets": datasets}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
        return tmp_path / "mine.yaml"

    return write


def test_cutflow_and_summary(call, fileset, tmp_path):
    path = fileset(zz=simulation("0.root", "1.root"), observed=data("2.root"))
    status, out, err = call("select", "dimuon", "--fileset", path, *WEIGHTS, "--out", tmp_path / "run")
    assert status == 0
    assert "two muons" in out
    assert "opposite charge" in out
    assert "600 events" in out
    assert "luminosity 16.2/fb" in out
    assert "pseudo-data" in out
    assert err == f"results in {tmp_path / 'run'}\n"
    names = {entry.name for entry in (tmp_path / "run").iterdir()}
    assert names >= {"table", "histograms.json", "cutflow.json", "cutflow.csv", "cutflow.txt", "report.json"}
    assert names >= {"analysis.json", "fileset.json", "report.txt"}


def test_json(call, fileset, tmp_path):
    path = fileset(zz=simulation("0.root"), dy=simulation("1.root"))
    status, out, _ = call(
        "select", "dimuon", "--fileset", path, *WEIGHTS, "--dataset", "dy", "--out", tmp_path / "run", "--json"
    )
    found = json.loads(out)
    assert status == 0
    assert list(found["report"]["datasets"]) == ["dy"]
    assert found["report"]["datasets"]["dy"]["sum_from"] == {"Runs": 1}
    assert found["report"]["events_per_second"] > 0
    assert found["cutflow"] == json.loads((tmp_path / "run" / "cutflow.json").read_text())
    assert found["out"] == str(tmp_path / "run")


def test_a_bad_file_stops_the_run_or_is_left_out(call, fileset, tmp_path):
    path = fileset(zz=simulation("0.root", "1.root", "2.root"))
    corrupt(tmp_path / "1.root")
    command = ("select", "dimuon", "--fileset", path, *WEIGHTS, "--out", tmp_path / "run")
    status, out, err = call(*command)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert "1.root" in err
    assert "--skip-bad-files" in err
    assert "Traceback" not in err

    status, out, err = call(*command, "--skip-bad-files")
    assert status == 0
    assert "left out: " in err
    assert "1.root" in err
    assert "400 events" in out


def test_futures(call, fileset, tmp_path):
    path = fileset(zz=simulation("0.root"))
    status, out, err = call(
        "select", "dimuon", "--fileset", path, *WEIGHTS, "--out", tmp_path / "run", "--executor", "futures",
        "--workers", 1, "--chunk-size", 100,
    )  # fmt: skip
    assert (status, err) == (0, f"results in {tmp_path / 'run'}\n")
    assert "futures, 1 worker)" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--executor", "spark"), "there is no executor 'spark'"),
        (("--workers", 0), "0 workers"),
        (("--scheduler", "tcp://127.0.0.1:9"), "of no use to 'iterative'"),
        (("--executor", "dask", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler answers"),
        (("--chunk-size", 0), "a chunk cannot have 0 events"),
        (("--dataset", "yy"), "no data set 'yy'"),
        (("--set", "muons.ptt=3"), "did you mean 'pt'?"),
        (("--corrections", "gone.json"), "gone.json"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(call, fileset, tmp_path, options, message):
    path = fileset(zz=simulation("0.root"))
    status, out, err = call("select", "dimuon", "--fileset", path, *WEIGHTS, "--out", tmp_path / "run", *options)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "report.json").exists()


def test_unknown_names_list_what_there_is(call, tmp_path):
    status, _, err = call("select", "dimoun", "--fileset", "samples-dimuon", "--out", tmp_path / "run")
    assert status == 2
    assert "dimuon" in err
    status, _, err = call("select", "dimuon", "--fileset", "sample-dimuons", "--out", tmp_path / "run")
    assert status == 2
    assert "Give a YAML file, or one of" in err


def test_another_result_is_kept_unless_told_otherwise(call, fileset, tmp_path):
    path = fileset(zz=simulation("0.root"))
    command = ("select", "dimuon", "--fileset", path, *WEIGHTS, "--out", tmp_path / "run")
    assert call(*command)[0] == 0
    assert call(*command)[0] == 0
    status, _, err = call(*command, "--set", "muons.pt=30")
    assert status == 2
    assert "analysis.json: muons" in err
    assert call(*command, "--set", "muons.pt=30", "--overwrite")[0] == 0


def test_help(call):
    status, out, _ = call("select", "--help")
    assert status == 0
    assert "Example: cmslabs select" in out

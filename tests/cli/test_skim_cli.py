"""`cmslabs skim` as a user types it."""

import json

import pytest
import yaml
from run_files import simulation, write_events

from cmslabs.data.tables import read_events

pytest.importorskip("coffea")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_events(tmp_path_factory.mktemp("file") / "events.root", 200)


def test_by_analysis(call, file, tmp_path):
    status, out, err = call("skim", file, "--analysis", "dimuon", "--out", tmp_path)
    assert status == 0
    assert out.startswith(f"{tmp_path / 'events.parquet'}: 200 events, ")
    assert "looks" not in err
    assert {"Muon", "genWeight", "run"} <= set(read_events(tmp_path / "events.parquet").fields)
    again = call("skim", file, "--analysis", "dimuon", "--out", tmp_path)[1]
    assert "was there already" in again


def test_by_branches_as_json(call, file, tmp_path):
    status, out, _ = call(
        "skim", file, "--branches", "Muon_*, HLT_TripleMu*", "--branches", "PV_npvs", "--out", tmp_path, "--json"
    )
    found = json.loads(out)
    assert status == 0
    assert found["fileset"] is None
    assert found["skims"][0]["n_events"] == 200
    fields = set(read_events(tmp_path / "events.parquet").fields)
    assert fields == {"run", "luminosityBlock", "event", "Muon", "HLT", "PV"}


def test_a_fileset_and_then_select(call, file, tmp_path):
    content = {"name": "mine", "version": 1, "datasets": {"zz": simulation(file), "other": simulation(file)}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    status, out, _ = call(
        "skim", tmp_path / "mine.yaml", "--dataset", "zz", "--analysis", "dimuon", "--out", tmp_path / "skims"
    )
    assert status == 0
    assert out.splitlines()[-1] == f"{tmp_path / 'skims' / 'mine.yaml'}: fileset of the skims"
    status, out, _ = call(
        "select", "dimuon", "--fileset", tmp_path / "skims" / "mine.yaml", "--set", "weights=[genWeight]",
        "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert status == 0
    assert list(json.loads(out)["report"]["datasets"]) == ["zz"]


def test_branches_that_are_not_there(call, file, tmp_path):
    status, out, err = call("skim", file, "--branches", "Muon_ptt", "--out", tmp_path)
    assert (status, out) == (2, "")
    assert "Muon" in err
    path = write_events(tmp_path / "a.root", 100, drop=("PV_npvs",))
    status, out, err = call("skim", path, "--analysis", "dimuon", "--out", tmp_path)
    assert status == 0
    assert "has no " in err
    assert "PV.npvs" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing says which branches"),
        (("--branches", " , "), "nothing says which branches"),
        (("--branches", "Muon_pt", "--dataset", "zz"), "chooses from a fileset"),
        (("other.yaml", "--branches", "Muon_pt"), "stands with other files"),
        (("gone.root", "--branches", "Muon_pt"), "there is no such file"),
    ],
)
def test_wrong_use(call, file, tmp_path, arguments, message):
    status, out, err = call("skim", file, *arguments, "--out", tmp_path)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_help(call):
    status, out, _ = call("skim", "--help")
    assert status == 0
    assert "Example: cmslabs skim" in out

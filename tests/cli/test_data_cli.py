"""`cmslabs data ...`: what goes to stdout and stderr, and the exit status."""

from __future__ import annotations

import hashlib
import json
import sys
import types

import pytest
import yaml
from pydantic import BaseModel

from cmslabs.data import catalog, verification
from cmslabs.data.download import cache_folder
from cmslabs.data.transfer import Retry

CONTENT = b"Run,Event\n1,2\n"


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the command line in this process: ``run("data", "list") -> (status, stdout, stderr)``."""
    from cmslabs.cli.main import main

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cmslabs", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        seen = capsys.readouterr()
        return stop.value.code, seen.out, seen.err

    return call


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A dataset of two files, both in the cache."""
    cards = tmp_path / "cards"
    cards.mkdir()
    monkeypatch.setattr(catalog, "CARDS", cards)
    monkeypatch.setattr(verification, "_verified", {})
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    files = [{"name": name, "sha256": sha256, "source_seen": "this test"} for name in ("a.csv", "b.csv")]
    files[1] |= {"size_bytes": 3_000_000_000, "urls": ["http://127.0.0.1:9/b.csv"]}
    card = {"name": "toy", "title": "A toy", "kind": "real", "content": "-", "selection": "-", "files": files}
    (cards / "toy.yaml").write_text(yaml.safe_dump(card))
    folder = cache_folder() / "toy"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes(CONTENT)
    return folder


def test_list_shows_every_card_on_one_line(run):
    status, out, err = run("data", "list")
    assert (status, err) == (0, "")
    head, *lines = out.splitlines()
    assert head.split() == ["name", "kind", "events", "size", "available"]
    assert [line.split()[0] for line in lines] == catalog.card_names()
    line = next(line for line in lines if line.startswith("cms-dimuon-2011"))
    assert line.split() == ["cms-dimuon-2011", "real", "14,689", "1.8", "MB", "no"]


def test_list_as_json(run):
    status, out, _ = run("data", "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 0
    assert rows["cms-fourlepton-2011"]["n_events"] == 113
    assert rows["cms-doublemuon-2016h"]["size_bytes"] is None
    assert rows["sim-dimuon"]["bundled"] is True


def test_list_says_what_is_here(run, toy):
    assert run("data", "list")[1].splitlines()[1].endswith("1 of 2 files")


def test_show(run):
    status, out, _ = run("data", "show", "cms-doublemuon-2016h")
    assert status == 0
    assert out.startswith("# CMS DoubleMuon")
    assert "Known traps" in out


def test_show_as_json(run):
    status, out, _ = run("data", "show", "cms-dimuon-2011", "--json")
    card = json.loads(out)
    assert status == 0
    assert card["kind"] == "real"
    assert card["schema"][0] == {"name": "Run", "type": "int", "unit": "1", "meaning": "run number"}
    assert card["size_bytes"] == sum(file["size_bytes"] for file in card["files"])


@pytest.mark.parametrize("command", ["show", "fetch"])
def test_unknown_name_suggests_close_ones(run, command):
    status, out, err = run("data", command, "cms-dimuon-2012")
    assert (status, out) == (2, "")
    assert err.startswith("error: there is no dataset 'cms-dimuon-2012'. Did you mean cms-dimuon-2011")


def test_fetch_prints_the_path_of_what_is_here(run, toy):
    assert run("data", "fetch", "toy", "--file", "a.csv") == (0, f"{toy / 'a.csv'}\n", "")
    status, out, _ = run("data", "fetch", "toy", "--file", "a.csv", "--json")
    assert (status, json.loads(out)) == (0, {"name": "toy", "files": [str(toy / "a.csv")]})


def test_fetch_offline_says_what_is_missing(run, toy, monkeypatch):
    monkeypatch.setenv("CMSLABS_OFFLINE", "1")
    status, out, err = run("data", "fetch", "toy")
    assert (status, out) == (2, "")
    assert "these files are missing: b.csv" in err
    assert "cmslabs data fetch toy" in err


def test_fetch_says_the_size_of_what_is_large(run, toy, monkeypatch):
    monkeypatch.setattr("cmslabs.data.download.RETRY", Retry(attempts=1))
    status, _, err = run("data", "fetch", "toy", "--quiet")
    assert status == 2
    assert "toy: 3.0 GB to fetch" in err
    assert "http://127.0.0.1:9/b.csv: the transfer failed" in err


def test_changed_file_ends_with_status_2_and_its_name(run, toy):
    (toy / "a.csv").write_bytes(CONTENT + b"x")
    status, out, err = run("data", "fetch", "toy", "--file", "a.csv")
    assert (status, out) == (2, "")
    assert str(toy / "a.csv") in err
    assert "broken or was changed" in err


def test_unknown_file_of_a_dataset(run, toy):
    status, _, err = run("data", "fetch", "toy", "--file", "c.csv")
    assert status == 2
    assert "there is no file 'c.csv'" in err
    assert "There is: " in err


class Report(BaseModel):
    """The fields of `cmslabs.data.check.CheckReport`."""

    path: str
    kind: str = "CSV"
    n_events: int | None = 3
    ok: bool = True
    problems: list[str] = []
    details: dict = {}


@pytest.fixture
def fake_check(monkeypatch):
    def install(**fields):
        module = types.ModuleType("cmslabs.data.check")
        module.check_file = lambda path: Report(path=str(path), **fields)
        monkeypatch.setitem(sys.modules, "cmslabs.data.check", module)

    return install


def test_check_of_a_good_file(run, fake_check):
    fake_check(details={"columns": ["pt", "eta"]})
    status, out, err = run("data", "check", "x.csv")
    assert (status, out) == (0, "x.csv: CSV, 3 events\n  columns: pt, eta\n")
    assert "no problem" in err


def test_check_with_problems_is_status_1(run, fake_check):
    fake_check(ok=False, problems=["pt is negative in row 2"])
    status, out, err = run("data", "check", "x.csv")
    assert status == 1
    assert "problem: pt is negative in row 2" in out
    assert "1 problem found" in err
    status, out, _ = run("data", "check", "x.csv", "--json")
    assert (status, json.loads(out)["problems"]) == (1, ["pt is negative in row 2"])


def test_check_of_a_file_that_is_not_there_is_status_2(run, tmp_path):
    status, out, err = run("data", "check", str(tmp_path / "absent.root"))
    assert (status, out) == (2, "")
    assert "absent.root" in err


def test_check_answers_on_every_real_file(run, real_data):
    files = sorted(path for folder in ("nanoaod", "lhco", "cms-csv") for path in (real_data / folder).glob("*.*"))
    seen = 0
    for path in files:
        if path.suffix == ".npy":
            continue
        status, out, err = run("data", "check", str(path), "--json")
        assert status == 0, (path.name, out, err)
        assert json.loads(out)["n_events"] > 0
        seen += 1
    assert seen >= 10


def test_export_hands_over_the_branches(run, monkeypatch, tmp_path):
    asked = []
    module = types.ModuleType("cmslabs.data.export")
    module.export = lambda path, out, branches: asked.append((path.name, out.name, branches)) or {"n_events": 4}
    monkeypatch.setitem(sys.modules, "cmslabs.data.export", module)
    command = ["data", "export", "in.root", "out.parquet"]
    assert run(*command, "--branches", "Muon_pt, Muon_eta", "--branches", "MET_pt") == (0, "n_events: 4\n", "")
    assert run(*command, "--json")[1] == '{\n  "n_events": 4\n}\n'
    assert asked == [("in.root", "out.parquet", ["Muon_pt", "Muon_eta", "MET_pt"]), ("in.root", "out.parquet", None)]
    status, _, err = run(*command, "--branches", " , ")
    assert status == 2
    assert "names no branch" in err


def test_export_of_a_real_file(run, real_data, tmp_path):
    out = tmp_path / "muons.parquet"
    source = str(real_data / "nanoaod" / "nano_dimuon.root")
    status, _, err = run("data", "export", source, str(out), "--branches", "Muon_pt,Muon_eta")
    assert status == 0, err
    assert out.stat().st_size > 0


def test_an_empty_list_is_printed_as_none():
    from cmslabs.cli.data import _plain

    assert (_plain([]), _plain(["Tau", "SV"]), _plain(0)) == ("none", "Tau, SV", "0")

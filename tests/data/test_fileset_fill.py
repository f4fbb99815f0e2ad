"""Filling filesets in: from a portal on this machine, from index files, and what is refused."""

from __future__ import annotations

import json

import pytest
import yaml
from portal_files import DATA_FOLDER, FILESET, GOLDEN, MC, MC_FOLDER, entry, record, write_index

from cmslabs.data import download
from cmslabs.data.fileset import load_fileset
from cmslabs.data.fileset_fill import fill, write_fileset
from cmslabs.data.portal import fetch_record, fetch_record_file, parse_record
from cmslabs.data.transfer import Retry
from cmslabs.errors import ConfigError, DataError, DownloadError, OfflineError


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "RETRY", Retry(attempts=2, pause=0.01))


@pytest.fixture
def toy(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(FILESET, sort_keys=False))
    return load_fileset(path)


@pytest.fixture
def portal(web_server):
    """A portal on this machine with two records and the list of certified runs."""
    data = [entry(name=f"{i}.root", size=100 + i) for i in range(3)]
    simulated = [entry(MC_FOLDER, name="A.root"), entry(MC_FOLDER, name="B.root", volume="30000")]
    put(web_server, record(91, entries=tuple(data)))
    put(web_server, record(92, MC, tuple(simulated), abstract={"description": "<p>Simulated.</p>"}))
    web_server.put("/record/14220/files/toy_golden.txt", json.dumps(GOLDEN).encode())
    return web_server


def put(server, answer: dict) -> None:
    server.put(f"/api/records/{answer['id']}", json.dumps(answer).encode())


def test_filled_fileset_can_be_loaded_and_chosen_from(toy, portal, tmp_path):
    base = portal.url("")
    filled = fill(toy, ["muons-h", "four"], portal=base)
    out = tmp_path / "out" / "mine.yaml"
    assert write_fileset(filled, out, portal=base) == []
    mine = load_fileset(out)
    chosen = mine.choose()
    assert list(chosen.datasets) == ["muons-h", "four"]
    assert chosen.luminosity_fb == 9.0
    files = mine.datasets["muons-h"].files
    assert [file.size_bytes for file in files] == [100, 101, 102]
    # A checksum that YAML would take for a number stays a word.
    assert {file.adler32 for file in files} == {"12e45678"}
    assert mine.datasets["four"].n_events == 5000
    assert "portal record 92" in mine.datasets["four"].source_seen
    assert mine.datasets["four"].cross_section.pb == 1.5e-5
    assert json.loads((out.parent / "toy_golden.txt").read_text()) == GOLDEN
    assert mine.golden_json == str(out.parent / "toy_golden.txt")
    # Everything else is as it was.
    assert mine.eras == toy.eras
    assert mine.datasets["four-too"] == toy.datasets["four-too"]


def test_index_files_are_fetched_where_the_record_only_names_them(toy, web_server):
    names = ["x_70000_file_index.json", "x_80000_file_index.json"]
    listed = [{"uri": f"root://eospublic.cern.ch/{DATA_FOLDER}file-indexes/{name}"} for name in names]
    listed.append({"uri": listed[0]["uri"].replace(".json", ".txt")})
    put(web_server, record(91, files=listed, distribution={"number_files": 2}))
    for name, volume in zip(names, ("70000", "80000"), strict=True):
        web_server.put(f"/record/91/files/{name}", json.dumps([entry(volume=volume)]).encode())
    files = fill(toy, ["muons-h"], portal=web_server.url("")).fileset.datasets["muons-h"].files
    assert [file.path.split("/")[-2] for file in files] == ["70000", "80000"]


def test_everything_is_filled_but_one_of_two_samples_of_a_process(toy, portal):
    filled = fill(toy, portal=portal.url(""))
    assert [name for name, one in filled.fileset.datasets.items() if one.files] == ["muons-h", "four"]
    assert filled.remarks == ("four-too: left without files, because four is the same process",)
    with pytest.raises(ConfigError, match="same process"):
        fill(toy, ["four", "four-too"], portal=portal.url(""))


def test_local_indexes_need_no_network(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("CMSLABS_OFFLINE", "1")
    index = write_index(tmp_path / "i.json", entry(MC_FOLDER))
    filled = fill(toy, indexes={"four": [index]}, protocol="https")
    assert filled.fileset.datasets["four"].files[0].path == f"https://opendata.cern.ch{MC_FOLDER}70000/0A.root"
    assert filled.remarks == ("four: 1 files; how many there should be is not known",)
    assert write_fileset(filled, tmp_path / "mine.yaml") == []


def test_missing_list_of_certified_runs_is_said(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("CMSLABS_OFFLINE", "1")
    filled = fill(toy, indexes={"muons-h": [write_index(tmp_path / "i.json", entry())]})
    (remark,) = write_fileset(filled, tmp_path / "new" / "mine.yaml")
    assert "list of certified runs is missing" in remark
    assert "record/14220/files/toy_golden.txt" in remark


def test_offline_says_what_to_do(toy, portal, monkeypatch):
    base = portal.url("")
    monkeypatch.setenv("CMSLABS_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"never fetched.*--index NAME=FILE"):
        fill(toy, ["muons-h"], portal=base)
    assert portal.requests == []
    monkeypatch.delenv("CMSLABS_OFFLINE")
    first = fill(toy, ["muons-h"], portal=base)
    monkeypatch.setenv("CMSLABS_OFFLINE", "1")
    # What was fetched before still serves.
    assert fill(toy, ["muons-h"], portal=base) == first


def test_refusals_of_the_server(toy, portal):
    with pytest.raises(DownloadError, match="no such file"):
        fetch_record(77, portal=portal.url(""))
    portal.mishaps["/api/records/91"] = [503]
    assert fetch_record(91, portal=portal.url("")).n_files == 3


def test_record_of_another_data_set_is_refused(toy, portal):
    put(portal, record(91, "/ThreeMuons/Run2016H-UL2016-v1/NANOAOD", (entry(),)))
    with pytest.raises(DataError, match=r"record 91 is /ThreeMuons/.*, not /TwoMuons/"):
        fill(toy, ["muons-h"], portal=portal.url(""))


def test_index_that_lists_other_files_is_refused(toy, portal):
    put(portal, record(91, entries=(entry(), entry(MC_FOLDER, name="B.root"))))
    with pytest.raises(DataError, match="not in the folder of this data set"):
        fill(toy, ["muons-h"], portal=portal.url(""))


def test_incomplete_data_are_refused_incomplete_simulation_is_remarked(toy, portal):
    few = {"number_events": 5000, "number_files": 7}
    put(portal, record(91, entries=(entry(),), distribution=few))
    put(portal, record(92, MC, (entry(MC_FOLDER),), distribution=few))
    with pytest.raises(DataError, match=r"1 files were found, but the data set has 7.*luminosity"):
        fill(toy, ["muons-h"], portal=portal.url(""))
    assert "four: 1 of 7 files" in fill(toy, ["four"], portal=portal.url("")).remarks


def test_differences_from_the_portal_are_said(toy, portal):
    text = {"description": "<p>Run period from run number 280919 to 284044.</p>"}
    tape = entry(availability="on demand")
    amounts = {"number_events": 4000, "number_files": 1}
    put(portal, record(91, entries=(tape,), abstract=text, distribution=amounts))
    remarks = "\n".join(fill(toy, ["muons-h"], portal=portal.url("")).remarks)
    assert "4,000 events on the portal, 5,000 in the fileset" in remarks
    assert "runs (280919, 284044) on the portal" in remarks
    assert "1 files are on tape" in remarks


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["muon-h"], "Try: muons-h"),
        (["muons-f"], "not public"),
        (["muons-g"], "--index muons-g=FILE"),
    ],
)
def test_wrong_choice(toy, names, what):
    with pytest.raises(ConfigError, match=what):
        fill(toy, names)


def test_same_index_twice(toy, tmp_path):
    index = write_index(tmp_path / "i.json", entry())
    with pytest.raises(DataError, match="two indexes name the same file"):
        fill(toy, indexes={"muons-h": [index, index]})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<html>", "no record"),
        ("[]", "no 'metadata'"),
        ('{"metadata": 3}', "no 'metadata'"),
        (json.dumps(record(90)), "is record 90"),
    ],
)
def test_answers_that_are_no_record(text, what):
    with pytest.raises(DataError, match=what):
        parse_record(text, 91, where="here")


def test_record_with_odd_content_has_no_facts():
    odd = {"_file_indices": [3, {"files": "x"}], "files": [None], "distribution": [], "abstract": "x", "doi": 5}
    found = parse_record(json.dumps({"metadata": odd}), 91, where="here")
    assert (found.title, found.n_events, found.n_files, found.runs, found.doi) == ("", None, None, None, None)
    assert found.entries == found.indexes == ()


def test_zero_is_not_a_number_of_events():
    content = record(91, distribution={"number_events": 0, "number_files": 0})
    assert parse_record(json.dumps(content), 91, where="here").n_events is None


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b", "x?y"])
def test_file_names_stay_plain(name):
    with pytest.raises(DataError, match="no plain file name"):
        fetch_record_file(91, name)


def test_list_of_certified_runs_is_checked(toy, portal, tmp_path):
    portal.put("/record/14220/files/toy_golden.txt", b'{"sorry": 1}')
    filled = fill(toy, ["muons-h"], portal=portal.url(""))
    with pytest.raises(DataError, match="no list of certified runs"):
        write_fileset(filled, tmp_path / "new" / "mine.yaml", portal=portal.url(""))
    assert not (tmp_path / "new" / "mine.yaml").exists()

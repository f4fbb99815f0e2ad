"""File indexes of the portal: what is read, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portal_files import DATA, DATA_FOLDER, MC, MC_FOLDER, entry

from cmslabs.data.portal_index import address, entries_to_files, location_of, parse_index, read_index
from cmslabs.errors import DataError


def test_json_index_gives_address_size_and_checksum():
    text = json.dumps([entry(name="B.root"), entry(name="A.root", checksum="adler32:3f")])
    first, second = parse_index(text, where="here", location=DATA_FOLDER)
    assert first.path == f"root://eospublic.cern.ch/{DATA_FOLDER}70000/A.root"
    assert (first.size_bytes, first.adler32) == (1234, "0000003f")  # Leading zeros are lost in some of them.
    assert (second.path[-6:], second.adler32) == ("B.root", "12e45678")


def test_text_index_gives_addresses_only():
    lines = "".join(entry(name=name)["uri"] + "\r\n" for name in ("B.root", "A.root"))
    files = parse_index("\n" + lines + "\n", where="here", location=DATA_FOLDER, protocol="https")
    assert [file.path for file in files] == [
        f"https://opendata.cern.ch{DATA_FOLDER}70000/{name}" for name in ("A.root", "B.root")
    ]
    assert {(file.size_bytes, file.adler32, file.n_events) for file in files} == {(None, None, None)}


def test_both_forms_name_the_same_files():
    entries = [entry(name=f"{i}.root") for i in range(5)]
    one = parse_index(json.dumps(entries), where="here")
    other = parse_index("\n".join(item["uri"] for item in entries), where="here")
    assert [file.path for file in one] == [file.path for file in other]


@pytest.mark.parametrize(("name", "folder"), [(DATA, DATA_FOLDER), (MC, MC_FOLDER)])
def test_folder_of_a_data_set(name, folder):
    assert location_of(name) == folder


@pytest.mark.parametrize(
    "name", ["", "DoubleMuon", "/A/B", "/A/B-v1/../NANOAOD", "/A b/C-v1/NANOAOD", "/A/B-v1/NANOAOD/"]
)
def test_name_that_is_none(name):
    with pytest.raises(DataError, match="no name of a CMS data set"):
        location_of(name)


GOOD = entry()["uri"]


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        (GOOD.replace("root://", "file://"), "no address"),
        (GOOD.replace("root://", "http://"), "no address"),
        ("/etc/passwd", "no address"),
        ("70000/0A.root", "no address"),
        (GOOD.replace(".root", ".txt"), "no address"),
        (GOOD + "?x=1", "no address"),
        (GOOD.replace("70000", "70 000"), "no address"),
        (GOOD.replace("70000", "70000%2f.."), "no address"),
        (GOOD + "\n", "no address"),
        (GOOD.replace("/eos/opendata", "/eos/user"), "no address"),
        (GOOD.replace("eospublic.cern.ch", "user:word@eospublic.cern.ch"), "no address"),
        (GOOD.replace("eospublic.cern.ch", "eospublic.cern.ch:99"), "no address"),
        (GOOD.replace("eospublic.cern.ch", "eospublic.cern.ch.example.org"), "none of the portal's"),
        (GOOD.replace("eospublic.cern.ch", "example.org"), "none of the portal's"),
        (GOOD.replace("70000", ".."), "not a plain one"),
        (GOOD.replace("70000", "70000/../70000"), "not a plain one"),
        (GOOD.replace("70000", "70000//b"), "not a plain one"),
        (GOOD.replace("TwoMuons", "ThreeMuons"), "not in the folder of this data set"),
        (GOOD.replace("-v1", "-v2"), "not in the folder of this data set"),
        (None, "no address"),
        (17, "no address"),
    ],
)
def test_address_that_leads_elsewhere_is_refused(uri, what):
    with pytest.raises(DataError, match=what) as caught:
        entries_to_files([entry(), entry(uri=uri) | {"uri": uri}], where="index.json", location=DATA_FOLDER)
    assert str(caught.value).startswith("index.json, entry 2: ")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"filename": "1B.root"}, "ends otherwise"),
        ({"size": "1234"}, "no number of bytes"),
        ({"size": -1}, "no number of bytes"),
        ({"size": True}, "no number of bytes"),
        ({"checksum": "sha1:12"}, "adler32"),
        ({"checksum": "adler32:123456789"}, "adler32"),
        ({"checksum": 12}, "adler32"),
    ],
)
def test_entry_that_contradicts_itself(change, what):
    with pytest.raises(DataError, match=what):
        entries_to_files([entry(**change)], where="here")


def test_same_file_twice_is_refused():
    again = entry(uri=entry()["uri"].replace("root://eospublic.cern.ch/", "https://opendata.cern.ch"))
    with pytest.raises(DataError, match="stands twice"):
        entries_to_files([entry(), again], where="here")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("[]", "empty"),
        ("[{", "not valid JSON"),
        ('{"uri": "x"}', "not a list"),
        ('["x"]', "not a list"),
        ("<!DOCTYPE html><html>Sorry</html>", "no address"),
    ],
)
def test_what_is_no_index(text, what):
    with pytest.raises(DataError, match=what):
        parse_index(text, where="here")


def test_index_file_that_is_no_text(tmp_path):
    path = tmp_path / "a_file_index.json"
    path.write_bytes(b"root\x00\xff\xfe")
    with pytest.raises(DataError, match="not text"):
        read_index(path)


@given(st.text(alphabet="ab/.:%?\\ \n", max_size=30))
def test_whatever_passes_is_a_plain_path_below_the_folder(middle):
    """However a path is written: what is accepted lies below the folder, and is its own shortest form."""
    uri = f"root://eospublic.cern.ch/{DATA_FOLDER}{middle}0A.root"
    try:
        (file,) = entries_to_files([{"uri": uri}], where="here", location=DATA_FOLDER)
    except DataError:
        return
    path = file.path.removeprefix("root://eospublic.cern.ch/")
    assert path.startswith(DATA_FOLDER)
    assert not {"..", ".", ""} & set(path.removeprefix("/").split("/"))
    assert address(path, "root") == file.path

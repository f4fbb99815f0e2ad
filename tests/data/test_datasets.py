"""One call reads any dataset with muons, whatever its files are."""

from __future__ import annotations

import shutil

import awkward as ak
import pytest

from cmslabs.data.cms_csv import read_cms_csv
from cmslabs.data.datasets import read_dataset
from cmslabs.data.download import dataset_path
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.errors import ChecksumError, DataError, DownloadError, MissingBranchError


@pytest.fixture
def dimuon_table(real_data, data_cache):
    """The real dimuon table, put where a download would put it."""
    folder = data_cache / "cms-dimuon-2011"
    folder.mkdir(parents=True)
    return shutil.copy(real_data / "cms-csv" / "Zmumu_Run2011A.csv", folder)


def test_nanoaod_is_read_as_by_its_reader():
    events = read_dataset("sim-dimuon", ["Muon", "GenPart"], stop=50)
    assert ak.array_equal(events, read_nanoaod(dataset_path("sim-dimuon"), ["Muon", "GenPart"], stop=50))


def test_table_is_read_as_by_its_reader(dimuon_table):
    everything = read_cms_csv(dimuon_table)
    assert ak.array_equal(read_dataset("cms-dimuon-2011"), everything)
    events = read_dataset("cms-dimuon-2011", ["Muon"], stop=7)
    assert events.fields == ["run", "event", "Muon"]
    assert ak.array_equal(events.Muon, everything.Muon[:7])


def test_missing_collection_is_named(dimuon_table):
    with pytest.raises(MissingBranchError, match=r"Zmumu_Run2011A\.csv: has no 'Muons'\. It has: Muon"):
        read_dataset("cms-dimuon-2011", ["Muons"])
    with pytest.raises(MissingBranchError, match="Muons"):
        read_dataset("sim-dimuon", ["Muons"])


def test_file_that_is_not_there_says_how_to_get_it():
    with pytest.raises(DownloadError, match="cmslabs data fetch cms-dimuon-2011"):
        read_dataset("cms-dimuon-2011", ["Muon"])


def test_changed_file_is_refused(dimuon_table):
    with open(dimuon_table, "a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(ChecksumError):
        read_dataset("cms-dimuon-2011", ["Muon"])


def test_other_formats_are_refused():
    with pytest.raises(DataError, match="neither NanoAOD nor a CMS education table"):
        read_dataset("sim-dijet-features")

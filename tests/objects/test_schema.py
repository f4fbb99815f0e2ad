"""Lazy events: of every file, quietly, with the names of version 9, and only what is looked at is read."""

from __future__ import annotations

import warnings

import awkward as ak
import numpy as np
import pytest
import uproot

from cmslabs.data.datasets import dataset_path
from cmslabs.errors import DataError, MissingBranchError
from cmslabs.objects.access import get, source_of

schema = pytest.importorskip("cmslabs.objects.schema", reason="needs the extra cms")

REAL = (
    *("nano_dimuon.root", "nano_dy.root", "nano_tt_v12.root"),
    *("NanoAODv5_sample.root", "nanoAOD_2015_CMS_Open_Data_ttbar.root"),
)


@pytest.mark.parametrize("name", REAL)
def test_real_files_open_without_a_warning(real_data, name):
    path = real_data / "nanoaod" / name
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events = schema.open_events(path)
        npvs, charge = events["PV"]["npvs"].to_list(), events["Jet"].fields
    assert npvs == uproot.open(path)["Events/PV_npvs"].array().to_list()
    assert "charge" in charge  # coffea's vectors need one.
    assert source_of(events) == source_of(events[3:]) == str(path)


def test_bundled_samples_open_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events = schema.open_events(dataset_path("sim-dimuon"), 10, 30)
        assert len(events) == 20
        assert ak.max(events["PV"]["npvs"]) >= 1


def write(path, **branches):
    contents = {"run": np.ones(3, "u4"), "luminosityBlock": np.ones(3, "u4"), "event": np.arange(3, dtype="u8")}
    contents |= branches
    with uproot.recreate(path) as file:
        tree = file.mktree(
            "Events",
            {
                name: ak.type(value).content if isinstance(value, ak.Array) else value.dtype
                for name, value in contents.items()
            },
        )
        tree.extend(contents)
    return path


def test_newer_names_become_those_of_version_9(tmp_path):
    events = schema.open_events(write(tmp_path / "v15.root", PFMET_pt=np.arange(3.0), PFMET_phi=np.zeros(3)))
    assert get(events, "MET", "pt").to_list() == [0, 1, 2]
    assert "PFMET" not in events.fields


def test_a_name_that_is_there_is_not_replaced(tmp_path):
    events = schema.open_events(write(tmp_path / "both.root", PFMET_pt=np.arange(3.0), MET_pt=np.full(3, 7.0)))
    assert get(events, "MET", "pt").to_list() == [7, 7, 7]
    assert get(events, "PFMET", "pt").to_list() == [0, 1, 2]


def test_collections_that_begin_alike_are_left_alone(tmp_path):
    jets = ak.zip({"pt": ak.Array([[1.0, 2.0], [], [3.0]]), "eta": ak.Array([[0.0, 0.0], [], [0.0]])})
    events = schema.open_events(write(tmp_path / "x.root", Jet=jets, nPU=np.arange(3), RawPFMET_pt=np.ones(3)))
    assert events["Jet"]["pt"].to_list() == [[1, 2], [], [3]]
    assert get(events, "RawMET", "pt").to_list() == [1, 1, 1]
    assert events["nPU"].to_list() == [0, 1, 2]


def test_a_charge_that_is_there_is_not_overwritten(tmp_path):
    jets = ak.zip({"pt": ak.Array([[1.0], [], [3.0]]), "charge": ak.Array([[1], [], [-1]])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events = schema.open_events(write(tmp_path / "x.root", Jet=jets))
    assert events["Jet"]["charge"].to_list() == [[1], [], [-1]]


@pytest.mark.parametrize("field", ["pt", "eta", "phi", "mass", "charge"])
def test_a_skim_without_a_coordinate_still_shows_the_others(tmp_path, field):
    """coffea's own schema raises a ValueError as soon as such a collection is touched."""
    values = ak.Array([[1.0], [], [3.0]])
    kept = [name for name in ("pt", "eta", "phi", "mass", "charge") if name != field]
    muons = ak.zip({name: ak.values_astype(values, "i4") if name == "charge" else values for name in kept})
    events = schema.open_events(write(tmp_path / "x.root", Muon=muons, MET_pt=np.arange(3.0), PV_npvs=np.arange(3)))
    assert {name: get(events, "Muon", name).to_list() for name in kept} == {name: [[1], [], [3]] for name in kept}
    assert get(events, "MET", "pt").to_list() == get(events, "PV", "npvs").to_list() == [0, 1, 2]
    with pytest.raises(MissingBranchError, match=f"Muon_{field}"):
        get(events, "Muon", field)


def test_whole_collections_stay_vectors(real_data):
    events = schema.open_events(real_data / "nanoaod" / "nano_dimuon.root")
    two = events[ak.num(events["Muon"]) >= 2]["Muon"][:, :2]
    assert ak.all((two[:, 0] + two[:, 1]).mass > 0)
    assert len(events["PV"].pos.x) == 40
    assert events["SV"].p4.fields == ["pt", "eta", "phi", "mass"]


def test_range_of_events():
    path = dataset_path("sim-fourlepton")
    numbers = schema.open_events(path)["event"].to_list()
    assert schema.open_events(path, 5, 9)["event"].to_list() == numbers[5:9]
    assert schema.open_events(path, len(numbers) - 2, 10**9)["event"].to_list() == numbers[-2:]
    assert len(schema.open_events(path, 10**9)) == 0


def test_what_is_no_nanoaod_is_refused(tmp_path):
    (tmp_path / "x.root").write_bytes(b"no ROOT file at all")
    with pytest.raises(DataError, match=r"x\.root"):
        schema.open_events(tmp_path / "x.root")
    with pytest.raises(DataError, match=r"missing\.root"):
        schema.open_events(tmp_path / "missing.root")
    with uproot.recreate(tmp_path / "other.root") as file:
        file.mktree("Other", {"x": "f8"}).extend({"x": np.zeros(2)})
    with pytest.raises(DataError, match="no tree 'Events'"):
        schema.open_events(tmp_path / "other.root")


def test_a_missing_branch_names_the_file():
    path = dataset_path("sim-dimuon")
    with pytest.raises(MissingBranchError) as error:
        get(schema.open_events(path), "Muon", "miniPFRelIso_al")
    assert str(path) in str(error.value)


def test_the_lesson_of_the_brackets(real_data):
    """coffea's events.FatJet.tau2 is the squared mass; the branch is what brackets give."""
    events = schema.open_events(real_data / "nanoaod" / "NanoAODv5_sample.root")
    tau2 = ak.flatten(events["FatJet"]["tau2"])
    assert ak.all((tau2 >= -1) & (tau2 < 1.5))
    assert not ak.all(ak.flatten(events.FatJet.tau2) == tau2)

"""Asking for branches: what is there, and what the error says of what is not."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from nano_toys import nano

from cmslabs.errors import DataError, MissingBranchError
from cmslabs.objects.access import branch_name, flat, get, has, objects, source_of

EVENTS = nano([{"Muon": [{"pt": 30.0, "eta": 0.1, "phi": 0.2, "charge": 1}]}, {}])


def test_what_is_there():
    assert has(EVENTS, "Muon")
    assert has(EVENTS, "Muon", "pt")
    assert has(EVENTS, "MET", "pt")
    assert not has(EVENTS, "Muon", "ptt")
    assert not has(EVENTS, "Tau")
    assert not has(EVENTS, "Tau", "pt")


def test_get_gives_the_field_also_where_a_vector_would_know_better():
    """``FatJet.tau2`` is the squared mass to the vector library; the branch of this name is what is wanted."""
    import vector

    vector.register_awkward()
    jets = ak.zip(
        {"pt": [[1.0]], "eta": [[0.0]], "phi": [[0.0]], "mass": [[5.0]], "tau2": [[0.3]]}, with_name="Momentum4D"
    )
    assert get(ak.zip({"FatJet": jets}, depth_limit=1), "FatJet", "tau2").to_list() == [[0.3]]


def test_flat_is_the_row_of_all_objects():
    assert flat(EVENTS, "Muon", "pt").tolist() == [30.0]
    assert isinstance(flat(EVENTS, "Muon", "pt"), np.ndarray)
    assert flat(EVENTS[1:], "Muon", "pt").tolist() == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("Muon", "ptt"), ["Muon_ptt", "Close names: Muon_pt", "Events"]),
        (("Muon", "mediumID"), ["Muon_mediumID", "Muon_mediumId"]),
        (("Muonn",), ["'Muonn'", "Muon"]),
        (("Muonn", "pt"), ["'Muonn_pt'", "Close names: Muon."]),
        (("Vertex", "ndof"), ["'Vertex_ndof'", "cmslabs data check"]),
        (("Jet", "puId"), ["Jet_puId", "pile-up jets"]),
    ],
)
def test_errors_name_branch_near_names_and_what_versions_changed(asked, words):
    with pytest.raises(MissingBranchError) as error:
        get(EVENTS, *asked)
    assert [word for word in words if word not in str(error.value)] == []


def test_errors_name_the_file_where_events_know_it():
    named = EVENTS[:]
    named.attrs["filename"] = "some.root"
    with pytest.raises(MissingBranchError, match=r"some\.root, Events: there is no branch 'Tau'"):
        get(named, "Tau")
    assert source_of(named[1:]) == "some.root"
    assert source_of(EVENTS) == "(file unknown)"


def test_a_record_of_lists_is_no_list_of_records():
    """What a file without the counter nMuon looks like."""
    loose = ak.zip({"Muon": ak.zip({"pt": [[1.0], []], "eta": [[1.0], []]}, depth_limit=1)}, depth_limit=1)
    with pytest.raises(DataError, match="nMuon"):
        objects(loose, "Muon")


def test_needed_fields_are_asked_for():
    with pytest.raises(MissingBranchError, match="Muon_charges"):
        objects(EVENTS, "Muon", "pt", "charges")
    assert objects(EVENTS, "Muon", "pt").fields == EVENTS["Muon"].fields


def test_branch_names():
    assert branch_name("genWeight") == "genWeight"
    assert branch_name("HLT", "IsoMu24") == "HLT_IsoMu24"

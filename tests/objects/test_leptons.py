"""Muons and electrons: each cut at its edge, order, scale, and what must never pass."""

from __future__ import annotations

import math

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from mutants import plant
from nano_toys import ELECTRONS, MUONS, lists, nano

import loops  # isort: skip
from cmslabs.errors import MissingBranchError
from cmslabs.objects import leptons
from cmslabs.objects.cuts import ElectronCuts, MuonCuts
from cmslabs.objects.leptons import electron_mask, good_electrons, good_muons, muon_mask, pick, scale_muons


def muon(pt=30.0, **more):
    return {"pt": pt, "eta": 0.0, "phi": 0.0, "charge": 1} | more


BELOW, ABOVE = np.nextafter(np.float32(2.4), np.float32([0, 9]))


@pytest.mark.parametrize(
    ("one", "passes"),
    [
        (muon(), True),
        (muon(5.0), False),
        (muon(5.001), True),
        (muon(eta=float(BELOW)), True),
        (muon(eta=-float(BELOW)), True),
        (muon(eta=float(ABOVE)), False),
        (muon(eta=-float(ABOVE)), False),
        (muon(mediumId=False), False),
        (muon(pfRelIso04_all=0.25), False),
        (muon(pfRelIso04_all=0.2499), True),
        (muon(sip3d=100.0), True),
        (muon(math.nan), False),
        (muon(-30.0), False),
        (muon(eta=math.nan), False),
        (muon(pfRelIso04_all=math.nan), False),
    ],
)
def test_cuts_on_one_muon(one, passes):
    assert muon_mask(nano([{"Muon": [one]}])).to_list() == [[passes]]


@pytest.mark.parametrize(
    ("one", "passes"),
    [
        (muon(), True),
        (muon(7.0), False),
        (muon(7.001), True),
        (muon(eta=2.49), True),
        (muon(eta=-2.51), False),
        (muon(cutBased=3), True),
        (muon(cutBased=2), False),
        (muon(math.nan), False),
        (muon(-30.0), False),
    ],
)
def test_cuts_on_one_electron(one, passes):
    assert electron_mask(nano([{"Electron": [one]}])).to_list() == [[passes]]


def test_options():
    events = nano([{"Muon": [muon(sip3d=3.9), muon(20.0, sip3d=4.1), muon(10.0, tightId=False)]}])
    assert muon_mask(events, MuonCuts(sip3d=4)).to_list() == [[True, False, True]]
    assert muon_mask(events, MuonCuts(id="tightId")).to_list() == [[True, True, False]]
    open_cuts = MuonCuts(id=None, isolation=None)
    assert muon_mask(nano([{"Muon": [muon(mediumId=False, pfRelIso04_all=9.0)]}]), open_cuts).to_list() == [[True]]
    electrons = nano([{"Electron": [muon(sip3d=3.9, cutBased=0), muon(20.0, sip3d=4.1)]}])
    assert electron_mask(electrons, ElectronCuts(sip3d=4, cut_based=0)).to_list() == [[True, False]]


def test_identification_may_be_stored_as_a_number():
    events = nano([{"Muon": [muon(), muon(mediumId=False)]}])
    as_number = ak.with_field(events["Muon"], ak.values_astype(events["Muon"]["mediumId"], "uint8"), "mediumId")
    assert muon_mask(ak.with_field(events, as_number, "Muon")).to_list() == [[True, False]]


@settings(max_examples=25, deadline=None)
@given(MUONS, ELECTRONS)
def test_good_leptons_are_those_of_the_loops_by_falling_pt(muons, electrons):
    event = {"Muon": muons, "Electron": electrons}
    plain = lists([event])[0]
    for found, collection, is_good, cuts in (
        (good_muons(nano([event])), "Muon", loops.is_muon, MuonCuts()),
        (good_electrons(nano([event])), "Electron", loops.is_electron, ElectronCuts()),
    ):
        wanted = loops.by_pt([one for one in plain[collection] if is_good(one, cuts)])
        assert found["pt"].to_list() == [[one["pt"] for one in wanted]]
        assert found["charge"].to_list() == [[one["charge"] for one in wanted]]


def test_events_stay_in_their_places():
    events = nano([{}, {"Muon": [muon(9.0), muon(3.0), muon(90.0)]}, {"Muon": [muon(2.0)]}, {"Muon": [muon(40.0)]}])
    assert good_muons(events)["pt"].to_list() == [[], [90.0, 9.0], [], [40.0]]
    assert good_muons(events[::-1])["pt"].to_list() == [[40.0], [], [90.0, 9.0], []]
    assert good_muons(events[[1, 3]])["pt"].to_list() == [[90.0, 9.0], [40.0]]
    assert good_muons(events[:0])["pt"].to_list() == []


def test_scale_comes_before_the_cuts_and_renews_the_order():
    events = nano([{"Muon": [muon(5.0), muon(4.9)]}])
    assert good_muons(events, scale=1.01)["pt"].to_list()[0] == pytest.approx([5.05])
    assert good_muons(events, scale=0.99)["pt"].to_list() == [[]]
    scaled = scale_muons(good_muons(nano([{"Muon": [muon(50.0, eta=1.0, phi=2.0)]}])), 1.002)
    assert scaled["pt"].to_list()[0] == pytest.approx([50.1])
    assert (scaled["eta"].to_list(), scaled["phi"].to_list()) == ([[1.0]], [[2.0]])
    assert scaled["mass"].to_list()[0] == pytest.approx([0.10566])


def test_scale_of_one_is_nothing():
    muons = good_muons(nano([{"Muon": [muon()]}]))
    assert scale_muons(muons, 1.0) is muons


def test_only_what_a_lepton_needs_is_kept():
    assert good_muons(nano([{"Muon": [muon()]}])).fields == [
        "pt",
        "eta",
        "phi",
        "mass",
        "charge",
        "pfRelIso04_all",
        "sip3d",
    ]
    bare = ak.zip({name: [[1.0]] for name in ("pt", "eta", "phi", "mass", "charge")})
    assert pick(bare, ak.Array([[True]])).fields == bare.fields


@pytest.mark.parametrize("field", ["pt", "eta", "phi", "mass", "charge", "mediumId", "pfRelIso04_all"])
def test_missing_branches_are_named(field):
    events = nano([{"Muon": [muon()]}])
    kept = [name for name in events["Muon"].fields if name != field]
    with pytest.raises(MissingBranchError, match=f"Muon_{field}"):
        good_muons(ak.with_field(events, events["Muon"][kept], "Muon"))


def test_sip3d_is_needed_only_if_it_is_cut_on():
    events = nano([{"Muon": [muon()]}])
    kept = [name for name in events["Muon"].fields if name != "sip3d"]
    events = ak.with_field(events, events["Muon"][kept], "Muon")
    assert muon_mask(events).to_list() == [[True]]
    with pytest.raises(MissingBranchError, match="Muon_sip3d"):
        muon_mask(events, MuonCuts(sip3d=4))


def check_order():
    test_events_stay_in_their_places()
    test_scale_comes_before_the_cuts_and_renews_the_order()


@pytest.mark.parametrize(
    "fault",
    [
        (leptons.by_falling_pt, "np.isin(rises, ends).all()", "True"),
        (leptons.by_falling_pt, "ascending=False", "ascending=True"),
        (leptons.passing, "ak.sum(mask, axis=1)", "ak.sum(mask, axis=1)[::-1]"),
        (leptons.good_muons, "scale_muons(", "(lambda muons, scale: muons)("),
        (leptons.good_muons, "muon_mask(events, cuts, scale)", "muon_mask(events, cuts)"),
    ],
)
def test_a_planted_fault_is_caught(monkeypatch, fault):
    check_order()
    plant(monkeypatch, *fault)
    with pytest.raises(AssertionError):
        check_order()

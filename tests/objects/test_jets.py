"""Jets: identification bits, distance from leptons across the seam of phi, and what must never pass."""

from __future__ import annotations

import math

import awkward as ak
import loops
import numpy as np
import pytest
from hypothesis import given, settings
from mutants import plant
from nano_toys import JETS, MUONS, lists, nano

from cmslabs.errors import MissingBranchError
from cmslabs.objects import jets
from cmslabs.objects.cuts import FatJetCuts, JetCuts
from cmslabs.objects.jets import far_from, good_fat_jets, good_jets, jet_mask
from cmslabs.objects.leptons import good_muons


def jet(pt=50.0, eta=0.0, phi=0.0, **more):
    return {"pt": pt, "eta": eta, "phi": phi} | more


@pytest.mark.parametrize(
    ("one", "passes"),
    [
        (jet(), True),
        (jet(30.0), False),
        (jet(30.1), True),
        (jet(eta=2.39), True),
        (jet(eta=-2.41), False),
        (jet(jetId=2), True),
        (jet(jetId=6), True),
        (jet(jetId=4), False),
        (jet(jetId=1), False),
        (jet(jetId=0), False),
        (jet(math.nan), False),
        (jet(-50.0), False),
        (jet(eta=math.nan), False),
    ],
)
def test_cuts_on_one_jet(one, passes):
    assert jet_mask(nano([{"Jet": [one]}]), JetCuts()).to_list() == [[passes]]
    assert len(good_jets(nano([{"Jet": [one]}]))[0]) == passes


@pytest.mark.parametrize(("asked", "passing"), [(0, [0, 1, 2, 4, 6, 7]), (2, [2, 6, 7]), (6, [6, 7]), (4, [4, 6, 7])])
def test_all_bits_that_are_asked_for_must_be_set(asked, passing):
    events = nano([{"Jet": [jet(jetId=bits) for bits in (0, 1, 2, 4, 6, 7)]}])
    mask = jet_mask(events, JetCuts(jet_id=asked))[0].to_list()
    assert [bits for bits, good in zip((0, 1, 2, 4, 6, 7), mask, strict=True) if good] == passing


def test_the_bits_may_be_of_any_integer_type():
    events = nano([{"Jet": [jet(jetId=6), jet(jetId=1)]}])
    for kind in ("uint8", "int32", "int64"):
        typed = ak.with_field(events["Jet"], ak.values_astype(events["Jet"]["jetId"], kind), "jetId")
        assert jet_mask(ak.with_field(events, typed, "Jet"), JetCuts()).to_list() == [[True, False]]


def test_version_15_has_no_jet_id_and_the_error_says_what_to_do():
    events = nano([{"Jet": [jet()], "FatJet": [jet(300.0)]}])
    for collection, key in (("Jet", "jets.jet_id=0"), ("FatJet", "fat_jets.jet_id=0")):
        kept = [name for name in events[collection].fields if name != "jetId"]
        lacking = ak.with_field(events, events[collection][kept], collection)
        with pytest.raises(MissingBranchError) as error:
            jet_mask(lacking, JetCuts(), collection)
        assert all(word in str(error.value) for word in (f"{collection}_jetId", "version 15", key))
        assert jet_mask(lacking, JetCuts(jet_id=0), collection).to_list() == [[True]]


def test_fat_jets_have_their_own_cuts_and_fields():
    events = nano([{"FatJet": [jet(250.0, msoftdrop=80.0), jet(199.0), jet(600.0, 1.0)]}])
    found = good_fat_jets(events)
    assert found["pt"].to_list() == [[600.0, 250.0]]
    assert found["msoftdrop"].to_list() == [[40.0, 80.0]]
    assert {"tau1", "tau2", "mass"} <= set(found.fields)
    assert good_fat_jets(events, FatJetCuts(pt=500))["pt"].to_list() == [[600.0]]


# Leptons


def test_a_jet_on_a_lepton_is_the_lepton():
    events = nano([{"Jet": [jet(80.0, 0.3, 0.0), jet(70.0, 0.0, 0.45), jet(60.0, 0.1, -0.1)]}, {"Jet": [jet(90.0)]}])
    leptons = ak.Array([[{"eta": 0.0, "phi": 0.0}], []])
    assert good_jets(events, leptons=leptons)["pt"].to_list() == [[70.0], [90.0]]
    assert good_jets(events)["pt"].to_list() == [[80.0, 70.0, 60.0], [90.0]]
    assert good_jets(events, JetCuts(lepton_distance=None), leptons)["pt"].to_list() == [[80.0, 70.0, 60.0], [90.0]]
    assert good_jets(events, JetCuts(lepton_distance=0.5), leptons)["pt"].to_list() == [[], [90.0]]


def test_distance_goes_across_the_seam_of_phi():
    events = ak.Array([[{"eta": 0.0, "phi": 3.1}, {"eta": 0.0, "phi": -3.1}, {"eta": 0.0, "phi": 0.1}]])
    assert far_from(events, ak.Array([[{"eta": 0.0, "phi": -3.14}]]), 0.2).to_list() == [[False, False, True]]
    assert far_from(events, ak.Array([[{"eta": 0.0, "phi": 0.0}]]), 0.2).to_list() == [[True, True, False]]


def test_no_jets_and_no_leptons():
    assert good_jets(nano([]))["pt"].to_list() == []
    assert good_jets(nano([{}]))["pt"].to_list() == [[]]
    muons = good_muons(nano([{}, {}]))
    assert good_jets(nano([{}, {"Jet": [jet()]}]), leptons=muons)["pt"].to_list() == [[], [50.0]]


def check_against_loops(events):
    muons = good_muons(nano(events))
    found = {
        "Jet": good_jets(nano(events), leptons=muons)["pt"].to_list(),
        "FatJet": good_fat_jets(nano(events), leptons=muons)["pt"].to_list(),
    }
    near = muons[["eta", "phi"]].to_list()
    for i, plain in enumerate(lists(events)):
        for collection, cuts in (("Jet", JetCuts()), ("FatJet", FatJetCuts())):
            wanted = loops.by_pt([one for one in plain[collection] if loops.is_jet(one, cuts, near[i])])
            assert found[collection][i] == [one["pt"] for one in wanted]


@settings(max_examples=25, deadline=None)
@given(JETS, JETS, MUONS)
def test_good_jets_are_those_of_the_loops(jet_list, fat_jets, muons):
    check_against_loops([{"Jet": jet_list, "FatJet": fat_jets, "Muon": muons}])


def many_events(n=150):
    """Two muons, and jets around them."""
    rng = np.random.default_rng(1)

    def around(muon, low, high):
        return jet(
            rng.uniform(low, high),
            muon["eta"] + rng.uniform(-0.9, 0.9),
            math.remainder(muon["phi"] + rng.uniform(-0.9, 0.9), 2 * math.pi),
            jetId=int(rng.choice([1, 2, 6])),
        )

    events = []
    for _ in range(n):
        muons = [jet(20.0 + i, rng.uniform(-2, 2), rng.uniform(-3.14, 3.14), charge=1) for i in range(2)]
        near = [around(muon, 25, 90) for muon in muons]
        events.append({"Muon": muons, "Jet": near, "FatJet": [around(muon, 150, 500) for muon in muons]})
    return events


def test_many_jets_near_leptons_are_those_of_the_loops():
    check_against_loops(many_events())


@pytest.mark.parametrize(
    "fault",
    [
        (jets.far_from, "+ np.pi) % (2 * np.pi) - np.pi", "+ 0)"),
        (jets.far_from, "+ d_phi**2", ""),
        (jets.far_from, "distance**2", "distance"),
        (jets.far_from, "~ak.any", "~ak.all"),
        (jets.jet_mask, "== cuts.jet_id", "!= cuts.jet_id"),
        (jets.good_fat_jets, '"FatJet"', '"Jet"'),
        (jets.good_fat_jets, "FatJetCuts()", "JetCuts()"),
    ],
)
def test_a_planted_fault_is_caught(monkeypatch, fault):
    check_against_loops(many_events())
    plant(monkeypatch, *fault)
    with pytest.raises(AssertionError):
        check_against_loops(many_events())

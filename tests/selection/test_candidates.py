"""Pairs, Z candidates, four leptons, dijets: against loops on random events, known physics, symmetries, faults."""

from __future__ import annotations

import math
from itertools import pairwise

import awkward as ak
import loops
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutants import plant
from nano_toys import EVENTS, MUONS, nano, records, rotated

from cmslabs.errors import DataError
from cmslabs.objects.cuts import ElectronCuts, MuonCuts
from cmslabs.objects.leptons import good_electrons, good_muons
from cmslabs.selection import fourleptons, momenta
from cmslabs.selection.analysis import DijetCuts, DimuonCuts, FourLeptonCuts, ZCuts, load_analysis
from cmslabs.selection.candidates import FLAVOURS, dijet, dimuon, four_leptons, leptons_together, z_candidates

ANY = MuonCuts(pt=0, eta=100, id=None, isolation=None)
ANY_ELECTRON = ElectronCuts(pt=0, eta=100, cut_based=0)
WIDE = ZCuts(mass=(0.0, 1000.0))
MUON_MASS, Z_MASS = 0.10566, 91.1876


def muon(pt, eta=0.0, phi=0.0, charge=1, mass=MUON_MASS):
    return {"pt": pt, "eta": eta, "phi": phi, "charge": charge, "mass": mass}


def back_to_back(mass, charge=1, phi=0.0, eta=0.0):
    """Two leptons at rest together: their mass is twice the energy of each."""
    pt = mass / 2 / math.cosh(eta)
    return [muon(pt, eta, phi, charge, 0.0), muon(pt, -eta, math.remainder(phi + math.pi, 2 * math.pi), -charge, 0.0)]


def jagged(*events, name="Muon"):
    return records([{name: list(event)} for event in events], name, double=True)


# Two muons


def test_mass_of_a_pair_at_rest_is_the_sum_of_energies():
    pair = dimuon(jagged(back_to_back(Z_MASS), back_to_back(3.0969, eta=1.2)))
    np.testing.assert_allclose(pair["mass"], [Z_MASS, 3.0969], rtol=1e-12)
    np.testing.assert_allclose(pair["pt"], 0, atol=1e-12)
    np.testing.assert_allclose(pair["rapidity"], 0, atol=1e-12)


def test_masses_of_the_muons_count_near_threshold():
    """Two muons side by side: massless they would weigh nothing."""
    pair = dimuon(jagged([muon(30.0, charge=1), muon(30.0, charge=-1)]))
    np.testing.assert_allclose(pair["mass"], 2 * MUON_MASS, rtol=1e-4)


def test_pair_is_the_two_leading_muons_and_keeps_them():
    muons = good_muons(nano([{"Muon": [muon(10.0, phi=1.0), muon(50.0, phi=2.0, charge=-1), muon(30.0)]}]), ANY)
    pair = dimuon(muons)[0]
    assert (pair["l1"]["pt"], pair["l2"]["pt"]) == (50.0, 30.0)
    assert (pair["l1"]["charge"], pair["charge"]) == (-1, 0)


def test_no_pair_without_two_muons_or_outside_the_cuts():
    events = jagged([], [muon(30.0)], back_to_back(Z_MASS), back_to_back(11.9), [muon(30.0), muon(20.0, phi=3.0)])
    assert dimuon(events, DimuonCuts())["mass"].to_list() == [None, None, pytest.approx(Z_MASS), None, None]
    assert ak.is_none(dimuon(events, DimuonCuts(charge="same"))["mass"]).to_list() == [True] * 4 + [False]
    assert ak.is_none(dimuon(events, DimuonCuts(charge="any"))["mass"]).to_list() == [True, True, False, True, False]
    assert ak.is_none(dimuon(events)["mass"]).to_list() == [True, True, False, False, False]


def test_no_events_and_no_muons():
    for events in (jagged(), jagged([], [])):
        assert dimuon(events)["mass"].to_list() == [None] * len(events)
        assert four_leptons(events)["m4l"].to_list() == [None] * len(events)
        assert four_leptons(events, events)["z1"]["mass"].to_list() == [None] * len(events)
        assert z_candidates(events)["mass"].to_list() == [[]] * len(events)


# Z candidates and four leptons


def test_z_candidates_are_those_of_the_loops_nearest_first():
    rng = np.random.default_rng(4)
    events = [
        [muon(rng.uniform(5, 80), rng.uniform(-2, 2), rng.uniform(-3, 3), rng.choice([-1, 1])) for _ in range(count)]
        for count in rng.integers(0, 7, 60)
    ]
    events = [loops.by_pt(event) for event in events]
    found = z_candidates(jagged(*events), ZCuts())
    for event, zs in zip(events, found.to_list(), strict=True):
        expected = sorted(loops.z_pairs([{**one, "flavour": 13} for one in event], ZCuts()))
        assert [(z["i1"], z["i2"]) for z in zs] == [(i, j) for _, _, i, j in expected]
        assert [z["mass"] for z in zs] == pytest.approx([mass for _, mass, _, _ in expected], rel=1e-9)
    assert ak.sum(ak.num(found)) > 100


def test_four_leptons_of_two_bosons_at_rest():
    first, second = back_to_back(90.0), back_to_back(35.0, phi=1.3, eta=0.4)
    found = four_leptons(jagged(loops.by_pt(first + second)))[0]
    assert found["m4l"] == pytest.approx(125.0)
    assert (found["z1"]["mass"], found["z2"]["mass"]) == (pytest.approx(90.0), pytest.approx(35.0))
    assert found["flavour"] == FLAVOURS["4mu"]


def test_z1_is_the_one_nearest_to_the_nominal_mass_also_above_it():
    event = jagged(back_to_back(60.0)), jagged(back_to_back(100.0), name="Electron")
    assert four_leptons(*event)[0]["z1"]["mass"] == pytest.approx(100.0)
    assert four_leptons(*event, z=ZCuts(nominal=70.0))[0]["z1"]["mass"] == pytest.approx(60.0)


def test_flavours_are_told_apart_and_asked_for():
    mixed = [back_to_back(90.0)], [back_to_back(35.0, phi=1.3)]
    muons, electrons = jagged(*mixed[0]), jagged(*mixed[1], name="Electron")
    found = four_leptons(muons, electrons)[0]
    assert (found["flavour"], found["z1"]["flavour"], found["z2"]["flavour"]) == (FLAVOURS["2e2mu"], 13, 11)
    assert found["leptons"]["flavour"].to_list() == [13, 13, 11, 11]
    assert four_leptons(muons, electrons, cuts=FourLeptonCuts(flavours=("4mu", "4e")))[0] is None
    four = jagged(loops.by_pt(mixed[0][0] + mixed[1][0]), name="Electron")
    assert four_leptons(jagged([]), four)[0]["flavour"] == FLAVOURS["4e"]
    assert four_leptons(jagged([]), four, cuts=FourLeptonCuts(flavours=("4mu", "2e2mu")))[0] is None


def test_an_electron_and_a_muon_are_no_boson():
    pair = back_to_back(90.0)
    assert four_leptons(jagged(pair[:1], name="Muon"), jagged(pair[1:], name="Electron"))[0] is None
    three_and_one = jagged([*pair, muon(20.0, phi=1.0)]), jagged([muon(20.0, phi=-2.0, charge=-1)], name="Electron")
    assert four_leptons(*three_and_one)[0] is None


def test_a_pair_at_the_z_mass_does_not_spoil_an_event_that_can_be_paired_otherwise():
    """Taking the nearest pair first would leave two leptons of 8 GeV together, below the range."""
    event = [
        *(muon(45.6, 0.0, 0.0, 1), muon(45.6, 0.0, 3.1, -1)),
        *(muon(12.0, 0.0, 1.2, 1), muon(11.0, 0.0, 1.9, -1)),
    ]
    greedy = loops.mass(event[:2]), loops.mass(event[2:])
    assert 90 < greedy[0] < 92
    assert greedy[1] < 12
    found = four_leptons(jagged(event))[0]
    assert found["z1"]["mass"] == pytest.approx(
        min(loops.mass(event[::3]), loops.mass(event[1:3]), key=lambda m: abs(m - Z_MASS))
    )
    assert found["z1"]["mass"] != pytest.approx(greedy[0])


def test_min_mass_of_four():
    event = jagged(loops.by_pt(back_to_back(40.0) + back_to_back(29.0, phi=1.3)))
    assert four_leptons(event)[0]["m4l"] == pytest.approx(69.0)
    assert four_leptons(event, cuts=FourLeptonCuts())[0] is None
    assert four_leptons(event, cuts=FourLeptonCuts(min_mass=68.9))[0] is not None


def test_too_many_leptons_are_refused():
    crowd = [muon(10.0 + i, charge=(-1) ** i, phi=i / 10) for i in range(fourleptons.MOST + 1)]
    with pytest.raises(DataError, match="41 selected leptons"):
        four_leptons(jagged(loops.by_pt(crowd)))
    assert four_leptons(jagged(loops.by_pt(crowd[:-1])), z=WIDE)[0] is not None


def test_blocks_of_events_change_nothing(monkeypatch):
    rng = np.random.default_rng(8)
    events = [
        [muon(rng.uniform(5, 80), rng.uniform(-2, 2), rng.uniform(-3, 3), rng.choice([-1, 1])) for _ in range(count)]
        for count in rng.integers(3, 8, 200)
    ]
    muons = jagged(*(loops.by_pt(event) for event in events))
    whole = four_leptons(muons).to_list()
    monkeypatch.setattr(fourleptons, "BLOCK", 20)
    assert four_leptons(muons).to_list() == whole
    assert sum(found is not None for found in whole) > 50


def check_against_loops(events):
    """Every four-lepton candidate of random events is the one that trying everything finds."""
    analysis = load_analysis("four-lepton")
    muons, electrons = good_muons(nano(events), analysis.muons), good_electrons(nano(events), analysis.electrons)
    found = four_leptons(muons, electrons, analysis.z).to_list()
    for candidate, mus, els in zip(found, muons.to_list(), electrons.to_list(), strict=True):
        leptons = [{**one, "flavour": 13} for one in mus] + [{**one, "flavour": 11} for one in els]
        best = loops.best_four(leptons, analysis)
        assert (candidate is None) == (best is None)
        if best is None:
            continue
        _, one, other, name = best
        z1, z2 = ([leptons[i] for i in pair] for pair in (one, other))
        assert candidate["flavour"] == FLAVOURS[name]
        assert candidate["z1"]["mass"] == pytest.approx(loops.mass(z1), rel=1e-9)
        assert candidate["z2"]["mass"] == pytest.approx(loops.mass(z2), rel=1e-9)
        assert candidate["m4l"] == pytest.approx(loops.mass(z1 + z2), rel=1e-9)
        assert candidate["pt4l"] == pytest.approx(loops.pt(z1 + z2), abs=1e-6)
        assert [lepton["pt"] for lepton in candidate["leptons"]] == [one["pt"] for one in loops.by_pt(z1 + z2)]
    return sum(candidate is not None for candidate in found)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_candidates_of_random_events_are_those_of_the_loops(events):
    check_against_loops(events)


def many_events(n=400, seed=5):
    """Events with up to six muons and four electrons, enough of them with candidates of each flavour."""
    rng = np.random.default_rng(seed)

    def some(count):
        return [
            muon(rng.uniform(8, 80), rng.uniform(-2.3, 2.3), rng.uniform(-3.1, 3.1), int(rng.choice([-1, 1])))
            for _ in range(count)
        ]

    return [{"Muon": some(rng.integers(0, 7)), "Electron": some(rng.integers(0, 5))} for _ in range(n)]


def test_candidates_of_many_events_are_those_of_the_loops():
    assert check_against_loops(many_events()) > 100


def picked(events, which="four"):
    """Candidates of the events with all cuts open, as plain lists."""
    muons, electrons = good_muons(nano(events), ANY), good_electrons(nano(events), ANY_ELECTRON)
    if which == "two":
        return dimuon(muons)
    return four_leptons(muons, electrons, ZCuts())


def assert_same_masses(one, other, rel=2e-6, scale=1.0):
    """Candidate by candidate; NanoAOD's single precision is what the tolerance allows for."""
    assert ak.is_none(one["m4l"]).to_list() == ak.is_none(other["m4l"]).to_list()
    one, other = ak.drop_none(one), ak.drop_none(other)
    for path in (("m4l",), ("z1", "mass"), ("z2", "mass"), ("z1", "pt"), ("pt4l",)):
        np.testing.assert_allclose(
            ak.to_numpy(other[path]), scale * ak.to_numpy(one[path]), rtol=rel, atol=2e-4 * scale
        )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, st.randoms(use_true_random=False))
def test_order_of_the_leptons_does_not_matter(events, random):
    mixed = [{name: random.sample(objects, len(objects)) for name, objects in event.items()} for event in events]
    assert_same_masses(picked(events), picked(mixed), rel=1e-12)
    assert picked(events, "two")["mass"].to_list() == picked(mixed, "two")["mass"].to_list()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_flipping_all_charges_changes_nothing(events):
    flipped = [
        {
            name: [{**one, "charge": -one["charge"]} if "charge" in one else one for one in objects]
            for name, objects in event.items()
        }
        for event in events
    ]
    assert_same_masses(picked(events), picked(flipped), rel=0)
    assert picked(events, "two")["mass"].to_list() == picked(flipped, "two")["mass"].to_list()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_four_different_leptons_whose_nearest_pair_is_z1(events):
    for candidate in picked(events).to_list():
        if candidate is None:
            continue
        leptons = candidate["leptons"]
        assert len({(one["flavour"], one["pt"]) for one in leptons}) == 4
        assert sum(one["charge"] for one in leptons) == 0
        assert abs(candidate["z1"]["mass"] - Z_MASS) <= abs(candidate["z2"]["mass"] - Z_MASS)
        # The two pairs are made of these four, so that no other way to pair them has a nearer Z1.
        ways = loops.best_four(leptons, load_analysis("four-lepton"))
        assert candidate["z1"]["mass"] == pytest.approx(loops.mass([leptons[i] for i in ways[1]]), rel=1e-9)


def clear(events, margin=1e-3):
    """Events where single precision cannot change the choice: no pair's mass or distance is at an edge."""
    kept = []
    for event in events:
        pairs = [
            pair
            for name, flavour in (("Muon", 13), ("Electron", 11))
            for pair in loops.z_pairs([{"mass": MUON_MASS, **one, "flavour": flavour} for one in event[name]], WIDE)
        ]
        masses = sorted(pair[1] for pair in pairs)
        distances = sorted(abs(mass - Z_MASS) for mass in masses)
        near_edge = any(abs(mass - edge) < margin * edge for mass in masses for edge in (12.0, 120.0))
        if not near_edge and all(b - a > margin for a, b in pairwise(distances)):
            kept.append(event)
    return kept


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, st.floats(-math.pi, math.pi))
def test_turning_the_event_about_the_beam_changes_no_mass(events, angle):
    events = clear(events)
    assert_same_masses(picked(events), picked([rotated(event, angle) for event in events]), rel=1e-5)


@pytest.mark.parametrize("factor", [0.5, 2.0, 1.7])
def test_scaling_all_momenta_and_cuts_scales_all_masses(factor):
    events = clear(many_events())
    scaled = [
        {
            name: [{**one, "pt": one["pt"] * factor, "mass": one["mass"] * factor} for one in objects]
            for name, objects in event.items()
        }
        for event in events
    ]
    z = ZCuts(mass=(12.0 * factor, 120.0 * factor), nominal=Z_MASS * factor)
    before = picked(events)
    muons, electrons = good_muons(nano(scaled), ANY), good_electrons(nano(scaled), ANY_ELECTRON)
    assert_same_masses(before, four_leptons(muons, electrons, z), rel=1e-5, scale=factor)
    assert ak.sum(~ak.is_none(before)) > 100


@settings(max_examples=25, deadline=None)
@given(MUONS)
def test_leptons_together_are_all_there_by_falling_pt(muons):
    events = nano([{"Muon": muons, "Electron": muons[::2]}])
    both = leptons_together(good_muons(events, ANY), good_electrons(events, ANY_ELECTRON))[0].to_list()
    assert len(both) == len(muons) + len(muons[::2])
    assert [one["pt"] for one in both] == sorted((one["pt"] for one in both), reverse=True)
    assert sum(one["flavour"] == 11 for one in both) == len(muons[::2])


# Two jets


def fat_jet(pt, eta=0.0, phi=0.0, mass=0.0):
    return {"pt": pt, "eta": eta, "phi": phi, "mass": mass}


def test_dijet_mass_counts_the_masses_of_the_jets():
    jets = [fat_jet(300.0, mass=400.0), fat_jet(300.0, phi=math.pi, mass=400.0)]
    pair = dijet(jagged(jets, name="FatJet"))[0]
    assert pair["mjj"] == pytest.approx(1000.0)  # Two of 500 GeV at rest together: 3-4-5 triangles.
    massless = dijet(jagged([{**jet, "mass": 0.0} for jet in jets], name="FatJet"))[0]
    assert massless["mjj"] == pytest.approx(600.0)


def test_dijet_cuts_and_leading_jets():
    jets = [fat_jet(500.0, 1.0), fat_jet(400.0, -0.2, 3.0), fat_jet(300.0, 0.0, 1.0)]
    events = jagged(jets, jets[:1], name="FatJet")
    assert dijet(events)["delta_eta"].to_list() == [pytest.approx(1.2), None]
    assert dijet(events, DijetCuts(delta_eta=1.1))["mjj"].to_list() == [None, None]
    mass = dijet(events)["mjj"][0]
    assert mass == pytest.approx(loops.mass(jets[:2]), rel=1e-9)
    assert dijet(events, DijetCuts(min_mass=mass + 1))["mjj"].to_list() == [None, None]
    assert dijet(events, DijetCuts(delta_eta=1.3, min_mass=mass - 1))["mjj"].to_list() == [mass, None]


# Momenta


def test_a_nan_stays_a_nan_and_fails_every_cut():
    muons = jagged([muon(40.0, phi=math.nan), muon(30.0, phi=3.0, charge=-1)])
    assert math.isnan(dimuon(muons)["mass"][0])
    assert dimuon(muons, DimuonCuts())["mass"].to_list() == [None]
    assert dijet(muons, DijetCuts(min_mass=0.0))["mjj"].to_list() == [None]


def test_momenta_add_up():
    rng = np.random.default_rng(2)
    given_momenta = [rng.uniform(low, high, 50) for low, high in ((1, 100), (-3, 3), (-3, 3), (0, 20))]
    p4 = momenta.momenta(*given_momenta)
    particles = [
        dict(zip(("pt", "eta", "phi", "mass"), values, strict=True)) for values in zip(*given_momenta, strict=True)
    ]
    chosen = rng.integers(0, 50, (3, 40))
    total = p4.total(*chosen)
    for i, indices in enumerate(chosen.T):
        expected = [particles[k] for k in indices]
        assert momenta.mass_of(total)[i] == pytest.approx(loops.mass(expected), rel=1e-9, abs=1e-4)
        assert momenta.transverse(total)[i] == pytest.approx(loops.pt(expected), rel=1e-9, abs=1e-9)


# Faults that these tests must catch


FAULTS = {
    "candidates share a lepton": (fourleptons._ways, "for k in (0, 1) for m in (0, 1)", "for k in (0,) for m in (0,)"),
    "charges are not looked at": (fourleptons._choose, "(q1 == -q2) & ", ""),
    "flavours are not looked at": (fourleptons._choose, "(f1 == f2) & ", ""),
    "upper end of the Z range forgotten": (fourleptons._choose, " & (mass < z.mass[1])", ""),
    "Z1 is the farther one": (fourleptons._nearest, "swap = distance[b, event] < ", "swap = distance[b, event] > "),
    "Z1 is any one": (fourleptons._nearest, "np.where(near == best, far, np.inf)", "far"),
    "Z2 is any one": (fourleptons._nearest, "np.where(near == best, far, np.inf)", "near"),
    "flavour code of Z1 only": (fourleptons._code, " + (second == ELECTRON)", ""),
    "four leptons not by pT": (fourleptons.four_leptons, "np.argsort(-pt,", "np.argsort(pt,"),
    "electrons behind the wrong event": (
        fourleptons._merged,
        'np.argsort(event, kind="stable")',
        "np.arange(len(event))",
    ),
    "masses forgotten": (momenta.momenta, " + mass**2", ""),
    "sinh became sin": (momenta.momenta, "np.sinh", "np.sin"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(monkeypatch, fault):
    plant(monkeypatch, *FAULTS[fault])
    with pytest.raises(AssertionError):
        check_all()


def check_all():
    check_against_loops(many_events())
    test_masses_of_the_muons_count_near_threshold()


def test_planting_no_fault_changes_nothing(monkeypatch):
    """The checks fail because of the fault, and not because a function was replaced."""
    for function, right, _ in FAULTS.values():
        with monkeypatch.context() as patch:
            plant(patch, function, right, right)
            check_against_loops(many_events(60))

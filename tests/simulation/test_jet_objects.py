"""Simulated AK8 and AK4 jets: fractions, identification and areas against counting by hand; same events, same bytes."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from cmslabs.features.clustering import cluster_jets
from cmslabs.features.dijet61 import dijet_observables
from cmslabs.features.observables import CATALOGUE
from cmslabs.simulation.detector import Observed
from cmslabs.simulation.jet_objects import (
    COLLECTIONS,
    GHOST_AREA,
    jet_areas,
    numbered_objects,
    object_events,
    object_units,
)
from cmslabs.simulation.tracker import CHARGED_HADRON, ELECTRON, MUON, NEUTRAL_HADRON, PHOTON

KINDS = {"chHEF": CHARGED_HADRON, "neHEF": NEUTRAL_HADRON, "chEmEF": ELECTRON, "neEmEF": PHOTON, "muEF": MUON}


def observed(events: list[list[tuple]]) -> Observed:
    """What the detector saw: lists of (pt, eta, phi, kind)."""
    records = [[dict(zip(("pt", "eta", "phi", "kind"), one, strict=True)) for one in event] for event in events]
    n = len(events)
    return Observed(ak.Array(records), np.full(n, 30.0), np.full(n, 0.5), np.full(n, 2000.0))


def spray(rng, n: int, eta: float, phi: float, scale: float) -> list[tuple]:
    kinds = rng.choice(list(KINDS.values()), n, p=[0.5, 0.15, 0.05, 0.25, 0.05])
    pt = rng.exponential(scale, n) + 1
    directions = np.stack([rng.normal(eta, 0.15, n), rng.normal(phi, 0.15, n)], axis=1)
    return [(float(p), float(e), float(f), int(k)) for p, (e, f), k in zip(pt, directions, kinds, strict=True)]


@pytest.fixture(scope="module")
def seen() -> Observed:
    rng = np.random.default_rng(5)
    places = [
        ((0.3, 0.2), (-0.5, -2.9)),
        ((1.2, 2.0), (0.9, -1.2)),
        ((-2.3, 1.0), (0.0, -2.1)),
        ((0.0, 0.0), (0.9, 0.5)),
    ]
    return observed([spray(rng, 60, *one, 25.0) + spray(rng, 40, *two, 25.0) for one, two in places])


@pytest.fixture(scope="module")
def events(seen) -> ak.Array:
    return object_events(seen, np.random.default_rng(1))


def test_layout(events):
    assert events.fields == list(COLLECTIONS)
    assert ak.all(ak.num(events.FatJet) >= 1)
    for jets in (events.FatJet, events.Jet):
        assert ak.all(np.abs(jets.eta) < 2.5)
        assert ak.all(jets.pt[:, :-1] >= jets.pt[:, 1:])
    numbered = numbered_objects(events, 100, 1)
    assert numbered.event.to_list() == [100, 101, 102, 103]
    assert numbered.label.to_list() == [1] * 4
    names = {f"{c}.{f}" for c in COLLECTIONS for f in events[c].fields} | {"run", "luminosityBlock", "event", "label"}
    assert set(object_units()) - {f"FatJet.constituents.{f}" for f in ("pt", "eta", "phi")} == names - {
        "FatJet.constituents"
    }


@pytest.mark.parametrize(("collection", "radius", "least"), [("FatJet", 0.8, 170.0), ("Jet", 0.4, 15.0)])
def test_fractions_are_energies_of_the_kinds(seen, events, collection, radius, least):
    """The particles of each jet are found again by their momenta, and their energies summed by kind."""
    checked = 0
    jets = cluster_jets(seen.particles[["pt", "eta", "phi"]], radius, least)
    for place in range(len(events)):
        inside = jets[place][np.abs(jets[place].eta) < 2.5]
        kinds = {(p.pt, p.eta, p.phi): p.kind for p in seen.particles[place]}
        assert len(inside) == len(events[collection][place])
        for jet, found in zip(inside, events[collection][place], strict=True):
            energy = dict.fromkeys(KINDS.values(), 0.0)
            for p in jet.constituents:
                energy[kinds[p.pt, p.eta, p.phi]] += p.pt * np.cosh(p.eta)
            for name, kind in KINDS.items():
                assert found[name] == pytest.approx(energy[kind] / sum(energy.values()), abs=1e-6)
            assert sum(found[name] for name in KINDS) == pytest.approx(1.0, abs=1e-6)
            assert found.nConstituents == len(jet.constituents)
            assert found.pt == pytest.approx(jet.pt, rel=1e-6)
            checked += 1
    assert checked >= 7


ONE = (400.0, 0.5, 1.0, CHARGED_HADRON)
JETS = {
    "good": ([ONE, (300.0, 0.5, 1.1, PHOTON)], 6),
    "one particle": ([ONE], 0),
    "photons": ([(900.0, 0.5, 1.0, PHOTON), (20.0, 0.6, 1.1, CHARGED_HADRON)], 0),
    "no charged hadron": ([(300.0, 0.5, 1.0, PHOTON), (300.0, 0.5, 1.1, NEUTRAL_HADRON)], 0),
    "neutral hadrons": ([(900.0, 0.5, 1.0, NEUTRAL_HADRON), (20.0, 0.6, 1.1, CHARGED_HADRON)], 0),
    "a muon": ([(900.0, 0.5, 1.0, MUON), (60.0, 0.6, 1.1, CHARGED_HADRON)], 2),
    "an electron": ([(900.0, 0.5, 1.0, ELECTRON), (60.0, 0.6, 1.1, CHARGED_HADRON)], 2),
}


@pytest.mark.parametrize("name", JETS)
def test_identification(name):
    particles, bits = JETS[name]
    events = object_events(observed([particles]), np.random.default_rng(1))
    assert events.FatJet.jetId.to_list() == [[bits]]


def test_nothing_in_an_event_is_no_error():
    events = object_events(observed([[(300.0, 0.0, 0.0, PHOTON)], [(5.0, 0.0, 0.0, PHOTON)]]), np.random.default_rng(1))
    assert ak.num(events.FatJet).to_list() == [1, 0]
    assert ak.num(events.FatJet.area).to_list() == [1, 0]
    assert len(dijet_observables(events)) == 0


def brute_area(axes: list[tuple[float, float, float]], radius: float, step: float = 0.01) -> list[float]:
    """Area of jets of one particle each, (pt, y, phi): a ghost joins the one that is nearest in units of its pT."""
    grid = np.arange(-3, 3, step) + step / 2
    y, phi = np.meshgrid(grid, grid)
    distance = np.array([np.hypot(y - one[1], phi - one[2]) for one in axes])
    inside = distance < radius
    owner = np.where(inside, distance / np.array([one[0] for one in axes])[:, None, None], np.inf).argmin(axis=0)
    return [float((inside[k] & (owner == k)).sum() * step**2) for k in range(len(axes))]


@pytest.mark.parametrize(
    "axes",
    [[(500.0, 0.1, 0.4)], [(500.0, 0.1, 0.4), (200.0, 0.7, 1.2)], [(300.0, 0.0, 0.0), (299.0, 0.9, 0.0)]],
    ids=["alone", "unequal", "equal"],
)
def test_areas_of_single_particles(axes):
    """Ghosts are counted: the error is that of the counting along the border, some 2 % of 200 ghosts."""
    particles = ak.zip({name: [[one[k] for one in axes]] for k, name in enumerate(("pt", "eta", "phi"))})
    jets = cluster_jets(particles, 0.8, 20.0)
    found = [jet_areas(particles, jets, 0.8, np.random.default_rng(seed))[0].to_list() for seed in range(10)]
    expected = brute_area(axes, 0.8)
    np.testing.assert_allclose(np.mean(found, axis=0), expected, rtol=0.01)
    assert np.max(np.abs(np.array(found) / expected - 1)) < 0.08
    assert np.allclose(np.array(found) / GHOST_AREA, np.round(np.array(found) / GHOST_AREA))
    assert expected[0] == pytest.approx(np.pi * 0.64, rel=0.01) or len(axes) > 1


def test_areas_do_not_care_where_azimuth_jumps():
    for phi in (np.pi - 0.01, -np.pi + 0.01, 0.0):
        particles = ak.zip({"pt": [[500.0]], "eta": [[0.3]], "phi": [[phi]]})
        area = jet_areas(particles, cluster_jets(particles, 0.8, 20.0), 0.8, np.random.default_rng(2))
        assert area[0, 0] == pytest.approx(np.pi * 0.64, rel=0.05)


def test_carried_fields_belong_to_their_particles(seen):
    jets = cluster_jets(seen.particles, 0.8, 170.0, carry=["kind"])
    plain = cluster_jets(seen.particles, 0.8, 170.0)
    assert ak.array_equal(jets.constituents[["pt", "eta", "phi"]], plain.constituents, check_parameters=False)
    kinds = {(p.pt, p.eta, p.phi): p.kind for event in seen.particles for p in event}
    for p in ak.flatten(ak.flatten(jets.constituents, axis=2)):
        assert p.kind == kinds[p.pt, p.eta, p.phi]


@pytest.mark.slow
def test_the_events_are_those_without_objects(generated):
    """Objects have their own randomness: trigger, features and missing momentum stay the same to the last bit."""
    plain, _ = generated("wprime-2prong", 15)
    more, _ = generated("wprime-2prong", 15, content=("objects",))
    assert ak.array_equal(plain.table, more.table)
    np.testing.assert_array_equal(ak.to_numpy(more.MET.pt), ak.to_numpy(plain.table.met).astype("f4"))
    table = dijet_observables(more)
    assert len(table) >= 13
    for name in CATALOGUE:
        assert table[name].between(CATALOGUE[name].low, CATALOGUE[name].high).all(), name
    assert table["mjj"].median() == pytest.approx(np.median(plain.table.mjj), rel=0.05)
    assert table["n_pv"].between(1, 60).all()

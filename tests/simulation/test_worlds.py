"""The two worlds: identification by eta, the momentum scale, prefiring, and what is recorded."""

from __future__ import annotations

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest

from cmslabs.errors import SimulationError
from cmslabs.jobs import Chunk
from cmslabs.simulation.chunkfile import unpack
from cmslabs.simulation.nano import nano_events
from cmslabs.simulation.processes import get_process
from cmslabs.simulation.production import Recipe, generate_chunk
from cmslabs.simulation.worlds import PSEUDO_DATA, SIMULATION, WORLDS, get_world

RNG = np.random.default_rng
TWO_MUONS = {"leptons": 2, "muons": 2, "muon_pt": 3.0, "electron_pt": 5.0}


@pytest.fixture
def fire(gun, species):
    """``fire(event, n, world) -> events`` kept of `n` times the same particles."""

    def run(event, n, world, seed=1):
        return nano_events(gun([event] * n), species, TWO_MUONS, RNG(seed), world)[0]

    return run


def pair(pt=40.0, eta=0.3):
    return [(13, pt, eta, 0.4), (-13, pt, eta, 0.4 - np.pi)]


@pytest.mark.parametrize("name", WORLDS)
def test_the_pileup_profile_is_that_of_the_draws(name):
    world = get_world(name)
    profile = world.pileup_profile()
    drawn = world.draw_pileup(200_000, RNG(3))
    assert drawn.min() >= 1
    counts = np.bincount(drawn.astype(int), minlength=len(profile))
    expected = profile * counts.sum()
    common = expected > 20
    pull = (counts[common] - expected[common]) / np.sqrt(expected[common])
    assert profile.sum() == pytest.approx(1, abs=1e-9)
    assert np.abs(pull).max() < 4.5
    assert np.mean(pull**2) < 1.7


def test_pileup_near_zero_is_piled_up_at_one():
    low = replace(SIMULATION, pileup=(1.0, 2.0))
    drawn = low.draw_pileup(100_000, RNG(1))
    assert np.mean(drawn == 1) == pytest.approx(low.pileup_profile()[1], abs=0.006)
    assert low.pileup_profile()[0] == 0


def test_the_worlds_differ_where_they_should():
    assert SIMULATION.muon_scale == 1.0
    assert set(SIMULATION.medium_id_efficiency(np.linspace(-2.4, 2.4, 50))) == {0.98}
    assert not SIMULATION.loses_prefired
    assert not SIMULATION.recorded
    assert PSEUDO_DATA.pileup[0] > SIMULATION.pileup[0]
    # Reweighting works only where the simulation has events: the weights stay below four.
    simulated, real = SIMULATION.pileup_profile(60), PSEUDO_DATA.pileup_profile(60)
    assert (real[1:] / simulated[1:]).max() < 4


def test_an_unknown_world_is_refused():
    with pytest.raises(SimulationError, match=r"no world 'mirror'.*simulation, pseudo-data"):
        get_world("mirror")


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("eta", [0.4, -1.0, 1.7, -2.3])
def test_identification_follows_the_world(fire, name, eta):
    world = replace(get_world(name), recorded=(), loses_prefired=False)
    muon = ak.flatten(fire(pair(eta=eta), 3000, world).Muon)
    n, share = len(muon), float(world.medium_id_efficiency(np.array([eta]))[0])
    assert n > 4000
    assert abs(ak.mean(muon.mediumId) - share) < 4 * np.sqrt(share * (1 - share) / n)
    assert ak.mean(muon.looseId) > 0.99
    assert ak.all(muon.mediumId | ~muon.tightId)


def test_a_wrong_efficiency_would_be_seen(fire):
    """The same comparison fails if muons of the pseudo-data were identified as those of the simulation."""
    world = replace(PSEUDO_DATA, medium_id=SIMULATION.medium_id, recorded=(), loses_prefired=False)
    muon = ak.flatten(fire(pair(eta=2.3), 3000, world).Muon)
    share = float(PSEUDO_DATA.medium_id_efficiency(np.array([2.3]))[0])
    assert abs(ak.mean(muon.mediumId) - share) > 4 * np.sqrt(share * (1 - share) / len(muon))


@pytest.mark.slow
def test_the_scale_moves_every_muon_and_nothing_else(monkeypatch):
    """The same seed in both: every muon's pT is 1.002 times as large; what is far from muons is the same."""
    made = {}
    for scale in (1.0, 1.002):
        monkeypatch.setitem(WORLDS, "scaled", replace(SIMULATION, name="scaled", muon_scale=scale))
        recipe = Recipe(get_process("drell-yan"), variant="z-peak", world="scaled")
        made[scale] = unpack(generate_chunk(recipe, Chunk(0, 0, 60, 5)))[0]
    plain, scaled = made[1.0], made[1.002]
    muons = [ak.flatten(events.Muon[:, :2]) for events in (plain, scaled)]
    np.testing.assert_allclose(muons[1].pt / muons[0].pt, 1.002, rtol=1e-5)
    for name in ("eta", "phi", "charge", "mediumId"):
        np.testing.assert_array_equal(muons[1][name], muons[0][name])
    # Missing momentum moves by as much as the muons did; those below 3 GeV are not in the list.
    visible = [[-events.MET_pt * f(events.MET_phi) for f in (np.cos, np.sin)] for events in (plain, scaled)]
    change = [ak.sum(events.Muon.pt * np.cos(events.Muon.phi), axis=1) for events in (plain, scaled)]
    np.testing.assert_allclose(visible[1][0] - visible[0][0], change[1] - change[0], atol=0.02)
    far = [_far_from_muons(events) for events in (plain, scaled)]
    assert len(far[0]) > 20
    # A muon below 3 GeV may be inside.
    np.testing.assert_allclose(*far, rtol=2e-4)


def _far_from_muons(events):
    jet, muon = ak.unzip(ak.cartesian([events.Jet[["pt", "eta", "phi"]], events.Muon[["eta", "phi"]]], nested=True))
    dphi = (jet.phi - muon.phi + np.pi) % (2 * np.pi) - np.pi
    return ak.flatten(events.Jet.pt[ak.all((jet.eta - muon.eta) ** 2 + dphi**2 > 0.8**2, axis=-1)])


def forward_jet(pt):
    """Two hadrons near each other at eta = 2.25."""
    return [(211, pt / 2, 2.25, 1.6), (-211, pt / 2, 2.25, 1.65)]


def test_prefiring_weights_are_products_over_jets(fire):
    events = fire([*pair(), *forward_jet(60.0), (211, 90.0, -2.2, -2.0), (-211, 90.0, -2.2, -2.05)], 60, SIMULATION)
    assert ak.max(ak.num(events.Jet)) >= 4  # the muons are jets, too, but do not count
    for name, factor in (("Nom", 1.0), ("Up", 1.2), ("Dn", 0.8)):
        slow = []
        for jets in events.Jet.to_list():
            weight = 1.0
            for jet in jets:
                if jet["jetId"] & 4 and 2.0 < abs(jet["eta"]) < 2.5:
                    weight *= 1.0 - factor * 0.05 * min(max((jet["pt"] - 20.0) / 80.0, 0.0), 1.0)
            slow.append(weight)
        np.testing.assert_allclose(events[f"L1PreFiringWeight_{name}"], slow, rtol=1e-6)
    assert ak.all(events.L1PreFiringWeight_Up < events.L1PreFiringWeight_Nom)
    assert ak.all(events.L1PreFiringWeight_Nom < events.L1PreFiringWeight_Dn)


def test_a_central_jet_does_not_prefire(fire):
    events = fire([*pair(), (211, 90.0, 1.0, 1.6), (-211, 90.0, 1.0, 1.65)], 40, SIMULATION)
    assert ak.all(events.L1PreFiringWeight_Nom == 1)


def test_pseudo_data_lose_what_the_simulation_weights(fire):
    """With a probability of one half, so that 3000 events can tell; the weights of the simulation predict the loss."""
    strong = replace(PSEUDO_DATA, prefiring=0.5, recorded=())
    event = [*pair(), *forward_jet(200.0)]
    all_events = fire(event, 3000, replace(strong, loses_prefired=False))
    kept = fire(event, 3000, strong)
    expected = float(ak.sum(all_events.L1PreFiringWeight_Nom))
    assert 0.4 * len(all_events) < expected < 0.7 * len(all_events)
    assert abs(len(kept) - expected) < 4 * np.sqrt(expected * (1 - expected / len(all_events)))
    assert len(fire(event, 3000, replace(strong, prefiring=0.0))) == len(all_events)


def test_only_recorded_events_are_kept(fire):
    """The primary data set holds events in which one of its paths fired; two soft muons fire none."""
    kept = fire(pair(), 400, PSEUDO_DATA)
    assert 300 < len(kept) < 400
    fired = np.any([kept[path] for path in PSEUDO_DATA.recorded], axis=0)
    assert fired.all()
    assert len(fire(pair(pt=6.0), 100, PSEUDO_DATA)) == 0
    everything = fire(pair(), 400, replace(PSEUDO_DATA, recorded=()))
    assert len(everything) > len(kept)


def test_pileup_and_prefiring_do_not_touch_momenta(fire):
    """They have a random stream of their own: the other branches are the same without them."""
    event = [*pair(), *forward_jet(80.0)]
    one = fire(event, 50, SIMULATION)
    two = fire(event, 50, replace(SIMULATION, prefiring=0.9))
    for name in ("pt", "phi", "dxy", "mediumId", "pfRelIso04_all"):
        np.testing.assert_array_equal(ak.flatten(one.Muon[name]), ak.flatten(two.Muon[name]))
    np.testing.assert_array_equal(one.HLT_TripleMu_12_10_5, two.HLT_TripleMu_12_10_5)
    assert ak.all(one.L1PreFiringWeight_Nom > two.L1PreFiringWeight_Nom)

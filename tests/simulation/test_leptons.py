"""Leptons, truth and triggers: isolation by brute force, mothers by hand, thresholds by guns."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from cmslabs.simulation.detector import observe
from cmslabs.simulation.leptons import candidates, cone_sums, muons, true_leptons
from cmslabs.simulation.nano import nano_events
from cmslabs.simulation.processes import PROCESSES
from cmslabs.simulation.pythia import Batch, Species, batches, start
from cmslabs.simulation.tracker import MUON
from cmslabs.simulation.trigger import trigger_bits
from cmslabs.simulation.truth import HARD_PROCESS, LAST_COPY, PROMPT, generated_particles

RNG = np.random.default_rng


def random_particles(n_events, rng):
    counts = rng.integers(0, 60, n_events)
    n = counts.sum()
    columns = {
        "pt": rng.exponential(3, n) + 0.1,
        "eta": rng.uniform(-1, 1, n),
        "phi": rng.uniform(-np.pi, np.pi, n),
        "kind": rng.integers(0, 5, n),
        "row": np.arange(n),
    }
    return ak.unflatten(ak.zip(columns), counts)


def test_isolation_against_brute_force():
    particles = random_particles(60, RNG(1))
    found = particles[particles.kind == MUON]
    fast = np.stack(cone_sums(found, particles, 0.4), axis=1)
    slow = []
    for leptons, others in zip(found.to_list(), particles.to_list(), strict=True):
        for lepton in leptons:
            total = {"charged": 0.0, "neutral": 0.0}
            for other in others:
                dphi = abs(lepton["phi"] - other["phi"])
                dphi = min(dphi, 2 * np.pi - dphi)
                close = np.hypot(dphi, lepton["eta"] - other["eta"]) < 0.4
                if close and other["kind"] == 0:
                    total["charged"] += other["pt"]
                if close and other["kind"] in (3, 4) and other["pt"] > 0.5:
                    total["neutral"] += other["pt"]
            slow.append(list(total.values()))
    assert len(slow) > 100
    assert (np.count_nonzero(slow, axis=0) > 50).all()
    np.testing.assert_allclose(fast, slow, rtol=1e-5)


def test_isolation_across_the_seam_in_phi():
    event = [{"pt": 10.0, "eta": 0.0, "phi": 3.1, "kind": MUON}, {"pt": 5.0, "eta": 0.0, "phi": -3.1, "kind": 0}]
    particles = ak.Array([event])
    charged, neutral = cone_sums(particles[particles.kind == MUON], particles, 0.4)
    assert (charged.tolist(), neutral.tolist()) == ([5.0], [0.0])


def test_isolation_is_both_sums_over_pt(gun, species):
    """A muon of 20 GeV, a charged pion of 4 and a photon of 6 GeV beside it, and a photon far away."""
    batch = gun([[(13, 20.0, 0.0, 0.0), (211, 4.0, 0.2, 0.0), (22, 6.0, 0.0, 0.2), (22, 50.0, 0.0, 2.0)]] * 300)
    seen = observe(batch, species, RNG(1))
    found = muons(candidates(seen, MUON, 3.0), seen, batch, RNG(2))
    # A pion leaves a track in 95 % of the events, and what its track does not explain counts as neutral.
    assert ak.mean(found.pfRelIso04_all * found.pt - found.neutral) == pytest.approx(3.8, abs=0.3)
    assert 5.4 < ak.mean(found.neutral) < 7.2


def test_impact_parameters_of_a_displaced_muon(gun, species):
    """A muon along x from y = 2 mm, z = 5 mm: dxy 0.2 cm, dz 0.5 cm."""
    batch = gun([[(13, 50.0, 0.0, 0.0)]] * 400, vertex=(0.0, 2.0, 5.0))
    seen = observe(batch, species, RNG(1))
    found = muons(candidates(seen, MUON, 3.0), seen, batch, RNG(2))
    dxy, dz = (ak.to_numpy(ak.flatten(found[name])) for name in ("dxy", "dz"))
    assert np.median(dxy) == pytest.approx(0.2, abs=0.001)
    assert np.median(dz) == pytest.approx(0.5, abs=0.001)
    assert np.std(dxy) == pytest.approx(0.0015 + 0.006 / 50, rel=0.2)
    assert ak.min(found.sip3d) > 50
    assert not ak.all(found.tightId)


def test_prompt_muons_pass_identification_as_often_as_stated(gun, species):
    batch = gun([[(13, 50.0, 0.0, 0.0)]] * 5000)
    seen = observe(batch, species, RNG(1))
    found = ak.flatten(muons(candidates(seen, MUON, 3.0), seen, batch, RNG(2)))
    for name, share in (("looseId", 0.998), ("mediumId", 0.98), ("tightId", 0.965)):
        assert abs(ak.mean(found[name]) - share) < 4 * np.sqrt(share * (1 - share) / 5000), name
    assert ak.all(found.mediumId | ~found.tightId)
    assert set(found.pdgId.to_list()) == {13}
    assert ak.mean(found.sip3d > 4) < 0.005


def test_no_event_is_lost_by_the_look_at_the_truth(gun):
    """The loose cut before the detector keeps every event that could pass after it."""
    process = PROCESSES["drell-yan"]
    pythia = start(process.lines(), 21)
    batch = next(batches(pythia, 150))
    species = Species(pythia)
    seen = observe(batch, species, RNG(1))
    passed = ak.to_numpy(ak.num(candidates(seen, MUON, 3.0)) >= 2)
    assert passed.sum() > 20
    assert true_leptons(batch, process.selection)[passed].all()


def test_events_keep_their_place_in_the_batch():
    process = PROCESSES["drell-yan"]
    pythia = start(process.lines(), 22)
    batch = next(batches(pythia, 100))
    events, index = nano_events(batch, Species(pythia), process.selection, RNG(1))
    assert 10 < len(events) == len(index)
    assert (np.diff(index) > 0).all()
    for event, place in zip(events, index, strict=True):
        rows = slice(batch.offsets[place], batch.offsets[place + 1])
        true = np.hypot(batch.px[rows], batch.py[rows])[(np.abs(batch.id[rows]) == 13) & (batch.status[rows] > 0)]
        assert min(abs(true - event.Muon.pt[0]) / true) < 0.1


def decay_chain():
    """Proton -> Z (22) -> Z (44, recoil) -> Z (62) -> mu mu, one mu -> mu gamma; and a b hadron -> mu mu."""
    rows = [  # id, status, mother1, pt
        (90, -11, 0, 0.0), (2212, -12, 0, 0.0), (23, -22, 1, 5.0), (23, -44, 2, 5.5), (23, -62, 3, 6.0),
        (13, -23, 4, 40.0), (-13, 1, 4, 39.0), (13, 1, 5, 38.0), (22, 1, 5, 2.5), (511, -83, 1, 20.0),
        (13, 1, 9, 7.0), (-13, 1, 9, 1.0),
    ]  # fmt: skip
    pdg, status, mother, pt = (np.array(column) for column in zip(*rows, strict=True))
    zero = np.zeros(len(rows))
    return Batch(np.array([0, len(rows)]), pdg, status, mother, pt, zero, zero, pt * 1.0, np.zeros((len(rows), 3)))


def test_generated_particles_know_their_mothers():
    particles, place = generated_particles(decay_chain())
    kept = particles[0].to_list()
    assert [(p["pdgId"], p["status"], p["genPartIdxMother"]) for p in kept] == [
        (23, 22, -1), (23, 62, 0), (13, 23, 1), (-13, 1, 1), (13, 1, 2), (13, 1, -1),
    ]  # fmt: skip
    assert place.tolist() == [-1, -1, 0, -1, 1, 2, 3, 4, -1, -1, 5, -1]
    flags = [p["statusFlags"] for p in kept]
    assert [bool(flag & PROMPT) for flag in flags] == [True] * 5 + [False]
    assert [bool(flag & HARD_PROCESS) for flag in flags] == [True, False, True, False, False, False]
    assert [bool(flag & LAST_COPY) for flag in flags] == [False, True, False, True, True, True]


@pytest.mark.parametrize(("mother", "prompt"), [(None, True), (20443, True), (445, True), (511, False)])
def test_quarkonia_are_prompt_unless_a_hadron_made_them(mother, prompt):
    """J/psi from the collision, from chi_c, and from a B hadron: the muons' flags tell the last one."""
    rows = [(90, -11, 0), (2212, -12, 0), (21, -23, 1), (443, -62, 2), (13, 1, 3), (-13, 1, 3)]
    if mother is not None:
        rows = [*rows[:3], (mother, -83, 2), (443, -91, 3), (13, 1, 4), (-13, 1, 4)]
    pdg, status, above = (np.array(column) for column in zip(*rows, strict=True))
    zero, pt = np.zeros(len(rows)), np.full(len(rows), 9.0)
    batch = Batch(np.array([0, len(rows)]), pdg, status, above, pt, zero, zero, pt, np.zeros((len(rows), 3)))
    particles, _ = generated_particles(batch)
    muon = particles[abs(particles.pdgId) == 13]
    assert ak.to_list((muon.statusFlags & PROMPT) == PROMPT) == [[prompt, prompt]]


def test_muons_of_the_z_are_prompt_and_matched(generated):
    events, _ = generated("drell-yan", 60)
    muon = events.Muon[:, :2]
    matched = events.GenPart[muon.genPartIdx]
    assert ak.all(matched.pdgId == muon.pdgId)
    assert ak.mean(abs(matched.pt - muon.pt) / matched.pt) < 0.03
    assert ak.mean(muon.genPartFlav == 1) > 0.95


def lepton_event(*pts, iso=0.0, dz=0.0):
    return [{"pt": float(pt), "pfRelIso04_all": iso, "dz": dz * i} for i, pt in enumerate(pts)]


def bits(muon_events, jets=None, n=1, seed=1):
    muon = ak.Array(muon_events * n)
    jet = ak.Array((jets or [[{"pt": 1.0}] for _ in muon_events]) * n)
    found = trigger_bits(muon, jet[jet.pt > 2], jet[jet.pt > 2], RNG(seed))
    return {name.removeprefix("HLT_"): values.mean() for name, values in found.items()}


@pytest.mark.parametrize(
    ("event", "double", "triple"),
    [
        (lepton_event(25, 12), 0.97**2, 0.0),
        (lepton_event(25, 6), 0.0, 0.0),
        (lepton_event(15, 12), 0.0, 0.0),
        (lepton_event(25, 12, iso=0.6), 0.0, 0.0),
        (lepton_event(25, 13, 7), None, 0.97**3),
        (lepton_event(25, 13, 4), None, 0.0),
    ],
)
def test_muon_thresholds(event, double, triple):
    rates = bits([event], n=4000)
    if double is not None:
        assert rates["Mu17_TrkIsoVVL_Mu8_TrkIsoVVL"] == pytest.approx(double, abs=0.02)
    assert rates["TripleMu_12_10_5"] == pytest.approx(triple, abs=0.02)


def test_the_dz_paths_want_one_vertex():
    rates = bits([lepton_event(30, 20, dz=1.0)], n=2000)
    assert rates["Mu17_TrkIsoVVL_Mu8_TrkIsoVVL"] > 0.9
    assert rates["Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ"] == 0


def test_there_is_a_turn_on():
    """At the threshold half of the muons pass, above the plateau's start all that are seen."""
    rates = [bits([lepton_event(pt, 12)], n=4000)["Mu17_TrkIsoVVL_Mu8_TrkIsoVVL"] for pt in (16.0, 17.0, 20.0)]
    assert rates[0] < 0.05 < rates[1] < 0.6 < rates[2]
    assert rates[1] == pytest.approx(0.5 * 0.97**2, abs=0.03)


def test_hadronic_triggers():
    jets = [[{"pt": 600.0}, {"pt": 500.0}, {"pt": 20.0}], [{"pt": 100.0}]]
    muon = [lepton_event(5, 4), lepton_event(5, 4)]
    rates = bits(muon, jets, n=500)
    assert rates["PFHT900"] == pytest.approx(0.5, abs=0.03)
    assert rates["PFJet450"] == pytest.approx(0.5, abs=0.03)
    assert bits(muon[:1], jets[1:], n=500)["AK8PFJet450"] == 0

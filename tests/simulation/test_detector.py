"""The detector against slow, obvious oracles and particle guns."""

from __future__ import annotations

from collections import defaultdict

import awkward as ak
import numpy as np
import pytest

from cmslabs.simulation.calorimeter import ECAL, FORWARD, HCAL, Calorimeter, measure, smear
from cmslabs.simulation.detector import MAX_PARTICLES, observe
from cmslabs.simulation.tracker import CHARGED_HADRON, ELECTRON, MUON, NEUTRAL_HADRON, PHOTON, Tracks, find_tracks

RNG = np.random.default_rng


def perfect(**changes):
    """A calorimeter without smearing and thresholds."""
    shape = {"eta_step": 0.1, "n_phi": 64, "eta_min": 0.0, "eta_max": 2.5}
    resolution = {"stochastic": 0.0, "noise": 1e-9, "constant": 0.0, "threshold": 0.0, "significance": 0.0}
    return Calorimeter(**(shape | resolution | changes))


def many(n, seed):
    rng = RNG(seed)
    return (
        rng.integers(0, 20, n),
        rng.exponential(10, n) + 0.1,
        rng.uniform(-2.4, 2.4, n),
        rng.uniform(-np.pi, np.pi, n),
    )


def test_cells_sum_energies_like_a_dictionary_does():
    calorimeter = perfect()
    event, energy, eta, phi = many(2000, 1)
    found = measure(calorimeter, event, energy, eta, phi, RNG(2))
    oracle = defaultdict(float)
    for i in range(len(event)):
        cell = (int(event[i]), int(np.floor(eta[i] / 0.1)), int((phi[i] + np.pi) / (2 * np.pi / 64)))
        oracle[cell] += energy[i]
    assert len(found.pt) == len(oracle)
    np.testing.assert_allclose(sorted(found.pt * np.cosh(found.eta)), sorted(oracle.values()), rtol=1e-6)


def test_a_cluster_lies_in_the_cell_of_its_particle():
    calorimeter = perfect()
    event, energy, eta, phi = many(500, 3)
    found = measure(calorimeter, event, energy, eta, phi, RNG(2))
    cells = set(calorimeter.cell(event, eta, phi).tolist())
    assert set(calorimeter.cell(found.event, found.eta, found.phi).tolist()) == cells


@pytest.mark.parametrize("calorimeter", [ECAL, HCAL, FORWARD])
def test_cells_at_the_seams_keep_their_energy(calorimeter):
    edge = np.nextafter(calorimeter.eta_max, 0)
    eta = np.array([edge, -edge, calorimeter.eta_min + 1e-9, -calorimeter.eta_min - 1e-9] * 2)
    phi = np.array([np.pi] * 4 + [-np.pi] * 4)
    found = measure(calorimeter, np.arange(8), np.full(8, 500.0), eta, phi, RNG(1))
    assert sorted(found.event) == list(range(8))
    assert (np.abs(found.eta) <= calorimeter.eta_max).all()


def test_energy_is_right_on_average_and_as_uncertain_as_the_formula_says():
    n = 20_000
    energy = np.full(n, 100.0)
    found = measure(HCAL, np.arange(n), energy, np.full(n, 0.3), np.full(n, 0.3), RNG(5))
    measured = found.pt * np.cosh(found.eta)
    sigma = np.sqrt(1.5**2 * 100 + 0.05**2 * 100**2)
    assert abs(measured.mean() - 100) < 4 * sigma / np.sqrt(n)
    assert abs(measured.std() - sigma) < 0.03 * sigma


def test_smearing_never_gives_negative_energy():
    assert smear(np.full(1000, 1.0), np.full(1000, 3.0), RNG(1)).min() > 0


def test_noise_below_threshold_is_dropped():
    found = measure(HCAL, np.arange(100), np.full(100, 0.2), np.zeros(100), np.zeros(100), RNG(1))
    assert len(found.pt) < 5


def one_track(pt, resolution=0.01):
    one = np.array([0])
    floats = {"charge": 1.0, "pt": pt, "eta": 0.05, "phi": 0.05, "resolution": resolution}
    return Tracks(one, one, one, **{name: np.array([value]) for name, value in floats.items()})


def test_a_track_takes_its_energy_out_of_its_cell():
    calorimeter = perfect(noise=0.1)
    tracks = one_track(30.0)
    track_energy = 30.0 * np.cosh(0.05)
    args = (np.array([0, 0]), np.array([track_energy, 20.0]), np.array([0.05, 0.06]), np.array([0.05, 0.06]))
    found = measure(perfect(noise=1e-9), *args, RNG(1), tracks, np.array([True]))
    np.testing.assert_allclose(found.pt * np.cosh(found.eta), [20.0], rtol=1e-6)
    assert tracks.pt[0] == 30.0
    assert calorimeter.sigma(np.array([5.0]))[0] == pytest.approx(0.1)


def test_without_excess_track_and_cell_are_averaged():
    calorimeter = perfect(constant=0.1, significance=1.0)
    tracks = one_track(100.0, resolution=0.1)
    energy = np.array([95.0])
    found = measure(
        calorimeter, np.array([0]), energy, np.array([0.05]), np.array([0.05]), RNG(7), tracks, np.array([True])
    )
    assert len(found.pt) == 0
    cell = smear(energy, calorimeter.sigma(energy), RNG(7))[0]
    track = 100.0 * np.cosh(0.05)
    weights = 1 / np.array([track * 0.1, calorimeter.sigma(np.array([cell]))[0]]) ** 2
    expected = np.average([track, cell], weights=weights) / np.cosh(0.05)
    assert tracks.pt[0] == pytest.approx(expected)
    assert min(cell, track) < tracks.pt[0] * np.cosh(0.05) < max(cell, track)


@pytest.mark.parametrize(
    ("pdg", "kind", "pt", "eta", "expected"),
    [
        (211, CHARGED_HADRON, 10, 0.5, 0.95),
        (211, CHARGED_HADRON, 0.5, 2.0, 0.60),
        (13, MUON, 20, 0.5, 0.99),
        (13, MUON, 20, 2.0, 0.98),
        (11, ELECTRON, 20, 0.5, 0.95),
    ],
)
def test_tracks_are_found_as_often_as_the_table_says(gun, pdg, kind, pt, eta, expected):
    n = 20_000
    batch = gun([[(pdg, pt, eta, 0.1)]] * n)
    tracks = find_tracks(batch, batch.final, np.full(n, -1.0), np.full(n, eta), RNG(1))
    assert set(tracks.kind) == {kind}
    assert abs(len(tracks.pt) / n - expected) < 4 * np.sqrt(expected * (1 - expected) / n)
    sigma = np.hypot(*((0.01, 1e-4 * pt) if eta < 1.5 else (0.02, 2.5e-4 * pt)))
    assert abs(np.std(tracks.pt / pt) - sigma) < 0.05 * sigma
    assert abs(np.mean(tracks.pt / pt) - 1) < 5 * sigma / np.sqrt(n)


def test_what_no_tracker_sees_leaves_no_track(gun):
    batch = gun([[(211, 5.0, 2.6, 0.0), (211, 0.05, 0.0, 0.0), (22, 5.0, 0.0, 0.0)]])
    assert len(find_tracks(batch, batch.final, np.array([1.0, 1.0, 0.0]), np.array([2.6, 0.0, 0.0]), RNG(1)).pt) == 0


def test_particles_are_sorted_and_no_more_than_700(gun, species):
    rng = RNG(1)
    crowd = [(211, float(pt), *rng.uniform(-2.4, 2.4, 1), *rng.uniform(-3.1, 3.1, 1)) for pt in rng.uniform(2, 9, 1500)]
    seen = observe(gun([crowd, [(22, 50.0, 0.0, 0.0)], []]), species, rng)
    assert ak.num(seen.particles).tolist() == [MAX_PARTICLES, 1, 0]
    pt = ak.to_numpy(seen.particles.pt[0])
    assert (np.diff(pt) <= 0).all()
    # The 700 hardest are kept: the softest of them is far above the softest of all.
    assert pt[-1] > 4
    # What did not fit in is still part of the sums.
    assert seen.sum_et[0] > 1.5 * pt.sum()


def test_each_particle_is_called_what_it_is(gun, species):
    event = [(211, 50.0, 0.5, 1.0), (11, 50.0, -0.5, 2.0), (13, 50.0, 1.0, -1.0), (22, 50.0, -1.0, -2.0)]
    event += [(130, 50.0, 1.5, 0.0), (12, 50.0, 0.0, 0.0)]
    seen = observe(gun([event] * 200), species, RNG(3)).particles
    expected = {CHARGED_HADRON: 0.5, ELECTRON: -0.5, MUON: 1.0, PHOTON: -1.0, NEUTRAL_HADRON: 1.5}
    for kind, eta in expected.items():
        near = seen[(abs(seen.eta - eta) < 0.1) & (seen.pt > 30)]
        assert np.mean(ak.to_numpy(ak.any(near.kind == kind, axis=1))) > 0.85, kind
    charges = ak.flatten(seen[seen.kind == MUON].charge)
    assert set(charges.to_list()) == {-1}


def test_a_muon_leaves_no_energy_in_the_calorimeters(gun, species):
    for eta in (0.5, 3.0):
        seen = observe(gun([[(13, 100.0, eta, 1.0)]] * 300), species, RNG(5))
        assert set(ak.flatten(seen.particles.kind).to_list()) <= {MUON}
        # Where no track is found the muon is lost altogether: beyond the tracker always.
        assert np.mean(seen.sum_et == 0) == pytest.approx(0.01 if eta < 2.5 else 1.0, abs=0.02)


def test_a_neutrino_is_missing_momentum(gun, species):
    seen = observe(gun([[(12, 300.0, 0.3, 0.5), (22, 300.0, 0.1, 0.5 - np.pi)]] * 300), species, RNG(4))
    assert abs(np.median(seen.met_pt) - 300) < 5
    np.testing.assert_allclose(seen.met_phi, 0.5, atol=0.05)


def test_missing_momentum_is_minus_the_sum_of_what_was_seen(gun, species):
    rng = RNG(6)
    events = [
        [
            (int(pdg), *row)
            for pdg, *row in zip(
                rng.choice([211, 22, 130], 30),
                rng.uniform(5, 90, 30),
                rng.uniform(-2.4, 2.4, 30),
                rng.uniform(-3, 3, 30),
                strict=True,
            )
        ]
        for _ in range(20)
    ]
    seen = observe(gun(events), species, rng)
    for i in range(20):
        px = -sum(p["pt"] * np.cos(p["phi"]) for p in seen.particles[i].to_list())
        py = -sum(p["pt"] * np.sin(p["phi"]) for p in seen.particles[i].to_list())
        assert np.hypot(px, py) == pytest.approx(seen.met_pt[i], rel=1e-4, abs=1e-3)
        assert sum(p["pt"] for p in seen.particles[i].to_list()) == pytest.approx(seen.sum_et[i], rel=1e-5)


def test_the_forward_calorimeter_keeps_missing_momentum_small(gun, species):
    """A jet at eta = 3.5 balances a central one; at eta = 4.9 it is lost."""
    inside, outside = (
        observe(gun([[(22, 200.0, 0.2, 0.0), (22, 200.0, eta, np.pi)]] * 200), species, RNG(4)) for eta in (3.5, 4.9)
    )
    assert np.median(inside.met_pt) < 60
    assert abs(np.median(outside.met_pt) - 200) < 5
    assert ak.num(inside.particles).to_list() == [1] * 200


def test_an_empty_batch_is_no_crash(gun, species):
    seen = observe(gun([[], []]), species, RNG(1))
    assert ak.num(seen.particles).to_list() == [0, 0]
    assert seen.met_pt.tolist() == [0, 0]

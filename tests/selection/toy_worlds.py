"""Z bosons to two muons in any `World`, without a generator: fast enough for many closure tests.

Both worlds start from the same physics.  Pile-up makes the isolation worse; a jet can prefire.
"""

from __future__ import annotations

from dataclasses import replace

import awkward as ak
import numpy as np

from cmslabs.simulation.worlds import PSEUDO_DATA, SIMULATION

#: Prefiring ten times as probable as in the bundled samples, so that its closure means something.
TOY_SIMULATION = replace(SIMULATION, prefiring=0.5)
TOY_DATA = replace(PSEUDO_DATA, prefiring=0.5, muon_scale=1.0, recorded=())
PATH = "Mu17_TrkIsoVVL_Mu8_TrkIsoVVL"


def make_world(world, n, seed):
    """`n` Z bosons with both muons above 10 GeV inside abs(eta) < 2.4, less what this world loses."""
    rng = np.random.default_rng(seed)
    pt, eta, phi = z_muons(n, rng)
    n_true = world.draw_pileup(n, rng)
    around = rng.exponential(1.0, (n, 2)) + np.abs(rng.normal(0, 0.55, (n, 2))) * n_true[:, None] / 4
    muon = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": np.full((n, 2), 0.105658),
        "charge": np.tile([1, -1], (n, 1)),
        "mediumId": rng.random((n, 2)) < world.medium_id_efficiency(eta.ravel()).reshape(n, 2),
        "pfRelIso04_all": around / pt,
    }
    jet_pt, jet_eta = 30 + rng.exponential(80, n), rng.uniform(-2.5, 2.5, n)
    probability = world.prefiring_probability(jet_pt, jet_eta)
    events = {
        "genWeight": np.ones(n),
        "Muon": ak.from_regular(ak.zip({name: ak.Array(values) for name, values in muon.items()}), axis=1),
        "Jet": ak.zip({"pt": jet_pt, "eta": jet_eta}, depth_limit=1),
        "Pileup": ak.zip({"nTrueInt": n_true}, depth_limit=1),
        "L1PreFiringWeight": ak.zip(
            {name: 1 - factor * probability for name, factor in (("Nom", 1.0), ("Up", 1.2), ("Dn", 0.8))},
            depth_limit=1,
        ),
        "HLT": ak.zip({PATH: np.ones(n, dtype=bool)}, depth_limit=1),
    }
    events = ak.zip(events, depth_limit=1)
    return events[rng.random(n) >= probability] if world.loses_prefired else events


def z_muons(n, rng):
    """pT, eta and phi of the muons of `n` Z bosons, shape (n, 2) each."""
    kept = [], [], []
    while sum(len(part) for part in kept[0]) < n:
        columns = _decays(2 * n, rng)
        good = ((columns[0] > 10) & (np.abs(columns[1]) < 2.4)).all(axis=1)
        for parts, values in zip(kept, columns, strict=True):
            parts.append(values[good])
    return tuple(np.concatenate(parts)[:n] for parts in kept)


def _decays(n, rng):
    mass = np.clip(91.19 + 1.25 * rng.standard_cauchy(n) + 1.2 * rng.standard_normal(n), 60, 130)
    pt, rapidity = rng.exponential(15, n), rng.normal(0, 1.5, n)
    azimuth, phi = rng.uniform(-np.pi, np.pi, (2, n))
    cosine = rng.uniform(-1, 1, n)
    sine = np.sqrt(1 - cosine**2)
    mt, half = np.hypot(mass, pt), mass / 2
    boson = np.stack([pt * np.cos(azimuth), pt * np.sin(azimuth), mt * np.sinh(rapidity)])
    energy = mt * np.cosh(rapidity)
    direction = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine])
    muons = []
    for sign in (1, -1):
        rest = sign * half * direction
        along = np.sum(rest * boson, axis=0)
        momentum = rest + boson * (along / (mass * (energy + mass)) + half / mass)
        muons.append(momentum)
    px, py, pz = np.stack(muons, axis=-1)
    transverse = np.hypot(px, py)
    return transverse, np.arcsinh(pz / transverse), np.arctan2(py, px)

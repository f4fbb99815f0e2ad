"""How fast jets become numbers, against the obvious other way of doing the same.

    python benchmarks/features.py [PARTICLES.h5]

Without a file it draws toy events.  Every ratio comes from one run on one machine; each time is the best of three.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
from record import save_result

from cmslabs.data.lhco import read_particles
from cmslabs.features.clustering import cluster_jets, load_fastjet
from cmslabs.features.dijets import dijet_table
from cmslabs.features.particles import flatten_particles, momentum_array
from cmslabs.features.substructure import nsubjettiness, soft_drop_mass
from cmslabs.io import sha256

SEED, N_EVENTS, REPEATS = 1, 1000, 3


def toy_events(n_events: int, seed: int) -> ak.Array:
    """Two back-to-back jets of about 60 particles each and 50 soft particles anywhere, per event."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson([60, 60, 50], size=(n_events, 3)) + 2
    kind = np.repeat(np.tile([0, 1, 2], n_events), counts.ravel())
    axis_eta, axis_phi = rng.uniform(-1, 1, (n_events, 2)), rng.uniform(-np.pi, np.pi, n_events)
    event = np.repeat(np.arange(n_events), counts.sum(axis=1))
    n = len(event)
    in_jet = kind < 2
    angle, radius = rng.uniform(0, 2 * np.pi, n), rng.exponential(0.15, n)
    eta = axis_eta[event, np.minimum(kind, 1)] + radius * np.cos(angle)
    phi = axis_phi[event] + np.pi * kind + radius * np.sin(angle)
    particles = {
        "pt": rng.exponential(np.where(in_jet, 22.0, 1.0)) + 0.1,
        "eta": np.where(in_jet, eta, rng.uniform(-2.5, 2.5, n)),
        "phi": np.angle(np.exp(1j * np.where(in_jet, phi, rng.uniform(-np.pi, np.pi, n)))),
    }
    return ak.Array({"particles": ak.unflatten(ak.zip(particles), counts.sum(axis=1))})


def best_time(run: Callable[[], object]) -> float:
    """Seconds of the fastest of `REPEATS` runs, after one that compiles and warms up."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def fastjet_soft_drop(constituents: ak.Array) -> np.ndarray:
    """The rival: soft drop of fjcontrib through FastJet's Python binding, all jets in one call."""
    fastjet = load_fastjet()
    everything = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0)
    sequence = fastjet.ClusterSequence(momentum_array(flatten_particles(constituents, "jet")), everything)
    return ak.to_numpy(sequence.exclusive_jets_softdrop_grooming(beta=0.0, symmetry_cut=0.1, R0=1.0).msoftdrop)


def cluster_one_by_one(particles: ak.Array) -> list:
    """The rival: the textbook loop, one list of PseudoJets and one ClusterSequence per event."""
    fastjet = load_fastjet()
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, 1.0)
    jets = []
    for event in particles:
        pt, eta, phi = (ak.to_numpy(event[name]) for name in ("pt", "eta", "phi"))
        p = zip(pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta), strict=True)
        sequence = fastjet.ClusterSequence([fastjet.PseudoJet(*map(float, row)) for row in p], definition)
        found = fastjet.sorted_by_pt(sequence.inclusive_jets(20.0))
        jets.append([(jet.pt(), jet.m(), len(jet.constituents())) for jet in found])
    return jets


def taus_one_by_one(constituents: ak.Array) -> list:
    """The rival: the same N-subjettiness, one call per jet."""
    return [nsubjettiness(constituents[i : i + 1]) for i in range(len(constituents))]


def main() -> None:
    """Run, print a table, keep the numbers."""
    config = {"seed": SEED, "n_events": N_EVENTS, "repeats": REPEATS, "input": "toy"}
    if len(sys.argv) > 1:
        path = Path(sys.argv[1])
        events = read_particles(path, stop=N_EVENTS)
        config |= {"input": path.name, "input_sha256": sha256(path)}
    else:
        events = toy_events(N_EVENTS, SEED)
    jets = cluster_jets(events.particles)
    constituents = ak.flatten(jets[:, :2].constituents, axis=1)

    ours, theirs = soft_drop_mass(constituents), fastjet_soft_drop(constituents)
    groomed = ours > 0
    difference = float(np.max(np.abs(ours - theirs)[groomed] / ours[groomed]))

    rows = {
        "anti-kT, events": (len(events), cluster_jets, cluster_one_by_one, events.particles),
        "tau1-4, jets": (len(constituents), nsubjettiness, taus_one_by_one, constituents),
        "soft drop, jets": (len(constituents), soft_drop_mass, fastjet_soft_drop, constituents),
    }
    numbers: dict[str, object] = {
        "particles_per_event": float(ak.mean(ak.num(events.particles))),
        "constituents_per_jet": float(ak.mean(ak.num(constituents))),
        "soft_drop_largest_relative_difference": difference,
    }
    print(f"{'step':18} {'ours [ms]':>10} {'rival [ms]':>11} {'ratio':>6}   rival")
    for name, (n, our_way, rival, data) in rows.items():
        mine, other = (1e3 * best_time(lambda run=run, data=data: run(data)) / n for run in (our_way, rival))
        numbers[name] = {"ours_ms": mine, "rival_ms": other, "ratio": other / mine, "rival": rival.__name__}
        print(f"{name:18} {mine:10.4f} {other:11.4f} {other / mine:6.1f}   {rival.__name__}")
    seconds = best_time(lambda: dijet_table(events))
    numbers["dijet_table_events_per_second"] = len(events) / seconds
    print(
        f"dijet table: {len(events) / seconds:.0f} events/s; soft drop differs by at most {difference:.1e} (relative)"
    )
    save_result("features", config=config, numbers=numbers, packages=("numpy", "awkward", "fastjet", "numba"))


if __name__ == "__main__":
    main()

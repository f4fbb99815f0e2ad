"""Jets: sprays of particles, clustered with the anti-kT algorithm.

A quark or gluon that leaves the collision is never seen itself: it turns into dozens of particles
that fly close together.  Anti-kT puts them back into one jet.  It starts from the hardest particles
and gathers what lies within `radius` of them in the eta-phi plane, which gives round jets whose
borders do not depend on soft or collinear radiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType

import awkward as ak
import numpy as np

from cmslabs.errors import ConfigError, MissingBranchError, require
from cmslabs.features.particles import FlatParticles, flatten_particles, momentum_array

__all__ = ["cluster_jets", "load_fastjet"]

#: Events per call of FastJet: it keeps the whole history of every event in memory until the call ends.
BLOCK = 1000


@lru_cache(maxsize=1)
def load_fastjet() -> ModuleType:
    """Import FastJet and keep its banner off stdout.

    The banner asks every user to cite M. Cacciari, G. P. Salam, G. Soyez, Eur. Phys. J. C 72 (2012)
    1896, doi:10.1140/epjc/s10052-012-1896-2: do so.  It is printed from C++ at the first clustering,
    into the results of a command; FastJet's own switch for it is a null stream.

    Raises
    ------
    MissingExtraError
        If fastjet is not installed (extra ``jets``).
    """
    fastjet = require("fastjet", "jets")
    require("fastjet._swig", "jets").ClusterSequence.set_fastjet_banner_stream(None)
    return fastjet


def cluster_jets(particles: ak.Array, radius: float = 1.0, min_pt: float = 20.0, carry: Sequence[str] = ()) -> ak.Array:
    """Cluster massless particles of each event into anti-kT jets.

    Parameters
    ----------
    particles : ak.Array, shape (n_events, var)
        Records with ``pt`` [GeV], ``eta`` and ``phi`` [rad]; entries with ``pt == 0`` are padding and are left out.
    radius : float
        Jet radius R in the plane of rapidity and azimuth.
    min_pt : float
        Jets below this pT [GeV] are dropped.
    carry : sequence of str
        Further fields of the particles that their records in `constituents` keep.

    Returns
    -------
    ak.Array, shape (n_events, var)
        Jets by falling pT: ``pt`` [GeV], ``eta``, ``phi`` [rad, in (-pi, pi]], ``mass`` [GeV] and
        ``constituents``, records ``pt``, ``eta``, ``phi`` (and `carry`) by falling pT.  The jets behave as
        `vector` four-momenta: ``jets[:, 0] + jets[:, 1]`` is the dijet system.

    Raises
    ------
    ConfigError
        If the radius is not positive or `min_pt` is negative.
    DataError, MissingBranchError
        If the particles are not as described.

    Notes
    -----
    M. Cacciari, G. P. Salam, G. Soyez, "The anti-kT jet clustering algorithm", JHEP 04 (2008) 063,
    doi:10.1088/1126-6708/2008/04/063.  Recombination adds four-vectors (E-scheme), so a jet has a
    mass although its particles have none.  A jet of one particle has mass exactly 0.

    Examples
    --------
    >>> import awkward as ak
    >>> event = [{"pt": 100.0, "eta": 0.0, "phi": 0.0}, {"pt": 50.0, "eta": 0.2, "phi": 0.1},
    ...          {"pt": 80.0, "eta": 0.0, "phi": 3.0}]
    >>> jets = cluster_jets(ak.Array([event, []]))
    >>> ak.num(jets).tolist(), ak.num(jets.constituents, axis=2).tolist()
    ([2, 0], [[2, 1], []])
    >>> round(float(jets[0, 0].mass), 3)
    15.831
    """
    if not (np.isfinite(radius) and radius > 0 and min_pt >= 0):
        raise ConfigError(
            f"cannot cluster with radius {radius} and min_pt {min_pt}.", remedy="Use radius > 0 and min_pt >= 0 GeV."
        )
    flat = flatten_particles(particles)
    extra = _carried(particles, carry)
    n_events = len(flat.offsets) - 1
    blocks = []
    for start in range(0, n_events, BLOCK) or [0]:
        stop = min(start + BLOCK, n_events)
        inside = slice(flat.offsets[start], flat.offsets[stop])
        some = {name: column[inside] for name, column in extra.items()}
        blocks.append(_cluster(flat.block(start, stop), radius, min_pt, some))
    return blocks[0] if len(blocks) == 1 else ak.concatenate(blocks)


def _carried(particles: ak.Array, carry: Sequence[str]) -> dict[str, np.ndarray]:
    """Further fields of the particles as flat columns, without padding, as `flatten_particles` leaves it out."""
    for name in carry:
        if name not in particles.fields:
            raise MissingBranchError(
                f"the particles have no field {name!r} to carry (they have: {', '.join(particles.fields)}).",
                remedy="Leave it out of `carry`.",
            )
    keep = ak.to_numpy(ak.flatten(particles.pt)) > 0 if carry else None
    return {name: ak.to_numpy(ak.flatten(particles[name]))[keep] for name in carry}


def _cluster(flat: FlatParticles, radius: float, min_pt: float, extra: dict[str, np.ndarray]) -> ak.Array:
    """Run FastJet on some events and put its answer into our layout."""
    # Imports sympy, which takes longer than all the rest: only who clusters waits for it.
    import vector

    fastjet = load_fastjet()
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    sequence = fastjet.ClusterSequence(momentum_array(flat), definition)
    jets = sequence.inclusive_jets(min_pt)
    members = sequence.constituent_index(min_pt)

    n_jets = ak.to_numpy(ak.num(jets, axis=1))
    event_of_jet = np.repeat(np.arange(len(n_jets)), n_jets)
    px, py, pz, energy = (ak.to_numpy(ak.flatten(jets[name])) for name in ("px", "py", "pz", "E"))
    n_members = ak.to_numpy(ak.flatten(ak.num(members, axis=2)))
    # FastJet counts the particles of each event from 0, the flat columns count them through all events.
    member = ak.to_numpy(ak.flatten(members, axis=None)) + np.repeat(flat.offsets[event_of_jet], n_members)

    pt = np.hypot(px, py)
    by_pt = np.lexsort((-pt, event_of_jet))
    columns = {
        "pt": pt,
        "eta": np.arcsinh(pz / pt),
        "phi": np.arctan2(py, px),
        "mass": _mass(px, py, pz, energy, n_members),
    }
    columns = {name: ak.unflatten(column[by_pt], n_jets) for name, column in columns.items()}
    columns["constituents"] = ak.unflatten(_constituents(flat, member, n_members, by_pt, extra), n_jets)
    return ak.zip(columns, depth_limit=2, with_name="Momentum4D", behavior=vector.backends.awkward.behavior)


def _mass(px, py, pz, energy, n_members) -> np.ndarray:
    """Invariant mass in GeV: ``m**2 = (E + pz)(E - pz) - pT**2``, whose rounding error may be below zero."""
    squared = (energy + pz) * (energy - pz) - px**2 - py**2
    return np.where(n_members > 1, np.sqrt(np.maximum(squared, 0.0)), 0.0)


def _constituents(flat: FlatParticles, member, n_members, by_pt, extra: dict[str, np.ndarray]) -> ak.Array:
    """The particles of each jet by falling pT, the jets in the order `by_pt`; shape (n_jets, var)."""
    rank = np.empty(len(by_pt), dtype=np.int64)
    rank[by_pt] = np.arange(len(by_pt))
    order = np.lexsort((-flat.pt[member], np.repeat(rank, n_members)))
    member = member[order]
    columns = {"pt": flat.pt, "eta": flat.eta, "phi": flat.phi, **extra}
    records = ak.zip({name: column[member] for name, column in columns.items()})
    return ak.unflatten(records, n_members[by_pt])

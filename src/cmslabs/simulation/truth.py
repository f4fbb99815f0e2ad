"""The generator's own account (``GenPart``), cut down to the hard process and its leptons."""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.simulation.pythia import Batch

__all__ = ["generated_particles", "match_leptons"]

#: Softer final leptons are left out [GeV].
LEPTON_PT = 2.0
#: Bosons and quarkonia whose last copy is kept.
RESONANCES = (23, 24, 25, 32, 34, 443, 100443, 553, 100553, 200553, 5100039)
#: Bits of NanoAOD's statusFlags.
PROMPT, HARD_PROCESS, LAST_COPY = 1 << 0, 1 << 7, 1 << 13


def generated_particles(batch: Batch) -> tuple[ak.Array, np.ndarray]:
    """Choose and describe the particles to keep.

    Kept are the particles of the hard process, the last copies of heavy bosons and quarkonia, and final
    electrons and muons above 2 GeV.

    Returns
    -------
    particles : ak.Array, shape (n_events, var)
        ``pt`` [GeV], ``eta``, ``phi`` [rad], ``mass`` [GeV], ``pdgId``, ``status`` (1: final), ``statusFlags``
        (bit 0 from no hadron or tau, 7 hard process, 13 last copy) and ``genPartIdxMother`` (-1: none kept).
    place : ndarray of int64, shape (n_rows,)
        Position in its event's list for every row of the batch, -1 where it was not kept.
    """
    rows = np.arange(len(batch.id))
    absolute, code = np.abs(batch.id), np.abs(batch.status)
    first = batch.offsets[:-1][batch.event]
    mother = np.where(batch.mother1 > 0, first + batch.mother1, -1)
    pt = np.hypot(batch.px, batch.py)

    # 21 are the incoming partons: nobody looks at them, and they take a third of the room.
    hard = (code >= 22) & (code <= 29)
    copied = np.zeros(len(rows), dtype=bool)
    same = (mother >= 0) & (batch.id == batch.id[mother])
    copied[mother[same]] = True
    resonance = np.isin(absolute, RESONANCES) & ~copied
    lepton = np.isin(absolute, (11, 13)) & (batch.status > 0) & (pt > LEPTON_PT)
    keep = hard | resonance | lepton

    kept = np.flatnonzero(keep)
    counts = np.bincount(batch.event[kept], minlength=batch.n_events)
    starts = np.cumsum(counts) - counts
    place = np.full(len(rows), -1)
    place[kept] = np.arange(len(kept)) - starts[batch.event[kept]]
    # The beam protons (codes 11 and 12) stand above everything and are no decaying hadrons; nor are quarkonia, of
    # which PDG numbers tell the two quarks (44 or 55 before the last digit).
    quarkonium = np.isin(absolute % 1000 // 10, (44, 55))
    hadron = (absolute > 100) & (absolute < 1_000_000) & ~np.isin(absolute, RESONANCES) & ~quarkonium & (code > 12)
    ancestor, prompt = _climb(kept, mother, keep, hadron | (absolute == 15))

    p2 = pt[kept] ** 2 + batch.pz[kept] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.where(pt[kept] > 0, np.arcsinh(batch.pz[kept] / pt[kept]), np.copysign(2e4, batch.pz[kept]))
    flags = PROMPT * prompt + HARD_PROCESS * hard[kept] + LAST_COPY * ~copied[kept]
    columns = {
        "pt": pt[kept].astype("f4"),
        "eta": eta.astype("f4"),
        "phi": np.arctan2(batch.py[kept], batch.px[kept]).astype("f4"),
        "mass": np.sqrt(np.maximum(batch.e[kept] ** 2 - p2, 0.0)).astype("f4"),
        "pdgId": batch.id[kept].astype("i4"),
        "status": np.where(batch.status[kept] > 0, 1, code[kept]).astype("i4"),
        "statusFlags": flags.astype("i4"),
        "genPartIdxMother": np.where(ancestor >= 0, place[ancestor], -1).astype("i4"),
    }
    return ak.unflatten(ak.zip(columns), counts), place


def _climb(kept: np.ndarray, mother: np.ndarray, keep: np.ndarray, decaying: np.ndarray):
    """Nearest kept ancestor of each kept row (-1: none), and whether no hadron or tau lies above it.

    Quarkonia count as prompt: they are what these files are made for.
    """
    ancestor = np.full(len(kept), -1)
    prompt = np.ones(len(kept), dtype=bool)
    at, who = mother[kept], np.arange(len(kept))
    while len(who):
        alive = at >= 0
        at, who = at[alive], who[alive]
        prompt[who] &= ~decaying[at]
        found = keep[at] & (ancestor[who] < 0)
        ancestor[who[found]] = at[found]
        at = mother[at]
    return ancestor, prompt


def match_leptons(leptons: ak.Array, place: np.ndarray, particles: ak.Array) -> ak.Array:
    """Replace each lepton's `row` by NanoAOD's ``genPartIdx`` and ``genPartFlav`` (1 prompt, 5 from hadron or tau)."""
    counts = ak.num(leptons)
    index = ak.unflatten(place[ak.to_numpy(ak.flatten(leptons.row))].astype("i4"), counts)
    known = ak.where(index >= 0, index, 0)
    # Events without kept particles have no leptons either, so that the look-up below finds a place.
    prompt = (particles.statusFlags[known] & PROMPT) == PROMPT
    flavour = ak.values_astype(ak.where(index < 0, 0, ak.where(prompt, 1, 5)), "uint8")
    fields = {name: leptons[name] for name in leptons.fields if name != "row"}
    return ak.zip(fields | {"genPartIdx": index, "genPartFlav": flavour})

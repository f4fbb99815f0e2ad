"""Muons and electrons as NanoAOD has them: isolation, impact parameters, identification.

Only true leptons become candidates: this detector makes no fakes and lets no kaon decay in flight.
"""

from __future__ import annotations

from collections.abc import Mapping

import awkward as ak
import numpy as np

from cmslabs.simulation.detector import Observed
from cmslabs.simulation.pythia import Batch
from cmslabs.simulation.tracker import CHARGED_HADRON, ELECTRON, MUON
from cmslabs.simulation.worlds import SIMULATION, World

__all__ = ["ISOLATION_CONE", "MUON_ETA", "candidates", "electrons", "enough_leptons", "muons", "true_leptons"]

MUON_ETA, ELECTRON_ETA = 2.4, 2.5
MASS = {MUON: 0.105658, ELECTRON: 0.000511}
PDG = {MUON: 13, ELECTRON: 11}
ISOLATION_CONE = {MUON: 0.4, ELECTRON: 0.3}
#: Neutral particles below this pT [GeV] do not count in the isolation, as in CMS.
NEUTRAL_PT = 0.5
#: Fraction of true muons that are loose, and of medium muons that are tight; medium ones depend on the world.
LOOSE, TIGHT_OF_MEDIUM = 0.998, 0.965 / 0.98
#: Fraction of true electrons that pass veto, loose, medium, tight: NanoAOD's cutBased = 1 ... 4.
ELECTRON_ID = (0.95, 0.90, 0.80, 0.70)


def true_leptons(batch: Batch, selection: Mapping[str, float]) -> np.ndarray:
    """Which events have, before the detector, nearly enough leptons: the others need no detector.

    The pT cuts are loosened to 70 %, far more than the resolution can move a lepton.
    """
    rows = batch.final
    pdg = np.abs(batch.id[rows])
    pt = np.hypot(batch.px[rows], batch.py[rows])
    inside = np.abs(batch.pz[rows]) < pt * np.sinh(ELECTRON_ETA)
    muon = (pdg == 13) & (pt > 0.7 * selection["muon_pt"]) & inside
    electron = (pdg == 11) & (pt > 0.7 * selection["electron_pt"]) & inside
    n_muons = np.bincount(batch.event[rows][muon], minlength=batch.n_events)
    n_electrons = np.bincount(batch.event[rows][electron], minlength=batch.n_events)
    return (n_muons >= selection["muons"]) & (n_muons + n_electrons >= selection["leptons"])


def candidates(observed: Observed, kind: int, min_pt: float) -> ak.Array:
    """Tracks of muons or electrons with pT > `min_pt` [GeV] inside the acceptance, by falling pT."""
    particles = observed.particles
    limit = MUON_ETA if kind == MUON else ELECTRON_ETA
    return particles[(particles.kind == kind) & (particles.pt > min_pt) & (np.abs(particles.eta) < limit)]


def enough_leptons(muon: ak.Array, electron: ak.Array, selection: Mapping[str, float]) -> np.ndarray:
    """Which events have the numbers of measured leptons that the selection asks for."""
    n_muons, n_electrons = ak.to_numpy(ak.num(muon)), ak.to_numpy(ak.num(electron))
    return (n_muons >= selection["muons"]) & (n_muons + n_electrons >= selection["leptons"])


def muons(
    found: ak.Array, observed: Observed, batch: Batch, rng: np.random.Generator, world: World = SIMULATION
) -> ak.Array:
    """Add to muon candidates what NanoAOD's ``Muon`` has; the isolation is still without pile-up.

    Identification is a coin with the efficiency of the `world`: tight muons are medium, medium ones are
    loose.  A tight muon also lies within 2 mm of the vertex across and 5 mm along the beam.
    """
    columns, counts = _common(found, observed, batch, MUON, rng)
    coin = rng.random(len(columns["pt"]))
    medium = world.medium_id_efficiency(columns["eta"])
    shares = {"looseId": LOOSE, "mediumId": medium, "tightId": medium * TIGHT_OF_MEDIUM}
    columns |= {name: coin < share for name, share in shares.items()}
    columns["tightId"] &= (np.abs(columns["dxy"]) < 0.2) & (np.abs(columns["dz"]) < 0.5)
    return _records(columns, counts)


def electrons(found: ak.Array, observed: Observed, batch: Batch, rng: np.random.Generator) -> ak.Array:
    """Add to electron candidates what NanoAOD's ``Electron`` has; ``cutBased`` is a coin, see `ELECTRON_ID`."""
    columns, counts = _common(found, observed, batch, ELECTRON, rng)
    coin = rng.random(len(columns["pt"]))
    columns["cutBased"] = sum((coin < share).astype("i4") for share in ELECTRON_ID)
    return _records(columns, counts)


def _common(found: ak.Array, observed: Observed, batch: Batch, kind: int, rng: np.random.Generator):
    """Columns of both kinds of lepton, flat, and the number of leptons per event."""
    counts = ak.to_numpy(ak.num(found))
    flat = ak.flatten(found)
    pt, eta, phi = (ak.to_numpy(flat[name]) for name in ("pt", "eta", "phi"))
    charge, row = ak.to_numpy(flat.charge).astype("i4"), ak.to_numpy(flat.row)
    dxy, dz, sip3d = _impact(batch, row, pt, rng)
    cone = ISOLATION_CONE[kind]
    charged, neutral = cone_sums(found, observed.particles, cone)
    columns = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": np.full(len(pt), MASS[kind], dtype="f4"),
        "charge": charge,
        "pdgId": -PDG[kind] * charge,
        "dxy": dxy,
        "dz": dz,
        "sip3d": sip3d,
        f"pfRelIso{10 * cone:02.0f}_all": ((charged + neutral) / pt).astype("f4"),
        "neutral": neutral,
        "row": row,
    }
    return columns, counts


def cone_sums(found: ak.Array, particles: ak.Array, cone: float) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the pT [GeV] of charged and of neutral particles within `cone`; each of shape (n_leptons,).

    Other leptons do not count, so that the two muons of a slow J/psi do not spoil each other.
    """
    around = particles[(particles.kind != MUON) & (particles.kind != ELECTRON)]
    around = around[(around.kind == CHARGED_HADRON) | (around.pt > NEUTRAL_PT)]
    lepton, other = ak.unzip(ak.cartesian([found, around], nested=True))
    dphi = (lepton.phi - other.phi + np.pi) % (2 * np.pi) - np.pi
    near = (lepton.eta - other.eta) ** 2 + dphi**2 < cone**2
    charged = other.kind == CHARGED_HADRON
    sums = (ak.sum(ak.where(near & kind, other.pt, 0.0), axis=-1) for kind in (charged, ~charged))
    return tuple(ak.to_numpy(ak.flatten(total)).astype("f8") for total in sums)


def _impact(batch: Batch, row: np.ndarray, pt: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Impact parameters dxy and dz [cm], measured with error, and the significance of both together.

    Straight lines from where the lepton was made; errors of 15 and 30 micrometres and a multiple-scattering
    term that falls with pT.
    """
    x, y, z = batch.vertex[row].T / 10.0  # mm -> cm
    px, py, pz = batch.px[row], batch.py[row], batch.pz[row]
    pt2 = px**2 + py**2
    error_xy, error_z = 0.0015 + 0.0060 / pt, 0.0030 + 0.0100 / pt
    dxy = (y * px - x * py) / np.sqrt(pt2) + error_xy * rng.standard_normal(len(row))
    dz = z - (x * px + y * py) / pt2 * pz + error_z * rng.standard_normal(len(row))
    sip3d = np.hypot(dxy / error_xy, dz / error_z)
    return tuple(a.astype("f4") for a in (dxy, dz, sip3d))


def _records(columns: dict[str, np.ndarray], counts: np.ndarray) -> ak.Array:
    return ak.unflatten(ak.zip(columns), counts)

"""A light detector: generated events in, lists of measured particles and missing momentum out.

Tracks and fine cells reach abs(eta) = 2.5, a coarse forward calorimeter 4.7; there is no pile-up, no
magnetic field and no material.  It is Delphes-like, and was not validated against Delphes: use it to
learn and to compare methods, not to measure a cross-section.
"""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np

from cmslabs.simulation.calorimeter import ECAL, FORWARD, HCAL, Clusters, measure
from cmslabs.simulation.pythia import Batch, Species
from cmslabs.simulation.tracker import ELECTRON, MUON, NEUTRAL_HADRON, PHOTON, TRACKER_ETA, find_tracks

__all__ = ["MAX_PARTICLES", "Observed", "observe"]

#: The LHC Olympics files have room for so many particles per event.
MAX_PARTICLES = 700


@dataclass(frozen=True)
class Observed:
    """What the detector saw.

    Attributes
    ----------
    particles : ak.Array, shape (n_events, var)
        At most 700 by falling pT: ``pt`` [GeV], ``eta``, ``phi`` [rad], ``kind``, ``charge``, and ``row``,
        the true particle's row in the batch (-1 for neutral energy, which may come from several).
    met_pt, met_phi : ndarray, shape (n_events,)
        Missing transverse momentum [GeV, rad]: minus the sum of all that was seen up to abs(eta) = 4.7.
    sum_et : ndarray, shape (n_events,)
        Scalar sum of the same transverse momenta [GeV].
    """

    particles: ak.Array
    met_pt: np.ndarray
    met_phi: np.ndarray
    sum_et: np.ndarray

    def select(self, events: np.ndarray) -> Observed:
        """Only the events whose entry in the boolean array `events` is true."""
        return Observed(self.particles[events], self.met_pt[events], self.met_phi[events], self.sum_et[events])


def observe(batch: Batch, species: Species, rng: np.random.Generator, muon_scale: float = 1.0) -> Observed:
    """Let the detector measure the events of a batch.

    Parameters
    ----------
    batch : Batch
        Generated events.
    species : Species
        Charges and visibility.
    rng : numpy.random.Generator
        All of the detector's randomness.
    muon_scale : float
        Muons' measured pT is too high by this factor.
    """
    rows = batch.final[species.visible(batch.id[batch.final])]
    pt = np.hypot(batch.px[rows], batch.py[rows])
    rows, pt = rows[pt > 0], pt[pt > 0]
    eta, phi = np.arcsinh(batch.pz[rows] / pt), np.arctan2(batch.py[rows], batch.px[rows])
    event, energy, pdg = batch.event[rows], batch.e[rows], np.abs(batch.id[rows])

    tracks = find_tracks(batch, rows, species.charge(batch.id[rows]), eta, rng, muon_scale)
    central = (np.abs(eta) < TRACKER_ETA) & (pdg != 13)
    electromagnetic = (pdg == 11) | (pdg == 22)

    def stop(calorimeter, particles, use=None):
        columns = (event[particles], energy[particles], eta[particles], phi[particles])
        return measure(calorimeter, *columns, rng, None if use is None else tracks, use)

    photons = stop(ECAL, central & electromagnetic, tracks.kind == ELECTRON)
    hadrons = stop(HCAL, central & ~electromagnetic, (tracks.kind != ELECTRON) & (tracks.kind != MUON))
    beyond = (np.abs(eta) >= TRACKER_ETA) & (np.abs(eta) < FORWARD.eta_max) & (pdg != 13)
    forward = stop(FORWARD, beyond)

    table = {
        "event": (tracks.event, photons.event, hadrons.event),
        "pt": (tracks.pt, photons.pt, hadrons.pt),
        "eta": (tracks.eta, photons.eta, hadrons.eta),
        "phi": (tracks.phi, photons.phi, hadrons.phi),
        "kind": (tracks.kind, np.full(len(photons.pt), PHOTON), np.full(len(hadrons.pt), NEUTRAL_HADRON)),
        "charge": (tracks.charge, np.zeros(len(photons.pt)), np.zeros(len(hadrons.pt))),
        "row": (tracks.row, np.full(len(photons.pt), -1), np.full(len(hadrons.pt), -1)),
    }
    flat = {name: np.concatenate(parts) for name, parts in table.items()}
    return Observed(_particles(flat, batch.n_events), *_missing(flat, forward, batch.n_events))


def _particles(flat: dict[str, np.ndarray], n_events: int) -> ak.Array:
    """Sort by falling pT and keep the hardest 700."""
    order = np.lexsort((-flat["pt"], flat["event"]))
    counts = np.bincount(flat["event"], minlength=n_events)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = order[rank < MAX_PARTICLES]
    types = {"pt": "f4", "eta": "f4", "phi": "f4", "kind": "i1", "charge": "i1", "row": "i8"}
    columns = {name: flat[name][order].astype(kind) for name, kind in types.items()}
    return ak.unflatten(ak.zip(columns), np.minimum(counts, MAX_PARTICLES))


def _missing(flat: dict[str, np.ndarray], forward: Clusters, n_events: int) -> tuple[np.ndarray, ...]:
    """Missing pT, its azimuth, and the scalar sum, from everything that was measured."""
    event = np.concatenate([flat["event"], forward.event])
    pt, phi = np.concatenate([flat["pt"], forward.pt]), np.concatenate([flat["phi"], forward.phi])
    px = -np.bincount(event, weights=pt * np.cos(phi), minlength=n_events)
    py = -np.bincount(event, weights=pt * np.sin(phi), minlength=n_events)
    return np.hypot(px, py), np.arctan2(py, px), np.bincount(event, weights=pt, minlength=n_events)

"""Charged tracks: which are found, and how well their momentum is known.

The numbers are of the size that CMS reports (S. Chatrchyan et al., "Description and performance of track
and primary-vertex reconstruction with the CMS tracker", JINST 9 (2014) P10009, arXiv:1405.6569), rounded.
There is no magnetic field and no material: a track keeps the direction that its particle had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmslabs.simulation.pythia import Batch

__all__ = ["CHARGED_HADRON", "ELECTRON", "MUON", "NEUTRAL_HADRON", "PHOTON", "TRACKER_ETA", "Tracks", "find_tracks"]

#: What a reconstructed particle is.
CHARGED_HADRON, ELECTRON, MUON, PHOTON, NEUTRAL_HADRON = range(5)

#: Tracks and fine calorimeter cells end here.
TRACKER_ETA = 2.5
BARREL_ETA = 1.5
#: Softer particles curl up in the magnetic field before they leave enough hits [GeV].
TRACK_MIN_PT = 0.1

#: Efficiencies (barrel, endcap); tracks below 1 GeV come first.
EFFICIENCY = {
    CHARGED_HADRON: ((0.70, 0.60), (0.95, 0.85)),
    ELECTRON: ((0.70, 0.50), (0.95, 0.85)),
    MUON: ((0.75, 0.70), (0.99, 0.98)),
}
#: Relative pT resolution a (+) b * pT, added in quadrature; (barrel, endcap), b per GeV.
RESOLUTION_CONSTANT = (0.010, 0.020)
RESOLUTION_SLOPE = (1.0e-4, 2.5e-4)


@dataclass
class Tracks:
    """Found tracks as flat columns.

    Attributes
    ----------
    row : ndarray of int64, shape (n_tracks,)
        Row of the true particle in the batch.
    event : ndarray of int64
        Index of the event.
    kind : ndarray of int64
        `CHARGED_HADRON`, `ELECTRON` or `MUON`.
    charge : ndarray
        In units of the positron's.
    pt, eta, phi : ndarray
        Measured momentum [GeV] and direction [rad].
    resolution : ndarray
        Relative uncertainty of pT.
    """

    row: np.ndarray
    event: np.ndarray
    kind: np.ndarray
    charge: np.ndarray
    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    resolution: np.ndarray


def find_tracks(
    batch: Batch,
    rows: np.ndarray,
    charge: np.ndarray,
    eta: np.ndarray,
    rng: np.random.Generator,
    muon_scale: float = 1.0,
) -> Tracks:
    """Tracks of the charged particles among `rows`.

    Parameters
    ----------
    batch : Batch
        The generated events.
    rows : ndarray of int64, shape (n,)
        Final visible particles.
    charge, eta : ndarray, shape (n,)
        Their charges and pseudorapidities.
    rng : numpy.random.Generator
        Draws which tracks are lost and by how much the others are off.
    muon_scale : float
        Muons' measured pT is too high by this factor.
    """
    pt = np.hypot(batch.px[rows], batch.py[rows])
    candidate = (charge != 0) & (np.abs(eta) < TRACKER_ETA) & (pt > TRACK_MIN_PT)
    rows, charge, eta, pt = rows[candidate], charge[candidate], eta[candidate], pt[candidate]
    kind = np.select([np.abs(batch.id[rows]) == 11, np.abs(batch.id[rows]) == 13], [ELECTRON, MUON], CHARGED_HADRON)
    endcap = (np.abs(eta) > BARREL_ETA).astype(int)

    found = rng.random(len(rows)) < efficiency(kind, pt, endcap)
    rows, charge, eta, pt, kind, endcap = (a[found] for a in (rows, charge, eta, pt, kind, endcap))
    sigma = np.hypot(np.take(RESOLUTION_CONSTANT, endcap), np.take(RESOLUTION_SLOPE, endcap) * pt)
    # A curvature is Gaussian, a momentum is not: draw the factor such that it stays positive.
    measured = pt * np.exp(sigma * rng.standard_normal(len(pt))) * np.where(kind == MUON, muon_scale, 1.0)
    phi = np.arctan2(batch.py[rows], batch.px[rows])
    return Tracks(rows, batch.event[rows], kind, charge, measured, eta, phi, sigma)


def efficiency(kind: np.ndarray, pt: np.ndarray, endcap: np.ndarray) -> np.ndarray:
    """Probability that a track is found, by kind, pT [GeV] and 0 (barrel) or 1 (endcap).

    Examples
    --------
    >>> import numpy as np
    >>> efficiency(np.array([CHARGED_HADRON, MUON]), np.array([0.5, 20.0]), np.array([0, 1])).tolist()
    [0.7, 0.98]
    """
    table = np.array([EFFICIENCY[one] for one in (CHARGED_HADRON, ELECTRON, MUON)])
    return table[kind, (pt >= 1.0).astype(int), endcap]

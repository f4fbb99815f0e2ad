"""Calorimeters: energy in cells, with noise, and what tracks do not explain in them.

Cells, resolutions and thresholds are of the size of CMS's, and the separation of tracks and neutral
energy follows the idea of Delphes (J. de Favereau et al., JHEP 02 (2014) 057, arXiv:1307.6346,
doi:10.1007/JHEP02(2014)057), in our own words and code: nothing here was validated against Delphes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmslabs.simulation.tracker import TRACKER_ETA, Tracks

__all__ = ["ECAL", "FORWARD", "HCAL", "Calorimeter", "Clusters", "measure", "smear"]


@dataclass(frozen=True)
class Calorimeter:
    """One calorimeter.

    The resolution is ``sigma(E) = sqrt(S**2 E + N**2 + C**2 E**2)``.

    Attributes
    ----------
    eta_step : float
        Size of a cell in eta; in phi there are `n_phi` cells.
    n_phi : int
        Cells around the beam.
    eta_min, eta_max : float
        Range in abs(eta).
    stochastic, noise, constant : float
        S [sqrt(GeV)], N [GeV] and C.
    threshold : float
        Least energy of a cell [GeV].
    significance : float
        Least energy of a cell in units of sigma.
    """

    eta_step: float
    n_phi: int
    eta_min: float
    eta_max: float
    stochastic: float
    noise: float
    constant: float
    threshold: float
    significance: float

    def sigma(self, energy: np.ndarray) -> np.ndarray:
        """Resolution at `energy` [GeV]."""
        return np.sqrt(self.stochastic**2 * energy + self.noise**2 + (self.constant * energy) ** 2)

    @property
    def n_eta(self) -> int:
        """Cells along the beam, both sides."""
        return 2 * int(np.ceil(self.eta_max / self.eta_step))

    def cell(self, event: np.ndarray, eta: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Number of the cell, unique over events."""
        i_eta = np.floor(eta / self.eta_step).astype(np.int64) + self.n_eta // 2
        i_phi = np.floor((phi + np.pi) * (self.n_phi / (2 * np.pi))).astype(np.int64) % self.n_phi
        return (event * self.n_eta + i_eta) * self.n_phi + i_phi

    def place(self, cell: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Event and a random point (eta, phi) in each cell: its centre would draw a grid into the jets."""
        i_eta = (cell // self.n_phi) % self.n_eta - self.n_eta // 2
        eta = (i_eta + rng.random(len(cell))) * self.eta_step
        phi = (cell % self.n_phi + rng.random(len(cell))) * (2 * np.pi / self.n_phi) - np.pi
        return cell // (self.n_phi * self.n_eta), np.clip(eta, -self.eta_max, self.eta_max), phi


#: Photons and electrons; hadrons; everything beyond the tracker.
ECAL = Calorimeter(0.0175, 360, 0.0, TRACKER_ETA, 0.11, 0.40, 0.008, 0.5, 2.0)
# 1.2 sigma: upward fluctuations that count as neutral hadrons then balance the soft ones that are lost, and the
# pT of a 1 TeV jet comes out right on average (with 1 sigma 0.5 % too high, with 1.5 sigma 0.5 % too low).
HCAL = Calorimeter(0.087, 72, 0.0, TRACKER_ETA, 1.50, 0.0, 0.050, 1.0, 1.2)
FORWARD = Calorimeter(0.175, 36, TRACKER_ETA, 4.7, 2.70, 0.0, 0.130, 3.0, 1.0)


@dataclass
class Clusters:
    """Neutral energy: flat columns `event`, `pt` [GeV], `eta`, `phi` [rad]."""

    event: np.ndarray
    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray


def smear(energy: np.ndarray, sigma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw from the log-normal distribution with this mean and standard deviation: never negative.

    Examples
    --------
    >>> import numpy as np
    >>> drawn = smear(np.full(100_000, 50.0), np.full(100_000, 10.0), np.random.default_rng(1))
    >>> round(float(drawn.mean())), round(float(drawn.std()))
    (50, 10)
    """
    width2 = np.log1p((sigma / energy) ** 2)
    return energy * np.exp(np.sqrt(width2) * rng.standard_normal(len(energy)) - 0.5 * width2)


def measure(
    calorimeter: Calorimeter,
    event: np.ndarray,
    energy: np.ndarray,
    eta: np.ndarray,
    phi: np.ndarray,
    rng: np.random.Generator,
    tracks: Tracks | None = None,
    use: np.ndarray | None = None,
) -> Clusters:
    """Sum energies in cells, smear them, and return what the tracks do not account for.

    Where a cell has no significant excess over its tracks, both measured the same particles: the
    tracks' pT is then moved, in place, to the weighted mean of the two.

    Parameters
    ----------
    calorimeter : Calorimeter
    event, energy, eta, phi : ndarray, shape (n,)
        Particles that stop in it; energy in GeV.
    rng : numpy.random.Generator
    tracks : Tracks, optional
        All tracks; `use` says which of them stop in this calorimeter.
    use : ndarray of bool, shape (n_tracks,)
    """
    cells, inverse = np.unique(calorimeter.cell(event, eta, phi), return_inverse=True)
    total = np.bincount(inverse, weights=energy, minlength=len(cells))
    measured = smear(total, calorimeter.sigma(total), rng)
    sigma = calorimeter.sigma(measured)
    measured[(measured < calorimeter.threshold) | (measured < calorimeter.significance * sigma)] = 0.0

    excess = measured
    if tracks is not None:
        # Every track's particle is among those that were summed, so that its cell exists.
        at = np.searchsorted(cells, calorimeter.cell(tracks.event[use], tracks.eta[use], tracks.phi[use]))
        track_energy = tracks.pt[use] * np.cosh(tracks.eta[use])
        seen = np.bincount(at, weights=track_energy, minlength=len(cells))
        variance = np.bincount(at, weights=(track_energy * tracks.resolution[use]) ** 2, minlength=len(cells))
        excess = measured - seen
        neutral = (excess > calorimeter.threshold) & (excess > calorimeter.significance * sigma)
        combine = ~neutral & (measured > 0) & (seen > 0)
        factor = np.ones(len(cells))
        weight_tracks, weight_cell = 1 / variance[combine], 1 / sigma[combine] ** 2
        best = (weight_tracks * seen[combine] + weight_cell * measured[combine]) / (weight_tracks + weight_cell)
        factor[combine] = best / seen[combine]
        tracks.pt[use] *= factor[at]
        excess = np.where(neutral, excess, 0.0)

    left = np.flatnonzero(excess > 0)
    where, cell_eta, cell_phi = calorimeter.place(cells[left], rng)
    return Clusters(where, excess[left] / np.cosh(cell_eta), cell_eta, cell_phi)

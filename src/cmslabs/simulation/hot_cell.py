"""A calorimeter cell that fires without a particle: the most common way in which a detector invents an anomaly.

Electronics or a photodetector make a signal of their own.  The reconstruction sees hundreds of GeV in one tower,
puts them into a jet if one is near, and finds that momentum is missing on the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np

from cmslabs.simulation.calorimeter import HCAL
from cmslabs.simulation.detector import MAX_PARTICLES, Observed
from cmslabs.simulation.tracker import NEUTRAL_HADRON

__all__ = ["HotCell"]

#: As in `cmslabs.simulation.detector`.
TYPES = {"pt": "f4", "eta": "f4", "phi": "f4", "kind": "i1", "charge": "i1", "row": "i8"}


@dataclass(frozen=True)
class HotCell:
    """One tower of the hadron calorimeter that fires in every event.

    Attributes
    ----------
    eta, phi : float
        Its middle [1, rad].
    pt : float
        Transverse momentum that it adds [GeV]: the mean of a log-normal distribution.
    spread : float
        Relative standard deviation of that.
    """

    eta: float
    phi: float
    pt: float
    spread: float = 0.15

    def fire(self, observed: Observed, rng: np.random.Generator) -> Observed:
        """The same events with the cell's energy in them, as one more neutral particle, and with another missing pT.

        The particle lies anywhere in the tower, as all energy of `cmslabs.simulation.calorimeter` does.  There are
        still at most 700 particles.

        Parameters
        ----------
        observed : Observed
            What the detector saw without it.
        rng : numpy.random.Generator
        """
        n = len(observed.particles)
        sigma2 = np.log1p(self.spread**2)
        pt = self.pt * np.exp(np.sqrt(sigma2) * rng.standard_normal(n) - 0.5 * sigma2)
        eta = self.eta + (rng.random(n) - 0.5) * HCAL.eta_step
        phi = self.phi + (rng.random(n) - 0.5) * 2 * np.pi / HCAL.n_phi
        phi = np.arctan2(np.sin(phi), np.cos(phi))
        columns = {"pt": pt, "eta": eta, "phi": phi}
        columns |= {"kind": np.full(n, NEUTRAL_HADRON), "charge": np.zeros(n), "row": np.full(n, -1)}
        fields = {name: values.astype(TYPES[name]) for name, values in columns.items()}
        particles = ak.concatenate([observed.particles, ak.zip(fields)[:, np.newaxis]], axis=1)
        particles = particles[ak.argsort(particles.pt, ascending=False, stable=True)][:, :MAX_PARTICLES]
        px = observed.met_pt * np.cos(observed.met_phi) - pt * np.cos(phi)
        py = observed.met_pt * np.sin(observed.met_phi) - pt * np.sin(phi)
        return Observed(particles, np.hypot(px, py), np.arctan2(py, px), observed.sum_et + pt)

"""Two worlds: what the simulation believes about the detector, and what the pseudo-data were made with.

In a real analysis the simulation is never quite right: there were more collisions at once than it
assumed, fewer muons were identified, momenta were measured a little too high.  The bundled samples come
from the world ``simulation``, the pseudo-data from the world ``pseudo-data``, so that the difference can
be found, corrected where it can be, and compared with the truth.  Both worlds are ours; neither is CMS.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from cmslabs.errors import SimulationError

__all__ = ["PSEUDO_DATA", "SIMULATION", "WORLDS", "World", "get_world"]


@dataclass(frozen=True)
class World:
    """Everything about the detector and the accelerator that differs between the two worlds.

    Attributes
    ----------
    name : str
    pileup : tuple of float
        Mean and width of the Gaussian that the number of true interactions is drawn from.
    medium_id : tuple of (float, float)
        Upper edge in abs(eta), and the probability there that a true muon passes the medium identification.
    muon_scale : float
        What every measured muon's pT is multiplied by.
    prefiring : float
        Largest probability that one jet makes the first-level trigger fire a crossing too early.
    loses_prefired : bool
        Whether such events are lost, as in data, or kept with a weight, as in simulation.
    recorded : tuple of str
        Paths of the primary data set (fields ``HLT_...``): an event is kept if one of them fired.
        Empty: all events.
    """

    name: str
    pileup: tuple[float, float]
    medium_id: tuple[tuple[float, float], ...]
    muon_scale: float = 1.0
    prefiring: float = 0.05
    loses_prefired: bool = False
    recorded: tuple[str, ...] = ()

    def draw_pileup(self, n_events: int, rng: np.random.Generator) -> np.ndarray:
        """Numbers of true interactions, whole and at least 1; shape (n_events,), float32."""
        return np.maximum(rng.normal(*self.pileup, n_events), 1.0).round().astype("f4")

    def pileup_profile(self, n_bins: int = 100) -> np.ndarray:
        """Probability of 0, 1, ... `n_bins` - 1 true interactions.

        Examples
        --------
        >>> profile = SIMULATION.pileup_profile()
        >>> round(float(profile.sum()), 6), float(profile[0]), int(profile.argmax())
        (1.0, 0.0, 23)
        """
        below = norm.cdf(np.arange(n_bins) + 0.5, *self.pileup)
        profile = np.diff(below, prepend=0.0)
        # What is drawn below 1 becomes 1.
        profile[:2] = 0.0, below[1]
        return profile

    def medium_id_efficiency(self, eta: np.ndarray) -> np.ndarray:
        """Probability that a true muon at `eta` passes the medium identification.

        Examples
        --------
        >>> PSEUDO_DATA.medium_id_efficiency(np.array([0.0, -1.0, 2.2])).tolist()
        [0.98, 0.95, 0.93]
        """
        edges, values = np.array(self.medium_id).T
        return values[np.minimum(np.searchsorted(edges, np.abs(eta), side="right"), len(values) - 1)]

    def prefiring_probability(self, pt: np.ndarray, eta: np.ndarray) -> np.ndarray:
        """Probability that a jet of `pt` [GeV] at `eta` prefires.

        It is zero outside 2.0 < abs(eta) < 2.5, and rises there from zero at 20 GeV to `prefiring` at 100 GeV:
        an effect like the one that CMS had in 2016 (JINST 15 (2020) P10017, arXiv:2006.10165), with simple numbers.

        Examples
        --------
        >>> SIMULATION.prefiring_probability(np.array([500.0, 60.0, 500.0]), np.array([2.2, -2.2, 1.0])).tolist()
        [0.05, 0.025, 0.0]
        """
        rise = np.clip((np.asarray(pt, dtype=np.float64) - 20.0) / 80.0, 0.0, 1.0)
        forward = (np.abs(eta) > 2.0) & (np.abs(eta) < 2.5)
        return self.prefiring * rise * forward

    def record(self) -> dict[str, Any]:
        """All parameters as plain JSON, for the provenance of a file."""
        return asdict(self)


SIMULATION = World(name="simulation", pileup=(23.0, 6.0), medium_id=((2.4, 0.98),))
PSEUDO_DATA = World(
    name="pseudo-data",
    pileup=(28.0, 5.0),
    medium_id=((0.9, 0.98), (1.2, 0.95), (2.1, 0.96), (2.4, 0.93)),
    muon_scale=1.002,
    loses_prefired=True,
    recorded=(
        "HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL",
        "HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ",
        "HLT_Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL",
        "HLT_Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL_DZ",
        "HLT_TripleMu_12_10_5",
    ),
)
WORLDS = {world.name: world for world in (SIMULATION, PSEUDO_DATA)}


def get_world(name: str) -> World:
    """The world called `name`.

    Raises
    ------
    SimulationError
        If there is none.

    Examples
    --------
    >>> get_world("simulation").muon_scale
    1.0
    """
    if name not in WORLDS:
        raise SimulationError(f"there is no world '{name}'.", remedy=f"Choose from: {', '.join(WORLDS)}.")
    return WORLDS[name]

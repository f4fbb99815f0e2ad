"""Four-momenta of many objects at once, in double precision: what they add up to, and its mass.

The objects of all events stand in one flat array; which of them belong together is said by index arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import awkward as ak
import numpy as np

__all__ = ["COORDINATES", "Momenta", "flat_column", "mass_of", "momenta", "transverse"]


#: The fields that `momenta` takes, in its order.
COORDINATES = ("pt", "eta", "phi", "mass")


class Momenta(NamedTuple):
    """px, py, pz and energy [GeV]; arrays of one shape."""

    px: np.ndarray
    py: np.ndarray
    pz: np.ndarray
    energy: np.ndarray

    def plus(self, other: Momenta) -> Momenta:
        """The sum of two arrays of momenta, one by one."""
        return Momenta(*(mine + its for mine, its in zip(self, other, strict=True)))

    def total(self, *chosen: np.ndarray) -> Momenta:
        """The sum of the momenta at each of the index arrays, which have one shape."""
        return Momenta(*(sum(component[index] for index in chosen) for component in self))


def momenta(pt: Sequence[float], eta: Sequence[float], phi: Sequence[float], mass: Sequence[float]) -> Momenta:
    """From pt, mass [GeV], eta and phi [rad].

    Examples
    --------
    >>> [round(float(value), 3) for value in momenta(3.0, 0.0, 0.0, 4.0)]
    [3.0, 0.0, 0.0, 5.0]
    """
    pt, eta, phi, mass = (np.asarray(values, dtype=np.float64) for values in (pt, eta, phi, mass))
    pz = pt * np.sinh(eta)
    return Momenta(pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2))


def mass_of(total: Momenta) -> np.ndarray:
    """Invariant mass [GeV]; 0 where rounding makes its square negative.

    Examples
    --------
    >>> float(mass_of(momenta([3.0], [0.5], [0.1], [4.0]).total([0], [0]))[0].round(9))
    8.0
    """
    squared = total.energy**2 - total.px**2 - total.py**2 - total.pz**2
    # Not np.maximum(squared, 0): a NaN has to stay one.
    return np.sqrt(np.where(squared < 0, 0.0, squared))


def transverse(total: Momenta) -> np.ndarray:
    """pT [GeV]."""
    return np.hypot(total.px, total.py)


def flat_column(objects: ak.Array, name: str) -> np.ndarray:
    """A field of the objects of all events, in one row."""
    return ak.to_numpy(ak.flatten(objects[name]))

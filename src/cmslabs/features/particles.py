"""Particles as flat, checked columns: what FastJet and the compiled loops take.

A jagged array is one long column per field plus `offsets`: list ``i`` holds the entries
``offsets[i]:offsets[i + 1]``.  Everything that leaves Python for a compiled library passes
through here, so that a NaN or a negative momentum is found where we can still say in which
event it is, and not as a strange jet three libraries later.
"""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np

from cmslabs.errors import DataError, MissingBranchError, close_names

__all__ = ["FlatParticles", "flatten_particles", "momentum_array"]


@dataclass(frozen=True)
class FlatParticles:
    """Massless particles of many lists (events, or jets).

    Attributes
    ----------
    pt, eta, phi : ndarray, shape (n_particles,)
        Transverse momentum in GeV, pseudorapidity, azimuth in rad; float64.
    offsets : ndarray of int64, shape (n_lists + 1,)
        Where each list starts and ends.
    """

    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    offsets: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Number of particles of each list."""
        return np.diff(self.offsets)

    def block(self, start: int, stop: int) -> FlatParticles:
        """The lists ``start:stop``."""
        inside = slice(self.offsets[start], self.offsets[stop])
        return FlatParticles(
            self.pt[inside], self.eta[inside], self.phi[inside], self.offsets[start : stop + 1] - self.offsets[start]
        )


def flatten_particles(particles: ak.Array, unit: str = "event") -> FlatParticles:
    """Take a jagged array of particles apart into checked flat columns.

    Entries with ``pt == 0`` are padding, not particles, and are left out.

    Parameters
    ----------
    particles : ak.Array, shape (n_lists, var)
        Records with ``pt`` [GeV], ``eta`` and ``phi`` [rad].
    unit : str
        What one list is, for the error text: "event" or "jet".

    Raises
    ------
    MissingBranchError
        If a field is missing.
    DataError
        If the array is not one jagged level of records, or a value is not finite, or a pT is negative.
    """
    for name in ("pt", "eta", "phi"):
        if name not in particles.fields:
            near = close_names(name, particles.fields)
            raise MissingBranchError(
                f"the particles have no field {name!r} (they have: {', '.join(particles.fields) or 'none'}).",
                remedy=f"Did you mean {near[0]}?" if near else "Give records with pt [GeV], eta and phi [rad].",
            )
    if particles.ndim != 2:
        raise DataError(
            f"the particles have {particles.ndim} levels, but one list of particles per {unit} (2 levels) is needed.",
            remedy="Flatten the outer levels first, for example with ak.flatten.",
        )
    counts = ak.to_numpy(ak.num(particles, axis=1))
    columns = [_column(particles, name) for name in ("pt", "eta", "phi")]
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    _check(*columns, offsets, unit)
    keep = columns[0] > 0
    if not keep.all():
        offsets = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])[offsets]
        columns = [column[keep] for column in columns]
    return FlatParticles(*columns, offsets)


def momentum_array(particles: FlatParticles) -> ak.Array:
    """The same particles as Cartesian massless four-momenta (GeV), in the exact layout that FastJet's binding reads."""
    pt, eta, phi = particles.pt, particles.eta, particles.phi
    columns = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta), "E": pt * np.cosh(eta)}
    records = ak.contents.RecordArray(
        [ak.contents.NumpyArray(column) for column in columns.values()],
        list(columns),
        parameters={"__record__": "Momentum4D"},
    )
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(particles.offsets), records))


def _column(particles: ak.Array, name: str) -> np.ndarray:
    """One field of all lists as float64; float16 and float32 inputs are widened before anything is computed."""
    flat = ak.drop_none(ak.flatten(particles[name], axis=1))
    if len(flat) != int(ak.sum(ak.num(particles, axis=1))):
        raise DataError(f"the particles' {name} has missing values (None).", remedy="Drop these particles first.")
    return ak.to_numpy(flat).astype(np.float64)


def _check(pt: np.ndarray, eta: np.ndarray, phi: np.ndarray, offsets: np.ndarray, unit: str) -> None:
    """Refuse what no detector measures, and say where it is."""
    for name, column, limit in (("pt", pt, np.inf), ("eta", eta, 50.0), ("phi", phi, np.inf)):
        bad = ~np.isfinite(column) | (np.abs(column) > limit)
        if name == "pt":
            bad |= column < 0
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            place = int(np.searchsorted(offsets, first, side="right")) - 1
            raise DataError(
                f"a particle has {name} = {column[first]:g} ({int(bad.sum())} such values).",
                where=f"{unit} {place}, particle {first - int(offsets[place])}",
                remedy="Momenta must be finite, pT not negative and |eta| at most 50; check how the file was made.",
            )

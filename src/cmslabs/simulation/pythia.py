"""Pythia 8 as a source of batches: flat NumPy columns, no Python loop over particles.

C. Bierlich et al., "A comprehensive guide to the physics and usage of PYTHIA 8.3", SciPost Phys.
Codebases 8 (2022), arXiv:2203.11601, doi:10.21468/SciPostPhysCodeb.8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import awkward as ak
import numpy as np

from cmslabs.errors import SimulationError, require

__all__ = ["Batch", "Species", "batches", "cross_section", "pythia_seed", "start"]

#: Pythia accepts seeds below this number.
SEED_LIMIT = 900_000_000
#: Columns of the event record that we use.
COLUMNS = ("id", "status", "mother1")


@dataclass(frozen=True)
class Batch:
    """Event records of many events as flat columns.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_events + 1,)
        Event ``i`` has the rows ``offsets[i]:offsets[i + 1]``; its first row is the event as a whole.
    id, status, mother1 : ndarray of int64, shape (n_rows,)
        As in Pythia: PDG number; positive status for final particles; row of the mother within the event.
    px, py, pz, e : ndarray, shape (n_rows,)
        Four-momentum [GeV].
    vertex : ndarray, shape (n_rows, 3)
        Where the particle was made [mm].
    """

    offsets: np.ndarray
    id: np.ndarray
    status: np.ndarray
    mother1: np.ndarray
    px: np.ndarray
    py: np.ndarray
    pz: np.ndarray
    e: np.ndarray
    vertex: np.ndarray

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.offsets) - 1

    @cached_property
    def event(self) -> np.ndarray:
        """Index of the event of each row."""
        return np.repeat(np.arange(self.n_events), np.diff(self.offsets))

    @cached_property
    def final(self) -> np.ndarray:
        """Rows of the particles that reach the detector."""
        return np.flatnonzero(self.status > 0)

    def select(self, events: np.ndarray) -> Batch:
        """Only the events whose entry in the boolean array `events` is true."""
        rows = np.repeat(events, np.diff(self.offsets))
        counts = np.diff(self.offsets)[events]
        names = ("id", "status", "mother1", "px", "py", "pz", "e", "vertex")
        return Batch(_offsets(counts), **{name: getattr(self, name)[rows] for name in names})


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def pythia_seed(seed: int) -> int:
    """Fold a chunk's 63-bit seed into Pythia's range, 1 to 899 999 999.

    Examples
    --------
    >>> pythia_seed(0), pythia_seed(899_999_998), pythia_seed(899_999_999)
    (1, 899999999, 1)
    """
    return 1 + seed % (SEED_LIMIT - 1)


def start(lines: Sequence[str], seed: int) -> Any:
    """An initialised Pythia.

    Parameters
    ----------
    lines : sequence of str
        Settings, as for ``Pythia.readString``.
    seed : int
        From 1 to 899 999 999.

    Raises
    ------
    MissingExtraError
        If pythia8mc is not installed (extra ``sim``).
    SimulationError
        If Pythia refuses a line or cannot start with these settings.
    """
    pythia8 = require("pythia8mc", "sim")
    pythia = pythia8.Pythia("", False)
    for line in ("Print:quiet = on", *lines, "Random:setSeed = on", f"Random:seed = {seed}"):
        if not pythia.readString(line):
            raise SimulationError(
                f"Pythia does not understand the setting {line!r}.", remedy="Look it up in the Pythia 8.3 manual."
            )
    if not pythia.init():
        raise SimulationError(
            "Pythia cannot start with these settings.",
            where="; ".join(lines),
            remedy="The process has no cross-section here: check masses, open decay channels and phase-space cuts.",
        )
    return pythia


def batches(pythia: Any, size: int) -> Iterator[Batch]:
    """Endless batches of `size` events (fewer where Pythia gave an event up).

    Raises
    ------
    SimulationError
        If a whole batch fails.
    """
    while True:
        events = pythia.nextBatch(size, errorMode="skip")
        if len(events) == 0:
            raise SimulationError(
                f"Pythia gave up {size} events in a row.", remedy="Check masses and decay channels of the process."
            )
        yield _flatten(events.prt)


def _flatten(particles: ak.Array) -> Batch:
    counts = ak.to_numpy(ak.num(particles, axis=1))
    flat = ak.flatten(particles, axis=1)
    columns = {name: ak.to_numpy(flat[name]).astype(np.int64) for name in COLUMNS}
    columns |= {name: ak.to_numpy(flat.p[name]) for name in ("px", "py", "pz", "e")}
    # Pythia stores a vertex only where it is not the origin.
    vertex = [ak.to_numpy(ak.fill_none(flat.vProd[name], 0.0)) for name in ("px", "py", "pz")]
    return Batch(_offsets(counts), vertex=np.stack(vertex, axis=1), **columns)


class Species:
    """Charge and visibility of particles, looked up once per PDG number in Pythia's own table."""

    def __init__(self, pythia: Any):
        self._data = pythia.particleData

    def charge(self, ids: np.ndarray) -> np.ndarray:
        """Electric charge in units of the positron's."""
        return self._look_up(ids, self._data.charge)

    def visible(self, ids: np.ndarray) -> np.ndarray:
        """Whether the particle feels the electromagnetic or the strong force: neutrinos do not."""
        return self._look_up(ids, self._data.isVisible).astype(bool)

    @staticmethod
    def _look_up(ids: np.ndarray, property_of: Callable[[int], float]) -> np.ndarray:
        unique, inverse = np.unique(ids, return_inverse=True)
        return np.array([property_of(int(one)) for one in unique], dtype=np.float64)[inverse]


def cross_section(pythia: Any) -> tuple[float, float]:
    """Cross-section of what was generated and its statistical error [pb]."""
    info = pythia.infoPython()
    picobarn_per_millibarn = 1e9
    return info.sigmaGen() * picobarn_per_millibarn, info.sigmaErr() * picobarn_per_millibarn

"""All particles of each event in the layout of the LHC Olympics' HDF5 files."""

from __future__ import annotations

import os
from collections.abc import Iterable

import awkward as ak
import h5py
import numpy as np

from cmslabs.data.lhco import MAX_PARTICLES
from cmslabs.data.parquet import provenance_json
from cmslabs.io import Provenance, atomic_write

__all__ = ["dense_rows", "write_lhco_particles"]

#: Rows per compressed piece.
ROWS = 50


def write_lhco_particles(
    path: str | os.PathLike, blocks: Iterable[ak.Array], n_events: int, label: int, provenance: Provenance
) -> None:
    """Write 700 x (pT, eta, phi) and the label per event, as pandas' fixed format has it (key ``df``).

    `cmslabs.data.lhco.iterate_particles` reads it.  Numbers are float32 and compressed with gzip, which
    every HDF5 library knows; the original files are float64 with Blosc.

    Parameters
    ----------
    path : path-like
        Ends in ``.h5``.
    blocks : iterable of ak.Array, each of shape (n, var)
        Particles: ``pt`` [GeV], ``eta``, ``phi`` [rad]; at most 700 per event.
    n_events : int
        Events in all blocks together.
    label : int
        0 background, 1 signal.
    provenance : Provenance
        Stored as JSON in the file's attribute ``cmslabs``.
    """
    width = 3 * MAX_PARTICLES + 1
    with atomic_write(path) as temporary, h5py.File(temporary, "w", track_order=False) as file:
        file.attrs["cmslabs"] = provenance_json(provenance)
        group = file.create_group("df")
        _describe(group, "GROUP", "1.0")
        group.attrs.update({"pandas_type": b"frame", "pandas_version": b"0.15.2", "encoding": b"UTF-8"})
        group.attrs.update({"errors": b"strict", "ndim": np.int64(2), "nblocks": np.int64(1)})
        for name, size in (("axis0", width), ("axis1", n_events), ("block0_items", width)):
            group.attrs[f"{name}_variety"] = b"regular"
            axis = group.create_dataset(name, data=np.arange(size, dtype=np.int64))
            _describe(axis, "ARRAY", "2.4")
            axis.attrs.update({"kind": b"integer", "name": b"N.", "transposed": np.uint8(1)})
        options = {"chunks": (min(ROWS, n_events), width), "compression": "gzip", "shuffle": True}
        values = group.create_dataset("block0_values", (n_events, width), dtype=np.float32, **options)
        _describe(values, "CARRAY", "1.1")
        values.attrs["transposed"] = np.uint8(1)
        first = 0
        for block in blocks:
            values[first : first + len(block)] = dense_rows(block, label)
            first += len(block)


def _describe(item: h5py.Group | h5py.Dataset, kind: str, version: str) -> None:
    """What PyTables wants to know about everything in a file."""
    item.attrs.update({"CLASS": np.bytes_(kind), "TITLE": np.bytes_(""), "VERSION": np.bytes_(version)})


def dense_rows(particles: ak.Array, label: int) -> np.ndarray:
    """One row of 2101 numbers per event: particles by falling pT, zeros behind the last, the label.

    Examples
    --------
    >>> row = dense_rows(ak.Array([[{"pt": 2.0, "eta": 0.5, "phi": 1.0}]]), label=1)[0]
    >>> row[:4].tolist(), row[-1].item(), len(row)
    ([2.0, 0.5, 1.0, 0.0], 1.0, 2101)
    """
    counts = ak.to_numpy(ak.num(particles))
    event = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(event)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.zeros((len(counts), 3 * MAX_PARTICLES + 1), dtype=np.float32)
    for offset, name in enumerate(("pt", "eta", "phi")):
        rows[event, 3 * place + offset] = ak.to_numpy(ak.flatten(particles[name]))
    rows[:, -1] = label
    return rows

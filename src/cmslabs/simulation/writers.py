"""NanoAOD-like ROOT files: a TTree ``Events`` with counters, a tree ``Runs``, and the provenance.

The same events and provenance give the same bytes: uproot's time stamps and random file number are
replaced by constants.
"""

from __future__ import annotations

import os
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from cmslabs.data.parquet import provenance_json
from cmslabs.io import Provenance, atomic_write, json_hash

__all__ = ["branch_units", "collect", "number_events", "round_floats", "write_nanoaod"]

#: ROOT's code for 1995-01-01 00:00:00, its first possible date.
EPOCH = (1 << 22) | (1 << 17)
_clock = threading.Lock()


def write_nanoaod(
    path: str | os.PathLike,
    blocks: Iterable[ak.Array],
    runs: dict[str, np.ndarray],
    provenance: Provenance,
    *,
    precision: Mapping[str, int] | None = None,
    compression: Any = None,
) -> int:
    """Write events as NanoAOD has them.

    Parameters
    ----------
    path : path-like
    blocks : iterable of ak.Array
        Events in pieces of one type, at least one piece; jagged record fields become collections (``nMuon``,
        ``Muon_pt`` ...), others plain branches.  Each piece becomes one basket per branch.
    runs : dict of ndarray
        Branches of the tree ``Runs``.
    provenance : Provenance
        Stored as JSON under the key ``cmslabs``.
    precision : mapping, optional
        Mantissa bits of float32 branches, as in CMS's files, so that they compress: by branch
        (``"Muon_dxy"``), collection (``"Muon"``), or ``""`` for all others.  Default: no rounding.
    compression : uproot.compression.Compression, optional
        Default ZSTD.

    Returns
    -------
    int
        Number of events.
    """
    compression = uproot.ZSTD(9) if compression is None else compression
    # The file's number follows from its content's description instead of from the clock.
    identity = uuid.UUID(json_hash(provenance.model_dump(mode="json"), digits=32))
    n_events, tree = 0, None
    with atomic_write(path) as temporary, tempfile.TemporaryDirectory(dir=temporary.parent, prefix=".part-") as folder:
        # ROOT files contain their own first name, so that it has to be the same each time.
        draft = Path(folder) / "events.root"
        with _stopped_clock(), uproot.recreate(draft, compression=compression, uuid_function=lambda: identity) as file:
            for block in blocks:
                columns = {name: _round_branch(name, block[name], precision or {}) for name in block.fields}
                if tree is None:
                    tree = file.mktree("Events", {name: column.type.content for name, column in columns.items()})
                if len(block):
                    tree.extend(columns)
                n_events += len(block)
            file.mktree("Runs", {name: values.dtype for name, values in runs.items()}).extend(runs)
            file["cmslabs"] = provenance_json(provenance)
        draft.replace(temporary)
    return n_events


@contextmanager
def _stopped_clock() -> Iterator[None]:
    """Let uproot write a constant date: the time of writing is no property of simulated events."""
    with _clock:
        original = uproot._util.datetime_to_code
        uproot._util.datetime_to_code = lambda _: EPOCH
        try:
            yield
        finally:
            uproot._util.datetime_to_code = original


def round_floats(values: np.ndarray, bits: int) -> np.ndarray:
    """Round float32 numbers to `bits` bits of mantissa (of 23), to nearest.

    The relative error is at most ``2**-(bits + 1)``; what is cut off is zero and compresses well.

    Examples
    --------
    >>> import numpy as np
    >>> round_floats(np.array([91.1876, -0.1], dtype="f4"), 10).tolist()
    [91.1875, -0.0999755859375]
    """
    drop = 23 - bits
    if drop <= 0:
        return np.asarray(values, dtype=np.float32)
    integers = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    half = np.uint32(1 << (drop - 1))
    mask = np.uint32(0xFFFFFFFF ^ ((1 << drop) - 1))
    return ((integers + half) & mask).view(np.float32)


def _round_branch(name: str, column: ak.Array, precision: Mapping[str, int]) -> ak.Array:
    """Round a plain branch, or every field of a collection by its own entry."""
    default = precision.get("", 23)
    if not column.fields:
        bits = precision.get(name, precision.get(name.partition("_")[0], default))
        return _round_leaf(column, bits)
    default = precision.get(name, default)
    return ak.zip(
        {field: _round_leaf(column[field], precision.get(f"{name}_{field}", default)) for field in column.fields}
    )


def _round_leaf(column: ak.Array, bits: int) -> ak.Array:
    flat = ak.to_numpy(ak.flatten(column)) if column.ndim == 2 else ak.to_numpy(column)
    if flat.dtype != np.float32:
        return column
    values = round_floats(flat, bits)
    return ak.unflatten(values, ak.num(column)) if column.ndim == 2 else ak.Array(values)


def number_events(events: ak.Array, start: int, block: int) -> ak.Array:
    """Put run 1 (simulation), a luminosity block and event numbers from `start` + 1 in front."""
    n = len(events)
    numbers = {
        "run": np.full(n, 1, dtype=np.uint32),
        "luminosityBlock": np.full(n, block, dtype=np.uint32),
        "event": np.arange(start + 1, start + n + 1, dtype=np.uint64),
    }
    return ak.zip(numbers | {name: events[name] for name in events.fields}, depth_limit=1)


#: Prefixes whose branches form one record per event in `cmslabs.data.nanoaod`.
FLAT = ("MET", "PV", "Pileup", "HLT", "Flag", "L1PreFiringWeight")


def collect(events: ak.Array) -> ak.Array:
    """The same events in the layout that `cmslabs.data.nanoaod.read_nanoaod` gives: ``MET_pt`` becomes ``MET.pt``."""
    fields: dict[str, Any] = {}
    groups: dict[str, dict[str, ak.Array]] = {}
    for name in events.fields:
        prefix, _, rest = name.partition("_")
        if rest and prefix in FLAT:
            groups.setdefault(prefix, {})[rest] = events[name]
        else:
            fields[name] = events[name]
    return ak.zip(fields | {name: ak.zip(group) for name, group in groups.items()}, depth_limit=1)


def branch_units(events: ak.Array) -> dict[str, str]:
    """Unit of every branch, by the ending of its name.

    Examples
    --------
    >>> branch_units(ak.Array([{"MET_pt": 5.0, "Muon": [{"phi": 0.1, "dz": 0.0}]}]))
    {'MET_pt': 'GeV', 'Muon_phi': 'rad', 'Muon_dz': 'cm'}
    """
    names = [
        branch
        for name in events.fields
        for branch in ([f"{name}_{field}" for field in events[name].fields] if events[name].fields else [name])
    ]
    units = {"pt": "GeV", "mass": "GeV", "msoftdrop": "GeV", "sumEt": "GeV", "phi": "rad", "dxy": "cm", "dz": "cm"}
    return {name: units.get(name.rpartition("_")[2], "1") for name in names}

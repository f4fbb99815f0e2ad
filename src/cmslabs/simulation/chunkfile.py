"""What one chunk of a simulation sends home: events and a record, as bytes that prove they are whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import awkward as ak
import pyarrow as pa

from cmslabs.errors import SimulationError
from cmslabs.io import canonical_json

__all__ = ["is_whole", "pack", "read_events_of_chunk", "read_record", "unpack"]

RECORD = b"cmslabs:chunk"
DIGEST = 32


def pack(events: ak.Array, record: dict[str, Any]) -> bytes:
    """Events and record as bytes: a SHA-256, then an Arrow stream.

    Examples
    --------
    >>> content = pack(ak.Array([{"pt": [1.0, 2.0]}, {"pt": []}]), {"tried": 5})
    >>> events, record = unpack(content)
    >>> events.pt.tolist(), record
    ([[1.0, 2.0], []], {'tried': 5})
    """
    table = ak.to_arrow_table(ak.to_packed(events), extensionarray=True)
    metadata = dict(table.schema.metadata or {}) | {RECORD: canonical_json(record).encode()}
    table = table.replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    payload = sink.getvalue().to_pybytes()
    return hashlib.sha256(payload).digest() + payload


def unpack(content: bytes, where: object = None) -> tuple[ak.Array, dict[str, Any]]:
    """The opposite of `pack`.

    Raises
    ------
    SimulationError
        If the bytes are cut or changed.
    """
    table = _table(content, where)
    return ak.from_arrow(table), json.loads(table.schema.metadata[RECORD])


def _table(content: bytes, where: object) -> pa.Table:
    payload = memoryview(content)[DIGEST:]
    if len(content) <= DIGEST or hashlib.sha256(payload).digest() != content[:DIGEST]:
        raise SimulationError("is not a whole chunk.", where=where, remedy="Delete it and run the same command again.")
    return pa.ipc.open_stream(pa.py_buffer(payload)).read_all()


def is_whole(path: Path) -> bool:
    """Whether the file at `path` is what `pack` made."""
    content = path.read_bytes()
    return len(content) > DIGEST and hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]


def read_events_of_chunk(path: Path) -> ak.Array:
    """Events of a chunk's file."""
    return unpack(path.read_bytes(), path)[0]


def read_record(path: Path) -> dict[str, Any]:
    """Record of a chunk's file."""
    return unpack(path.read_bytes(), path)[1]

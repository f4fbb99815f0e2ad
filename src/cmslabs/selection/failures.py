"""What went wrong in a chunk of events: a damaged file, a documented error of ours, or something unforeseen."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import uproot

from cmslabs.data.decode import decoding
from cmslabs.errors import CmslabsError, DataError, JobError

__all__ = ["Failure", "explain"]

#: Packages that read files: an error inside them is the file's or the network's, not ours.
READERS = frozenset({"uproot", "fsspec", "fsspec_xrootd", "aiohttp", "pyarrow"})


@dataclass(frozen=True)
class Failure:
    """What went wrong in one chunk.

    Attributes
    ----------
    dataset, path : str
    start, stop : int
        The chunk's events; `stop` is not included.
    error : CmslabsError
    damage : bool
        Whether the file could not be read; else the mistake is not the file's.
    """

    dataset: str
    path: str
    start: int
    stop: int
    error: CmslabsError
    damage: bool


def explain(chunk: Any, error: Exception) -> Failure:
    """What an error in a chunk means: a damaged file, a documented error of ours, or something unforeseen."""
    chain = list(_chain(error))
    damage = any(_inside_reader(one) for one in chain) and not any(isinstance(one, MemoryError) for one in chain)
    ours = next((one for one in chain if isinstance(one, CmslabsError)), None)
    if ours is None and not damage:
        ours = _lying_counts(chunk)
        damage = ours is not None
    where = f"{chunk.filename}, events {chunk.entrystart}-{chunk.entrystop}"
    if ours is None:
        cause = chain[-1]
        reason = f"{type(cause).__name__}: {(str(cause).strip().splitlines() or [''])[0][:200]}".rstrip(". ")
        if damage:
            ours = DataError(f"cannot be decoded ({reason}).", where=where, remedy="Fetch it again, or leave it out.")
        else:
            place = traceback.extract_tb(cause.__traceback__)[-1]
            ours = JobError(
                f"the selection failed ({reason}; {Path(place.filename).name}, line {place.lineno}).",
                where=where,
                remedy="Smaller chunks need less memory." if isinstance(cause, MemoryError) else "Please report it.",
            )
    return Failure(chunk.dataset, chunk.filename, chunk.entrystart, chunk.entrystop, ours, damage)


def _lying_counts(chunk: Any) -> DataError | None:
    """A damaged branch of counts (``nMuon``) can be decoded, and then tears coffea's arrays apart."""
    if chunk.filename.endswith(".parquet"):
        return None
    where = f"{chunk.filename}, events {chunk.entrystart}-{chunk.entrystop}"
    try:
        with decoding(chunk.filename, f"events {chunk.entrystart}-{chunk.entrystop}"):
            found = _first_lie(chunk)
    except DataError as error:
        return error
    if found is None:
        return None
    return DataError(
        f"{found[0]} counts other objects than {found[1]} has.",
        where=where,
        remedy="The file is damaged: fetch it again, or leave it out.",
    )


def _first_lie(chunk: Any) -> tuple[str, str] | None:
    with uproot.open({chunk.filename: chunk.treename}) as tree:
        branches = tree.keys()
        for counter in branches:
            first = next((name for name in branches if name.startswith(f"{counter[1:]}_")), None)
            if not counter.startswith("n") or first is None:
                continue
            told, values = (
                tree[name].array(entry_start=chunk.entrystart, entry_stop=chunk.entrystop) for name in (counter, first)
            )
            if values.ndim > 1 and not ak.all(ak.num(values) == told):
                return counter, first
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _inside_reader(error: BaseException) -> bool:
    return any(
        frame.f_globals.get("__name__", "").partition(".")[0] in READERS
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )

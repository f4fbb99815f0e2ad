"""Asking events for a branch: what is not there is an error that names the file, the branch and a remedy.

The events may be coffea's NanoEvents or what `cmslabs.data.nanoaod.read_nanoaod` gives.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.data.nanoaod_names import remark
from cmslabs.errors import DataError, MissingBranchError, close_names

__all__ = ["branch_name", "flat", "get", "has", "objects", "source_of"]


def has(events: ak.Array, collection: str, name: str | None = None) -> bool:
    """Whether the events have a collection (or scalar), or this field of it; nothing is read.

    Examples
    --------
    >>> events = ak.Array([{"genWeight": 1.0, "MET": {"pt": 20.0}}])
    >>> has(events, "genWeight"), has(events, "MET", "pt"), has(events, "MET", "phi")
    (True, True, False)
    """
    return collection in events.fields and (name is None or name in events[collection].fields)


def get(events: ak.Array, collection: str, name: str | None = None) -> ak.Array:
    """A collection or scalar of the events, or one field of a collection.

    Raises
    ------
    MissingBranchError
        If it is not there.

    Examples
    --------
    >>> events = ak.Array([{"MET": {"pt": 20.0}}])
    >>> get(events, "MET", "pt").to_list()
    [20.0]
    """
    if not has(events, collection, name):
        raise _missing(events, collection, name)
    return events[collection] if name is None else events[collection][name]


def objects(events: ak.Array, collection: str, *needed: str) -> ak.Array:
    """The records of a collection, a list of them for each event; `needed` are fields that they must have.

    Raises
    ------
    MissingBranchError
        If the collection or one of these fields is not there.
    DataError
        If its branches do not say that they belong together: a file without the counter ``nMuon``.
    """
    records = get(events, collection)
    for name in needed:
        get(events, collection, name)
    if records.ndim != 2:
        raise DataError(
            f"the branches {collection}_* are no lists with one counter n{collection}.",
            where=f"{source_of(events)}, Events",
            remedy="Was the file written by hand? Write the branches as one record (awkward.zip).",
        )
    return records


def flat(events: ak.Array, collection: str, name: str) -> np.ndarray:
    """A field of the objects of all events in one row: numpy is several times faster on it than on lists.

    Raises
    ------
    MissingBranchError

    Examples
    --------
    >>> flat(ak.Array([{"Muon": [{"pt": 20.0}, {"pt": 5.0}]}, {"Muon": []}]), "Muon", "pt")
    array([20.,  5.])
    """
    return ak.to_numpy(ak.flatten(get(events, collection, name)))


def branch_name(collection: str, name: str | None = None) -> str:
    """The name of the branch in the file: ``Muon_pt``."""
    return collection if name is None else f"{collection}_{name}"


def source_of(events: ak.Array) -> str:
    """The file that the events come from, where they know it, for messages."""
    metadata = events.layout.purelist_parameter("metadata") or {}
    return str(metadata.get("filename") or events.attrs.get("filename") or "(file unknown)")


def _missing(events: ak.Array, collection: str, name: str | None) -> MissingBranchError:
    branch = branch_name(collection, name)
    if collection not in events.fields:
        close = close_names(collection, events.fields)
    else:
        close = [branch_name(collection, field) for field in close_names(name, events[collection].fields)]
    hints = [f"Close names: {', '.join(close)}."] if close else ["'cmslabs data check FILE' lists what it has."]
    hints += [text for text in [remark(collection if name is None else f"{collection}.{name}")] if text]
    return MissingBranchError(
        f"there is no branch '{branch}'.", where=f"{source_of(events)}, Events", remedy=" ".join(hints)
    )

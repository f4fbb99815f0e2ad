"""NanoAOD files (TTree and RNTuple) as awkward arrays, lazily and in chunks.

Layout of the events, the same for every version of the format and for our own simulated files:

- ``run``, ``luminosityBlock``, ``event`` and other scalars (``genWeight``) as they are;
- ``Muon``, ``Jet``, ...: jagged records, ``events.Muon.pt``;
- ``MET``, ``PV``, ``Pileup``, ``HLT``, ``Flag``: one record per event, ``events.MET.pt``.

Units are those of NanoAOD: GeV, radians, cm.  Records with pt, eta, phi and mass are called
``Momentum4D`` and are vectors of the `vector` library (`Momentum3D` without a mass, `Momentum2D`
for a MET).  Names are those of version 9: see `cmslabs.data.nanoaod_names`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import awkward as ak
import numpy as np
import uproot

from cmslabs.data.decode import decoding
from cmslabs.data.nanoaod_layout import Leaf, assemble, choose, lay_out
from cmslabs.data.nanoaod_names import find_version
from cmslabs.data.rootfile import check_header, ntuple_types, tree_types
from cmslabs.errors import ConfigError, DataError
from cmslabs.io import existing_file

__all__ = ["NanoFile", "iterate_nanoaod", "open_nanoaod", "read_nanoaod", "read_runs"]

_OF_SIMULATION = ("genWeight", "Gen", "LHE", "Pileup_nTrueInt")


@dataclass(frozen=True)
class NanoFile:
    """An open NanoAOD file: what it holds, without any event having been read.

    Attributes
    ----------
    path : Path
    format : "TTree" or "RNTuple"
    n_events : int
    version : int
        The oldest version of NanoAOD that the branches allow (5 to 15).
    branches : tuple of str
        Their names in the file.
    simulation : bool
        Whether there are generator branches.
    leaves : tuple of Leaf
        The branches with their places in the layout.
    """

    path: Path
    format: Literal["TTree", "RNTuple"]
    n_events: int
    version: int
    branches: tuple[str, ...]
    simulation: bool
    leaves: tuple[Leaf, ...] = field(repr=False)
    events: Any = field(repr=False)

    @property
    def collections(self) -> list[str]:
        """Names of the collections and scalars, as fields of the events."""
        return list(dict.fromkeys(leaf.collection or leaf.field for leaf in self.leaves))

    def read(
        self, collections: Sequence[str] | None = None, start: int = 0, stop: int | None = None, check: bool = True
    ) -> ak.Array:
        """Read a range of events; see `read_nanoaod`."""
        leaves = choose(self.leaves, collections, self.path)
        stop = self.n_events if stop is None else min(stop, self.n_events)
        if start < 0 or stop < 0:
            raise ConfigError(f"the event range {start} to {stop} is not one.", remedy="Count from 0.")
        start = min(start, stop)
        with decoding(self.path, f"Events, events {start}-{stop}"):
            arrays = _arrays(self, {leaf.branch for leaf in leaves}, start, stop)
        events = assemble(leaves, arrays, stop - start, self.path)
        if check:
            _check_momenta(events, leaves, self.path, start)
        events.attrs["filename"] = str(self.path)  # for the messages of whoever misses something in them
        return events


def open_nanoaod(path: str | os.PathLike) -> NanoFile:
    """Open a NanoAOD file; only its metadata is read.

    Raises
    ------
    DataError
        If the file is missing, cut, no ROOT file, has no ``Events``, or a branch of the wrong type.
    """
    path = existing_file(path)
    check_header(path)
    with decoding(path, "the file's list of contents"):
        file = uproot.open(path)
        names = file.keys(cycle=False, recursive=False)
    if "Events" not in names:
        raise DataError(
            f"has no tree 'Events' (it has: {', '.join(sorted(set(names))[:10]) or 'nothing'}).",
            where=path,
            remedy="NanoAOD keeps its events there: is this another kind of file?",
        )
    with decoding(path, "Events"):
        events = file["Events"]
        kind = "TTree" if isinstance(events, uproot.TTree) else "RNTuple"
        if kind == "RNTuple" and not isinstance(events, uproot.behaviors.RNTuple.HasFields):
            raise DataError(
                "is neither a TTree nor an RNTuple.", where=f"{path}, Events", remedy="This is not NanoAOD."
            )
        n_events = int(events.num_entries)
        types = tree_types(events) if kind == "TTree" else ntuple_types(events)
        runs = file["Runs"].keys() if "Runs" in names else []
    flat = [name.replace(".", "_") for name in types]
    return NanoFile(
        path=path,
        format=kind,
        n_events=n_events,
        version=find_version(flat, runs),
        branches=tuple(types),
        simulation=any(name.startswith(_OF_SIMULATION) for name in flat),
        leaves=tuple(lay_out(types, path)),
        events=events,
    )


def read_nanoaod(
    path: str | os.PathLike,
    collections: Sequence[str] | None = None,
    start: int = 0,
    stop: int | None = None,
    check: bool = True,
) -> ak.Array:
    """Read events of a NanoAOD file.

    Parameters
    ----------
    path : path-like
        A local ROOT file.
    collections : sequence of str, optional
        ``["Muon", "MET.pt", "HLT.Mu17*"]``: collections, fields or patterns.  Only their branches are
        read, and run, luminosityBlock and event.  None reads everything.
    start, stop : int
        Range of events; `stop` is not included and may lie behind the end.
    check : bool
        Refuse momenta that are not finite and negative pT.

    Returns
    -------
    ak.Array
        Records as in the module's description; empty, with the right fields, for a file without events.

    Raises
    ------
    DataError
        If the file is missing, cut or no NanoAOD, or holds NaN, inf or negative momenta.
    MissingBranchError
        If something that was asked for is not there.
    """
    return open_nanoaod(path).read(collections, start, stop, check)


def iterate_nanoaod(
    paths: str | os.PathLike | Iterable[str | os.PathLike],
    collections: Sequence[str] | None = None,
    chunk_size: int = 100_000,
    check: bool = True,
) -> Iterator[ak.Array]:
    """Read one or several files in chunks of at most `chunk_size` events; a chunk never spans two files.

    Files without events give nothing, unless there are only such: then one empty chunk tells the fields.
    """
    if chunk_size < 1:
        raise ConfigError(f"a chunk cannot have {chunk_size} events.", remedy="Choose at least 1.")
    empty, given = None, False
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        nano = open_nanoaod(path)
        for start in range(0, nano.n_events, chunk_size):
            yield nano.read(collections, start, start + chunk_size, check)
            given = True
        empty = nano if empty is None else empty
    if not given and empty is not None:
        yield empty.read(collections)


def read_runs(path: str | os.PathLike) -> ak.Array:
    """The ``Runs`` tree: sums of weights before any selection, with the names of version 9 (no trailing underscore).

    Raises
    ------
    DataError
        If the file has no ``Runs``; then the sum over the events' genWeight is all there is.
    """
    path = existing_file(path)
    check_header(path)
    with decoding(path, "Runs"):
        file = uproot.open(path)
        runs = file["Runs"].arrays() if "Runs" in file.keys(cycle=False) else None
    if runs is None:
        raise DataError(
            "has no tree 'Runs', so the sum of weights before selections is not stored.",
            where=path,
            remedy="Sum genWeight over the events, if none were dropped.",
        )
    return ak.zip({name.removesuffix("_"): runs[name] for name in runs.fields}, depth_limit=1)


def _arrays(nano: NanoFile, branches: set[str], start: int, stop: int) -> dict[str, ak.Array]:
    if nano.format == "TTree":
        # uproot would keep 100 MB of arrays for a second reading that never comes.
        return nano.events.arrays(
            filter_name=branches.__contains__, entry_start=start, entry_stop=stop, how=dict, array_cache=None
        )
    tops = {name.partition(".")[0] for name in branches}
    keys = [name for name in nano.events.keys() if name in branches or name in tops]  # noqa: SIM118
    read = nano.events.arrays(filter_name=keys, entry_start=start, entry_stop=stop)
    return {name: read[tuple(name.split(".", 1))] if "." in name else read[name] for name in branches}


def _check_momenta(events: ak.Array, leaves: Sequence[Leaf], path: Path, start: int) -> None:
    for leaf in leaves:
        if leaf.collection is None or leaf.field not in ("pt", "eta", "phi", "mass"):
            continue
        values = events[leaf.collection, leaf.field]
        good = np.isfinite(values) & (values >= 0) if leaf.field == "pt" else np.isfinite(values)
        if not ak.all(good, axis=None):
            bad = np.flatnonzero(~ak.to_numpy(ak.all(good, axis=1) if leaf.jagged else good))
            what = "is not finite or negative" if leaf.field == "pt" else "is not finite"
            raise DataError(
                f"the value {what} in {len(bad)} event(s), first in event {start + bad[0]}.",
                where=f"{path}, Events/{leaf.branch}",
                remedy="See 'cmslabs data check FILE'; check=False reads it all the same.",
            )

"""Copy chosen branches of a NanoAOD file to Parquet: read once with LZMA, then many times at full speed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cmslabs.data.nanoaod import NanoFile, open_nanoaod
from cmslabs.data.nanoaod_layout import Leaf, choose
from cmslabs.data.tables import event_writer
from cmslabs.errors import DataError
from cmslabs.io import Provenance, sha256, versions

__all__ = ["export"]

#: A chunk holds at most about this many values, so that 1500 branches need no more memory than 5.
_VALUES_PER_CHUNK = 20_000_000
_VALUES_PER_BRANCH = 4
_MAX_CHUNK = 100_000


def export(path: str | os.PathLike, out: str | os.PathLike, branches: Sequence[str] | None = None) -> dict[str, Any]:
    """Copy branches of a NanoAOD file (TTree or RNTuple) to a Parquet file, jagged ones without loss.

    `cmslabs.data.tables.read_events` then gives the very events that `read_nanoaod` gives: same fields,
    types and values, also NaN and empty lists.

    Parameters
    ----------
    path : path-like
        The NanoAOD file.
    out : path-like
        The file to write, ending in ``.parquet``; it appears whole or not at all.
    branches : sequence of str, optional
        Collections (``"Muon"``), fields (``"Muon.pt"`` or ``"Muon_pt"``) or patterns (``"HLT_Mu17*"``).
        All if not given.  Run, luminosity block and event number always come along.

    Returns
    -------
    dict
        ``n_events``, ``n_branches``, ``bytes_in``, ``bytes_out``, ``out``: plain JSON.

    Raises
    ------
    DataError
        If the file cannot be read, `out` is the input itself, or a branch has a type that Parquet lacks.
    MissingBranchError
        If a branch is not there.
    """
    out = Path(out)
    nano = open_nanoaod(path)
    if out.exists() and out.samefile(nano.path):
        raise DataError("is the input file.", where=out, remedy="Choose another name to write to.")
    leaves = choose(nano.leaves, branches, nano.path)
    names = [leaf.name for leaf in leaves]
    chunk = max(1, min(_MAX_CHUNK, _VALUES_PER_CHUNK // (_VALUES_PER_BRANCH * len(leaves))))
    with event_writer(out, _provenance(nano, leaves)) as write:
        for start in range(0, nano.n_events, chunk) or [0]:
            # What is odd in the file is copied as it is: a copy is not the place to judge.
            write(nano.read(names, start, start + chunk, check=False))
    return {
        "n_events": nano.n_events,
        "n_branches": len(leaves),
        "bytes_in": nano.path.stat().st_size,
        "bytes_out": out.stat().st_size,
        "out": str(out),
    }


def _provenance(nano: NanoFile, leaves: Sequence[Leaf]) -> Provenance:
    return Provenance(
        source=nano.path.name,
        simulation=nano.simulation,
        script="cmslabs data export",
        versions=versions("uproot", "awkward", "pyarrow"),
        units={leaf.name: unit for leaf in leaves if (unit := _unit(leaf)) is not None},
        details={
            "input_sha256": sha256(nano.path),
            "nanoaod_version": nano.version,
            "format": nano.format,
            "renamed": {leaf.name: leaf.branch for leaf in leaves if leaf.name != _plain_name(leaf.branch)},
        },
    )


def _plain_name(branch: str) -> str:
    return branch if "." in branch else branch.replace("_", ".", 1)


def _unit(leaf: Leaf) -> str | None:
    """Units of the kinematic fields; the others are documented by CMS branch by branch."""
    known = {"pt": "GeV", "mass": "GeV", "msoftdrop": "GeV", "sumEt": "GeV", "eta": "1", "phi": "rad", "charge": "e"}
    return known.get(leaf.field) if leaf.collection else None

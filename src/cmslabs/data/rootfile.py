"""ROOT files: what can be wrong with one, and what its branches hold."""

from __future__ import annotations

import struct
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from cmslabs.errors import DataError

__all__ = ["check_header", "ntuple_types", "tree_types"]


def check_header(path: Path) -> None:
    """Compare the size that the file's header promises with the one it has: a cut file says so at once."""
    with open(path, "rb") as file:
        head = file.read(20)
    if head[:4] != b"root" or len(head) < 20:
        raise DataError("is not a ROOT file.", where=path, remedy="Check the name, or fetch it again.")
    version, _, end32 = struct.unpack(">iii", head[4:16])
    end = struct.unpack(">q", head[12:20])[0] if version >= 1_000_000 else end32
    size = path.stat().st_size
    if size < end:
        raise DataError(f"is cut: {size} of {end} bytes are there.", where=path, remedy="Fetch it again.")


def tree_types(tree: uproot.TTree) -> dict[str, tuple[bool, str]]:
    """Branch to (jagged, kind of number as in ``dtype.kind``; "" where it is no number)."""
    types = {}
    for branch in tree.branches:
        interpretation = branch.interpretation
        jagged = isinstance(interpretation, uproot.AsJagged)
        content = interpretation.content if jagged else interpretation
        dtype = content.to_dtype if isinstance(content, uproot.AsDtype) else None
        types[branch.name] = (jagged, dtype.base.kind if dtype is not None and dtype.names is None else "")
    return types


def ntuple_types(ntuple: uproot.behaviors.RNTuple.HasFields) -> dict[str, tuple[bool, str]]:
    """The same for an RNTuple; the fields of a record or of a list of records are ``Muon.pt``."""
    form = ntuple.to_akform()
    form = form[0] if isinstance(form, tuple) else form
    types = {}
    for name in form.fields:
        content = form.content(name)
        jagged = content.is_list and content.parameter("__array__") is None
        inner = content.content if jagged else content
        if inner.is_record:
            types |= {f"{name}.{key}": (jagged, _form_kind(inner.content(key))) for key in inner.fields}
        else:
            types[name] = (jagged, _form_kind(inner))
    return types


def _form_kind(form: ak.forms.Form) -> str:
    return np.dtype(form.primitive).kind if form.is_numpy else ""

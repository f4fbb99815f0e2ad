"""From the flat branches of NanoAOD to collections: which branch is which field of what."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import awkward as ak
import numpy as np

from cmslabs.data.nanoaod_names import canonical_names, remark
from cmslabs.errors import DataError, MissingBranchError, close_names

__all__ = ["IDENTITY", "Leaf", "assemble", "choose", "lay_out"]

#: Always read where they are there: they say which event it is.
IDENTITY = ("run", "luminosityBlock", "event")
#: What kind of number a field must be, wherever it occurs.
_KINDS = {"pt": "f", "eta": "f", "phi": "f", "mass": "f", "charge": "iu", "pdgId": "iu"}
_KIND_NAMES = {"f": "floating-point numbers", "iu": "integers"}
_COORDINATES = {
    "Momentum4D": {"pt", "eta", "phi", "mass"},
    "Momentum3D": {"pt", "eta", "phi"},
    "Momentum2D": {"pt", "phi"},
}
#: All words that the vector library takes for a coordinate; a secondary vertex has pt and x and is no vector.
_ALL_COORDINATES = frozenset("x y z t rho phi theta eta tau px py pz E e energy pt M m mass".split())  # noqa: SIM905


class Leaf(NamedTuple):
    """A branch and its place: ``Muon_pt`` is the field ``pt`` of the jagged collection ``Muon``."""

    collection: str | None
    field: str
    branch: str
    jagged: bool

    @property
    def name(self) -> str:
        """The name with a dot, ``Muon.pt``; a scalar's own name."""
        return self.field if self.collection is None else f"{self.collection}.{self.field}"


def lay_out(types: Mapping[str, tuple[bool, str]], where: object) -> list[Leaf]:
    """Group branches to collections, under their canonical names.

    Parameters
    ----------
    types : mapping
        Branch name to (jagged, kind of number as in numpy's ``dtype.kind``; "" where it is no number).
        A dot or the first underscore divides collection and field.
    where : object
        The file, for messages.

    Raises
    ------
    DataError
        If a branch has the wrong kind of numbers.
    """
    jagged_sets = {_split(name)[0] for name, (jagged, _) in types.items() if jagged}
    leaves = []
    for branch, (jagged, kind) in types.items():
        if _is_counter(branch, types, jagged_sets):
            continue
        collection, field = _split(branch)
        if collection is not None and not jagged and collection in jagged_sets:
            collection, field = None, branch  # A number per event beside a list of the same name.
        leaf = Leaf(collection, field, branch, jagged)
        _check_kind(leaf, kind, where)
        leaves.append(leaf)
    return sorted(_rename(leaves), key=_identity_first)


def _identity_first(leaf: Leaf) -> int:
    return IDENTITY.index(leaf.name) if leaf.name in IDENTITY else len(IDENTITY)


def _split(branch: str) -> tuple[str | None, str]:
    for mark in (".", "_"):
        collection, divided, field = branch.partition(mark)
        if divided and collection and field:
            return collection, field
    return None, branch


def _is_counter(branch: str, types: Mapping[str, tuple[bool, str]], jagged_sets: set) -> bool:
    """``nMuon`` counts the muons; uproot writes one counter per branch (``nMuon_pt``) where it was told no groups."""
    if not branch.startswith("n") or types[branch][0]:
        return False
    counted = branch[1:]
    return counted in jagged_sets or types.get(counted, (False, ""))[0]


def _check_kind(leaf: Leaf, kind: str, where: object) -> None:
    wanted = _KINDS.get(leaf.field) if leaf.collection else ("iu" if leaf.field in IDENTITY else None)
    if wanted and kind not in wanted:
        raise DataError(
            f"the branch must hold {_KIND_NAMES[wanted]}, but is of another type.",
            where=f"{where}, Events/{leaf.branch}",
            remedy="The file is not NanoAOD as CMS writes it: write that branch again.",
        )


def _rename(leaves: list[Leaf]) -> list[Leaf]:
    names = canonical_names({leaf.collection for leaf in leaves if leaf.collection} | {leaf.name for leaf in leaves})
    taken = {leaf.name for leaf in leaves} | {leaf.collection for leaf in leaves}
    result = []
    for leaf in leaves:
        new = names.get(leaf.name)
        if new is not None and new not in taken:
            leaf = leaf._replace(collection=None, field=new)
        elif leaf.collection in names and names[leaf.collection] not in taken:
            leaf = leaf._replace(collection=names[leaf.collection])
        result.append(leaf)
    return result


def choose(leaves: Sequence[Leaf], wanted: Iterable[str] | None, where: object) -> list[Leaf]:
    """The leaves of the wanted collections, fields or patterns, and what identifies the event.

    Parameters
    ----------
    wanted : iterable of str or None
        ``"Muon"``, ``"Muon.pt"``, ``"HLT.Mu17*"``; the file's own branch names do as well.  None: all.

    Raises
    ------
    MissingBranchError
        With close names that are there, and what the table of versions says.
    """
    if wanted is None:
        return list(leaves)
    chosen: set[str] = {leaf.branch for leaf in leaves if leaf.collection is None and leaf.field in IDENTITY}
    by_name = _index(leaves)
    for name in [wanted] if isinstance(wanted, str) else wanted:
        found = by_name.get(name, set())
        if not found and any(mark in name for mark in "*?["):
            found = {
                leaf.branch
                for leaf in leaves
                if fnmatch.fnmatchcase(leaf.name, name) or fnmatch.fnmatchcase(leaf.branch, name)
            }
        if not found:
            raise _missing(leaves, name, where)
        chosen |= found
    return [leaf for leaf in leaves if leaf.branch in chosen]


def _index(leaves: Sequence[Leaf]) -> dict[str, set[str]]:
    """Every word that means a branch: its collection, also as it is called in this file, and its names."""
    by_name: dict[str, set[str]] = {}
    for leaf in leaves:
        own = _split(leaf.branch)[0]
        for word in {leaf.collection, leaf.name, leaf.branch, own} - {None}:
            by_name.setdefault(word, set()).add(leaf.branch)
    return by_name


def _missing(leaves: Sequence[Leaf], name: str, where: object) -> MissingBranchError:
    known = sorted({leaf.collection for leaf in leaves if leaf.collection} | {leaf.name for leaf in leaves})
    close = close_names(name.replace("_", ".", 1) if name.replace("_", ".", 1) in known else name, known)
    hints = [f"Close names: {', '.join(close)}."] if close else ["'cmslabs data check FILE' lists what it has."]
    if name.startswith("n") and name[1:] in known:
        hints = [f"It counts the entries of {name[1:]}: ask for {name[1:]}, the lengths of its lists are this number."]
    hints += [text for text in [remark(name)] if text]
    return MissingBranchError(
        f"has no collection or branch '{name}'.", where=f"{where}, Events", remedy=" ".join(hints)
    )


def assemble(leaves: Sequence[Leaf], arrays: Mapping[str, ak.Array], length: int, where: object) -> ak.Array:
    """Build the record array of events from arrays per branch.

    Raises
    ------
    DataError
        If the branches of a collection have different numbers of objects in some event.
    """
    import vector

    vector.register_awkward()
    groups: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        groups.setdefault(leaf.collection or leaf.field, []).append(leaf)
    contents = {}
    for name, members in groups.items():
        if members[0].collection is None:
            contents[name] = ak.to_layout(arrays[members[0].branch])
        else:
            contents[name] = _record(members, arrays, length, where)
    return ak.Array(ak.contents.RecordArray(list(contents.values()), list(contents), length))


def _record(members: list[Leaf], arrays: Mapping[str, ak.Array], length: int, where) -> ak.contents.Content:
    fields = [leaf.field for leaf in members]
    parts = [ak.to_layout(arrays[leaf.branch]) for leaf in members]
    parameters = _vector_name(fields)
    if not members[0].jagged:
        return ak.contents.RecordArray(parts, fields, length, parameters=parameters)
    lists = [part.to_ListOffsetArray64(True) for part in parts]
    offsets = lists[0].offsets
    for leaf, other in zip(members, lists, strict=True):
        if not np.array_equal(other.offsets.data, offsets.data):
            raise DataError(
                f"{members[0].branch} and {leaf.branch} have different numbers of objects in some event.",
                where=f"{where}, Events",
                remedy="The file is not NanoAOD as CMS writes it: write those branches together.",
            )
    record = ak.contents.RecordArray([part.content[: offsets[-1]] for part in lists], fields, parameters=parameters)
    return ak.contents.ListOffsetArray(offsets, record)


def _vector_name(fields: Sequence[str]) -> dict[str, str] | None:
    coordinates = _ALL_COORDINATES.intersection(fields)
    return next(({"__record__": name} for name, needed in _COORDINATES.items() if coordinates == needed), None)

"""coffea's NanoEvents of a NanoAOD file, with the course's names; imported only by who needs coffea.

`open_events` gives lazy events: a branch is read from the file when it is looked at, not before.
"""

from __future__ import annotations

import os
from functools import lru_cache

import awkward as ak

from cmslabs.data.nanoaod import open_nanoaod
from cmslabs.data.nanoaod_names import TABLE
from cmslabs.errors import require

__all__ = ["CmslabsSchema", "open_events"]

nanoevents = require("coffea.nanoevents", "cms")
nanoaod = require("coffea.nanoevents.methods.nanoaod", "cms")

#: Collections that newer versions call otherwise, ``PFMET`` -> ``MET``.
_RENAMED = {
    name: row.canonical
    for row in TABLE
    if row.kind == "renamed" and "." not in row.canonical
    for name in row.names.values()
    if name is not None and name != row.canonical and "." not in name
}


#: What coffea's vectors ask for before a collection can be touched, by the class that asks.
_NEEDED = {
    "LorentzVector": {"pt", "eta", "phi", "mass"},
    "Candidate": {"charge"},
    "TwoVector": {"pt", "phi"},
    "Vertex": {"x", "y", "z"},
    "SecondaryVertex": {"pt", "eta", "phi", "mass"},
}


class CmslabsSchema(nanoevents.NanoAODSchema):
    """coffea's schema of NanoAOD with three differences.

    - Cross-references that are missing (a skim has few) are no reason for a page of warnings.
    - A collection without all that coffea's vectors need (``PV_npvs`` alone, jets without mass) is a plain
      record.  coffea would refuse to show any of its fields.
    - Collections have the names of version 9 (``MET``), whatever the file's: see `cmslabs.data.nanoaod_names`.
    """

    warn_missing_crossrefs = False

    def _build_collections(self, field_names, input_contents):
        taken = {name.partition("_")[0] for name in field_names}
        names = [_canonical(name, taken) for name in field_names]
        there = set(names)
        # A branch that is there is taken as it is, where coffea would fill in a constant.
        self.full_like_items = {
            name: made for name, made in nanoevents.NanoAODSchema.full_like_items.items() if name not in there
        }
        fields = self._fields(there)
        self.mixins = {
            collection: mixin
            for collection, mixin in nanoevents.NanoAODSchema.mixins.items()
            if _needed_by(mixin) <= fields.get(collection, set())
        }
        return super()._build_collections(names, input_contents)

    def _fields(self, there: set[str]) -> dict[str, set[str]]:
        """Collection -> its fields: those in the file, and those that coffea makes."""
        made = [name for name in self.full_like_items if f"n{name.partition('_')[0]}" in there]
        made += [name for name, original in self.alias_items.items() if original in there]
        fields: dict[str, set[str]] = {}
        for name in (*there, *made):
            collection, _, field = name.partition("_")
            fields.setdefault(collection, set()).add(field)
        return fields


@lru_cache
def _needed_by(mixin: str) -> frozenset[str]:
    bases = [base.__name__ for base in getattr(nanoaod, mixin).__mro__]
    return frozenset().union(*(fields for name, fields in _NEEDED.items() if name in bases))


def _canonical(branch: str, taken: set[str]) -> str:
    collection, divided, field = branch.partition("_")
    counter, name = ("n", collection[1:]) if collection[1:] in _RENAMED else ("", collection)
    new = _RENAMED.get(name)
    if new is None or new in taken:
        return branch
    return f"{counter}{new}{divided}{field}"


def open_events(path: str | os.PathLike, start: int = 0, stop: int | None = None) -> ak.Array:
    """Lazy NanoEvents of one file.

    Parameters
    ----------
    path : path-like
        A local NanoAOD file.
    start, stop : int
        Range of events; `stop` is not included and may lie behind the end.

    Returns
    -------
    ak.Array
        Read what you need with brackets, ``events["Muon"]["pt"]``: coffea's short cut ``events.FatJet.tau2``
        silently is the squared mass.  ``events.metadata["filename"]`` is the path.

    Raises
    ------
    DataError
        If the file is missing, cut or no NanoAOD.
    """
    nano = open_nanoaod(path)
    stop = nano.n_events if stop is None else min(stop, nano.n_events)
    return nanoevents.NanoEventsFactory.from_root(
        nano.events.file.root_directory,
        treepath="Events",
        mode="virtual",
        schemaclass=CmslabsSchema,
        entry_start=min(start, stop),
        entry_stop=stop,
        metadata={"filename": str(path)},
    ).events()

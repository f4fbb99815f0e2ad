"""What is unphysical in the fields of events, counted chunk by chunk."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd

__all__ = ["Tally"]

#: No momentum at the LHC is larger than a beam's: GeV.
BEAM = 7000.0
#: The reach in pseudorapidity of the CMS forward calorimeter, with a margin; truth particles go further.
ETA_REACH = 6.0
_TRUTH = ("Gen", "LHE", "SubGen")


@dataclass
class _Count:
    values: int = 0
    first: int | None = None


@dataclass
class Tally:
    """Counts of what is wrong, by field; `events` is how many events were seen."""

    events: int = 0
    smallest: dict[str, float] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    _bad: dict[tuple[str, str], _Count] = field(default_factory=dict)
    _elsewhere: dict[str, int] = field(default_factory=dict)

    def add_events(self, events: ak.Array) -> None:
        """Look at a chunk of events: every field of every collection."""
        for name in events.fields:
            subfields = events[name].fields
            for subfield in subfields:
                self._add(f"{name}.{subfield}", subfield, events[name, subfield])
            if not subfields:
                self._add(name, name, events[name])
        self.events += len(events)

    def add_table(self, table: pd.DataFrame) -> None:
        """Look at rows of a table: numbers are finite, masses and pT are not negative."""
        for name in table.columns:
            if table[name].dtype.kind == "f":
                self._add(name, _kind_of_column(name), ak.Array(table[name].to_numpy()))
        self.events += len(table)

    def count(self, name: str, what: str, bad: np.ndarray) -> None:
        """Note that events (one value of `bad` for each) have something wrong."""
        if bad.any():
            entry = self._bad.setdefault((name, what), _Count())
            entry.values += int(bad.sum())
            entry.first = self.events + int(bad.argmax()) if entry.first is None else entry.first

    def problems(self) -> list[str]:
        """One sentence for each kind of mistake."""
        return [
            f"{name} {what}: {entry.values} value(s), first in event {entry.first}"
            for (name, what), entry in sorted(self._bad.items())
        ]

    def details(self) -> dict[str, Any]:
        """Largest pT, range of eta, and where else there are values that are not finite."""
        found: dict[str, Any] = {}
        momenta = {name: round(value, 3) for name, value in self.largest.items() if name.endswith(".pt")}
        if momenta:
            found["largest pt [GeV]"] = momenta
        etas = {
            name: round(max(value, -self.smallest[name]), 3)
            for name, value in self.largest.items()
            if name.endswith(".eta")
        }
        if etas:
            found["largest |eta|"] = etas
        if self._elsewhere:
            found["not finite in other fields"] = dict(sorted(self._elsewhere.items()))
        return found

    def _add(self, name: str, kind: str, values: ak.Array) -> None:
        flat = _flat_floats(values)
        if flat is None or not len(flat):
            return
        finite = np.isfinite(flat)
        if finite.any():
            self.smallest[name] = min(self.smallest.get(name, np.inf), float(flat[finite].min()))
            self.largest[name] = max(self.largest.get(name, -np.inf), float(flat[finite].max()))
        rules = _rules(name, kind)
        for what, is_bad in rules.items():
            bad = is_bad(flat)
            if bad.any():
                entry = self._bad.setdefault((name, what), _Count())
                entry.values += int(bad.sum())
                if entry.first is None:
                    entry.first = self.events + _event_of(values, int(bad.argmax()))
        if not finite.all() and not rules:
            self._elsewhere[name] = self._elsewhere.get(name, 0) + int((~finite).sum())


def _event_of(values: ak.Array, place: int) -> int:
    """The event of the value at `place` in the flat array."""
    if values.ndim == 1:
        return int(np.flatnonzero(~ak.to_numpy(ak.is_none(values)))[place])
    counts = ak.count(values, axis=-1)
    while counts.ndim > 1:
        counts = ak.sum(counts, axis=-1)
    return int(np.searchsorted(np.cumsum(ak.to_numpy(ak.fill_none(counts, 0))), place, side="right"))


def _flat_floats(values: ak.Array) -> np.ndarray | None:
    """All numbers of a field as one array; None where they are no floating-point numbers."""
    layout = ak.flatten(values, axis=None).layout
    return np.asarray(layout.data) if layout.is_numpy and layout.dtype.kind == "f" else None


def _kind_of_column(name: str) -> str:
    if re.fullmatch(r"p[xyz]j\d|eta.*", name):
        return "number"
    return "size" if re.match(r"(pt|m(?!et_)|tau|dm)", name.lower()) else "number"


def _rules(name: str, kind: str) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What is wrong with a value, by the kind of field; NaN is below and above nothing."""
    finite: dict[str, Callable] = {"is not finite": lambda x: ~np.isfinite(x)}
    if kind == "pt":
        return finite | {"is negative": lambda x: x < 0, f"is above {BEAM:.0f} GeV": lambda x: x > BEAM}
    if kind == "eta" and not name.startswith(_TRUTH):
        return finite | {f"is beyond {ETA_REACH}": lambda x: abs(x) > ETA_REACH}
    if kind == "phi":
        return finite | {"is outside -pi..pi": lambda x: abs(x) > 3.15}
    if kind == "size":  # Rounding makes a massless jet's mass slightly negative.
        return finite | {"is negative": lambda x: x < -1e-3}
    return finite if kind in ("eta", "mass", "weight", "genWeight", "number") else {}

"""What a channel gives: one mask per cut, and columns that are made when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import awkward as ak
import numpy as np

from cmslabs.errors import ConfigError, MissingBranchError, close_names
from cmslabs.objects.access import get
from cmslabs.selection.analysis import Analysis

__all__ = ["Channel", "Columns", "Selected", "event_columns"]

#: Columns that every channel has, with their units.
EVENT_UNITS = {"n_jets": "1", "met": "GeV", "npvs": "1"}
Maker = Callable[[], np.ndarray]


class Columns(Mapping[str, np.ndarray]):
    """Columns of a channel, aligned with the events; each one is made, and its branches read, when it is asked for.

    An event without a candidate has NaN, or -1 in a column of whole numbers.  It passes no cut on the
    candidate, so that these values reach no histogram and no table.

    Attributes
    ----------
    rows : ndarray of int
        The events that have a candidate.
    skipped : dict
        Column -> reason, for columns without their branches under the policy "skip": those are all
        NaN (or -1).  It fills while columns are asked for.
    """

    def __init__(
        self, n_events: int, rows: np.ndarray, makers: Mapping[str, Maker], units: Mapping[str, str], missing: str
    ):
        self.rows = rows
        self.skipped: dict[str, str] = {}
        self._n_events, self._makers, self._units, self._missing = n_events, makers, units, missing
        self._made: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._units)

    def __len__(self) -> int:
        return len(self._units)

    def _make(self, name: str) -> np.ndarray:
        integer = name in _INTEGERS
        column = np.full(self._n_events, -1 if integer else np.nan, dtype=np.int32 if integer else np.float64)
        try:
            column[self.rows] = self._makers[name]()
        except MissingBranchError as error:
            if self._missing == "error":
                remedy = f"{error.remedy} Or set missing.columns to 'skip': the column '{name}' is then left empty."
                raise MissingBranchError(error.what, where=error.where, remedy=remedy) from error
            self.skipped[name] = str(error)
        return column


_INTEGERS = frozenset({"n_jets", "npvs", "flavour"})


@dataclass(frozen=True)
class Selected:
    """What a channel makes of events.

    Attributes
    ----------
    cuts : dict of ndarray of bool, shape (n_events,)
        In order.  Each mask is independent of the others, so that one can be left out (N-1); an event
        without a candidate passes no cut on it.
    columns : Columns
    units : dict
        Column -> unit, for all columns.
    muons : ak.Array of records, shape (n_events, var)
        The candidate's muons, for scale factors; none in events without a candidate.
    """

    cuts: dict[str, np.ndarray]
    columns: Columns
    units: dict[str, str]
    muons: ak.Array

    @property
    def mask(self) -> np.ndarray:
        """Events that pass all cuts."""
        return np.logical_and.reduce(list(self.cuts.values()))


@dataclass(frozen=True)
class Channel:
    """One way to select events.

    Attributes
    ----------
    name : str
    units : dict
        The columns, with their units.
    apply : callable
        ``apply(events, analysis, muon_scale=1.0) -> Selected``; the scale is a factor on every muon's pT,
        and MET is left as it is.
    n_leptons : int or None
        Leptons of a candidate; None where it is not made of leptons.
    """

    name: str
    units: dict[str, str]
    apply: Callable[..., Selected]
    n_leptons: int | None = None

    def check(self, analysis: Analysis) -> None:
        """Make sure that the analysis asks for columns, leptons and masses that there can be, before events are read.

        Raises
        ------
        ConfigError
        """
        wanted = {f"histograms.{name}.variable": drawn.variable for name, drawn in analysis.histograms.items()}
        wanted |= {f"table[{position}]": column for position, column in enumerate(analysis.table)}
        for key, column in wanted.items():
            if column not in self.units:
                close = close_names(column, self.units) or list(self.units)
                raise ConfigError(
                    f"{key}: the channel '{self.name}' has no column '{column}'.",
                    where=analysis.name,
                    remedy=f"Try: {', '.join(close)}.",
                )
        if self.n_leptons is not None and len(analysis.lepton_pt) > self.n_leptons:
            raise ConfigError(
                f"lepton_pt has {len(analysis.lepton_pt)} entries, a '{self.name}' candidate {self.n_leptons} leptons.",
                where=analysis.name,
                remedy="Give at most one for each.",
            )
        if any(low < high for low, high in pairwise(analysis.lepton_pt)):
            raise ConfigError(
                "lepton_pt rises, but the leading lepton comes first.",
                where=analysis.name,
                remedy=f"Write {sorted(analysis.lepton_pt, reverse=True)}.",
            )
        if not analysis.four_lepton.flavours:
            raise ConfigError(
                "four_lepton.flavours is empty, so that nothing is looked for.",
                where=analysis.name,
                remedy="Name one of 4mu, 2e2mu, 4e, or leave it out for all.",
            )
        for key, (low, high) in {"dimuon.mass": analysis.dimuon.mass, "z.mass": analysis.z.mass}.items():
            if low >= high:
                raise ConfigError(
                    f"{key} goes from {low:g} to {high:g}, and nothing lies between.",
                    where=analysis.name,
                    remedy="Give the lower mass first.",
                )


def event_columns(events: ak.Array, rows: np.ndarray, jets: Callable[[], ak.Array]) -> dict[str, Maker]:
    """The columns of `EVENT_UNITS`; `jets` gives the selected jets of the events in `rows`."""
    return {
        "n_jets": lambda: ak.to_numpy(ak.num(jets())),
        "met": lambda: ak.to_numpy(get(events, "MET", "pt"))[rows],
        "npvs": lambda: ak.to_numpy(get(events, "PV", "npvs"))[rows],
    }

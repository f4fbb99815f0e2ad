"""Signal and control region: one definition, used for training, test and the supervised reference alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from cmslabs.errors import ConfigError, DataError
from cmslabs.search.tables import columns_of

__all__ = ["Overlap", "Regions", "overlap_of"]

#: Interval of a column; None is open.
Interval = tuple[float | None, float | None]
#: Control-region events whose distances are compared with those of the signal region's events.
_NEIGHBOURS, _COMPARED = 10, 20_000


@dataclass(frozen=True)
class Regions:
    """A signal region, cut out by context columns, and the control region around it.

    Attributes
    ----------
    signal : mapping of str to (low, high)
        Inside means ``low < column < high`` for every column; None leaves an end open.
    within : mapping of str to (low, high)
        What both regions lie in.  Without it the control region is all that is not signal region.

    Examples
    --------
    >>> regions = Regions({"ht": (800.0, None), "met": (75.0, None)})
    >>> table = pd.DataFrame({"ht": [900.0, 900.0, 700.0], "met": [80.0, 20.0, 80.0]})
    >>> regions.in_signal(table).tolist(), regions.in_control(table).tolist()
    ([True, False, False], [False, True, True])
    """

    signal: Mapping[str, Interval]
    within: Mapping[str, Interval] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.signal:
            raise ConfigError("a signal region needs at least one cut.", where="signal_region")
        for part, cuts in (("signal_region", self.signal), ("within", self.within)):
            for name, (low, high) in cuts.items():
                if low is None and high is None:
                    raise ConfigError(f"the cut on '{name}' has no end.", where=part, remedy="Give [low, high].")
                if low is not None and high is not None and not low < high:
                    raise ConfigError(f"{low:g} to {high:g} of '{name}' is no interval.", where=part)

    @property
    def context(self) -> tuple[str, ...]:
        """The columns that are cut on."""
        return tuple(dict.fromkeys([*self.signal, *self.within]))

    def in_signal(self, table: pd.DataFrame) -> np.ndarray:
        """Which events lie in the signal region, shape (n_events,).

        Raises
        ------
        MissingBranchError, DataError
            If a column is missing, or not finite.
        """
        return _inside(table, self.within) & _inside(table, self.signal)

    def in_control(self, table: pd.DataFrame) -> np.ndarray:
        """Which events lie in the control region, shape (n_events,)."""
        return _inside(table, self.within) & ~_inside(table, self.signal)

    def split(self, table: pd.DataFrame, what: str = "the table") -> tuple[pd.DataFrame, pd.DataFrame]:
        """The events of the signal region, and those of the control region.

        Raises
        ------
        DataError
            If one of them is empty.
        """
        inside, beside = self.in_signal(table), self.in_control(table)
        for name, found in (("signal", inside), ("control", beside)):
            if not found.any():
                raise DataError(
                    f"no event of {what} ({len(table)} events) lies in the {name} region.",
                    remedy="Look at the cuts and at the units of the columns: GeV.",
                )
        return table[inside], table[beside]

    def fractions(self, table: pd.DataFrame) -> dict[str, float]:
        """Share of the events in the signal region, in the control region, and in neither."""
        inside, beside = self.in_signal(table).mean(), self.in_control(table).mean()
        return {"signal": float(inside), "control": float(beside), "neither": float(1 - inside - beside)}


@dataclass(frozen=True)
class Overlap:
    """How far the control region supports the contexts of the signal region.

    Attributes
    ----------
    in_range : float
        Share of signal-region events each of whose contexts lies between the smallest and the largest one of the
        control region.  An event outside asks a method for something it has never seen.
    near : float
        Share of them whose tenth-nearest control event is as near as it is for 99 % of the control events.
    distance : float
        Median of that distance for signal-region events, in units of its median for control events.
    """

    in_range: float
    near: float
    distance: float


def overlap_of(control: pd.DataFrame, signal: pd.DataFrame, context: Sequence[str], random_state: int = 0) -> Overlap:
    """Compare the contexts of two regions.

    Parameters
    ----------
    control, signal : DataFrame
        Events of the two regions.
    context : sequence of str
        Columns; distances are measured in units of their standard deviation in the control region.
    random_state : int
        At most 20 000 events of each region are compared.

    Raises
    ------
    DataError
        If no signal-region event lies in the control region's range: nothing can be extrapolated there.
    """
    rng = np.random.default_rng(random_state)
    every, asked = (columns_of(part, list(context)) for part in (control, signal))
    known, asked = (part[rng.permutation(len(part))[:_COMPARED]] for part in (every, asked))
    if len(known) <= _NEIGHBOURS or not len(asked):
        raise DataError(
            f"{len(control)} control and {len(signal)} signal-region events are too few to be compared.",
            remedy=f"Give more than {_NEIGHBOURS} of the first and one of the second.",
        )
    inside = ((asked >= every.min(axis=0)) & (asked <= every.max(axis=0))).all(axis=1)
    if not inside.any():
        raise DataError(
            "no context of the signal region lies in the range that the control region covers.",
            where=", ".join(context),
            remedy="Choose regions that touch, or a control region on both sides.",
        )
    spread = known.std(axis=0)
    if not (spread > 0).all():
        raise DataError(f"the context '{context[int(spread.argmin())]}' is constant in the control region.")
    tree = NearestNeighbors(n_neighbors=_NEIGHBOURS + 1).fit(known / spread)
    own, other = tree.kneighbors(known / spread)[0][:, -1], tree.kneighbors(asked / spread)[0][:, -2]
    # Many equal contexts have distance 0.
    unit = max(float(np.median(own)), np.finfo(float).tiny)
    return Overlap(
        float(inside.mean()), float((other <= np.quantile(own, 0.99)).mean()), float(np.median(other)) / unit
    )


def _inside(table: pd.DataFrame, cuts: Mapping[str, Interval]) -> np.ndarray:
    inside = np.ones(len(table), dtype=bool)
    for name, (low, high) in cuts.items():
        # A NaN would lie beside every region, and count as control region.
        values = columns_of(table, [name])[:, 0]
        if low is not None:
            inside &= values > low
        if high is not None:
            inside &= values < high
    return inside

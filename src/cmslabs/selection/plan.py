"""What a selection of many files costs before it is run: core hours and disk, from measured rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmslabs.data.fileset import Fileset, exclusive_pairs
from cmslabs.data.fileset_parts import Dataset
from cmslabs.errors import ConfigError, DataError
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.rates import Rates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Plan", "PlanRow", "plan"]


@dataclass(frozen=True)
class PlanRow:
    """One data set.

    Attributes
    ----------
    name, kind : str
    n_events : int or None
        None where nobody published it: then nothing else is known but the size of the files.
    size_gb : float or None
        Of its NanoAOD files [10^9 bytes].
    core_hours : dict
        Compression -> core hours of one pass.
    skimmed : float or None
        Core hours of one pass over the skim.
    skim : dict
        Compression -> core hours of making the skim.
    skim_gb : float or None
        Size of the skim [10^9 bytes].
    """

    name: str
    kind: str
    n_events: int | None
    size_gb: float | None
    core_hours: Mapping[str, float | None]
    skimmed: float | None
    skim: Mapping[str, float | None]
    skim_gb: float | None


@dataclass(frozen=True)
class Plan:
    """The rows of all data sets, and the rates behind them.

    Attributes
    ----------
    rows : tuple of PlanRow
    left_out : dict
        Data set -> the one that describes the same process and is counted instead.
    rates : Rates
    """

    rows: tuple[PlanRow, ...]
    left_out: Mapping[str, str]
    rates: Rates

    @property
    def unknown(self) -> tuple[str, ...]:
        """Data sets whose number of events is not known."""
        return tuple(row.name for row in self.rows if row.n_events is None)

    def total(self, column: str, codec: str | None = None, *, known_only: bool = False) -> float:
        """Sum of a column over all data sets.

        Parameters
        ----------
        column : "n_events", "size_gb", "core_hours", "skimmed", "skim" or "skim_gb"
        codec : str, optional
            For ``core_hours`` and ``skim``.
        known_only : bool
            Sum over the data sets where it is known: a lower bound.

        Raises
        ------
        DataError
            If a data set has no such number and `known_only` is not set: a sum without it would be wrong.
        ConfigError
            If the column or the codec is unknown, or no data set is left.
        """
        values = {row.name: self._value(row, column, codec) for row in self.rows}
        unknown = [name for name, value in values.items() if value is None]
        if unknown and not known_only:
            raise DataError(
                f"the {column} of {', '.join(unknown)} is not known, so there is no total.",
                where="plan",
                remedy="Ask for known_only=True and call it a lower bound, or fill the numbers in.",
            )
        return math.fsum(value for value in values.values() if value is not None)

    def _value(self, row: PlanRow, column: str, codec: str | None) -> float | None:
        columns = ("n_events", "size_gb", "core_hours", "skimmed", "skim", "skim_gb")
        if column not in columns:
            raise ConfigError(f"there is no column '{column}'.", remedy=f"There is: {', '.join(columns)}.")
        value = getattr(row, column)
        if not isinstance(value, Mapping):
            return value
        if codec not in value:
            raise ConfigError(f"there is no codec '{codec}' in '{column}'.", remedy=f"There is: {', '.join(value)}.")
        return value[codec]

    def to_frame(self) -> pd.DataFrame:
        """A table with a row per data set, NaN where nothing is known, and no row of totals."""
        import pandas as pd

        rows = [
            {
                "dataset": row.name,
                "kind": row.kind,
                "n_events": row.n_events,
                "size_gb": row.size_gb,
                **{f"core_hours_{codec}": value for codec, value in row.core_hours.items()},
                **{f"skim_hours_{codec}": value for codec, value in row.skim.items()},
                "skim_gb": row.skim_gb,
                "core_hours_skimmed": row.skimmed,
            }
            for row in self.rows
        ]
        frame = pd.DataFrame(rows).set_index("dataset")
        return frame.astype({"n_events": "Int64"} | dict.fromkeys(frame.columns[2:], float))


def plan(fileset: Fileset, rates: Rates, analysis: Analysis | None = None, names: Sequence[str] = ()) -> Plan:
    """What one pass over a fileset costs.

    Parameters
    ----------
    fileset : Fileset
        Numbers of events are those of `Dataset`, or the sum over its files if all of them say theirs.
    rates : Rates
    analysis : Analysis, optional
        Leaves out data of primary datasets for which it has no triggers.
    names : sequence of str
        Only these data sets; all that are public if not given, and of two that describe the same process the first.

    Raises
    ------
    ConfigError
        If a data set is unknown or not public, two exclude each other, or none is left.

    Examples
    --------
    >>> from cmslabs.data.fileset import load_fileset
    >>> speeds = {"LZMA": 50_000}
    >>> rates = Rates(by_codec=speeds, skimmed=1e6, skim=speeds, skim_bytes_per_event=100, source="an example")
    >>> found = plan(load_fileset("cms-2016"), rates, names=["doublemuon-2016h"])
    >>> round(found.total("core_hours", "LZMA"), 3)
    0.272
    """
    chosen, left_out = _choose(fileset, analysis, names)
    rows = tuple(_row(name, fileset.datasets[name], rates) for name in chosen)
    return Plan(rows, left_out, rates)


def _choose(fileset: Fileset, analysis: Analysis | None, names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    fileset.check_names(names)
    chosen = [
        name
        for name, dataset in fileset.datasets.items()
        if (name in names if names else dataset.public) and _has_triggers(dataset, analysis)
    ]
    pairs = exclusive_pairs(fileset, chosen)
    if pairs and names:
        first, second = pairs[0]
        raise ConfigError(
            f"'{first}' and '{second}' describe the same process.", where=fileset.name, remedy="Choose one of them."
        )
    left_out = {second: first for first, second in pairs}
    chosen = [name for name in chosen if name not in left_out]
    if not chosen:
        raise ConfigError("no data set is left.", where=fileset.name, remedy="Choose others, or another analysis.")
    return chosen, left_out


def _has_triggers(dataset: Dataset, analysis: Analysis | None) -> bool:
    return dataset.kind != "data" or analysis is None or not analysis.triggers or dataset.primary in analysis.triggers


def _row(name: str, dataset: Dataset, rates: Rates) -> PlanRow:
    n = _n_events(dataset)

    def hours(rate: float) -> float | None:
        return None if n is None else n / rate / 3600

    return PlanRow(
        name=name,
        kind=dataset.kind,
        n_events=n,
        size_gb=_size_gb(dataset),
        core_hours={codec: hours(rate) for codec, rate in rates.by_codec.items()},
        skimmed=hours(rates.skimmed),
        skim={codec: hours(rate) for codec, rate in rates.skim.items()},
        skim_gb=None if n is None else n * rates.skim_bytes_per_event / 1e9,
    )


def _n_events(dataset: Dataset) -> int | None:
    counts = [file.n_events for file in dataset.files]
    return sum(counts) if counts and None not in counts else dataset.n_events


def _size_gb(dataset: Dataset) -> float | None:
    sizes = [file.size_bytes for file in dataset.files]
    return sum(sizes) / 1e9 if sizes and None not in sizes else dataset.size_gb

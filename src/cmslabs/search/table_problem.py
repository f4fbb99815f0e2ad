"""A search among simulated events of a table: which of them play data, simulation and signal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cmslabs.data.download import dataset_path
from cmslabs.data.tables import read_table
from cmslabs.errors import ConfigError, DataError, missing_column
from cmslabs.features.dijets import detector_features
from cmslabs.search.distortion import distorted
from cmslabs.search.estimate import Columns
from cmslabs.search.problem import Sample
from cmslabs.search.regions import Regions

__all__ = ["TableProblem", "load_source"]

#: Shares of the background that play data and ideal reference; the rest are test events.
SHARES = (1 / 3, 1 / 3)


@dataclass(frozen=True)
class TableProblem:
    """Events of one table, told apart by its column ``process``.

    Every seed deals the background anew to data, ideal reference and test events.

    Attributes
    ----------
    table : DataFrame
        With the columns, and ``process``.
    columns : Columns
    regions : Regions
    background, signal : str
        Names of processes.
    simulation : str or None
        The process that plays the simulation; ``"distorted"`` is the background itself, bent by
        `cmslabs.search.distortion.distorted`; None where the search needs none.
    control_kept : float
        Share of the control region's events that the table holds: data get that many more of them than their share.
    events : int or None
        Of the background, use so many.
    correlated : float
        Move the features by so much of their spread for each width of the signal region that the mass lies above its
        middle: a search whose features know the mass.
    """

    table: pd.DataFrame
    columns: Columns
    regions: Regions
    background: str
    signal: str
    simulation: str | None = None
    control_kept: float = 1.0
    events: int | None = None
    correlated: float = 0.0

    def __post_init__(self) -> None:
        known = sorted(map(str, self.table["process"].unique()))
        wanted = [self.background, self.signal, *([] if self.simulation in (None, "distorted") else [self.simulation])]
        for name in wanted:
            if name not in known:
                raise ConfigError(f"the table has no process '{name}'.", remedy=f"It has: {', '.join(known)}.")
        if len(set(wanted)) < len(wanted):
            raise ConfigError(
                f"background, signal and simulation must be different processes, not {', '.join(wanted)}.",
                remedy='simulation: "distorted" bends background events that are used for nothing else.',
            )
        there = int((self.table["process"] == self.background).sum())
        if self.events is not None and self.events > there:
            raise ConfigError(
                f"{self.events} events of '{self.background}' are wanted, and the table has {there}.", where="events"
            )
        if self.control_kept < SHARES[0] * (1 - 1e-9):
            raise ConfigError(
                f"a table with {self.control_kept:g} of the control region's events is too small.",
                where="control_kept",
                remedy="Data take a third of the background, so it must hold at least a third.",
            )
        if self.correlated and (len(self.regions.signal) != 1 or None in next(iter(self.regions.signal.values()))):
            raise ConfigError(
                "features can follow one mass only.",
                where="correlated",
                remedy="Give a signal region in one column, with two ends.",
            )

    def draw(self, seed: int) -> Sample:
        """Deal the events."""
        rng = np.random.default_rng([seed, 64])
        background = self._of(self.background, rng)[: self.events]
        inside = self.regions.in_signal(background)
        region, control = background[inside], background[self.regions.in_control(background)]
        first, second = np.cumsum([round(share * len(region)) for share in SHARES])
        data, ideal, test = region.iloc[:first], region.iloc[first:second], region.iloc[second:]
        taken = min(1.0, SHARES[0] / self.control_kept)
        spent = round(taken * len(control))
        simulation = None
        if self.simulation == "distorted":
            # From background that plays nothing else: half of the ideal reference is given up for it.
            left = control.iloc[spent : spent + (spent + 1) // 2]
            if 2 * len(left) < spent - 1:
                raise ConfigError(
                    "there is too little background left over to be distorted.",
                    where="simulation",
                    remedy="Use a table that holds at least half of the control region's events.",
                )
            half = len(ideal) // 2
            ideal, spare = ideal.iloc[:half], pd.concat([ideal.iloc[half:], left])
            simulation = distorted(spare, self.columns)
        elif self.simulation is not None:
            simulation = self._of(self.simulation, rng)
        signal = self._of(self.signal, rng)
        half = len(signal) // 2
        judged = signal[half:]
        parts = (pd.concat([data, control[:spent]]), simulation, ideal, test, signal[:half])
        if not len(control) or not len(data):
            raise DataError("the background leaves a region empty.", remedy="Look at the cuts and their units: GeV.")
        return Sample(*parts, judged[self.regions.in_signal(judged)])

    def _of(self, process: str, rng: np.random.Generator) -> pd.DataFrame:
        chosen = self.table[self.table["process"] == process]
        chosen = chosen.iloc[rng.permutation(len(chosen))]
        return self._correlate(chosen) if self.correlated else chosen

    def _correlate(self, events: pd.DataFrame) -> pd.DataFrame:
        ((name, (low, high)),) = self.regions.signal.items()
        distance = (events[name] - (low + high) / 2) / (high - low)
        spread = self.table.loc[self.table["process"] == self.background, list(self.columns.features)].std()
        moved = {feature: events[feature] + self.correlated * spread[feature] * distance for feature in spread.index}
        return events.assign(**moved)


def is_file(source: str | os.PathLike) -> bool:
    """Whether a source is a table's path, and not the name of a bundled sample."""
    return Path(source).suffix.lower() in (".parquet", ".csv")


def load_source(source: str | os.PathLike, columns: Sequence[str]) -> pd.DataFrame:
    """A bundled sample by its card's name, or a table by its path, with the features that searches use.

    Where the columns of `cmslabs.features.dijets.detector_features` are asked for, they are computed.

    Raises
    ------
    DataError, MissingBranchError
        If it cannot be read, or lacks a column.
    """
    table = read_table(source if is_file(source) else dataset_path(os.fspath(source)))
    if "mj_light" in columns and "mj_light" not in table:
        table = table.join(detector_features(table))
    for name in (*columns, "process"):
        if name not in table:
            raise missing_column(name, table.columns, source)
    return table[[*columns, "process"]]

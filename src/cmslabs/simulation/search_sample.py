"""The samples of the searches with data alone: the large tables, and the small one that is bundled."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.data.tables import read_table, write_table
from cmslabs.errors import DataError
from cmslabs.features.dijets import DETECTOR_FEATURES, detector_features
from cmslabs.features.extrapolation import EXTRAPOLATION_CONTEXT, EXTRAPOLATION_FEATURES, extrapolation_features
from cmslabs.io import Provenance, read_json, versions
from cmslabs.simulation.generator import simulate
from cmslabs.simulation.writers import round_floats

__all__ = [
    "EXTRAPOLATION",
    "MASSES",
    "RESONANCE",
    "SCULPTED",
    "SIGNAL_REGION",
    "Source",
    "extrapolation_table",
    "make_source",
    "resonance_table",
    "thinned",
    "write_search_table",
]

#: Lower ends [GeV].
SIGNAL_REGION = {"ht": 800.0, "met": 75.0}
MASSES = (2, 3, 4)
#: Mantissa bits of the float32 columns: relative rounding of 2e-4.
BITS = 11
PACKAGES = ("pythia8mc", "fastjet", "numpy", "awkward", "pyarrow")


@dataclass(frozen=True)
class Source:
    """One run of `cmslabs simulate`.

    Attributes
    ----------
    folder : str
    process : str
    events, seed : int
    variant : str or None
    """

    folder: str
    process: str
    events: int
    seed: int
    variant: str | None = None

    @property
    def name(self) -> str:
        """Process and variant in one word."""
        return self.process if self.variant is None else f"{self.process}-{self.variant}"


#: Three runs of the background, which are dealt anew for every try; the simulation; the signals.
EXTRAPOLATION = (
    Source("data", "qcd-extrapolation", 300_000, 701),
    Source("ideal", "qcd-extrapolation", 300_000, 703),
    Source("test", "qcd-extrapolation", 300_000, 704),
    Source("mc", "qcd-extrapolation", 300_000, 702, "a14"),
    *(Source("signal", f"hidden-valley-{mass}tev", 12_000, 710 + mass) for mass in MASSES),
)
RESONANCE = (Source("boxes", "qcd-dijets", 160_000, 721), Source("boxes", "wprime-2prong", 8_000, 722))
#: Background of the window with a cut on mHat at the generator.
SCULPTED = Source("boxes", "qcd-dijets", 15_000, 723, "mhat")


def make_source(source: Source, folder: str | os.PathLike, workers: int = 1) -> Path:
    """The table of one run, simulated if it is not there yet.

    Raises
    ------
    DataError
        If it holds another run.
    """
    out = Path(folder) / source.folder
    table, record = out / f"{source.name}-features.parquet", out / f"{source.name}.json"
    if not record.exists():
        simulate(
            source.process, source.events, source.seed, out, workers=workers, variant=source.variant, progress=True
        )
    found = read_json(record)["provenance"]
    if (found["seed"], found["details"]["events"]) != (source.seed, source.events):
        raise DataError("holds another run.", where=record, remedy="Choose another folder, or delete it.")
    return table


def extrapolation_table(paths: Mapping[Source, Path], control_every: int = 2) -> pd.DataFrame:
    """Context, features and process of all events; of the background's control region every second one only.

    Parameters
    ----------
    paths : mapping
        Tables of `EXTRAPOLATION`.
    control_every : int

    Returns
    -------
    DataFrame
        float32 columns, and ``process``.
    """
    parts = []
    for source, path in paths.items():
        frame = extrapolation_features(read_table(path))
        if source.name == "qcd-extrapolation":
            frame = frame[_in_signal_region(frame) | (np.arange(len(frame)) % control_every == 0)]
        parts.append(_rounded(frame).assign(process=source.name))
    return pd.concat(parts, ignore_index=True)


def resonance_table(paths: Mapping[Source, Path]) -> pd.DataFrame:
    """Mass, the four features of a detector, and process, of the events of `RESONANCE`."""
    parts = []
    for source, path in paths.items():
        table = read_table(path)
        frame = detector_features(table).assign(mjj=table["mjj"].to_numpy())
        parts.append(_rounded(frame[["mjj", *DETECTOR_FEATURES]]).assign(process=source.name))
    return pd.concat(parts, ignore_index=True)


def thinned(table: pd.DataFrame, every: Mapping[str, int], control_every: Mapping[str, int]) -> pd.DataFrame:
    """Every so manieth event of each process, with numbers of their own for the control region.

    The events of a run are independent, so that every fourth one is a fair sample.
    """
    kept = []
    for process, rows in table.groupby("process", sort=False):
        inside = _in_signal_region(rows)
        for part, step in ((rows[inside], every[process]), (rows[~inside], control_every[process])):
            kept.append(part.iloc[::step])
    return pd.concat(kept, ignore_index=True)


def write_search_table(
    path: str | os.PathLike, table: pd.DataFrame, paths: Mapping[Source, Path], script: str, **details: Any
) -> None:
    """Write a table with the settings, efficiency and cross-section of each run."""
    runs = {}
    for source, features in paths.items():
        record = read_json(features.with_name(f"{source.name}.json"))
        about = record["provenance"]["details"]
        kept = {name: about[name] for name in ("settings", "selection", "run")}
        runs[f"{source.folder}/{source.name}"] = kept | {"seed": source.seed}
    units = EXTRAPOLATION_CONTEXT | EXTRAPOLATION_FEATURES | DETECTOR_FEATURES | {"process": ""}
    record = Provenance(
        source="simulation",
        simulation=True,
        script=script,
        versions=versions(*PACKAGES),
        units={name: units[name] for name in table.columns},
        details={"runs": runs, "mantissa_bits": BITS, **details},
    )
    write_table(path, table, record, compact=True)


def _in_signal_region(frame: pd.DataFrame) -> np.ndarray:
    inside = np.ones(len(frame), dtype=bool)
    for name, low in SIGNAL_REGION.items():
        inside &= frame[name].to_numpy() > low
    return inside


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    columns: Sequence[str] = list(frame.columns)
    return pd.DataFrame({name: round_floats(frame[name].to_numpy(dtype="f4"), BITS) for name in columns})

"""From a file of particles to a file of dijet observables, chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.errors import CmslabsError, ConfigError, DataError
from cmslabs.features.dijets import DIJET_COLUMNS, count_degenerate, dijet_table
from cmslabs.features.writers import check_table_name, table_writer
from cmslabs.io import Provenance, existing_file, sha256, versions

__all__ = ["HDF5_ENDINGS", "write_dijet_table"]

HDF5_ENDINGS = (".h5", ".hdf5", ".hdf")


def write_dijet_table(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    simulation: bool | None = None,
    chunk_size: int = 1000,
    progress: bool = False,
) -> dict[str, Any]:
    """Cluster the events of a file and write the dijet table; memory does not grow with the file.

    Parameters
    ----------
    source : path-like
        Particles: an LHC Olympics file (``.h5``: 700 x (pT, eta, phi) per event, label) or events in
        Parquet with ``particles``.
    out : path-like
        The table: ``.parquet``, ``.csv`` or ``.h5``.  It is replaced in one step when all is done.
    simulation : bool, optional
        Whether the events are simulated; kept in the table.  By default what a Parquet file says of
        itself, and True for an HDF5 file: all published files of that layout are simulations.
    chunk_size : int
        Events in memory at a time.
    progress : bool
        Show a bar with events/s on stderr.

    Returns
    -------
    dict
        Plain JSON: ``n_events``, ``n_two_jets``, ``n_degenerate`` as in
        `cmslabs.features.dijets.count_degenerate`, and ``medians``: for all events, and if they are
        labelled for background and signal, ``n`` (events with two jets), ``mjj``, ``m_heavier`` and
        ``m_lighter`` in GeV (None without events).

    Raises
    ------
    ConfigError
        If input and output are the same file or `chunk_size` is not positive.
    DataError, MissingBranchError
        If the input or the output's ending is not as described; the message names file and events.
    """
    source, out = existing_file(source), check_table_name(out)
    if out.exists() and out.samefile(source):
        raise ConfigError("is input and output at once.", where=out, remedy="Choose another name for the table.")
    if chunk_size < 1:
        raise ConfigError(f"a chunk cannot have {chunk_size} events.", remedy="Use at least 1.")
    chunks = _open(source, chunk_size)
    summary = _Summary()
    with table_writer(out, _provenance(source, simulation)) as write, _bar(source, progress) as bar:
        for chunk in chunks:
            table = _describe(chunk, source, summary.n_events)
            write(table)
            summary.add(table)
            bar.update(len(table))
        if not summary.parts:
            write(_empty())
    return summary.report()


def _open(source: Path, chunk_size: int) -> Iterator[ak.Array]:
    """Chunks of events, by the file's ending."""
    if source.suffix in HDF5_ENDINGS:
        from cmslabs.data.lhco import iterate_particles

        return iterate_particles(source, chunk_size=chunk_size)
    if source.suffix == ".parquet":
        from cmslabs.data.tables import iterate_events

        return iterate_events(source, chunk_size=chunk_size)
    raise DataError(
        f"no format of particles ends in {source.suffix!r}.",
        where=source,
        remedy="Give an LHC Olympics file (.h5) or events in .parquet.",
    )


def _provenance(source: Path, simulation: bool | None) -> Provenance:
    if simulation is None and source.suffix == ".parquet":
        from cmslabs.data.tables import read_provenance

        simulation = read_provenance(source).simulation
    return Provenance(
        source=source.name,
        simulation=simulation is None or simulation,
        script="cmslabs features",
        versions=versions("numpy", "awkward", "fastjet", "numba"),
        units={**DIJET_COLUMNS, "label": "1"},
        details={
            "input_sha256": sha256(source),
            "jets": {"algorithm": "anti-kT", "radius": 1.0, "min_pt_GeV": 20.0, "particles": "massless"},
            "soft_drop": {"z_cut": 0.1, "beta": 0.0},
            "n_subjettiness": {"axes": "OnePass_KT_Axes", "beta": 1.0, "r0": 1.0},
        },
    )


def _describe(chunk: ak.Array, source: Path, start: int) -> pd.DataFrame:
    """The table of one chunk; `event` counts the rows of the file from 0, whatever the events call themselves."""
    try:
        table = dijet_table(chunk)
    except CmslabsError as error:
        place = f"{source}, chunk of events {start}-{start + len(chunk) - 1}"
        where = place if error.where is None else f"{place}, in it {error.where}"
        raise type(error)(error.what, where=where, remedy=error.remedy) from error
    table["event"] = np.arange(start, start + len(table))
    return table


def _empty() -> pd.DataFrame:
    particles = ak.zip({name: np.empty(0) for name in ("pt", "eta", "phi")})
    return dijet_table(ak.Array({"particles": ak.unflatten(particles, np.empty(0, np.int64))}))


def _bar(source: Path, show: bool):
    from tqdm import tqdm

    if not show:
        return tqdm(disable=True)
    if source.suffix in HDF5_ENDINGS:
        from cmslabs.data.lhco import count_events

        total = count_events(source)
    else:
        from cmslabs.data.parquet import open_parquet

        with open_parquet(source) as file:
            total = file.metadata.num_rows
    return tqdm(total=total, unit=" events", smoothing=0.1)


class _Summary:
    """What is told at the end; of each event three masses and a label are kept."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {"n_events": 0, "n_two_jets": 0, "n_degenerate": 0}
        self.parts: list[np.ndarray] = []
        self.labelled = False

    @property
    def n_events(self) -> int:
        return self.counts["n_events"]

    def add(self, table: pd.DataFrame) -> None:
        for name, count in count_degenerate(table).items():
            self.counts[name] += count
        self.labelled = "label" in table
        pairs = table[table["nconstj2"] > 0]
        masses = pairs[["mj1", "mj2"]]
        labels = pairs["label"] if self.labelled else np.zeros(len(pairs))
        self.parts.append(np.column_stack([pairs["mjj"], masses.max(axis=1), masses.min(axis=1), labels]))

    def report(self) -> dict[str, Any]:
        rows = np.concatenate([np.empty((0, 4)), *self.parts])
        classes = {"all": np.ones(len(rows), dtype=bool)}
        if self.labelled:
            classes |= {"background": rows[:, 3] == 0, "signal": rows[:, 3] == 1}
        return {**self.counts, "medians": {name: _medians(rows[chosen]) for name, chosen in classes.items()}}


def _medians(rows: np.ndarray) -> dict[str, Any]:
    names = ("mjj", "m_heavier", "m_lighter")
    values = [float(value) for value in np.median(rows[:, :3], axis=0)] if len(rows) else [None] * 3
    return {"n": len(rows), **dict(zip(names, values, strict=True))}

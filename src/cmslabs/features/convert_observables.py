"""From a file of NanoAOD-like events to a clean table of dijet observables, chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import pandas as pd
import pyarrow as pa

from cmslabs.config import StrictModel, config_hash, load_yaml, validate
from cmslabs.data.nanoaod import open_nanoaod
from cmslabs.data.parquet import open_parquet
from cmslabs.data.tables import iterate_events, read_provenance
from cmslabs.errors import ConfigError, DataError
from cmslabs.features.cleaning import Cleaner, CleaningConfig, CleaningReport
from cmslabs.features.dijet61 import dijet_identity, dijet_observables
from cmslabs.features.dijet_config import DijetConfig, config_of
from cmslabs.features.dijet_inputs import missing_inputs, needed_branches
from cmslabs.features.observables import CATALOGUE, SETS, observable_names
from cmslabs.features.writers import check_table_name, table_writer
from cmslabs.io import Provenance, existing_file, sha256, versions

__all__ = ["ObservablesConfig", "observables_config", "write_observables"]

IDENTITY = ("run", "luminosityBlock", "event", "label", "process")


class ObservablesConfig(StrictModel):
    """A file for ``cmslabs features --set``: sections ``dijets`` and ``cleaning`` (null: no cleaning)."""

    dijets: DijetConfig = DijetConfig()
    cleaning: CleaningConfig | None = CleaningConfig()


def observables_config(chosen: str, path: str | os.PathLike | None = None) -> ObservablesConfig:
    """The configuration of a set, with what a YAML file says instead.

    Keys that the file leaves out are those of the set: ``dijet_nanoaod`` stays a set of stand-ins if a file only
    changes the cleaning.

    Raises
    ------
    ConfigError
        If the file is not YAML, or says something that is not known.
    """
    default = config_of(chosen)
    if path is None:
        return ObservablesConfig(dijets=default)
    content = load_yaml(path)
    section = content.get("dijets", {})
    if isinstance(section, dict):
        content["dijets"] = default.model_dump() | section
    return validate(ObservablesConfig, content, where=path)


def write_observables(
    source: str | os.PathLike,
    out: str | os.PathLike,
    chosen: str = "dijet61",
    config: ObservablesConfig | None = None,
    *,
    simulation: bool | None = None,
    chunk_size: int = 20_000,
) -> dict[str, Any]:
    """Compute the dijet observables of a file, drop bad events, and write the table.

    Parameters
    ----------
    source : path-like
        NanoAOD (``.root``), or events in the same layout in Parquet, as ``cmslabs simulate --objects`` writes them.
    out : path-like
        The table: ``.parquet``, ``.csv`` or ``.h5``.  It is replaced in one step when all is done.
    chosen : str
        A set of the catalogue.
    config : ObservablesConfig, optional
        By default that of the set.
    simulation : bool, optional
        Whether the events are simulated; by default what the file says.
    chunk_size : int
        Events in memory at a time.

    Returns
    -------
    dict
        Plain JSON: ``set``, ``n_events`` read, ``n_dijets``, ``n_written``, and ``cleaning``: the report of
        `cmslabs.features.cleaning.CleaningReport.to_dict`, None without cleaning.

    Raises
    ------
    ConfigError
        If the set is unknown, input and output are one file, or `chunk_size` is not positive.
    DataError
        If the input is no file of events, or the output's ending is not known.
    MissingBranchError
        If a branch is missing: the observables that need it are named.
    """
    names = observable_names(chosen)
    config = observables_config(chosen) if config is None else config
    source, out = existing_file(source), check_table_name(out)
    if out.exists() and out.samefile(source):
        raise ConfigError("is input and output at once.", where=out, remedy="Choose another name for the table.")
    if chunk_size < 1:
        raise ConfigError(f"a chunk cannot have {chunk_size} events.", remedy="Use at least 1.")
    chunks, scalars, says = _open(source, names, config, chunk_size, simulation)
    cleaner = None if config.cleaning is None else Cleaner(config.cleaning)
    counts = {"n_events": 0, "n_dijets": 0, "n_written": 0}
    provenance = _provenance(source, chosen, config, scalars, says)
    with table_writer(out, provenance) as write:
        for events in chunks:
            table = _describe(events, names, config, cleaner, counts)
            write(table)
    report: CleaningReport | None = None if cleaner is None else cleaner.report()
    return {"set": chosen, **counts, "cleaning": None if report is None else report.to_dict()}


def _describe(
    events: ak.Array, names: Sequence[str], config: ObservablesConfig, cleaner: Cleaner | None, counts: dict[str, int]
) -> pd.DataFrame:
    """The rows of one chunk: what identifies the event, then the observables; `counts` is added to."""
    table = dijet_observables(events, names, config.dijets)
    identity = dijet_identity(events, config.dijets)
    counts["n_dijets"] += len(table)
    if cleaner is not None:
        table = cleaner(table, identity)
    kept = identity.loc[table.index]
    rows = pd.concat([kept[[name for name in IDENTITY if name in kept]], table], axis=1)
    # Which event of the file a row is, for whoever has no run and event number.
    rows.insert(0, "position", table.index.to_numpy() + counts["n_events"])
    counts["n_events"] += len(events)
    counts["n_written"] += len(table)
    return rows.reset_index(drop=True)


def _open(
    source: Path, names: Sequence[str], config: ObservablesConfig, chunk_size: int, simulation: bool | None
) -> tuple[Iterator[ak.Array], set[str], bool]:
    """Chunks of events with the needed branches, names of the scalars, whether they are simulated.

    What is missing is told at once, before any event is read.
    """
    if source.suffix == ".root":
        nano = open_nanoaod(source)
        present = {f"{leaf.collection}_{leaf.field}" for leaf in nano.leaves if leaf.collection}
        wanted = _check(present, names, config, source)
        leaves = [name.replace("_", ".", 1) for name in wanted]
        scalars = {leaf.field for leaf in nano.leaves if leaf.collection is None}
        return _root_chunks(nano, leaves, chunk_size), scalars, nano.simulation if simulation is None else simulation
    if source.suffix != ".parquet":
        raise DataError(
            f"no format of events with jets ends in {source.suffix!r}.",
            where=source,
            remedy="Give NanoAOD (.root), or Parquet from 'cmslabs simulate --objects'.  Particles alone have no "
            "energy fractions and no vertices: for them there is --set lhco.",
        )
    with open_parquet(source) as file:
        schema = file.schema_arrow
    present = {f"{field.name}_{inner.name}" for field in schema for inner in _struct_fields(field.type)}
    _check(present, names, config, source)
    simulation = read_provenance(source).simulation if simulation is None else simulation
    return iterate_events(source, chunk_size=chunk_size), set(schema.names), simulation


def _root_chunks(nano, leaves: list[str], chunk_size: int) -> Iterator[ak.Array]:
    for start in range(0, nano.n_events, chunk_size) or [0]:
        yield nano.read(leaves, start, start + chunk_size, check=False)


def _struct_fields(kind) -> list:
    """Fields of a struct, or of the structs in a list."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return list(kind) if pa.types.is_struct(kind) else []


def _check(present: set[str], names: Sequence[str], config: ObservablesConfig, source: Path) -> list[str]:
    """The branches to read, if all that are needed are there."""
    needed = needed_branches(names, config.dijets, present.__contains__)
    missing = {branch: users for branch, users in needed.items() if branch not in present}
    if missing:
        raise missing_inputs(missing, f"{source}, Events")
    return [*needed, *(["FatJet_jetId"] if "FatJet_jetId" in present else [])]


def _provenance(
    source: Path, chosen: str, config: ObservablesConfig, scalars: set[str], simulation: bool
) -> Provenance:
    numbers = ("position", *(name for name in IDENTITY if name in scalars))
    units = {name: CATALOGUE[name].unit for name in SETS[chosen]}
    return Provenance(
        source=source.name,
        simulation=simulation,
        script=f"cmslabs features --set {chosen}",
        versions=versions("numpy", "awkward"),
        units=dict.fromkeys(numbers, "1") | units,
        details={
            "input_sha256": sha256(source),
            "config": config.model_dump(mode="json"),
            "config_hash": config_hash(config),
        },
    )

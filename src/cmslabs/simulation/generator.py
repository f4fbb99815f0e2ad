"""`simulate`: from the name of a process to files with events, provenance and a record of the run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.data.tables import event_writer, write_table
from cmslabs.errors import ConfigError
from cmslabs.features.dijets import DIJET_COLUMNS
from cmslabs.io import Provenance, json_hash, read_json, sha256, versions, write_json
from cmslabs.simulation.chunkfile import read_events_of_chunk, read_record
from cmslabs.simulation.jet_objects import numbered_objects, object_units
from cmslabs.simulation.lhco_file import write_lhco_particles
from cmslabs.simulation.process import Process
from cmslabs.simulation.processes import get_process
from cmslabs.simulation.production import CHUNK_SIZE, Recipe, run_recipe, summarise
from cmslabs.simulation.writers import branch_units, collect, number_events, write_nanoaod

__all__ = ["FORMATS", "SimulationResult", "simulate"]

#: What a kind of process can be written as; the first is the default.
FORMATS = {"dijet": ("parquet", "csv"), "lepton": ("root", "parquet")}
UNITS = {"pt": "GeV", "eta": "1", "phi": "rad"}
PACKAGES = ("pythia8mc", "fastjet", "numpy", "awkward", "uproot", "pyarrow")


@dataclass(frozen=True)
class SimulationResult:
    """What `simulate` made.

    Attributes
    ----------
    files : dict
        What it is (``"features"``, ``"constituents"``, ``"particles"``, ``"objects"``, ``"events"``, ``"record"``)
        -> path.
    summary : dict
        Events kept and tried, efficiency and generated cross-section [pb] with their errors; it contains the
        branching ratio of forced decays.
    """

    files: dict[str, Path]
    summary: dict[str, Any]


def simulate(
    process: str | Process,
    events: int,
    seed: int,
    out: str | os.PathLike,
    workers: int = 1,
    executor: Executor | None = None,
    mpi: bool | None = None,
    *,
    variant: str | None = None,
    format: str | None = None,
    constituents: bool = False,
    particles: bool = False,
    objects: bool = False,
    progress: bool = False,
    chunk_size: int = CHUNK_SIZE,
    keep_chunks: bool = False,
) -> SimulationResult:
    """Simulate a process until `events` events have passed its selection, and write them.

    The result depends on the process, its options, `events`, `seed` and `chunk_size`, and on nothing
    else: not on the number of workers, nor on whether the run was interrupted and started again.

    Parameters
    ----------
    process : str or Process
        A name of `cmslabs.simulation.processes.PROCESSES`.
    events : int
        Events to write.  More are generated: those that fail the trigger, or lack leptons, are not written,
        and the record says how many they were.
    seed : int
        Not negative.  Each chunk of `chunk_size` events has its own seed, derived from it.
    out : path-like
        Folder.  Chunks stay there until everything is written; after an interruption the same call goes on.
    workers : int
        Processes, if no executor is given.
    executor : concurrent.futures.Executor, optional
        For example ``distributed.Client(...).get_executor()``.
    mpi : bool, optional
        Multi-parton interactions on or off; default: as the process wants them.
    variant : str, optional
        One of the process's variants, for example ``"muons"`` for ``zz-4l``.
    format : str, optional
        Dijets: ``"parquet"`` or ``"csv"``; leptons: ``"root"`` or ``"parquet"``.
    constituents, particles : bool
        Dijets: write the 100 hardest constituents of both jets (Parquet), or all particles in the layout of
        the LHC Olympics' HDF5 files.
    objects : bool
        Dijets: write AK8 and AK4 jets, MET and the number of vertices with NanoAOD's names (Parquet), from which
        ``cmslabs features --set dijet61`` computes the 61 observables.
    progress : bool
        Show a bar with events per second.
    chunk_size : int
        See above.
    keep_chunks : bool
        Do not delete the chunks' folder at the end.

    Returns
    -------
    SimulationResult

    Raises
    ------
    ConfigError
        If an option does not fit the process, or `out` holds this process from another run.
    SimulationError
        If Pythia refuses the process, or too few events pass.
    JobError
        If a worker fails; finished chunks are kept.
    """
    process = get_process(process) if isinstance(process, str) else process
    wanted = {"constituents": constituents, "particles": particles, "objects": objects}
    content = tuple(name for name, on in wanted.items() if on)
    format = _check(process, format, content)
    recipe = Recipe(process, mpi, variant, content)
    identity = recipe.identity() | {"events": events, "seed": seed, "chunk_size": chunk_size}
    name = _name(recipe)
    _refuse_to_replace(Path(out) / f"{name}.json", identity)
    folder = Path(out) / f"{name}-chunks-{json_hash(identity, digits=8)}"
    paths = run_recipe(
        recipe, events, seed, folder, workers=workers, executor=executor, progress=progress, chunk_size=chunk_size
    )
    summary = summarise(paths)
    record = Provenance(
        source="simulation",
        simulation=True,
        script="cmslabs simulate",
        seed=seed,
        versions=versions(*PACKAGES),
        details=identity | {"run": summary, "detector": "light, Delphes-like, not validated against Delphes"},
    )
    write = _write_dijets if process.kind == "dijet" else _write_leptons
    files = write(paths, Path(out), name, format, recipe, record)
    files["record"] = Path(out) / f"{name}.json"
    write_json(files["record"], _card(process, record, summary, files))
    if not keep_chunks:
        shutil.rmtree(folder)
    return SimulationResult(files, summary)


def _check(process: Process, format: str | None, content: tuple[str, ...]) -> str:
    known = FORMATS[process.kind]
    if process.kind != "dijet" and content:
        raise ConfigError(
            f"{' and '.join(content)} are written for dijet processes only.",
            where=process.name,
            remedy="Leave the option out: the ROOT file holds jets and leptons.",
        )
    if format is not None and format not in known:
        raise ConfigError(f"cannot be written as {format!r}.", where=process.name, remedy=f"Use: {' or '.join(known)}.")
    return known[0] if format is None else format


def _refuse_to_replace(record: Path, identity: dict[str, Any]) -> None:
    """Let the same run write its files again, but never over those of another seed or another option."""
    if not record.exists():
        return
    found = read_json(record).get("provenance", {}).get("details", {})
    changed = sorted(key for key, value in identity.items() if found.get(key) != json.loads(json.dumps(value)))
    if changed:
        raise ConfigError(
            f"belongs to another run (different: {', '.join(changed)}).",
            where=record,
            remedy="Choose another folder, or delete the files that it names.",
        )


def _name(recipe: Recipe) -> str:
    """Name of the output: what differs from the plain process stands in it."""
    parts = [recipe.process.name]
    if recipe.variant is not None:
        parts.append(recipe.variant)
    if recipe.mpi is not None and recipe.mpi != recipe.process.mpi:
        parts.append("mpi" if recipe.mpi else "no-mpi")
    return "-".join(parts)


def _with_units(record: Provenance, units: dict[str, str]) -> Provenance:
    return record.model_copy(update={"units": units})


def _write_dijets(paths: list[Path], out: Path, name: str, format: str, recipe: Recipe, record: Provenance):
    label = recipe.process.label
    files = {"features": out / f"{name}-features.{format}"}
    frames = [_frame(read_events_of_chunk(path), read_record(path)["start"], label) for path in paths]
    units = DIJET_COLUMNS | {"met": "GeV", "label": "1"} | ({"ht": "GeV"} if "ht" in recipe.process.selection else {})
    write_table(files["features"], pd.concat(frames, ignore_index=True), _with_units(record, units))
    if "constituents" in recipe.content:
        files["constituents"] = out / f"{name}-constituents.parquet"
        units = {f"{jet}.{field}": unit for jet in ("j1", "j2") for field, unit in UNITS.items()}
        with event_writer(files["constituents"], _with_units(record, {"event": "1", "label": "1"} | units)) as write:
            for path in paths:
                write(_jets(read_events_of_chunk(path), read_record(path)["start"], label))
    if "particles" in recipe.content:
        files["particles"] = out / f"{name}-particles.h5"
        blocks = (read_events_of_chunk(path).particles for path in paths)
        n_events = record.details["run"]["events"]
        write_lhco_particles(files["particles"], blocks, n_events, label, _with_units(record, UNITS))
    if "objects" in recipe.content:
        files["objects"] = out / f"{name}-objects.parquet"
        with event_writer(files["objects"], _with_units(record, object_units())) as write:
            for path in paths:
                write(numbered_objects(read_events_of_chunk(path), read_record(path)["start"], label))
    return files


def _frame(events: ak.Array, start: int, label: int) -> pd.DataFrame:
    columns = {"event": start + np.arange(len(events))}
    columns |= {name: ak.to_numpy(events.table[name]) for name in events.table.fields}
    return pd.DataFrame(columns).assign(label=np.int8(label))


def _jets(events: ak.Array, start: int, label: int) -> ak.Array:
    fields = {"event": start + np.arange(len(events)), "label": np.full(len(events), label, dtype=np.int8)}
    return ak.zip(fields | {"j1": events.j1, "j2": events.j2}, depth_limit=1)


def _write_leptons(paths: list[Path], out: Path, name: str, format: str, recipe: Recipe, record: Provenance):
    files = {"events": out / f"{name}.{format}"}
    units = branch_units(next(_numbered(paths)))
    if format == "parquet":
        # There branches are fields of records: Muon.pt, not Muon_pt.
        units = {name.replace("_", ".", 1): unit for name, unit in units.items()}
    record = _with_units(record, units)
    if format == "root":
        tried = record.details["run"]["tried"]
        runs = {
            "run": np.array([1], dtype=np.uint32),
            "genEventCount": np.array([tried], dtype=np.int64),
            "genEventSumw": np.array([float(tried)]),
            "genEventSumw2": np.array([float(tried)]),
        }
        write_nanoaod(files["events"], _numbered(paths), runs, record)
    else:
        with event_writer(files["events"], record) as write:
            for block in _numbered(paths):
                write(collect(block))
    return files


def _numbered(paths: list[Path]) -> Iterator[ak.Array]:
    for path in paths:
        entry = read_record(path)
        yield number_events(read_events_of_chunk(path), entry["start"], entry["index"] + 1)


def _card(process: Process, record: Provenance, summary: dict[str, Any], files: dict[str, Path]) -> dict[str, Any]:
    """What a dataset card would say about these files, as plain JSON."""
    return {
        "name": process.name,
        "title": process.title,
        "kind": "simulation",
        "n_events": summary["events"],
        "summary": summary,
        "files": {
            kind: {"name": path.name, "size_bytes": path.stat().st_size, "sha256": sha256(path)}
            for kind, path in files.items()
            if kind != "record"
        },
        "provenance": record.model_dump(mode="json"),
    }

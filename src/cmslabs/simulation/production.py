"""Run a process in chunks that do not depend on who computes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from cmslabs.errors import ConfigError, SimulationError, require
from cmslabs.io import json_hash, sha256, versions
from cmslabs.jobs import Chunk, make_chunks, run_chunks
from cmslabs.simulation.chunkfile import is_whole, pack, read_record
from cmslabs.simulation.dijet_events import dijet_events
from cmslabs.simulation.nano import nano_events
from cmslabs.simulation.process import Process
from cmslabs.simulation.pythia import Species, batches, cross_section, pythia_seed, start
from cmslabs.simulation.worlds import SIMULATION, get_world

__all__ = ["CHUNK_SIZE", "Recipe", "generate_chunk", "run_recipe", "summarise"]

#: Events per chunk.  Together with the seed it fixes the result, so that it is never tuned to the machine.
CHUNK_SIZE = 1000
#: Events per call of Pythia.
BATCH_SIZE = 200
#: A chunk gives up after so many tries per wanted event, and this many in any case.
TRIES_PER_EVENT, LEAST_TRIES = 500, 5000
#: Modules that decide what events look like (settings and selections stand in the identity as they are).
EVENT_CODE = (
    *(f"simulation/{name}" for name in ("calorimeter", "detector", "dijet_events", "hot_cell", "leptons")),
    *(f"simulation/{name}" for name in ("jet_objects", "nano", "pileup", "production", "pythia", "tracker", "trigger")),
    *(f"simulation/{name}" for name in ("truth", "worlds")),
    *(f"features/{name}" for name in ("clustering", "compiling", "dijets", "particles", "softdrop")),
    "features/substructure",
)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what the events look like, except the seed.

    Attributes
    ----------
    process : Process
    mpi : bool or None
        Multi-parton interactions; None leaves the process's own setting.
    variant : str or None
        One of the process's variants.
    content : tuple of str
        For dijets: ``"constituents"``, ``"particles"``, ``"objects"``, if they are wanted beside the features.
    world : str
        For leptons: a name of `cmslabs.simulation.worlds.WORLDS`.
    """

    process: Process
    mpi: bool | None = None
    variant: str | None = None
    content: tuple[str, ...] = ()
    world: str = SIMULATION.name

    @property
    def lines(self) -> tuple[str, ...]:
        """Settings for Pythia."""
        return self.process.lines(self.mpi, self.variant)

    def identity(self) -> dict[str, Any]:
        """The same as plain JSON, with the versions that shape the numbers."""
        cell = self.process.hot_cell
        return {
            "process": self.process.name,
            **({} if cell is None else {"hot_cell": asdict(cell)}),
            "settings": list(self.lines),
            "selection": dict(self.process.selection),
            "variant": self.variant,
            "content": sorted(self.content),
            "world": self.world,
            "batch_size": BATCH_SIZE,
            "versions": versions("pythia8mc", "fastjet", "numpy", "awkward"),
            "code": code_hash(),
        }


def code_hash() -> str:
    """Hash of the source code that shapes events.

    With it in a job's identity, chunks that an older version of the code left behind are never taken for ours.
    """
    package = Path(__file__).parents[1]
    code = {name: sha256(package / f"{name}.py") for name in EVENT_CODE}
    return json_hash(code)


def generate_chunk(recipe: Recipe, chunk: Chunk) -> bytes:
    """Generate until `chunk.size` events have passed the selection.

    Raises
    ------
    SimulationError
        If too few events pass.
    """
    pythia = start(recipe.lines, pythia_seed(chunk.seed))
    species = Species(pythia)
    limit = max(LEAST_TRIES, TRIES_PER_EVENT * chunk.size)
    parts: list[ak.Array] = []
    tries: list[int] = []
    tried = 0
    for number, batch in enumerate(batches(pythia, BATCH_SIZE)):
        # One stream per batch: a chunk of 50 events is the beginning of one of 1000 with the same seed.
        rng = np.random.default_rng([chunk.seed, number])
        events, index = _observe(recipe, batch, species, rng)
        missing = chunk.size - len(tries)
        parts.append(events[:missing])
        tries += (tried + index[:missing]).tolist()
        if len(events) >= missing:
            break
        tried += batch.n_events
        if tried >= limit:
            raise SimulationError(
                f"only {len(tries)} of {chunk.size} events passed the selection after {tried} tries.",
                where=f"{recipe.process.name}, chunk {chunk.index}",
                remedy="Loosen the selection or tighten the phase space of the process.",
            )
    sigma, error = cross_section(pythia)
    ratio = recipe.process.branching_ratio
    record = {"index": chunk.index, "start": chunk.start, "kept": chunk.size, "tried": tries[-1] + 1}
    # `tries`: which of the generated events, from 0, each kept one was.
    record |= {"seed": chunk.seed, "tries": tries}
    return pack(ak.concatenate(parts), record | {"sigma_pb": ratio * sigma, "sigma_error_pb": ratio * error})


def _observe(recipe: Recipe, batch, species: Species, rng: np.random.Generator) -> tuple[ak.Array, np.ndarray]:
    if recipe.process.kind == "dijet":
        process = recipe.process
        return dijet_events(batch, species, process.selection, rng, recipe.content, process.hot_cell)
    return nano_events(batch, species, recipe.process.selection, rng, get_world(recipe.world))


def run_recipe(
    recipe: Recipe,
    events: int,
    seed: int,
    folder: str | os.PathLike,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
    chunk_size: int = CHUNK_SIZE,
) -> list[Path]:
    """Files of all chunks, in order; chunks that are there already and whole are not computed again.

    Parameters
    ----------
    recipe : Recipe
    events : int
        Events to keep, after the selection.
    seed : int
        Not negative.
    folder : path-like
        For the chunks.
    workers, executor, progress
        As in `cmslabs.jobs.run_chunks`.
    chunk_size : int
        Part of the result's identity: another size gives other events.

    Raises
    ------
    ConfigError, JobError, SimulationError
    """
    for module in ("pythia8mc", "fastjet", "numba"):
        require(module, "sim")
    if seed < 0:
        raise ConfigError(f"the seed {seed} is negative.", remedy="Use 0 or a positive number.")
    chunks = make_chunks(events, chunk_size, seed)
    folder = Path(folder)
    for broken in (path for path in folder.glob("chunk-*.arrow") if not is_whole(path)):
        broken.unlink()
    return run_chunks(
        partial(generate_chunk, recipe),
        chunks,
        folder,
        identity=recipe.identity() | {"events": events, "seed": seed, "chunk_size": chunk_size},
        suffix=".arrow",
        workers=workers,
        executor=executor,
        progress=progress,
    )


def summarise(paths: Sequence[Path]) -> dict[str, Any]:
    """Efficiency and cross-section of a run, from the records of its chunks.

    Returns
    -------
    dict
        ``events`` kept; ``tried``: events generated up to the last kept one of each chunk; ``efficiency``
        with its binomial ``efficiency_error``; ``sigma_pb``: generated cross-section and its error, the
        mean over the chunks weighted by tries.
    """
    records = [read_record(path) for path in paths]
    kept, tries = sum(record["kept"] for record in records), np.array([record["tried"] for record in records])
    tried = int(tries.sum())
    efficiency = kept / tried
    sigma = float(np.dot(tries, [record["sigma_pb"] for record in records]) / tried)
    error = float(np.linalg.norm(tries * [record["sigma_error_pb"] for record in records]) / tried)
    return {
        "events": kept,
        "tried": tried,
        "efficiency": efficiency,
        "efficiency_error": float(np.sqrt(efficiency * (1 - efficiency) / tried)),
        "sigma_pb": sigma,
        "sigma_error_pb": error,
    }

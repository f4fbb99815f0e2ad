"""What has to be simulated for a box, and its simulation as one job that can be interrupted."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import awkward as ak

from cmslabs.errors import require
from cmslabs.jobs import Chunk, make_chunks, run_chunks
from cmslabs.simulation.box_events import BoxEvents
from cmslabs.simulation.box_truth import CELL_SHARE, Truth
from cmslabs.simulation.chunkfile import is_whole, read_events_of_chunk
from cmslabs.simulation.hot_cell import HotCell
from cmslabs.simulation.process import Process
from cmslabs.simulation.processes import get_process, wprime
from cmslabs.simulation.production import CHUNK_SIZE, Recipe, generate_chunk

__all__ = ["Ingredient", "background_ingredient", "hidden_ingredient", "run_ingredients"]

#: W' events that are simulated, as a share of the box and beyond: more than any box needs.
BUDGET_SHARE, BUDGET_LEAST = 0.02, 12


@dataclass(frozen=True)
class Ingredient:
    """So many events of one process from one seed."""

    recipe: Recipe
    events: int
    seed: int


def _recipe(process: Process, constituents: bool) -> Recipe:
    return Recipe(process, content=("constituents",) if constituents else ())


def background_ingredient(events: int, seed: int, constituents: bool) -> Ingredient:
    """QCD dijets, as many as the box has events."""
    return Ingredient(_recipe(get_process("qcd-dijets"), constituents), events, seed)


def hidden_ingredient(truth: Truth, events: int, seed: int, constituents: bool) -> Ingredient:
    """What may hide in a box of `events` events: W' events, or QCD events with a hot cell, more than are needed.

    How many there are does not depend on the secret, so that a progress bar tells nothing.

    A cell that adds pT lifts softer collisions over the trigger.  They are generated with pT(hat) from 1000 GeV
    minus that pT on, so that the room between pT(hat) and trigger is that of the background.
    """
    if truth.kind == "wprime":
        process = wprime(truth.mass, truth.mass_x, truth.mass_y)
        return Ingredient(_recipe(process, constituents), math.ceil(BUDGET_SHARE * events) + BUDGET_LEAST, seed)
    background = get_process("qcd-dijets")
    softer = f"PhaseSpace:pTHatMin = {1000 - truth.pt:g}"
    cell = HotCell(truth.eta, truth.phi, truth.pt)
    process = replace(background, settings=(*background.settings, softer), hot_cell=cell)
    return Ingredient(_recipe(process, constituents), math.ceil(CELL_SHARE[1] * events), seed)


def run_ingredients(
    ingredients: Sequence[Ingredient],
    folder: str | os.PathLike,
    *,
    workers: int = 1,
    progress: bool = False,
    chunk_size: int = CHUNK_SIZE,
) -> list[BoxEvents]:
    """Simulate all ingredients as one job in chunks, which goes on after an interruption.

    Parameters
    ----------
    ingredients : sequence of Ingredient
    folder : path-like
        For the chunks.
    workers : int
        Processes; the events do not depend on it.
    progress : bool
        One bar for everything.
    chunk_size : int
        Part of the result's identity: another size gives other events.

    Raises
    ------
    ConfigError, JobError, SimulationError
        As `cmslabs.simulation.production.run_recipe`.
    """
    for module in ("pythia8mc", "fastjet", "numba"):
        require(module, "sim")
    chunks: list[Chunk] = []
    recipes: list[Recipe] = []
    parts: list[slice] = []
    for one in ingredients:
        own = make_chunks(one.events, chunk_size, one.seed)
        parts.append(slice(len(chunks), len(chunks) + len(own)))
        chunks += [replace(chunk, index=len(chunks) + number) for number, chunk in enumerate(own)]
        recipes += [one.recipe] * len(own)
    folder = Path(folder)
    for broken in (path for path in folder.glob("chunk-*.arrow") if not is_whole(path)):
        broken.unlink()
    paths = run_chunks(
        partial(_generate, tuple(recipes)),
        chunks,
        folder,
        identity={"ingredients": [one.recipe.identity() | {"events": one.events} for one in ingredients]},
        suffix=".arrow",
        workers=workers,
        progress=progress,
    )
    return [BoxEvents.join([_read(path) for path in paths[part]]) for part in parts]


def _generate(recipes: tuple[Recipe, ...], chunk: Chunk) -> bytes:
    return generate_chunk(recipes[chunk.index], chunk)


def _read(path: Path) -> BoxEvents:
    events = read_events_of_chunk(path)
    columns = {name: ak.to_numpy(events.table[name]) for name in events.table.fields}
    return BoxEvents.rounded(columns, events if "j1" in events.fields else None)

"""Sealed boxes: about 40 000 dijet events with nothing, a W' or a detector fault hidden among them.

Everything that makes, commits, checks and opens boxes can be imported from here.
"""

from __future__ import annotations

import os
import shutil

from cmslabs.errors import DataError
from cmslabs.io import json_hash
from cmslabs.simulation.box_bundle import bundled_box, bundled_commitment, open_bundled_box
from cmslabs.simulation.box_class import ClassFiles, make_class
from cmslabs.simulation.box_events import check_size, mix
from cmslabs.simulation.box_file import BoxFiles, box_commitment, open_box, output_path, read_box, write_box
from cmslabs.simulation.box_log import Entry, note, read_log, score_log
from cmslabs.simulation.box_pool import open_pool
from cmslabs.simulation.box_recipe import background_ingredient, hidden_ingredient, run_ingredients
from cmslabs.simulation.box_secret import is_guessable, secret_key, stream, stream_seed
from cmslabs.simulation.box_truth import (
    Statement,
    Truth,
    box_truth,
    check_statement,
    commitment,
    possible_truths,
    read_statement,
    statement_of,
    write_statement,
)
from cmslabs.simulation.production import CHUNK_SIZE

__all__ = [
    "EVENTS",
    "BoxFiles",
    "ClassFiles",
    "Entry",
    "Statement",
    "Truth",
    "box_commitment",
    "box_truth",
    "bundled_box",
    "bundled_commitment",
    "check_statement",
    "commitment",
    "is_guessable",
    "make_box",
    "make_class",
    "note",
    "open_box",
    "open_bundled_box",
    "read_box",
    "read_log",
    "read_statement",
    "score_log",
    "statement_of",
    "write_statement",
]

#: Events of a box.
EVENTS = 40_000


def make_box(
    secret: str,
    out: str | os.PathLike,
    *,
    events: int = EVENTS,
    constituents: bool = False,
    background: str | os.PathLike | None = None,
    workers: int = 1,
    progress: bool = False,
    chunk_size: int = CHUNK_SIZE,
) -> BoxFiles:
    """Make the box of a secret.

    The same secret and options give the same bytes, with any number of workers and after any interruption.  Signal
    and hot cell are simulated for every box and then used or thrown away, so that the work does not tell what is
    inside.

    Parameters
    ----------
    secret : str
        Decides everything.  See `is_guessable`.
    out : path-like
        The table to write, ``.parquet``.  Chunks lie beside it until it is written.
    events : int
        Events of the box, whatever it holds.
    constituents : bool
        Write ``NAME-constituents.parquet``, too.
    background : path-like, optional
        Pre-made events of ``cmslabs simulate qcd-dijets`` instead of simulating them.
    workers : int
        Processes.
    progress : bool
        Show a bar.
    chunk_size : int
        Part of the result's identity: another size gives other events.

    Raises
    ------
    ConfigError
        If the secret is empty, `out` is another file already, or there are too few events.
    DataError
        If the background does not fit or is too small.
    JobError, SimulationError
        If the simulation fails; finished chunks are kept.
    """
    key, mark = secret_key(secret), commitment(statement_of(secret))
    path = output_path(out, mark)
    check_size(events)
    pool = None if background is None else open_pool(background, constituents)
    if pool is not None and pool.n_events < events:
        raise DataError(
            f"has {pool.n_events} events, but a box needs {events}.", where=pool.features, remedy="Simulate more."
        )
    hidden = {kind: truth for kind, truth in possible_truths(secret).items() if kind != "nothing"}
    parts = [
        hidden_ingredient(truth, events, stream_seed(key, f"{kind} events"), constituents)
        for kind, truth in hidden.items()
    ]
    if pool is None:
        parts.insert(0, background_ingredient(events, stream_seed(key, "background"), constituents))
    folder = path.with_name(f"{path.stem}-chunks-{json_hash([mark, events, constituents, chunk_size], digits=8)}")
    made = run_ingredients(parts, folder, workers=workers, progress=progress, chunk_size=chunk_size)
    if pool is None:
        plain = made.pop(0)
    else:
        start = int(stream(key, "pool").integers(pool.n_events - events + 1))
        (plain,) = pool.deal([start], events)
    truth = box_truth(secret)
    mixed = mix(plain, dict(zip(hidden, made, strict=True)).get(truth.kind), truth, stream(key, "order"))
    files = write_box(path, mixed, mark, None if pool is None else pool.sha256)
    shutil.rmtree(folder)
    return files

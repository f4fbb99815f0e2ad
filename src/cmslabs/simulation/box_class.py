"""Boxes for a class: one for every student, in one pass over pre-made background."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cmslabs.errors import ConfigError, DataError
from cmslabs.io import json_hash, read_json, sha256, write_json
from cmslabs.simulation.box_events import BoxEvents, check_size, mix
from cmslabs.simulation.box_file import BoxFiles, output_path, write_box
from cmslabs.simulation.box_pool import Pool, open_pool
from cmslabs.simulation.box_recipe import hidden_ingredient, run_ingredients
from cmslabs.simulation.box_secret import secret_key, stream, stream_seed
from cmslabs.simulation.box_truth import box_truth, commitment, statement_of
from cmslabs.simulation.production import CHUNK_SIZE

__all__ = ["COMMITMENTS", "SECRETS", "SHARED_REMARK", "ClassFiles", "make_class"]

COMMITMENTS, SECRETS = "commitments.json", "secrets.json"
#: What is to be said of boxes that share events.
SHARED_REMARK = (
    "These boxes share background events. Students who compare two boxes see what is in one only, which gives signals "
    "away; and the p-values of empty boxes are correlated, so that their distribution proves little."
)


@dataclass(frozen=True)
class ClassFiles:
    """The boxes of a class.

    Attributes
    ----------
    boxes : tuple of BoxFiles
        One per student, in their order.
    commitments : Path
        To be published with the boxes: JSON with commitment and SHA-256 of every box.
    secrets : Path
        To be kept: JSON with the secret of every box, readable for its owner only.
    shared : bool
        Whether boxes share events.
    guessable_background : bool
        Whether the background's seed is so small that a student could find it by trying.
    """

    boxes: tuple[BoxFiles, ...]
    commitments: Path
    secrets: Path
    shared: bool
    guessable_background: bool


def make_class(
    students: int,
    out: str | os.PathLike,
    background: str | os.PathLike,
    *,
    events: int = 40_000,
    constituents: bool = False,
    shared: bool = False,
    workers: int = 1,
    progress: bool = False,
    chunk_size: int = CHUNK_SIZE,
) -> ClassFiles:
    """Make a box for every student of a class.

    Every box has its own secret, drawn by the system's random source, and its own background events.  Only what hides
    in the boxes is simulated; the background is read once, in pieces.  After an interruption the same call goes on
    with the same secrets.

    Parameters
    ----------
    students : int
        Number of boxes: ``student-01.parquet`` and so on.
    out : path-like
        Folder for the boxes, ``commitments.json`` and ``secrets.json``.
    background : path-like
        What ``cmslabs simulate qcd-dijets`` wrote: at least `events` for every student.
    events : int
        Events of a box.
    constituents : bool
        Write the constituents, too; the background must have them.
    shared : bool
        Let boxes share background events if there are too few.  See `SHARED_REMARK`.
    workers : int
        Processes for the simulation.
    progress : bool
        Show a bar.
    chunk_size : int
        As in `cmslabs.simulation.boxes.make_box`.

    Raises
    ------
    ConfigError
        If there are no students, or `out` holds another class.
    DataError
        If the background does not fit or is too small; the message says how many events are needed.
    JobError, SimulationError
        If the simulation fails; finished chunks are kept.
    """
    if students < 1:
        raise ConfigError(f"{students} students are no class.", remedy="Use at least 1.")
    check_size(events)
    pool = open_pool(background, constituents)
    starts = _starts(pool, students, events, shared)
    folder = Path(out)
    names = [f"student-{number:0{max(2, len(str(students)))}d}" for number in range(1, students + 1)]
    drawn = _secrets(folder / SECRETS, names)
    marks = {name: commitment(statement_of(secret)) for name, secret in drawn.items()}
    paths = [output_path(folder / f"{name}.parquet", mark) for name, mark in marks.items()]
    chunks = folder / f"chunks-{json_hash([marks, events, constituents, chunk_size], digits=8)}"
    hidden = _simulate_hidden(drawn, events, constituents, chunks, workers, progress, chunk_size)
    boxes = []
    for name, path, plain in zip(names, paths, pool.deal(starts, events), strict=True):
        secret = drawn[name]
        mixed = mix(plain, hidden.pop(name, None), box_truth(secret), stream(secret_key(secret), "order"))
        boxes.append(write_box(path, mixed, marks[name], pool.sha256))
    overlap = any(second - first < events for first, second in pairwise(starts))
    _publish(folder / COMMITMENTS, boxes, pool, events, overlap)
    shutil.rmtree(chunks, ignore_errors=True)
    return ClassFiles(tuple(boxes), folder / COMMITMENTS, folder / SECRETS, overlap, pool.is_guessable)


def _starts(pool: Pool, students: int, events: int, shared: bool) -> Sequence[int]:
    """First event of each student's part of the background: one part after the other, or spread over too few."""
    needed = students * events
    if pool.n_events >= needed:
        return range(0, needed, events)
    if pool.n_events < events or not shared:
        what = f"has {pool.n_events} events, but {students} boxes of {events} need {events if shared else needed}."
        remedy = "Simulate more" + (".", ", or let boxes share events: --shared.")[pool.n_events >= events]
        raise DataError(what, where=pool.features, remedy=remedy)
    return [student * (pool.n_events - events) // (students - 1) for student in range(students)]


def _secrets(path: Path, names: Sequence[str]) -> dict[str, str]:
    """The secrets of a class: those of an interrupted run, or new ones in a file that only its owner may read."""
    if not path.exists():
        drawn = {name: secrets.token_urlsafe(24) for name in names}
        _write_private(path, json.dumps(drawn, indent=2) + "\n")
        return drawn
    found = read_json(path)
    texts = isinstance(found, dict) and all(isinstance(secret, str) for secret in found.values())
    if not texts or sorted(found) != sorted(names):
        remedy = "Choose another folder, or as many students as before."
        raise ConfigError("holds the secrets of another class.", where=path, remedy=remedy)
    return {name: found[name] for name in names}


def _write_private(path: Path, text: str) -> None:
    """Write a file that was never readable for others, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".part-{secrets.token_hex(4)}-{path.name}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _simulate_hidden(
    drawn: dict[str, str], events: int, constituents: bool, folder: Path, workers: int, progress: bool, chunk_size: int
) -> dict[str, BoxEvents]:
    """What hides in the boxes that hold something, by student."""
    parts = {}
    for name, secret in drawn.items():
        truth = box_truth(secret)
        if truth.kind != "nothing":
            seed = stream_seed(secret_key(secret), f"{truth.kind} events")
            parts[name] = hidden_ingredient(truth, events, seed, constituents)
    if not parts:
        return {}
    options = {"workers": workers, "progress": progress, "chunk_size": chunk_size}
    return dict(zip(parts, run_ingredients(list(parts.values()), folder, **options), strict=True))


def _publish(path: Path, boxes: Sequence[BoxFiles], pool: Pool, events: int, overlap: bool) -> None:
    content = {
        "boxes": {
            box.features.name: {
                "commitment": box.commitment,
                "sha256": box.sha256,
                **({} if box.constituents is None else {"constituents_sha256": sha256(box.constituents)}),
            }
            for box in boxes
        },
        "events": events,
        "background": {"sha256": pool.sha256, "events": pool.n_events},
        "shared_events": overlap,
        "remarks": [SHARED_REMARK] if overlap else [],
    }
    write_json(path, content)

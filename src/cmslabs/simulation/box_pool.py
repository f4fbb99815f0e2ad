"""Pre-made background for boxes: what `cmslabs simulate qcd-dijets` wrote, read once and never in one piece."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.data.jagged import iterate_events
from cmslabs.data.parquet import open_parquet, reading
from cmslabs.data.tables import read_provenance
from cmslabs.errors import DataError
from cmslabs.io import Provenance, existing_file, sha256
from cmslabs.simulation.box_events import BOX_COLUMNS, BoxEvents, half_precision
from cmslabs.simulation.processes import get_process
from cmslabs.simulation.production import Recipe

__all__ = ["Pool", "open_pool", "windows"]

NAME = "qcd-dijets-features.parquet"
MAKE_IT = "Make it with: cmslabs simulate qcd-dijets --events N --seed LARGE-NUMBER --out FOLDER"
#: Constituents are read in blocks of so many events (about 5 MB).
BLOCK = 2_000
#: Who knows the seed of a pool has its events; small numbers are tried first.
SAFE_SEED = 2**40


@dataclass(frozen=True)
class Pool:
    """Pre-made background events.

    Attributes
    ----------
    features : Path
        The table.
    constituents : Path or None
        The jets' constituents of the same events, if they are wanted.
    n_events : int
    sha256 : str
        Of the table: it stands in every box that is made from it.
    seed : int or None
        What the events were drawn with.
    """

    features: Path
    constituents: Path | None
    n_events: int
    sha256: str
    seed: int | None

    @property
    def is_guessable(self) -> bool:
        """Whether somebody who tries small seeds would find these events, and so what was put between them."""
        return self.seed is None or self.seed < SAFE_SEED

    def deal(self, starts: Sequence[int], size: int) -> Iterator[BoxEvents]:
        """For every start, which must not fall, the `size` events from there on; the files are read once.

        Raises
        ------
        DataError
            If the constituents are not those of the table, or the files end too early.
        """
        tables = windows(self._table_blocks(), starts, size, self.features)
        if self.constituents is None:
            yield from (BoxEvents(table.frame.drop(columns="event")) for table in tables)
            return
        jets = windows(self._jet_blocks(), starts, size, self.constituents)
        for table, jet in zip(tables, jets, strict=True):
            if not np.array_equal(table.frame["event"], jet.frame["event"]):
                raise DataError(
                    "holds other events than the table beside it.",
                    where=self.constituents,
                    remedy="Simulate both anew.",
                )
            yield BoxEvents(table.frame.drop(columns="event"), jet.jets)

    def _table_blocks(self) -> Iterator[BoxEvents]:
        with open_parquet(self.features) as file:
            for index in range(file.num_row_groups):
                with reading(self.features):
                    table = file.read_row_group(index, columns=list(BOX_COLUMNS))
                columns = {name: table[name].to_numpy() for name in BOX_COLUMNS}
                yield BoxEvents(BoxEvents.rounded(columns).frame.assign(event=columns["event"]))

    def _jet_blocks(self) -> Iterator[BoxEvents]:
        for events in iterate_events(self.constituents, BLOCK, ["event", "j1", "j2"]):
            yield BoxEvents(pd.DataFrame({"event": ak.to_numpy(events.event)}), half_precision(events))


def open_pool(background: str | os.PathLike, constituents: bool = False) -> Pool:
    """Find and check pre-made events.

    They must come from the same process and the same code as the signals that will be put between them: otherwise
    the difference would give the signals away.

    Parameters
    ----------
    background : path-like
        The folder that ``cmslabs simulate qcd-dijets --out`` wrote, or the table in it.
    constituents : bool
        Whether the constituents are wanted, too.

    Raises
    ------
    DataError
        If the files are missing or were made otherwise.
    """
    path = Path(background)
    features = existing_file(path / NAME if path.is_dir() else path)
    if features.suffix != ".parquet":
        raise DataError("is no Parquet table of background events.", where=features, remedy=MAKE_IT)
    record = read_provenance(features)
    _check_origin(record, features)
    jets = None
    if constituents:
        jets = features.with_name(features.name.replace("-features", "-constituents"))
        if jets == features or not jets.is_file():
            raise DataError("has no constituents beside it.", where=features, remedy=f"{MAKE_IT} --constituents")
    with open_parquet(features) as file:
        n_events = file.metadata.num_rows
    return Pool(features, jets, n_events, sha256(features), record.seed)


def _check_origin(record: Provenance, path: Path) -> None:
    wanted = Recipe(get_process("qcd-dijets")).identity()
    if record.script != "cmslabs simulate" or record.details.get("process") != wanted["process"]:
        raise DataError("is no background that 'cmslabs simulate qcd-dijets' made.", where=path, remedy=MAKE_IT)
    found = {name: record.details.get(name) for name in ("settings", "selection", "code")}
    changed = [name for name, value in found.items() if value != wanted[name]]
    versions = record.details.get("versions", {})
    changed += [name for name in ("pythia8mc", "fastjet") if versions.get(name) != wanted["versions"].get(name)]
    if changed:
        raise DataError(
            f"was simulated otherwise than signals would be now (different: {', '.join(changed)}), which would show.",
            where=path,
            remedy=f"Simulate it anew. {MAKE_IT}",
        )


def windows(blocks: Iterator[BoxEvents], starts: Sequence[int], size: int, where: object = None) -> Iterator[BoxEvents]:
    """Cut windows out of a stream of events; memory is that of a window and a block.

    Parameters
    ----------
    blocks : iterator of BoxEvents
        The stream.
    starts : sequence of int
        First event of each window; they do not fall.
    size : int
        Events per window.
    where : optional
        What the stream comes from, for the error.

    Raises
    ------
    DataError
        If the stream ends before a window does.
    """
    held: list[BoxEvents] = []
    first = n = 0  # position in the stream of the first event held, and how many are held
    for start in starts:
        if n:
            drop = min(start - first, n)
            held, first, n = [BoxEvents.join(held).take(slice(drop, None))], first + drop, n - drop
        while first + n < start + size:
            block = next(blocks, None)
            if block is None:
                raise DataError(f"ends after {first + n} events.", where=where, remedy="Write it again.")
            if n == 0:
                drop = min(start - first, len(block))
                held, first, block = [], first + drop, block.take(slice(drop, None))
            held, n = [*held, block], n + len(block)
        yield BoxEvents.join(held).take(slice(0, size))

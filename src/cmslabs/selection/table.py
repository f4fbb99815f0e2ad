"""The table for machine learning: one row per selected event, as Parquet, partitioned by data set and systematic.

``OUT/table/dataset=NAME/systematic=nominal/part-....parquet``: every chunk of events writes its own parts, so that
workers need not wait for each other, and a chunk that runs twice writes the same bytes to the same place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cmslabs.data.parquet import PROVENANCE_KEY, ROW_GROUP_ROWS, provenance_json
from cmslabs.data.tables import read_provenance, read_table
from cmslabs.errors import DataError, close_names
from cmslabs.io import Provenance, atomic_write

__all__ = ["TABLE_FOLDER", "Part", "read_selected", "remove_parts", "selected_parts", "write_part"]

#: Folder of the table in a run's folder.
TABLE_FOLDER = "table"


class Part:
    """Where the selected events of one chunk go.

    Parameters
    ----------
    dataset, systematic : str
    filename : str
        The file that the events come from; its name is hashed, so that parts of two files never meet.
    start, stop : int
        Range of events in that file.
    """

    def __init__(self, dataset: str, systematic: str, filename: str, start: int, stop: int):
        name = f"part-{_file_key(filename)}-{start:012d}-{stop:012d}.parquet"
        self.path = f"{_partition(dataset)}/systematic={quote(systematic, safe='')}/{name}"

    def __repr__(self) -> str:
        return f"Part({self.path!r})"


def _file_key(filename: str) -> str:
    return hashlib.sha256(filename.encode()).hexdigest()[:12]


def _partition(dataset: str) -> str:
    """The data set's folder; its name is quoted as in a URL, so that it can be any text."""
    return f"{TABLE_FOLDER}/dataset={quote(dataset, safe='')}"


def write_part(folder: str | os.PathLike, part: Part, columns: Mapping[str, np.ndarray], provenance: Provenance) -> int:
    """Write one part, atomically; its size in bytes.

    Parameters
    ----------
    folder : path-like
        The run's folder.
    part : Part
    columns : mapping of str to ndarray, shape (n_selected,)
        No rows are well: the file then tells which columns there are.
    provenance : Provenance
        With the unit of every column.
    """
    table = pa.table({name: pa.array(np.ascontiguousarray(values)) for name, values in columns.items()})
    table = table.replace_schema_metadata({PROVENANCE_KEY: provenance_json(provenance).encode()})
    whole = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    path = Path(folder) / part.path
    with atomic_write(path) as temporary:
        # Measured numbers hardly repeat: a dictionary of them costs time and space, and level 9 of ZSTD takes three
        # times as long for the same size.
        pq.write_table(
            table,
            temporary,
            row_group_size=ROW_GROUP_ROWS,
            compression="zstd",
            compression_level=3,
            use_dictionary=whole,
            write_page_checksum=True,
        )
    return path.stat().st_size


def remove_parts(folder: str | os.PathLike, dataset: str, filename: str | None = None) -> int:
    """Remove what was written for a data set, or for one of its files; the number of files that went.

    Parameters
    ----------
    folder : path-like
        The run's folder.
    dataset : str
    filename : str, optional
        As it was given to the processor.
    """
    pattern = "*.parquet" if filename is None else f"part-{_file_key(filename)}-*.parquet"
    gone = sorted((Path(folder) / _partition(dataset)).glob(f"systematic=*/{pattern}"))
    for path in gone:
        path.unlink()
    return len(gone)


def selected_parts(folder: str | os.PathLike) -> dict[str, dict[str, list[Path]]]:
    """Data set -> systematic -> files of the table, in the order in which they are read."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path in sorted((Path(folder) / TABLE_FOLDER).glob("dataset=*/systematic=*/part-*.parquet")):
        dataset, systematic = (unquote(part.partition("=")[2]) for part in path.parts[-3:-1])
        found.setdefault(dataset, {}).setdefault(systematic, []).append(path)
    return found


def read_selected(
    folder: str | os.PathLike,
    dataset: str | Iterable[str] | None = None,
    systematic: str = "nominal",
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read the selected events of a run.

    Parameters
    ----------
    folder : path-like
        The run's folder.
    dataset : str or iterable of str, optional
        Which data sets; all of them without.
    systematic : str
        ``nominal`` or an object-level variation (``muonScaleUp``): those have their own rows.  Data does not vary:
        its nominal events are given with every systematic.  Variations of weights are columns of the nominal table.
    columns : sequence of str, optional
        Only these, in this order.

    Returns
    -------
    pandas.DataFrame
        One row per event, with the column ``dataset`` in front.  Weights add up to the yield.
        ``frame.attrs["units"]`` has the columns' units; ``frame.attrs["simulation"]`` says per data set whether it
        is simulated.

    Raises
    ------
    DataError
        If the folder has no table, or not this data set or systematic; or a part is damaged.
    MissingBranchError
        If a column is not there.
    """
    there = selected_parts(folder)
    if not there:
        raise DataError("has no table of selected events.", where=folder, remedy="Run cmslabs select --out FOLDER.")
    names = list(there) if dataset is None else [dataset] if isinstance(dataset, str) else list(dict.fromkeys(dataset))
    if not names:
        raise DataError("no data set was asked for.", where=folder, remedy=f"Try: {', '.join(there)}.")
    varied = {key for systematics in there.values() for key in systematics}
    _known(systematic, varied, "systematic", folder)
    frames, units, simulation = [], {}, {}
    for name in names:
        _known(name, there, "data set", folder)
        paths = _parts_of(name, there[name], systematic)
        read = [read_table(path, columns) for path in paths]
        _check_parts(paths, read)
        units |= read[0].attrs["provenance"]["units"]
        simulation[name] = read[0].attrs["provenance"]["simulation"]
        frames.append(pd.concat(_with_rows(read), ignore_index=True))
        frames[-1].insert(0, "dataset", pd.Categorical([name] * len(frames[-1]), categories=names))
    whole = pd.concat(_with_rows(frames), ignore_index=True)
    whole.attrs = {"units": {"dataset": "1", **units}, "simulation": simulation}
    return whole


def _parts_of(dataset: str, systematics: Mapping[str, list[Path]], systematic: str) -> list[Path]:
    if systematic in systematics:
        return systematics[systematic]
    nominal = systematics.get("nominal")
    # What is varied is the simulation; data is compared with it as it is.
    if nominal and read_provenance(nominal[0]).details.get("kind") == "data":
        return nominal
    raise DataError(
        f"the table of '{dataset}' has no systematic '{systematic}'.",
        where=next(iter(systematics.values()))[0].parent.parent,
        remedy=f"It has: {', '.join(systematics)}.",
    )


def _check_parts(paths: Sequence[Path], read: Sequence[pd.DataFrame]) -> None:
    """All parts of a data set are of one run: where a column is missing, pandas would fill NaN in."""
    for path, frame in zip(paths, read, strict=True):
        if frame.attrs.get("provenance") is None:
            what = "does not say where it comes from"
        elif list(frame.columns) != list(read[0].columns):
            what = f"has other columns than {paths[0].name}"
        else:
            continue
        raise DataError(f"{what}.", where=path, remedy="It is no part of this run: remove it, or run it again.")


def _with_rows(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Without the empty ones, unless there are only such; without attributes, which pandas would compare."""
    chosen = [frame for frame in frames if len(frame)] or frames[:1]
    for frame in chosen:
        frame.attrs = {}
    return chosen


def _known(name: str, known: Iterable[str], what: str, folder: str | os.PathLike) -> None:
    if name not in known:
        close = close_names(name, known) or sorted(known)
        raise DataError(f"the table has no {what} '{name}'.", where=folder, remedy=f"Try: {', '.join(close)}.")

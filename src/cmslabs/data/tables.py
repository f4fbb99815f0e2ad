"""Tables of numbers with provenance: one row per event, one column per observable.

Parquet files carry the provenance in their metadata.  A CSV file stays plain, so that every program
reads it; its provenance lies beside it in ``NAME.csv.json`` together with the CSV's SHA-256.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pydantic import ValidationError

from cmslabs.data.jagged import event_writer, iterate_events, read_events, write_events
from cmslabs.data.parquet import (
    PROVENANCE_KEY,
    open_parquet,
    parquet_provenance,
    parquet_writer,
    provenance_json,
    reading,
)
from cmslabs.data.plain_csv import header_of, read_plain_csv
from cmslabs.errors import DataError, MissingBranchError, close_names
from cmslabs.io import Provenance, atomic_write, existing_file, read_json, sha256, write_json

__all__ = [
    "event_writer",
    "iterate_events",
    "read_events",
    "read_provenance",
    "read_table",
    "write_events",
    "write_table",
]


def write_table(
    path: str | os.PathLike, frame: pd.DataFrame | pa.Table, provenance: Provenance, *, compact: bool = False
) -> None:
    """Write a table; the same rows and provenance give the same bytes.

    Parameters
    ----------
    path : path-like
        Ends in ``.parquet`` or ``.csv``.
    frame : pandas.DataFrame or pyarrow.Table
        One row per event.  The index of a DataFrame is not written.
    provenance : Provenance
        Where the rows come from, with the unit of every column.
    compact : bool
        Parquet: a smaller file of rounded numbers, slower to write.

    Raises
    ------
    DataError
        If the ending is another one, a column's name is no text or stands twice, or the types cannot be stored.
    """
    path = Path(path)
    kind = _kind(path)
    table = _to_arrow(frame, path)
    if kind == ".parquet":
        with parquet_writer(path, compact) as writer:
            writer.append(table, {PROVENANCE_KEY: provenance_json(provenance).encode()})
        return
    with atomic_write(path) as temporary:
        table.to_pandas().to_csv(temporary, index=False, lineterminator="\n")
    write_json(_beside(path), {"sha256": sha256(path), "provenance": provenance.model_dump(mode="json")})


def _to_arrow(frame: pd.DataFrame | pa.Table, path: Path) -> pa.Table:
    names = list(frame.columns) if isinstance(frame, pd.DataFrame) else frame.column_names
    odd = [name for name in names if not isinstance(name, str) or not name]
    twins = sorted({name for name in names if names.count(name) > 1} - set(odd))
    if odd or twins:
        raise DataError(
            f"column names must be different words, not {(odd or twins)[:3]}.", where=path, remedy="Rename the columns."
        )
    if isinstance(frame, pa.Table):
        return frame
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = "; ".join(str(part) for part in error.args)
        raise DataError(f"cannot be stored as columns of one type each ({reason}).", where=path) from error
    # pandas' own metadata names its version: without it the bytes depend on the numbers only.
    return table.replace_schema_metadata(None)


def read_table(path: str | os.PathLike, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table written by `write_table`, or any Parquet or CSV table.

    Parameters
    ----------
    path : path-like
        Ends in ``.parquet`` or ``.csv``.
    columns : sequence of str, optional
        Read only these, in this order.

    Returns
    -------
    pandas.DataFrame
        ``frame.attrs["provenance"]`` is the provenance as a dict, or None where the file has none.

    Raises
    ------
    DataError
        If the file is missing, cut, of another format, or holds jagged columns.
    MissingBranchError
        If a column is not there; the message says which close names are.
    """
    path = existing_file(path)
    if _kind(path) == ".csv":
        frame = _read_csv(path, columns)
        found = _provenance_beside(path) if _beside(path).exists() else None
    else:
        frame, found = _read_parquet(path, columns)
    frame.attrs["provenance"] = None if found is None else found.model_dump(mode="json")
    return frame


def _read_parquet(path: Path, columns: Sequence[str] | None) -> tuple[pd.DataFrame, Provenance | None]:
    with open_parquet(path) as file:
        found = parquet_provenance(file, path)
        with reading(path):
            schema: pa.Schema = file.schema_arrow
        _check_columns(columns, schema.names, path)
        wanted = schema.names if columns is None else list(columns)
        nested = [name for name in wanted if pa.types.is_nested(schema.field(name).type)]
        if nested:
            raise DataError(
                f"the column '{nested[0]}' is jagged or nested: this file holds events, not a table.",
                where=path,
                remedy="Read it with read_events.",
            )
        with reading(path):
            table: pa.Table = file.read(columns=wanted)
            return table.select(wanted).to_pandas(), found


def _read_csv(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    _check_columns(columns, header_of(path), path)
    return read_plain_csv(path, columns)


def _check_columns(columns: Sequence[str] | None, names: list[str], path: Path) -> None:
    for wanted in columns or []:
        if wanted not in names:
            close = close_names(wanted, names)
            hint = f"Close names: {', '.join(close)}." if close else f"It has: {', '.join(names[:20])}."
            raise MissingBranchError(f"has no column '{wanted}'.", where=path, remedy=hint)


def read_provenance(path: str | os.PathLike) -> Provenance:
    """Where a file comes from.

    Raises
    ------
    DataError
        If the file carries no provenance of cmslabs, or the CSV was changed after it was written.
    """
    path = existing_file(path)
    if _kind(path) == ".csv":
        if not _beside(path).exists():
            raise _without_provenance(path)
        return _provenance_beside(path)
    with open_parquet(path) as file:
        found = parquet_provenance(file, path)
    if found is None:
        raise _without_provenance(path)
    return found


def _without_provenance(path: Path) -> DataError:
    return DataError(
        "does not say where it comes from (no provenance of cmslabs).",
        where=path,
        remedy="Make it again with a cmslabs command, or write it with write_table(path, frame, Provenance(...)).",
    )


def _provenance_beside(path: Path) -> Provenance:
    record = read_json(_beside(path))
    try:
        digest, found = record["sha256"], Provenance.model_validate(record["provenance"])
    except (KeyError, TypeError, ValidationError) as error:
        raise DataError(
            "is not a provenance record of cmslabs.", where=_beside(path), remedy="Delete it, or write the table again."
        ) from error
    if digest != sha256(path):
        raise DataError(
            f"was changed after it was written: {_beside(path).name} belongs to other content.",
            where=path,
            remedy="Write the table again, or delete that record.",
        )
    return found


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _kind(path: Path) -> str:
    if path.suffix not in (".parquet", ".csv"):
        raise DataError("is not a table's name.", where=path, remedy="Tables end in .parquet or .csv.")
    return path.suffix

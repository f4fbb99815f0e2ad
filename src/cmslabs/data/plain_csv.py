"""Plain comma-separated files, read strictly: every row has as many values as the header has names."""

from __future__ import annotations

import codecs
import os
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from cmslabs.errors import DataError
from cmslabs.io import existing_file

__all__ = ["header_of", "read_plain_csv", "require_numbers"]

_HEADER_BYTES = 1 << 16


def header_of(path: str | os.PathLike) -> list[str]:
    """The names in the first line; an empty list where that is no text.

    Raises
    ------
    DataError
        If the file is missing.
    """
    with open(existing_file(path), "rb") as file:
        line = file.readline(_HEADER_BYTES)
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return []
    return [name.strip().strip('"') for name in text.split(",")] if text else []


def read_plain_csv(path: str | os.PathLike, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a comma-separated file with a header line; numbers come back exactly as they were written.

    Parameters
    ----------
    path : path-like
        The file; UTF-8 text.  Empty lines are skipped, empty values are NaN.
    columns : sequence of str, optional
        Read only these, in this order; they must be there.

    Raises
    ------
    DataError
        If the file is missing, empty, no text, or has a row with too many or too few values; the
        message names the line.
    """
    path = existing_file(path)
    _require_text(path)
    header = header_of(path)
    if not header:
        raise DataError("has no header line of text.", where=path, remedy="A CSV starts with the names of its columns.")
    twins = sorted({name for name in header if header.count(name) > 1})
    if twins:
        raise DataError(
            f"the column '{twins[0]}' stands twice in the header.",
            where=f"{path}, line 1",
            remedy="Rename one of them.",
        )
    ragged: list[pa_csv.InvalidRow] = []

    def refuse(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    try:
        table = pa_csv.read_csv(
            path,
            # One thread: only so does Arrow know the number of a bad row.
            read_options=pa_csv.ReadOptions(use_threads=False),
            parse_options=pa_csv.ParseOptions(invalid_row_handler=refuse),
            convert_options=pa_csv.ConvertOptions(include_columns=None if columns is None else list(columns)),
        )
    except (pa.ArrowException, UnicodeDecodeError, KeyError) as error:
        raise _refused(path, len(header), ragged, error) from error
    # A column without any value is one of missing numbers.
    types = [pa.float64() if pa.types.is_null(field.type) else field.type for field in table.schema]
    names = [name.strip() for name in table.column_names]
    return table.cast(pa.schema(zip(table.column_names, types, strict=True))).rename_columns(names).to_pandas()


def _require_text(path) -> None:
    """Arrow takes other bytes for a column of bytes, or loses the number of the bad line over them."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open(path, "rb") as file:
        while True:
            block = file.read(1 << 20)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                place = file.tell() - len(block) + error.start
                raise DataError(
                    f"has no header line of text, or no text behind it (byte {place}).",
                    where=path,
                    remedy="A CSV is UTF-8 text: fetch it again, or save it as UTF-8.",
                ) from error
            if not block:
                return


def _refused(path, width: int, ragged: list, error: Exception) -> DataError:
    if ragged:
        row = ragged[0]
        line = f", line {row.number}" if row.number is not None else ""
        return DataError(
            f"has {row.actual_columns} values where the header has {width} names.",
            where=f"{path}{line}",
            remedy="Correct that line, or fetch the file again: it may be cut.",
        )
    reason = str(error).strip().splitlines()[0]
    return DataError(
        f"is not a table of {width} columns ({reason}).",
        where=path,
        remedy="Every row needs as many values as the header has names: correct it or fetch the file again.",
    )


def require_numbers(frame: pd.DataFrame, columns: Sequence[str], path: str | os.PathLike) -> None:
    """Check that the columns hold numbers.

    Raises
    ------
    DataError
        Naming the first column that does not, the row and its value.
    """
    for name in columns:
        column = frame[name]
        if len(frame) == 0 or (pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)):
            continue
        bad = pd.to_numeric(column.astype("string"), errors="coerce").isna().to_numpy()
        row = int(bad.argmax())
        raise DataError(
            f"the column '{name}' must hold numbers but has {column.iloc[row]!r}.",
            where=f"{path}, row {row} (counted from 0)",
            remedy="Correct that value or fetch the file again.",
        )

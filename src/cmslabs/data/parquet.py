"""Parquet files with provenance: what tables of numbers and jagged events have in common."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from cmslabs.errors import DataError
from cmslabs.io import Provenance, atomic_write, canonical_json, existing_file

__all__ = ["PROVENANCE_KEY", "open_parquet", "parquet_provenance", "parquet_writer", "provenance_json", "reading"]

#: Key of the provenance (JSON) in the file's schema metadata.
PROVENANCE_KEY = b"cmslabs"
#: A row group holds at most this much memory, so that a reader never needs much more.
ROW_GROUP_BYTES = 32 << 20
ROW_GROUP_ROWS = 100_000


def provenance_json(provenance: Provenance) -> str:
    """The provenance as one line of JSON: equal provenance, equal bytes."""
    return canonical_json(provenance.model_dump(mode="json"))


def open_parquet(path: str | os.PathLike) -> pq.ParquetFile:
    """Open a Parquet file; only its footer is read.  Use the result as a context manager.

    Raises
    ------
    DataError
        If the file is missing, cut, or not Parquet.
    """
    path = existing_file(path)
    with reading(path):
        return pq.ParquetFile(path, page_checksum_verification=True)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn Arrow's complaints about a file into our own."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AssertionError) as error:
        raise DataError(
            f"is not a whole Parquet file ({_first_line(error)}).",
            where=path,
            remedy="It is cut, damaged or of another format: fetch or write it again.",
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def parquet_provenance(file: pq.ParquetFile, path: str | os.PathLike) -> Provenance | None:
    """The provenance in an open Parquet file; None where the file was written by somebody else.

    Raises
    ------
    DataError
        If the entry is there but is not what cmslabs writes.
    """
    text = (file.schema_arrow.metadata or {}).get(PROVENANCE_KEY)
    if text is None:
        return None
    try:
        return Provenance.model_validate_json(text)
    except ValidationError as error:
        raise DataError(
            "its provenance (metadata key 'cmslabs') cannot be understood.",
            where=path,
            remedy="Write the file again with this version of cmslabs.",
        ) from error


class ParquetAppender:
    """Writes Arrow tables of one schema into one file, in row groups of bounded size."""

    def __init__(self, temporary: Path, target: Path, compact: bool = False):
        self._temporary, self._target = temporary, target
        self._compact = compact
        self._writer: pq.ParquetWriter | None = None

    def append(self, table: pa.Table, metadata: dict[bytes, bytes]) -> None:
        """Add the rows of `table`.

        Raises
        ------
        DataError
            If the columns differ from those of the rows before, or cannot be stored in Parquet.
        """
        try:
            if self._writer is None:
                schema = table.schema.with_metadata(metadata)
                # Checksums per page: a flipped bit is an error when the file is read, not a wrong number.
                options = _compact_options(schema) if self._compact else {"compression_level": 9}
                self._writer = pq.ParquetWriter(
                    self._temporary, schema, compression="zstd", write_page_checksum=True, **options
                )
            elif not table.schema.equals(self._writer.schema):
                raise DataError(
                    f"the columns changed between two chunks: {_schema_difference(self._writer.schema, table.schema)}.",
                    where=self._target,
                    remedy="Give every chunk the same fields and types.",
                )
            self._writer.write_table(table.cast(self._writer.schema), row_group_size=_rows_per_group(table))
        except pa.ArrowException as error:
            raise DataError(
                f"these columns cannot be stored in Parquet ({_first_line(error)}).",
                where=self._target,
                remedy="Give every column one type; unions and records without fields have no place there.",
            ) from error

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()


@contextlib.contextmanager
def parquet_writer(path: str | os.PathLike, compact: bool = False) -> Iterator[ParquetAppender]:
    """A file to append tables to; it appears at `path` whole or not at all.

    A `compact` one takes ten times longer to write, and no longer to read: for rounded numbers that travel.
    """
    with atomic_write(path) as temporary:
        appender = ParquetAppender(temporary, Path(path), compact)
        try:
            yield appender
        finally:
            appender.close()


def _compact_options(schema: pa.Schema) -> dict[str, Any]:
    """Floats byte by byte: first bytes of all rows, second ones; what rounding made zero then takes no space."""
    floats = [entry.name for entry in schema if pa.types.is_floating(entry.type)]
    others = [entry.name for entry in schema if not pa.types.is_floating(entry.type)]
    return {"compression_level": 19, "use_dictionary": others, "use_byte_stream_split": floats}


def _rows_per_group(table: pa.Table) -> int:
    bytes_per_row = max(1, table.nbytes // max(1, table.num_rows))
    return int(min(ROW_GROUP_ROWS, max(1, ROW_GROUP_BYTES // bytes_per_row)))


def _schema_difference(old: pa.Schema, new: pa.Schema) -> str:
    if old.names != new.names:
        return f"{', '.join(sorted(set(old.names) ^ set(new.names))) or 'their order'}"
    changed = [f"{a.name} was {a.type}, now {b.type}" for a, b in zip(old, new, strict=True) if not a.equals(b)]
    return "; ".join(changed)

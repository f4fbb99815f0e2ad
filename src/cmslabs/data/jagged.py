"""Jagged events (awkward arrays) in Parquet files, and back without loss.

The columns are plain Arrow lists and structs, so that any program reads them.  What Arrow does
not know (the names of records, which carry the vector behaviour) stands beside them as the
awkward form, in the metadata key ``cmslabs:form``.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import awkward as ak
import pyarrow as pa
import pyarrow.parquet as pq

from cmslabs.data.parquet import (
    PROVENANCE_KEY,
    ParquetAppender,
    open_parquet,
    parquet_writer,
    provenance_json,
    reading,
)
from cmslabs.errors import ConfigError, DataError, MissingBranchError, close_names
from cmslabs.io import Provenance

__all__ = ["event_writer", "iterate_events", "read_events", "write_events"]

FORM_KEY = b"cmslabs:form"
_COORDINATES = {
    "Momentum4D": {"pt", "eta", "phi", "mass"},
    "Momentum3D": {"pt", "eta", "phi"},
    "Momentum2D": {"pt", "phi"},
}


def write_events(path: str | os.PathLike, events: ak.Array, provenance: Provenance) -> None:
    """Write events to a Parquet file; the same events and provenance give the same bytes.

    Parameters
    ----------
    path : path-like
        Ends in ``.parquet``.
    events : ak.Array
        Array of records, one per event; fields may be jagged, nested, optional.
    provenance : Provenance
        Where they come from.

    Raises
    ------
    DataError
        If the events are no records or hold what Parquet cannot (unions of types).
    """
    with event_writer(path, provenance) as write:
        write(events)


@contextmanager
def event_writer(path: str | os.PathLike, provenance: Provenance) -> Iterator:
    """Write events chunk by chunk: ``with event_writer(path, provenance) as write: write(chunk)``.

    Memory is that of one chunk.  Every chunk must have the type of the first one.
    """
    if not str(path).endswith(".parquet"):
        raise DataError("jagged events go to Parquet.", where=path, remedy="Choose a name that ends in .parquet.")
    with parquet_writer(path) as appender:
        yield lambda events: _append(appender, events, path, provenance)


def _append(appender: ParquetAppender, events: ak.Array, path, provenance: Provenance) -> None:
    if not isinstance(events, ak.Array) or not events.fields:
        raise DataError(
            "the events are not an awkward array of records.", where=path, remedy="Build them with ak.zip or ak.Array."
        )
    try:
        table = ak.to_arrow_table(events, extensionarray=False)
    except (TypeError, ValueError, NotImplementedError, pa.ArrowException) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"cannot be written as Arrow columns ({reason}).", where=path) from error
    form = events.layout.form
    restored = _restore(ak.from_arrow(table.slice(0, 0), highlevel=False), form)
    if restored.form.type != form.type:
        raise DataError(
            f"would not come back as it is: {form.type} would become {restored.form.type}.",
            where=path,
            remedy="Give every field one plain type.",
        )
    appender.append(table, {PROVENANCE_KEY: provenance_json(provenance).encode(), FORM_KEY: form.to_json().encode()})


def read_events(path: str | os.PathLike, columns: Sequence[str] | None = None) -> ak.Array:
    """Read events from a Parquet file.

    Parameters
    ----------
    path : path-like
        Written by `write_events`, or any Parquet file.
    columns : sequence of str, optional
        Fields with dots, or patterns: ``"run"``, ``"Muon"`` (all its fields), ``"Muon.pt"``, ``"Flag.*"``.
        Nothing else is read.

    Raises
    ------
    DataError
        If the file is missing, cut or not Parquet.
    MissingBranchError
        If a column is not there; the message says which close names are.
    """
    chunks = list(_row_groups(path, columns))
    return chunks[0] if len(chunks) == 1 else ak.concatenate(chunks)


def iterate_events(
    path: str | os.PathLike, chunk_size: int = 10_000, columns: Sequence[str] | None = None
) -> Iterator[ak.Array]:
    """Read events in chunks of `chunk_size` (the last may be smaller); memory is that of a chunk and a row group.

    A file without events gives one empty chunk, so that the fields are known.
    """
    if chunk_size < 1:
        raise ConfigError(f"a chunk cannot have {chunk_size} events.", remedy="Choose at least 1.")
    waiting: list[ak.Array] = []
    n_waiting = 0
    given = False
    for group in _row_groups(path, columns):
        waiting.append(group)
        n_waiting += len(group)
        while n_waiting >= chunk_size:
            merged = waiting[0] if len(waiting) == 1 else ak.concatenate(waiting)
            yield merged[:chunk_size]
            given = True
            n_waiting -= chunk_size
            # A slice keeps the whole buffer, and joining slices would add up all that was ever read: copy the rest.
            waiting = [ak.to_packed(merged[chunk_size:])] if n_waiting else []
    if n_waiting or not given:
        yield waiting[0] if len(waiting) == 1 else ak.concatenate(waiting)


def _row_groups(path: str | os.PathLike, columns: Sequence[str] | None) -> Iterator[ak.Array]:
    import vector

    vector.register_awkward()
    with open_parquet(path) as file:
        with reading(path):
            leaves = _leaves(file.schema_arrow)
            stored = _stored_form(file)
        chosen = list(range(len(leaves))) if columns is None else _choose(leaves, columns, path)
        names = [file.schema.column(i).path for i in chosen]
        form = stored
        if stored is not None and columns is not None:
            with reading(path):
                form = stored.select_columns([leaves[i] for i in chosen])
        for index in range(file.num_row_groups) or [None]:
            with reading(path):
                if index is None:
                    table = file.read(columns=names)
                else:
                    table = file.read_row_group(index, columns=names)
                layout = ak.from_arrow(table, highlevel=False)
                events = ak.Array(layout if form is None else _restore(layout, form))
            yield events


def _stored_form(file: pq.ParquetFile) -> ak.forms.Form | None:
    text = (file.schema_arrow.metadata or {}).get(FORM_KEY)
    return None if text is None else ak.forms.from_json(text.decode())


def _leaves(schema: pa.Schema) -> list[str]:
    """Dotted names of the leaf columns, in the order in which Parquet stores them."""

    def walk(name: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_struct(kind):
            return [leaf for field in kind for leaf in walk(f"{name}.{field.name}", field.type)]
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            return walk(name, kind.value_type)
        if pa.types.is_map(kind):
            return [f"{name}.key", *walk(f"{name}.value", kind.item_type)]
        return [name]

    return [leaf for field in schema for leaf in walk(field.name, field.type)]


def _choose(leaves: list[str], columns: Sequence[str], path: str | os.PathLike) -> list[int]:
    chosen: set[int] = set()
    for wanted in columns:
        found = [
            i
            for i, leaf in enumerate(leaves)
            if leaf == wanted or leaf.startswith(wanted + ".") or fnmatch.fnmatchcase(leaf, wanted)
        ]
        if not found:
            roots = {leaf.split(".")[0] for leaf in leaves}
            close = close_names(wanted, sorted(roots.union(leaves)))
            hint = f"Close names: {', '.join(close)}." if close else f"It has: {', '.join(sorted(roots)[:20])}."
            raise MissingBranchError(f"has no column '{wanted}'.", where=path, remedy=hint)
        chosen.update(found)
    return sorted(chosen)


def _restore(layout: ak.contents.Content, form: ak.forms.Form) -> ak.contents.Content:
    """Put the form's parameters (names of records) back on what came out of Arrow."""
    if form.is_unknown:
        return ak.contents.EmptyArray() if len(layout) == 0 else layout
    if form.is_indexed and not form.is_option:
        return _restore(layout, form.content)
    if layout.is_option and not form.is_option:
        # Arrow forgets that nothing is missing where only some fields of a record are read.
        full = layout.project()
        if len(full) != len(layout):
            raise ValueError("values are missing where the stored form allows none")
        return _restore(full, form)
    if form.is_option and layout.is_option:
        return layout.copy(content=_restore(layout.content, form.content))
    if form.parameter("__array__") in ("string", "bytestring"):
        return layout
    if form.is_record != layout.is_record or sorted(form.fields) != sorted(layout.fields):
        raise ValueError("the columns are not those of the stored form")
    if form.is_record:
        contents = [_restore(layout.content(name), form.content(name)) for name in form.fields]
        fields = None if form.is_tuple else form.fields
        return ak.contents.RecordArray(contents, fields, len(layout), parameters=_record_parameters(form))
    if form.is_list and layout.is_list:
        return layout.copy(content=_restore(layout.content, form.content), parameters=form.parameters)
    if form.is_numpy and layout.is_numpy:
        return layout.copy(parameters=form.parameters)
    return layout


def _record_parameters(form: ak.forms.Form) -> dict:
    """The record's parameters; its name only while all coordinates are among the columns that were read."""
    needed = _COORDINATES.get(form.parameter("__record__"), set())
    if needed <= set(form.fields):
        return form.parameters
    return {key: value for key, value in form.parameters.items() if key != "__record__"}

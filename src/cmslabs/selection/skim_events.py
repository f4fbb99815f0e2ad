"""Skims as coffea's events: Parquet files of `cmslabs skim`, read column by column when a column is looked at.

coffea can read Parquet, too, but takes a whole column of the file for each chunk, and wants the flat names of ROOT.
"""

from __future__ import annotations

import functools
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq

from cmslabs.data.jagged import FORM_KEY
from cmslabs.data.parquet import open_parquet, parquet_provenance, reading
from cmslabs.errors import DataError, require

__all__ = ["RUNS_KEY", "Skim", "open_skim", "process_skim"]

#: Key of the provenance' details under which the tree ``Runs`` is kept: branch -> list of values.
RUNS_KEY = "runs"


class Skim:
    """An open skim; use it as a context manager.

    Attributes
    ----------
    path : str
    n_events : int
    size_bytes : int or None
        Unknown for remote files.
    uuid : str
        That of the file that the skim was made of: 32 hexadecimal digits.
    details : dict
        Of the provenance.
    runs : dict of ndarray
        The plain branches of the NanoAOD file's ``Runs``; empty where it had none.
    simulation : bool
    bytes_read : int
        Compressed bytes of the columns that were read so far.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = str(path)
        self.file, self.size_bytes = _open(self.path)
        self.bytes_read = 0
        self.columns: set[str] = set()
        with reading(Path(path)):
            footer = self.file.metadata
            self.n_events = footer.num_rows
            sizes = [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]
            self._edges = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
            self._paths = {
                re.sub(r"\.list\.(element|item)", "", name): (index, name)
                for index, name in enumerate(footer.schema.column(i).path for i in range(footer.num_columns))
            }
            form = (self.file.schema_arrow.metadata or {}).get(FORM_KEY)
        provenance = parquet_provenance(self.file, path)
        if form is None or provenance is None or RUNS_KEY not in provenance.details:
            raise DataError(
                "is a Parquet file, but no skim.", where=path, remedy="Make one with: cmslabs skim FILE.root --out DIR"
            )
        self.form = ak.forms.from_json(form.decode())
        self.simulation = provenance.simulation
        self.details = dict(provenance.details)
        self.uuid = self.details["input_uuid"]
        self.runs = {name: np.asarray(values) for name, values in self.details[RUNS_KEY].items()}

    def __enter__(self) -> Skim:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]] | None:
        """Plain columns, row group by row group; None if one is not there."""
        if not set(names) <= set(self._paths):
            return None
        ranges = zip(self._edges[:-1], self._edges[1:], strict=True)
        return ({name: ak.to_numpy(self.column(name, start, stop)) for name in names} for start, stop in ranges)

    def column(self, leaf: str, start: int, stop: int) -> ak.Array:
        """A range of one column, ``"Muon.pt"``; jagged where it is."""
        first = int(np.searchsorted(self._edges, start, side="right")) - 1
        last = int(np.searchsorted(self._edges, stop, side="left"))
        groups = list(range(first, max(last, first)))
        index, path = self._paths[leaf]
        self.columns.add(leaf)
        with reading(Path(self.path)):
            table = self.file.read_row_groups(groups, columns=[path], use_threads=False)
            array = ak.from_arrow(table)
            for name in leaf.split(".") if leaf not in array.fields else [leaf]:
                array = array[name]
            footer = self.file.metadata
            self.bytes_read += sum(footer.row_group(group).column(index).total_compressed_size for group in groups)
            offset = int(self._edges[first])
            return ak.to_packed(_without_options(array[start - offset : stop - offset]))

    def events(self, start: int, stop: int, metadata: Mapping[str, Any]) -> ak.Array:
        """Events of which a column is read when it is looked at, with coffea's ``events.metadata``."""
        base = require("coffea.nanoevents.methods.base", "cms")
        require("vector", "cms").register_awkward()
        buffers = _Buffers(self, start, stop)
        contents = [buffers.form(name, self.form.content(name)) for name in self.form.fields]
        parameters = {"__record__": "NanoEvents", "metadata": dict(metadata)}
        form = ak.forms.RecordForm(contents, list(self.form.fields), parameters=parameters)
        return ak.from_buffers(form, stop - start, buffers.loaders, behavior=base.behavior)


class _Buffers:
    """Functions that load the buffers of a range of events."""

    def __init__(self, skim: Skim, start: int, stop: int):
        self.skim, self.start, self.stop = skim, start, stop
        self.loaders: dict[str, Callable[[], np.ndarray]] = {}
        self._offsets: dict[str, np.ndarray] = {}

    def form(self, leaf: str, form: ak.forms.Form) -> ak.forms.Form:
        """The form of a field with keys, and a loader for each of its buffers."""
        if form.is_list and form.content.is_record:
            contents = [self._numbers(f"{leaf}.{name}", form.content.content(name)) for name in form.content.fields]
            inside = ak.forms.RecordForm(contents, form.content.fields, parameters=form.content.parameters)
            first = f"{leaf}.{form.content.fields[0]}"
            return self._list(leaf, first, inside, form)
        if form.is_list:
            return self._list(leaf, leaf, self._numbers(leaf, form.content), form)
        if form.is_record:
            contents = [self._numbers(f"{leaf}.{name}", form.content(name)) for name in form.fields]
            return ak.forms.RecordForm(contents, form.fields, parameters=form.parameters)
        return self._numbers(leaf, form)

    def _list(self, name: str, leaf: str, inside: ak.forms.Form, form: ak.forms.Form) -> ak.forms.Form:
        self.loaders[f"{name}:list-offsets"] = functools.partial(self._load_offsets, name, leaf)
        return ak.forms.ListOffsetForm("i64", inside, parameters=form.parameters, form_key=f"{name}:list")

    def _numbers(self, leaf: str, form: ak.forms.Form) -> ak.forms.Form:
        if not form.is_numpy or form.inner_shape:
            raise DataError(
                f"the column '{leaf}' is neither one number nor a list of numbers per event.",
                where=self.skim.path,
                remedy="Make the skim again without it.",
            )
        self.loaders[f"{leaf}-data"] = functools.partial(self._load, leaf)
        return ak.forms.NumpyForm(form.primitive, parameters=form.parameters, form_key=leaf)

    def _load(self, leaf: str) -> np.ndarray:
        array = self.skim.column(leaf, self.start, self.stop)
        layout = ak.to_layout(array)
        if layout.is_list:
            # The next question is often for the lengths: they came along.
            name = leaf.partition(".")[0]
            self._offsets.setdefault(name, np.asarray(layout.to_ListOffsetArray64(True).offsets.data))
        return ak.to_numpy(ak.flatten(array, axis=None))

    def _load_offsets(self, name: str, leaf: str) -> np.ndarray:
        if name not in self._offsets:
            self._load(leaf)
        return self._offsets[name]


def open_skim(path: str | os.PathLike) -> Skim:
    """Open a skim; only its footer is read.

    Raises
    ------
    DataError
        If the file is missing, cut, or no skim of `cmslabs skim`.
    """
    return Skim(path)


def process_skim(chunk: Any, processor: Any) -> dict[str, Any]:
    """Run coffea's processor on a chunk of a skim; what `coffea.processor.Runner` does for ROOT files.

    Parameters
    ----------
    chunk : coffea.processor.executor.WorkItem
    processor : ProcessorABC, callable or bytes
        The bytes are what the Runner sends.
    """
    if isinstance(processor, bytes):
        cloudpickle, frame = require("cloudpickle", "cms"), require("lz4.frame", "cms")
        processor = cloudpickle.loads(frame.decompress(processor))
    metadata = {
        "dataset": chunk.dataset,
        "filename": chunk.filename,
        "treename": chunk.treename,
        "entrystart": chunk.entrystart,
        "entrystop": chunk.entrystop,
        "fileuuid": str(uuid.UUID(bytes=chunk.fileuuid)),
        **(chunk.usermeta or {}),
    }
    with open_skim(chunk.filename) as skim:
        started = time.time()
        out = getattr(processor, "process", processor)(skim.events(chunk.entrystart, chunk.entrystop, metadata))
        metrics = {
            "bytesread": skim.bytes_read,
            "columns": {name.replace(".", "_") for name in skim.columns},
            "entries": chunk.entrystop - chunk.entrystart,
            "processtime": time.time() - started,
        }
    return {"out": out, "metrics": metrics, "processed": {chunk}}


def _open(path: str) -> tuple[pq.ParquetFile, int | None]:
    if "://" not in path:
        return open_parquet(path), Path(path).stat().st_size
    with reading(Path(path)):
        remote = require("fsspec", "cms").open(path, "rb").open()
        return pq.ParquetFile(remote, page_checksum_verification=True), None


def _without_options(array: ak.Array) -> ak.Array:
    """Arrow forgets that nothing is missing where only some fields of a record are read."""

    def plain(layout, **_):
        if not layout.is_option:
            return None
        full = layout.project()
        if len(full) != len(layout):
            raise ValueError("values are missing")
        return ak.transform(plain, full, highlevel=False) if not full.is_numpy else full

    return ak.transform(plain, array)

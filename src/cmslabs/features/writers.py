"""Write a feature table chunk by chunk, in the format that the file's ending names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from cmslabs.data.parquet import PROVENANCE_KEY, parquet_writer, provenance_json
from cmslabs.errors import DataError
from cmslabs.io import Provenance, atomic_write, sha256, write_json

__all__ = ["TABLE_ENDINGS", "check_table_name", "table_writer"]

TABLE_ENDINGS = (".parquet", ".csv", ".h5")


def check_table_name(path: str | os.PathLike) -> Path:
    """The path, if its ending names a format that we write.

    Raises
    ------
    DataError
        If not.
    """
    path = Path(path)
    if path.suffix not in TABLE_ENDINGS:
        raise DataError(
            f"no table format ends in {path.suffix!r}.",
            where=path,
            remedy=f"Choose a name that ends in {', '.join(TABLE_ENDINGS[:-1])} or {TABLE_ENDINGS[-1]}.",
        )
    return path


@contextmanager
def table_writer(path: str | os.PathLike, provenance: Provenance) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write a table whose rows come in chunks: ``with table_writer(path, provenance) as write: write(frame)``.

    Only one chunk is in memory, and the file appears at `path` whole or not at all.

    Parameters
    ----------
    path : path-like
        ``.parquet``: provenance in the metadata.  ``.csv``: plain, 17 significant digits at most, provenance
        beside it in ``NAME.csv.json``.  ``.h5``: the layout of the LHC Olympics' feature files, which pandas
        reads with ``pd.read_hdf`` (all columns become float64), provenance in the attribute ``cmslabs``.
    provenance : Provenance
        Where the rows come from, with the unit of every column.

    Raises
    ------
    DataError
        If the ending is another one, or no chunk was written.
    """
    path = check_table_name(path)
    opened = {".parquet": _parquet, ".csv": _csv, ".h5": _hdf5}[path.suffix]
    with opened(path, provenance) as write:
        columns: list[str] = []

        def checked(frame: pd.DataFrame) -> None:
            if columns and list(frame.columns) != columns:
                raise DataError("the columns changed between two chunks.", where=path)
            columns[:] = frame.columns
            write(frame)

        yield checked
        if not columns:
            raise DataError("no rows were given to write, not even an empty table.", where=path)


@contextmanager
def _parquet(path: Path, provenance: Provenance) -> Iterator[Callable[[pd.DataFrame], None]]:
    metadata = {PROVENANCE_KEY: provenance_json(provenance).encode()}
    with parquet_writer(path) as appender:
        yield lambda frame: appender.append(
            pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None), metadata
        )


@contextmanager
def _csv(path: Path, provenance: Provenance) -> Iterator[Callable[[pd.DataFrame], None]]:
    with atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        yield lambda frame: frame.to_csv(file, index=False, header=file.tell() == 0, lineterminator="\n")
    # The same record that cmslabs.data.tables writes and verifies.
    record = {"sha256": sha256(path), "provenance": provenance.model_dump(mode="json")}
    write_json(path.with_name(path.name + ".json"), record)


@contextmanager
def _hdf5(path: Path, provenance: Provenance) -> Iterator[Callable[[pd.DataFrame], None]]:
    import h5py

    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["cmslabs"] = provenance_json(provenance)
        yield lambda frame: _append_hdf5(file, frame)


def _append_hdf5(file, frame: pd.DataFrame) -> None:
    """Append to pandas' fixed format: the column names, the row index, and one block with all numbers."""
    if "df" not in file:
        _start_hdf5(file, list(frame.columns))
    index, values = file["df/axis1"], file["df/block0_values"]
    start, stop = len(index), len(index) + len(frame)
    for dataset in (index, values):
        dataset.resize(stop, axis=0)
    index[start:] = np.arange(start, stop)
    values[start:] = frame.to_numpy(dtype=np.float64)


def _start_hdf5(file, columns: list[str]) -> None:
    """Make the empty datasets, with the attributes by which PyTables and pandas recognise them."""
    import h5py

    def mark(node, **attributes: str) -> None:
        for name, text in attributes.items():
            # PyTables takes text for text only if it is declared as UTF-8 of fixed length.
            node.attrs[name] = np.array(text.encode(), dtype=h5py.string_dtype("utf-8", max(1, len(text))))

    mark(file, CLASS="GROUP", PYTABLES_FORMAT_VERSION="2.1", VERSION="1.0")
    group = file.create_group("df")
    mark(group, CLASS="GROUP", VERSION="1.0", encoding="UTF-8", errors="strict", pandas_type="frame")
    mark(group, pandas_version="0.15.2", **dict.fromkeys(("axis0_variety", "axis1_variety"), "regular"))
    mark(group, block0_items_variety="regular")
    group.attrs.update({"nblocks": 1, "ndim": 2})

    names = np.array([name.encode() for name in columns])
    for key in ("axis0", "block0_items"):
        dataset = group.create_dataset(key, data=names)
        mark(dataset, CLASS="ARRAY", VERSION="2.4", FLAVOR="numpy", kind="string", nan_rep="")
    growing = {"chunks": True, "compression": "gzip", "shuffle": True}
    index = group.create_dataset("axis1", (0,), np.int64, maxshape=(None,), **growing)
    values = group.create_dataset(
        "block0_values", (0, len(columns)), np.float64, maxshape=(None, len(columns)), **growing
    )
    mark(index, kind="integer")
    for dataset in (index, values):
        mark(dataset, CLASS="EARRAY", VERSION="1.1", FLAVOR="numpy")
        dataset.attrs["EXTDIM"] = np.int32(0)
    for key, dataset in group.items():
        dataset.attrs["transposed"] = np.uint8(1)
        if key != "block0_values":
            dataset.attrs["name"] = np.bytes_(b"N.")  # Python's pickle of None: the axis has no name.

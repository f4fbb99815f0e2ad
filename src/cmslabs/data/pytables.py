"""Tables that pandas wrote to HDF5 in its *fixed* format, read with h5py alone and row by row.

The LHC Olympics files have this layout: a group (``df``) holds the column names ``axis0``, the row
numbers ``axis1`` and one matrix per type of number, ``block0_values`` with its ``block0_items``.
The matrices are compressed with Blosc, which h5py knows once `hdf5plugin` is imported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from cmslabs.data.decode import decoding
from cmslabs.errors import DataError
from cmslabs.io import existing_file

__all__ = ["FixedFrame", "open_fixed"]


class FixedFrame:
    """An open table: `columns`, `n_rows`, and rows by range."""

    def __init__(self, path: Path, columns: list[str], n_rows: int, blocks: list[tuple[h5py.Dataset, np.ndarray]]):
        self.path, self.columns, self.n_rows, self._blocks = path, columns, n_rows, blocks

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop` as floats, shape (stop - start, number of columns)."""
        with decoding(self.path, f"rows {start}-{stop}"):
            if len(self._blocks) == 1 and np.array_equal(self._blocks[0][1], np.arange(len(self.columns))):
                return np.asarray(self._blocks[0][0][start:stop], dtype=np.float64)
            values = np.empty((max(0, stop - start), len(self.columns)))
            for dataset, places in self._blocks:
                values[:, places] = dataset[start:stop]
        return values


@contextlib.contextmanager
def open_fixed(path: str | os.PathLike) -> Iterator[FixedFrame]:
    """Open the one table in a pandas HDF5 file; no row is read.

    Raises
    ------
    DataError
        If the file is missing, cut, no HDF5, or of another layout.
    """
    import hdf5plugin  # noqa: F401 - importing it teaches h5py the Blosc compression

    path = existing_file(path)
    if not h5py.is_hdf5(path):
        raise DataError("is not an HDF5 file.", where=path, remedy="Check the name, or fetch it again.")
    with decoding(path, "the file's list of contents"):
        file = h5py.File(path, "r")
    with file:
        with decoding(path, "the file's list of contents"):
            groups = [name for name, item in file.items() if isinstance(item, h5py.Group)]
            frames = [name for name in groups if {"axis0", "axis1"} <= set(file[name])]
        if len(frames) != 1:
            raise DataError(
                f"does not hold one table in pandas' fixed format (it has: {', '.join(sorted(file)) or 'nothing'}).",
                where=path,
                remedy="The LHC Olympics files have a group 'df' with axis0, axis1 and block0_values.",
            )
        yield _frame(path, file[frames[0]])


def _frame(path: Path, group: h5py.Group) -> FixedFrame:
    where = f"{path}, {group.name}"
    with decoding(path, group.name):
        columns = _names(group["axis0"][:])
        n_rows = int(group["axis1"].shape[0])
        count = sum(1 for name in group if name.startswith("block") and name.endswith("_values"))
        parts = [(group[f"block{i}_values"], _names(group[f"block{i}_items"][:])) for i in range(count)]
    place = {name: i for i, name in enumerate(columns)}
    blocks = []
    for dataset, items in parts:
        if dataset.shape != (n_rows, len(items)) or dataset.dtype.kind not in "fiub":
            raise DataError(
                f"the matrix {Path(dataset.name).name} has shape {dataset.shape} of {dataset.dtype}, "
                f"not {(n_rows, len(items))} numbers.",
                where=where,
                remedy="The file is damaged or of another layout: fetch it again.",
            )
        if not set(items) <= set(place):
            raise DataError("a matrix has columns that the table does not name.", where=where, remedy="Fetch it again.")
        blocks.append((dataset, np.array([place[item] for item in items], dtype=int)))
    if sum(len(places) for _, places in blocks) != len(columns) or len(place) != len(columns):
        raise DataError("some columns have no values or stand twice.", where=where, remedy="Fetch it again.")
    return FixedFrame(path, columns, n_rows, blocks)


def _names(values: np.ndarray) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]

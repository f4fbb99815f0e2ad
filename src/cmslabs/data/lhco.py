"""The LHC Olympics 2020 data: particles, features, and the table of the signal region.

Source: G. Kasieczka et al., arXiv:2101.08320, doi:10.1088/1361-6633/ac36b9.

Particle files hold 2100 numbers per event, 700 times (pT, eta, phi) with zeros behind the last
particle, and in the R&D set a label.  The particles stand there in no order; here they are sorted
by falling pT.  Layout of the events: ``particles`` (jagged records pt [GeV], eta, phi [rad];
massless), ``event`` (index in the file, from 0) and, where the file has one, ``label`` (0 background, 1 signal).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.data.decode import decoding
from cmslabs.data.pytables import FixedFrame, open_fixed
from cmslabs.errors import ConfigError, DataError, MissingBranchError, close_names
from cmslabs.io import existing_file

__all__ = [
    "FEATURE_UNITS",
    "MAX_PARTICLES",
    "SIGNAL_REGION_UNITS",
    "count_events",
    "iterate_particles",
    "read_lhco_features",
    "read_particles",
    "read_signal_region",
]

MAX_PARTICLES = 700
#: Columns of the features file, for jets 1 and 2 by falling pT.
FEATURE_UNITS = {
    f"{name}j{jet}": unit
    for jet in (1, 2)
    for name, unit in {"px": "GeV", "py": "GeV", "pz": "GeV", "m": "GeV", "tau1": "1", "tau2": "1", "tau3": "1"}.items()
}
#: Columns of the signal-region arrays of the CATHODE repository, after conversion from TeV.
SIGNAL_REGION_UNITS = {"mjj": "GeV", "mj_min": "GeV", "dmj": "GeV", "tau21_min": "1", "tau21_max": "1", "label": "1"}


def count_events(path: str | os.PathLike) -> int:
    """Number of events in an LHC Olympics HDF5 file; no event is read."""
    with open_fixed(path) as frame:
        return frame.n_rows


def iterate_particles(
    path: str | os.PathLike, chunk_size: int = 1000, start: int = 0, stop: int | None = None, check: bool = True
) -> Iterator[ak.Array]:
    """Read particles in chunks; memory does not depend on the size of the file.

    Parameters
    ----------
    path : path-like
        An LHC Olympics particle file, with labels (R&D) or without (black boxes).
    chunk_size : int
        Events per chunk; 1000 events are about 17 MB of raw numbers.
    start, stop : int
        Range of events; `stop` is not included.
    check : bool
        Refuse values that are not finite, negative pT, and labels other than 0 and 1.

    Raises
    ------
    DataError
        If the file is missing, cut, of another layout, or holds such values.
    """
    if chunk_size < 1:
        raise ConfigError(f"a chunk cannot have {chunk_size} events.", remedy="Choose at least 1.")
    with open_fixed(path) as frame:
        labelled = _is_labelled(frame)
        stop = frame.n_rows if stop is None else min(stop, frame.n_rows)
        if start < 0 or stop < 0:
            raise ConfigError(f"the event range {start} to {stop} is not one.", remedy="Count from 0.")
        begins = range(min(start, stop), stop, chunk_size) or [stop]
        for begin in begins:
            end = min(begin + chunk_size, stop)
            yield _events(frame.rows(begin, end), begin, labelled, frame.path, check)


def read_particles(path: str | os.PathLike, start: int = 0, stop: int | None = None, check: bool = True) -> ak.Array:
    """Read a range of events; see `iterate_particles`, which needs less memory for whole files."""
    return ak.concatenate(list(iterate_particles(path, 1000, start, stop, check)))


def _is_labelled(frame: FixedFrame) -> bool:
    width = 3 * MAX_PARTICLES
    if len(frame.columns) not in (width, width + 1):
        raise DataError(
            f"has {len(frame.columns)} columns, but a particle file has {width} (3 for each of {MAX_PARTICLES} "
            f"particles), or {width + 1} with labels.",
            where=frame.path,
            remedy="A file with 14 features per event is read by read_lhco_features.",
        )
    return len(frame.columns) == width + 1


def _events(rows: np.ndarray, first: int, labelled: bool, path, check: bool) -> ak.Array:
    width = 3 * MAX_PARTICLES
    if check:
        _check_rows(rows, first, labelled, path)
    particles = rows[:, :width].reshape(-1, MAX_PARTICLES, 3)
    # The files keep no order.  Only pT = 0 marks an empty place: unchecked odd values stay visible.
    order = np.argsort(-particles[:, :, 0], axis=1, kind="stable")
    particles = np.take_along_axis(particles, order[:, :, None], axis=1)
    filled = particles[:, :, 0] != 0
    flat = particles[filled]
    records = ak.zip({"pt": flat[:, 0], "eta": flat[:, 1], "phi": flat[:, 2]})
    fields = {
        "event": np.arange(first, first + len(rows)),
        "particles": ak.unflatten(records, filled.sum(axis=1)),
    }
    if labelled:
        fields["label"] = rows[:, width].astype(np.int8) if check else rows[:, width]
    return ak.zip(fields, depth_limit=1)


def _check_rows(rows: np.ndarray, first: int, labelled: bool, path) -> None:
    width = 3 * MAX_PARTICLES
    problems = {
        "a value that is not finite": ~np.isfinite(rows[:, :width]).all(axis=1),
        "a negative pT": (rows[:, 0:width:3] < 0).any(axis=1),
    }
    if labelled:
        problems["a label that is neither 0 nor 1"] = ~np.isin(rows[:, width], (0, 1))
    for what, bad in problems.items():
        if bad.any():
            raise DataError(
                f"has {what} in {bad.sum()} event(s), first in event {first + int(bad.argmax())}.",
                where=f"{path}, events {first}-{first + len(rows)}",
                remedy="Fetch the file again; check=False reads it all the same.",
            )


def read_lhco_features(path: str | os.PathLike, check: bool = True) -> pd.DataFrame:
    """Read the features file: momenta, masses and N-subjettiness of the two leading jets.

    Returns
    -------
    pandas.DataFrame
        Columns as in the file (`FEATURE_UNITS`; GeV), and ``label`` where the file has one.

    Raises
    ------
    DataError
        If the file is missing, cut, of another layout, or (with `check`) holds values that are not finite.
    MissingBranchError
        If one of the 14 columns is missing.
    """
    with open_fixed(path) as frame:
        missing = [name for name in FEATURE_UNITS if name not in frame.columns]
        if missing:
            close = close_names(missing[0], frame.columns)
            raise MissingBranchError(
                f"has no column '{missing[0]}'.",
                where=frame.path,
                remedy=f"Close names: {', '.join(close)}." if close else "A particle file is read by read_particles.",
            )
        table = pd.DataFrame(frame.rows(0, frame.n_rows), columns=frame.columns)
        if check:
            _require_finite(table, frame.path)
    if "label" in table:
        table["label"] = table["label"].astype(np.int8)
    return table


def _require_finite(table: pd.DataFrame, path) -> None:
    bad = ~np.isfinite(table.to_numpy())
    if bad.any():
        row, column = (int(index[0]) for index in np.nonzero(bad))
        raise DataError(
            f"{bad.any(axis=1).sum()} row(s) hold values that are not finite, "
            f"first '{table.columns[column]}' in row {row}.",
            where=path,
            remedy="Fetch the file again; check=False reads it all the same.",
        )


def read_signal_region(path: str | os.PathLike, check: bool = True) -> pd.DataFrame:
    """Read ``innerdata_*.npy`` of the CATHODE repository (arXiv:2109.00546): LHC Olympics, 3.3 to 3.7 TeV.

    Returns
    -------
    pandas.DataFrame
        Columns `SIGNAL_REGION_UNITS`: the file's TeV are converted to GeV.

    Raises
    ------
    DataError
        If the file is missing, cut, no array of six columns, or (with `check`) holds values that are not finite.
    """
    path = existing_file(path)
    with decoding(path, "array"):
        array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.shape[1] != 6 or array.dtype.kind != "f":
        found = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
        raise DataError(
            f"holds {found}, not rows of six floating-point numbers.",
            where=path,
            remedy="Expected mJJ, mJ(min), dmJ, tau21(min), tau21(max), label.",
        )
    table = pd.DataFrame(array, columns=list(SIGNAL_REGION_UNITS))
    if check:
        _require_finite(table, path)
    for name in ("mjj", "mj_min", "dmj"):
        table[name] *= 1000.0
    if check and not table["label"].isin((0, 1)).all():
        raise DataError("has labels other than 0 and 1.", where=path, remedy="The last column must be the label.")
    return table.astype({"label": np.int8}) if check else table

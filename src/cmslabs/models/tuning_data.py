"""What a tuning sees: background to train on, background to judge with, and anomalies that are made of background.

The column ``label`` is not read, and the test part of the events is left out before anything else happens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from cmslabs.data.download import dataset_path
from cmslabs.data.tables import read_events, read_table
from cmslabs.errors import DataError, close_names
from cmslabs.evaluation.splits import split_events
from cmslabs.features.dijets import detector_features
from cmslabs.models.tuning_config import TuningData

__all__ = ["background_parts", "imitate"]

#: What `detector_features` is made of.
_COLUMNS = ("mj1", "mj2", "tau1j1", "tau2j1", "tau1j2", "tau2j2")
#: How far one number of a shifted event moves, in standard deviations of its column.
SHIFT = 3.0


def background_parts(data: TuningData) -> tuple[Any, Any]:
    """Training and validation part of the background.

    Returns
    -------
    X, X_val : DataFrame of float64, or ndarray of float32, shape (n, n_pixels, n_pixels)

    Raises
    ------
    DataError
        If no row has the wanted process, or a part is empty.
    MissingBranchError
        If a column is not there.
    """
    path = Path(data.source) if Path(data.source).suffix else dataset_path(data.source)
    table, events = _read(data, path)
    if data.process is not None:
        table = table[table["process"] == data.process]
        if not len(table):
            raise DataError(f"has no row of the process '{data.process}'.", where=path, remedy=_processes(path, data))
    table = table.iloc[: data.max_events]
    split = split_events(table["event"], random_state=data.split_seed)
    parts = tuple(table.iloc[rows] for rows in (split.train, split.validation))
    if events is not None:
        return tuple(_images(data, events[part.index.to_numpy()]) for part in parts)
    return tuple(part[list(data.features)] if data.features else detector_features(part) for part in parts)


def imitate(X: Any, how: str, random_state: int = 0) -> np.ndarray:
    """Anomalies made of background: each is wrong in a way that does not depend on any signal.

    Parameters
    ----------
    X : DataFrame, or ndarray, shape (n_events, n_features) or (n_events, side, side)
        Background.
    how : {"shuffled", "shifted"}
        ``shuffled``: each column is taken from another event, so that every number is an ordinary one and only the
        combination is not; of images, each quarter.  ``shifted``: one number of each event is moved by three standard
        deviations, up or down.

    Returns
    -------
    ndarray
        Of the shape of X.

    Examples
    --------
    >>> X = np.column_stack([np.arange(5.0), np.arange(5.0)])
    >>> mixed = imitate(X, "shuffled", random_state=1)
    >>> sorted(mixed[:, 0]) == sorted(X[:, 0]), bool((mixed[:, 0] == mixed[:, 1]).all())
    (True, False)
    """
    rng = np.random.default_rng(random_state)
    X = np.array(X)
    rows = np.arange(len(X))
    if how == "shifted":
        column = rng.integers(X.shape[1], size=len(X))
        X[rows, column] += rng.choice([-SHIFT, SHIFT], size=len(X)) * X.std(axis=0)[column]
    elif X.ndim == 3:
        half = X.shape[1] // 2
        for down in (slice(None, half), slice(half, None)):
            for across in (slice(None, half), slice(half, None)):
                X[:, down, across] = X[rng.permutation(rows), down, across]
    else:
        for column in range(X.shape[1]):
            X[:, column] = X[rng.permutation(rows), column]
    return X


def _read(data: TuningData, path: Path) -> tuple[Any, ak.Array | None]:
    """Ids and columns of all events, and the jets for images."""
    extra = ["event"] if data.process is None else ["event", "process"]
    if data.images is None:
        return read_table(path, columns=[*dict.fromkeys([*extra, *(data.features or _COLUMNS)])]), None
    import pandas as pd

    events = read_events(path, columns=[*extra, data.images.jet])
    return pd.DataFrame({name: ak.to_list(events[name]) for name in extra}), events[data.images.jet]


def _images(data: TuningData, jets: ak.Array) -> np.ndarray:
    from cmslabs.features.images import jet_images

    return jet_images(jets, n_pixels=data.images.n_pixels, channel=data.images.channel)


def _processes(path: Path, data: TuningData) -> str:
    """Which processes there are, the similar ones first."""
    column = ["process"]
    found = read_table(path, columns=column) if data.images is None else read_events(path, columns=column)
    known = sorted(set(map(str, ak.to_list(found["process"]))))
    near = close_names(str(data.process), known)
    return f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(known)}."

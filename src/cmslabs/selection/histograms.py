"""Histograms with a systematic axis: filled in chunks, added, saved as JSON and read again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hist
import numpy as np
from hist import axis

from cmslabs.errors import DataError
from cmslabs.io import atomic_write, read_json
from cmslabs.selection.analysis import Histogram

__all__ = [
    "HISTOGRAMS_FILE",
    "empty_histogram",
    "fill_histogram",
    "load_histograms",
    "merge_histograms",
    "save_histograms",
]

#: Name of the file in a run's folder.
HISTOGRAMS_FILE = "histograms.json"
_FORMAT = "cmslabs histograms 1"


def empty_histogram(
    name: str, definition: Histogram, datasets: Sequence[str] = (), systematics: Sequence[str] = ("nominal",)
) -> hist.Hist:
    """A histogram without entries.

    Returns
    -------
    hist.Hist
        Axes ``dataset`` and ``systematic`` (categories; more can come) and the variable (with underflow and
        overflow).  A cell holds the sum of weights and the sum of squared weights.

    Examples
    --------
    >>> empty_histogram("m", Histogram(variable="mass", bins=2, range=(0, 10))).axes.name
    ('dataset', 'systematic', 'mass')
    """
    options = {"name": definition.variable, "label": definition.label or definition.variable}
    if definition.edges is not None:
        variable = axis.Variable(definition.edges, **options)
    else:
        variable = axis.Regular(definition.bins, *definition.range, **options)
    return hist.Hist(
        axis.StrCategory(list(datasets), growth=True, name="dataset", label="Data set"),
        axis.StrCategory(list(systematics), growth=True, name="systematic", label="Systematic variation"),
        variable,
        storage=hist.storage.Weight(),
        name=name,
    )


def fill_histogram(histogram: hist.Hist, dataset: str, values: np.ndarray, weights: Mapping[str, np.ndarray]) -> None:
    """Add events: every value once per systematic.  The bins are found once for all of them.

    Parameters
    ----------
    histogram : hist.Hist
        From `empty_histogram`, with the categories that are needed.
    dataset : str
    values : ndarray, shape (n_events,)
        What is not a number counts as overflow.
    weights : mapping of str to ndarray, shape (n_events,)
        Systematic -> weights.
    """
    names, systematics, variable = histogram.axes
    # index() counts from -1, the underflow.
    bins = variable.index(np.asarray(values, dtype=np.float64)) + 1
    cells = histogram.view(flow=True)[names.index(dataset)]
    for systematic, weight in weights.items():
        row = cells[systematics.index(systematic)]
        row["value"] += np.bincount(bins, weights=weight, minlength=variable.extent)
        row["variance"] += np.bincount(bins, weights=np.square(weight), minlength=variable.extent)


def merge_histograms(parts: Iterable[Mapping[str, hist.Hist]]) -> dict[str, hist.Hist]:
    """Add histograms of the same names, from the first to the last; categories stay in the order of appearance."""
    merged: dict[str, hist.Hist] = {}
    for part in parts:
        for name, histogram in part.items():
            merged[name] = merged[name] + histogram if name in merged else histogram.copy()
    return merged


def save_histograms(path: str | os.PathLike, histograms: Mapping[str, hist.Hist]) -> None:
    """Write histograms as JSON in the common format of Scikit-HEP (UHI); no pickle, and no number is rounded.

    Parameters
    ----------
    path : path-like
        Ends in ``.json``.
    histograms : mapping of str to hist.Hist
    """
    from hist.serialization import to_uhi

    content = {"format": _FORMAT, "histograms": {name: to_uhi(h) for name, h in histograms.items()}}
    text = json.dumps(content, default=_plain, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load_histograms(path: str | os.PathLike) -> dict[str, hist.Hist]:
    """Read histograms.

    Parameters
    ----------
    path : path-like
        A file of `save_histograms`, or a run's folder.

    Raises
    ------
    DataError
        If there is no such file or it holds something else.
    """
    path = Path(path)
    path = path / HISTOGRAMS_FILE if path.is_dir() else path
    content = read_json(path)
    try:
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        return {name: _from_json(name, entry) for name, entry in content["histograms"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"holds no histograms of cmslabs ({type(error).__name__}: {error}).",
            where=path,
            remedy="Run cmslabs select again.",
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no place in JSON")


def _from_json(name: str, entry: dict[str, Any]) -> hist.Hist:
    from hist.serialization import from_uhi

    storage = {key: np.asarray(value) if isinstance(value, list) else value for key, value in entry["storage"].items()}
    histogram = from_uhi({**entry, "storage": storage})
    if tuple(histogram.axes.name[:2]) != ("dataset", "systematic") or len(histogram.axes) != 3:
        raise ValueError(f"{name} has the axes {', '.join(histogram.axes.name)}")
    if histogram.storage_type is not hist.storage.Weight:
        raise ValueError(f"{name} has no sums of squared weights")
    for labels, told in zip(histogram.axes[:2], entry["axes"], strict=False):
        # boost-histogram keeps a name that stands twice, and its second row is never found.
        if len(set(labels)) < len(told["categories"]):
            raise ValueError(f"{name} has a category twice")
    # Not every version of hist keeps the name.
    histogram.name = name
    return histogram

"""Few events have a candidate: from what was made for those back to all events."""

from __future__ import annotations

from collections.abc import Mapping

import awkward as ak
import numpy as np

__all__ = ["lists_for", "mask_for", "per_event"]


def per_event(
    record: Mapping[str, np.ndarray | ak.Array], rows: np.ndarray, good: np.ndarray, n_events: int
) -> ak.Array:
    """One entry per event: the record of the events in `rows` that are good, None for all others.

    Examples
    --------
    >>> per_event({"mass": np.array([91.0, 3.1])}, np.array([0, 2]), np.array([True, False]), 3)["mass"].to_list()
    [91.0, None, None]
    """
    index = np.full(n_events, -1)
    index[rows[good]] = np.flatnonzero(good)
    layouts = [ak.to_layout(values) for values in record.values()]
    content = ak.contents.RecordArray(layouts, list(record), length=len(rows))
    return ak.Array(ak.contents.IndexedOptionArray(ak.index.Index64(index), content))


def mask_for(rows: np.ndarray, good: np.ndarray, n_events: int) -> np.ndarray:
    """A mask over all events: `good` for those in `rows`, False for the others."""
    mask = np.zeros(n_events, dtype=bool)
    mask[rows] = good
    return mask


def lists_for(rows: np.ndarray, lists: ak.Array, n_events: int) -> ak.Array:
    """Jagged lists over all events: `lists` for those in `rows`, empty ones for the others."""
    counts = np.zeros(n_events, dtype=np.int64)
    counts[rows] = ak.to_numpy(ak.num(lists))
    return ak.unflatten(ak.flatten(lists), counts)

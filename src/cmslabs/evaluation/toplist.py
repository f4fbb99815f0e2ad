"""The events with the highest scores, and files of scores by event id."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.data.tables import write_table
from cmslabs.errors import DataError
from cmslabs.io import Provenance

__all__ = ["score_table", "top_events", "write_scores"]


def score_table(ids: Any, scores: Any) -> pd.DataFrame:
    """Event ids and their score, in the given order.

    Parameters
    ----------
    ids : DataFrame, Series or array_like, shape (n_events,)
        What names an event: ``table["event"]``, or ``table[["run", "luminosityBlock", "event"]]``.  Further columns,
        such as ``mjj``, may come along.
    scores : array_like, shape (n_events,)
        Finite.

    Returns
    -------
    pandas.DataFrame
        The columns of `ids` (``event``, if they have no name), and ``score``.

    Raises
    ------
    DataError
        If the lengths differ, a score is not finite, or the ids have a column ``score`` already.

    Examples
    --------
    >>> score_table([7, 3], [0.2, 0.9]).to_dict("list")
    {'event': [7, 3], 'score': [0.2, 0.9]}
    """
    if isinstance(ids, pd.DataFrame):
        table = ids.reset_index(drop=True)
    else:
        table = pd.DataFrame({getattr(ids, "name", None) or "event": np.asarray(ids)})
    scores = np.asarray(scores, dtype=float)
    if scores.shape != (len(table),):
        raise DataError(f"{len(table)} events need {len(table)} scores, not an array of shape {scores.shape}.")
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise DataError(f"{len(bad)} scores are NaN or inf.", where=f"row {bad[0]}")
    if "score" in table:
        raise DataError("the ids have a column 'score' already.", remedy="Leave it out.")
    return table.assign(score=scores)


def top_events(ids: Any, scores: Any, n: int = 10) -> pd.DataFrame:
    """The `n` events with the highest scores, the highest first; equal scores keep their order.

    Parameters and errors as in `score_table`.

    Returns
    -------
    pandas.DataFrame
        As `score_table`; its index is the rank, from 1.

    Examples
    --------
    >>> top_events([7, 3, 5], [0.2, 0.9, 0.4], n=2).reset_index().to_dict("list")
    {'rank': [1, 2], 'event': [3, 5], 'score': [0.9, 0.4]}
    """
    if n < 1:
        raise DataError(f"a list of {n} events is empty.", remedy="Ask for at least 1.")
    table = score_table(ids, scores).sort_values("score", ascending=False, kind="stable").head(n)
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    return table


def write_scores(path: str | os.PathLike, ids: Any, scores: Any, provenance: Provenance) -> None:
    """Write event ids and scores, for example as CSV; where they come from stands beside it or in it.

    Parameters
    ----------
    path : path-like
        Ends in ``.csv`` or ``.parquet``.
    ids, scores
        As in `score_table`.
    provenance : Provenance
        Of the events; the unit of the score is added.

    Raises
    ------
    DataError
        As `score_table`, and as `cmslabs.data.tables.write_table`.
    """
    about = provenance.model_copy(update={"units": {**provenance.units, "score": "1"}})
    write_table(path, score_table(ids, scores), about)

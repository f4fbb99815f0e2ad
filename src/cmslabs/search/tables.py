"""Columns of a table as numbers, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cmslabs.errors import DataError, missing_column

__all__ = ["columns_of"]


def columns_of(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """The columns as float64, shape (n_events, n_columns).

    Raises
    ------
    MissingBranchError
        If one is missing; the message names it.
    DataError
        If a value is not finite.

    Examples
    --------
    >>> columns_of(pd.DataFrame({"met": [80.0], "ht": [900.0]}), ["ht", "met"]).tolist()
    [[900.0, 80.0]]
    """
    for name in columns:
        if name not in table:
            raise missing_column(name, table.columns)
    values = table[list(columns)].to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(f"the column '{columns[column]}' has a value that is not finite.", where=f"row {row}")
    return values

"""What a table must be before a model sees it, and errors that say which column is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from cmslabs.errors import DataError, close_names

__all__ = ["ModelInputError", "checked_labels", "checked_table", "column_position", "refuse_flat_columns"]

#: A column whose values differ by less than this share of their size has no spread that a float could hold.
_FLAT = 1e-12


class ModelInputError(DataError, ValueError):
    """Numbers that a model cannot be fitted to, or cannot score."""


def checked_table(model: BaseEstimator, X: Any, reset: bool) -> np.ndarray:
    """The table as an array, or an error that says where it is wrong.

    Parameters
    ----------
    model : AnomalyModel
        Its ``min_rows`` says how many rows it needs.  Number and names of the columns are written to it if `reset`, and
        compared otherwise.
    X : DataFrame or array_like

    Returns
    -------
    ndarray
        float64, shape (n_events, n_features).

    Raises
    ------
    ModelInputError
        If values are missing, not numbers or not finite; if there are too few rows, or other columns than in `fit`.
    """
    _check_finite(X)
    least = model.min_rows if reset else 1
    try:
        return validate_data(model, X, reset=reset, dtype=np.float64, ensure_min_samples=least)
    except ValueError as error:
        # Of a list of columns all lines are needed; of a hole only the first, the others recommend models.
        lines = str(error).splitlines()
        raise ModelInputError(" ".join(lines[:1] if lines[0].startswith("Input X") else lines)) from error


def checked_labels(model: str, y: Any, n: int) -> np.ndarray:
    """Labels of two classes, as 0 and 1; the larger one of the two is the signal.

    Raises
    ------
    ModelInputError
        If there are none, not `n`, or not two classes.
    """
    if y is None:
        # The middle of this sentence is what scikit-learn's checks look for.
        raise ModelInputError(
            f"{model} learns from labels: it requires y to be passed, but the target y is None.",
            remedy="Give fit(X, y) with 0 for background and 1 for signal.",
        )
    y = np.asarray(y)
    y = y.ravel() if y.shape == (n, 1) else y
    if y.shape != (n,):
        raise ModelInputError(f"{n} rows need {n} labels, not an array of shape {y.shape}.")
    if y.dtype.kind not in "biuf" or not np.isfinite(y).all():
        raise ModelInputError(
            "Unknown label type: labels are numbers without NaN or inf, 0 for background and 1 for signal."
        )
    found = np.unique(y)
    if len(found) == 1:
        raise ModelInputError(
            f"the labels hold one class only ({found[0]}).", remedy="Give background and signal to compare."
        )
    if len(found) > 2:
        raise ModelInputError(
            f"the labels hold {len(found)} values ({', '.join(str(value) for value in found[:3])}, ...), not two.",
            remedy="Give 0 for background and 1 for signal.",
        )
    return (y == found[1]).astype(np.int8)


def column_position(model: BaseEstimator, column: str | int, n_features: int) -> int:
    """Where a column stands in the table that the model is being fitted to.

    Raises
    ------
    ModelInputError
        If there is no such column.
    """
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    if isinstance(column, str):
        if not names:
            raise ModelInputError(
                f"{type(model).__name__} looks for the column '{column}', but the table has no names.",
                remedy="Give a DataFrame, or the column's position.",
            )
        if column not in names:
            near = close_names(column, names)
            raise ModelInputError(
                f"there is no column '{column}'.",
                remedy=f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(names)}.",
            )
        return names.index(column)
    if not 0 <= column < n_features:
        raise ModelInputError(
            f"there is no column {column} in a table with n_features={n_features}.", remedy="Positions start at 0."
        )
    return int(column)


def refuse_flat_columns(X: np.ndarray, names: Sequence[str] | None = None) -> None:
    """Refuse a column that has the same value in every row.

    Raises
    ------
    ModelInputError
        It names the first such column.
    """
    low, high = X.min(axis=0), X.max(axis=0)
    flat = np.flatnonzero(high - low <= _FLAT * np.maximum(np.abs(low), np.abs(high)))
    if len(flat):
        name = flat[0] if names is None else f"'{names[flat[0]]}'"
        raise ModelInputError(
            f"column {name} is constant ({X[0, flat[0]]:g} in every row).",
            remedy="It tells nothing about any event: leave it out.",
        )


def _check_finite(X: Any) -> None:
    """Name the first column with a hole, of a DataFrame or of a plain table; the rest is left to scikit-learn."""
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        columns = [(f"'{name}'", np.asarray(X.iloc[:, i])) for i, name in enumerate(X.columns)]
    elif isinstance(X, np.ndarray) and X.ndim == 2:
        columns = [(str(i), X[:, i]) for i in range(X.shape[1])]
    else:
        columns = []
    for name, column in columns:
        if column.dtype.kind != "f":
            continue
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise ModelInputError(
                f"column {name} holds {len(bad)} values that are NaN or inf.",
                where=f"row {bad[0]}",
                remedy="Drop these rows, or find out why they have no value.",
            )

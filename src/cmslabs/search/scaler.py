"""One scale for all columns, measured on the simulation and written down before anything is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cmslabs.errors import DataError
from cmslabs.io import read_json, write_json
from cmslabs.search.tables import columns_of

__all__ = ["LIMIT", "FeatureScaler"]

#: The simulation's smallest and largest value of a column become minus and plus this number.
LIMIT = 2.5


@dataclass(frozen=True)
class FeatureScaler:
    """A straight map of each column onto [-2.5, 2.5], as in arXiv:2311.12924.

    Attributes
    ----------
    columns : tuple of str
    low, high : tuple of float
        Of the simulation, in the columns' units.
    logarithmic : tuple of str
        Columns whose logarithm is mapped.  Both contexts fall steeply: on a linear scale nearly all events lie in one
        corner, and a network that has to extrapolate bends where there is nothing to learn from.
    """

    columns: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    logarithmic: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: pd.DataFrame, columns: Sequence[str], logarithmic: Sequence[str] = ()) -> FeatureScaler:
        """Measure it.

        Raises
        ------
        DataError
            If a column is constant, or has no logarithm.
        """
        raw = cls(tuple(columns), (0.0,) * len(columns), (1.0,) * len(columns), tuple(logarithmic))
        values = raw._bent(columns_of(table, columns))
        low, high = values.min(axis=0), values.max(axis=0)
        if not (high > low).all():
            raise DataError(f"the column '{columns[int(np.argmin(high - low))]}' is constant in the simulation.")
        return cls(tuple(columns), tuple(low.tolist()), tuple(high.tolist()), tuple(logarithmic))

    def forward(self, table: pd.DataFrame) -> np.ndarray:
        """The scaled columns, shape (n_events, n_columns)."""
        low, high = np.array(self.low), np.array(self.high)
        return (self._bent(columns_of(table, self.columns)) - low) / (high - low) * 2 * LIMIT - LIMIT

    def table(self, table: pd.DataFrame) -> pd.DataFrame:
        """The same as a table with the columns' names."""
        return pd.DataFrame(self.forward(table), columns=list(self.columns), index=table.index)

    def inverse(self, scaled: np.ndarray) -> pd.DataFrame:
        """Back to the columns' units."""
        low, high = np.array(self.low), np.array(self.high)
        values = (np.asarray(scaled) + LIMIT) / (2 * LIMIT) * (high - low) + low
        for name in self.logarithmic:
            position = self.columns.index(name)
            values[:, position] = np.exp(values[:, position])
        return pd.DataFrame(values, columns=list(self.columns))

    def save(self, path: str | os.PathLike) -> None:
        """Write it as JSON."""
        lists = ("columns", "low", "high", "logarithmic")
        write_json(path, {name: list(getattr(self, name)) for name in lists})

    @classmethod
    def load(cls, path: str | os.PathLike) -> FeatureScaler:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If the file is none.
        """
        found = read_json(path)
        try:
            parts = [tuple(found[name]) for name in ("columns", "low", "high", "logarithmic")]
            if not len(parts[0]) == len(parts[1]) == len(parts[2]):
                raise ValueError("lengths differ")
            return cls(parts[0], tuple(map(float, parts[1])), tuple(map(float, parts[2])), parts[3])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("is no scaler of cmslabs.", where=path, remedy="Write it again.") from error

    def _bent(self, values: np.ndarray) -> np.ndarray:
        values = values.copy()
        for name in self.logarithmic:
            position = self.columns.index(name)
            if not (values[:, position] > 0).all():
                raise DataError(f"the column '{name}' has values without a logarithm.", remedy="Scale it linearly.")
            values[:, position] = np.log(values[:, position])
        return values

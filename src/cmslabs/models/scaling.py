"""Columns in units of their own spread: GeV and pure numbers do not add up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Scale"]


class Scale(NamedTuple):
    """Mean and standard deviation of the columns; called with a table, it standardises that.

    Attributes
    ----------
    mean, spread : ndarray, shape (n_features,)

    Examples
    --------
    >>> scale = Scale.of(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> scale(np.array([[2.0, 40.0]])).tolist()
    [[0.0, 2.0]]
    """

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> Scale:
        """The scale of a table, shape (n_events, n_features), in which no column is constant."""
        return cls(X.mean(axis=0), X.std(axis=0))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """The same table with mean 0 and standard deviation 1, as far as it looks like the one that was measured."""
        return (X - self.mean) / self.spread

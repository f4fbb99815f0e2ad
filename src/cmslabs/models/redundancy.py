"""Columns that follow from other ones: with them there is no density, and a flow must not be trained.

If a column is a function of others, all events lie on a surface.  The density is infinite on it and 0 beside it, the
likelihood grows without end, and scores compare rounding errors.  Four kinds of relation are looked for:

- sums: the rank of the standardised columns (duplicates, mjj in GeV and in TeV, eta1, eta2 and their difference),
- products and ratios: the rank of the logs of the positive columns (tau21 beside tau1 and tau2),
- sums of squares (the distance of two jets beside their differences in eta and phi),
- functions of one other column, whatever function it is (``chi = exp(2 |y*|)`` beside ``y*``).

Not found is what ties three or more columns by another formula, such as mjj beside all momenta: for that, look at the
rank of the formulas' Jacobian (`cmslabs.features.jacobian`), not of the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.models.checks import ModelInputError, refuse_flat_columns

__all__ = ["Redundancy", "RedundantColumnsError", "find_redundancy"]

#: A column follows from others if what they leave open is smaller than this share of its spread.
TOLERANCE = 1e-4
#: Most events that are looked at: for ranks, and for functions of one column.
_ROWS, _PAIR_ROWS = 20_000, 4000
#: Fewest events, and fewest different values, for which "a smooth function of one other column" can be told.
_PAIR_LEAST, _VALUES = 100, 20


class RedundantColumnsError(ModelInputError):
    """A table that has no density, because some of its columns follow from others."""


@dataclass(frozen=True)
class Redundancy:
    """Which columns follow from which.

    Attributes
    ----------
    kept : tuple of int
        Positions of columns that do not follow from each other.
    relations : dict of int to tuple
        Position of each other column -> positions that it follows from, and how: ``"sum"``, ``"product or ratio"``,
        ``"sum of squares"`` or ``"function"``.
    """

    kept: tuple[int, ...]
    relations: dict[int, tuple[tuple[int, ...], str]]

    def describe(self, names: Sequence[Any] | None = None) -> str:
        """One clause per column that is too much: "'tau21' follows from 'tau1' and 'tau2' (product or ratio)"."""

        def call(position: int) -> str:
            return f"column {position}" if names is None else f"'{names[position]}'"

        parts = []
        for column, (sources, how) in self.relations.items():
            *most, last = [call(source) for source in sources]
            parts.append(f"{call(column)} follows from {', '.join(most) + ' and ' if most else ''}{last} ({how})")
        return "; ".join(parts)


def find_redundancy(X: np.ndarray, fixed: Sequence[int] = (), tolerance: float = TOLERANCE) -> Redundancy:
    """Look for columns that follow from others.

    Parameters
    ----------
    X : ndarray, shape (n_events, n_columns)
        Finite, in any units.
    fixed : sequence of int
        Columns that are kept in any case (a context): others may be redundant beside them.
    tolerance : float
        What the others leave open of a column, as a share of its spread, below which it counts as redundant.

    Returns
    -------
    Redundancy
        Of columns that determine each other the first one is kept, in the order of the table after `fixed`.  Of a
        column and a function of it, the column is kept.

    Raises
    ------
    ModelInputError
        If a column is constant, or there are not more events than columns: then everything follows from everything.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> tau1, tau2 = rng.uniform(0.1, 1.0, size=(2, 500))
    >>> found = find_redundancy(np.column_stack([tau1, tau2, tau2 / tau1]))
    >>> found.describe(["tau1", "tau2", "tau21"])
    "'tau21' follows from 'tau1' and 'tau2' (product or ratio)"
    """
    n, columns = X.shape
    if n < columns + 2:
        raise ModelInputError(
            f"{n} events are too few for a density of {columns} columns.", remedy="Give more events, or fewer columns."
        )
    refuse_flat_columns(X)
    order = [*fixed, *(i for i in range(columns) if i not in set(fixed))]
    relations: dict[int, tuple[tuple[int, ...], str]] = {}
    rows = _spread(X, _ROWS)
    for search in (_functions, _sums, _products, _squares):
        left = [i for i in order if i not in relations]
        found = search(rows, left, len(fixed), tolerance)
        relations |= found
    return Redundancy(tuple(i for i in range(columns) if i not in relations), dict(sorted(relations.items())))


def _spread(X: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, taken from the whole table."""
    return X[:: max(1, -(-len(X) // most))]


def _sums(X: np.ndarray, columns: list[int], n_fixed: int, tolerance: float) -> dict:
    """Columns that are sums of multiples of earlier ones."""
    return _dependent(X, columns, n_fixed, tolerance, "sum")


def _products(X: np.ndarray, columns: list[int], n_fixed: int, tolerance: float) -> dict:
    """Columns that are products of powers of earlier ones, among those whose values are positive in most events."""
    positive = [i for i in columns if (X[:, i] >= 0).all() and (X[:, i] > 0).mean() > 0.8]
    n_fixed = sum(i in positive for i in columns[:n_fixed])
    rows = X[(X[:, positive] > 0).all(axis=1)]
    if len(rows) < max(len(positive) + 2, len(X) / 10):
        return {}
    logs = np.zeros_like(rows)
    logs[:, positive] = np.log(rows[:, positive])
    varying = [i for i in positive if np.ptp(logs[:, i]) > 0]
    return _dependent(logs, varying, min(n_fixed, len(varying)), tolerance, "product or ratio")


def _squares(X: np.ndarray, columns: list[int], n_fixed: int, tolerance: float) -> dict:
    """Columns whose square is a sum of multiples of earlier ones' squares."""
    scaled = X / np.abs(X).max(axis=0, initial=1e-300)
    varying = [i for i in columns if np.ptp(scaled[:, i] ** 2) > 0]
    n_fixed = sum(i in varying for i in columns[:n_fixed])
    return _dependent(scaled**2, varying, n_fixed, tolerance, "sum of squares")


def _dependent(X: np.ndarray, columns: list[int], n_fixed: int, tolerance: float, how: str) -> dict:
    """Gram-Schmidt in the given order: what is left of a column after those before it."""
    Z = X[:, columns] - X[:, columns].mean(axis=0)
    Z /= np.sqrt((Z**2).mean(axis=0) * len(Z))
    basis, kept, relations = np.empty((len(Z), 0)), [], {}
    for number, column in enumerate(columns):
        rest = Z[:, number]
        # Twice, because what a first subtraction leaves of nearly parallel columns is partly rounding.
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if length > tolerance:
            basis = np.column_stack([basis, rest / length])
            kept.append(number)
        elif number >= n_fixed:
            weights = np.linalg.lstsq(Z[:, kept], Z[:, number], rcond=None)[0]
            used = np.abs(weights) > 1e-2 * np.abs(weights).max()
            relations[column] = (tuple(columns[kept[i]] for i in np.flatnonzero(used)), how)
    return relations


def _functions(X: np.ndarray, columns: list[int], n_fixed: int, tolerance: float) -> dict:
    """Columns that are a function of one other: between neighbours in that one, they lie on a straight line."""
    X = _spread(X, _PAIR_ROWS)
    if len(X) < _PAIR_LEAST or len(columns) < 2:
        return {}
    # Neighbours lie 1 / n apart, and a curve leaves its chord by the square of that.
    tolerance = max(tolerance, 100 / len(X) ** 2)
    # In a mixed order, so that rows that share a value of one column do not stand in the order of another.
    X = np.random.default_rng(0).permutation(X)
    usual = {column: _usual(X[:, column]) for column in columns}
    follows = {column: _followers(X, column, usual, tolerance) for column in columns}
    fixed, relations = set(columns[:n_fixed]), {}
    for place, column in enumerate(columns):
        for other in columns[:place]:
            if other in relations or column in relations:
                continue
            both = column in follows[other] and other in follows[column]
            if column in follows[other] and column not in fixed:
                relations[column] = ((other,), "function")
            elif other in follows[column] and not both:
                # The earlier one is a function of the later: it is dropped, unless it is fixed.
                drop, source = (column, other) if other in fixed else (other, column)
                if drop not in fixed:
                    relations[drop] = ((source,), "function")
    return relations


def _usual(y: np.ndarray) -> float | None:
    """The value that many events share, such as the momentum of a third jet that is not there; NaN if none is shared.

    None stands for a column of few values, whole numbers for example, which tell no function.
    """
    values, counts = np.unique(y, return_counts=True)
    if len(values) < _VALUES:
        return None
    return values[counts.argmax()] if counts.max() > 0.1 * len(y) else np.nan


def _followers(X: np.ndarray, column: int, usual: dict[int, float | None], tolerance: float) -> set[int]:
    """Which columns are a function of this one."""
    X = X[np.argsort(X[:, column], kind="stable")]
    x = X[:, column]
    gap = x[2:] - x[:-2]
    share = np.where(gap > 0, (x[1:-1] - x[:-2]) / np.where(gap > 0, gap, 1), 0.5)
    found = set()
    for other, shared in usual.items():
        if other == column or shared is None:
            continue
        y = X[:, other]
        free = y[1:-1] != shared
        left_open = np.abs(y[1:-1] - y[:-2] - share * (y[2:] - y[:-2]))[free]
        if len(left_open) < _PAIR_LEAST / 2:
            continue
        # The width of the middle, because a single event far out would make any spread large.
        low, high = np.quantile(y[1:-1][free], [0.1, 0.9])
        if np.quantile(left_open, 0.8) < tolerance * (high - low):
            found.add(other)
    return found

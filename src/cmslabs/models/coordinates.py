"""Coordinates in which a flow sees the columns, each with the log of its Jacobian.

A density depends on its coordinates: ``p(x) = p(z) |dz/dx|``.  With the second factor, the density that a flow learns
of z is one of x, in the user's units, whatever z was: flows that have learnt everything agree.  Flows that have not
differ from one choice of z to the next.  And the ranking of events by p(x) is another one than that by p(z): "unusual"
means something only after somebody has said in which coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from cmslabs.errors import ConfigError, close_names
from cmslabs.models.checks import ModelInputError
from cmslabs.models.monotone import Monotone
from cmslabs.models.scaling import Scale

__all__ = ["COORDINATES", "Coordinates", "cell_points", "dequantise", "require_integers"]

COORDINATES = ("standard", "logit", "quantile")
#: Beyond the training sample, a logit's interval goes on by this share of its length at each end.
_MARGIN = 1e-2
#: Most points of a quantile map, fewest events for each of them, and how many events lie beyond the last one.
_POINTS, _EVENTS, _BEYOND = 48, 10, 5


@dataclass(frozen=True)
class Coordinates:
    """A map of each column onto the line, and back.

    - ``"standard"``: mean 0 and standard deviation 1.
    - ``"logit"``: log(u / (1 - u)) for the share u of the way from the smallest to the largest value of the training
      sample (with a margin of 1 %), then standardised.  It pulls the edges of a distribution apart.
    - ``"quantile"``: by a smooth curve (`cmslabs.models.monotone.Monotone`) through quantiles of the training sample
      onto those of a normal distribution, then standardised.  Every column then is nearly normal.

    Beyond the training sample the last two go on as straight lines, with the slope that they have at its edge: no
    event lies outside, and both value and Jacobian are finite everywhere.

    Attributes
    ----------
    kind : {"standard", "logit", "quantile"}
    parts : dict of str to ndarray
        What was measured; with ``kind``, all that there is to store.

    Examples
    --------
    >>> X = np.random.default_rng(0).exponential(50.0, size=(2000, 1))
    >>> for kind in COORDINATES:
    ...     found = Coordinates.of(kind, X)
    ...     z, log_jacobian = found.forward(X)
    ...     print(kind, z.max().round(1), np.allclose(found.inverse(z), X))
    standard 6.9 True
    logit 6.2 True
    quantile 3.3 True
    """

    kind: str
    parts: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        if self.kind not in COORDINATES:
            near = close_names(str(self.kind), COORDINATES, n=1)
            raise ConfigError(
                f"there are no coordinates {self.kind!r}.",
                remedy=f"Did you mean {near[0]!r}?" if near else f"Use one of {', '.join(COORDINATES)}.",
            )

    @classmethod
    def of(cls, kind: str, X: np.ndarray) -> Coordinates:
        """Measure them on a table of shape (n_events, n_columns) in which no column is constant.

        Raises
        ------
        ConfigError
            If there are no such coordinates.
        """
        parts: dict[str, np.ndarray] = {}
        if kind == "logit":
            parts = {"low": X.min(axis=0), "high": X.max(axis=0)}
        elif kind == "quantile":
            parts = _quantile_points(X)
        scale = Scale.of(cls(kind, parts)._bent(X)[0])
        return cls(kind, {**parts, "mean": scale.mean, "spread": scale.spread})

    def forward(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The coordinates, and the log of the determinant of their derivatives.

        Parameters
        ----------
        X : ndarray, shape (n_events, n_columns)

        Returns
        -------
        z : ndarray, shape (n_events, n_columns)
        log_jacobian : ndarray, shape (n_events,)
            ``log |dz/dx|``, to be added to the log density of z.
        """
        z, log_slope = self._bent(X)
        z = (z - self.parts["mean"]) / self.parts["spread"]
        return z, log_slope.sum(axis=1) - np.log(self.parts["spread"]).sum()

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """The table with these coordinates, shape (n_events, n_columns)."""
        bent = z * self.parts["spread"] + self.parts["mean"]
        if self.kind == "logit":
            return _from_logit(bent, self.parts["low"], self.parts["high"])
        if self.kind == "quantile":
            return np.column_stack([curve.inverse(bent[:, i]) for i, curve in enumerate(self._curves())])
        return bent

    def _bent(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Before they are standardised: values and log slopes, column by column."""
        if self.kind == "logit":
            return _to_logit(X, self.parts["low"], self.parts["high"])
        if self.kind == "quantile":
            both = [curve(X[:, i]) for i, curve in enumerate(self._curves())]
            return np.column_stack([y for y, _ in both]), np.column_stack([log_slope for _, log_slope in both])
        return X, np.zeros_like(X)

    def _curves(self) -> list[Monotone]:
        stored = zip(self.parts["points"], self.parts["scores"], strict=True)
        return [Monotone(x[np.isfinite(x)], y[np.isfinite(y)]) for x, y in stored]


def _to_logit(X: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    length = (high - low) * (1 + 2 * _MARGIN)
    inside = np.clip(X, low, high)
    u = (inside - low) / length + _MARGIN / (1 + 2 * _MARGIN)
    slope = 1 / (u * (1 - u) * length)
    return logit(u) + slope * (X - inside), np.log(slope)


def _from_logit(y: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    length, edge = (high - low) * (1 + 2 * _MARGIN), _MARGIN / (1 + 2 * _MARGIN)
    largest = logit(1 - edge)
    inside = np.clip(y, -largest, largest)
    beyond = (y - inside) * edge * (1 - edge) * length
    return np.clip(low + (expit(inside) - edge) * length, low, high) + beyond


def _quantile_points(X: np.ndarray) -> dict[str, np.ndarray]:
    """Points of each column's curve; columns with ties have fewer, and NaN in the rest of their row."""
    n, columns = X.shape
    number = int(np.clip(n // _EVENTS, 2, _POINTS))
    largest = -ndtri(min(_BEYOND / n, 0.25))
    scores = np.linspace(-largest, largest, number)
    points, kept = np.full((columns, number), np.nan), np.full((columns, number), np.nan)
    for i, column in enumerate(X.T):
        quantiles = np.quantile(column, ndtr(scores))
        # A value that many events share stands for all of their ranks: its middle one.
        x, which = np.unique(quantiles, return_inverse=True)
        y = np.bincount(which, weights=scores) / np.bincount(which)
        rises = np.concatenate(([True], np.diff(x) > 1e-12 * np.abs(x).max()))
        x, y = (x[rises], y[rises]) if rises.sum() > 1 else (np.array([column.min(), column.max()]), scores[[0, -1]])
        points[i, : len(x)], kept[i, : len(y)] = x, y
    return {"points": points, "scores": kept}


def require_integers(X: np.ndarray, columns: Sequence[int], names: Sequence[Any] | None = None) -> None:
    """Refuse columns that were said to hold whole numbers and do not.

    Raises
    ------
    ModelInputError
        It names the first such column and row.
    """
    for column in columns:
        wrong = np.flatnonzero(X[:, column] != np.floor(X[:, column]))
        if len(wrong):
            raise ModelInputError(
                f"column {column if names is None else repr(str(names[column]))} is to hold whole numbers, but one is"
                f" {X[wrong[0], column]:g}.",
                where=f"row {wrong[0]}",
                remedy="Take it out of integers.",
            )


def dequantise(X: np.ndarray, columns: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Whole numbers k become numbers spread evenly over [k, k + 1): a copy of the table.

    A density of whole numbers is a row of spikes, and the likelihood of a flow that finds them has no bound.  After
    this the density's integral over [k, k + 1) is the probability of k (B. Uria, I. Murray and H. Larochelle,
    doi:10.48550/arXiv.1306.0186).

    Examples
    --------
    >>> dequantise(np.array([[2.0, 0.5]]), [0], np.random.default_rng(0)).round(3).tolist()
    [[2.637, 0.5]]
    """
    X = X.copy()
    X[:, list(columns)] += rng.random((len(X), len(columns)))
    return X


def cell_points(columns: int, n: int) -> np.ndarray:
    """Points in the unit cube, shape (n, columns), over which a density is averaged: the same for every event.

    The first column takes steps of 1 / n, the others irrational ones (powers of the generalised golden ratio), so that
    the points lie evenly in all; one point is the middle.  No chance is involved, so an event's density does not
    depend on its row.
    """
    ratio = 1.5
    for _ in range(50):
        ratio = (1 + ratio) ** (1 / max(columns, 1))
    steps = np.append(1 / n, ratio ** -np.arange(1, max(columns, 1)))[:columns]
    return (0.5 + (np.arange(n) - (n - 1) / 2)[:, None] * steps) % 1

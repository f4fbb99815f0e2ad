"""Counts in bins: what a spectrum is before it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, DataError

__all__ = ["Spectrum", "as_spectrum", "bin_integrals"]


@dataclass(frozen=True)
class Spectrum:
    """Counts in bins.

    Attributes
    ----------
    edges : ndarray, shape (n_bins + 1,)
        In the unit of the quantity.
    counts, variances : ndarray, shape (n_bins,)
        Sum of weights and sum of squared weights; without weights both are the number of entries.
    """

    edges: np.ndarray
    counts: np.ndarray
    variances: np.ndarray

    @property
    def widths(self) -> np.ndarray:
        """Width of each bin."""
        return np.diff(self.edges)

    @property
    def centres(self) -> np.ndarray:
        """Middle of each bin."""
        return (self.edges[:-1] + self.edges[1:]) / 2

    @property
    def width(self) -> float | None:
        """The width of all bins; None if they differ."""
        widths = self.widths
        return float(widths.mean()) if np.allclose(widths, widths[0], rtol=1e-6) else None


def as_spectrum(data: Any, bins: int | Sequence[float] | None = None, weights=None) -> Spectrum:
    """Take a one-dimensional `hist.Hist`, or values with `bins`, as a `Spectrum`.

    Parameters
    ----------
    data : hist.Hist, Spectrum, or array_like of values
        Values may be an awkward array of numbers without nesting.
    bins : int or sequence of float, optional
        Number of bins or their edges, for values only.  Values outside the edges are not counted.
    weights : array_like, optional
        One weight per value.

    Raises
    ------
    ConfigError
        If a histogram has several axes, or values come without bins, or a histogram comes with bins.
    DataError
        If the values are nested, or one is not finite.

    Examples
    --------
    >>> as_spectrum([1.0, 1.5, 3.0], bins=[0, 2, 4]).counts.tolist()
    [2.0, 1.0]
    """
    if isinstance(data, Spectrum) or (hasattr(data, "axes") and callable(getattr(data, "values", None))):
        if bins is not None or weights is not None:
            raise ConfigError("a filled histogram has its bins and weights already.", remedy="Leave both out.")
        return data if isinstance(data, Spectrum) else _from_hist(data)
    if bins is None:
        raise ConfigError("values need bins.", remedy="Give bins=60 or the edges, or fill a hist.Hist.")
    if getattr(data, "ndim", 1) != 1:
        raise DataError(f"a spectrum needs a flat list of values, not {data.ndim} levels.", remedy="Flatten them.")
    values = np.asarray(data, dtype=float)
    if not np.isfinite(values).all():
        raise DataError(
            f"{int((~np.isfinite(values)).sum())} of {values.size} values are not finite.",
            remedy="Decide what they mean and take them out before you count.",
        )
    edges = np.histogram_bin_edges(values, bins)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, dtype=float)
    counts, _ = np.histogram(values, edges, weights=weights)
    variances, _ = np.histogram(values, edges, weights=weights**2)
    return Spectrum(edges.astype(float), counts, variances)


def _from_hist(histogram: Any) -> Spectrum:
    if len(histogram.axes) != 1:
        raise ConfigError(f"the histogram has {len(histogram.axes)} axes.", remedy="Project it on one axis first.")
    counts = np.asarray(histogram.values(), dtype=float)
    variances = histogram.variances()
    variances = counts.copy() if variances is None else np.asarray(variances, dtype=float)
    return Spectrum(np.asarray(histogram.axes[0].edges, dtype=float), counts, variances)


def bin_integrals(density: Callable[[np.ndarray], np.ndarray], edges: np.ndarray) -> np.ndarray:
    """Expected counts per bin of a density (events per unit of x), by 8-point Gauss-Legendre quadrature.

    A bin's expectation is the integral over the bin: at a peak narrower than a few bins the value in
    the middle times the width is too large.

    Examples
    --------
    >>> bin_integrals(lambda x: 2 * x, np.array([0.0, 1.0, 3.0])).round(6).tolist()
    [1.0, 8.0]
    """
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half = np.diff(edges)[:, None] / 2
    points = (edges[:-1] + edges[1:])[:, None] / 2 + half * nodes
    heights = np.asarray(density(points.ravel()), dtype=float).reshape(points.shape)
    return (heights * half * weights).sum(axis=1)

"""The mass spectrum of the sidebands, carried on through the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from cmslabs.errors import DataError

__all__ = ["SidebandSpectrum"]

_CELLS = 2000


@dataclass(frozen=True)
class SidebandSpectrum:
    """A density whose logarithm is a parabola in the mass, fitted to the sidebands alone by maximum likelihood.

    Attributes
    ----------
    window : (low, high)
        What was left out [GeV].
    edges : (low, high)
        Where the sidebands end.
    slopes : (float, float)
        Of mass and mass squared, with the mass in units of the range.
    n_sidebands : int

    Examples
    --------
    >>> mass = np.random.default_rng(0).exponential(500.0, 50_000) + 2500.0
    >>> spectrum = SidebandSpectrum.of(mass[mass < 4500.0], (3300.0, 3700.0), (2500.0, 4500.0))
    >>> true = 50_000 * (np.exp(-800 / 500) - np.exp(-1200 / 500))
    >>> bool(abs(spectrum.expected / true - 1) < 0.05)
    True
    """

    window: tuple[float, float]
    edges: tuple[float, float]
    slopes: tuple[float, float]
    n_sidebands: int

    @classmethod
    def of(cls, mass: np.ndarray, window: tuple[float, float], edges: tuple[float, float]) -> SidebandSpectrum:
        """Fit it to the masses in `edges` that lie outside the window.

        Raises
        ------
        DataError
            If a sideband has fewer than 20 events.
        """
        mass = mass[(mass > edges[0]) & (mass < edges[1])]
        below, above = mass[mass <= window[0]], mass[mass >= window[1]]
        if min(len(below), len(above)) < 20:
            raise DataError(
                f"{len(below)} and {len(above)} events below and above {window[0]:g}-{window[1]:g} GeV are too few.",
                remedy="Choose a window with a sideband on either side.",
            )
        grid = (np.arange(_CELLS) + 0.5) / _CELLS
        inside = _in_window(grid, window, edges)
        u = (np.concatenate([below, above]) - edges[0]) / (edges[1] - edges[0])
        moments = np.array([u.mean(), (u**2).mean()])
        powers = np.stack([grid, grid**2])[:, ~inside]

        def loss(slopes: np.ndarray) -> float:
            logs = slopes @ powers
            top = logs.max()
            return float(top + np.log(np.exp(logs - top).sum()) - slopes @ moments)

        found = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-8}).x
        return cls(tuple(window), tuple(edges), (float(found[0]), float(found[1])), len(u))

    @property
    def expected(self) -> float:
        """Expected events in the window."""
        density, inside = self._density()
        return float(self.n_sidebands * density[inside].sum() / density[~inside].sum())

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Masses in the window, shape (n,) [GeV]."""
        density, inside = self._density()
        cells = np.flatnonzero(inside)
        chosen = rng.choice(cells, size=n, p=density[cells] / density[cells].sum())
        low, high = self.edges
        return np.clip(low + (chosen + rng.random(n)) / _CELLS * (high - low), *self.window)

    def _density(self) -> tuple[np.ndarray, np.ndarray]:
        grid = (np.arange(_CELLS) + 0.5) / _CELLS
        logs = self.slopes[0] * grid + self.slopes[1] * grid**2
        return np.exp(logs - logs.max()), _in_window(grid, self.window, self.edges)


def _in_window(grid: np.ndarray, window: tuple[float, float], edges: tuple[float, float]) -> np.ndarray:
    low, high = ((end - edges[0]) / (edges[1] - edges[0]) for end in window)
    return (grid > low) & (grid < high)

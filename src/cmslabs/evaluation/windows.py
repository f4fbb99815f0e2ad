"""Where the scan looks: masses and widths, the signal's share in each bin, and the windows of a masked count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from cmslabs.errors import ConfigError

__all__ = ["WIDTHS", "Windows", "gaussian_template", "make_windows"]

#: Standard deviations of the signal in units of the bin width at its mass.
WIDTHS = (1.0, 1.5, 2.0, 3.0)
#: A window reaches so many standard deviations to both sides (90 % of the signal).
_REACH = 1.64


@dataclass(frozen=True)
class Windows:
    """The grid of a scan: every mass with every width.

    Attributes
    ----------
    masses : ndarray, shape (n_masses,)
        Bin centres [GeV].
    widths : ndarray, shape (n_masses, n_widths)
        Standard deviation of the signal [GeV].
    templates : ndarray, shape (n_masses * n_widths, n_bins)
        Share of the signal in each bin; widths vary fastest.
    inside : ndarray of bool, same shape
        The bins of the window around each signal.
    """

    masses: np.ndarray
    widths: np.ndarray
    templates: np.ndarray
    inside: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of masses and of widths."""
        return self.widths.shape

    def place(self, index: int) -> tuple[float, float]:
        """Mass and width [GeV] of one entry of `templates`."""
        row, column = divmod(index, self.widths.shape[1])
        return float(self.masses[row]), float(self.widths[row, column])


def gaussian_template(edges: np.ndarray, mass, width) -> np.ndarray:
    """Share of a Gaussian signal in each bin; what lies beyond the edges is lost.

    Examples
    --------
    >>> gaussian_template(np.array([-1.0, 0.0, 1.0]), 0.0, 1.0).round(3).tolist()
    [0.341, 0.341]
    """
    below = norm.cdf((edges - np.asarray(mass)[..., None]) / np.asarray(width)[..., None])
    return np.diff(below, axis=-1)


def make_windows(
    edges: np.ndarray,
    used: np.ndarray,
    widths: Sequence[float] | None = None,
    scan_range: tuple[float, float] | None = None,
) -> Windows:
    """The scan over the bin centres of a spectrum, without the outermost bin on each side.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
    used : ndarray of bool, shape (n_bins,)
        No signal is looked for in bins that are not used.
    widths : sequence of float, optional
        In units of the local bin width; default `WIDTHS`.
    scan_range : (float, float), optional
        Masses to scan [GeV].

    Raises
    ------
    ConfigError
        If a width is not positive, or no mass is left.
    """
    units = np.unique(np.asarray(WIDTHS if widths is None else widths, dtype=float))
    if not len(units) or not np.isfinite(units).all() or units[0] <= 0:
        raise ConfigError("the widths of the signal must be positive numbers, in units of the bin width.")
    middle, size = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    wanted = used.copy()
    wanted[[0, -1]] = False
    if scan_range is not None:
        wanted &= (middle >= scan_range[0]) & (middle <= scan_range[1])
    if not wanted.any():
        raise ConfigError("no mass is left to scan.", remedy="Widen the range of the scan, or blind less.")
    masses, local = middle[wanted], size[wanted]
    sigma = local[:, None] * units
    grid = np.repeat(masses, len(units))
    templates = gaussian_template(edges, grid, sigma.ravel())
    reach = np.maximum(_REACH * sigma, 0.5 * local[:, None]).ravel()[:, None]
    inside = (np.abs(middle - grid[:, None]) <= reach) & used
    return Windows(masses, sigma, templates, inside)

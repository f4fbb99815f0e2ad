"""Smooth functions for spectra without a signal, as matrices: one row per bin, one column per parameter.

Three of the four families are log-linear: the logarithm of the density is a sum of known functions of the mass,
each times a parameter.  Then the likelihood has one maximum only, and Newton's method finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import comb

from cmslabs.errors import ConfigError, close_names

__all__ = ["FAMILIES", "Family", "Shape", "get_families", "make_shape"]

#: Points of the Gauss-Legendre rule for the integral over a bin: exact for polynomials up to degree 9.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)


@dataclass(frozen=True)
class Family:
    """A family of functions with a growing number of parameters.

    Attributes
    ----------
    name, title : str
    link : {"log", "linear"}
        Whether the sum over the columns is the logarithm of the density or the density itself; with a linear
        link no parameter may be negative.
    parameters : tuple of int
        Numbers of parameters that are tried, normalisation included.
    columns : callable
        ``columns(mass, low, high, sqrt_s) -> ndarray, shape (n, max(parameters))``; the first one is constant
        where the link is "log".
    nested : bool
        Whether fewer parameters mean fewer of the same columns.
    """

    name: str
    title: str
    link: str
    parameters: tuple[int, ...]
    columns: Callable[..., np.ndarray]
    nested: bool = True


def _powers(first: np.ndarray, log: np.ndarray, n: int) -> np.ndarray:
    """Columns 1, `first`, log, log^2 ... of a function that falls like a power."""
    return np.column_stack([np.ones_like(log), first, *(log**k for k in range(1, n - 1))])


def _dijet(mass, low, high, sqrt_s, n):
    x = mass / sqrt_s
    return _powers(np.log1p(-x), np.log(x), n)


def _power(mass, low, high, sqrt_s, n):
    log = np.log(mass / high)
    return np.column_stack([log**k for k in range(n)])


def _exponential(mass, low, high, sqrt_s, n):
    t = (2 * mass - low - high) / (high - low)
    return np.column_stack([t**k for k in range(n)])


def _bernstein(mass, low, high, sqrt_s, n):
    t, degree = (mass - low) / (high - low), n - 1
    return np.column_stack([comb(degree, k) * t**k * (1 - t) ** (degree - k) for k in range(n)])


#: dijet: CMS, JHEP 05 (2020) 033, doi:10.1007/JHEP05(2020)033.  power: the exponent itself changes slowly, as
#: in diphoton searches, Phys. Rev. D 98 (2018) 092001, doi:10.1103/PhysRevD.98.092001.
FAMILIES: dict[str, Family] = {
    "dijet": Family("dijet", "p0 (1-x)^p1 / x^(p2 + p3 ln x + ...), x = m / sqrt(s)", "log", (3, 4, 5), _dijet),
    "power": Family("power", "p0 m^(p1 + p2 ln m + ...)", "log", (3, 4, 5), _power),
    "exponential": Family("exponential", "exp(polynomial)", "log", (2, 3, 4, 5), _exponential),
    "bernstein": Family("bernstein", "sum of Bernstein polynomials", "linear", (2, 3, 4, 5), _bernstein, nested=False),
}


def get_families(names: str | Sequence[str]) -> list[Family]:
    """Families by name; "auto" gives all.

    Raises
    ------
    ConfigError
        If there is no such family.

    Examples
    --------
    >>> [family.name for family in get_families("power")]
    ['power']
    """
    names = [names] if isinstance(names, str) else list(names)
    if "auto" in names:
        return list(FAMILIES.values())
    for name in names:
        if name not in FAMILIES:
            close = close_names(name, FAMILIES) or list(FAMILIES)
            raise ConfigError(
                f"there is no family of functions '{name}'.", remedy=f"Close names: {', '.join(close)}, or auto."
            )
    if not names:
        raise ConfigError("no family of functions was named.", remedy="Use: auto, or one of " + ", ".join(FAMILIES))
    return [FAMILIES[name] for name in dict.fromkeys(names)]


@dataclass(frozen=True)
class Shape:
    """One family with one number of parameters on the bins of one spectrum.

    Attributes
    ----------
    family : Family
    n_parameters : int
    link : {"log", "linear"}
    columns : ndarray, shape (n_bins, n_parameters)
        With link "log" the expected counts are ``scale * exp(columns @ theta)``, otherwise
        ``scale * (columns @ theta)``.  Orthonormal for "log", so that fits are well conditioned.
    scale : ndarray, shape (n_bins,)
        Width of the bins, corrected for the curvature of the function within each bin (see `curved`).
    """

    family: Family
    n_parameters: int
    columns: np.ndarray
    scale: np.ndarray
    _edges: np.ndarray
    _sqrt_s: float
    _basis: np.ndarray

    @property
    def link(self) -> str:
        """ "log" or "linear"."""
        return self.family.link

    @property
    def name(self) -> str:
        """Family and number of parameters in words."""
        return f"{self.family.name}, {self.n_parameters} parameters"

    def density(self, theta: np.ndarray, mass: np.ndarray) -> np.ndarray:
        """Expected events per GeV at each mass."""
        raw = self.family.columns(
            np.asarray(mass, dtype=float), self._edges[0], self._edges[-1], self._sqrt_s, self.n_parameters
        )
        value = raw @ self._basis @ theta
        return np.exp(value) if self.link == "log" else value

    def curved(self, theta: np.ndarray) -> Shape:
        """The same shape, its scale such that for these parameters a bin's expectation is the exact integral.

        The log-linear form holds at bin centres.  In wide bins of a steep spectrum the integral is larger than
        centre times width by a factor that hardly depends on the parameters: it is computed once, here.
        """
        if self.link == "linear":
            return self
        middle, half = _middles(self._edges)
        points = middle[:, None] + half[:, None] * _NODES
        density = self.density(theta, points.ravel()).reshape(points.shape)
        integral = half * (density @ _WEIGHTS)
        scale = integral / np.exp(self.columns @ theta)
        return Shape(self.family, self.n_parameters, self.columns, scale, self._edges, self._sqrt_s, self._basis)


def make_shape(family: Family, n_parameters: int, edges: np.ndarray, sqrt_s: float) -> Shape:
    """The shape of a family on these bin edges.

    Parameters
    ----------
    family : Family
    n_parameters : int
    edges : ndarray, shape (n_bins + 1,)
        GeV; positive, below `sqrt_s`.
    sqrt_s : float
        Energy of the collisions [GeV]; only the family "dijet" uses it.
    """
    edges = np.asarray(edges, dtype=float)
    middle, half = _middles(edges)
    low, high = edges[0], edges[-1]
    if family.link == "log":
        raw = family.columns(middle, low, high, sqrt_s, n_parameters)
        columns, triangle = np.linalg.qr(raw)
        return Shape(family, n_parameters, columns, 2 * half, edges, sqrt_s, np.linalg.inv(triangle))
    points = (middle[:, None] + half[:, None] * _NODES).ravel()
    values = family.columns(points, low, high, sqrt_s, n_parameters).reshape(len(middle), len(_NODES), -1)
    columns = np.einsum("bkp,k->bp", values, _WEIGHTS) / 2
    return Shape(family, n_parameters, columns, 2 * half, edges, sqrt_s, np.eye(n_parameters))


def _middles(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half width of each bin."""
    return (edges[:-1] + edges[1:]) / 2, np.diff(edges) / 2

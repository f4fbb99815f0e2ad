"""Densities that can be written down, and drawn from: what a flow should find."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import i0e, logsumexp
from scipy.stats import multivariate_normal

__all__ = ["KNOWN", "Known"]


class Known(NamedTuple):
    """How to draw n events with a generator, the exact log density, and a box that holds all but nothing of it."""

    draw: Callable[[int, np.random.Generator], np.ndarray]
    log_density: Callable[[np.ndarray], np.ndarray]
    box: tuple[tuple[float, float], tuple[float, float]]


_NORMAL = multivariate_normal([200.0, 0.5], [[900.0, -1.62], [-1.62, 0.0036]])
_CENTRES, _SHARES, _WIDTHS = np.array([[-3.0, 0.0], [3.0, 2.0], [0.0, -3.0]]), [0.5, 0.3, 0.2], [0.6, 0.9, 0.5]
_RADIUS, _THICKNESS = 3.0, 0.4


def _draw_mixture(n: int, rng: np.random.Generator) -> np.ndarray:
    which = rng.choice(3, n, p=_SHARES)
    return _CENTRES[which] + np.array(_WIDTHS)[which, None] * rng.normal(size=(n, 2))


def _mixture(X: np.ndarray) -> np.ndarray:
    parts = zip(_SHARES, _CENTRES, _WIDTHS, strict=True)
    return logsumexp([np.log(p) + multivariate_normal(c, w**2).logpdf(X) for p, c, w in parts], axis=0)


def _draw_ring(n: int, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi, n)
    return _RADIUS * np.column_stack([np.cos(angle), np.sin(angle)]) + _THICKNESS * rng.normal(size=(n, 2))


def _ring(X: np.ndarray) -> np.ndarray:
    """A Gaussian smeared along a circle: the integral over the angle is a Bessel function."""
    radius, variance = np.hypot(*X.T), _THICKNESS**2
    bessel = np.log(i0e(radius * _RADIUS / variance))
    return bessel - (radius - _RADIUS) ** 2 / (2 * variance) - np.log(2 * np.pi * variance)


KNOWN = {
    "gaussian": Known(
        lambda n, rng: rng.multivariate_normal(_NORMAL.mean, _NORMAL.cov, n),
        _NORMAL.logpdf,
        ((0.0, 400.0), (0.1, 0.9)),
    ),
    "mixture": Known(_draw_mixture, _mixture, ((-8.0, 9.0), (-7.0, 8.0))),
    "ring": Known(_draw_ring, _ring, ((-7.0, 7.0), (-7.0, 7.0))),
}

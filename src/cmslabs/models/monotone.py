"""A smooth, rising curve through given points that can be inverted exactly, with straight lines beyond its ends.

The same rational-quadratic curve as in `cmslabs.models.spline` (J. A. Gregory and R. Delbourgo,
doi:10.1093/imanum/2.2.123), one at a time and in NumPy; its slopes at the points are the weighted geometric means of
those of the chords beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Monotone"]


@dataclass(frozen=True)
class Monotone:
    """The curve.

    Attributes
    ----------
    x, y : ndarray, shape (n_points,)
        Both rising; at least two points.

    Examples
    --------
    >>> curve = Monotone(np.array([0.0, 1.0, 3.0]), np.array([-1.0, 0.0, 1.0]))
    >>> y, log_slope = curve(np.array([-1.0, 1.0, 2.0, 3.0]))
    >>> y.round(3).tolist()
    [-2.0, 0.0, 0.564, 1.0]
    >>> curve.inverse(y).round(12).tolist()
    [-1.0, 1.0, 2.0, 3.0]
    """

    x: np.ndarray
    y: np.ndarray

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and the log of the slope, shape as that of `x`."""
        left, width, bottom, height, slope_0, slope_1 = self._segments(self.x, x)
        mean, t = height / width, np.clip((x - left) / width, 0, 1)
        y = bottom + height * (mean * t**2 + slope_0 * t * (1 - t)) / _below(t, mean, slope_0, slope_1)
        y = np.where(x < self.x[0], self.y[0] + slope_0 * (x - self.x[0]), y)
        y = np.where(x > self.x[-1], self.y[-1] + slope_1 * (x - self.x[-1]), y)
        return y, _log_slope(t, mean, slope_0, slope_1)

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """Where the curve has these values."""
        left, width, bottom, height, slope_0, slope_1 = self._segments(self.y, y)
        mean = height / width
        up = np.clip(y - bottom, 0, height)
        bend = slope_0 + slope_1 - 2 * mean
        a = up * bend + height * (mean - slope_0)
        b = height * slope_0 - up * bend
        c = -mean * up
        t = 2 * c / (-b - np.sqrt(np.maximum(b**2 - 4 * a * c, 0)))
        x = left + width * np.clip(t, 0, 1)
        x = np.where(y < self.y[0], self.x[0] + (y - self.y[0]) / slope_0, x)
        return np.where(y > self.y[-1], self.x[-1] + (y - self.y[-1]) / slope_1, x)

    def slopes(self) -> np.ndarray:
        """At the points, shape (n_points,)."""
        width, chord = np.diff(self.x), np.log(np.diff(self.y) / np.diff(self.x))
        inner = (chord[:-1] * width[1:] + chord[1:] * width[:-1]) / (width[1:] + width[:-1])
        return np.exp(np.concatenate((chord[:1], inner, chord[-1:])))

    def _segments(self, along: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
        """What the segment of each value looks like; beyond the ends, that of the first or last one."""
        at = np.clip(np.searchsorted(along, values, side="right") - 1, 0, len(along) - 2)
        slopes = self.slopes()
        return (
            self.x[at],
            np.diff(self.x)[at],
            self.y[at],
            np.diff(self.y)[at],
            slopes[at],
            slopes[at + 1],
        )


def _below(t: np.ndarray, mean: np.ndarray, slope_0: np.ndarray, slope_1: np.ndarray) -> np.ndarray:
    return mean + (slope_0 + slope_1 - 2 * mean) * t * (1 - t)


def _log_slope(t: np.ndarray, mean: np.ndarray, slope_0: np.ndarray, slope_1: np.ndarray) -> np.ndarray:
    change = slope_1 * t**2 + 2 * mean * t * (1 - t) + slope_0 * (1 - t) ** 2
    return np.log(mean**2 * change) - 2 * np.log(_below(t, mean, slope_0, slope_1))

"""A score that says nothing about the mass: its quantile among events of the same mass.

Minus log p(x given mass) is *not* such a score.  Its mean at a mass is the entropy of the features there, and features
that spread more at high mass are "unusual" there on average.  A flow's distance from the origin of its base space is:
there all masses look alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.common import checked_pair

__all__ = ["MassQuantile"]

#: A quantile of fewer events says little.
_LEAST = 50


@dataclass(frozen=True)
class MassQuantile:
    """Which share of the reference events of the same mass has a lower score.

    It is as flat as its reference is large: with as many reference events as test events, their fluctuations are as
    large as those of the test, and a sharp check of the latter sees them.

    Attributes
    ----------
    centres : ndarray, shape (n_bins,)
        Median mass of the reference events of each bin [GeV].
    scores : tuple of ndarray
        The rising scores of each bin.

    Examples
    --------
    A score that spreads more at high mass, its share above the 90 % quantile there, and the same of the new score:

    >>> rng = np.random.default_rng(0)
    >>> mass = rng.uniform(2000, 4000, 20_000)
    >>> score = mass / 1000 * rng.normal(size=20_000)
    >>> train, test = slice(None, 10_000), slice(10_000, None)
    >>> high = mass[test] > 3500
    >>> round(float(np.mean(score[test][high] > np.quantile(score, 0.9))), 2)
    0.16
    >>> flat = MassQuantile.of(score[train], mass[train])(score[test], mass[test])
    >>> round(float(np.mean(flat[high] > 0.9)), 2)
    0.11
    """

    centres: np.ndarray
    scores: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, scores: Any, mass: Any, n_bins: int = 20) -> MassQuantile:
        """Learn from reference events: background, and not the events that will be judged.

        Parameters
        ----------
        scores, mass : array_like, shape (n_events,)
            Masses in GeV.
        n_bins : int
            Bins with equal numbers of events.

        Raises
        ------
        ConfigError
            If there is no bin.
        DataError
            If the arrays are not finite numbers of the same events, or a bin would hold fewer than 50 of them.
        """
        scores, mass = checked_pair(scores, mass)
        if n_bins < 1:
            raise ConfigError(f"{n_bins} bins are none.")
        if len(scores) // n_bins < _LEAST:
            raise DataError(
                f"{len(scores)} events in {n_bins} bins are too few.", remedy=f"A bin needs {_LEAST} events or more."
            )
        parts = np.array_split(np.argsort(mass, kind="stable"), n_bins)
        centres = np.array([np.median(mass[part]) for part in parts])
        if (np.diff(centres) <= 0).any():
            raise DataError("the mass has too few different values for these bins.", remedy="Use fewer bins.")
        return cls(centres, tuple(np.sort(scores[part]) for part in parts))

    def __call__(self, scores: Any, mass: Any) -> np.ndarray:
        """The decorrelated score, shape (n_events,), from 0 to 1; between two bins it is interpolated.

        Beyond the most unusual reference event of a bin it only keeps the order of the scores: shares smaller than one
        over the events of a bin are not known.

        Raises
        ------
        DataError
            If the arrays are not finite numbers of the same events.
        """
        scores, mass = checked_pair(scores, mass)
        if len(self.centres) == 1:
            return self._quantile(0, scores)
        right = np.clip(np.searchsorted(self.centres, mass), 1, len(self.centres) - 1)
        low, high = self.centres[right - 1], self.centres[right]
        weight = np.clip((mass - low) / (high - low), 0.0, 1.0)
        found = np.zeros(len(scores))
        for position in range(len(self.centres)):
            for neighbour, share in ((right - 1, 1 - weight), (right, weight)):
                here = neighbour == position
                found[here] += share[here] * self._quantile(position, scores[here])
        return found

    def _quantile(self, position: int, scores: np.ndarray) -> np.ndarray:
        rising = self.scores[position]
        n = len(rising)
        below = np.searchsorted(rising, scores, side="left") + np.searchsorted(rising, scores, side="right")
        share = (below / 2 + 0.5) / (n + 1)
        spread = np.subtract(*np.quantile(rising, [0.84, 0.16])) or 1.0
        beyond = np.maximum(scores - rising[-1], 0.0) / spread
        return 1 - (1 - share) / (1 + beyond)

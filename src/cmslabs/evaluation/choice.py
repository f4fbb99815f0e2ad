"""Which function, with how many parameters?  A fixed rule, so that toy experiments can repeat it.

Within a family the F-test decides: a parameter more is accepted while it lowers the deviance by more than chance
would.  Between families the smallest deviance plus twice the number of parameters wins (Akaike's criterion).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cmslabs.errors import ConfigError
from cmslabs.evaluation.families import Family, Shape, make_shape
from cmslabs.evaluation.fits import deviance, fit_background

__all__ = ["Choice", "Ladder", "build_ladders", "choose"]

#: A parameter more must have an F-test p-value below this.
F_TEST_LEVEL = 0.05
#: A family whose criterion is so much worse on the data never wins in a toy, and is not fitted there.
_HOPELESS = 50.0


@dataclass(frozen=True)
class Ladder:
    """One family with a rising number of parameters, on the bins of the data."""

    family: Family
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Choice:
    """The functions chosen for many spectra.

    Attributes
    ----------
    shapes : tuple of Shape
        All that were tried.
    index : ndarray of int, shape (n_spectra,)
        Which of them each spectrum takes.
    background : ndarray, shape (n_spectra, n_bins)
        Its fit, predicted also where bins were left out.
    deviance : ndarray, shape (n_spectra,)
        Of the bins that were used.
    p_value : ndarray, shape (n_spectra,)
        Chi-square probability of that deviance: asymptotic, meant for decisions and not for reports.
    criterion : ndarray, shape (n_ladders, n_spectra)
        Akaike's criterion of each family's best.
    """

    shapes: tuple[Shape, ...]
    index: np.ndarray
    background: np.ndarray
    deviance: np.ndarray
    p_value: np.ndarray
    criterion: np.ndarray


def build_ladders(
    families: Sequence[Family], counts: np.ndarray, edges: np.ndarray, used: np.ndarray, sqrt_s: float
) -> list[Ladder]:
    """Prepare the families for these bins: the correction for curvature within bins comes from the data's own fit.

    Raises
    ------
    ConfigError
        If there are too few bins for every family.
    """
    n_used, filled = int(used.sum()), int(((counts > 0) & used).sum())
    ladders = []
    for family in families:
        shapes = []
        for n in family.parameters:
            # Two bins more than parameters and signal: else nothing is left to test the function with.
            if n + 3 > n_used or n > filled:
                break
            shape = make_shape(family, n, edges, sqrt_s)
            for _ in range(2):
                shape = shape.curved(fit_background(shape, counts, used).theta[0])
            shapes.append(shape)
        if shapes:
            ladders.append(Ladder(family, tuple(shapes)))
    if not ladders:
        raise ConfigError(
            f"{n_used} bins, {filled} of them with events, are too few to fit a smooth background and test it.",
            remedy="Use more bins, a wider range, or a family with fewer parameters (exponential).",
        )
    return ladders


def choose(ladders: Sequence[Ladder], counts: np.ndarray, used: np.ndarray) -> Choice:
    """Apply the rule to many spectra.

    Parameters
    ----------
    ladders : sequence of Ladder
    counts : ndarray, shape (n_spectra, n_bins)
    used : ndarray of bool, shape (n_bins,) or (n_spectra, n_bins)
    """
    counts = np.atleast_2d(counts)
    used = np.broadcast_to(used, counts.shape)
    n_used = used.sum(axis=1)
    every, first = np.arange(len(counts)), 0
    best = []
    for ladder in ladders:
        fits = [fit_background(shape, counts, used).background for shape in ladder.shapes]
        distances = np.array([deviance(counts, fit, used) for fit in fits])
        rung = _f_test(distances, [shape.n_parameters for shape in ladder.shapes], n_used)
        n_parameters = np.array([shape.n_parameters for shape in ladder.shapes])[rung]
        distance = distances[rung, every]
        best.append((distance + 2 * n_parameters, first + rung, np.array(fits)[rung, every], distance, n_parameters))
        first += len(ladder.shapes)
    criterion = np.array([entry[0] for entry in best])
    winner = criterion.argmin(axis=0)

    def pick(position: int) -> np.ndarray:
        return np.array([entry[position] for entry in best])[winner, every]

    freedom = np.maximum(n_used - pick(4), 1)
    shapes = tuple(shape for ladder in ladders for shape in ladder.shapes)
    distance = pick(3)
    return Choice(shapes, pick(1), pick(2), distance, stats.chi2.sf(distance, freedom), criterion)


def _f_test(distances: np.ndarray, n_parameters: Sequence[int], n_used: np.ndarray) -> np.ndarray:
    """How far each spectrum climbs: the first parameter that is not significant ends it."""
    rung = np.zeros(distances.shape[1], dtype=int)
    climbing = np.ones(distances.shape[1], dtype=bool)
    for step in range(1, len(n_parameters)):
        freedom = n_used - n_parameters[step]
        gain = np.maximum(distances[step - 1] - distances[step], 0.0) / (n_parameters[step] - n_parameters[step - 1])
        ratio = gain * freedom / np.maximum(distances[step], 1e-12)
        climbing &= stats.f.sf(ratio, n_parameters[step] - n_parameters[step - 1], freedom) < F_TEST_LEVEL
        rung[climbing] = step
    return rung


def hopeful(ladders: Sequence[Ladder], choice: Choice) -> list[Ladder]:
    """The families that can still win in a toy experiment like the (single) spectrum of `choice`."""
    gap = choice.criterion[:, 0] - choice.criterion[:, 0].min()
    return [ladder for ladder, behind in zip(ladders, gap, strict=True) if behind <= _HOPELESS]

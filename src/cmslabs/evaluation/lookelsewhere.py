"""From the best of many windows to one honest p-value: toy experiments that repeat every choice.

Beyond the reach of the toys stands the asymptotic formula of E. Gross and O. Vitells for fields (mass and width),
"Trial factors for the look elsewhere effect", Eur. Phys. J. C 70 (2010) 525, doi:10.1140/epjc/s10052-010-1470-8, and
O. Vitells, E. Gross, "Estimating the significance of a signal in a multi-dimensional search",
Astropart. Phys. 35 (2011) 230, arXiv:1105.4355.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import optimize, special, stats

from cmslabs.evaluation.scan import Analysis, scan_spectra
from cmslabs.evaluation.significance import p_to_z
from cmslabs.jobs import chunk_seed

__all__ = ["GlobalP", "Toys", "euler_characteristic", "global_p", "run_toys"]

#: Toys with a stronger excess than the data that are wanted: then n_toys is about 100 / p or more.
ENOUGH = 100
_BLOCK = 200
#: The formula is the mean number of regions above a level: for large p-values that is no probability.
_FORMULA_BELOW = 0.05
#: So many toys calibrate the formula where no number of them within reach would do.
FOR_FORMULA = 2000
#: Squared significances at which the excursions of the toys are counted.
LEVELS = np.array([1.0, 2.25, 4.0, 6.25, 9.0])


@dataclass(frozen=True)
class Toys:
    """What the toy experiments gave.

    Attributes
    ----------
    largest : ndarray, shape (n_toys,)
        Largest local significance of each.
    fit_p : ndarray, shape (n_toys,)
        Chi-square probability of each one's own smooth fit.
    excursions : ndarray, shape (len(LEVELS),)
        Mean Euler characteristic of the regions above each of `LEVELS`.
    """

    largest: np.ndarray
    fit_p: np.ndarray
    excursions: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.largest)


def euler_characteristic(above: np.ndarray) -> np.ndarray:
    """Number of islands minus number of holes of a region on a grid, for many regions.

    Parameters
    ----------
    above : ndarray of bool, shape (n, rows, columns)

    Examples
    --------
    >>> import numpy as np
    >>> ring = np.array([[[1, 1, 1], [1, 0, 1], [1, 1, 1]], [[1, 0, 1], [0, 0, 0], [1, 0, 0]]], dtype=bool)
    >>> euler_characteristic(ring).tolist()
    [0, 3]
    """
    points = above.sum(axis=(1, 2))
    along = (above[:, 1:] & above[:, :-1]).sum(axis=(1, 2))
    across = (above[:, :, 1:] & above[:, :, :-1]).sum(axis=(1, 2))
    squares = (above[:, 1:, 1:] & above[:, 1:, :-1] & above[:, :-1, 1:] & above[:, :-1, :-1]).sum(axis=(1, 2))
    return points - along - across + squares


def run_toys(
    analysis: Analysis,
    expected: np.ndarray,
    seed: int,
    max_toys: int,
    stop_above: float | None = None,
    tick: Callable[[int], None] | None = None,
) -> Toys:
    """Draw spectra without a signal and treat each like the data.

    Parameters
    ----------
    analysis : Analysis
    expected : ndarray, shape (n_bins,)
        The background that they are drawn from.
    seed : int
        The first toys do not depend on `max_toys`.
    max_toys : int
    stop_above : float, optional
        Stop as soon as `ENOUGH` toys have an excess of this local significance or more.
    tick : callable, optional
        Called with the number of toys done, after every block.
    """
    largest: list[np.ndarray] = []
    fit_p: list[np.ndarray] = []
    excursions = np.zeros(len(LEVELS))
    done = exceeding = block = 0
    if stop_above is not None and _out_of_reach(analysis, stop_above, max_toys):
        max_toys = min(max_toys, FOR_FORMULA)
    while done < max_toys:
        rng = np.random.default_rng(chunk_seed(seed, block))
        # A whole block is always drawn, so that its beginning is the same for every max_toys.
        counts = rng.poisson(expected, size=(_BLOCK, len(expected)))[: max_toys - done]
        scan = scan_spectra(analysis, counts)
        largest.append(scan.largest)
        fit_p.append(scan.choice.p_value)
        field_squared = (scan.z**2).reshape(-1, *analysis.windows.shape)
        excursions += [euler_characteristic(field_squared > level).sum() for level in LEVELS]
        done, block = done + len(counts), block + 1
        if tick is not None:
            tick(done)
        if stop_above is not None:
            exceeding += int((scan.largest >= stop_above).sum())
            if exceeding >= ENOUGH:
                break
    return Toys(np.concatenate(largest), np.concatenate(fit_p), excursions / done)


def _out_of_reach(analysis: Analysis, z: float, max_toys: int) -> bool:
    """Whether even all windows together cannot bring 100 of the toys above `z`."""
    return max_toys * len(analysis.windows.templates) * stats.norm.sf(z) < ENOUGH


@dataclass(frozen=True)
class GlobalP:
    """Probability of an excess like the data's anywhere, in spectra without a signal.

    Attributes
    ----------
    p, error : float
        The error is that of the number of toys; NaN for the formula.  `p` is 0 where it is too small for a float.
    significance : float
        Finite in any case.
    method : {"toys", "gross-vitells"}
    """

    p: float
    error: float
    significance: float
    method: str


def global_p(toys: Toys, z: float) -> GlobalP:
    """Probability of a local significance `z` or more anywhere, in spectra without a signal.

    Toys decide where at least 100 of them reach `z`, so that n_toys >= 100 / p; otherwise the asymptotic formula does,
    in the tail where it holds (below 0.05).  A larger p from fewer toys is still theirs, with a larger error.

    Parameters
    ----------
    toys : Toys
    z : float
        Largest local significance of the data.
    """
    n, above = len(toys), int((toys.largest >= z).sum())
    log_p = min(log_gross_vitells(toys, z), 0.0)
    if above >= ENOUGH or log_p > np.log(_FORMULA_BELOW):
        p = (above + 1) / (n + 1)
        # Where every toy exceeds the data, p = 1 is rounded down by half a toy: Z stays finite.
        z_global = p_to_z(min(p, 1 - 0.5 / (n + 1)))
        spread = min(p, 1 - 0.5 / (n + 1))
        return GlobalP(p, float(np.sqrt(spread * (1 - spread) / n)), float(z_global), "toys")
    return GlobalP(float(np.exp(log_p)), float("nan"), float(-special.ndtri_exp(log_p)), "gross-vitells")


def log_gross_vitells(toys: Toys, z: float) -> float:
    """Logarithm of the mean Euler characteristic above `z`, continued from lower levels where toys show it.

    For a one-sided likelihood ratio it is P(chi2 > u) / 2 + (n1 + n2 sqrt(u)) exp(-u / 2) with u = z^2, and it
    approaches the probability from above where that is small.  A fit to all levels gives the ratio of n1 and n2; the
    highest level that 100 regions of the toys reach gives their size, because counts are not quite Gaussian there.
    """
    local = stats.norm.sf(np.sqrt(LEVELS))
    shape = np.exp(-LEVELS / 2)[:, None] * np.column_stack([np.ones_like(LEVELS), np.sqrt(LEVELS)])
    beyond = np.maximum(toys.excursions - local, 0.0)
    coefficients, _ = optimize.nnls(shape, beyond)
    fitted = shape @ coefficients
    seen = np.flatnonzero((toys.excursions * len(toys) >= ENOUGH) & (fitted > 0))
    anchor = seen[-1] if len(seen) else int(fitted.argmax())
    size = beyond[anchor] / fitted[anchor] if fitted[anchor] > 0 else 0.0
    trials = size * float(coefficients @ [1.0, z])
    elsewhere = np.log(trials) - z**2 / 2 if trials > 0 else -np.inf
    return float(np.logaddexp(stats.norm.logsf(z), elsewhere))

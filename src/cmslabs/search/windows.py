"""CWoLa in one mass window after the other, and a bump hunt behind each: a search that ends in one global p-value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.bumphunt import BumpHunt, bump_hunt
from cmslabs.evaluation.significance import p_to_z
from cmslabs.plotting.binned import Spectrum, as_spectrum
from cmslabs.search.estimate import Columns, ControlRegion
from cmslabs.search.folds import FoldedTrees, passing
from cmslabs.search.regions import Regions
from cmslabs.search.sidebands import Cwola
from cmslabs.search.tables import columns_of
from cmslabs.search.weak_supervision import classify

__all__ = ["Window", "WindowScan", "make_mass_windows", "scan_windows"]

#: Fewest events that a sideband must have: fewer teach nothing about the background.
_FEWEST = 100


@dataclass(frozen=True)
class Window:
    """A window and the sidebands that it is compared with [GeV].

    Attributes
    ----------
    low, high : float
    side : float
        Width of each sideband.
    """

    low: float
    high: float
    side: float

    @property
    def within(self) -> tuple[float, float]:
        """From the lower end of the lower sideband to the upper end of the upper one."""
        return self.low - self.side, self.high + self.side


def make_mass_windows(start: float, end: float, share: float = 0.06, step: float = 1.0) -> list[Window]:
    """Windows of plus and minus `share` around centres that lie `step` half-widths apart; sidebands as wide as they.

    Examples
    --------
    >>> [(round(one.low), round(one.high)) for one in make_mass_windows(3000.0, 3400.0)]
    [(2820, 3180), (2989, 3371), (3169, 3573)]
    """
    if not 0 < start <= end or not 0 < share < 0.5 or not step > 0:
        raise ConfigError(f"there are no windows from {start:g} to {end:g} GeV with a share of {share:g}.")
    windows, centre = [], start
    while centre <= end * (1 + 1e-9):
        windows.append(Window(centre * (1 - share), centre * (1 + share), 2 * share * centre))
        # The next centre is one half-width further on.
        centre *= 1 + share * step
    return windows


@dataclass(frozen=True)
class WindowScan:
    """Result of `scan_windows`.

    Attributes
    ----------
    table : DataFrame
        One row per window: ``low``, ``high`` [GeV]; ``selected``, events behind the cut in the whole spectrum;
        ``on`` and ``expected``, those in the window and what the fit beside it expects; ``mass`` [GeV], ``local_z`` and
        ``p`` of the bump hunt there.
    hunts : list of BumpHunt
        Of each window.
    efficiency : float
    """

    table: pd.DataFrame
    hunts: list[BumpHunt] = field(repr=False)
    efficiency: float

    @property
    def best(self) -> int:
        """The window with the smallest p-value."""
        return int(self.table["p"].argmin())

    @property
    def p(self) -> float:
        """Of the smallest of so many p-values: 1 - (1 - p)**n (Z. Šidák, doi:10.1080/01621459.1967.10482935).

        Exact for windows that have nothing to do with each other, and too large for windows that overlap.
        """
        return float(-np.expm1(len(self.table) * np.log1p(-min(self.table["p"].min(), 1 - 1e-15))))

    @property
    def z(self) -> float:
        """Significance of `p`."""
        return float(p_to_z(self.p))


def scan_windows(
    table: pd.DataFrame,
    features: Sequence[str],
    windows: Sequence[Window],
    edges: np.ndarray,
    *,
    mass: str = "mjj",
    efficiency: float = 0.01,
    random_state: int = 0,
    max_toys: int = 500,
    tick: Callable[[int], None] | None = None,
    **trees: Any,
) -> WindowScan:
    """Look for a resonance in each window.

    A classifier learns to tell the window from its sidebands by features that do not know the mass.  It scores *all*
    events, each by trees that have not seen it, and the cut that keeps `efficiency` of the sidebands is applied to the
    whole spectrum.  There the bump hunt of part I looks for a bump in the window: its smooth function is fitted beside
    it, so that neither the classifier nor its cut has to predict a number.

    Parameters
    ----------
    table : DataFrame
    features : sequence of str
    windows : sequence of Window
    edges : ndarray
        Of the spectrum's bins [GeV].
    mass : str
    efficiency : float
        Of the cut, on the sidebands.
    random_state : int
        Also of the toys.
    max_toys : int
        Of each bump hunt.
    tick : callable, optional
        Called with the number of finished windows.
    **trees
        Of `cmslabs.search.folds.FoldedTrees`.

    Raises
    ------
    ConfigError
        If there is no window, or the mass is one of the features.
    DataError
        If a sideband is nearly empty, or too few events pass for a spectrum.
    """
    if not windows:
        raise ConfigError("there is no window to scan.")
    if mass in features:
        raise ConfigError(
            f"'{mass}' is mass and feature at once.",
            remedy="A classifier that sees the mass finds the window, and no signal.",
        )
    if not 0 < efficiency < 1:
        raise ConfigError(f"an efficiency of {efficiency!r} is not possible.")
    rows, hunts = [], []
    for number, window in enumerate(windows):
        passes = select_in_window(table, features, window, mass, efficiency, random_state + number, **trees)
        spectrum = as_spectrum(table.loc[passes, mass].to_numpy(dtype=float), edges)
        hunt = _hunt(spectrum, window, max_toys, random_state + number)
        hunts.append(hunt)
        rows.append(_row(window, spectrum, hunt, int(passes.sum())))
        if tick is not None:
            tick(number + 1)
    return WindowScan(pd.DataFrame(rows), hunts, efficiency)


def select_in_window(
    table: pd.DataFrame,
    features: Sequence[str],
    window: Window,
    mass: str,
    efficiency: float,
    random_state: int,
    **trees: Any,
) -> np.ndarray:
    """Which events of the whole table pass the window's classifier, shape (n_events,).

    Events that the classifier was trained on are scored by the folds that have not seen them.  All others are dealt to
    the folds by lot, so that every event has met one threshold of one fold, and the spectrum has no step where the
    training region ends.
    """
    regions = Regions({mass: (window.low, window.high)}, {mass: window.within})
    inside, beside = regions.in_signal(table), regions.in_control(table)
    for side in (beside & (table[mass] <= window.low), beside & (table[mass] >= window.high)):
        if side.sum() < _FEWEST:
            raise DataError(
                f"{int(side.sum())} events beside {window.low:.0f}-{window.high:.0f} GeV are fewer than {_FEWEST}.",
                remedy="Move the window, or widen its sidebands.",
            )
    columns = Columns(tuple(features), (mass,))
    estimate = Cwola(columns, regions, random_state).fit(ControlRegion(table[beside])).estimate()
    model = classify(table[inside], estimate, features, random_state, **trees)
    fold, score = _everywhere(model, table, features, np.flatnonzero(beside), np.flatnonzero(inside), random_state)
    weights = np.zeros(len(table))
    weights[beside] = model.weights_[model.y_ == 0]
    return passing(score, fold, beside, weights, efficiency, random_state)


def _everywhere(
    model: FoldedTrees, table: pd.DataFrame, features: Sequence[str], beside: np.ndarray, inside: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fold and score of every event of the table."""
    trained = np.concatenate([beside, inside])
    fold, score = np.empty(len(table), dtype=np.int64), np.empty(len(table))
    fold[trained], score[trained] = model.fold_, model.scores_
    others = np.setdiff1d(np.arange(len(table)), trained, assume_unique=True)
    fold[others] = np.random.default_rng([seed, 1]).integers(model.folds, size=len(others))
    X = columns_of(table, features)
    for number in range(model.folds):
        rows = others[fold[others] == number]
        if len(rows):
            score[rows] = model.score_of_fold(X[rows], number)
    return fold, score


def _hunt(spectrum: Spectrum, window: Window, max_toys: int, seed: int) -> BumpHunt:
    return bump_hunt(spectrum, scan_range=(window.low, window.high), max_toys=max_toys, seed=seed)


def _row(window: Window, spectrum: Spectrum, hunt: BumpHunt, selected: int) -> dict[str, float]:
    centres = (spectrum.edges[:-1] + spectrum.edges[1:]) / 2
    bins = (centres > window.low) & (centres < window.high)
    return {
        "low": window.low,
        "high": window.high,
        "selected": selected,
        "on": int(spectrum.counts[bins].sum()),
        "expected": float(hunt.background[bins].sum()),
        "mass": hunt.mass,
        "local_z": hunt.local_significance,
        "p": hunt.global_p,
    }

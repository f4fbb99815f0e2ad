"""Backgrounds of a mass window that need no simulation: the sidebands themselves, or a density learnt there."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError
from cmslabs.search.conditional import ConditionalFlow
from cmslabs.search.estimate import Columns, ControlRegion, Estimate
from cmslabs.search.masses import SidebandSpectrum
from cmslabs.search.regions import Regions

__all__ = ["Cathode", "Cwola"]

#: CATHODE draws so many events for each one that is expected.
OVERSAMPLING = 4


class _Sidebands:
    """What both share: a window in one column, and the smooth spectrum beneath it."""

    name = ""

    def __init__(self, columns: Columns, regions: Regions, random_state: int = 0):
        self.columns, self.regions, self.random_state = columns, regions, random_state
        window = list(regions.signal.items())
        if len(window) != 1 or None in window[0][1]:
            raise ConfigError(f"the method '{self.name}' needs a signal region in one column, with two ends.")
        ((self.mass, self.window),) = window

    def fit(self, control: ControlRegion) -> Self:
        """Learn from the data of the sidebands."""
        self.data_ = control.data
        mass = control.data[self.mass].to_numpy(dtype=float)
        low, high = self.regions.within.get(self.mass, (None, None))
        edges = (mass.min() if low is None else low, mass.max() if high is None else high)
        self.spectrum_ = SidebandSpectrum.of(mass, self.window, edges)
        self._learn(control.data)
        return self

    def _learn(self, data: pd.DataFrame) -> None:
        """Nothing more to learn."""


class Cwola(_Sidebands):
    """The sidebands as they are (CWoLa hunting, arXiv:1902.02634).

    It rests on features that do not know the mass: one that drifts with it tells the regions apart without any signal.
    Both sidebands weigh the same, so that a drift that is straight in the mass nearly cancels in the mean.

    Parameters
    ----------
    columns : Columns
    regions : Regions
        A window in one column, within outer edges.
    random_state : int
    """

    name = "cwola"

    def estimate(self, simulation: pd.DataFrame | None = None) -> Estimate:
        """The events of the sidebands, with the sum that the smooth spectrum expects in the window."""
        low = self.data_[self.mass].to_numpy(dtype=float) <= self.window[0]
        weights = np.where(low, 0.5 / low.sum(), 0.5 / (~low).sum())
        return Estimate(self.data_, weights * self.spectrum_.expected)


class Cathode(_Sidebands):
    """Events that a flow draws at the window's masses (CATHODE, arXiv:2109.00546).

    The flow has learnt the features given the mass in the sidebands; the masses come from the smooth spectrum, so that
    a signal does not draw its own background.

    Parameters
    ----------
    columns, regions, random_state
        As of `Cwola`.
    flow : dict, optional
        Parameters of `cmslabs.search.conditional.ConditionalFlow`.
    """

    name = "cathode"

    def __init__(self, columns: Columns, regions: Regions, random_state: int = 0, flow: dict[str, Any] | None = None):
        super().__init__(columns, regions, random_state)
        self.flow = flow or {}

    def _learn(self, data: pd.DataFrame) -> None:
        flow = ConditionalFlow(self.columns.features, (self.mass,), random_state=self.random_state, **self.flow)
        self.flow_ = flow.fit(data)

    def estimate(self, simulation: pd.DataFrame | None = None) -> Estimate:
        """Drawn events, four for each expected one, with weights that make up for it."""
        n = max(1, round(OVERSAMPLING * self.spectrum_.expected))
        masses = self.spectrum_.draw(n, np.random.default_rng(self.random_state))
        drawn = self.flow_.sample(pd.DataFrame({self.mass: masses}), self.random_state)
        return Estimate(drawn, np.full(n, self.spectrum_.expected / n))

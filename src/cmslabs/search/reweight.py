"""Reweight: simulation, corrected by a classifier that knows features and context."""

from __future__ import annotations

from typing import Any, Self

import pandas as pd

from cmslabs.search.estimate import Columns, ControlRegion, Estimate, bounded_weights
from cmslabs.search.ratio import DensityRatio

__all__ = ["ContextWeights", "Reweight"]


class Reweight:
    """Weights p / (1 - p) of a classifier between data and simulation in the control region, applied beyond it.

    In the control region the weighted simulation looks like the data.  In the signal region it does as far as the
    ratio of the two goes on there as it was (arXiv:2311.12924).

    Parameters
    ----------
    columns : Columns
    random_state : int
    **ratio
        Parameters of `cmslabs.search.ratio.DensityRatio`.

    Attributes
    ----------
    ratio_ : DensityRatio
    scaler_ : FeatureScaler
    """

    name = "reweight"

    def __init__(self, columns: Columns, random_state: int = 0, **ratio: Any):
        self.columns, self.random_state, self.parameters = columns, random_state, ratio

    def seen(self) -> tuple[str, ...]:
        """Columns that the classifier sees."""
        return self.columns.all

    def fit(self, control: ControlRegion) -> Self:
        """Learn the ratio in the control region."""
        simulation = control.needed_simulation(self.name)
        self.scaler_ = self.columns.scaler(simulation, self.seen())
        self.ratio_ = DensityRatio(random_state=self.random_state, **self.parameters)
        self.ratio_.fit(self.scaler_.forward(simulation), self.scaler_.forward(control.data))
        return self

    def estimate(self, simulation: pd.DataFrame) -> Estimate:
        """The signal region's simulation with its weights."""
        log_ratio = self.ratio_.log_ratio(self.scaler_.forward(simulation))
        weights, clipped = bounded_weights(log_ratio, self.ratio_.log_share_)
        return Estimate(simulation, weights, clipped)


class ContextWeights(Reweight):
    """The same with a classifier that knows the context only.

    It puts the simulated events where the data lie, and leaves what they look like there as simulated.  Generate and
    morph need it: they correct the looks, and nothing else.
    """

    name = "context"

    def seen(self) -> tuple[str, ...]:
        """Columns that the classifier sees."""
        return self.columns.context

"""Generate: the look of the data, drawn from a density that knows the context."""

from __future__ import annotations

from typing import Any, Self

import pandas as pd

from cmslabs.search.conditional import ConditionalFlow
from cmslabs.search.estimate import Columns, ControlRegion, Estimate
from cmslabs.search.reweight import ContextWeights

__all__ = ["Generate"]


class Generate:
    """A flow p(features | context) of the control region's data, sampled at the signal region's simulated contexts.

    The contexts themselves come from simulation with context weights.  What the events look like comes from data
    alone, through a density that has to be right where it never saw an event (arXiv:2311.12924).

    Parameters
    ----------
    columns : Columns
    random_state : int
    contexts : ContextWeights, optional
        Already fitted; otherwise `fit` does it.
    flow, ratio : dict, optional
        Parameters of `ConditionalFlow` and `DensityRatio`.

    Attributes
    ----------
    flow_ : ConditionalFlow
    contexts_ : ContextWeights
    """

    name = "generate"

    def __init__(
        self,
        columns: Columns,
        random_state: int = 0,
        contexts: ContextWeights | None = None,
        flow: dict[str, Any] | None = None,
        ratio: dict[str, Any] | None = None,
    ):
        self.columns, self.random_state, self.contexts = columns, random_state, contexts
        self.flow, self.ratio = flow or {}, ratio or {}

    def fit(self, control: ControlRegion) -> Self:
        """Learn density and context weights in the control region."""
        simulation = control.needed_simulation(self.name)
        self.contexts_ = self.contexts or ContextWeights(self.columns, self.random_state, **self.ratio).fit(control)
        self.scale_ = self.columns.scaler(simulation)
        flow = ConditionalFlow(self.columns.features, self.columns.context, random_state=self.random_state, **self.flow)
        self.flow_ = flow.fit(self.scale_.table(control.data))
        return self

    def estimate(self, simulation: pd.DataFrame) -> Estimate:
        """One drawn event for each simulated one of the signal region, with that one's context and weight."""
        weighted = self.contexts_.estimate(simulation)
        drawn = self.flow_.sample(self.scale_.table(simulation), self.random_state)
        table = self.scale_.inverse(drawn[list(self.columns.all)].to_numpy()).set_index(simulation.index)
        # The context is the simulated one to the last digit.
        table[list(self.columns.context)] = simulation[list(self.columns.context)]
        return Estimate(table, weighted.weights, weighted.clipped)

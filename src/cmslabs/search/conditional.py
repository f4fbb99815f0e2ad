"""A density of features given a context, learnt where there is data and asked for where there is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from cmslabs.models.flow import Flow

__all__ = ["FLOW", "ConditionalFlow"]

#: Parameters of every flow of this room, unless the caller says otherwise.
FLOW: dict[str, Any] = {
    "n_layers": 4,
    "widths": (48, 48),
    "bins": 8,
    "coordinates": "quantile",
    "epochs": 25,
    "patience": 5,
    "batch_size": 512,
    "learning_rate": 3e-3,
    "device": "cpu",
    "progress": False,
}


class ConditionalFlow:
    """A spline flow p(features | context) that trains on at most `max_events` and draws at given contexts.

    Parameters
    ----------
    features, context : sequence of str
        Columns.
    max_events : int or None
    random_state : int
    **parameters
        Of `cmslabs.models.flow.Flow`, in place of those of `FLOW`.

    Attributes
    ----------
    flow_ : Flow
        With the weights of its best epoch on held-out events.
    """

    def __init__(
        self,
        features: Sequence[str],
        context: Sequence[str],
        max_events: int | None = 30_000,
        random_state: int = 0,
        **parameters: Any,
    ):
        self.features, self.context = list(features), list(context)
        self.max_events, self.random_state, self.parameters = max_events, random_state, FLOW | parameters

    def fit(self, table: pd.DataFrame) -> Self:
        """Learn from the events of a table with all columns."""
        rows = np.random.default_rng(self.random_state).permutation(len(table))[: self.max_events]
        columns = table[[*self.features, *self.context]].iloc[rows]
        flow = Flow(**self.parameters, context=tuple(self.context), random_state=self.random_state)
        self.flow_ = flow.fit(columns)
        return self

    def sample(self, contexts: pd.DataFrame, random_state: int = 0) -> pd.DataFrame:
        """One event at each context, with its index; columns: features and context."""
        drawn = self.flow_.sample(len(contexts), contexts[self.context].to_numpy(dtype=float), random_state)
        return drawn[[*self.features, *self.context]].set_index(contexts.index)

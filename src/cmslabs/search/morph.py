"""Morph: simulated events, moved until they look like data."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from cmslabs.errors import require
from cmslabs.models.devices import seeded, stream_seed, torch_threads
from cmslabs.models.flow import Flow
from cmslabs.models.flow_network import FlowNetwork
from cmslabs.models.settings import TrainingSettings
from cmslabs.models.training import train
from cmslabs.search.conditional import ConditionalFlow
from cmslabs.search.estimate import Columns, ControlRegion, Estimate
from cmslabs.search.reweight import ContextWeights

torch = require("torch", "torch")

__all__ = ["Morph"]

#: Layers of the second flow.  An odd number: each but the first turns the order of the columns round, and the map from
#: simulation to data should begin near the identity.
_LAYERS = 3


class _Mover(torch.nn.Module):
    """A flow whose base is not a normal distribution but another flow, which is frozen."""

    def __init__(self, move: Any, base: Any):
        super().__init__()
        self.move, self.base = move, base.requires_grad_(False)

    def forward(self, batch: Any) -> Any:
        """Log density of data, shape (n,): of where they come from in the simulation, times the map's Jacobian."""
        x, context = self.move._parts(batch)
        moved, log_slope = self.move.flow._transform(x, context)
        return self.base(torch.cat([moved, context], dim=1)) + log_slope


def _loss(network: Any, batch: Any, generator: Any) -> Any:
    return -network(batch).mean()


class Morph:
    """A flow from simulation to data, given the context; it moves the signal region's simulated events.

    A first flow learns the density of the control region's simulation and is frozen.  A second one is trained so that
    control-region data, taken back through it, have that density.  Then its other direction turns simulated events into
    ones that look like data (T. Golling and others, "Flow-enhanced transportation for anomaly detection",
    arXiv:2212.11285; arXiv:2311.12924).

    Parameters
    ----------
    columns, random_state, contexts, flow, ratio
        As of `cmslabs.search.generate.Generate`.

    Attributes
    ----------
    base_ : ConditionalFlow
        Of the simulation.
    network_ : torch.nn.Module
        The map, with the weights of its best epoch on held-out events.
    history_ : cmslabs.models.training.History
    contexts_ : ContextWeights
    """

    name = "morph"

    def __init__(
        self,
        columns: Columns,
        random_state: int = 0,
        contexts: ContextWeights | None = None,
        flow: Mapping[str, Any] | None = None,
        ratio: Mapping[str, Any] | None = None,
    ):
        self.columns, self.random_state, self.contexts = columns, random_state, contexts
        self.flow, self.ratio = dict(flow or {}), dict(ratio or {})

    def fit(self, control: ControlRegion) -> Self:
        """Learn both flows and the context weights in the control region."""
        simulation = control.needed_simulation(self.name)
        self.contexts_ = self.contexts or ContextWeights(self.columns, self.random_state, **self.ratio).fit(control)
        self.scale_ = self.columns.scaler(simulation)
        base = ConditionalFlow(self.columns.features, self.columns.context, random_state=self.random_state, **self.flow)
        self.base_ = base.fit(self.scale_.table(simulation))
        self._move(self.scale_.table(control.data))
        return self

    def estimate(self, simulation: pd.DataFrame) -> Estimate:
        """The signal region's simulated events, moved, with context weights."""
        weighted = self.contexts_.estimate(simulation)
        table = self.scale_.inverse(self._moved(self.scale_.table(simulation))).set_index(simulation.index)
        table[list(self.columns.context)] = simulation[list(self.columns.context)]
        return Estimate(table, weighted.weights, weighted.clipped)

    def _move(self, data: pd.DataFrame) -> None:
        """Train the second flow."""
        flow: Flow = self.base_.flow_
        rng = np.random.default_rng(self.random_state + 1)
        rows = rng.permutation(len(data))[: self.base_.max_events]
        events = flow._scaled(data[list(self.columns.all)].to_numpy()[rows]).astype(np.float32)
        held_out = round(flow.validation_fraction * len(rows))
        with seeded(stream_seed(self.random_state, "weights")):
            move = FlowNetwork(
                len(self.columns.features),
                len(self.columns.context),
                "autoregressive",
                _LAYERS,
                flow.widths,
                flow.bins,
                flow.tail_bound,
                flow.activation,
                flow.dropout,
            )
        self.network_ = _Mover(move, copy.deepcopy(flow.network_))
        names = ("epochs", "batch_size", "learning_rate", "schedule", "patience", "clip_norm", "device", "progress")
        settings = TrainingSettings(**{name: getattr(flow, name) for name in names})
        parts = events[held_out:], events[:held_out]
        self.history_ = train(self.network_, _loss, *parts, settings, self.random_state)

    def _moved(self, simulation: pd.DataFrame) -> np.ndarray:
        """Simulated events as data, features and context, on the scale of `scale_`."""
        flow: Flow = self.base_.flow_
        values = simulation[list(self.columns.all)].to_numpy()
        scaled = torch.tensor(flow._scaled(values))
        move = copy.deepcopy(self.network_.move).double().eval()
        n = len(self.columns.features)
        with torch.no_grad(), torch_threads(move):
            parts = [move.from_noise(part[:, :n], part[:, n:]).numpy() for part in scaled.split(flow.scoring_rows)]
        return np.column_stack([flow.coordinates_.inverse(np.concatenate(parts)), values[:, n:]])

"""The rivals of `flow.py`: autoregressive spline flows of nflows as its documentation builds them."""

from __future__ import annotations

from typing import Any

import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.transforms import (
    CompositeTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
    ReversePermutation,
)


class PlainNflows(torch.nn.Module):
    """Splines with linear tails between reversals of the columns; nothing of ours is in it.

    Parameters
    ----------
    columns, n_layers, bins : int
    width : int
        Units of each hidden layer.
    residual : bool
        False: two hidden layers, as in ours.  True: nflows' default, two residual blocks of two layers each.
    """

    def __init__(self, columns: int, n_layers: int, width: int, bins: int, tail_bound: float, residual: bool):
        super().__init__()
        layers: list[Any] = []
        for number in range(n_layers):
            if number:
                layers.append(ReversePermutation(columns))
            layers.append(
                MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                    columns,
                    width,
                    num_bins=bins,
                    tails="linear",
                    tail_bound=tail_bound,
                    num_blocks=2 if residual else 1,
                    use_residual_blocks=residual,
                )
            )
        self.flow = Flow(CompositeTransform(layers), StandardNormal([columns]))

    def forward(self, batch: Any) -> Any:
        """Log of the density, shape (n,)."""
        return self.flow.log_prob(batch)

    def from_noise(self, noise: Any) -> Any:
        """The events that lie there."""
        return self.flow._transform.inverse(noise)[0]

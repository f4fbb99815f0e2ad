"""All weights of a network in one vector, so that a step of the optimizer is one operation and not one per layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cmslabs.errors import require

torch = require("torch", "torch")

__all__ = ["FlatWeights"]


class FlatWeights:
    """One vector of weights and one of gradients, of which the network's own are views while it is trained.

    Clipping and Adam work number by number, so the result is the same.  In a small network the calls cost more than
    the arithmetic, and there are many fewer.

    Parameters
    ----------
    weights : sequence of torch.nn.Parameter
        Of one device and type.

    Attributes
    ----------
    vector : torch.nn.Parameter, shape (n_weights,)
        What an optimizer is given.

    Examples
    --------
    >>> network = torch.nn.Linear(2, 1)
    >>> flat = FlatWeights(list(network.parameters()))
    >>> with torch.no_grad():
    ...     _ = flat.vector.fill_(3.0)
    >>> float(network(torch.ones(1, 2)))
    9.0
    """

    def __init__(self, weights: Sequence[Any]):
        self.weights = list(weights)
        self.vector = torch.nn.Parameter(torch.cat([weight.detach().reshape(-1) for weight in self.weights]))
        self.vector.grad = torch.zeros_like(self.vector)
        sizes = [weight.numel() for weight in self.weights]
        parts = zip(self.weights, self.vector.data.split(sizes), self.vector.grad.split(sizes), strict=True)
        for weight, values, gradient in parts:
            weight.data, weight.grad = values.view_as(weight), gradient.view_as(weight)

    def forget_gradient(self) -> None:
        """Gradients are added up: to be called before each backward pass."""
        self.vector.grad.zero_()

    def release(self) -> None:
        """Give each weight memory of its own again."""
        for weight in self.weights:
            weight.data, weight.grad = weight.data.clone(), None

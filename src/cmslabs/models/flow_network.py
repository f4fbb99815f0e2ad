"""The layers of a spline flow, on top of nflows: splines, permutations between them, and a normal distribution.

nflows (C. Durkan et al., doi:10.5281/zenodo.4296287) brings the bookkeeping of transforms, log-determinants and
densities; the splines and the networks that bend them are those of `cmslabs.models.spline` and
`cmslabs.models.conditioner`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cmslabs.errors import ConfigError, close_names, require
from cmslabs.models.conditioner import MaskedConditioner, PlainConditioner
from cmslabs.models.spline import MIN_BIN, n_parameters, rational_quadratic

torch = require("torch", "torch")
distributions, flows = require("nflows.distributions", "torch"), require("nflows.flows", "torch")
transforms = require("nflows.transforms", "torch")
autoregressive = require("nflows.transforms.autoregressive", "torch")
coupling = require("nflows.transforms.coupling", "torch")

__all__ = ["KINDS", "FlowNetwork"]

KINDS = ("autoregressive", "coupling")


class AutoregressiveSplines(autoregressive.AutoregressiveTransform):
    """Every column through a spline that the columns before it decide.

    The density of an event takes one pass; an event is drawn column by column.
    """

    def __init__(self, columns: int, context: int, widths: Sequence[int], bins: int, bound: float, **more: Any):
        super().__init__(MaskedConditioner(columns, context, widths, n_parameters(bins), bound=bound, **more))
        self.bound = bound

    def forward(self, inputs: Any, context: Any = None) -> tuple[Any, Any]:
        """Towards the normal distribution."""
        raw = self.autoregressive_net(inputs, context)
        y, log_slope = rational_quadratic(inputs.T.contiguous(), raw, self.bound)
        return y.T, log_slope.sum(dim=0)

    def inverse(self, inputs: Any, context: Any = None) -> tuple[Any, Any]:
        """Towards the events."""
        outputs, total = torch.zeros_like(inputs), inputs.new_zeros(len(inputs))
        for column in range(inputs.shape[1]):
            raw = self.autoregressive_net.of_column(column, outputs, context)
            y, log_slope = rational_quadratic(inputs[None, :, column], raw, self.bound, inverse=True)
            outputs[:, column] = y[0]
            total = total + log_slope[0]
        return outputs, total


class CouplingSplines(coupling.CouplingTransform):
    """Half of the columns through splines that the other half decides: fast in both directions."""

    def __init__(
        self, moves: Any, context: int, widths: Sequence[int], bins: int, bound: float, activation: str, dropout: float
    ):
        outputs = n_parameters(bins)

        def network(inputs: int, n_raw: int) -> Any:
            return PlainConditioner(inputs, n_raw // outputs, context, widths, outputs, activation, dropout, bound)

        self.bins, self.bound = bins, bound
        super().__init__(moves, network)

    def _transform_dim_multiplier(self) -> int:
        return n_parameters(self.bins)

    def _coupling_transform_forward(self, inputs: Any, transform_params: Any) -> tuple[Any, Any]:
        return self._splines(inputs, transform_params, inverse=False)

    def _coupling_transform_inverse(self, inputs: Any, transform_params: Any) -> tuple[Any, Any]:
        return self._splines(inputs, transform_params, inverse=True)

    def _splines(self, inputs: Any, raw: Any, inverse: bool) -> tuple[Any, Any]:
        y, log_slope = rational_quadratic(inputs.T.contiguous(), raw, self.bound, inverse)
        return y.T, log_slope.sum(dim=0)


class FlowNetwork(torch.nn.Module):
    """A density of some columns, given the others.

    Parameters
    ----------
    columns, context : int
        The first columns of a batch are modelled, the rest is their context.
    kind, n_layers, widths, bins, tail_bound, activation, dropout
        As of `cmslabs.models.flow.Flow`.

    Raises
    ------
    ConfigError
        If such a network cannot be built.
    """

    def __init__(
        self,
        columns: int,
        context: int,
        kind: str,
        n_layers: int,
        widths: Sequence[int],
        bins: int,
        tail_bound: float,
        activation: str,
        dropout: float,
    ):
        super().__init__()
        _check(columns, kind, n_layers, bins, tail_bound)
        self.columns, self.context = columns, context
        more = {"activation": activation, "dropout": float(dropout)}
        layers: list[Any] = []
        for number in range(n_layers):
            if number:
                layers.append(_permutation(columns, kind, number))
            if kind == "autoregressive":
                layers.append(AutoregressiveSplines(columns, context, widths, bins, float(tail_bound), **more))
            else:
                moves = (torch.arange(columns) + number) % 2
                layers.append(CouplingSplines(moves, context, widths, bins, float(tail_bound), **more))
        self.flow = flows.Flow(transforms.CompositeTransform(layers), distributions.StandardNormal([columns]))

    def forward(self, batch: Any) -> Any:
        """Log of the density, shape (n,), for a batch of shape (n, columns + context)."""
        return self.flow.log_prob(*self._parts(batch))

    def to_noise(self, batch: Any) -> Any:
        """Where the events lie in the normal distribution, shape (n, columns)."""
        return self.flow.transform_to_noise(*self._parts(batch))

    def from_noise(self, noise: Any, context: Any = None) -> Any:
        """The events that lie there, shape (n, columns)."""
        return self.flow._transform.inverse(noise, context)[0]

    def _parts(self, batch: Any) -> tuple[Any, Any]:
        return batch[:, : self.columns], batch[:, self.columns :] if self.context else None


def _permutation(columns: int, kind: str, number: int) -> Any:
    """Back to front between autoregressive layers; between pairs of coupling layers at random.

    The two layers of a pair move the two halves of the columns, so that nothing is permuted between them.
    """
    if kind == "autoregressive":
        return transforms.ReversePermutation(columns)
    return transforms.Permutation(torch.arange(columns)) if number % 2 else transforms.RandomPermutation(columns)


def _check(columns: int, kind: str, n_layers: int, bins: int, tail_bound: float) -> None:
    if kind not in KINDS:
        near = close_names(str(kind), KINDS, n=1)
        raise ConfigError(
            f"there is no flow of the kind {kind!r}.",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Use one of {', '.join(KINDS)}.",
        )
    if n_layers != int(n_layers) or n_layers < 1:
        raise ConfigError(f"n_layers must be a whole number from 1 on, not {n_layers!r}.")
    largest = int(0.5 / MIN_BIN)
    if bins != int(bins) or not 2 <= bins <= largest:
        raise ConfigError(f"bins must be a whole number from 2 to {largest}, not {bins!r}.")
    if not 0 < tail_bound < float("inf"):
        raise ConfigError(f"tail_bound must be a positive number, not {tail_bound!r}.", remedy="Try 4.")
    if kind == "coupling" and columns < 2:
        raise ConfigError(
            "a coupling layer moves some columns as others tell it, but there is one column only.",
            remedy="Use kind='autoregressive'.",
        )
    if kind == "coupling" and n_layers < 2:
        raise ConfigError(
            "one coupling layer leaves half of the columns as they are.", remedy="Use n_layers=2 or more."
        )

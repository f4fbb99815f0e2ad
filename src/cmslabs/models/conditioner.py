"""The networks inside a flow: from the columns that a spline may know, and the context, to the spline's parameters.

Two kinds.  `MaskedConditioner` gives the parameters of every column from the columns before it, in one pass (MADE,
M. Germain et al., doi:10.48550/arXiv.1502.03509).  `PlainConditioner` gives those of some columns from other ones.

Both end in parameters of the shape that `cmslabs.models.spline.rational_quadratic` takes, columns first, and both see
their inputs clamped to [-bound, bound]: far outside, the splines are straight lines, and so the parameters of all
other splines should not run away either.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from cmslabs.errors import ConfigError, close_names, require
from cmslabs.models.autoencoder import ACTIVATIONS

torch = require("torch", "torch")
nn = torch.nn

__all__ = ["MaskedConditioner", "PlainConditioner"]

#: The last layer begins so much smaller than usual: nearly the identity.
_CALM = 0.1
#: The masked last layer is cut into so many blocks at most, of at least so many columns.
_BLOCKS, _BLOCK = 4, 8


class MaskedLinear(nn.Linear):
    """A layer in which the unit o sees the unit i if the mask [o, i] is 1."""

    def __init__(self, mask: Any):
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype))

    def forward(self, x: Any) -> Any:
        """As of a linear layer, shape (n, n_out)."""
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


class MaskedConditioner(nn.Module):
    """Parameters of all columns, each from the columns before it and from the context.

    Every unit has a degree: the context 0, the columns 1, 2, ..., a hidden unit one of those between, and it sees
    only degrees up to its own; the parameters of the column d see hidden units of smaller degree.  The hidden units are
    in the order of their degrees, so a block of columns needs only the first of them, and almost half of the largest
    product, the last one, need not be computed.  (In nflows no hidden unit has the degree 0, so that the first column
    never sees the context.)

    Parameters
    ----------
    columns, context : int
        How many there are.
    widths : sequence of int
        Hidden layers.
    outputs : int
        Parameters per column.
    activation, dropout, bound
        As of `cmslabs.models.flow.Flow`.
    """

    def __init__(
        self,
        columns: int,
        context: int,
        widths: Sequence[int],
        outputs: int,
        activation: str,
        dropout: float,
        bound: float,
    ):
        super().__init__()
        self.columns, self.outputs, self.bound = columns, outputs, bound
        degrees = torch.cat((torch.arange(1, columns + 1), torch.zeros(context, dtype=torch.long)))
        first = 1 if context == 0 and columns > 1 else 0
        layers: list[Any] = []
        for width in _checked(widths, activation, dropout):
            wanted = first + torch.arange(width) * (columns - first) // width
            layers += [MaskedLinear(wanted[:, None] >= degrees), ACTIVATIONS[activation]()]
            layers += [nn.Dropout(dropout)] if dropout else []
            degrees = wanted
        self.hidden = nn.Sequential(*layers)
        n_blocks = max(1, min(_BLOCKS, columns // _BLOCK))
        self.ends = [columns * number // n_blocks for number in range(n_blocks + 1)]
        self.last = nn.ModuleList()
        for begin, end in pairwise(self.ends):
            allowed = torch.arange(begin + 1, end + 1)[:, None] > degrees
            # Without hidden layers the inputs are not in order, and all of them may be needed.
            used = int(allowed.any(dim=0).nonzero().max()) + 1 if allowed.any() else 1
            self.last.append(_calm(MaskedLinear(allowed[:, :used].repeat_interleave(outputs, dim=0))))

    def forward(self, x: Any, context: Any = None) -> Any:
        """Raw parameters, shape (columns, outputs, n), for x of shape (n, columns)."""
        hidden = self._hidden(x, context)
        return torch.cat([_columns_first(layer, hidden, layer.mask, self.outputs) for layer in self.last])

    def of_column(self, column: int, x: Any, context: Any = None) -> Any:
        """Those of one column, shape (1, outputs, n); only the columns of x before it matter."""
        hidden = self._hidden(x, context)
        block = next(number for number, end in enumerate(self.ends[1:]) if column < end)
        layer, begin = self.last[block], (column - self.ends[block]) * self.outputs
        rows = slice(begin, begin + self.outputs)
        used = hidden[:, : layer.in_features].T
        raw = torch.addmm(layer.bias[rows, None], layer.weight[rows] * layer.mask[rows], used)
        return raw[None]

    def _hidden(self, x: Any, context: Any) -> Any:
        return self.hidden(_joined(x, context).clamp(-self.bound, self.bound))


class PlainConditioner(nn.Module):
    """Parameters of some columns from other ones and the context: an ordinary network.

    Parameters
    ----------
    inputs, columns : int
        How many columns it sees, without the context, and how many it gives parameters of.
    context, widths, outputs, activation, dropout, bound
        As of `MaskedConditioner`.
    """

    def __init__(
        self,
        inputs: int,
        columns: int,
        context: int,
        widths: Sequence[int],
        outputs: int,
        activation: str,
        dropout: float,
        bound: float,
    ):
        super().__init__()
        self.outputs, self.bound = outputs, bound
        layers: list[Any] = []
        seen = inputs + context
        for width in _checked(widths, activation, dropout):
            layers += [nn.Linear(seen, width), ACTIVATIONS[activation]()]
            layers += [nn.Dropout(dropout)] if dropout else []
            seen = width
        self.hidden = nn.Sequential(*layers)
        self.last = _calm(nn.Linear(seen, columns * outputs))

    def forward(self, x: Any, context: Any = None) -> Any:
        """Raw parameters, shape (columns, outputs, n), for x of shape (n, inputs)."""
        hidden = self.hidden(_joined(x, context).clamp(-self.bound, self.bound))
        return _columns_first(self.last, hidden, None, self.outputs)


def _columns_first(layer: Any, hidden: Any, mask: Any, outputs: int) -> Any:
    """A linear layer whose result has the events last: the product the other way round, and nothing to transpose."""
    weight = layer.weight if mask is None else layer.weight * mask
    raw = torch.addmm(layer.bias[:, None], weight, hidden[:, : layer.in_features].T)
    return raw.view(-1, outputs, len(hidden))


def _joined(x: Any, context: Any) -> Any:
    return x if context is None else torch.cat((x, context), dim=1)


def _calm(layer: Any) -> Any:
    with torch.no_grad():
        layer.weight *= _CALM
        layer.bias.zero_()
    return layer


def _checked(widths: Sequence[int], activation: str, dropout: float) -> list[int]:
    """The widths as numbers, or an error that says what is wrong with these three."""
    if isinstance(widths, str | int) or any(width != int(width) or width < 1 for width in widths):
        raise ConfigError(f"widths={widths!r} are no hidden layers.", remedy="Give whole numbers from 1 on: (64, 64).")
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout must lie in [0, 1), not {dropout!r}.")
    if activation not in ACTIVATIONS:
        near = close_names(str(activation), ACTIVATIONS, n=1)
        raise ConfigError(
            f"there is no activation {activation!r}.",
            remedy=f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(ACTIVATIONS)}.",
        )
    return [int(width) for width in widths]

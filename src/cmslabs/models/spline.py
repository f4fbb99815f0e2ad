"""A rational-quadratic spline for many columns and events at once, written for speed.

The curve is that of C. Durkan et al., *Neural spline flows* (doi:10.48550/arXiv.1906.04032), after J. A. Gregory and
R. Delbourgo (doi:10.1093/imanum/2.2.123): monotone, from (-bound, -bound) to (bound, bound) through knots which a
network chooses, with slope 1 at both ends and beyond.  Both directions have a closed form.

The spline functions of nflows look at all bins of all events in some thirty steps.  Here one step with a backward
pass of its own (`_Bin`) finds the bin that an event lies in; the curve is then computed in that bin alone.
"""

from __future__ import annotations

import math
from typing import Any

from cmslabs.errors import require

torch = require("torch", "torch")
F = torch.nn.functional

__all__ = ["MIN_BIN", "MIN_SLOPE", "n_parameters", "rational_quadratic"]

#: Smallest width and height of a bin, as a share of the whole interval, and smallest slope at a knot.
MIN_BIN = 1e-3
MIN_SLOPE = 1e-3
#: A raw slope of 0 means a slope of 1: with raw parameters that are all 0, the spline is the identity.
_SHIFT = math.log(math.expm1(1 - MIN_SLOPE))


def n_parameters(bins: int) -> int:
    """Raw parameters per column and event: widths and heights of the bins, slopes at the knots between them."""
    return 3 * bins - 1


def rational_quadratic(x: Any, raw: Any, bound: float, inverse: bool = False) -> tuple[Any, Any]:
    """Pass values through their splines.

    Parameters
    ----------
    x : Tensor, shape (n_columns, n_events)
        Outside [-bound, bound] they stay as they are.
    raw : Tensor, shape (n_columns, 3 * bins - 1, n_events)
        Unbounded: logits of the widths, logits of the heights, slopes.  Columns come first, because so the network's
        last product gives them, and steps over bins run through memory in order.
    bound : float
    inverse : bool
        Go back.  The discriminant of the quadratic equation, which rounding can make negative, is clamped at 0.

    Returns
    -------
    y, log_slope : Tensor, shape (n_columns, n_events)
        Values, and the log of the derivative dy/dx.

    Examples
    --------
    >>> x, raw = torch.tensor([[-9.0, -0.5, 2.0]]), torch.zeros(1, 11, 3)
    >>> y, log_slope = rational_quadratic(x, raw, bound=3.0)
    >>> bool(torch.allclose(y, x, atol=1e-6)), bool(torch.allclose(log_slope, torch.zeros(1, 3), atol=1e-6))
    (True, True)
    """
    inside = x.abs() <= bound
    within = x.clamp(-bound, bound)
    left, width, bottom, height, slope_0, slope_1 = _Bin.apply(within.detach(), raw.to(x.dtype), bound, inverse)
    slope_0, slope_1 = (MIN_SLOPE + F.softplus(slope + _SHIFT) for slope in (slope_0, slope_1))
    mean = height / width
    bend = slope_0 + slope_1 - 2 * mean
    if inverse:
        t = _solve(within - bottom, height, mean, slope_0, bend)
    else:
        t = ((within - left) / width).clamp(0, 1)
    u = t * (1 - t)
    below = mean + bend * u
    if inverse:
        y = left + width * t
    else:
        y = bottom + height * (mean * t.square() + slope_0 * u) / below
    change = slope_1 * t.square() + 2 * mean * u + slope_0 * (1 - t).square()
    log_slope = torch.log(mean.square() * change) - 2 * torch.log(below)
    if inverse:
        log_slope = -log_slope
    return torch.where(inside, y, x), torch.where(inside, log_slope, torch.zeros_like(x))


def _solve(up: Any, height: Any, mean: Any, slope_0: Any, bend: Any) -> Any:
    """Where in its bin, from 0 to 1, the spline has risen by `up`: the root that does not cancel."""
    a = up * bend + height * (mean - slope_0)
    b = height * slope_0 - up * bend
    c = -mean * up
    discriminant = (b.square() - 4 * a * c).clamp(min=0)
    return (2 * c / (-b - torch.sqrt(discriminant))).clamp(0, 1)


class _Bin(torch.autograd.Function):
    """Corners, sizes and raw slopes of the bin that each value lies in, with the backward pass in closed form.

    With shares s = softmax(logits), the bin k begins at -bound + 2 bound sum_{j<k} (m + c s_j) and has the width
    2 bound (m + c s_k), where m is `MIN_BIN` and c = 1 - bins m.  So for a loss with derivatives g by the beginning and
    G by the width,

        dL / d logit_i = 2 bound c s_i (g [i < k] + G [i = k] - g sum_{j<k} s_j - G s_k).
    """

    @staticmethod
    def forward(ctx: Any, x: Any, raw: Any, bound: float, inverse: bool) -> tuple[Any, ...]:
        bins = (raw.shape[1] + 1) // 3
        shares = torch.softmax(raw[:, : 2 * bins].unflatten(1, (2, bins)), dim=2)
        scale = 1 - bins * MIN_BIN
        # Which of the inner knots lie to the left, on the axis that is searched.
        ends = torch.cumsum(shares[:, int(inverse), :-1], dim=1).mul_(scale)
        ends += MIN_BIN * torch.arange(1, bins, dtype=x.dtype, device=x.device)[:, None]
        passed = ends.mul_(2 * bound).sub_(bound) <= x[:, None]
        number = passed.sum(dim=1, keepdim=True)
        passed = passed.to(x.dtype)
        share = shares.gather(2, number[:, None].expand(-1, 2, -1, -1)).squeeze(2)
        before = (shares[:, :, :-1] * passed[:, None]).sum(dim=2)
        size = (MIN_BIN + scale * share).mul_(2 * bound)
        start = (MIN_BIN * number.to(x.dtype) + scale * before).mul_(2 * bound).sub_(bound)
        slopes = raw[:, 2 * bins :]
        inner = (number > 0).to(x.dtype), (number < bins - 1).to(x.dtype)
        slope_0 = (slopes.gather(1, (number - 1).clamp(min=0)) * inner[0]).squeeze(1)
        slope_1 = (slopes.gather(1, number.clamp(max=bins - 2)) * inner[1]).squeeze(1)
        ctx.save_for_backward(shares, passed, number, share, before, *inner)
        ctx.factor = 2 * bound * scale
        return start[:, 0], size[:, 0], start[:, 1], size[:, 1], slope_0, slope_1

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, by_left: Any, by_width: Any, by_bottom: Any, by_height: Any, by_0: Any, by_1: Any) -> tuple:
        shares, passed, number, share, before, inner_0, inner_1 = ctx.saved_tensors
        bins = shares.shape[2]
        by_start = torch.stack((by_left, by_bottom), dim=1).mul_(ctx.factor)
        by_size = torch.stack((by_width, by_height), dim=1).mul_(ctx.factor)
        mean = (by_start * before + by_size * share)[:, :, None]
        gradient = shares.new_empty(len(shares), 3 * bins - 1, shares.shape[-1])
        logits = gradient[:, : 2 * bins].unflatten(1, (2, bins))
        logits[:, :, -1:] = -mean
        torch.sub(by_start[:, :, None] * passed[:, None], mean, out=logits[:, :, :-1])
        logits.scatter_add_(2, number[:, None].expand(-1, 2, -1, -1), by_size[:, :, None])
        logits *= shares
        slopes = gradient[:, 2 * bins :].zero_()
        slopes.scatter_add_(1, (number - 1).clamp(min=0), by_0[:, None] * inner_0)
        slopes.scatter_add_(1, number.clamp(max=bins - 2), by_1[:, None] * inner_1)
        return None, gradient, None, None

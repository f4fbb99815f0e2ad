"""The spline: against loops over bins, against nflows, its own backward pass, and inputs that break others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra torch")
nflows_splines = pytest.importorskip("nflows.transforms.splines.rational_quadratic", reason="needs the extra torch")

from cmslabs.models.monotone import Monotone  # noqa: E402
from cmslabs.models.spline import MIN_BIN, MIN_SLOPE, n_parameters, rational_quadratic  # noqa: E402

#: A raw slope of 0 is a slope of 1.
SHIFT = math.log(math.expm1(1 - MIN_SLOPE))


def parameters(seed: int, columns: int = 3, n: int = 40, bins: int = 6, scale: float = 2.0):
    """Values, some of them beyond the bound of 3, and raw parameters."""
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.randn(columns, n, generator=generator, dtype=torch.float64)
    return x, scale * torch.randn(columns, n_parameters(bins), n, generator=generator, dtype=torch.float64)


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def by_hand(x: float, raw: list[float], bound: float) -> tuple[float, float]:
    """Formulas (4) and (5) of the paper, with lists."""
    if abs(x) > bound:
        return x, 0.0
    bins = (len(raw) + 1) // 3
    knots = []
    for logits in (raw[:bins], raw[bins : 2 * bins]):
        positions = [-bound]
        for share in softmax(logits):
            positions.append(positions[-1] + 2 * bound * (MIN_BIN + (1 - bins * MIN_BIN) * share))
        knots.append(positions)
    slopes = [1.0, *(MIN_SLOPE + math.log1p(math.exp(one + SHIFT)) for one in raw[2 * bins :]), 1.0]
    k = max(i for i in range(bins) if knots[0][i] <= x)
    width, height = (positions[k + 1] - positions[k] for positions in knots)
    s, t = height / width, (x - knots[0][k]) / width
    below = s + (slopes[k + 1] + slopes[k] - 2 * s) * t * (1 - t)
    y = knots[1][k] + height * (s * t**2 + slopes[k] * t * (1 - t)) / below
    slope = s**2 * (slopes[k + 1] * t**2 + 2 * s * t * (1 - t) + slopes[k] * (1 - t) ** 2) / below**2
    return y, math.log(slope)


def of_nflows(x, raw, bound, inverse=False):
    """The same by nflows, which wants its bins last and knows no shift."""
    bins = (raw.shape[1] + 1) // 3
    last = raw.transpose(1, 2)
    return nflows_splines.unconstrained_rational_quadratic_spline(
        x, last[..., :bins], last[..., bins : 2 * bins], last[..., 2 * bins :] + SHIFT, inverse, tail_bound=bound
    )


def test_values_and_slopes_are_those_by_hand():
    x, raw = parameters(0)
    y, log_slope = rational_quadratic(x, raw, 3.0)
    for column in range(3):
        for event in range(40):
            expected = by_hand(x[column, event].item(), raw[column, :, event].tolist(), 3.0)
            assert (y[column, event].item(), log_slope[column, event].item()) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("bins", [2, 3, 8])
def test_values_slopes_and_gradients_are_those_of_nflows(inverse, bins):
    x, raw = parameters(bins, bins=bins, n=200)
    found = []
    for spline in (rational_quadratic, of_nflows):
        inputs = x.clone().requires_grad_(True), raw.clone().requires_grad_(True)
        y, log_slope = spline(*inputs, 3.0, inverse=inverse)
        weights = torch.randn(2, *x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        gradients = torch.autograd.grad((weights[0] * y + weights[1] * log_slope).sum(), inputs)
        found.append((y, log_slope, *gradients))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-7)


def test_the_backward_pass_is_that_of_finite_differences():
    x, raw = parameters(7, columns=2, n=4, bins=4, scale=1.0)
    raw.requires_grad_(True)
    for inverse in (False, True):
        assert torch.autograd.gradcheck(
            lambda raw, inverse=inverse: rational_quadratic(x, raw, 3.0, inverse), (raw,), atol=1e-5
        )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.floats(0.0, 3.0), st.floats(0.5, 20.0))
def test_there_and_back(seed, bins, scale, bound):
    x, raw = parameters(seed, bins=bins, scale=scale)
    y, log_slope = rational_quadratic(x, raw, bound)
    back, log_back = rational_quadratic(y, raw, bound, inverse=True)
    torch.testing.assert_close(back, x, rtol=1e-6, atol=1e-6)
    # At a knot the two directions may choose different sides; the slope is the same there.
    torch.testing.assert_close(log_back, -log_slope, rtol=1e-4, atol=1e-4)
    order = torch.argsort(x, dim=1)
    one = raw[:, :, :1].expand_as(raw)
    assert (torch.diff(rational_quadratic(x.gather(1, order), one, bound)[0], dim=1) >= 0).all()


def test_without_parameters_it_is_the_identity_and_beyond_the_bound_always():
    x, raw = parameters(3)
    y, log_slope = rational_quadratic(x, torch.zeros_like(raw), 3.0)
    torch.testing.assert_close(y, x)
    assert log_slope.abs().max() < 1e-12
    y, log_slope = rational_quadratic(x, raw, 3.0)
    outside = x.abs() > 3.0
    assert outside.sum() > 10
    assert torch.equal(y[outside], x[outside])
    assert (log_slope[outside] == 0).all()
    assert (log_slope[~outside] != 0).all()


def near_a_knot(narrow, low):
    """float32 values around a knot at which a steep bin ends flat: the discriminant is nothing but rounding there."""
    raw = torch.zeros(1, n_parameters(8), 4001)
    raw[:, 0], raw[:, 8], raw[:, 16:] = narrow, low, -50.0
    share = torch.softmax(raw[0, 8:16, 0], dim=0)[0].item()
    edge = np.float32(-3 + 6 * (MIN_BIN + (1 - 8 * MIN_BIN) * share))
    return torch.tensor(edge + np.spacing(edge) * np.arange(-2000, 2001, dtype=np.float32))[None], raw


def nflows_asserts(y, raw):
    """Whether nflows gives up on these values."""
    try:
        of_nflows(y, raw - torch.cat((torch.zeros(16), torch.full((7,), SHIFT)))[:, None], 3.0, inverse=True)
    except AssertionError:
        return True
    return False


def test_where_nflows_asserts_this_spline_goes_on():
    """Where that is depends on the processor's rounding: one of thirty steep bins is such a place on any of them."""
    places = [near_a_knot(narrow, low) for narrow in (-7.0, -6.5, -6.0, -5.0, -4.0) for low in range(3, 9)]
    assert any(nflows_asserts(y, raw) for y, raw in places)
    for y, raw in places:
        x, log_slope = rational_quadratic(y, raw, 3.0, inverse=True)
        assert torch.isfinite(x).all()
        assert torch.isfinite(log_slope).all()
        torch.testing.assert_close(rational_quadratic(x, raw, 3.0)[0], y, rtol=0, atol=1e-3)


@pytest.mark.parametrize("inverse", [False, True])
def test_far_out_and_at_the_bound_everything_is_finite(inverse):
    edges = [3.0, -3.0, math.nextafter(3.0, 0), math.nextafter(3.0, 4), 1e30, -1e30, 0.0, 5.0]
    for scale in (0.0, 1.0, 1e2, 1e4):
        for dtype in (torch.float32, torch.float64):
            x = torch.tensor([edges], dtype=dtype).requires_grad_(True)
            raw = (scale * parameters(1, columns=1, n=8)[1]).to(dtype).requires_grad_(True)
            y, log_slope = rational_quadratic(x, raw, 3.0, inverse)
            (y.clamp(-10, 10).sum() + log_slope.sum()).backward()
            for values in (y, log_slope, x.grad, raw.grad):
                assert torch.isfinite(values).all()
            assert torch.equal(y[0, 4:6], x[0, 4:6])


def test_the_curve_of_the_coordinates_is_the_same_one():
    """Two implementations: with slopes as that of the coordinates chooses them, the values agree."""
    x, raw = parameters(11, columns=1, n=300)
    bins = 6
    shares = torch.softmax(raw[0, : 2 * bins, 0].view(2, bins), dim=1)
    knots = -3 + 6 * torch.cat((torch.zeros(2, 1), torch.cumsum(MIN_BIN + (1 - bins * MIN_BIN) * shares, 1)), 1)
    curve = Monotone(*knots.numpy())
    slopes = torch.tensor(curve.slopes())
    raw = raw[:, :, :1].expand(-1, -1, 300).clone()
    raw[0, 2 * bins :] = (torch.log(torch.expm1(slopes[1:-1] - MIN_SLOPE)) - SHIFT)[:, None]
    # The outer bins differ, since the spline's slope is 1 at its ends.
    inner = (x > knots[0, 1]) & (x < knots[0, -2])
    assert inner.sum() > 20
    y, log_slope = (values.numpy()[inner.numpy()] for values in rational_quadratic(x, raw, 3.0))
    expected, log_expected = curve(x.numpy()[inner.numpy()])
    np.testing.assert_allclose(y, expected, atol=1e-6)
    np.testing.assert_allclose(log_slope, log_expected, atol=1e-5)

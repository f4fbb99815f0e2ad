"""The layers of a flow: who may see whom, determinants against autograd, and the way back."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("nflows", reason="needs the extra torch")

from cmslabs.errors import ConfigError  # noqa: E402
from cmslabs.models.conditioner import MaskedConditioner  # noqa: E402
from cmslabs.models.flow_network import KINDS, FlowNetwork  # noqa: E402

SHAPES = [(1, 1), (2, 0), (2, 1), (5, 2), (19, 1)]


def network(columns: int, context: int = 0, kind: str = "autoregressive", seed: int = 0, **more):
    """With weights that bend the splines, in float64."""
    parameters = {"n_layers": 4, "widths": (24, 24), "bins": 6, "tail_bound": 4.0, "activation": "relu", "dropout": 0.0}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = FlowNetwork(columns, context, kind, **(parameters | more)).double()
        for weight in made.parameters():
            weight.data += 0.08 * torch.randn_like(weight)
    return made


def batch(columns: int, context: int = 0, n: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return 1.5 * torch.randn(n, columns + context, generator=generator, dtype=torch.float64)


def jacobians(made, x, by_context: bool = False):
    """d noise / d columns of each event, shape (n, columns, columns or context)."""
    columns = made.columns
    parts = [x[:, :columns], x[:, columns:]]

    def summed(part):
        joined = torch.cat((parts[0], part) if by_context else (part, parts[1]), dim=1)
        return made.to_noise(joined).sum(dim=0)

    return torch.autograd.functional.jacobian(summed, parts[by_context]).transpose(0, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_density_and_way_back(kind, shape):
    columns, context = shape
    if kind == "coupling" and columns == 1:
        return
    made, x = network(columns, context, kind), batch(columns, context)
    noise = made.to_noise(x)
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1).log_prob(noise).sum(dim=1)
    expected = normal + torch.linalg.slogdet(jacobians(made, x)).logabsdet
    torch.testing.assert_close(made(x), expected, rtol=1e-8, atol=1e-6)
    given = x[:, columns:] if context else None
    torch.testing.assert_close(made.from_noise(noise, given), x[:, :columns], rtol=1e-9, atol=1e-9)
    assert (noise - x[:, :columns]).abs().max() > 0.01


@pytest.mark.parametrize("columns", [1, 2, 5, 19])
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("widths", [(), (7,), (24, 24), (3, 5)])
def test_a_column_sees_those_before_it_and_the_context_and_nothing_else(columns, context, widths):
    torch.manual_seed(1)
    made = MaskedConditioner(columns, context, widths, 5, "tanh", 0.0, bound=9.0).double()
    x = batch(columns, context, n=1)

    def raw(values):
        return made(values[:, :columns], values[:, columns:] if context else None)[:, :, 0].sum(dim=1)

    seen = torch.autograd.functional.jacobian(raw, x)[:, 0] != 0
    assert not torch.triu(seen[:, :columns]).any()
    assert seen[:, columns:].all()
    if widths == (24, 24):
        assert torch.equal(seen[:, :columns], torch.ones(columns, columns).tril(-1).bool())
    for column in range(columns):
        alone = made.of_column(column, x[:, :columns], x[:, columns:] if context else None)
        torch.testing.assert_close(alone[0], made(x[:, :columns], x[:, columns:] if context else None)[column])


@pytest.mark.parametrize("kind", KINDS)
def test_all_columns_move_and_see_each_other_and_the_context(kind):
    made, x = network(6, 2, kind, seed=4), batch(6, 2, n=20)
    by_columns, by_context = jacobians(made, x).abs().amax(dim=0), jacobians(made, x, by_context=True).abs().amax(dim=0)
    assert (by_columns > 0).float().mean() > 0.9
    assert (by_context > 0).all()


def test_one_layer_is_triangular():
    found = jacobians(network(5, n_layers=1), batch(5))
    assert (torch.triu(found, 1) == 0).all()
    assert (torch.diagonal(found, dim1=1, dim2=2) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_near_the_identity(kind):
    made = FlowNetwork(6, 0, kind, 4, (32, 32), 8, 4.0, "relu", 0.0)
    x = torch.randn(500, 6, generator=torch.Generator().manual_seed(1))
    normal = torch.distributions.Normal(0, 1).log_prob(x).sum(dim=1)
    assert (made(x) - normal).abs().max() < 0.5


def test_far_out_every_value_is_finite():
    for kind in KINDS:
        made = network(4, 1, kind).float()
        x = batch(4, 1, n=8).float()
        x[:5, :] *= 1e8
        x[5, 1], x[6, 4] = 1e15, -1e15
        noise = made.to_noise(x)
        back = made.from_noise(noise, x[:, 4:])
        assert torch.isfinite(noise).all()
        assert torch.isfinite(made(x)).all()
        assert torch.isfinite(back).all()
        torch.testing.assert_close(back[7:], x[7:, :4], rtol=1e-3, atol=1e-3)
        # The parameters of other columns stop at the bound: twice as far out changes nothing for them.
        twice = x.clone()
        twice[5, 1] *= 2
        change = made.to_noise(twice)[5] - noise[5]
        assert (change != 0).sum() == 1
        assert change.max().item() == pytest.approx(1e15)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kind": "autoregresive"}, "Did you mean 'autoregressive'"),
        ({"kind": "planar"}, "Use one of autoregressive, coupling"),
        ({"n_layers": 0}, "n_layers must be a whole number from 1 on"),
        ({"bins": 1}, "bins must be a whole number from 2 to 500"),
        ({"bins": 501}, "bins must be a whole number from 2 to 500"),
        ({"tail_bound": 0.0}, "tail_bound must be a positive number"),
        ({"kind": "coupling", "n_layers": 1}, "one coupling layer leaves half"),
        ({"kind": "coupling", "columns": 1}, "there is one column only"),
        ({"widths": (0,)}, "are no hidden layers"),
        ({"widths": 64}, "are no hidden layers"),
        ({"activation": "rellu"}, "Did you mean 'relu'"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
        ({"kind": "coupling", "widths": (-3,)}, "are no hidden layers"),
    ],
)
def test_parameters_that_make_no_sense(parameters, message):
    with pytest.raises(ConfigError, match=message):
        network(**({"columns": 3} | parameters))

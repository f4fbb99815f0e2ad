"""Flows against densities that are known exactly: values, integrals, conditions, whole numbers, events drawn.

The stated tolerance: of 4000 new events, the mean of log p - log q is below 0.04 nats (it is the Kullback-Leibler
divergence, so it cannot be negative but by chance), and that of its size below 0.15.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from densities import KNOWN
from scipy.stats import chi2, kstest, norm, poisson, spearmanr

pytest.importorskip("nflows", reason="needs the extra torch")

from cmslabs.models.flow import Flow

QUICK = {
    "n_layers": 2,
    "widths": (32, 32),
    "epochs": 10,
    "batch_size": 400,
    "learning_rate": 1e-2,
    "device": "cpu",
    "progress": False,
    "random_state": 1,
}
#: Density -> what is special about its flow.
FLOWS = {
    "gaussian": {"kind": "coupling", "n_layers": 4},
    "mixture": {"bins": 12},
    "ring": {"coordinates": "quantile"},
}
KL, DISTANCE = 0.04, 0.15


@cache
def fitted(name: str) -> Flow:
    """One flow per density, shared."""
    return Flow(**QUICK | FLOWS[name]).fit(KNOWN[name].draw(8000, np.random.default_rng(1)))


def grid(box, n: int = 240) -> tuple[np.ndarray, float]:
    """Middles of n x n cells, and the area of one."""
    sides = [np.linspace(*side, 2 * n + 1)[1::2] for side in box]
    area = np.prod([(high - low) / n for low, high in box])
    return np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2), area


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_the_density_is_the_exact_one(name):
    X = KNOWN[name].draw(4000, np.random.default_rng(2))
    difference = KNOWN[name].log_density(X) - fitted(name).log_prob(X)
    assert -0.01 < difference.mean() < KL
    assert np.abs(difference).mean() < DISTANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_the_density_has_the_integral_one(name):
    points, area = grid(KNOWN[name].box)
    assert np.exp(KNOWN[name].log_density(points)).sum() * area == pytest.approx(1.0, abs=1e-4)
    assert np.exp(fitted(name).log_prob(points)).sum() * area == pytest.approx(1.0, abs=2e-3)


@pytest.mark.slow
def test_without_the_jacobian_it_would_not():
    """The check can fail: the density in the network's coordinates is none in the units of the table."""
    points, area = grid(KNOWN["gaussian"].box)
    integral = np.exp(fitted("gaussian").log_prob(points, jacobian=False)).sum() * area
    assert integral == pytest.approx(30.0 * 0.06, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_events_are_drawn_from_the_density(name):
    model = fitted(name)
    drawn = model.sample(4000, random_state=3)
    assert np.array_equal(drawn, model.sample(4000, random_state=3))
    assert not np.array_equal(drawn, model.sample(4000, random_state=4))
    # The flow's own noise comes back: an inverse round trip through preprocessing and network.
    noise = np.random.default_rng(3).normal(size=(4000, 2))
    np.testing.assert_allclose(model.latent(drawn), noise, atol=1e-5)
    # By their exact density, drawn and true events look the same.
    true, found = (KNOWN[name].log_density(X) for X in (KNOWN[name].draw(4000, np.random.default_rng(4)), drawn))
    quarters = [0.25, 0.5, 0.75]
    np.testing.assert_allclose(np.quantile(found, quarters), np.quantile(true, quarters), atol=0.15)
    assert model.latent_radius(drawn) == pytest.approx(np.linalg.norm(noise, axis=1), abs=1e-5)


def conditional(n: int, seed: int) -> pd.DataFrame:
    """x is normal, with a mean and a width that depend on c."""
    rng = np.random.default_rng(seed)
    c = rng.uniform(-2, 2, n)
    return pd.DataFrame({"c": c, "x": 100 + 20 * np.sin(2 * c) + (4 + 2 * c) * rng.normal(size=n)})


def exact(table: pd.DataFrame) -> np.ndarray:
    return norm.logpdf(table.x, 100 + 20 * np.sin(2 * table.c), 4 + 2 * table.c)


@pytest.fixture(scope="module")
def given_c() -> Flow:
    table = conditional(8000, 1)
    table = table[table.c > -1.8]
    return Flow(**QUICK, context=("c",)).fit(table)


@pytest.mark.slow
def test_a_conditional_density(given_c):
    table = conditional(4000, 2)
    table = table[table.c > -1.7]
    difference = exact(table) - given_c.log_prob(table)
    assert -0.01 < difference.mean() < 0.05
    x = np.linspace(20, 180, 2001)
    for c in (-1.5, -0.3, 0.4, 1.9):
        density = np.exp(given_c.log_prob(pd.DataFrame({"c": c, "x": x})))
        assert density.sum() * 0.08 == pytest.approx(1.0, abs=2e-3)
        drawn = given_c.sample(1500, context=[c], random_state=5)
        assert drawn.columns.tolist() == ["c", "x"]
        assert (drawn.c == c).all()
        assert kstest(drawn.x, norm(100 + 20 * np.sin(2 * c), 4 + 2 * c).cdf).statistic < 0.2
        # Draws that do not know c are far off.
        assert kstest(table.x, norm(100 + 20 * np.sin(2 * c), 4 + 2 * c).cdf).statistic > 0.3


@pytest.mark.slow
def test_the_radius_does_not_depend_on_the_context_and_the_density_does(given_c):
    table = conditional(4000, 3)
    table = table[table.c > -1.7]
    radius = given_c.latent_radius(table)
    assert kstest(radius**2, chi2(1).cdf).statistic < 0.04
    assert abs(spearmanr(radius, table.c).statistic) < 0.05
    assert spearmanr(given_c.anomaly_score(table), table.c).statistic > 0.3


@pytest.mark.slow
def test_probabilities_of_whole_numbers():
    """Two columns: a width, and a number whose mean depends on it."""
    rng = np.random.default_rng(1)
    width = rng.uniform(0, 1, 8000)
    table = pd.DataFrame({"width": width, "n": rng.poisson(3 + 4 * width)})
    model = Flow(**QUICK, integers=("n",)).fit(table)
    numbers = np.arange(-2, 25)
    for width in (0.2, 0.5, 0.8):
        rows = pd.DataFrame({"width": width, "n": numbers})
        probability = np.exp(model.log_prob(rows))
        # The density of the width is 1 here, so this is the probability of the number.
        assert np.abs(probability - poisson.pmf(numbers, 3 + 4 * width)).max() < 0.035
        assert probability.sum() == pytest.approx(1.0, abs=0.12)
    drawn = model.sample(4000, random_state=2)
    assert (drawn.n == np.floor(drawn.n)).all()
    assert np.corrcoef(drawn.width, drawn.n)[0, 1] == pytest.approx(np.corrcoef(table.width, table.n)[0, 1], abs=0.06)
    # A density of numbers that were not spread would find spikes; these have none.
    assert probability.max() < 0.3

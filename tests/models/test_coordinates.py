"""Coordinates: there and back, Jacobians against differences, edges, ties, and whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.stats import kstest, norm

from cmslabs.errors import ConfigError
from cmslabs.models.base import ModelInputError
from cmslabs.models.coordinates import COORDINATES, Coordinates, cell_points, dequantise, require_integers
from cmslabs.models.monotone import Monotone


def table(n: int = 3000, seed: int = 0) -> np.ndarray:
    """A long tail [GeV], a share that piles up at its edges, a ratio, a column with an atom."""
    rng = np.random.default_rng(seed)
    atom = np.where(rng.random(n) < 0.3, 0.0, rng.exponential(40.0, n))
    return np.column_stack([rng.exponential(150.0, n) + 500, rng.beta(0.3, 0.5, n), rng.normal(0.5, 0.02, n), atom])


@pytest.mark.parametrize("kind", COORDINATES)
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.integers(12, 1000), st.sampled_from([1e-3, 1.0, 1e6]))
def test_there_and_back(kind, seed, n, unit):
    X = unit * table(n, seed)
    found = Coordinates.of(kind, X)
    # Also far outside of what was measured.
    X = np.vstack([X, X.mean(axis=0) + 30 * X.std(axis=0), X.mean(axis=0) - 1e4 * X.std(axis=0)])
    z, log_jacobian = found.forward(X)
    assert np.isfinite(z).all()
    assert np.isfinite(log_jacobian).all()
    np.testing.assert_allclose(found.inverse(z), X, rtol=1e-7, atol=1e-7 * unit)


@pytest.mark.parametrize("kind", COORDINATES)
def test_jacobians_are_those_of_differences(kind):
    X = table()
    found = Coordinates.of(kind, X)
    points = np.vstack([X[:50], X.max(axis=0) + X.std(axis=0), X.min(axis=0) - 2 * X.std(axis=0)])
    step = 1e-6 * X.std(axis=0)
    expected = np.zeros(len(points))
    for column in range(X.shape[1]):
        move = step * (np.arange(X.shape[1]) == column)
        change = (found.forward(points + move)[0] - found.forward(points - move)[0])[:, column]
        expected += np.log(change / (2 * step[column]))
    np.testing.assert_allclose(found.forward(points)[1], expected, atol=2e-3)


@pytest.mark.parametrize("kind", COORDINATES)
def test_a_density_stays_one(kind):
    """The normal density of z, with the Jacobian, has the integral 1 in x; without it, it has not."""
    X = table()[:, :1]
    found = Coordinates.of(kind, X)

    x = found.inverse(np.linspace(-9, 9, 100_001)[:, None])
    z, log_jacobian = found.forward(x)
    log_density = norm.logpdf(z[:, 0])
    assert trapezoid(np.exp(log_density + log_jacobian), x[:, 0]) == pytest.approx(1.0, abs=1e-5)
    assert abs(trapezoid(np.exp(log_density), x[:, 0]) - 1) > 10


def test_quantiles_make_every_column_normal_and_columns_are_standardised():
    X = table(6000)[:, :3]
    z = {kind: Coordinates.of(kind, X).forward(X)[0] for kind in COORDINATES}
    for kind in COORDINATES:
        np.testing.assert_allclose([z[kind].mean(axis=0), z[kind].std(axis=0)], [[0] * 3, [1] * 3], atol=1e-9)
    for column in range(3):
        assert kstest(z["quantile"][:, column], "norm").statistic < 0.02
    assert kstest(z["standard"][:, 0], "norm").statistic > 0.1
    # The logit moves the edges of the share apart.
    assert np.abs(z["logit"][:, 1]).max() > np.abs(z["standard"][:, 1]).max() + 0.2


def test_ties_are_no_trouble():
    X = np.random.default_rng(0).choice([0.0, 1.0, 7.0], p=[0.97, 0.02, 0.01], size=(500, 1))
    mostly_one = np.where(np.arange(500) == 7, 2.0, 1.0)[:, None]
    for values in (X, mostly_one):
        for kind in COORDINATES:
            found = Coordinates.of(kind, values)
            z, log_jacobian = found.forward(values)
            assert np.isfinite(log_jacobian).all()
            np.testing.assert_allclose(found.inverse(z), values, atol=1e-9)


def test_they_can_be_stored():
    X = table()
    for kind in COORDINATES:
        found = Coordinates.of(kind, X)
        again = Coordinates(kind, {name: part.copy() for name, part in found.parts.items()})
        assert all(np.array_equal(a, b) for a, b in zip(again.forward(X), found.forward(X), strict=True))


@pytest.mark.parametrize(("kind", "remedy"), [("quantiles", "Did you mean 'quantile'"), ("?", "Use one of standard,")])
def test_unknown_coordinates_are_refused(kind, remedy):
    with pytest.raises(ConfigError, match=remedy):
        Coordinates.of(kind, table())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(1e-2, 1e2), st.floats(1e-2, 1e2)), min_size=1, max_size=12))
def test_a_curve_rises_through_its_points(steps):
    x, y = np.concatenate([[[-5.0, 2.0]], np.array(steps)]).cumsum(axis=0).T
    curve = Monotone(x, y)
    np.testing.assert_allclose(curve(x)[0], y, rtol=1e-9)
    fine = np.linspace(x[0] - 10, x[-1] + 10, 400)
    values, log_slope = curve(fine)
    assert (np.diff(values) > 0).all()
    assert np.isfinite(log_slope).all()
    np.testing.assert_allclose(curve(curve.inverse(values))[0], values, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.exp(curve(x)[1]), curve.slopes(), rtol=1e-6)


def test_whole_numbers_are_spread_over_their_cells():
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.poisson(3.0, 5000), rng.normal(size=5000), rng.integers(-2, 3, 5000)]).astype(float)
    before = X.copy()
    spread = dequantise(X, [0, 2], np.random.default_rng(5))
    assert np.array_equal(X, before)
    assert np.array_equal(np.floor(spread)[:, [0, 2]], X[:, [0, 2]])
    assert np.array_equal(spread[:, 1], X[:, 1])
    parts = (spread - X)[:, [0, 2]]
    assert all(kstest(part, "uniform").pvalue > 0.01 for part in parts.T)
    assert abs(np.corrcoef(parts.T)[0, 1]) < 0.05
    assert np.array_equal(spread, dequantise(X, [0, 2], np.random.default_rng(5)))
    assert np.array_equal(dequantise(X, [], rng), X)


@pytest.mark.parametrize("columns", [0, 1, 2, 5])
def test_points_of_a_cell_lie_evenly(columns):
    points = cell_points(columns, 8)
    assert points.shape == (8, columns)
    assert (cell_points(columns, 1) == 0.5).all()
    assert np.array_equal(points, cell_points(columns, 8))
    many = cell_points(columns, 64)
    for column in many.T:
        assert np.abs(np.sort(column) - (np.arange(64) + 0.5) / 64).max() < 0.06
    if columns:
        # A product of sines has the mean 0 over the cube.
        assert abs(np.prod(np.sin(2 * np.pi * cell_points(columns, 512)), axis=1).mean()) < 0.01


def test_other_than_whole_numbers_are_refused():
    X = np.array([[1.0, 2.5], [2.0, 3.0]])
    require_integers(X, [0])
    with pytest.raises(ModelInputError, match=r"row 0: column 1 is to hold whole numbers, but one is 2\.5"):
        require_integers(X, [0, 1])
    with pytest.raises(ModelInputError, match="column 'n' is to hold"):
        require_integers(X, [1], ["pt", "n"])

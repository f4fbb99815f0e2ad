"""The redundancy check: planted relations are found and named, and tables without any pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.models.base import ModelInputError
from cmslabs.models.redundancy import Redundancy, find_redundancy

NAMES = ["tau1", "tau2", "eta1", "eta2", "ystar"]


def independent(n: int = 1000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(0.1, 1, (n, 2)), rng.normal(0, 1.2, (n, 3))])


#: Name -> how to make it of the five columns, and what must be said about it.
PLANTED = {
    "twice": (lambda X: X[:, 0], "'twice' follows from 'tau1' (function)"),
    "other units": (lambda X: 1000 * X[:, 2] - 3, "'other units' follows from 'eta1' (function)"),
    "delta eta": (lambda X: X[:, 2] - X[:, 3], "'delta eta' follows from 'eta1' and 'eta2' (sum)"),
    "tau21": (lambda X: X[:, 1] / X[:, 0], "'tau21' follows from 'tau1' and 'tau2' (product or ratio)"),
    "float32": (
        lambda X: X[:, 1].astype(np.float32) / X[:, 0].astype(np.float32),
        "'float32' follows from 'tau1' and 'tau2' (product or ratio)",
    ),
    "root": (lambda X: np.sqrt(X[:, 0] * X[:, 1] ** 3), "'root' follows from 'tau1' and 'tau2' (product or ratio)"),
    "chi": (lambda X: np.exp(2 * np.abs(X[:, 4])), "'chi' follows from 'ystar' (function)"),
    "delta r": (lambda X: np.hypot(X[:, 2], X[:, 3]), "'delta r' follows from 'eta1' and 'eta2' (sum of squares)"),
    "sign": (lambda X: np.tanh(X[:, 2]), "'sign' follows from 'eta1' (function)"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_relations_are_found_and_named(name):
    make, message = PLANTED[name]
    for n in (150, 1000, 30_000):
        X = independent(n)
        found = find_redundancy(np.column_stack([X, make(X)]))
        assert found.describe([*NAMES, name]) == message
        assert found.kept == (0, 1, 2, 3, 4)


def test_several_at_once():
    X = independent()
    X = np.column_stack([X, *(make(X) for make, _ in PLANTED.values())])
    found = find_redundancy(X)
    assert found.kept == (0, 1, 2, 3, 4)
    assert len(found.relations) == len(PLANTED)
    assert find_redundancy(X[:, list(found.kept)]).relations == {}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 8), st.sampled_from([100, 400, 2000]), st.floats(0.0, 0.999))
def test_no_false_alarm(seed, columns, n, correlation):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    X = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * rng.normal(size=(n, columns))
    units = 10.0 ** rng.integers(-3, 4, columns)
    for values in (X * units, np.exp(X / 3) * units, np.rint(3 * X), rng.uniform(size=(n, columns)) ** 4):
        found = find_redundancy(values)
        if len(np.unique(values, axis=1).T) == columns and not np.array_equal(values, np.rint(3 * X)):
            assert found.relations == {}, found.describe()
    # Whole numbers may be the same by chance only if they really are.
    for column, (sources, how) in find_redundancy(np.rint(3 * X)).relations.items():
        assert how in ("sum", "function")
        assert len(sources) == 1
        assert abs(np.corrcoef(np.rint(3 * X)[:, column], np.rint(3 * X)[:, sources[0]])[0, 1]) > 1 - 1e-8


def test_what_nearly_follows_is_no_relation():
    X = independent()
    rng = np.random.default_rng(1)
    for noise in (1e-2, 1e-3):
        near = X[:, 1] / X[:, 0] * (1 + noise * rng.normal(size=len(X)))
        assert find_redundancy(np.column_stack([X, near])).relations == {}
        assert find_redundancy(np.column_stack([X, near]), tolerance=0.1).relations != {}


def test_columns_with_atoms_and_zeros():
    rng = np.random.default_rng(2)
    n = 3000
    absent = rng.random(n) < 0.6
    third, fraction = np.where(absent, 0.0, rng.exponential(50, n)), np.where(absent, 0.0, rng.random(n))
    X = np.column_stack([rng.exponential(300, n), third, fraction, rng.poisson(2, n), rng.normal(size=n)])
    assert find_redundancy(X).relations == {}
    # An atom does not hide a relation either, nor do zeros in a few events.
    X[:40, 0] = 0.0
    extra = np.column_stack([X, np.sqrt(third), X[:, 0] * np.exp(X[:, 4]), np.exp(X[:, 4])])
    found = find_redundancy(extra)
    assert found.relations[5] == ((1,), "function")
    # exp(x) is kept as long as x is not there.
    assert found.relations[7] == ((4,), "function")
    without = find_redundancy(np.delete(extra, 4, axis=1))
    assert without.relations[6] == ((0, 5), "product or ratio")


def test_single_events_far_out_are_no_relation():
    X = independent()
    for row, column in enumerate([0, 2, 4]):
        X[row, column] = 1e9
    assert find_redundancy(X).relations == {}
    heavy = np.random.default_rng(5).standard_cauchy(size=(2000, 4)) ** 3
    assert find_redundancy(heavy).relations == {}
    assert find_redundancy(np.column_stack([X, X[:, 1] / X[:, 0]])).kept == (0, 1, 2, 3, 4)


def test_of_a_column_and_its_function_the_column_is_kept():
    y = np.random.default_rng(0).normal(size=2000)
    found = find_redundancy(np.column_stack([np.exp(2 * np.abs(y)), y]))
    assert found == Redundancy((1,), {0: ((1,), "function")})
    assert found.describe() == "column 0 follows from column 1 (function)"


def test_fixed_columns_are_kept_and_come_first():
    X = independent()
    table = np.column_stack([X[:, 2] + X[:, 3], X[:, 2], X[:, 3]])
    assert find_redundancy(table).kept == (0, 1)
    assert find_redundancy(table, fixed=[2]).relations == {1: ((2, 0), "sum")}
    assert find_redundancy(table, fixed=[1, 2]).kept == (1, 2)
    # Two fixed ones may follow from each other; what is a function of a fixed one may not stay.
    twice = np.column_stack([X[:, 2], 2 * X[:, 2], X[:, 3]])
    assert find_redundancy(twice, fixed=[0, 1]).relations == {}
    even = np.column_stack([X[:, 2], X[:, 2] ** 2])
    assert find_redundancy(even, fixed=[1]).relations == {0: ((1,), "function")}


def test_too_few_events_and_constant_columns_are_refused():
    with pytest.raises(ModelInputError, match="6 events are too few for a density of 5 columns"):
        find_redundancy(independent(6))
    assert find_redundancy(independent(60)).kept == (0, 1, 2, 3, 4)
    with pytest.raises(ModelInputError, match="column 1 is constant"):
        find_redundancy(np.column_stack([independent()[:, 0], np.ones(1000)]))


def test_the_61_observables():
    """Nine of the 17 that are functions of others are found; for the rest the formulas' Jacobian is there."""
    from cmslabs.features.dijet_kinematics import derive
    from cmslabs.features.observables import CATALOGUE, FLOW_CONTEXT, SETS, base_observables

    rng = np.random.default_rng(0)
    rows = {name: CATALOGUE[name] for name in base_observables()}
    base = {name: rng.uniform(max(row.low, -10), min(row.high, 1000), 1500) for name, row in rows.items()}
    values = derive(base, SETS["dijet61"])
    names = list(values)
    found = find_redundancy(np.column_stack(list(values.values())))
    assert {names[i].removesuffix("_j1").removesuffix("_j2") for i in found.relations} == {
        *("mass_over_pt", "tau21", "tau32", "delta_r", "chi", "met_over_sqrt_ht"),
    }
    assert "'delta_r' follows from 'delta_eta' and 'delta_phi' (sum of squares)" in found.describe(names)
    assert "'chi' follows from 'y_star' (function)" in found.describe(names)
    flow = [names.index(name) for name in (*FLOW_CONTEXT, *SETS["dijet_flow"])]
    X = np.column_stack(list(values.values()))[:, flow]
    assert find_redundancy(X, fixed=range(len(FLOW_CONTEXT))).relations == {}

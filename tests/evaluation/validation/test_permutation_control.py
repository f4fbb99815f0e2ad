"""The permutation control: it sees dependence, and where there is none it is as rarely wrong as it promises."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from null_spectra import allowed
from validation_worlds import N_NULLS, background

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.permutation import STATISTICS, permutation_control, shuffle_columns


def largest_column(X, seed):
    """A score of single columns."""
    return lambda events: np.abs(np.asarray(events)).max(axis=1)


def residual(X, seed):
    """A score that learns a direction of small variance: PCA by hand."""
    X = np.asarray(X)
    mean, direction = X.mean(axis=0), np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][-1]
    return lambda events: np.square((np.asarray(events) - mean) @ direction)


def test_independent_columns_are_as_rarely_called_dependent_as_promised():
    alarms = 0
    for seed in range(N_NULLS):
        X = np.random.default_rng(seed).normal(size=(160, 2))
        found = permutation_control(residual, X[:80], X[80:], "mean", n_permutations=39, seed=seed)
        alarms += found.verdict == "dependent"
    low, high = allowed(0.05, N_NULLS)
    assert low <= alarms <= high


@pytest.mark.parametrize("statistic", STATISTICS)
def test_planted_dependence_is_found(statistic):
    """Columns that rise together: the norm of an event varies more than that of three columns of their own."""
    rng = np.random.default_rng(1)
    X = 5 + rng.normal(size=(1200, 1)) + 0.2 * rng.normal(size=(1200, 3))
    square = lambda X, seed: lambda events: np.square(np.asarray(events) - 5).sum(axis=1)  # noqa: E731
    found = permutation_control(residual if statistic == "mean" else square, X[:200], X[200:], statistic)
    assert found.verdict == "dependent"
    assert not found.interval[0] <= found.observed <= found.interval[1]


def test_it_does_not_ask_whether_the_tail_is_real():
    """A planted clump in one column alone is an excess, and passes; correlation without any clump does not."""
    X = background(1000, 1)
    X.loc[:30, "dmj"] = 5.0
    real = permutation_control(largest_column, X[:500], X[500:], "upper tail", n_permutations=39)
    assert real.verdict == "no dependence seen"
    rng = np.random.default_rng(2)
    boring = rng.normal(size=(1000, 1)) + 0.2 * rng.normal(size=(1000, 3))
    dependent = permutation_control(residual, boring[:500], boring[500:], "mean", n_permutations=39)
    assert dependent.verdict == "dependent"
    assert not dependent.alarm


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 5))
def test_shuffling_keeps_every_column(seed, n, k):
    X = np.random.default_rng(seed).integers(0, 9, size=(n, k))
    mixed = shuffle_columns(X, np.random.default_rng(seed))
    assert np.array_equal(np.sort(mixed, axis=0), np.sort(X, axis=0))
    table = pd.DataFrame(X, columns=[f"c{i}" for i in range(k)], index=np.arange(n) + 7)
    again = shuffle_columns(table, np.random.default_rng(seed))
    assert again.index.tolist() == table.index.tolist()
    assert np.array_equal(np.sort(again.to_numpy(), axis=0), np.sort(X, axis=0))


def test_the_score_of_a_unit_does_not_matter():
    scores = np.random.default_rng(1).exponential(size=1000)
    for name in ("upper tail", "skewness"):
        assert STATISTICS[name](3 * scores - 7) == pytest.approx(STATISTICS[name](scores))
        assert STATISTICS[name](np.zeros(50)) == 0


def test_the_result_is_json_and_every_training_is_counted():
    X, told = background(300, 1), []

    def top(scores):
        return float(scores.max())

    found = permutation_control(largest_column, X[:150], X[150:], top, n_permutations=39, tick=told.append)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (content["statistic"], content["n_permutations"], len(content["permuted"])) == ("top", 39, 39)
    assert told == list(range(1, 41))
    assert content["permuted_low"] <= content["permuted_high"]


def test_what_cannot_be_asked_is_refused():
    X = background(100, 1)
    with pytest.raises(ConfigError, match=r"20 repetitions cannot give a p-value below 0\.095"):
        permutation_control(largest_column, X, X, "mean", n_permutations=20)
    with pytest.raises(ConfigError, match="Did you mean 'upper tail'"):
        permutation_control(largest_column, X, X, "uper tail")

    def broken(scores):
        return float("nan")

    with pytest.raises(DataError, match="statistic 'broken' is nan"):
        permutation_control(largest_column, X, X, broken, n_permutations=39)

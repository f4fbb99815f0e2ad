"""Comparisons of methods: nobody is judged on what it has seen, and where nothing is, nothing comes out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cmslabs.errors import DataError
from cmslabs.evaluation.comparison import NOTHING, Method, compare_methods, summarise


@pytest.fixture(scope="module")
def sample():
    """Features with the id as a column, ids, kinds: two signals, one easy and one hard."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(["usual", "easy", "hard"], [4000, 800, 800])
    means = {"usual": 0.0, "easy": 3.0, "hard": 0.5}
    features = pd.DataFrame({"x": [means[kind] for kind in kinds] + rng.normal(size=len(kinds))})
    features["id"] = ids = rng.permutation(len(kinds))
    return features, ids, kinds


def by_x(X, X_val, labels, seed):
    return {"x": lambda events: events["x"].to_numpy(), "minus x": lambda events: -events["x"].to_numpy()}


def test_numbers_of_a_score_that_is_known(sample):
    rows = list(compare_methods({"any": Method(by_x)}, *sample, "usual", seeds=(0, 1, 2)))
    assert [(row["method"], row["seed"]) for row in rows] == [(m, s) for s in (0, 1, 2) for m in ("x", "minus x")]
    for row in rows[::2]:
        found = {signal: values["auc"] for signal, values in row["against"].items()}
        assert list(found) == ["easy", "hard", NOTHING]
        assert found["easy"] == pytest.approx(0.983, abs=0.01)  # Phi(3 / sqrt 2)
        assert found["hard"] == pytest.approx(0.638, abs=0.04)  # Phi(0.5 / sqrt 2)
        assert found[NOTHING] == pytest.approx(0.5, abs=0.06)
        assert row["against"]["easy"]["max_sic"] > 4
    for row, mirrored in zip(rows[::2], rows[1::2], strict=True):
        assert row["against"]["hard"]["auc"] + mirrored["against"]["hard"]["auc"] == pytest.approx(1, abs=2e-4)


def test_no_event_is_on_both_sides(sample):
    calls = []

    def fit(X, X_val, labels, seed):
        seen = set(X["id"]) | set(X_val["id"])
        assert set(X["id"]).isdisjoint(X_val["id"])
        calls.append((seed, len(X), None if labels is None else int(labels.sum())))

        def score(events):
            assert seen.isdisjoint(events["id"])
            return events["x"].to_numpy()

        return {"x": score}

    methods = {"blind": Method(fit), "seeing": Method(fit, supervised=True)}
    features, ids, kinds = sample
    list(compare_methods(methods, features, ids, kinds, "usual", seeds=(4,)))
    # Once without labels; then for each signal and, with labels drawn at random, for nothing.
    assert [labels is None for *_, labels in calls] == [True, False, False, False]
    (_, n, _), (_, easy, n_easy), (_, hard, n_hard), (_, nothing, n_ones) = calls
    assert (easy, hard, nothing) == (n + n_easy, n + n_hard, n)
    assert 350 < n_easy < 450
    assert 0.45 < n_ones / n < 0.55


def test_unsupervised_methods_see_background_only(sample):
    features, ids, kinds = sample
    kind_of = dict(zip(ids.tolist(), kinds, strict=True))

    def fit(X, X_val, labels, seed):
        assert {kind_of[number] for part in (X, X_val) for number in part["id"]} == {"usual"}
        return {"x": lambda events: events["x"].to_numpy()}

    assert len(list(compare_methods({"m": Method(fit)}, features, ids, kinds, "usual", seeds=(0,)))) == 1


def test_summary(sample):
    rows = list(compare_methods({"any": Method(by_x)}, *sample, "usual", seeds=(0, 1, 2)))
    table = summarise(rows)
    assert len(table) == 2 * 3
    assert (table["seeds"] == 3).all()
    assert (table["low"] <= table["median"]).all()
    assert (table["median"] <= table["high"]).all()
    assert (summarise(rows, "max_sic")["low"] >= 1).all()


@pytest.mark.parametrize("background", ["unusual", "usual"])
def test_one_kind_is_no_comparison(sample, background):
    features, ids, kinds = sample
    only = kinds == "usual"
    with pytest.raises(DataError, match="there are no events beside"):
        list(compare_methods({"m": Method(by_x)}, features[only], ids[only], kinds[only], background))

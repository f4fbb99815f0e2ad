"""The stored search of chapter 16: that of its script and of the bundled sample, and consistent in itself."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import stored_result
from cmslabs.evaluation.metrics import auc
from cmslabs.evaluation.splits import split_events
from cmslabs.io import sha256

pytest.importorskip("torch", reason="needs the extra torch")


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("make_flow_search")


@pytest.fixture(scope="module")
def stored():
    return stored_result("flow_search")


@pytest.fixture(scope="module")
def prepared(script):
    return script.prepare(script.CONFIG)


def test_it_belongs_to_its_script_and_sample(script, stored):
    assert stored["script"] == "data_scripts/make_flow_search.py"
    assert stored["config"] == script.CONFIG | {"sample_sha256": sha256(dataset_path(script.SAMPLE))}
    assert stored["simulation"] is True
    assert not stored["commit"].endswith("+changes")


def test_every_method_has_every_seed_and_signal(script, stored):
    methods = {*script.CONFIG["others"], *script.CONFIG["flows"], "flow, radius"}
    methods |= {"flow, quantile coordinates, no Jacobian"}
    rows = stored["numbers"]["rows"]
    assert sorted((row["method"], row["seed"]) for row in rows) == sorted(
        (m, seed) for m in methods for seed in range(5)
    )
    assert {len(row["against"]) for row in rows} == {5}
    assert [search["seed"] for search in stored["numbers"]["searches"]] == list(range(5))


def test_columns_are_nested_and_of_full_rank(script, prepared):
    from cmslabs.features.jacobian import jacobian_rank

    table, features, _ = prepared
    sets = [set(names) for names in script.CONFIG["columns"].values()]
    assert [len(names) for names in sets] == [4, 14, 33, 41]
    assert sets[0] < sets[1] < sets[2]
    names = (*script.CONFIG["columns"]["41"], script.CONFIG["context"])
    assert set(jacobian_rank(table.head(20), names, fractions_sum=True)) == {42}
    assert np.isfinite(features).all(axis=None)


def test_scores_of_the_first_seed_give_its_tails_and_areas(script, stored, prepared):
    table = prepared[0]
    search = stored["numbers"]["searches"][0]
    split = split_events(table["event"], script.CONFIG["fractions"], random_state=0)
    kind = table["process"].to_numpy()[split.test]
    test, validation = (np.array(search["scores"][part].split(), float) / 100 for part in ("test", "validation"))
    assert (len(test), len(validation)) == (len(split.test), search["n_validation"])
    for tail in search["tails"]:
        assert (validation >= tail["threshold"] - 0.01).sum() == pytest.approx(tail["validation"], abs=3)
        for name, count in tail["test"].items():
            assert (test[kind == name] >= tail["threshold"] - 0.005).sum() == pytest.approx(count, abs=3)
    row = next(row for row in stored["numbers"]["rows"] if (row["method"], row["seed"]) == ("flow", 0))
    for name, found in row["against"].items():
        if name in search["n_test"]:
            here = np.isin(kind, ["qcd-dijets", name])
            assert auc(kind[here] == name, test[here]) == pytest.approx(found["auc"], abs=2e-3)


def test_rows_and_a_flow_come_out_again(script, stored):
    """Simple rows exactly; of the flow, that it trains as described (one epoch of the smallest)."""
    config = script.CONFIG | {"seeds": [3], "flow": script.FLOW | {"epochs": 1}}
    found = dict(kind_row for kind_row in _rows(script, config, ("sum of tau21", "flow, 4 columns")))
    old = {row["method"]: row for row in stored["numbers"]["rows"] if row["seed"] == 3}
    for signal, number in found["sum of tau21"]["against"].items():
        assert number["auc"] == pytest.approx(old["sum of tau21"]["against"][signal]["auc"], abs=2e-4)
    assert found["flow, 4 columns"]["against"]["wprime-2prong"]["auc"] > 0.65
    assert abs(found["flow, 4 columns"]["against"]["nothing"]["auc"] - 0.5) < 0.03


def _rows(script, config, titles):
    return ((row["method"], row) for kind, row in script.measure(config, titles) if kind == "rows")

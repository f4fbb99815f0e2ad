"""The stored tables of chapter 15 are those of the script that stands beside them, and of the bundled sample."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import stored_result
from cmslabs.io import sha256

pytest.importorskip("nflows", reason="needs the extra torch")


@pytest.fixture(scope="module")
def script():
    """`data_scripts/make_flow_results.py` as a module."""
    return importlib.import_module("make_flow_results")


def test_the_result_belongs_to_its_script_and_sample(script):
    stored = stored_result("flows")
    assert stored["script"] == "data_scripts/make_flow_results.py"
    assert {key: stored["config"][key] for key in script.CONFIG} == script.CONFIG
    assert stored["config"]["sample_sha256"] == sha256(dataset_path(script.SAMPLE))
    assert stored["simulation"] is True
    assert not stored["commit"].endswith("+changes")


def test_it_can_stand_beside_the_table_of_methods(script):
    methods = importlib.import_module("make_methods_table")
    for key in ("sample", "background", "seeds", "fractions", "min_background"):
        assert script.CONFIG[key] == methods.CONFIG[key]


def test_rows_can_be_measured_again(script):
    stored = stored_result("flows")
    quick = {name: stored["config"]["others"][name] for name in ("norm", "PCA")}
    again = script.measure(stored["config"] | {"others": quick, "flows": {}, "seeds": [3]})
    assert again["densities"] == again["agreement"] == []
    found = {row["method"]: row for row in stored["numbers"]["rows"] if row["seed"] == 3}
    assert len(found) == 19
    for row in again["rows"]:
        for signal, numbers in row["against"].items():
            expected = found[row["method"]]["against"][signal]
            assert numbers["auc"] == pytest.approx(expected["auc"], abs=2e-4)


def test_a_flow_gives_a_row_per_choice_of_coordinates(script):
    config = script.CONFIG | {"flow": script.CONFIG["flow"] | {"n_layers": 1, "widths": [8], "epochs": 1}}
    _, features = script.prepare(config)
    notes: list[dict] = []
    X, X_val = features.iloc[:1500], features.iloc[1500:2000]
    scorers = script.fit_flow(config, "14, polar", notes, X, X_val, None, 0)
    assert list(scorers) == ["14, polar", "14, polar, not converted", "14, polar, no Jacobian"]
    per_gev3, own = (scorers[name](X_val) for name in list(scorers)[:2])
    np.testing.assert_allclose(per_gev3 - own, -script.polar(X_val)[1])
    assert [pair["methods"] for pair in script.agreement(notes)] == [
        [list(scorers)[one], list(scorers)[other]] for one, other in ((0, 1), (0, 2), (1, 2))
    ]


def test_the_jacobian_of_the_polar_columns_is_that_of_small_steps(script):
    _, features = script.prepare(script.CONFIG)
    names, own = script.both("px", "py", "pz"), script.both("pt", "eta", "phi")
    for start in (0, 7):
        row = features[names].iloc[[start]].reset_index(drop=True)
        columns = []
        for name in names:
            up, down = (script.polar(row.assign(**{name: row[name] + step}))[0][own] for step in (0.01, -0.01))
            columns.append((up - down).to_numpy()[0] / 0.02)
        by_steps = np.log(abs(np.linalg.det(np.array(columns))))
        assert script.polar(row)[1][0] == pytest.approx(by_steps, abs=1e-5)

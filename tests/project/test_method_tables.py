"""The stored tables of chapter 14 are those of the scripts that stand beside them, and of the bundled sample."""

from __future__ import annotations

import importlib

import pytest

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import stored_result
from cmslabs.io import sha256

pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("optuna", reason="needs the extra tune")


def script(name: str):
    return importlib.import_module(name)


@pytest.mark.parametrize(("name", "result"), [("make_methods_table", "methods"), ("make_tuning_results", "tuning")])
def test_a_result_belongs_to_its_script_and_sample(name, result):
    module, stored = script(name), stored_result(result)
    assert stored["script"] == f"data_scripts/{name}.py"
    assert {key: stored["config"][key] for key in module.CONFIG} == module.CONFIG
    assert stored["config"]["sample_sha256"] == sha256(dataset_path(module.SAMPLE))
    assert stored["simulation"] is True
    assert not stored["commit"].endswith("+changes")


def test_every_model_of_the_registry_that_takes_a_table_is_in_the_table():
    from cmslabs.models.registry import MODELS

    used = {name for name, _ in script("make_methods_table").CONFIG["methods"].values()}
    assert set(MODELS) - used == {"image-autoencoder", "flow"}


def test_rows_can_be_measured_again():
    module, stored = script("make_methods_table"), stored_result("methods")
    quick = {name: stored["config"]["methods"][name] for name in ("sum of tau21", "PCA")}
    again = module.measure(stored["config"] | {"methods": quick, "seeds": [3]})
    found = {row["method"]: row for row in stored["numbers"]["rows"] if row["seed"] == 3}
    assert len(found) == 14
    for row in again:
        for signal, numbers in row["against"].items():
            expected = found[row["method"]]["against"][signal]
            assert numbers["auc"] == pytest.approx(expected["auc"], abs=2e-4)
            assert numbers["max_sic"] == pytest.approx(expected["max_sic"], abs=2e-2)


def test_candidates_lie_in_the_space_of_the_bundled_study():
    from cmslabs.models.tuning_config import load_tuning

    stored = stored_result("tuning")
    assert stored["config"]["space"] == load_tuning("vae").model_dump(mode="json")
    candidates = stored["numbers"]["candidates"]
    assert len(candidates) == 3 * stored["config"]["trainings"] == 120
    search = stored["config"]["space"]["search"]
    for candidate in candidates:
        assert candidate["widths"] in search["widths"]
        assert search["beta"]["low"] <= candidate["beta"] <= search["beta"]["high"]
        assert search["latent"]["low"] <= candidate["latent"] <= search["latent"]["high"]

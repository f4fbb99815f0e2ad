"""The stored studies of chapter 17 are those of their script and of the bundled sample, and hold what is claimed."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from scipy import stats

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import stored_result
from cmslabs.io import sha256

pytest.importorskip("torch", reason="needs the extra torch")


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("make_validation")


@pytest.fixture(scope="module")
def stored():
    return stored_result("validation")


def test_the_result_belongs_to_its_script_its_sample_and_the_search_of_chapter_16(script, stored):
    assert stored["script"] == "data_scripts/make_validation.py"
    assert {key: stored["config"][key] for key in script.CONFIG} == script.CONFIG
    assert stored["config"]["sample_sha256"] == sha256(dataset_path(script.CONFIG["search"]["sample"]))
    assert stored["simulation"] is True
    assert not stored["commit"].endswith("+changes")
    search = stored_result("flow_search")
    for name in script.SHARED:
        assert stored["config"]["search"][name] == search["config"][name]
    first = search["numbers"]["searches"][0]
    scores = np.array(first["scores"]["test"].split(), dtype=float) / 100
    radius = stored["numbers"]["stability"]["radius"]
    assert len(radius["test"].split()) == len(scores)
    assert len(radius["validation"].split()) == len(first["scores"]["validation"].split())


def test_the_studies_are_as_large_as_they_must_be(stored):
    numbers = stored["numbers"]
    assert numbers["permutation"]["n_permutations"] >= 99
    assert numbers["stability"]["n_trainings"] >= 5
    assert numbers["stability"]["chance"] == pytest.approx(0.01 / 1.99, rel=1e-3)
    assert numbers["ks"]["QCD"]["draws"]["pseudo"] >= 39
    assert {len(p) for p in numbers["rates"]["nulls"].values()} == {400}


def test_every_check_keeps_its_promise_and_catches_its_fault(script, stored):
    rates = stored["numbers"]["rates"]
    for check in ("tails", "ks", "sculpting", "permutation", "hunt"):
        alarms = int(np.sum(np.array(rates["nulls"][check]) <= 0.05))
        # 0.1 % on either side of the binomial distribution.
        assert alarms <= stats.binom.isf(5e-4, 400, 0.05), check
        assert np.mean(np.array(rates["planted"][check]) <= 0.05) > 0.5, check
    assert min(rates["nulls"]["seeds"]) == 1.0
    assert max(rates["planted"]["seeds"]) == 0.0


def test_nulls_and_planted_faults_can_be_made_again(script, stored):
    import validation_rates

    rates, options = stored["numbers"]["rates"], script.CONFIG["rates"]
    again = validation_rates.world(options, 3)
    assert {check: p[3] for check, p in rates["nulls"].items()} == pytest.approx(again, abs=1e-3)
    for check in ("tails", "sculpting", "ks"):
        assert validation_rates.world(options, 10_002, check)[check] == pytest.approx(
            rates["planted"][check][2], rel=1e-3
        )


def test_an_unknown_part_is_refused(script, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["make_validation.py", "--only", "kolmogorov", "--out", str(tmp_path / "x.json")])
    assert script.main() == 2
    assert "no part 'kolmogorov'" in capsys.readouterr().err

"""The stored certificates are those of the script beside them, of the bundled sample, and of every model."""

from __future__ import annotations

import importlib

import pytest
from scipy import stats

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import stored_result
from cmslabs.io import sha256

pytest.importorskip("torch", reason="needs the extra torch")


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("make_certificates")


@pytest.fixture(scope="module")
def stored():
    return stored_result("certificates")


def test_the_result_belongs_to_its_script_and_sample(script, stored):
    assert stored["script"] == "data_scripts/make_certificates.py"
    assert {key: stored["config"][key] for key in script.CONFIG} == script.CONFIG
    assert stored["config"]["sample_sha256"] == sha256(dataset_path(script.SAMPLE))
    assert stored["simulation"] is True
    assert not stored["commit"].endswith("+changes")


def test_every_model_that_takes_a_table_has_one(script, stored):
    from cmslabs.models.registry import MODELS

    used = {name for name, _ in script.CONFIG["models"].values()}
    assert set(MODELS) - used == {"image-autoencoder"}
    assert list(stored["numbers"]["certificates"]) == sorted(script.CONFIG["models"])


def test_every_claim_rests_on_400_nulls_and_has_its_interval(stored):
    for title, found in stored["numbers"]["certificates"].items():
        assert f"# Null certificate: {title}" in found["page"]
        for alarms in found["false_alarms"].values():
            assert alarms["n_nulls"] == 400
            assert alarms["low"] <= alarms["rate"] <= alarms["high"]
        assert set(found["verdicts"]) == {"false alarms", "in sample", "sculpting", "tails", "seeds"}


def test_hunts_behind_a_selection_keep_their_promise_and_uncalibrated_ones_do_not(stored):
    for name, row in stored["numbers"]["hunts"].items():
        assert row["nulls"] == 400
        # 0.1 % on either side of the binomial distribution.
        assert row["alarms_calibrated"] <= stats.binom.isf(5e-4, 400, 0.05), name
    assert stored["numbers"]["hunts"]["turn-on"]["alarms_fit_alone"] > 200


def test_a_certificate_can_be_made_again(script, stored):
    """The norm of the standardised event: honest, but heavy jets come with heavy pairs."""
    again, found = script.certify(stored["config"], "norm"), stored["numbers"]["certificates"]["norm"]
    for name, alarms in again["false_alarms"].items():
        assert alarms["alarms"] == found["false_alarms"][name]["alarms"]
        assert alarms["honest"]
    assert again["verdicts"] == found["verdicts"]
    assert again["verdicts"]["sculpting"] == "sculpted"
    assert again["spearman"] == pytest.approx(found["spearman"], abs=1e-3)


def test_hunts_behind_a_turn_on_need_calibration(script):
    few = script.CONFIG["hunts"] | {"nulls": 5, "n_reference": 50_000}
    rows = script.hunt_nulls({"hunts": few})
    assert rows["turn-on"]["alarms_fit_alone"] >= 4
    assert rows["turn-on"]["alarms_calibrated"] <= 2
    assert rows["flat"]["nulls"] == 5


def test_an_unknown_model_is_refused(script, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["make_certificates.py", "--only", "nrm", "--out", str(tmp_path / "x.json")])
    assert script.main() == 2
    assert "no model 'nrm'" in capsys.readouterr().err

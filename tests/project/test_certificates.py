"""The script of the certificates: every model that takes a table is in it, and what it makes of the norm."""

from __future__ import annotations

import importlib

import pytest

pytest.importorskip("torch", reason="needs the extra torch")


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("make_certificates")


def test_every_model_that_takes_a_table_gets_one(script):
    from cmslabs.models.registry import MODELS

    used = {name for name, _ in script.CONFIG["models"].values()}
    assert set(MODELS) - used == {"image-autoencoder"}
    assert script.CONFIG["hunts"]["nulls"] >= 400


def test_the_certificate_of_the_bundled_background(script):
    """The norm of the standardised event: honest, but heavy jets come with heavy pairs."""
    found = script.certify(script.CONFIG, "norm")
    assert "# Null certificate: norm" in found["page"]
    for alarms in found["false_alarms"].values():
        assert alarms["n_nulls"] == 400
        assert alarms["honest"]
    assert found["verdicts"]["sculpting"] == "sculpted"
    assert found["verdicts"]["seeds"] == "stable"
    assert min(found["spearman"]) > 0.05


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

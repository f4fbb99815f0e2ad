"""`cmslabs tune` as a user types it."""

import json

import pytest

pytest.importorskip("optuna", reason="needs the extra tune")
pytest.importorskip("torch", reason="needs the extra torch")

SMALL = ["--set", "data.max_events=200", "--set", "fixed.epochs=2", "--set", "fixed.patience=null"]


def test_a_study_and_its_continuation(call, tmp_path):
    study = tmp_path / "ae.db"
    status, out, err = call("tune", "autoencoder", "--storage", study, "--trials", "2", *SMALL)
    assert status == 0
    assert out.startswith("study       autoencoder: autoencoder, 2 trials: 2 complete\n")
    assert "objective   smallest loss on background" in out
    assert "parameters  widths=" in out
    assert f"study in {study}" in err
    assert "judge it on events that no trial has seen" in err
    status, out, _ = call("tune", "autoencoder", "--storage", study, "--trials", "3", *SMALL, "--json")
    found = json.loads(out)
    assert status == 0
    assert sum(found["counts"].values()) == 3
    assert [trial["trial"] for trial in found["trials"]] == [0, 1, 2]
    assert found["best"]["value"] == min(trial["value"] for trial in found["trials"] if trial["value"] is not None)
    assert set(found["parameters"]) >= {"latent", "widths", "learning_rate", "random_state"}


def test_the_file_is_named_after_the_study(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("tune", "vae", "--trials", "1", *SMALL, "--set", "search.kl_warmup={low: 0, high: 1}")[0] == 0
    assert (tmp_path / "vae.db").is_file()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("autoencodr",), "there is no tuning 'autoencodr'. Give a YAML file, or one of: autoencoder"),
        (("gone.yaml",), "gone.yaml: there is no such file"),
        (("autoencoder", "--set", "objective=auc"), "objective: "),
        (("autoencoder", "--set", "label=1"), "label: unknown key"),
        (("autoencoder", "--set", "fixed.latnt=1"), "fixed.latnt: "),
        (("vae", "--set", "objective=validation-loss"), "search.beta: "),
        (("autoencoder", "--set", "data.process=qcd"), "has no row of the process 'qcd'"),
        (("autoencoder", "--trials", "0"), "--trials"),
    ],
)
def test_wrong_use(call, tmp_path, arguments, message):
    status, out, err = call("tune", *arguments, "--storage", tmp_path / "x.db")
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "x.db").exists()


def test_help(call):
    status, out, _ = call("tune", "--help")
    assert status == 0
    assert "Example: cmslabs tune autoencoder" in out

"""Studies: the same again, shared, resumed after a kill, pruned, and blind to all truth."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("optuna", reason="needs the extra tune")
pytest.importorskip("torch", reason="needs the extra torch")

from tuning_worlds import Truth, background, study

from cmslabs.errors import CmslabsError, ConfigError, DataError
from cmslabs.evaluation.splits import split_events
from cmslabs.models import tuning_data
from cmslabs.models.registry import make_model
from cmslabs.models.training import TrainingError
from cmslabs.models.tuning import tune
from cmslabs.models.tuning_config import TuningData, bundled_tunings, load_tuning
from cmslabs.models.tuning_data import background_parts, imitate

X, X_VAL = background(300), background(100, seed=1)
PROCESS = Path(__file__).parent / "tuning_process.py"


def table(found) -> list[tuple]:
    """Trials without their times."""
    return [tuple(map(str, row)) for row in found.trials.drop(columns="seconds").to_numpy()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study of eight trials by one process."""
    return tune(study(trials=8), X, X_VAL, tmp_path_factory.mktemp("study") / "whole.db")


def test_the_best_trial_is_a_model(whole):
    assert whole.trials["trial"].tolist() == list(range(8))
    complete = whole.trials[whole.trials["state"] == "complete"]
    assert whole.best["value"] == complete["value"].min()
    assert set(whole.best_parameters) == {"latent", "epochs", "batch_size", "learning_rate", "widths", "random_state"}
    model = make_model("autoencoder", **whole.best_parameters).fit(X, X_val=X_VAL)
    assert model.history_.best_loss == pytest.approx(whole.best["value"], rel=1e-6)


def test_hopeless_trials_are_pruned_and_others_not(whole, tmp_path):
    pruned = whole.trials[whole.trials["state"] == "pruned"]
    assert len(pruned) >= 1
    assert (pruned["epochs"] < 4).all()
    assert pruned["value"].isna().all()
    assert whole.count("complete") + whole.count("pruned") == 8
    # The first trials are what the others are compared with.
    assert (whole.trials["state"][:2] == "complete").all()
    patient = tune(study(trials=8, pruning=None), X, X_VAL, tmp_path / "patient.db")
    assert patient.count("complete") == 8


def test_same_seed_same_trials(whole, tmp_path):
    again = tune(study(trials=8), X, X_VAL, tmp_path / "again.db")
    assert table(again) == table(whole)
    other = tune(study(trials=3, seed=1), X, X_VAL, tmp_path / "other.db")
    assert table(other)[0] != table(whole)[0]


def test_a_study_goes_on_and_is_the_same(whole, tmp_path):
    path = tmp_path / "study.db"
    first = tune(study(trials=3), X, X_VAL, path)
    assert table(first) == table(whole)[:3]
    ticks = []
    second = tune(study(trials=8, name="renamed"), X, X_VAL, path, tick=ticks.append)
    assert len(ticks) == 5
    assert table(second) == table(whole)
    # Nothing is left to do.
    assert table(tune(study(trials=4), X, X_VAL, path)) == table(whole)


def test_proposals_come_from_the_ranges(tmp_path):
    search = {
        "latent": {"low": 1, "high": 2},
        "dropout": {"low": 0.0, "high": 0.5},
        "learning_rate": {"low": 1e-3, "high": 1e-2, "log": True},
        "activation": ["relu", "elu"],
    }
    config = study(search=search, fixed={"epochs": 1, "widths": [4]}, trials=6, pruning=None)
    found = tune(config, X, X_VAL, tmp_path / "study.db").trials
    assert set(found["latent"]) <= {1, 2}
    assert all(isinstance(latent, int) for latent in found["latent"])
    assert all(0 <= dropout <= 0.5 for dropout in found["dropout"])
    assert all(1e-3 <= rate <= 1e-2 for rate in found["learning_rate"])
    assert set(found["activation"]) <= {"relu", "elu"}


@pytest.mark.parametrize("objective", ["shuffled", "shifted"])
def test_imitated_anomalies_decide(objective, tmp_path):
    fixed = {"latent": 2, "epochs": 30, "batch_size": 32}
    search = {"learning_rate": [0.01, 0.02], "widths": [[8], [16]]}
    config = study(objective=objective, fixed=fixed, search=search, trials=3)
    found = tune(config, X, X_VAL, tmp_path / "study.db")
    assert found.best["value"] == found.trials["value"].max() > 0.8


# ---- several processes, and a process that is killed


def start(folder: Path, trials: int, *more: object) -> subprocess.Popen:
    command = [sys.executable, str(PROCESS), str(folder / "study.db"), str(trials), str(folder / "go"), *map(str, more)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_in_the_middle_of_a_trial(whole, tmp_path):
    (tmp_path / "go").touch()
    process = start(tmp_path, 8, 3)
    wait_for((tmp_path / "study.db.here").exists, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # It held an unfinished trial: its lock is there, and the study calls it running.
    assert [path.name for path in (tmp_path / "study.db.locks").iterdir()] == ["3.lock"]
    assert _states(tmp_path / "study.db") == ["COMPLETE", "COMPLETE", whole_state(whole, 2), "RUNNING"]
    resumed = tune(study(trials=8), X, X_VAL, tmp_path / "study.db")
    assert table(resumed) == table(whole)
    assert _states(tmp_path / "study.db").count("FAIL") == 1
    assert not (tmp_path / "study.db.locks").exists()


@pytest.mark.slow
def test_two_processes_share_a_study(tmp_path):
    both = [start(tmp_path, 8), start(tmp_path, 8)]
    for process in both:
        wait_for(lambda: len(list(tmp_path.glob("go.ready-*"))) == 2, process)
    (tmp_path / "go").touch()
    outcomes = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], outcomes
    made = [json.loads(out) for out, _ in outcomes]
    assert sum(made) == 8
    assert min(made) >= 1
    found = tune(study(trials=8), X, X_VAL, tmp_path / "study.db")
    assert found.trials["trial"].tolist() == list(range(8))
    assert len(_states(tmp_path / "study.db")) == 8
    assert found.trials["learning_rate"].nunique() == 8


def _states(path: Path) -> list[str]:
    import optuna

    trials = optuna.load_study(study_name="cmslabs", storage=f"sqlite:///{path}").trials
    return [trial.state.name for trial in trials]


def whole_state(whole, number: int) -> str:
    return {"complete": "COMPLETE", "pruned": "PRUNED"}[whole.trials["state"][number]]


# ---- truth


@pytest.fixture
def secret(tmp_path, monkeypatch):
    """A file of background and signal that was marked: who reads the truth fails."""
    frame = background(2000)
    frame.insert(0, "event", np.arange(2000))
    frame["process"] = np.where(frame["event"] % 4 == 0, "signal", "qcd")
    frame["label"] = [Truth() for _ in range(len(frame))]

    def read(path, columns=None):
        return frame if columns is None else frame[list(columns)]

    monkeypatch.setattr(tuning_data, "read_table", read)
    return frame


def test_the_truth_raises_when_it_is_read(secret):
    with pytest.raises(AssertionError, match="the truth was read"):
        _ = secret["label"] == 1
    with pytest.raises(AssertionError, match="the truth was read"):
        secret["label"].to_numpy().astype(float)


@pytest.mark.parametrize("objective", ["validation-loss", "shuffled", "shifted"])
def test_a_study_reads_no_truth(secret, objective, tmp_path):
    data = TuningData(source="secret.parquet", features=("a", "b", "c"), process="qcd")
    parts = background_parts(data)
    found = tune(study(objective=objective, trials=3), *parts, tmp_path / "study.db")
    assert found.count("complete") >= 2


def test_the_test_part_is_not_used(secret):
    data = TuningData(source="secret.parquet", features=("event", "a"))
    parts = background_parts(data)
    split = split_events(secret["event"])
    used = np.concatenate([part["event"] for part in parts])
    assert set(used) == set(split.train) | set(split.validation)
    assert not set(used) & set(split.test)
    # One process, and the first events only.
    few = background_parts(data.model_copy(update={"process": "qcd", "max_events": 100}))
    ids = np.concatenate([part["event"] for part in few])
    assert len(ids) < 100
    assert not set(ids) & set(split.test)
    assert (ids % 4 != 0).all()


@pytest.mark.parametrize("name", bundled_tunings())
def test_bundled_backgrounds_are_background(name):
    if name == "image-autoencoder":
        pytest.importorskip("numba", reason="needs the extra jets")
    config = load_tuning(name, ["data.max_events=200", "trials=1", "fixed.epochs=1"])
    parts = background_parts(config.data)
    assert config.data.process == "qcd-dijets"
    assert 150 < sum(map(len, parts)) < 200
    assert all(np.isfinite(np.asarray(part)).all() for part in parts)
    assert parts[0].shape[1:] == ((32, 32) if name == "image-autoencoder" else (4,))


def test_a_study_of_images(tmp_path):
    pytest.importorskip("numba", reason="needs the extra jets")
    config = load_tuning("image-autoencoder", ["data.max_events=100", "trials=2", "fixed.epochs=1"])
    config = config.model_copy(update={"search": {**config.search, "widths": ([2, 2, 2], [2, 4, 4])}})
    found = tune(config, *background_parts(config.data), tmp_path / "study.db")
    assert found.count("complete") == 2
    assert 0 <= found.best["value"] <= 1


# ---- anomalies that are made of background


def test_shuffled_events_have_the_same_columns():
    mixed = imitate(X, "shuffled", 3)
    for column in range(3):
        np.testing.assert_array_equal(np.sort(mixed[:, column]), np.sort(X.to_numpy()[:, column]))
    assert abs(np.corrcoef(X["a"], X["b"])[0, 1]) > 0.9
    assert abs(np.corrcoef(mixed[:, 0], mixed[:, 1])[0, 1]) < 0.2
    np.testing.assert_array_equal(mixed, imitate(X, "shuffled", 3))
    assert (mixed != imitate(X, "shuffled", 4)).any()


def test_shifted_events_have_one_strange_number():
    moved = (imitate(X, "shifted", 3) - X.to_numpy()) / X.to_numpy().std(axis=0)
    assert ((np.abs(moved) > 1e-9).sum(axis=1) == 1).all()
    np.testing.assert_allclose(np.abs(moved).max(axis=1), 3)


@pytest.mark.parametrize("side", [8, 9])
def test_shuffled_images_are_put_together_from_quarters(side):
    images = np.arange(6.0)[:, None, None] * np.ones((6, side, side))
    mixed = imitate(images, "shuffled", 1)
    half = side // 2
    quarters = [mixed[:, :half, :half], mixed[:, :half, half:], mixed[:, half:, :half], mixed[:, half:, half:]]
    for quarter in quarters:
        assert (np.ptp(quarter, axis=(1, 2)) == 0).all()
        assert sorted(quarter[:, 0, 0]) == list(range(6))
    assert (np.ptp([quarter[:, 0, 0] for quarter in quarters], axis=0) > 0).any()


def test_the_background_stays_as_it_is():
    before = X.copy()
    imitate(X, "shuffled")
    imitate(X, "shifted")
    pd.testing.assert_frame_equal(X, before)


# ---- what can go wrong


def test_a_training_that_loses_its_numbers_is_a_result(tmp_path, monkeypatch):
    from cmslabs.models.autoencoder import Autoencoder

    fit, calls = Autoencoder.fit, []

    def sometimes(self, *args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise TrainingError("the training loss is not a finite number any more.", where="epoch 1")
        return fit(self, *args, **options)

    monkeypatch.setattr(Autoencoder, "fit", sometimes)
    found = tune(study(trials=3, pruning=None), X, X_VAL, tmp_path / "study.db")
    assert found.trials["state"].tolist() == ["complete", "failed", "complete"]
    assert "not a finite number" in found.trials["reason"][1]
    assert len(calls) == 3


def test_an_interrupted_trial_is_made_again(whole, tmp_path, monkeypatch):
    from cmslabs.models.autoencoder import Autoencoder

    with monkeypatch.context() as patch:
        patch.setattr(Autoencoder, "fit", lambda *args, **options: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tune(study(trials=3), X, X_VAL, tmp_path / "study.db")
    assert table(tune(study(trials=3), X, X_VAL, tmp_path / "study.db")) == table(whole)[:3]


def test_a_file_belongs_to_one_study(tmp_path):
    path = tmp_path / "study.db"
    tune(study(trials=1), X, X_VAL, path)
    for config, events in ((study(trials=1, seed=5), X), (study(trials=1), X + 1e-9)):
        with pytest.raises(ConfigError, match="another configuration, or of other events"):
            tune(config, events, X_VAL, path)


def test_a_file_that_is_no_study(tmp_path):
    (tmp_path / "notes.db").write_text("not a database, but some text that is long enough" * 50)
    with pytest.raises(DataError, match="is not the file of a study"):
        tune(study(), X, X_VAL, tmp_path / "notes.db")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {"random_state": [1, 2]}}, "search.random_state: cannot be searched: .* luckiest seed"),
        ({"search": {"device": ["cpu", "cuda"]}}, "search.device: cannot be searched"),
        ({"model": "vae", "search": {"beta": [0.1, 1.0]}}, "search.beta: .* losses of two trials cannot be compared"),
        ({"model": "flow", "search": {"coordinates": ["standard", "logit"]}}, "search.coordinates: .* a density in"),
        ({"fixed": {"random_state": 3}}, "fixed.random_state: belongs under the key 'seed'"),
        ({"fixed": {"widths": [4]}}, "search.widths: stands under 'fixed', too"),
        ({"fixed": {"latnt": 1}}, "fixed.latnt: .* no parameter 'latnt'. Did you mean 'latent'"),
        ({"search": {"depth": [1, 2]}}, "search.depth: the model 'autoencoder' has no parameter 'depth'"),
        ({"model": "image-autoencoder"}, "data.images: must be given for the model 'image-autoencoder'"),
        ({"data": {"source": "x.parquet", "images": {}}}, "data.images: must not be given"),
        ({"search": {"activation": ["swish", "mish"]}}, "cannot be trained with .* no activation"),
        ({"fixed": {"epochs": "many"}}, "cannot be trained with .*many"),
        ({"fixed": {"epochs": 0}}, "epochs must be a whole number from 1 on"),
    ],
)
def test_studies_that_cannot_be(changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        tune(study(**changes), X, X_VAL, tmp_path / "study.db")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "trials: .*greater than or equal to 1"),
        ({"search": {}}, "search: .*at least 1 item"),
        ({"search": {"latent": {"low": 3, "high": 1}}}, "low must be less than high, but 3 is not less than 1"),
        ({"search": {"latent": {"low": 0, "high": 3, "log": True}}}, "logarithmic range must begin above 0"),
        ({"search": {"latent": {"low": 1, "hihg": 3}}}, "unknown key"),
        ({"search": {"activation": ["relu"]}}, "at least 2 items"),
        ({"objective": "auc"}, "objective: .*'validation-loss', 'shuffled' or 'shifted'"),
        ({"model": "pca"}, "model: "),
        ({"labels": "label"}, "labels: unknown key"),
        ({"data": {"source": "x.parquet", "label": 1}}, "data.label: unknown key"),
    ],
)
def test_what_may_not_stand_in_a_file(changes, message):
    with pytest.raises(ConfigError, match=message):
        study(**changes)


def test_backgrounds_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match=r"has no row of the process 'qcd-dijet'\. Did you mean 'qcd-dijets'"):
        background_parts(TuningData(source="sim-dijet-features", process="qcd-dijet"))
    with pytest.raises(CmslabsError, match="mass"):
        background_parts(TuningData(source="sim-dijet-features", features=("mass",)))
    with pytest.raises(DataError, match="no such file"):
        background_parts(TuningData(source=str(tmp_path / "gone.parquet")))
    with pytest.raises(CmslabsError, match="sim-dijet-feature"):
        background_parts(TuningData(source="sim-dijet-feature"))

"""The autoencoder: its scores by hand, its own scale and validation part, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch", reason="needs the extra torch")

from cmslabs.errors import ConfigError  # noqa: E402
from cmslabs.models.autoencoder import ACTIVATIONS, Autoencoder, mlp  # noqa: E402
from cmslabs.models.base import ModelInputError, NotFittedModelError  # noqa: E402
from cmslabs.models.registry import make_model  # noqa: E402

SMALL = {"widths": (16,), "epochs": 8, "batch_size": 64, "learning_rate": 5e-3, "device": "cpu", "random_state": 3}


def table(n: int = 800, seed: int = 1) -> np.ndarray:
    """Four columns in different units, which two hidden numbers explain up to some noise."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    mixed = hidden @ np.array([[1.0, 0.5, -1.0, 0.2], [0.3, -1.0, 0.4, 1.0]]) + rng.normal(scale=0.1, size=(n, 4))
    return mixed * [100.0, 1.0, 0.01, 5.0] + [500.0, 0.0, 0.4, -3.0]


def by_hand(model: Autoencoder, X: np.ndarray) -> list[float]:
    """Scores by lists and loops, for one hidden layer on each side and ReLU."""

    def layer(values, weight, bias, linear):
        out = [sum(w * v for w, v in zip(row, values, strict=True)) + b for row, b in zip(weight, bias, strict=True)]
        return out if linear else [max(0.0, one) for one in out]

    state = {name: value.tolist() for name, value in model.network_.state_dict().items()}
    scores = []
    for row in X:
        event = [(x - m) / s for x, m, s in zip(row, model.mean_, model.scale_, strict=True)]
        values = event
        for part in ("encoder", "decoder"):
            numbers = sorted({int(name.split(".")[1]) for name in state if name.startswith(part)})
            for number in numbers:
                weight, bias = state[f"{part}.{number}.weight"], state[f"{part}.{number}.bias"]
                values = layer(values, weight, bias, linear=number == numbers[-1])
        scores.append(sum((a - b) ** 2 for a, b in zip(event, values, strict=True)) / len(event))
    return scores


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_scores_are_those_by_hand_and_dropout_is_off(dropout):
    X = table()
    model = Autoencoder(**SMALL, dropout=dropout).fit(X)
    expected = by_hand(model, X[:50])
    assert model.anomaly_score(X[:50]) == pytest.approx(expected, rel=1e-9)
    assert model.anomaly_score(X[:50]).tolist() == model.anomaly_score(X[:50]).tolist()
    # Dropout is there: in training mode the same network does not give the same twice.
    batch = torch.tensor(model._scaled(X[:50]), dtype=torch.float32)
    model.network_.train()
    assert torch.equal(model.network_(batch), model.network_(batch)) is (dropout == 0.0)


def test_encode_and_reconstruct_fit_the_score():
    X = table()
    model = Autoencoder(**SMALL).fit(X)
    assert model.encode(X).shape == (800, 2)
    inside = (X - model.reconstruct(X)) / model.scale_
    assert model.anomaly_score(X) == pytest.approx(np.mean(inside**2, axis=1), rel=1e-9)


def test_what_breaks_the_pattern_scores_higher_than_the_core():
    X = table()
    model = Autoencoder(**SMALL | {"epochs": 30}).fit(X)
    broken = X.copy()
    broken[:, 2] = X[::-1, 2]
    assert np.median(model.anomaly_score(broken)) > 3 * np.median(model.anomaly_score(X))
    assert np.median(model.anomaly_score(X + 8 * X.std(axis=0))) > 10 * np.median(model.anomaly_score(X))


def test_without_a_bottleneck_it_copies():
    X = table()
    errors = {
        latent: np.mean(Autoencoder(**SMALL | {"latent": latent, "epochs": 30}).fit(X).anomaly_score(X))
        for latent in (1, 2, 4)
    }
    assert errors[1] > 2 * errors[2] > 2 * errors[4]


def test_the_scale_comes_from_the_training_part_only():
    X = table()
    model = Autoencoder(**SMALL).fit(X, X_val=X[:100] + 1000)
    assert model.mean_ == pytest.approx(X.mean(axis=0))
    assert model.scale_ == pytest.approx(X.std(axis=0))
    model = Autoencoder(**SMALL, validation_fraction=0.25).fit(X)
    part, held_out = model._parts(X, 3)
    assert (len(part), len(held_out)) == (600, 200)
    assert sorted(map(tuple, np.concatenate([part, held_out]))) == sorted(map(tuple, X))
    assert model.mean_ == pytest.approx(part.mean(axis=0), rel=1e-12)
    assert model.mean_ != pytest.approx(X.mean(axis=0), rel=1e-12)


def test_the_seed_decides_the_parts():
    X, model = table(), Autoencoder()
    assert np.array_equal(model._parts(X, 3)[1], model._parts(X, 3)[1])
    assert not np.array_equal(model._parts(X, 3)[1], model._parts(X, 4)[1])


def test_units_do_not_matter():
    X = table()
    factor = np.array([1000.0, 1.0, 1e-3, 7.0])
    one = Autoencoder(**SMALL).fit(X).anomaly_score(X)
    other = Autoencoder(**SMALL).fit(X * factor).anomaly_score(X * factor)
    assert other == pytest.approx(one, rel=0.02)


def test_a_score_does_not_depend_on_the_other_rows():
    X = table(40)
    model = Autoencoder(**SMALL).fit(table())
    many = np.tile(X, (500, 1))
    assert len(many) > model.scoring_rows
    alone = [model.anomaly_score(row[None])[0] for row in X]
    assert model.anomaly_score(many) == pytest.approx(np.tile(alone, 500), rel=1e-12)


def test_same_seed_same_scores_and_clones():
    X = table()
    model = Autoencoder(**SMALL, dropout=0.1).fit(X)
    again = clone(model)
    assert not hasattr(again, "network_")
    assert again.get_params() == model.get_params()
    assert np.array_equal(again.fit(X).anomaly_score(X), model.anomaly_score(X))
    other = clone(model).set_params(random_state=4).fit(X)
    assert not np.allclose(other.anomaly_score(X), model.anomaly_score(X), rtol=1e-3)


def test_fit_changes_all_weights_and_starts_anew_every_time():
    X = table()
    model = Autoencoder(**SMALL)
    first = model.fit(X).network_.state_dict()
    scores = model.anomaly_score(X)
    model.n_features_in_ = 4
    for name, value in model._network().state_dict().items():
        assert not torch.equal(value, first[name])
    assert np.array_equal(model.fit(X).anomaly_score(X), scores)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_all_activations_learn(activation):
    history = Autoencoder(**SMALL, activation=activation).fit(table()).history_
    assert history.best_loss < 0.7 * history.val_loss[0]


def test_a_file_gives_the_same_scores_history_and_names(tmp_path):
    X = pd.DataFrame(table(), columns=["a", "b", "c", "d"])
    model = make_model("autoencoder", **SMALL).fit(X)
    model.save(tmp_path / "model.zip")
    loaded = Autoencoder.load(tmp_path / "model.zip")
    assert np.array_equal(loaded.anomaly_score(X), model.anomaly_score(X))
    assert loaded.history_ == model.history_
    assert loaded.get_params() == model.get_params()
    with pytest.raises(ModelInputError, match="feature names"):
        loaded.anomaly_score(X.rename(columns={"a": "z"}))


def test_an_interrupted_fit_goes_on_from_its_checkpoint(tmp_path):
    X = table()

    class Interrupted(Exception):
        """Instead of a power cut."""

    def cut(network, history):
        if history.epochs == 5:
            raise Interrupted

    path = str(tmp_path / "fit.pt")
    model = Autoencoder(**SMALL, dropout=0.1, checkpoint=path)
    with pytest.raises(Interrupted):
        model.fit(X, after_epoch=cut)
    # The epoch that was cut off is done again.
    assert np.array_equal(
        model.fit(X).anomaly_score(X), clone(model).set_params(checkpoint=None).fit(X).anomaly_score(X)
    )
    with pytest.raises(ConfigError, match="data differs"):
        model.fit(X + 1e-3 * np.sin(X))
    with pytest.raises(ConfigError, match="a checkpoint needs a random_state"):
        model.set_params(random_state=None).fit(X)


@pytest.mark.parametrize(
    ("X", "arguments", "message"),
    [
        (table(1), {}, "1 sample"),
        (table(3), {}, r"validation_fraction=0.15 of 3 events leaves 3 to train on and 0 to validate with"),
        (table(2), {"X_val": table(0)}, "X_val holds no event"),
        (table(9), {"X_val": table(9)[:, :3]}, "3 features"),
        (np.column_stack([table(9), np.ones(9)]), {}, "column 4 is constant"),
        (np.where(np.arange(36).reshape(9, 4) == 6, np.nan, table(9)), {}, "NaN"),
    ],
)
def test_tables_that_cannot_be_learnt(X, arguments, message):
    with pytest.raises(ModelInputError, match=message):
        Autoencoder(**SMALL).fit(X, **arguments)


def test_a_column_that_is_constant_in_the_training_part_is_refused_by_name():
    X = pd.DataFrame(table(100), columns=["a", "b", "c", "d"])
    _, held_out = Autoencoder()._parts(np.arange(100), 3)
    X["c"] = 1.0
    X.loc[held_out[0], "c"] = 2.0
    with pytest.raises(ModelInputError, match="column 'c' is constant"):
        Autoencoder(**SMALL).fit(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"widths": (16, 0)}, "at least one unit each, not \\[4, 16, 0, 2\\]"),
        ({"latent": 1.5}, "at least one unit each"),
        ({"dropout": 1.0}, "dropout must lie in"),
        ({"activation": "rulu"}, "Did you mean 'relu'"),
        ({"activation": "?"}, "There are: relu, "),
        ({"validation_fraction": 1.0}, "validation_fraction must lie between 0 and 1"),
        ({"epochs": 0}, "epochs must be"),
        ({"random_state": "x"}, "random_state must be"),
    ],
)
def test_parameters_that_make_no_sense(parameters, message):
    with pytest.raises(ConfigError, match=message):
        Autoencoder(**SMALL | parameters).fit(table(50))


def test_an_unfitted_one_says_so():
    for ask in (Autoencoder().anomaly_score, Autoencoder().encode, Autoencoder().reconstruct):
        with pytest.raises(NotFittedModelError, match="this Autoencoder is not fitted yet"):
            ask(table(5))


def test_layers_end_linear():
    names = [type(layer).__name__ for layer in mlp([4, 8, 8, 2], "tanh", 0.1)]
    assert names == ["Linear", "Tanh", "Dropout", "Linear", "Tanh", "Dropout", "Linear"]
    assert [type(layer).__name__ for layer in mlp([4, 2], "relu", 0.0)] == ["Linear"]

"""The image autoencoder: shapes, a true bottleneck, and shortcuts that go round it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch", reason="needs the extra torch")

from cmslabs.errors import ConfigError  # noqa: E402
from cmslabs.models.base import ModelInputError  # noqa: E402
from cmslabs.models.devices import seeded  # noqa: E402
from cmslabs.models.image_autoencoder import ImageAutoencoder, ImageNetwork  # noqa: E402
from cmslabs.models.registry import make_model  # noqa: E402

SMALL = {"latent": 2, "widths": (4, 8, 8), "epochs": 6, "batch_size": 32, "learning_rate": 5e-3, "random_state": 3}


def spots(n: int, side: int = 12, seed: int = 1, centre: float | None = None) -> np.ndarray:
    """Images with one soft spot each: in the left half, or in the middle of the column `centre`."""
    rng = np.random.default_rng(seed)
    pixels = np.arange(side)
    row = rng.uniform(2, side - 3, n)
    column = rng.uniform(2, side / 2 - 1, n) if centre is None else np.full(n, centre)
    down, across = row[:, None] - pixels, column[:, None] - pixels
    return (0.01 * np.exp(-(down[:, :, None] ** 2 + across[:, None, :] ** 2) / 3)).astype(np.float32)


@pytest.mark.parametrize("side", [8, 12, 30, 32, 33, 40])
@pytest.mark.parametrize("skips", [False, True])
def test_any_side_comes_out_as_it_went_in(side, skips):
    network = ImageNetwork((2, side, side), (3, 4, 5), 6, skips)
    batch = torch.rand(7, 2, side, side)
    assert network(batch).shape == batch.shape
    assert network.encoder(batch).shape == (7, 6)


@pytest.mark.parametrize("side", [9, 10, 11])
def test_zeros_on_all_sides_and_nothing_is_shifted(side):
    # A U-Net whose weights just copy: what is cut off again must be what was added.
    network = ImageNetwork((1, side, side), (1, 1, 1), 1, skips=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.top[0].weight[0, 0, 1, 1] = 1.0
        network.join_top[0].weight[0, 1, 1, 1] = 1.0
        network.out.weight[0, 0, 0, 0] = 1.0
        batch = torch.rand(3, 1, side, side)
        assert torch.equal(network(batch), batch)


def test_the_bottleneck_is_true_and_skips_go_round_it():
    def rank(skips):
        with seeded(1):
            network = ImageNetwork((1, 12, 12), (4, 8, 8), 3, skips).double()
            image = torch.rand(1, 1, 12, 12, dtype=torch.float64)
        slopes = torch.autograd.functional.jacobian(network, image).reshape(144, 144)
        return int(torch.linalg.matrix_rank(slopes, rtol=1e-9))

    # All that comes out is a function of three numbers, so it moves in three directions at most.
    assert rank(skips=False) <= 3
    assert rank(skips=True) > 30


def test_scores_are_mean_squares_of_what_it_sees():
    X = spots(200)
    for pixels, seen in (("sqrt", np.sqrt(X)), ("raw", X)):
        model = ImageAutoencoder(**SMALL, pixels=pixels).fit(X, X_val=X[:50])
        assert model.scale_ == pytest.approx(np.sqrt(np.mean(seen.astype(float) ** 2)), rel=1e-5)
        expected = [np.mean((a - b) ** 2) / model.scale_**2 for a, b in zip(seen, model.reconstruct(X), strict=True)]
        assert model.anomaly_score(X) == pytest.approx(expected, rel=1e-3)
        empty = np.zeros_like(X)
        assert np.mean((seen - empty) ** 2) / model.scale_**2 == pytest.approx(1.0, rel=1e-5)
        assert model.encode(X).shape == (200, 2)


def test_images_may_have_channels():
    X = spots(200)
    one = ImageAutoencoder(**SMALL).fit(X)
    other = ImageAutoencoder(**SMALL).fit(X[:, None].astype(np.float64))
    assert np.array_equal(one.anomaly_score(X), other.anomaly_score(X[:, None]))
    assert one.reconstruct(X).shape == X.shape
    assert other.reconstruct(X[:, None]).shape == (200, 1, 12, 12)
    two = ImageAutoencoder(**SMALL).fit(np.stack([X, X[::-1]], axis=1))
    assert two.image_shape_ == (2, 12, 12)
    assert two.n_features_in_ == 288


def test_scores_do_not_depend_on_the_other_images():
    X = spots(100)
    model = ImageAutoencoder(**SMALL).fit(X)
    many = np.tile(X, (12, 1, 1))
    assert len(many) > model.scoring_rows
    alone = [model.anomaly_score(image[None])[0] for image in X]
    assert model.anomaly_score(many) == pytest.approx(np.tile(alone, 12), rel=1e-3)


def test_skips_reconstruct_better_what_they_should_not_as_well():
    X, new, unusual = spots(600), spots(200, seed=2), spots(200, seed=3, centre=9.0)
    usual, found = {}, {}
    for skips in (False, True):
        model = ImageAutoencoder(**SMALL | {"epochs": 15}, skips=skips).fit(X)
        usual[skips], found[skips] = model.anomaly_score(new), model.anomaly_score(unusual)
    assert usual[True].mean() < 0.05 * usual[False].mean()
    assert np.median(found[False]) > 2 * np.quantile(usual[False], 0.99)
    # Skips leak: spots that the U-Net never saw come out better than usual ones do through a bottleneck.
    assert found[True].mean() < 0.3 * usual[False].mean()


def test_the_seed_decides_and_files_and_clones_agree(tmp_path):
    X = spots(200)
    model = make_model("image-autoencoder", **SMALL, skips=True).fit(X)
    assert np.array_equal(clone(model).fit(X).anomaly_score(X), model.anomaly_score(X))
    assert not np.allclose(clone(model).set_params(random_state=4).fit(X).anomaly_score(X), model.anomaly_score(X))
    model.save(tmp_path / "images.zip")
    loaded = ImageAutoencoder.load(tmp_path / "images.zip")
    assert np.array_equal(loaded.anomaly_score(X), model.anomaly_score(X))
    assert loaded.history_ == model.history_
    assert loaded.image_shape_ == (1, 12, 12)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((50, 4)), r"shape \(50, 4\) holds no images"),
        (np.ones((50, 8, 9)), r"shape \(50, 8, 9\) holds no images"),
        (np.ones((50, 7, 7)), "a side of at least 8 pixels"),
        (spots(1), "1 sample"),
        (spots(3), "0 to validate with"),
        (np.ones((50, 8, 8)), "images are the same"),
        (-spots(50), "image 0: holds negative pixels"),
        (np.where(np.arange(144).reshape(12, 12) == 7, np.nan, spots(50)), "NaN"),
    ],
)
def test_images_that_cannot_be_learnt(X, message):
    with pytest.raises(ModelInputError, match=message):
        ImageAutoencoder(**SMALL).fit(X)


def test_other_images_at_scoring_are_refused():
    model = ImageAutoencoder(**SMALL | {"epochs": 1}).fit(spots(50))
    with pytest.raises(ModelInputError, match=r"fitted to images of shape \(1, 12, 12\), these have \(1, 16, 16\)"):
        model.anomaly_score(spots(5, side=16))
    with pytest.raises(ModelInputError, match=r"these have \(2, 12, 12\)"):
        model.anomaly_score(np.stack([spots(5)] * 2, axis=1))
    raw = ImageAutoencoder(**SMALL | {"epochs": 1}, pixels="raw").fit(spots(50))
    assert np.isfinite(raw.anomaly_score(-spots(5))).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pixels": "log"}, "Use sqrt or raw"),
        ({"widths": (4, 8)}, "widths must be three positive numbers"),
        ({"latent": 0}, "widths must be three positive numbers and latent one"),
    ],
)
def test_parameters_that_make_no_sense(parameters, message):
    with pytest.raises(ConfigError, match=message):
        ImageAutoencoder(**SMALL | parameters).fit(spots(50))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_images_are_learnt_in_mixed_precision_gpu():
    X, unusual = spots(600), spots(100, seed=3, centre=9.0)
    scores = {}
    for device in ("auto", "cpu"):
        options = {"epochs": 15, "mixed_precision": "auto", "device": device}
        model = ImageAutoencoder(**SMALL | options).fit(X)
        scores[device] = model.anomaly_score(unusual)
        assert np.median(scores[device]) > 2 * np.median(model.anomaly_score(X))
    assert np.median(scores["auto"]) == pytest.approx(np.median(scores["cpu"]), rel=0.5)

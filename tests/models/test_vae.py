"""The variational autoencoder: its two terms against slow oracles, the warm-up, scores without chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.base import clone

torch = pytest.importorskip("torch", reason="needs the extra torch")

from cmslabs.errors import ConfigError  # noqa: E402
from cmslabs.models.base import ModelInputError  # noqa: E402
from cmslabs.models.registry import make_model  # noqa: E402
from cmslabs.models.vae import (  # noqa: E402
    SCORES,
    VariationalAutoencoder,
    VariationalLoss,
    VariationalNetwork,
    kl_divergence,
)

SMALL = {"widths": (16,), "epochs": 12, "batch_size": 64, "learning_rate": 5e-3, "device": "cpu", "random_state": 3}


def table(n: int = 800, seed: int = 1) -> np.ndarray:
    """Four columns which two hidden numbers explain up to some noise."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    return hidden @ np.array([[1.0, 0.5, -1.0, 0.2], [0.3, -1.0, 0.4, 1.0]]) + rng.normal(scale=0.2, size=(n, 4))


def scores(model: VariationalAutoencoder, X: np.ndarray) -> dict[str, np.ndarray]:
    """All three of one fitted model."""
    return {name: model.set_params(scoring=name).anomaly_score(X) for name in SCORES}


def test_kl_is_the_integral():
    rng = np.random.default_rng(2)
    means, log_variances = rng.normal(0, 2, (5, 3)), rng.normal(0, 1, (5, 3))
    found = kl_divergence(torch.tensor(means), torch.tensor(log_variances)).tolist()
    for mean, log_variance, value in zip(means, log_variances, found, strict=True):
        total = 0.0
        for m, s in zip(mean, np.exp(0.5 * log_variance), strict=True):
            q = norm(m, s)
            total += quad(lambda z, q=q: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), m - 12 * s, m + 12 * s)[0]
        assert value == pytest.approx(total, rel=1e-6)
    assert kl_divergence(torch.zeros(1, 2), torch.zeros(1, 2)).item() == 0.0


def test_the_three_scores_are_those_by_hand():
    X = table()
    model = VariationalAutoencoder(**SMALL, beta=0.3).fit(X)
    found = scores(model, X)
    mean, spread = model.encode(X)
    difference = (X - model.reconstruct(X)) / model.scale_
    for i in range(0, 800, 100):
        kl = sum(0.5 * (m**2 + s**2 - 1) - math.log(s) for m, s in zip(mean[i], spread[i], strict=True))
        squares = sum(d**2 for d in difference[i])
        assert found["kl"][i] == pytest.approx(kl, rel=1e-9)
        assert found["reconstruction"][i] == pytest.approx(squares / 4, rel=1e-9)
        assert found["total"][i] == pytest.approx(0.5 * squares + 0.3 * kl, rel=1e-9)


def test_scores_do_not_depend_on_chance():
    X = table()
    model = VariationalAutoencoder(**SMALL, dropout=0.2).fit(X)
    one = scores(model, X)
    torch.manual_seed(99)
    other = scores(model, X)
    for name in SCORES:
        assert np.array_equal(one[name], other[name])
    assert np.array_equal(model.reconstruct(X), model.reconstruct(X))
    again = clone(model).fit(X)
    for name, values in scores(again, X).items():
        assert np.array_equal(values, one[name])


def test_the_loss_is_the_expectation_over_the_bottleneck():
    # With a linear decoder the mean over all noise can be written down.
    torch.manual_seed(5)
    network = VariationalNetwork(4, (), 2, "relu", 0.0).double()
    x = torch.randn(3, 4, dtype=torch.float64)
    mean, log_variance = network.encode(x)
    weight = network.decoder[0].weight
    expected = 0.5 * ((x - network.decoder(mean)) ** 2).sum(1) + 0.5 * torch.exp(log_variance) @ (weight**2).sum(0)
    expected = (expected + 0.7 * kl_divergence(mean, log_variance)).mean().item()
    generator = torch.Generator().manual_seed(1)
    loss = VariationalLoss(0.7)
    drawn = [loss(network, x.repeat(500, 1), generator).item() for _ in range(40)]
    error = np.std(drawn) / math.sqrt(len(drawn))
    assert error < 0.01
    assert np.mean(drawn) == pytest.approx(expected, abs=4 * error)


def test_the_price_rises_in_equal_steps():
    loss = VariationalLoss(4.0, warmup=4)
    assert [loss.beta_at(epoch) for epoch in range(1, 7)] == [1.0, 2.0, 3.0, 4.0, 4.0, 4.0]
    assert [VariationalLoss(4.0).beta_at(epoch) for epoch in (1, 2)] == [4.0, 4.0]
    network, x = VariationalNetwork(4, (8,), 2, "relu", 0.0), torch.randn(50, 4)
    kl = kl_divergence(*network.encode(x)).mean().item()
    values = []
    for epoch in (1, 2, 4, 9):
        loss.begin_epoch(epoch)
        values.append(loss(network, x, torch.Generator().manual_seed(1)).item())
    assert np.diff(values) == pytest.approx([kl, 2 * kl, 0.0], rel=1e-3, abs=1e-6)


def mean_kl(X):
    """A watcher of the KL term."""
    batch = torch.tensor((X - X.mean(axis=0)) / X.std(axis=0), dtype=torch.float32)
    return lambda network, history: {"kl": kl_divergence(*network.encode(batch)).mean()}


def test_warm_up_fills_the_bottleneck_first_and_the_best_epoch_pays_the_full_price():
    X = table()
    parameters = SMALL | {"epochs": 20, "beta": 2.0}
    plain = VariationalAutoencoder(**parameters).fit(X, after_epoch=mean_kl(X)).history_
    warm = VariationalAutoencoder(**parameters, kl_warmup=15).fit(X, after_epoch=mean_kl(X)).history_
    assert max(warm.monitored["kl"][:10]) > 2 * max(plain.monitored["kl"][:10])
    assert warm.monitored["kl"][-1] < max(warm.monitored["kl"])
    assert warm.best_epoch >= 15
    # Early stopping watches the loss at the full price, so it may not stop while the price rises.
    short = VariationalAutoencoder(**parameters | {"patience": 1}, kl_warmup=15).fit(X).history_
    assert short.epochs > 15


def test_beta_decides_what_the_bottleneck_holds():
    X = table()
    kl, error = {}, {}
    for beta in (0.01, 1.0, 50.0):
        found = scores(VariationalAutoencoder(**SMALL | {"epochs": 25}, beta=beta).fit(X), X)
        kl[beta], error[beta] = found["kl"].mean(), found["reconstruction"].mean()
    assert kl[0.01] > 2 * kl[1.0] > 20 * kl[50.0]
    assert error[0.01] < error[1.0] < error[50.0]
    # Nothing passes the bottleneck: what comes out is the mean event.
    assert kl[50.0] < 0.01
    assert error[50.0] == pytest.approx(1.0, abs=0.05)


def test_a_shifted_blob_scores_higher_and_far_out_scores_stay_finite():
    X = table()
    model = VariationalAutoencoder(**SMALL | {"epochs": 25}, beta=0.1).fit(X)
    core, shifted, far = (scores(model, one) for one in (X, X + 6 * X.std(axis=0), X * 1e6))
    for name in SCORES:
        assert np.median(shifted[name]) > 3 * np.median(core[name])
        assert np.isfinite(far[name]).all()


def test_a_file_keeps_the_choice_of_score(tmp_path):
    X = table()
    model = make_model("vae", **SMALL, scoring="kl").fit(X)
    model.save(tmp_path / "vae.zip")
    loaded = VariationalAutoencoder.load(tmp_path / "vae.zip")
    assert loaded.scoring == "kl"
    for name, values in scores(model, X).items():
        assert np.array_equal(scores(loaded, X)[name], values)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"scoring": "KL"}, "Did you mean 'kl'"),
        ({"scoring": "?"}, "Use one of reconstruction, kl, total"),
        ({"beta": -1.0}, "beta must not be negative"),
        ({"beta": math.nan}, "beta must not be negative"),
        ({"kl_warmup": -1}, "kl_warmup counts epochs"),
        ({"kl_warmup": 13}, "only 12 epochs"),
        ({"activation": "selo"}, "Did you mean"),
    ],
)
def test_parameters_that_make_no_sense(parameters, message):
    with pytest.raises(ConfigError, match=message):
        VariationalAutoencoder(**SMALL | parameters).fit(table(60))


def test_a_wrong_choice_after_the_fit_is_noticed():
    model = VariationalAutoencoder(**SMALL).fit(table(60))
    with pytest.raises(ConfigError, match="has no score 'elbo'"):
        model.set_params(scoring="elbo").anomaly_score(table(60))
    with pytest.raises(ModelInputError, match="3 features"):
        model.set_params(scoring="kl").anomaly_score(table(60)[:, :3])

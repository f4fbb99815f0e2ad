"""Variational autoencoder: the bottleneck holds a distribution, and it costs something to leave the standard one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, close_names, require
from cmslabs.models.autoencoder import mlp
from cmslabs.models.torch_model import TorchModel

torch = require("torch", "torch")
nn = torch.nn

__all__ = ["SCORES", "VariationalAutoencoder", "VariationalLoss", "kl_divergence"]

SCORES = ("reconstruction", "kl", "total")
#: Logarithms of variances beyond these are cut off: exp of more is no number that a loss can hold.
LOG_VARIANCE = (-20.0, 20.0)


class VariationalNetwork(nn.Module):
    """An encoder that gives mean and log-variance of every latent number, and a decoder."""

    def __init__(self, n_features: int, widths: Sequence[int], latent: int, activation: str, dropout: float):
        super().__init__()
        self.encoder = mlp([n_features, *widths, 2 * latent], activation, dropout)
        self.decoder = mlp([latent, *reversed(widths), n_features], activation, dropout)

    def encode(self, x: Any) -> tuple[Any, Any]:
        """Mean and log-variance, shape (n, latent) each."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def forward(self, x: Any) -> Any:
        """The reconstruction through the mean, without any chance."""
        return self.decoder(self.encode(x)[0])


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """KL divergence of N(mean, variance) from N(0, 1), summed over the latent numbers, shape (n,).

    Kingma and Welling, doi:10.48550/arXiv.1312.6114, appendix B.
    """
    return 0.5 * torch.sum(mean**2 + torch.exp(log_variance) - 1 - log_variance, dim=1)


def half_squared_distance(x: Any, y: Any) -> Any:
    """Minus log-likelihood of x in a Gaussian of unit width around y, without its constant, shape (n,)."""
    return 0.5 * torch.sum((x - y) ** 2, dim=1)


@dataclass
class VariationalLoss:
    """Reconstruction plus beta times KL, with a sampled bottleneck.

    Parameters
    ----------
    beta : float
        Price of the KL term.  With 1 the loss bounds the likelihood; other values follow Higgins et al. (ICLR 2017).
    warmup : int
        Epochs over which the price rises in equal steps to `beta`: without it a VAE can learn in its first epochs to
        leave the bottleneck empty, and stay there (Bowman et al., doi:10.18653/v1/K16-1002).
    """

    beta: float
    warmup: int = 0

    def __post_init__(self) -> None:
        self.now = self.beta

    def beta_at(self, epoch: int) -> float:
        """The price in this epoch, counted from 1.

        Examples
        --------
        >>> [VariationalLoss(2.0, warmup=4).beta_at(epoch) for epoch in (1, 2, 4, 9)]
        [0.5, 1.0, 2.0, 2.0]
        """
        return self.beta * min(1.0, epoch / self.warmup) if self.warmup else self.beta

    def begin_epoch(self, epoch: int) -> None:
        """The training loop says which epoch begins."""
        self.now = self.beta_at(epoch)

    def __call__(self, network: Any, batch: Any, generator: Any) -> Any:
        """Mean over the events of a batch."""
        mean, log_variance = network.encode(batch)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        decoded = network.decoder(mean + torch.exp(0.5 * log_variance) * noise)
        return torch.mean(half_squared_distance(batch, decoded) + self.now * kl_divergence(mean, log_variance))


class VariationalAutoencoder(TorchModel):
    """Autoencoder whose bottleneck is a distribution (Kingma and Welling, doi:10.48550/arXiv.1312.6114).

    Scores pass through the mean of the bottleneck, so nothing is drawn and the same event has the same score always:

    - ``"reconstruction"``: mean squared difference, as of `Autoencoder`,
    - ``"kl"``: how far the event's distribution in the bottleneck is from the standard one,
    - ``"total"``: half the squared distance plus beta times the KL, the loss that was trained.

    `scoring` may be changed after `fit` (``model.set_params(scoring="kl")``): it is the same network.

    Parameters
    ----------
    widths, latent, activation, dropout
        As of `Autoencoder`.
    beta : float
        Price of the KL term.
    kl_warmup : int
        Epochs over which it rises to `beta`; the best epoch is chosen among those with the full price.
    scoring : {"reconstruction", "kl", "total"}
    validation_fraction, epochs, batch_size, learning_rate, weight_decay, schedule, patience, clip_norm
        As of `Autoencoder`.
    device, mixed_precision, progress, checkpoint, random_state
        As of `Autoencoder`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 1)) @ [[1.0, 2.0, 3.0]] + rng.normal(scale=0.1, size=(2000, 3))
    >>> model = VariationalAutoencoder(widths=(16,), latent=1, beta=0.1, epochs=20, learning_rate=0.01, random_state=1)
    >>> usual, along, beside = [0.5, 1, 1.5], [5, 10, 15], [1, -1, 1]
    >>> kl = model.set_params(scoring="kl").fit(X).anomaly_score([usual, along, beside])
    >>> bool(kl[1] > 10 * kl[0])
    True
    >>> reconstruction = model.set_params(scoring="reconstruction").anomaly_score([usual, along, beside])
    >>> bool(reconstruction[2] > 10 * reconstruction[0])
    True
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 32),
        latent: int = 2,
        activation: str = "relu",
        dropout: float = 0.0,
        *,
        beta: float = 1.0,
        kl_warmup: int = 0,
        scoring: str = "total",
        validation_fraction: float = 0.15,
        epochs: int = 50,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        patience: int | None = 10,
        clip_norm: float | None = 1.0,
        device: str = "auto",
        mixed_precision: str = "off",
        progress: bool | None = None,
        checkpoint: Any = None,
        random_state: Any = None,
    ):
        self.widths = widths
        self.latent = latent
        self.activation = activation
        self.dropout = dropout
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.patience = patience
        self.clip_norm = clip_norm
        self.device = device
        self.mixed_precision = mixed_precision
        self.progress = progress
        self.checkpoint = checkpoint
        self.random_state = random_state

    def encode(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each event's distribution, shape (n_events, latent) each."""
        both = self._apply(lambda network, batch: torch.cat(network.encode(batch), dim=1), X)
        mean, log_variance = np.split(both, 2, axis=1)
        return mean, np.exp(0.5 * log_variance)

    def reconstruct(self, X: Any) -> np.ndarray:
        """What comes out through the mean, in the units of X, shape (n_events, n_features)."""
        return self._apply(lambda network, batch: network(batch), X) * self.scale_ + self.mean_

    def _network(self) -> Any:
        self._check_choices()
        return VariationalNetwork(self.n_features_in_, self.widths, self.latent, self.activation, self.dropout)

    def _loss(self) -> Any:
        return VariationalLoss(float(self.beta), self.kl_warmup)

    def _validation_loss(self) -> Any:
        return VariationalLoss(float(self.beta))

    def _settings(self, **more: Any) -> Any:
        return super()._settings(min_epochs=max(1, self.kl_warmup), **more)

    def _row_scores(self, network: Any, batch: Any) -> Any:
        self._check_choices()
        mean, log_variance = network.encode(batch)
        kl = kl_divergence(mean, log_variance)
        if self.scoring == "kl":
            return kl
        half = half_squared_distance(batch, network.decoder(mean))
        return half + self.beta * kl if self.scoring == "total" else 2 * half / batch.shape[1]

    def _check_choices(self) -> None:
        if self.scoring not in SCORES:
            near = close_names(str(self.scoring), SCORES, n=1)
            raise ConfigError(
                f"a VAE has no score {self.scoring!r}.",
                remedy=f"Did you mean {near[0]!r}?" if near else f"Use one of {', '.join(SCORES)}.",
            )
        if not (self.beta >= 0 and np.isfinite(self.beta)):
            raise ConfigError(f"beta must not be negative, but is {self.beta!r}.")
        if self.kl_warmup != int(self.kl_warmup) or self.kl_warmup < 0:
            raise ConfigError(f"kl_warmup counts epochs, so it cannot be {self.kl_warmup!r}.")

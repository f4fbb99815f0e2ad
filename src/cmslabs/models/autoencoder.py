"""Autoencoder: squeeze an event through a few numbers and look how well it comes out again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, close_names, require
from cmslabs.models.torch_model import TorchModel

torch = require("torch", "torch")
nn = torch.nn

__all__ = ["ACTIVATIONS", "Autoencoder", "mlp"]

#: Between the layers.
ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def mlp(sizes: Sequence[int], activation: str, dropout: float) -> Any:
    """Layers of these sizes; activation and dropout after each one but the last, which is linear.

    Raises
    ------
    ConfigError
        If a size is not a positive number, the activation is unknown, or dropout is not in [0, 1).
    """
    if any(size != int(size) or size < 1 for size in sizes):
        raise ConfigError(f"layers need at least one unit each, not {list(sizes)}.", remedy="Check widths and latent.")
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout must lie in [0, 1), not {dropout!r}.")
    if activation not in ACTIVATIONS:
        near = close_names(str(activation), ACTIVATIONS, n=1)
        raise ConfigError(
            f"there is no activation {activation!r}.",
            remedy=f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(ACTIVATIONS)}.",
        )
    layers: list[Any] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(int(inputs), int(outputs)), ACTIVATIONS[activation]()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers[: -2 if dropout else -1])


class AutoencoderNetwork(nn.Module):
    """Encoder and decoder, mirror images of each other."""

    def __init__(self, n_features: int, widths: Sequence[int], latent: int, activation: str, dropout: float):
        super().__init__()
        sizes = [n_features, *widths, latent]
        self.encoder = mlp(sizes, activation, dropout)
        self.decoder = mlp(sizes[::-1], activation, dropout)

    def forward(self, x: Any) -> Any:
        """What comes out again, shape (n, n_features)."""
        return self.decoder(self.encoder(x))


def mean_squared_error(network: Any, batch: Any, generator: Any) -> Any:
    """Mean over events and features."""
    return torch.mean((network(batch) - batch) ** 2)


class Autoencoder(TorchModel):
    """Score: mean squared difference between a standardised event and its reconstruction.

    Two mirrored networks with a bottleneck of `latent` numbers between them (Hinton and Salakhutdinov,
    doi:10.1126/science.1127647).  The output is linear.  A `latent` of as many numbers as there are features is no
    bottleneck: the network learns to copy.

    Parameters
    ----------
    widths : tuple of int
        Units of the encoder's hidden layers; the decoder has them in reverse order.
    latent : int
        Numbers in the bottleneck.
    activation : str
        One of `ACTIVATIONS`.
    dropout : float
        Share of hidden units that are silent for one batch, in training only.
    validation_fraction : float
        Share of rows set aside for early stopping if `fit` gets no `X_val`.
    epochs, batch_size, learning_rate, weight_decay, schedule, patience, clip_norm, device, mixed_precision, progress
        As in `cmslabs.models.settings.TrainingSettings`.
    checkpoint : path-like, optional
        A killed training goes on from this file, to the same result.
    random_state : int, Generator, RandomState or None

    Examples
    --------
    A circle has two coordinates but only one number to say where on it one is.

    >>> import numpy as np
    >>> angle = np.random.default_rng(0).uniform(0, np.pi, 2000)
    >>> arc = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> model = Autoencoder(widths=(32,), latent=1, epochs=40, learning_rate=1e-2, random_state=1).fit(arc)
    >>> on_the_arc, beside_it = model.anomaly_score([[0.0, 1.0], [0.0, 0.2]])
    >>> bool(beside_it > 10 * on_the_arc)
    True
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 32),
        latent: int = 2,
        activation: str = "relu",
        dropout: float = 0.0,
        *,
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

    def encode(self, X: Any) -> np.ndarray:
        """The numbers in the bottleneck, shape (n_events, latent)."""
        return self._apply(lambda network, batch: network.encoder(batch), X)

    def reconstruct(self, X: Any) -> np.ndarray:
        """What comes out, in the units of X, shape (n_events, n_features)."""
        return self._apply(lambda network, batch: network(batch), X) * self.scale_ + self.mean_

    def _network(self) -> Any:
        return AutoencoderNetwork(self.n_features_in_, self.widths, self.latent, self.activation, self.dropout)

    def _loss(self) -> Any:
        return mean_squared_error

    def _row_scores(self, network: Any, batch: Any) -> Any:
        return torch.mean((network(batch) - batch) ** 2, dim=1)

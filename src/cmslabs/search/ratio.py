"""How much likelier an event is in data than in simulation: a small network, trained to tell the two apart.

With equally many events of both, a classifier's odds p / (1 - p) are the ratio of the two densities.  A network is used
and not trees, because the ratio is asked for where there are no control events: trees go on as a constant there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from cmslabs.errors import DataError, require
from cmslabs.jobs import chunk_seed
from cmslabs.models.devices import seeded, stream_seed, torch_threads
from cmslabs.models.settings import TrainingSettings
from cmslabs.models.training import train

torch = require("torch", "torch")

__all__ = ["DensityRatio"]


def _loss(network: Any, batch: Any, generator: Any) -> Any:
    X, y, weights = batch
    logits = network(X)[:, 0]
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
    return (weights * losses).sum() / weights.sum()


@dataclass
class DensityRatio:
    """Ratio of the densities of two samples, from the mean log-odds of several networks.

    Parameters
    ----------
    members : int
        Networks, which differ in their seeds and validation events.
    widths : tuple of int
        Hidden layers.
    epochs, patience, batch_size, learning_rate
        Of the training; the best epoch on held-out events is used.
    validation_fraction : float
        Share of the events that is held out.
    max_events : int or None
        Most events of each sample that a network is trained on; each has others.
    random_state : int

    Attributes
    ----------
    networks_ : list of torch.nn.Module
    histories_ : list of History
    log_share_ : float
        Log of the ratio of the two samples' sums of weights, label 1 over label 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ratio = DensityRatio(members=1, widths=(16,), epochs=30, random_state=0)
    >>> ratio = ratio.fit(rng.normal(size=(3000, 1)), rng.normal(0.5, size=(3000, 1)))
    >>> bool(np.exp(ratio.log_ratio([[-1.0]]))[0] < 0.8 < 1.25 < np.exp(ratio.log_ratio([[1.5]]))[0])
    True
    """

    members: int = 3
    widths: Sequence[int] = (64, 64)
    epochs: int = 30
    patience: int = 5
    batch_size: int = 1024
    learning_rate: float = 2e-3
    validation_fraction: float = 0.2
    max_events: int | None = 60_000
    random_state: int = 0

    def fit(self, first: np.ndarray, second: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Train on events of the first sample (label 0, simulation, with `weights`) and of the second (label 1, data).

        Both have the shape (n_events, n_columns), on similar scales.

        Raises
        ------
        DataError
            If a sample has fewer than 10 events.
        """
        first, second = (np.asarray(part, dtype=np.float32) for part in (first, second))
        if min(len(first), len(second)) < 10:
            raise DataError(f"{len(first)} and {len(second)} events are too few to tell two samples apart.")
        weights = np.ones(len(first)) if weights is None else np.asarray(weights, dtype=float)
        self.log_share_ = float(np.log(len(second) / weights.sum()))
        self.networks_, self.histories_ = [], []
        for member in range(self.members):
            self._train(first, second, weights, chunk_seed(self.random_state, member))
        return self

    def log_ratio(self, X: np.ndarray, normalised: bool = True) -> np.ndarray:
        """Log of density 1 over density 0, shape (n_events,).

        With ``normalised=False`` the samples' sizes are kept: exp of it turns the weights of the first sample into
        the yields of the second.
        """
        batch = torch.tensor(np.asarray(X, dtype=np.float32))
        with torch.no_grad(), torch_threads(self.networks_[0]):
            logits = np.mean([network(batch)[:, 0].numpy() for network in self.networks_], axis=0).astype(float)
        return logits if normalised else logits + self.log_share_

    def _train(self, first: np.ndarray, second: np.ndarray, weights: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        parts: tuple[list, list] = ([], [])
        for label, X, w in ((0.0, first, weights), (1.0, second, np.ones(len(second)))):
            rows = rng.permutation(len(X))[: self.max_events]
            cut = max(1, round(self.validation_fraction * len(rows)))
            for part, chosen in zip(parts, (rows[cut:], rows[:cut]), strict=True):
                # Equal sums of both classes, in either part.
                scaled = (w[chosen] / w[chosen].sum()).astype(np.float32)
                part.append((X[chosen], np.full(len(chosen), label, dtype=np.float32), scaled * len(chosen)))
        training, held_out = (tuple(map(np.concatenate, zip(*part, strict=True))) for part in parts)
        for _, y, w in (training, held_out):
            w[y == 1] *= w[y == 0].sum() / w[y == 1].sum()
        with seeded(stream_seed(seed, "weights")):
            network = _network(first.shape[1], self.widths)
        settings = TrainingSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            schedule="cosine",
            device="cpu",
            progress=False,
        )
        self.histories_.append(train(network, _loss, training, held_out, settings, seed))
        self.networks_.append(network)


def _network(inputs: int, widths: Sequence[int]) -> Any:
    layers: list[Any] = []
    for width in widths:
        layers += [torch.nn.Linear(inputs, width), torch.nn.SiLU()]
        inputs = width
    return torch.nn.Sequential(*layers, torch.nn.Linear(inputs, 1))

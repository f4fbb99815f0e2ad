"""A training that hangs in the middle of an epoch, to be killed: run as a script with a checkpoint's path."""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from cmslabs.models.devices import seeded
from cmslabs.models.training import History, TrainingSettings, train

EPOCHS, HANGS_IN = 12, 8


class NoisyLoss:
    """A squared distance with noise from the loop's generator; in one epoch it waits for its end."""

    def __init__(self, hangs_in: int | None = None):
        self.hangs_in, self.epoch, self.calls = hangs_in, 0, 0

    def begin_epoch(self, epoch: int) -> None:
        """Count, so that the third batch of an epoch can be told."""
        self.epoch, self.calls = epoch, 0

    def __call__(self, network, batch, generator):
        """The loss, or no answer at all."""
        self.calls += 1
        if self.epoch == self.hangs_in and self.calls == 3:
            print("in the middle of an epoch", flush=True)
            time.sleep(600)
        noise = torch.randn(batch.shape, generator=generator, device=batch.device)
        return torch.mean((network(batch + 0.1 * noise) - batch) ** 2)


def new_network(seed: int = 4) -> torch.nn.Module:
    """With dropout, which draws from the global state."""
    with seeded(seed):
        return torch.nn.Sequential(
            torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(16, 3)
        )


def run(schedule: str, checkpoint: str | None, hangs_in: int | None = None) -> tuple[torch.nn.Module, History]:
    """Train; the same up to the last bit, whether it was interrupted or not."""
    X = np.random.default_rng(5).normal(size=(700, 3))
    network = new_network()
    settings = TrainingSettings(
        epochs=EPOCHS, batch_size=50, schedule=schedule, patience=4, learning_rate=0.01, checkpoint=checkpoint
    )
    return network, train(network, NoisyLoss(hangs_in), X[:600], X[600:], settings, random_state=6)


if __name__ == "__main__":
    run(sys.argv[2], sys.argv[1], HANGS_IN)

"""The rivals of `models.py`: a training loop as tutorials write it, around a DataLoader, and skorch."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler, TensorDataset


@dataclass
class Epochs:
    """AUC after each epoch, and the training's seconds until then."""

    aucs: list[float]
    seconds: list[float]


class SameOrder(Sampler):
    """As `RandomSampler`, but it draws once per epoch: the orders are those of our loop."""

    def __init__(self, n: int, seed: int):
        self.n, self.generator = n, torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[int]:
        yield from torch.randperm(self.n, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.n


@contextlib.contextmanager
def threads_set(threads: int | None) -> Iterator[None]:
    """Use so many threads; None leaves torch's own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def dataloader_loop(case: Any, order_seed: int, threads: int | None = None) -> Epochs:
    """Adam, clipped gradients, best weights kept, as ours, around a DataLoader with its usual settings."""
    network, loss, noise = case.network(), case.loss, torch.Generator().manual_seed(1)
    train, val = (TensorDataset(torch.from_numpy(array)) for array in case.arrays)
    batches = DataLoader(train, batch_size=case.batch_size, sampler=SameOrder(len(train), order_seed))
    held_out = DataLoader(val, batch_size=case.batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=case.learning_rate, weight_decay=0.0)
    found, seconds, lowest, best = Epochs([], []), 0.0, float("inf"), None
    with threads_set(threads):
        for _ in range(case.epochs):
            start = time.perf_counter()
            network.train()
            for (batch,) in batches:
                optimizer.zero_grad()
                value = loss(network, batch, noise)
                value.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
            network.eval()
            with torch.no_grad():
                total = sum(len(batch) * float(loss(network, batch, noise)) for (batch,) in held_out)
            if total < lowest:
                lowest, best = total, copy.deepcopy(network.state_dict())
            seconds += time.perf_counter() - start
            found.seconds.append(seconds)
            found.aucs.append(case.auc(network))
    assert best is not None
    return found


def skorch_fit(case: Any, threads: int | None = None) -> Epochs:
    """The same network in skorch, which has its own loop around a DataLoader."""
    from skorch import NeuralNetRegressor
    from skorch.callbacks import GradientNormClipping
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    train, val = (torch.from_numpy(array) for array in case.arrays)
    net = NeuralNetRegressor(
        case.network(),
        criterion=torch.nn.MSELoss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=0.0,
        lr=case.learning_rate,
        max_epochs=case.epochs,
        batch_size=case.batch_size,
        iterator_train__shuffle=True,
        train_split=predefined_split(Dataset(val, val)),
        callbacks=[GradientNormClipping(1.0)],
        verbose=0,
    )
    with threads_set(threads):
        start = time.perf_counter()
        net.fit(train, train)
        seconds = time.perf_counter() - start
    # skorch scores nothing between two epochs here, so only the last one is known.
    return Epochs([case.auc(net.module_)], [seconds])

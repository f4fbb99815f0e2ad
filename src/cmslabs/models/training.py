"""One training loop for every network: resident tensors, shuffled indices, early stopping, best weights restored.

A `DataLoader` collects a batch event by event, which costs more than a small network's own arithmetic.  Here all
events lie in one tensor and a batch is a set of its rows.  The global random state and the number of threads are
as before when `train` returns.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from cmslabs.errors import CmslabsError, require
from cmslabs.models.base import ModelInputError
from cmslabs.models.checkpoint import describe, read_checkpoint, write_checkpoint
from cmslabs.models.devices import (
    autocast_type,
    grad_scaler,
    pick_device,
    seed_from,
    seeded,
    stream_seed,
    torch_threads,
)
from cmslabs.models.flat_weights import FlatWeights
from cmslabs.models.settings import TrainingSettings

torch = require("torch", "torch")

__all__ = ["History", "TrainingError", "TrainingSettings", "train"]

#: A loss: mean over the events of a batch, as a tensor that can be differentiated.
Loss = Callable[[Any, Any, Any], Any]


class TrainingError(CmslabsError):
    """A training that cannot go on: its loss is not a number any more."""


@dataclass
class History:
    """What happened, one entry per epoch.

    Attributes
    ----------
    train_loss, val_loss : list of float
        Mean loss per event.  The training loss is taken while the weights change, so it lags behind.
    learning_rate : list of float
    gradient_norm : list of float
        Largest norm of the gradient before it was clipped; empty if nothing is clipped.
    monitored : dict of list of float
        What `after_epoch` returned.
    best_epoch : int
        Whose weights the network has now, counted from 1.
    stopped_early : bool
    seconds : float
        Of all sessions of a resumed training, without `after_epoch`.
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    monitored: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    stopped_early: bool = False
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """How many epochs were run."""
        return len(self.val_loss)

    @property
    def best_loss(self) -> float:
        """Validation loss of the best epoch; inf before there is one."""
        return self.val_loss[self.best_epoch - 1] if self.best_epoch else math.inf


def train(
    network: Any,
    loss: Loss,
    X: Any,
    X_val: Any,
    settings: TrainingSettings | None = None,
    random_state: Any = None,
    *,
    validation_loss: Loss | None = None,
    after_epoch: Callable[[Any, History], Mapping[str, float] | None] | None = None,
) -> History:
    """Fit a network; on return it has the weights of the epoch with the smallest validation loss.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place, moved to the device, and left in evaluation mode.
    loss : callable
        ``loss(network, batch, generator)`` gives the mean loss of a batch.  The batch has the form of `X`: a tensor,
        or a tuple of tensors (features and context, for example).  What it draws, it draws from `generator`.  If it
        has a method ``begin_epoch(epoch)``, that is called first in every epoch, with 1, 2, ...
    X, X_val : array_like or tuple of array_like, shape (n_events, ...)
        Training and validation part.  Floating-point numbers become float32.
    settings : TrainingSettings, optional
    random_state : int, numpy Generator, RandomState or None
        Of the order of events, of dropout, and of `generator`.
    validation_loss : callable, optional
        What early stopping watches; `loss` if not given.  Its generator starts anew in every epoch, so that two epochs
        differ by their weights and not by luck.
    after_epoch : callable, optional
        ``after_epoch(network, history)``, called in evaluation mode.  Numbers that it returns are kept in
        `History.monitored`; an exception that it raises ends the training.

    Raises
    ------
    ModelInputError
        If there is no event to train on or to validate with, or the arrays of a tuple differ in length.
    TrainingError
        If a loss is NaN or infinite.
    ConfigError
        If the device is not there, or the checkpoint belongs to another training.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> network = torch.nn.Linear(2, 2)
    >>> def loss(network, batch, generator):
    ...     return torch.mean((network(batch) - batch) ** 2)
    >>> settings = TrainingSettings(epochs=20, batch_size=20, learning_rate=0.03)
    >>> history = train(network, loss, X[:200], X[200:], settings, random_state=1)
    >>> history.val_loss[-1] < 0.01 * history.val_loss[0]
    True
    """
    settings = settings or TrainingSettings()
    device = pick_device(settings.device)
    data, held_out = _resident(X, device, "train on"), _resident(X_val, device, "validate with")
    network.to(device)
    seed = seed_from(random_state)
    with torch_threads(network, settings.threads), seeded(stream_seed(seed, "dropout"), device):
        run = _Run(network, loss, validation_loss or loss, data, held_out, settings, seed, after_epoch)
        about = None
        if settings.checkpoint is not None:
            about = describe(network, (loss, validation_loss), (data, held_out), settings, seed, random_state)
            run.resume(read_checkpoint(settings.checkpoint, about))
        # Without `progress` the bar shows only where stderr is a terminal, which it is not in a notebook.
        hidden = None if settings.progress is None else not settings.progress
        with tqdm(total=settings.epochs, initial=run.history.epochs, unit="epoch", disable=hidden) as bar:
            while not run.finished:
                run.epoch()
                if about is not None and (run.finished or run.history.epochs % settings.checkpoint_every == 0):
                    write_checkpoint(settings.checkpoint, about, run.state())
                bar.set_postfix(loss=f"{run.history.val_loss[-1]:.4g}", best=run.history.best_epoch, refresh=False)
                bar.update()
        network.load_state_dict(run.best)
        run.flat.release()
        network.eval()
    return run.history


class _Run:
    """Everything that changes during a training, so that it can be written down and taken up again."""

    def __init__(self, network, loss, validation_loss, data, held_out, settings, seed, after_epoch):
        self.network, self.loss, self.validation_loss = network, loss, validation_loss
        self.data, self.held_out, self.settings, self.after_epoch = data, held_out, settings, after_epoch
        self.device = _first(data).device
        self.flat = FlatWeights([parameter for parameter in network.parameters() if parameter.requires_grad])
        self.optimizer = settings.make_optimizer([self.flat.vector])
        self.schedule = settings.make_schedule(self.optimizer)
        self.autocast = autocast_type(settings.mixed_precision, self.device)
        self.scaler = grad_scaler(self.autocast)
        self.order = torch.Generator().manual_seed(stream_seed(seed, "order"))
        self.noise = torch.Generator(self.device).manual_seed(stream_seed(seed, "noise"))
        self.validation_seed = stream_seed(seed, "validation")
        self.history = History()
        self.best = _copy(network.state_dict())

    @property
    def finished(self) -> bool:
        return self.history.stopped_early or self.history.epochs >= self.settings.epochs

    def epoch(self) -> None:
        """Once through the training part, then judge."""
        start, number, history = time.perf_counter(), self.history.epochs + 1, self.history
        for loss in {id(one): one for one in (self.loss, self.validation_loss)}.values():
            if hasattr(loss, "begin_epoch"):
                loss.begin_epoch(number)
        history.learning_rate.append(self.optimizer.param_groups[0]["lr"])
        history.train_loss.append(self._learn(number))
        history.val_loss.append(self._validate(number))
        self._judge(number)
        self.schedule(history.val_loss[-1])
        history.seconds += time.perf_counter() - start
        if self.after_epoch is not None:
            with torch.no_grad():
                found = self.after_epoch(self.network, history)
            for name, value in (found or {}).items():
                history.monitored.setdefault(name, []).append(float(value))

    def _learn(self, number: int) -> float:
        self.network.train()
        n, losses, norms = len(_first(self.data)), [], []
        batches = torch.randperm(n, generator=self.order).to(self.device).split(self.settings.batch_size)
        for rows in batches:
            self.flat.forget_gradient()
            with self._precision():
                loss = self.loss(self.network, _rows(self.data, rows), self.noise)
            self.scaler.scale(loss).backward() if self.scaler else loss.backward()
            if self.settings.clip_norm is not None:
                if self.scaler:
                    self.scaler.unscale_(self.optimizer)
                norms.append(torch.nn.utils.clip_grad_norm_([self.flat.vector], self.settings.clip_norm).detach())
            if self.scaler:
                self.scaler.step(self.optimizer)
                self.scaler.update()
            else:
                self.optimizer.step()
            losses.append(loss.detach())
        # One look per epoch: asking for a number after every batch would make a GPU wait.
        values = torch.stack(losses).double().cpu()
        if norms:
            self.history.gradient_norm.append(float(torch.stack(norms).max()))
        if not torch.isfinite(values).all():
            first = int(torch.nonzero(~torch.isfinite(values))[0]) + 1
            raise self._lost("training", f"epoch {number}, batch {first} of {len(values)}")
        sizes = torch.tensor([len(rows) for rows in batches], dtype=torch.float64)
        return float((values * sizes).sum() / n)

    @torch.no_grad()
    def _validate(self, number: int) -> float:
        self.network.eval()
        noise = torch.Generator(self.device).manual_seed(self.validation_seed)
        n, total = len(_first(self.held_out)), 0.0
        for rows in torch.arange(n, device=self.device).split(4 * self.settings.batch_size):
            with self._precision():
                total += len(rows) * float(self.validation_loss(self.network, _rows(self.held_out, rows), noise))
        if not math.isfinite(total):
            raise self._lost("validation", f"epoch {number}")
        return total / n

    def _judge(self, number: int) -> None:
        history, settings = self.history, self.settings
        if number < settings.min_epochs:
            return
        if history.best_epoch == 0 or history.val_loss[-1] < history.best_loss:
            history.best_epoch = number
            # A state_dict is a set of views: without a copy the "best" weights would go on learning.
            self.best = _copy(self.network.state_dict())
        elif settings.patience is not None and number - history.best_epoch >= settings.patience:
            history.stopped_early = True

    def _lost(self, which: str, where: str) -> TrainingError:
        settings = self.settings
        tries = [f"a smaller learning_rate (now {settings.learning_rate:g})"]
        if settings.clip_norm is None:
            tries.append("clip_norm=1.0 (now off)")
        else:
            found = max((norm for norm in self.history.gradient_norm if math.isfinite(norm)), default=None)
            seen = "" if found is None else f", gradients up to {found:.3g}"
            tries.append(f"a smaller clip_norm (now {settings.clip_norm:g}{seen})")
        if self.autocast is not None:
            tries.append("mixed_precision='off'")
        return TrainingError(
            f"the {which} loss is not a finite number any more.",
            where=where,
            remedy=f"Try {' or '.join(tries)}, and look for values of X that lie far out.",
        )

    def _precision(self) -> Any:
        if self.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast)

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on."""
        random = {"global": torch.get_rng_state(), "order": self.order.get_state(), "noise": self.noise.get_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            "network": self.network.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict() if self.scaler else {},
            "random": random,
            "history": dict(vars(self.history)),
        }

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Take up where `state` was written; nothing to do without one."""
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.best = {name: value.to(self.device) for name, value in state["best"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.scaler:
            self.scaler.load_state_dict(state["scaler"])
        random = state["random"]
        torch.set_rng_state(random["global"])
        self.order.set_state(random["order"])
        self.noise.set_state(random["noise"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(random["cuda"], self.device)
        self.history = History(**state["history"])


def _resident(X: Any, device: Any, purpose: str) -> Any:
    """Tensors on the device; a tuple stays a tuple."""
    several = isinstance(X, tuple)
    tensors = tuple(_tensor(one, device) for one in (X if several else (X,)))
    lengths = {len(tensor) for tensor in tensors}
    if len(lengths) > 1:
        raise ModelInputError(f"the arrays to {purpose} have {sorted(lengths)} rows.", remedy="Give as many of each.")
    if lengths == {0}:
        raise ModelInputError(f"there is no event to {purpose}.", remedy="Give more events, or another split.")
    return tensors if several else tensors[0]


def _tensor(array: Any, device: Any) -> Any:
    tensor = array if isinstance(array, torch.Tensor) else torch.tensor(np.asarray(array))
    return tensor.to(device, torch.float32 if tensor.is_floating_point() else tensor.dtype)


def _rows(data: Any, rows: Any) -> Any:
    return tuple(one[rows] for one in data) if isinstance(data, tuple) else data[rows]


def _first(data: Any) -> Any:
    return data[0] if isinstance(data, tuple) else data


def _copy(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in state.items()}

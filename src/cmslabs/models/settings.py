"""The settings of a training, checked, and the learning rate that follows from them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from cmslabs.errors import ConfigError, close_names, require

torch = require("torch", "torch")

__all__ = ["SCHEDULES", "Schedule", "TrainingSettings"]

SCHEDULES = ("constant", "cosine", "plateau")
PRECISIONS = ("off", "auto", "bf16", "fp16")


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; the same for every network.

    Attributes
    ----------
    epochs : int
        At most so many times through the training part.
    batch_size : int
    learning_rate, weight_decay : float
        Of Adam (with decoupled decay, AdamW, doi:10.48550/arXiv.1711.05101).
    schedule : {"constant", "cosine", "plateau"}
        Learning rate per epoch: unchanged; from `learning_rate` to 0 along a cosine; or halved whenever the validation
        loss has not improved for half of `patience` (5 epochs if that is None).
    patience : int or None
        Stop after so many epochs without a new best one; None never stops early.
    min_epochs : int
        No earlier epoch counts as the best, for losses that change at first (KL warm-up).
    clip_norm : float or None
        Longest gradient; a longer one is shortened to it.  None leaves gradients alone.
    device : str
        ``"auto"`` is the GPU if there is one.
    mixed_precision : {"off", "auto", "bf16", "fp16"}
        ``"auto"`` uses it on a GPU only.  It costs precision and pays for large networks.
    threads : int or None
        Threads on the CPU; None is one for small networks, where a second one only costs, and torch's own number else.
    progress : bool or None
        Bar on stderr; None shows it on a terminal only, so not in a notebook.
    checkpoint : path-like or None
        File that is written as the training goes on.  If it is there, the training goes on from it.
    checkpoint_every : int
        Epochs between two writes.
    """

    epochs: int = 100
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "constant"
    patience: int | None = 10
    min_epochs: int = 1
    clip_norm: float | None = 1.0
    device: str = "auto"
    mixed_precision: str = "off"
    threads: int | None = None
    progress: bool | None = None
    checkpoint: str | os.PathLike | None = None
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "min_epochs", "threads", "checkpoint_every"):
            value = getattr(self, name)
            if value is None and name in ("patience", "threads"):
                continue
            if value != int(value) or value < 1:
                raise ConfigError(f"{name} must be a whole number from 1 on, not {value!r}.")
        if self.min_epochs > self.epochs:
            raise ConfigError(
                f"the first {self.min_epochs - 1} epochs may not be the best, but there are only {self.epochs} epochs.",
                remedy="Give more epochs, or a shorter warm-up.",
            )
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"{name} must be a positive number, not {value!r}.")
        if not (self.weight_decay >= 0 and math.isfinite(self.weight_decay)):
            raise ConfigError(f"weight_decay must not be negative, but is {self.weight_decay!r}.")
        for name, known in (("schedule", SCHEDULES), ("mixed_precision", PRECISIONS)):
            value = getattr(self, name)
            if value not in known:
                near = close_names(str(value), known, n=1)
                raise ConfigError(
                    f"there is no {name} {value!r}.",
                    remedy=f"Did you mean {near[0]!r}?" if near else f"Use one of {', '.join(known)}.",
                )

    def make_optimizer(self, weights: list[Any]) -> Any:
        """AdamW on these weights."""
        options: dict[str, Any] = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
        kinds = {weight.device.type for weight in weights}
        # One kernel for all weights halves the time of a small network's step; before torch 2.4 only on a GPU.
        if kinds == {"cuda"} or (kinds == {"cpu"} and _torch_version() >= (2, 4)):
            options["fused"] = True
        return torch.optim.AdamW(weights, **options)

    def make_schedule(self, optimizer: Any) -> Schedule:
        """The learning rate of each epoch."""
        return Schedule(self, optimizer)


class Schedule:
    """Sets the learning rate of the next epoch after each one."""

    def __init__(self, settings: TrainingSettings, optimizer: Any):
        self.settings, self.optimizer = settings, optimizer
        self.epoch, self.factor, self.best, self.waited = 0, 1.0, math.inf, 0

    def __call__(self, val_loss: float) -> None:
        """One epoch is over."""
        self.epoch += 1
        if self.settings.schedule == "cosine":
            self.factor = 0.5 * (1 + math.cos(math.pi * self.epoch / self.settings.epochs))
        elif self.settings.schedule == "plateau":
            self.waited = 0 if val_loss < self.best else self.waited + 1
            self.best = min(val_loss, self.best)
            if self.waited >= max(1, (self.settings.patience or 10) // 2):
                self.factor, self.waited = self.factor / 2, 0
        for group in self.optimizer.param_groups:
            group["lr"] = self.factor * self.settings.learning_rate

    def state_dict(self) -> dict[str, float]:
        """What the next epochs depend on."""
        return {"epoch": self.epoch, "factor": self.factor, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from such a state."""
        vars(self).update(state)


def _torch_version() -> tuple[int, ...]:
    return tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])

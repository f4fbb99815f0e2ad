"""Where and how torch computes: device, precision, threads, and random numbers that leave the global state alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, require
from cmslabs.jobs import chunk_seed

torch = require("torch", "torch")

__all__ = ["autocast_type", "grad_scaler", "pick_device", "seed_from", "seeded", "stream_seed", "torch_threads"]

#: Independent streams of random numbers of one training: a new one goes to the end.
STREAMS = ("weights", "split", "dropout", "order", "noise", "validation", "cells")
#: Up to so many weights a second thread costs more than it gives.
SMALL_NETWORK = 200_000


def pick_device(name: str = "auto") -> Any:
    """The torch device of that name; ``"auto"`` is the GPU if CUDA sees one, else the CPU.

    Raises
    ------
    ConfigError
        If there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"there is no device {name!r}.", remedy="Use 'auto', 'cpu' or 'cuda'.") from error
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError("CUDA sees no GPU on this computer.", remedy="Use device='auto' or 'cpu'.")
        device = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
    elif device.type != "cpu":
        raise ConfigError(f"the device {name!r} is not supported.", remedy="Use 'auto', 'cpu' or 'cuda'.")
    return device


def autocast_type(mixed_precision: str, device: Any) -> Any:
    """The type of a mixed-precision training, None for plain float32.

    ``"auto"`` means bfloat16 on a GPU that has it, float16 on an older one, and nothing on a CPU.
    """
    if mixed_precision == "off" or (mixed_precision == "auto" and device.type == "cpu"):
        return None
    if mixed_precision == "auto":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if mixed_precision == "fp16" and device.type == "cpu":
        raise ConfigError(
            "mixed_precision='fp16' needs a GPU.", remedy="Use 'auto', which does the right thing on either."
        )
    return {"bf16": torch.bfloat16, "fp16": torch.float16}[mixed_precision]


def grad_scaler(autocast: Any) -> Any:
    """What keeps small gradients of float16 from vanishing; None where it is not needed."""
    if autocast is not torch.float16:
        return None
    return torch.amp.GradScaler("cuda") if hasattr(torch.amp, "GradScaler") else torch.cuda.amp.GradScaler()


@contextlib.contextmanager
def torch_threads(network: Any, threads: int | None = None) -> Iterator[None]:
    """Compute with so many threads, by default one for a small network; restored afterwards.

    A second thread makes convolutions faster where both cores are idle, and much slower where they are not, because
    each waits for the other at every step.  One thread also gives the same numbers on any number of cores.
    """
    if threads is None:
        weights = sum(parameter.numel() for parameter in network.parameters())
        threads = 1 if weights < SMALL_NETWORK else None
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seed_from(random_state: Any) -> int:
    """A seed from what scikit-learn calls `random_state`: a number, a generator, or None for a new one."""
    if random_state is None:
        return int(np.random.SeedSequence().entropy % (1 << 63))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(1 << 31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(1 << 31))
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    raise ConfigError(f"random_state must be a number from 0 on, a generator or None, not {random_state!r}.")


def stream_seed(seed: int, stream: str) -> int:
    """The seed of one of the `STREAMS`: independent of the others, and known from `seed` alone."""
    return chunk_seed(seed, STREAMS.index(stream))


@contextlib.contextmanager
def seeded(seed: int, device: Any = "cpu") -> Iterator[None]:
    """Seed the global generators, which dropout and new layers read, and put them back afterwards."""
    device = torch.device(device)
    cuda = [device.index] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield

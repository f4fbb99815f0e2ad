"""A training on disk: written in one step, read without executing anything, and only for the training it belongs to."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cmslabs.errors import ConfigError, DataError, require
from cmslabs.io import atomic_write

torch = require("torch", "torch")

__all__ = ["describe", "read_checkpoint", "write_checkpoint"]

FORMAT = 1
#: Settings that do not change what comes out.
_FREE = ("progress", "checkpoint", "checkpoint_every")


def describe(
    network: Any, losses: tuple, data: tuple, settings: Any, seed: int, random_state: Any
) -> dict[str, str | int]:
    """What a training follows from, part by part: a checkpoint of anything else must not be continued.

    Raises
    ------
    ConfigError
        If `random_state` is None: such a training cannot be repeated, so it cannot be continued either.
    """
    if random_state is None:
        raise ConfigError("a checkpoint needs a random_state.", remedy="Give one, for example random_state=1.")
    parts = {name: str(value) for name, value in dataclasses.asdict(settings).items() if name not in _FREE}
    tensors = [one for part in data for one in (part if isinstance(part, tuple) else (part,))]
    return {
        **parts,
        "random_state": seed,
        "device": str(tensors[0].device),
        "network": str(network),
        "loss": " ".join(_name(loss) for loss in losses if loss is not None),
        "weights at the start": _hash(network.state_dict().values()),
        "data": _hash(tensors),
    }


def write_checkpoint(path: str | os.PathLike, about: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Replace the file by a whole new one: a process that is killed meanwhile leaves the old one."""
    with atomic_write(path) as temporary:
        torch.save({"format": FORMAT, "about": dict(about), "state": dict(state)}, temporary)


def read_checkpoint(path: str | os.PathLike, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state in the file; None if there is no file yet.

    Raises
    ------
    DataError
        If the file is damaged or no checkpoint.
    ConfigError
        If it belongs to a training with other data, settings or weights; the message names the first difference.
    """
    if not Path(path).exists():
        return None
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        found, state = content["about"], content["state"]
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
    except Exception as error:
        raise DataError(
            f"is not a whole checkpoint ({type(error).__name__}).", where=path, remedy="Delete it to begin anew."
        ) from error
    for name, value in about.items():
        if found.get(name) != value:
            told = "" if len(f"{value}{found.get(name)}") > 60 else f" ({found.get(name)} there, {value} here)"
            raise ConfigError(
                f"is the checkpoint of another training: {name} differs{told}.",
                where=path,
                remedy="Give the same again, or another file.",
            )
    return state


def _name(loss: Any) -> str:
    return repr(loss) if dataclasses.is_dataclass(loss) else getattr(loss, "__qualname__", type(loss).__qualname__)


def _hash(tensors: Any) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]

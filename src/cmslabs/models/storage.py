"""A fitted model in one file, without pickle: a ZIP archive of JSON, plain arrays, tensors and checked estimators."""

from __future__ import annotations

import importlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cmslabs.errors import CmslabsError, ConfigError, DataError, require
from cmslabs.io import atomic_write, canonical_json, existing_file, versions

__all__ = ["TRUSTED", "State", "from_plain", "read_state", "to_plain", "write_state"]

FORMAT = 1
#: Largest sum of all unpacked members, those of archives inside the archive too [bytes]: a file of a few kB must not
#: fill the memory.
LARGEST = 1 << 30
#: The only members that a file may have.
MEMBERS = ("model.json", "arrays.npz", "tensors.pt", "estimators.skops")
#: Members do not carry the time at which they were written.
_DATE = (1980, 1, 1, 0, 0, 0)
_TUPLE = "__tuple__"

#: Types beyond skops' own defaults that may come out of a file: what our estimators are made of, and nothing else.
#: skops 0.16 asks for the first two; 0.11, the oldest that we support, for all but the second.
TRUSTED = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
)


@dataclass
class State:
    """What a model has learnt.

    Attributes
    ----------
    plain : dict
        Numbers, texts and lists of them, for JSON.
    arrays : dict of ndarray
    tensors : dict
        Nested dict of torch tensors, a ``state_dict`` for example.
    estimators : dict
        Fitted scikit-learn estimators.
    """

    plain: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)
    estimators: dict[str, Any] = field(default_factory=dict)


def to_plain(value: Any, name: str = "value") -> Any:
    """A value as JSON can hold it: NumPy's numbers become Python's, a tuple is marked as one.

    Raises
    ------
    ConfigError
        If it is none of number, text, list, tuple or dict of these.

    Examples
    --------
    >>> from_plain(to_plain({"hidden": (32, 16), "rate": np.float32(0.5)}))
    {'hidden': (32, 16), 'rate': 0.5}
    """
    if isinstance(value, Mapping):
        return {str(key): to_plain(one, name) for key, one in value.items()}
    if isinstance(value, tuple):
        return {_TUPLE: [to_plain(one, name) for one in value]}
    if isinstance(value, list):
        return [to_plain(one, name) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and np.isfinite(value)):
        return value
    raise ConfigError(
        f"a {type(value).__name__} ({value!r}) cannot be saved.",
        where=name,
        remedy="Give a finite number, a text, or a list of these (for random_state: a whole number).",
    )


def from_plain(value: Any) -> Any:
    """The value that `to_plain` was given."""
    if isinstance(value, dict):
        if set(value) == {_TUPLE}:
            return tuple(from_plain(one) for one in value[_TUPLE])
        return {key: from_plain(one) for key, one in value.items()}
    return [from_plain(one) for one in value] if isinstance(value, list) else value


def write_state(path: str | os.PathLike, kind: type, facts: Mapping[str, Any], state: State) -> None:
    """Write a model's class name, facts (as JSON) and state into one file.

    Raises
    ------
    ConfigError
        If the class is not in the registry: nobody could read the file.
    """
    about = {
        "format": FORMAT,
        "class": _registered(kind),
        "versions": versions("scikit-learn", "numpy", "torch"),
        "plain": state.plain,
        **facts,
    }
    members = {"model.json": canonical_json(about).encode()}
    if state.arrays:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **state.arrays)
        members["arrays.npz"] = buffer.getvalue()
    if state.tensors:
        buffer = io.BytesIO()
        require("torch", "torch").save(state.tensors, buffer)
        members["tensors.pt"] = buffer.getvalue()
    if state.estimators:
        members["estimators.skops"] = importlib.import_module("skops.io").dumps(state.estimators)
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)


def read_state(path: str | os.PathLike) -> tuple[type, dict[str, Any], State]:
    """Class, facts and state of a model; nothing in the file is ever executed.

    Raises
    ------
    DataError
        If the file is damaged, too large, of another format, or holds what a model of ours does not consist of.
    """
    path = existing_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
        about = _about(members.pop("model.json"))
        kind = _model_class(about["class"])
        state = State(plain=about.pop("plain"))
        for name, content in members.items():
            _READERS[name](content, state)
    except CmslabsError as error:
        raise type(error)(error.what, where=path, remedy=error.remedy) from error
    except Exception as error:
        raise DataError(
            f"is not a whole model file ({type(error).__name__}: {' '.join(str(error).split())[:200]}).",
            where=path,
            remedy="Save the model again.",
        ) from error
    return kind, about, state


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    names = archive.namelist()
    strange = sorted(set(names) - set(MEMBERS)) or sorted({name for name in names if names.count(name) > 1})
    if strange or "model.json" not in names:
        raise DataError(
            f"is no model of cmslabs ({f'it holds {strange[0]!r}' if strange else 'it has no model.json'}).",
            remedy="Give a file that was written by save(path).",
        )
    _refuse_bomb(_unpacked(archive))
    members = {name: archive.read(name) for name in names}
    # Three of the members are archives themselves.
    inside = [content for name, content in members.items() if name != "model.json"]
    _refuse_bomb(sum(_unpacked(zipfile.ZipFile(io.BytesIO(content))) for content in inside))
    return members


def _unpacked(archive: zipfile.ZipFile) -> int:
    return sum(info.file_size for info in archive.infolist())


def _refuse_bomb(size: int) -> None:
    if size > LARGEST:
        raise DataError(
            f"unpacks to {size / 1e9:.1f} GB; no model of cmslabs is larger than {LARGEST / 1e9:.1f} GB.",
            remedy="Do not open files of unknown origin.",
        )


def _about(content: bytes) -> dict[str, Any]:
    about = json.loads(content)
    if about.get("format") != FORMAT:
        raise DataError(
            f"has the format {about.get('format')!r}; this version of cmslabs reads {FORMAT}.",
            remedy="Use the version that wrote it.",
        )
    return about


def _read_arrays(content: bytes, state: State) -> None:
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        state.arrays.update({name: found[name] for name in found.files})


def _read_tensors(content: bytes, state: State) -> None:
    torch = require("torch", "torch")
    state.tensors.update(torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"))


def _read_estimators(content: bytes, state: State) -> None:
    skops = importlib.import_module("skops.io")
    unknown = sorted(set(skops.get_untrusted_types(data=content)) - set(TRUSTED))
    if unknown:
        raise DataError(
            f"holds a {unknown[0]}, which a model of cmslabs does not consist of.",
            remedy="Do not open files of unknown origin.",
        )
    state.estimators.update(skops.loads(content, trusted=list(TRUSTED)))


_READERS = {"arrays.npz": _read_arrays, "tensors.pt": _read_tensors, "estimators.skops": _read_estimators}


def _registered(kind: type) -> str:
    """How the registry names a class."""
    from cmslabs.models.registry import MODELS

    name = f"{kind.__module__}:{kind.__qualname__}"
    if name not in MODELS.values():
        raise ConfigError(
            f"{kind.__name__} is in no registry, so that a file of it could not be read again.",
            remedy=f'Add a line to cmslabs.models.registry.MODELS: "{kind.__name__.lower()}": "{name}".',
        )
    return name


def _model_class(name: str) -> type:
    """A class of our own registry: a name in a file must not import anything else."""
    from cmslabs.models.registry import MODELS

    if name not in MODELS.values():
        raise DataError(
            f"holds the model {name!r}, which this version of cmslabs does not know.",
            remedy="Use the version that wrote it, or add the model to the registry.",
        )
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ConfigError(f"needs the package '{error.name}', which is not installed.") from error

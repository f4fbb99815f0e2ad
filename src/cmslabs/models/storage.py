"""A fitted model in one file, without pickle: a ZIP archive of JSON, plain arrays, tensors and checked estimators."""

from __future__ import annotations

import importlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, DataError, require
from cmslabs.io import atomic_write, canonical_json, existing_file, versions

__all__ = ["State", "read_state", "write_state"]

#: Largest sum of the unpacked members [bytes]: an archive of a few kB must not fill the memory.
LARGEST = 1 << 30
FORMAT = 1
#: The only members that a file may have.
MEMBERS = ("model.json", "arrays.npz", "tensors.pt", "estimators.skops")
#: A file has the same bytes whenever it is written.
_DATE = (1980, 1, 1, 0, 0, 0)

#: Types beyond skops' own defaults that may come out of a file: what our estimators are made of.
TRUSTED = (
    "numpy.dtype",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
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


def write_state(path: str | os.PathLike, kind: type, facts: Mapping[str, Any], state: State) -> None:
    """Write a model's class name, facts (as JSON) and state into one file."""
    about = {
        "format": FORMAT,
        "class": f"{kind.__module__}:{kind.__qualname__}",
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
        members["estimators.skops"] = require("skops.io", "all").dumps(state.estimators)
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
            members = _members(archive, path)
        about = _json(members.pop("model.json"))
        state = State(plain=about.pop("plain"))
        for name, content in members.items():
            _READERS[name](content, state)
        return _model_class(about["class"], path), about, state
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"is not a whole model file ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}).",
            where=path,
            remedy="Save the model again.",
        ) from error


def _members(archive: zipfile.ZipFile, path: Any) -> dict[str, bytes]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    strange = sorted(set(names) - set(MEMBERS)) or sorted({name for name in names if names.count(name) > 1})
    if strange or "model.json" not in names:
        raise DataError(
            f"is no model of cmslabs ({f'it holds {strange[0]!r}' if strange else 'it has no model.json'}).",
            where=path,
            remedy="Give a file that was written by save(path).",
        )
    if sum(info.file_size for info in infos) > LARGEST:
        raise DataError("unpacks to more than 1 GB, which no model of cmslabs does.", where=path)
    return {info.filename: archive.read(info) for info in infos}


def _json(content: bytes) -> dict[str, Any]:
    import json

    about = json.loads(content)
    if about.get("format") != FORMAT:
        raise DataError(f"has the format {about.get('format')!r}; this version of cmslabs reads {FORMAT}.")
    return about


def _read_arrays(content: bytes, state: State) -> None:
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        state.arrays.update({name: found[name] for name in found.files})


def _read_tensors(content: bytes, state: State) -> None:
    torch = require("torch", "torch")
    state.tensors.update(torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"))


def _read_estimators(content: bytes, state: State) -> None:
    skops = require("skops.io", "all")
    unknown = sorted(set(skops.get_untrusted_types(data=content)) - set(TRUSTED))
    if unknown:
        raise DataError(
            f"holds a {unknown[0]}, which a model of cmslabs does not consist of.",
            remedy="Do not load files of unknown origin.",
        )
    state.estimators.update(skops.loads(content, trusted=list(TRUSTED)))


_READERS = {"arrays.npz": _read_arrays, "tensors.pt": _read_tensors, "estimators.skops": _read_estimators}


def _model_class(name: str, path: Any) -> type:
    """A class of our own registry: a name in a file must not import anything else."""
    from cmslabs.models.registry import MODELS

    if name not in MODELS.values():
        raise DataError(f"holds the model {name!r}, which this version of cmslabs does not know.", where=path)
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise ConfigError(f"needs {error.name}, which is not installed.", where=path) from error

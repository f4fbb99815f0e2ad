"""Configuration files: one strict YAML dialect and one set of messages for every command."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cmslabs.errors import ConfigError, close_names
from cmslabs.io import existing_file, json_hash

__all__ = [
    "StrictModel",
    "bundled_names",
    "config_hash",
    "config_path",
    "explain",
    "load_config",
    "load_yaml",
    "validate",
]

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """Base of every configuration: unknown keys are errors and values cannot change later."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without its traps.

    ``1e-3`` is a number, ``no`` and ``on`` are words, and a key that stands twice is an error
    instead of a silent choice of the last one.
    """


_Loader.yaml_implicit_resolvers = {
    letter: [
        (tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")
    ]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\d[\d_]*\.[\d_]*(?:[eE][-+]?\d+)?|\.\d[\d_]*(?:[eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+"
        r"|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def _mapping_without_twins(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict:
    seen: set[str] = set()
    for key_node, _ in node.value:
        key = str(key_node.value)
        if key in seen and key_node.tag != "tag:yaml.org,2002:merge":
            raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


def _construct_mapping(loader: _Loader, node: yaml.MappingNode):
    data: dict = {}
    yield data
    data.update(_mapping_without_twins(loader, node))


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def load_yaml(path: str | os.PathLike) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises
    ------
    ConfigError
        If it is not YAML, holds a key twice, or is not a mapping; the message names the line.
    """
    path = existing_file(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(
            f"is not valid YAML: {problem}.", where=f"{path}{line}", remedy="Correct that line."
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            "is empty or not a mapping.", where=path, remedy="Write lines of the form 'key: value' at the top level."
        )
    return content


def load_config(path: str | os.PathLike, model: type[Model], overrides: Sequence[str] = ()) -> Model:
    """Read a YAML file into a pydantic model.

    Parameters
    ----------
    path : path-like
        The YAML file.
    model : type
        The pydantic model that says what may stand there.
    overrides : sequence of str
        ``"train.epochs=20"``: values from the command line, read as YAML.

    Raises
    ------
    ConfigError
        With one line per mistake: the key, what is wrong, and what to write instead.
    """
    content = load_yaml(path)
    for override in overrides:
        _override(content, override)
    return validate(model, content, where=path)


def _override(content: dict, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"the override {override!r} has no key or value.", remedy="Write it as key.subkey=value.")
    *parents, last = key.strip().split(".")
    place = content
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ConfigError(f"the override {override!r} goes into '{parent}', which is a value, not a section.")
    try:
        place[last] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of the override {override!r} is not valid YAML.", remedy="Quote it.") from error


def validate(model: type[Model], content: Mapping[str, Any], *, where: object = None) -> Model:
    """Build `model` from `content`, turning pydantic's report into our own.

    Raises
    ------
    ConfigError
    """
    try:
        return model.model_validate(dict(content))
    except ValidationError as error:
        raise ConfigError(explain(error, model), where=where) from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One line per mistake, in the words of somebody who writes YAML."""
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "(top level)"
        if item["type"] == "extra_forbidden":
            known = _fields_at(model, item["loc"][:-1])
            close = close_names(str(item["loc"][-1]), known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(sorted(known)) or 'none'}."
            lines.append(f"{key}: unknown key; {hint}")
        elif item["type"] == "missing":
            lines.append(f"{key}: this key is required and missing.")
        else:
            message = item["msg"].removeprefix("Value error, ")
            # A mistake of the whole file is in its message; the file itself is no help.
            found = "" if isinstance(item["input"], Mapping) else f" (found {item['input']!r})."
            lines.append(f"{key}: {message}{found}")
    return lines[0] if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)


def _fields_at(model: Any, location: tuple) -> list[str]:
    """Names of the fields of the sub-model at `location`; empty where that is no model."""
    for part in location:
        fields = getattr(model, "model_fields", None)
        if isinstance(part, int) or fields is None or part not in fields:
            continue
        model = _first_model(fields[part].annotation)
    return list(getattr(model, "model_fields", {}))


def _first_model(annotation: Any) -> Any:
    """The first pydantic model inside a type such as ``list[Column] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _first_model(inner)
        if found is not None:
            return found
    return None


def config_hash(config: BaseModel) -> str:
    """Sixteen hexadecimal digits that change when any value of the configuration changes."""
    return json_hash(config.model_dump(mode="json"))


def bundled_names(package: str, folder: str) -> list[str]:
    """Names of the YAML files that come in a folder of a package, without their ending."""
    entries = (files(package) / folder).iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml"))


def config_path(source: str | os.PathLike, what: str, package: str, folder: str) -> Path:
    """The file that is meant by the name of a bundled one, or by a path.

    Parameters
    ----------
    source : path-like or str
        ``"mine.yaml"``, or a name from `bundled_names`.
    what : str
        What the file holds, for the error text: "analysis", "fileset".
    package, folder : str
        Where the bundled ones are.

    Raises
    ------
    ConfigError
        If it is neither; names that are close are suggested.
    """
    text, known = os.fspath(source), bundled_names(package, folder)
    if text in known:
        return Path(str(files(package) / folder / f"{text}.yaml"))
    if Path(text).suffix not in (".yaml", ".yml"):
        names = ", ".join(close_names(text, known) or known)
        raise ConfigError(f"there is no {what} '{text}'.", remedy=f"Give a YAML file, or one of: {names}.")
    return Path(text)

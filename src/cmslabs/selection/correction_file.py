"""Files of corrections in the JSON format of correctionlib: read, bounded in size, checked, never executed.

The format: https://cms-nanoaod.github.io/correctionlib (schema version 2); CMS publishes its scale factors in it.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cmslabs.errors import DataError, require
from cmslabs.io import existing_file

__all__ = ["MAX_BYTES", "Correction", "check_finite", "read_corrections"]

#: No file of scale factors is larger than this, unpacked [bytes].
MAX_BYTES = 1 << 26
_REMEDY = "Fetch it again, or validate it with: correction validate --version 2 FILE"


@dataclass(frozen=True)
class Correction:
    """One correction of a file: a function of named inputs.

    Attributes
    ----------
    name : str
    file : str
        Where it was read.
    content : dict
        The JSON of this correction.
    """

    name: str
    file: str
    content: dict[str, Any]

    @property
    def where(self) -> str:
        """File and name, as errors give them."""
        return f"{self.file}, {self.name}"

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in the order in which the correction takes them."""
        return [variable["name"] for variable in self.content["inputs"]]

    def keys(self, name: str) -> list[str]:
        """What the text input `name` may be, in the file's order."""
        nodes = (node for node in _nodes(self.content["data"]) if node["nodetype"] == "category")
        return list(
            dict.fromkeys(str(item["key"]) for node in nodes if node["input"] == name for item in node["content"])
        )

    def range(self, name: str) -> tuple[float, float]:
        """Lowest and highest edge between which every binning of the input `name` is defined.

        Without a binning that is everything.
        """
        low, high = -math.inf, math.inf
        for node in self._nodes():
            for edges in _edges(node, name):
                low, high = max(low, edges[0]), min(high, edges[1])
        return low, high

    def _nodes(self) -> Iterator[dict]:
        """All nodes of the tree, once the schema's check has passed."""
        if self._evaluator is not None:
            yield from _nodes(self.content["data"])

    @cached_property
    def _evaluator(self):
        correctionlib = require("correctionlib", "cms")
        schema = require("correctionlib.schemav2", "cms")
        whole = {"schema_version": schema.VERSION, "corrections": [self.content]}
        try:
            # The compiled reader checks less than the schema does.
            schema.CorrectionSet.model_validate(whole)
            return correctionlib.CorrectionSet.from_string(json.dumps(whole))[self.name]
        except (ValueError, RuntimeError, IndexError) as error:
            reason = " ".join(str(error).split())[:300]
            raise DataError(f"is not a valid correction ({reason}).", where=self.where, remedy=_REMEDY) from error

    def __call__(self, **inputs: np.ndarray | str) -> np.ndarray:
        """Evaluate; every input by its name: arrays of one shape, or texts.

        Raises
        ------
        DataError
            If an input is not finite or outside of the bins, or the result is not finite.
        """
        for name, values in inputs.items():
            if not isinstance(values, str):
                check_finite(values, f"the input '{name}'", self.where)
        arguments = [inputs[name] for name in self.inputs]
        try:
            result = np.asarray(self._evaluator.evaluate(*arguments), dtype=float)
        except (IndexError, RuntimeError, ValueError) as error:
            raise DataError(
                f"cannot be evaluated ({error}).", where=self.where, remedy="The inputs lie outside of its bins."
            ) from error
        if not np.isfinite(result).all():
            raise DataError("gives values that are not finite.", where=self.where, remedy=_REMEDY)
        return result


def check_finite(values: np.ndarray, what: str, where: str) -> None:
    """Refuse NaN and infinities.

    Raises
    ------
    DataError
        With their number and the position of the first.
    """
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{what} is not finite for {len(bad)} of {len(values)} values, first at {bad[0]}.",
            where=where,
            remedy="Look at the events with: cmslabs data check FILE",
        )


def read_corrections(path: str | os.PathLike) -> list[Correction]:
    """All corrections of one ``.json`` or ``.json.gz`` file.

    Only the outer structure is checked here: large files are quick to open, and a correction is checked
    in full when it is first used.

    Raises
    ------
    DataError
        If the file is missing, too large, not JSON, or not a set of corrections in schema version 2.
    """
    path = existing_file(path)
    try:
        content = json.loads(_text(path), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not valid JSON ({error}).", where=path, remedy=_REMEDY) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != 2:
        raise DataError(
            f"is no set of corrections in schema version 2 (schema_version is {version!r}).", where=path, remedy=_REMEDY
        )
    entries = content.get("corrections")
    if not isinstance(entries, list) or not all(_looks_right(entry) for entry in entries):
        raise DataError("has corrections without name, inputs or data.", where=path, remedy=_REMEDY)
    return [Correction(entry["name"], str(path), entry) for entry in entries]


def _text(path: Path) -> str:
    if path.name.endswith(".json.gz"):
        opener = gzip.open
    elif path.name.endswith(".json"):
        opener = open
    else:
        raise DataError("is not named .json or .json.gz.", where=path, remedy="Corrections are read from such files.")
    try:
        with opener(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be unpacked ({error}).", where=path, remedy=_REMEDY) from error
    if len(raw) > MAX_BYTES:
        raise DataError(
            f"is larger than {MAX_BYTES >> 20} MiB unpacked.", where=path, remedy="That is no file of scale factors."
        )
    return raw.decode("utf-8")


def _refuse(text: str) -> float:
    raise ValueError(f"the number {text} is not allowed")


def _looks_right(entry: Any) -> bool:
    """Whether the parts that are looked at before the schema's check have the right types."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or "data" not in entry:
        return False
    inputs = entry.get("inputs")
    return isinstance(inputs, list) and all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in inputs
    )


def _nodes(node: Any) -> Iterator[dict]:
    """A node of the tree and all below it."""
    if not isinstance(node, dict):
        return
    yield node
    below = node.get("content", [])
    for child in below if isinstance(below, list) else [below]:
        yield from _nodes(child.get("value") if isinstance(child, dict) and "value" in child else child)


def _edges(node: dict, name: str) -> Iterator[tuple[float, float]]:
    """First and last edge of each binning of the input `name` in one node."""
    if node["nodetype"] == "binning":
        axes = [(node["input"], node["edges"])]
    elif node["nodetype"] == "multibinning":
        axes = zip(node["inputs"], node["edges"], strict=True)
    else:
        return
    for axis, edges in axes:
        if axis == name:
            yield (edges["low"], edges["high"]) if isinstance(edges, dict) else (float(edges[0]), float(edges[-1]))

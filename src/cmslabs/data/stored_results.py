"""Results that take longer than a page may: made once by a script, kept in the package with where they come from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from cmslabs.errors import DataError, close_names
from cmslabs.io import json_hash, read_json, versions, write_json

__all__ = ["result_path", "stored_result", "write_result"]


def result_path(name: str) -> Path:
    """The file of a result, which need not exist yet."""
    return Path(str(files("cmslabs.data") / "results" / f"{name}.json"))


def write_result(
    path: str | os.PathLike,
    name: str,
    *,
    script: str,
    commit: str,
    config: Mapping[str, Any],
    numbers: Mapping[str, Any],
    packages: Sequence[str],
) -> None:
    """Write the result of a script on simulated events, with hashes by which `stored_result` knows it again.

    Parameters
    ----------
    path : path-like
    name : str
        Of the result, for example ``"jet-images"``.
    script : str
        From the repository's root.
    commit : str
        That the numbers were made with.
    config, numbers : mapping
        What was run, and what came out: plain JSON.
    packages : sequence of str
        Whose versions shape the numbers.
    """
    content = {"name": name, "simulation": True, "script": script, "commit": commit, "versions": versions(*packages)}
    for part, value in (("config", config), ("numbers", numbers)):
        content |= {part: value, f"{part}_hash": json_hash(value)}
    write_json(path, content)


def stored_result(name: str) -> dict[str, Any]:
    """A result that comes with the package.

    Parameters
    ----------
    name : str
        For example ``"jet-images"``.

    Returns
    -------
    dict
        ``numbers``, and the ``script``, ``commit``, ``config`` and ``versions`` that they come from.

    Raises
    ------
    DataError
        If there is no such result, or its numbers or configuration were changed after they were written.

    Examples
    --------
    >>> stored_result("jet-images")["script"]
    'data_scripts/make_image_results.py'
    """
    path = result_path(name)
    if not path.exists():
        known = sorted(found.stem for found in path.parent.glob("*.json"))
        near = close_names(name, known, n=1)
        raise DataError(
            f"there is no stored result '{name}'.",
            remedy=f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(known) or 'none'}.",
        )
    result = read_json(path)
    for part in ("config", "numbers"):
        if json_hash(result[part]) != result[f"{part}_hash"]:
            raise DataError(
                f"its {part} are not those that {result['script']} wrote.",
                where=path,
                remedy="Run the script again, or restore the file.",
            )
    return result

"""Results that take longer than a page may: made once by a script, kept in the package with where they come from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from cmslabs.errors import DataError, close_names
from cmslabs.io import json_hash, read_json

__all__ = ["result_path", "stored_result"]


def result_path(name: str) -> Path:
    """The file of a result, which need not exist yet."""
    return Path(str(files("cmslabs.data") / "results" / f"{name}.json"))


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

"""Loops as machine code: plain Python functions over NumPy arrays, handed to numba."""

from __future__ import annotations

from collections.abc import Callable

from cmslabs.errors import require

__all__ = ["compile_loop"]


def compile_loop(function: Callable) -> Callable:
    """The same function as machine code, kept on disk: only the first process compiles.

    Raises
    ------
    MissingExtraError
        If numba is not installed (extra ``jets``).
    """
    numba = require("numba", "jets")
    try:
        return numba.njit(function, cache=True)
    except RuntimeError:
        # numba found no folder that it may write to: every process compiles for itself, with the same result.
        return numba.njit(function)

"""Lazy events are read while the analysis runs: telling a damaged file from our own mistake."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator

from cmslabs.data.decode import decoding
from cmslabs.errors import CmslabsError

__all__ = ["reading_lazily"]

#: Modules that turn bytes of a file into arrays.
_READERS = ("coffea.nanoevents.mapping", "uproot")


@contextlib.contextmanager
def reading_lazily(filename: str, start: int, stop: int) -> Iterator[None]:
    """An error that was raised while a branch was being read becomes a `DataError` that names file, branch and events.

    Any other error is ours and passes as it is, also where awkward has wrapped it.

    Parameters
    ----------
    filename : str
    start, stop : int
        Range of events that is being worked on.
    """
    try:
        yield
    except (CmslabsError, MemoryError):
        raise
    except Exception as error:
        branch = _branch_being_read(error)
        if branch is None:
            raise
        with decoding(filename, f"Events{branch}, events {start}-{stop}"):
            raise


def _branch_being_read(error: BaseException) -> str | None:
    """``"/Muon_pt"`` if the error, or what it came from, was raised by a reader; empty if the branch is unknown."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        readers = [frame for frame in frames if frame.f_globals.get("__name__", "").startswith(_READERS)]
        if readers:
            names = (frame.f_locals.get("handle_name") for frame in readers)
            return next((f"/{name}" for name in names if isinstance(name, str)), "")
        error = error.__cause__ or error.__context__
    return None

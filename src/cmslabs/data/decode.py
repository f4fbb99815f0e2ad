"""One kind of error for files that cannot be decoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cmslabs.errors import CmslabsError, DataError

__all__ = ["decoding"]


@contextlib.contextmanager
def decoding(path: Path, part: str) -> Iterator[None]:
    """A damaged file makes decoders fail in any way they can; here it becomes a `DataError`.

    Only calls into the libraries that decode files belong inside: our own mistakes shall be seen.

    Parameters
    ----------
    path : Path
        The file.
    part : str
        The tree, branch or range that is being read.
    """
    try:
        yield
    except CmslabsError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0][:200].rstrip(".")
        raise DataError(
            f"cannot be decoded ({type(error).__name__}: {reason}).",
            where=f"{path}, {part}",
            remedy="It is damaged or of an unknown format: fetch it again.",
        ) from error

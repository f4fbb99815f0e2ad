"""Is a file what its card says?  And if the card says nothing: is it what was downloaded first?"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from cmslabs.data.catalog import CardFile
from cmslabs.errors import ChecksumError
from cmslabs.io import adler32, atomic_write, sha256

__all__ = ["record_of", "verify"]

logger = logging.getLogger("cmslabs.data")

#: Files that this process has found good: path -> (stamp, card's entry).  A file that changes gets another stamp.
_verified: dict[Path, tuple] = {}


def verify(path: Path, file: CardFile, recorded_at: Path | None = None) -> None:
    """Compare a file with its card, and with the record of its first download where the card has no SHA-256.

    Parameters
    ----------
    path : Path
        The file to look at.
    file : CardFile
        What it should be.
    recorded_at : Path, optional
        The final path, if `path` is a temporary one: the record lies beside it.

    Raises
    ------
    ChecksumError
    """
    stamp = _stamp(path)
    if recorded_at is None and _verified.get(path) == (stamp, file):
        return
    record = record_of(recorded_at or path)
    expected_sha256 = file.sha256 or _recorded(record)
    checks: list[tuple[str, object, Callable[[Path], object]]] = [
        ("size in bytes", file.size_bytes, lambda p: p.stat().st_size),
        ("SHA-256", expected_sha256, sha256),
        ("MD5", file.md5, _md5),
        ("Adler-32", file.adler32, adler32),
    ]
    for what, expected, measure in checks:
        if expected is not None and (found := measure(path)) != expected:
            said_by = "the record of its first download" if what == "SHA-256" and not file.sha256 else "its card"
            raise ChecksumError(
                f"the file is broken or was changed: its {what} is {found}, but {said_by} says {expected}.",
                where=recorded_at or path,
                remedy=_remedy(recorded_at, path, record, said_by),
            )
    if recorded_at is None:
        if expected_sha256 is None:
            _write_record(path, record, file)
        _verified[path] = (stamp, file)


def _remedy(recorded_at: Path | None, path: Path, record: Path, said_by: str) -> str:
    if recorded_at is not None:
        text = "The download was thrown away. Run the same command again"
        changed = "the publisher has changed the file"
    else:
        text = f"Delete {path} and fetch it again"
        changed = "you trust the new content"
    return f"{text}; if {changed}, delete {record}, too." if said_by != "its card" else f"{text}."


def _stamp(path: Path) -> tuple:
    status = path.stat()
    # The time of change of the inode cannot be set back by a program, unlike that of the content.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def record_of(path: Path) -> Path:
    """Where the checksum of the first download of `path` is kept."""
    return path.with_name(f"{path.name}.sha256")


def _recorded(record: Path) -> str | None:
    """The recorded SHA-256, in the format of the program sha256sum."""
    if not record.is_file():
        return None
    words = record.read_text(encoding="utf-8").split()
    if not words or len(words[0]) != 64:
        raise ChecksumError("is no record of a SHA-256.", where=record, remedy="Delete it and fetch the file again.")
    return words[0]


def _write_record(path: Path, record: Path, file: CardFile) -> None:
    value = sha256(path)
    published = "no SHA-256, only a weaker checksum" if file.has_checksum else "no checksum"
    try:
        with atomic_write(record) as temporary:
            temporary.write_text(f"{value}  {path.name}\n", encoding="utf-8")
    except OSError as error:
        # A shared cache may be read-only.  The file can be used, but the reader must know that nothing guards it.
        logger.warning("%s: %s is published and none can be recorded in %s (%s)", path.name, published, record, error)
        return
    logger.warning("%s: %s is published; its SHA-256 %s is recorded in %s", path.name, published, value, record)

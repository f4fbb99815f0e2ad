"""Files: atomic writes, checksums, provenance, and paths that stay inside their folder."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cmslabs.errors import DataError

__all__ = [
    "Provenance",
    "adler32",
    "atomic_write",
    "canonical_json",
    "existing_file",
    "inside",
    "json_hash",
    "read_json",
    "sha256",
    "versions",
    "write_json",
]

_BLOCK = 1 << 20


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes the place of `path`.

    A reader sees the old file or the whole new one, never half of it.  If the block raises,
    the temporary file is removed and `path` stays as it was.

    Parameters
    ----------
    path : path-like
        The file to write.  Its folder is made if it is missing.  The temporary name keeps the
        ending, because some writers choose their format by it.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "answer.txt"
    >>> with atomic_write(target) as temporary:
    ...     _ = temporary.write_text("42")
    >>> target.read_text()
    '42'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix="-" + path.name)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush_to_disk(temporary)
        # mkstemp makes private files; a result may be read by whoever may read its folder.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file as 64 hexadecimal digits, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def adler32(path: str | os.PathLike) -> str:
    """Adler-32 of a file as 8 hexadecimal digits: the checksum of the CERN open-data portal."""
    value = 1
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            value = zlib.adler32(block, value)
    return f"{value:08x}"


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def json_hash(value: Any, digits: int = 16) -> str:
    """First `digits` hexadecimal digits of the SHA-256 of the canonical JSON.

    Examples
    --------
    >>> json_hash({"a": 1, "b": 2}) == json_hash({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:digits]


def write_json(path: str | os.PathLike, value: Any, *, sort_keys: bool = True) -> None:
    """Write `value` as indented JSON, atomically; with ``sort_keys=False`` where the order of keys means something."""
    text = json.dumps(value, indent=2, sort_keys=sort_keys, allow_nan=False) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Raises
    ------
    DataError
        If the file is missing or is not JSON.
    """
    path = existing_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"is not valid JSON ({error}).", where=path, remedy="Write it again.") from error


def existing_file(path: str | os.PathLike) -> Path:
    """The path, if a file is there.

    Raises
    ------
    DataError
        If there is nothing, or a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError("is a folder, but a file is needed.", where=path, remedy="Name a file inside it.")
    if not path.exists():
        raise DataError("there is no such file.", where=path, remedy="Check the name and the current folder.")
    if not path.is_file():
        # A pipe or a device would be waited for without end, or could be read only once.
        raise DataError("is no plain file.", where=path, remedy="Write its content into a file first.")
    return path


def inside(folder: str | os.PathLike, name: str | os.PathLike) -> Path:
    """`folder / name`, refused if it leads out of `folder`.

    Raises
    ------
    DataError
        If `name` is absolute, climbs out with ``..``, or leaves through a symbolic link.
    """
    root = Path(folder).resolve()
    path = (root / name).resolve()
    if path != root and root not in path.parents:
        raise DataError(f"the name {str(name)!r} leads out of the folder.", where=root, remedy="Use a plain file name.")
    return path


def versions(*packages: str) -> dict[str, str]:
    """Versions of cmslabs, Python and the named packages that are installed."""
    found = {"python": platform.python_version()}
    for name in ("cmslabs", *packages):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


class Provenance(BaseModel):
    """Where a table comes from; stored in the metadata of every file that cmslabs writes.

    Attributes
    ----------
    source : str
        ``"simulation"`` for simulated events, else a dataset's name or the input file's name.
    simulation : bool
        Whether the events are simulated.  Plots show it.
    script : str
        The command or function that wrote the file.
    seed : int or None
        The seed that the events were drawn with.
    versions : dict
        Versions of the packages that shaped the numbers.
    units : dict
        Unit of every column: ``"GeV"``, ``"rad"``, ``"1"`` for a pure number.
    details : dict
        Anything else, as plain JSON: process, cuts, hashes of inputs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    simulation: bool
    script: str
    seed: int | None = None
    versions: Mapping[str, str] = Field(default_factory=dict)
    units: Mapping[str, str] = Field(default_factory=dict)
    details: Mapping[str, Any] = Field(default_factory=dict)

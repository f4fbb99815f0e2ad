"""Resumable transfers: a part file beside the target that survives cut connections and full disks.

A transfer writes into ``.NAME.part`` and notes in ``.NAME.part.json`` which version of the file it holds
(the server's validator).  The next attempt goes on from there, if the server still has that version.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmslabs.data.card_text import readable_size
from cmslabs.errors import ChecksumError, DownloadError
from cmslabs.io import read_json, write_json

__all__ = ["DiskFull", "Part", "Retry", "Transfer", "TransferCut", "progress_bar"]

logger = logging.getLogger("cmslabs.data")

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DiskFull(DownloadError):
    """There is no room for the file; no other address would help."""


class TransferCut(Exception):
    """The connection broke or the server is busy: worth another attempt."""

    def __init__(self, reason: str, wait: float | None = None):
        self.wait = wait
        super().__init__(reason)


@dataclass(frozen=True)
class Retry:
    """How often and how patiently a transfer is tried again; the pause doubles each time.

    An attempt that brought new bytes does not count: a long file over a bad line still arrives.
    """

    attempts: int = 5
    pause: float = 1.0
    longest: float = 30.0


@dataclass
class Part:
    """The unfinished copy of one file.

    Parameters
    ----------
    target : Path
        Where the whole file will be.
    checked : bool
        Whether a published checksum will be compared afterwards.  Only then may a part be continued
        from another address or without the server's validator.
    """

    target: Path
    checked: bool
    path: Path = field(init=False)
    note: Path = field(init=False)

    def __post_init__(self):
        self.path = self.target.with_name(f".{self.target.name}.part")
        self.note = self.target.with_name(f".{self.target.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes that are there already."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def validator(self, url: str) -> Any:
        """What the server said about the version of this part; None if the part is from elsewhere or unnoted."""
        if not self.note.exists():
            return None
        noted = read_json(self.note)
        return noted["validator"] if noted.get("url") == url else None

    def can_continue(self, url: str) -> bool:
        """Whether it is safe to append what `url` sends now."""
        return self.size > 0 and (self.checked or self.validator(url) is not None)

    def begin(self, url: str, validator: Any) -> None:
        """Start from zero and note which version is coming."""
        self.discard()
        write_json(self.note, {"url": url, "validator": validator})

    def discard(self) -> None:
        """Throw the part away."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def append(self, blocks: Iterator[bytes], advance: Callable[[int], object]) -> None:
        """Write `blocks` to the end; what was written before an error is kept."""
        # Unbuffered: an error of the disk then shows here and not while the file is being closed.
        with open(self.path, "ab", buffering=0) as file:
            for block in blocks:
                _write_all(file, block)
                advance(len(block))

    def room_for(self, missing: int) -> None:
        """Refuse a transfer that cannot fit, before its first byte.

        Raises
        ------
        DiskFull
        """
        if missing > shutil.disk_usage(self.target.parent).free:
            raise self.disk_full(missing)

    def disk_full(self, missing: int | None = None) -> DiskFull:
        """The error for a full disk."""
        need = "" if missing is None else f" {readable_size(missing)} are needed,"
        free = shutil.disk_usage(self.target.parent).free
        return DiskFull(
            f"the disk is full:{need} {readable_size(free)} are free.",
            where=self.target,
            remedy="Make room or set CMSLABS_DATA to a folder on another disk. "
            f"What has arrived ({readable_size(self.size)}) is kept: the same command goes on from there.",
        )


def _write_all(file, block: bytes) -> None:
    """Write the whole block: an unbuffered write may take only a part of it."""
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


@contextlib.contextmanager
def progress_bar(label: str, total: int | None, done: int, show: bool) -> Iterator[Callable[[int], object]]:
    """A bar in bytes on stderr; gives the function that moves it."""
    from tqdm import tqdm

    with tqdm(total=total, initial=done, desc=label, unit="B", unit_scale=True, disable=not show) as bar:
        yield bar.update


@dataclass
class Transfer(ABC):
    """A downloader for `pooch.retrieve`, which calls it as ``downloader(url, output_file, pooch)``.

    Parameters
    ----------
    part : Part
        The unfinished copy; it is moved to pooch's output file when it is whole and good.
    check : callable
        ``check(path)`` raises a `ChecksumError` if the whole copy is not what it should be.
    retry : Retry
        Attempts and pauses.
    progress : bool
        Show a bar.
    timeout : int
        Seconds without a sign of life after which the connection counts as cut.
    """

    part: Part
    check: Callable[[Path], None]
    retry: Retry = field(default_factory=Retry)
    progress: bool = True
    timeout: int = 60

    def __call__(self, url: str, output_file: str, pooch: object = None, check_only: bool = False) -> None:
        try:
            self._until_whole(url)
        except OSError as error:
            if error.errno in _DISK_FULL:
                raise self.part.disk_full() from error
            raise DownloadError(
                f"cannot be written ({error.strerror or error}).",
                where=self.part.target,
                remedy="Check the folder's permissions, or set CMSLABS_DATA to another folder.",
            ) from error
        try:
            self.check(self.part.path)
        except ChecksumError:
            self.part.discard()
            raise
        self.part.path.replace(output_file)
        self.part.discard()

    @abstractmethod
    def attempt(self, url: str) -> None:
        """Bring the part to its full size, or raise `TransferCut` where another attempt may help."""

    def _until_whole(self, url: str) -> None:
        failures = 0
        while True:
            before = self.part.size
            try:
                return self.attempt(url)
            except TransferCut as cut:
                failures = 1 if self.part.size > before else failures + 1
                if failures >= self.retry.attempts:
                    raise DownloadError(
                        f"the transfer failed {failures} times in a row: {cut}.",
                        where=url,
                        remedy=f"Run the same command again later: what has arrived ({readable_size(self.part.size)}) "
                        "is kept and it goes on from there.",
                    ) from cut
                pause = min(
                    self.retry.longest, self.retry.pause * 2 ** (failures - 1) if cut.wait is None else cut.wait
                )
                logger.warning("%s: %s; next attempt in %.3g s", self.part.target.name, cut, pause)
                time.sleep(pause)

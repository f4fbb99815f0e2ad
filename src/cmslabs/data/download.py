"""The data cache: fetch the files of a card, verify them, and say where they are."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cmslabs.data.catalog import Card, CardFile, load_card, samples_folder
from cmslabs.data.transfer import DiskFull, Part, Retry, Transfer
from cmslabs.data.verification import record_of, verify
from cmslabs.errors import ChecksumError, DownloadError, MissingExtraError, OfflineError
from cmslabs.io import inside

__all__ = ["cache_folder", "dataset_path", "fetch", "is_available", "is_offline", "local_path"]

logger = logging.getLogger("cmslabs.data")

#: Patience of a download; the tests shorten it.
RETRY = Retry()


def cache_folder() -> Path:
    """Folder of the downloaded data: ``CMSLABS_DATA``, else the usual cache folder of the system."""
    chosen = os.environ.get("CMSLABS_DATA", "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("cmslabs"))


def is_offline() -> bool:
    """Whether ``CMSLABS_OFFLINE`` forbids the network."""
    return os.environ.get("CMSLABS_OFFLINE", "") not in ("", "0")


def local_path(card: Card, file: CardFile) -> Path:
    """Where a file of a card is or would be: with the package if it is bundled, else in the cache."""
    folder = samples_folder() if card.bundled else inside(cache_folder(), card.name)
    return inside(folder, file.name)


def is_available(name: str, file: str | None = None) -> bool:
    """Whether a file of dataset `name` is on this machine (its main file, if none is named).

    This looks only whether it is there; `dataset_path` verifies it.
    """
    card = load_card(name)
    return bool(card.files) and local_path(card, card.file(file)).is_file()


def dataset_path(name: str, file: str | None = None) -> Path:
    """Path of a file of dataset `name`, verified.  Never downloads.

    Parameters
    ----------
    name : str
        Name of a card.
    file : str, optional
        One of its files; the first one if not given.

    Raises
    ------
    DownloadError
        If it is not on this machine; the message says the command that fetches it.
    ChecksumError
        If it is not what the card, or the record of its first download, says.
    """
    card = load_card(name)
    entry = card.file(file)
    path = local_path(card, entry)
    if not path.is_file():
        if card.bundled:
            raise DownloadError("the bundled sample is missing.", where=path, remedy="Install cmslabs again.")
        raise DownloadError(
            f"the file is not on this machine ({name}).", where=path, remedy=f"Fetch it with: {_command(card, entry)}"
        )
    if entry.has_checksum or not card.bundled:  # Only a sample that is just being made has no checksum yet.
        verify(path, entry)
    return path


def fetch(name: str, progress: bool = True, files: Iterable[str] | None = None) -> list[Path]:
    """Bring the files of dataset `name` into the cache and verify them.

    What is there already is verified, not downloaded again.  An interrupted download goes on where it stopped.

    Parameters
    ----------
    name : str
        Name of a card.
    progress : bool
        Show a bar per file on stderr.
    files : iterable of str, optional
        Only these files of the card.

    Returns
    -------
    list of Path
        In the order of the card, or of `files`.

    Raises
    ------
    OfflineError
        If something is missing and ``CMSLABS_OFFLINE`` is set.
    ChecksumError
        If a file, old or new, is not what it should be.
    DownloadError
        If no address gave the file.
    """
    card = load_card(name)
    wanted = [card.file(file) for file in files] if files else list(card.files)
    if not wanted:
        card.file()  # Raises the error that says where to look.
    missing = [entry for entry in wanted if not local_path(card, entry).is_file()]
    if missing and is_offline() and not card.bundled:
        names = ", ".join(entry.name for entry in missing)
        raise OfflineError(
            f"CMSLABS_OFFLINE is set and these files are missing: {names}.",
            where=local_path(card, missing[0]).parent,
            remedy=f"With a network: unset CMSLABS_OFFLINE and run: cmslabs data fetch {name}",
        )
    if card.bundled:
        return [dataset_path(name, entry.name) for entry in wanted]
    return [_fetch_file(card, entry, progress) for entry in wanted]


def _fetch_file(card: Card, file: CardFile, progress: bool) -> Path:
    target = local_path(card, file)
    if not file.urls and not target.is_file():
        raise DownloadError(
            f"the card knows no address of '{file.name}'.",
            where=card.name,
            remedy=f"Take it from {card.record or 'its publisher'} and put it into {target.parent}",
        )
    if target.is_file():
        verify(target, file)
        return target
    _make_folder(target.parent)
    with _one_process(target):
        if not target.is_file():
            _download(target, file, progress)
        verify(target, file)
    return target


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"the cache folder cannot be made ({error.strerror or error}).",
            where=folder,
            remedy="Set CMSLABS_DATA to a folder that you may write to.",
        ) from error


def _download(target: Path, file: CardFile, progress: bool) -> None:
    """Try the addresses in their order."""
    reasons = []
    for url in file.urls:
        part = Part(target, checked=file.has_checksum or record_of(target).exists())
        try:
            _retrieve(url, target, file, part, progress)
            return
        except DiskFull:
            raise
        except (DownloadError, MissingExtraError) as error:
            reasons.append(error)
            if url != file.urls[-1]:
                logger.warning("%s Trying the next address.", error)
    if len(reasons) == 1:
        raise reasons[0]
    kind = ChecksumError if all(isinstance(reason, ChecksumError) for reason in reasons) else DownloadError
    listing = "".join(f"\n  - {reason}" for reason in reasons)
    raise kind(f"none of {len(reasons)} addresses gave the file:{listing}", where=target) from reasons[-1]


def _retrieve(url: str, target: Path, file: CardFile, part: Part, progress: bool) -> None:
    import pooch

    from cmslabs.data.web import ResumingHTTP
    from cmslabs.data.xrootd import ResumingXRootD

    kind: type[Transfer] = ResumingXRootD if url.startswith("root://") else ResumingHTTP
    downloader = kind(part, lambda path: verify(path, file, recorded_at=target), RETRY, progress)
    with _quiet(pooch.get_logger()):
        pooch.retrieve(url, known_hash=file.sha256, fname=target.name, path=target.parent, downloader=downloader)


@contextmanager
def _quiet(other: logging.Logger) -> Iterator[None]:
    """Hold back pooch's remarks: ours say the same once."""
    level = other.level
    other.setLevel(logging.WARNING)
    try:
        yield
    finally:
        other.setLevel(level)


@contextmanager
def _one_process(target: Path) -> Iterator[None]:
    """Let one process at a time bring `target`; the others wait and then find it there."""
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        lock.acquire(timeout=1)
    except Timeout:
        logger.warning("%s: another process is fetching it; waiting", target.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _command(card: Card, file: CardFile) -> str:
    only = "" if file == card.files[0] and len(card.files) == 1 else f" --file {file.name}"
    return f"cmslabs data fetch {card.name}{only}"

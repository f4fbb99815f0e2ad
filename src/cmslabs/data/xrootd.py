"""A downloader for pooch that reads root:// addresses through fsspec and continues interrupted transfers."""

from __future__ import annotations

from collections.abc import Iterator

from cmslabs.data.transfer import Transfer, TransferCut, progress_bar
from cmslabs.errors import DownloadError, require

__all__ = ["ResumingXRootD"]

_BLOCK = 1 << 22


class ResumingXRootD(Transfer):
    """``root://`` addresses, read through fsspec from where the part ends; needs the extra ``xrootd``."""

    def attempt(self, url: str) -> None:
        """One opening of the file; see `Transfer.attempt`."""
        require("fsspec_xrootd", "xrootd")
        import fsspec

        try:
            system, path = fsspec.core.url_to_fs(url, timeout=self.timeout, skip_instance_cache=True)
            size, version = _stat(system, path)
        except OSError as error:
            raise _failure(error, url) from error
        # XRootD has no If-Range: size and time of the last change are what tells versions apart.
        if not (self.part.can_continue(url) and self.part.validator(url) in (version, None) and self.part.size <= size):
            self.part.begin(url, version)
        offset = self.part.size
        self.part.room_for(size - offset)
        with progress_bar(self.part.target.name, size, offset, self.progress) as advance:
            self.part.append(_blocks(system, path, offset, size, url), advance)
        if self.part.size != size:
            raise TransferCut(f"{self.part.size} of {size} bytes arrived")


def _stat(system, path: str) -> tuple[int, str]:
    info = system.info(path)
    if info["type"] != "file":
        raise IsADirectoryError(f"{path} is a folder")
    return info["size"], f"{info['size']}-{info.get('mtime')}"


def _blocks(system, path: str, offset: int, size: int, url: str) -> Iterator[bytes]:
    """Blocks of the file from `offset` on; an error of the network is told from one of the disk."""
    try:
        with system.open(path, "rb", cache_type="none") as file:
            while offset < size:
                file.seek(offset)
                block = file.read(min(_BLOCK, size - offset))
                if not block:
                    raise TransferCut(f"the server sent nothing after byte {offset}")
                offset += len(block)
                yield block
    except OSError as error:
        raise _failure(error, url) from error


def _failure(error: OSError, url: str) -> Exception:
    text = " ".join(str(error).split())
    if isinstance(error, FileNotFoundError | IsADirectoryError) or "[3011]" in text:
        return DownloadError(
            f"the server has no such file ({text}).",
            where=url,
            remedy="It may have moved: look at the dataset's record (cmslabs data show NAME).",
        )
    return TransferCut(f"{type(error).__name__}: {text}"[:200])

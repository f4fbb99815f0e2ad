"""A downloader for pooch that continues an interrupted HTTP transfer instead of starting again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cmslabs.data.transfer import Transfer, TransferCut, progress_bar
from cmslabs.errors import DownloadError

__all__ = ["ResumingHTTP"]

_BLOCK = 1 << 18
#: Answers that may be better in a moment.
_BUSY = {408, 425, 429, 500, 502, 503, 504}


class ResumingHTTP(Transfer):
    """HTTP and HTTPS: asks for the missing bytes only, if the server still has the same version of the file."""

    def attempt(self, url: str) -> None:
        """One request; see `Transfer.attempt`."""
        import requests

        offset = self.part.size if self.part.can_continue(url) else 0
        headers = self._headers(url, offset)
        try:
            with requests.get(url, stream=True, timeout=self.timeout, headers=headers) as response:
                self._receive(response, url, offset)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise DownloadError(f"is no valid address ({error}).", where=url, remedy="Correct the card.") from error
        except requests.exceptions.SSLError as error:
            # Asking again does not make a certificate good, but another mirror may have a better one.
            raise DownloadError(
                f"no secure connection ({_short(error)}).",
                where=url,
                remedy="Check this machine's clock and certificates.",
            ) from error
        except requests.exceptions.RequestException as error:
            # Refused, reset, too slow, cut: each may work the next time.
            raise TransferCut(_short(error)) from error

    def _headers(self, url: str, offset: int) -> dict[str, str]:
        # "identity": a compressed answer would have other byte positions than the file.
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if validator := self.part.validator(url):
                headers["If-Range"] = validator
        return headers

    def _receive(self, response, url: str, offset: int) -> None:
        status = response.status_code
        if status == 416 and offset:
            self._after_the_end(response, offset)
            return
        if status not in (200, 206):
            raise _refusal(response, url)
        if status == 206:
            start, total = _content_range(response)
            if start != offset:
                raise TransferCut(f"the server sent bytes from {start} instead of {offset}")
        else:
            # The whole file: the server cannot continue, or has another version by now.
            offset, total = 0, _content_length(response)
            self.part.begin(url, _validator(response))
        if total is not None:
            self.part.room_for(total - offset)
        with progress_bar(self.part.target.name, total, offset, self.progress) as advance:
            self.part.append(_blocks(response), advance)
        if total is not None and self.part.size != total:
            raise TransferCut(f"{self.part.size} of {total} bytes arrived")

    def _after_the_end(self, response, offset: int) -> None:
        """We asked for bytes after the end: the part is whole, or it is of another version."""
        total = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
        if total and int(total[1]) == offset:
            return
        self.part.discard()
        raise TransferCut("the file on the server has become shorter")


def _blocks(response) -> Iterator[bytes]:
    """What arrives, as it arrives: requests' own iterator would lose the last, unfinished block of a cut line."""
    from urllib3.exceptions import HTTPError

    # Older versions of urllib3 have no read1; they lose that block and fetch it again.
    read = getattr(response.raw, "read1", None) or response.raw.read
    try:
        while block := read(_BLOCK):
            yield block
    except HTTPError as error:
        raise TransferCut(_short(error)) from error


def _validator(response) -> str | None:
    """What tells this version of the file from others: a strong ETag, else the date of its last change."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _content_length(response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _content_range(response) -> tuple[int, int | None]:
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if match is None:
        raise TransferCut("the server sent a part without saying which one")
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _refusal(response, url: str) -> Exception:
    status, reason = response.status_code, response.reason
    if status in _BUSY:
        wait = response.headers.get("Retry-After", "")
        return TransferCut(f"the server answered {status} {reason}", float(wait) if wait.isdigit() else None)
    if status in (404, 410):
        return DownloadError(
            f"the server has no such file ({status} {reason}).",
            where=url,
            remedy="It may have moved: look at the dataset's record (cmslabs data show NAME).",
        )
    return DownloadError(f"the server refused ({status} {reason}).", where=url, remedy="Try another mirror, or later.")


def _short(error: Exception) -> str:
    """The innermost reason of a chain of network errors, as one line."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]

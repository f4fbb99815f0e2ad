"""Records of the CERN Open Data portal: what a data set is, how much there is of it, and its file indexes.

A record is asked for at ``/api/records/NUMBER``, an index or another small file of it at
``/record/NUMBER/files/NAME``, as the portal's own client does (github.com/cernopendata/cernopendata-client).
"""

from __future__ import annotations

import html
import json
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmslabs.data import download
from cmslabs.data.fileset_parts import File
from cmslabs.data.portal_index import Protocol, entries_to_files, parse_index
from cmslabs.data.transfer import Part
from cmslabs.data.web import ResumingHTTP
from cmslabs.errors import DataError, OfflineError
from cmslabs.io import inside

__all__ = ["PORTAL", "PortalRecord", "fetch_record", "fetch_record_file", "parse_record", "record_files"]

PORTAL = "https://opendata.cern.ch"


@dataclass(frozen=True)
class PortalRecord:
    """What the portal says about one data set.

    Attributes
    ----------
    number : int
    title : str
        The official name of the data set.
    doi : str or None
    n_events, n_files : int or None
    runs : tuple of int or None
        First and last run, where the description names them.
    entries : tuple of dict
        Entries of the file indexes, if they came with the record.
    indexes : tuple of str
        Names of index files to be fetched otherwise.
    on_demand : int
        Entries that lie on tape and have to be asked for on the record's page first.
    """

    number: int
    title: str
    doi: str | None
    n_events: int | None
    n_files: int | None
    runs: tuple[int, int] | None
    entries: tuple[dict[str, Any], ...]
    indexes: tuple[str, ...]
    on_demand: int


def fetch_record(number: int, *, portal: str | None = None, progress: bool = False) -> PortalRecord:
    """Ask the portal for a record.

    The answer is kept in the data cache and is used again where ``CMSLABS_OFFLINE`` forbids the network.

    Raises
    ------
    OfflineError
        If the network is forbidden and the record was never fetched.
    DownloadError
        If it cannot be fetched.
    DataError
        If the answer is no record.
    """
    address = f"{portal or PORTAL}/api/records/{number}"
    path = _fetch(address, _cache(number, "record.json"), progress)
    return parse_record(path.read_text(encoding="utf-8", errors="replace"), number, where=address)


def fetch_record_file(number: int, name: str, *, portal: str | None = None, progress: bool = False) -> Path:
    """Bring a small file of a record (an index, a list of certified runs) into the data cache.

    Raises
    ------
    OfflineError, DownloadError
        As `fetch_record`.
    DataError
        If `name` is not a plain file name.
    """
    if posixpath.basename(name) != name or not re.fullmatch(r"[\w.+-]+", name, re.ASCII):
        raise DataError(f"{name!r} is no plain file name.", where=f"record {number}", remedy="Look at its page.")
    return _fetch(f"{portal or PORTAL}/record/{number}/files/{name}", _cache(number, name), progress)


def record_files(
    record: PortalRecord, *, location: str | None, protocol: Protocol, portal: str | None = None, progress: bool = False
) -> tuple[File, ...]:
    """All files of a record: from its own entries, or from the index files that it names.

    Raises
    ------
    DataError
        If there is no index, or if one of them is not what it should be (`portal_index.parse_index`).
    """
    where = f"record {record.number}"
    if record.entries:
        return entries_to_files(record.entries, where=where, location=location, protocol=protocol)
    files: list[File] = []
    for name in record.indexes:
        path = fetch_record_file(record.number, name, portal=portal, progress=progress)
        text = path.read_text(encoding="utf-8", errors="replace")
        files.extend(parse_index(text, where=f"{where}, {name}", location=location, protocol=protocol))
    if not files:
        raise DataError("has no file index.", where=where, remedy=f"Look at {PORTAL}/record/{record.number}")
    if len({file.path for file in files}) != len(files):
        raise DataError("two indexes name the same file.", where=where, remedy="Look at the record's page.")
    return tuple(sorted(files, key=lambda file: file.path))


def parse_record(text: str, number: int, *, where: object) -> PortalRecord:
    """Read the portal's answer.

    Raises
    ------
    DataError
        If it is not the record with this number.
    """
    remedy = f"Look at {PORTAL}/record/{number} with a browser."
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"the answer is no record ({error}).", where=where, remedy=remedy) from error
    metadata = content.get("metadata") if isinstance(content, dict) else None
    if not isinstance(metadata, dict):
        raise DataError("the answer is no record: it has no 'metadata'.", where=where, remedy=remedy)
    if str(metadata.get("recid", number)) != str(number):
        raise DataError(f"the answer is record {metadata['recid']}.", where=where, remedy=remedy)
    amounts = _mapping(metadata.get("distribution"))
    entries = tuple(
        entry
        for index in _list(metadata.get("_file_indices"))
        for entry in _list(_mapping(index).get("files"))
        if isinstance(entry, dict)
    )
    doi = metadata.get("doi")
    return PortalRecord(
        number=number,
        title=str(metadata.get("title", "")),
        doi=doi if isinstance(doi, str) and doi.startswith("10.") else None,
        n_events=_count(amounts.get("number_events")),
        n_files=_count(amounts.get("number_files")),
        runs=_runs(str(_mapping(metadata.get("abstract")).get("description", ""))),
        entries=entries,
        indexes=_index_names(metadata),
        on_demand=sum(entry.get("availability") == "on demand" for entry in entries),
    )


def _runs(description: str) -> tuple[int, int] | None:
    text = html.unescape(re.sub(r"<[^>]*>", " ", description))
    match = re.search(r"from run number (\d{6}) to (\d{6})", text)
    return None if match is None else (int(match[1]), int(match[2]))


def _index_names(metadata: dict[str, Any]) -> tuple[str, ...]:
    uris = [str(_mapping(file).get("uri", "")) for file in _list(metadata.get("files"))]
    return tuple(posixpath.basename(uri) for uri in uris if uri.endswith("_file_index.json"))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: object) -> int | None:
    """A published number; the portal's scripts write 0 where they found none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _cache(number: int, name: str) -> Path:
    return inside(download.cache_folder(), f"opendata-records/{number}/{name}")


def _fetch(url: str, target: Path, progress: bool) -> Path:
    """Bring a small file from the portal; a copy of before serves only without a network."""
    if download.is_offline():
        if target.is_file():
            return target
        raise OfflineError(
            "CMSLABS_OFFLINE is set, and this was never fetched.",
            where=url,
            remedy="With a network: unset CMSLABS_OFFLINE and run the same command. "
            "Without: take the index files from another machine and give them with --index NAME=FILE.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    fetch = ResumingHTTP(Part(target, checked=False), lambda path: None, download.RETRY, progress)
    fetch(url, str(target))
    return target

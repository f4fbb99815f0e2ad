"""File indexes of the CERN Open Data portal: the lists of addresses that a record comes with.

A record of a data set has one index a folder ("volume"), as ``..._file_index.json`` (a list of mappings with
``uri``, ``size``, ``checksum`` and ``filename``) and as ``..._file_index.txt`` (an address a line).  The portal's
programming interface gives the same entries inside the record.  The format is that of the scripts that make these
files (github.com/cernopendata/data-curation, ``create_eos_file_indexes.py``).

What is read here is opened later by other programs, so an address that is not a plain path to a ROOT file on the
portal's servers is refused.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from cmslabs.data.fileset_parts import File
from cmslabs.errors import DataError
from cmslabs.io import existing_file

__all__ = ["HOSTS", "Protocol", "address", "entries_to_files", "location_of", "parse_index", "read_index"]

Protocol = Literal["root", "https"]

#: Servers of the portal.
HOSTS = frozenset({"eospublic.cern.ch", "opendata.cern.ch"})
_FRONT = {"root": "root://eospublic.cern.ch/", "https": "https://opendata.cern.ch"}
_ADDRESS = re.compile(
    r"(?:root|https)://([A-Za-z0-9.-]+)(?::(?:1094|443))?/{1,2}(eos/opendata/[\w.+/-]+\.root)", re.ASCII
)
_CHECKSUM = re.compile(r"adler32:([0-9a-fA-F]{1,8})")


def location_of(name: str) -> str:
    """Folder of a CMS data set on the portal's storage, from its official name.

    Raises
    ------
    DataError
        If the name has not three parts.

    Examples
    --------
    >>> location_of("/DoubleMuon/Run2016H-UL2016_MiniAODv2_NanoAODv9-v1/NANOAOD")
    '/eos/opendata/cms/Run2016H/DoubleMuon/NANOAOD/UL2016_MiniAODv2_NanoAODv9-v1/'
    >>> location_of("/ZZTo4L/RunIISummer20UL16NanoAODv9-106X_v17-v1/NANOAODSIM")
    '/eos/opendata/cms/mc/RunIISummer20UL16NanoAODv9/ZZTo4L/NANOAODSIM/106X_v17-v1/'
    """
    match = re.fullmatch(r"/([\w.+-]+)/([\w.+]+)-([\w.+-]+)/([A-Z]+)", name, re.ASCII)
    if match is None:
        raise DataError(
            f"'{name}' is no name of a CMS data set.", remedy="It has the form /PRIMARY/CAMPAIGN-VERSION/TIER."
        )
    primary, campaign, version, tier = match.groups()
    top = "mc/" if tier.endswith("SIM") else ""
    return f"/eos/opendata/cms/{top}{campaign}/{primary}/{tier}/{version}/"


def address(path: str, protocol: Protocol) -> str:
    """Address of a path on the portal's storage.

    Examples
    --------
    >>> address("/eos/opendata/cms/a.root", "root")
    'root://eospublic.cern.ch//eos/opendata/cms/a.root'
    >>> address("/eos/opendata/cms/a.root", "https")
    'https://opendata.cern.ch/eos/opendata/cms/a.root'
    """
    return _FRONT[protocol] + path


def read_index(
    path: str | os.PathLike, *, location: str | None = None, protocol: Protocol = "root"
) -> tuple[File, ...]:
    """Read an index file that lies on this machine; see `parse_index`."""
    path = existing_file(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError("is no file index: it is not text.", where=path, remedy=_REMEDY) from error
    return parse_index(text, where=path, location=location, protocol=protocol)


_REMEDY = "Take a file whose name ends with _file_index.json or _file_index.txt from the record's page."


def parse_index(
    text: str, *, where: object, location: str | None = None, protocol: Protocol = "root"
) -> tuple[File, ...]:
    """Files of one index.

    Parameters
    ----------
    text : str
        Content of a ``_file_index.json`` or ``_file_index.txt``; which of them shows in its first character.
    where : object
        Named in errors.
    location : str, optional
        The folder in which all files have to be, from `location_of`.
    protocol : "root" or "https"
        Of the addresses that are given back; the index's own may be either.

    Returns
    -------
    tuple of File
        Sorted by path; size and Adler-32 where the index has them.

    Raises
    ------
    DataError
        If it is no index, or an entry leads elsewhere, stands twice or contradicts itself.
    """
    text = text.strip().removeprefix("\ufeff")
    if not text.startswith(("[", "{")):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return entries_to_files([{"uri": line} for line in lines], where=where, location=location, protocol=protocol)
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise DataError(f"is no file index: not valid JSON ({error}).", where=where, remedy=_REMEDY) from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError("is no file index: not a list of mappings.", where=where, remedy=_REMEDY)
    return entries_to_files(entries, where=where, location=location, protocol=protocol)


def entries_to_files(
    entries: Iterable[Mapping[str, Any]], *, where: object, location: str | None = None, protocol: Protocol = "root"
) -> tuple[File, ...]:
    """Files of the entries of one or several indexes; see `parse_index`."""
    files: dict[str, File] = {}
    for number, entry in enumerate(entries, start=1):
        place = f"{where}, entry {number}"
        path = _path(entry.get("uri"), place, location)
        if path in files:
            raise DataError(f"the file {posixpath.basename(path)} stands twice.", where=place, remedy=_REMEDY)
        name = entry.get("filename")
        if name is not None and name != posixpath.basename(path):
            raise DataError(f"is called {name!r} but its address ends otherwise.", where=place, remedy=_REMEDY)
        files[path] = File(
            path=address(path, protocol),
            size_bytes=_size(entry.get("size"), place),
            adler32=_adler32(entry.get("checksum"), place),
        )
    if not files:
        raise DataError("the file index is empty.", where=where, remedy=_REMEDY)
    return tuple(files[path] for path in sorted(files))


def _path(uri: object, place: str, location: str | None) -> str:
    """The path on the portal's storage, if the address leads there and nowhere else."""
    match = _ADDRESS.fullmatch(uri) if isinstance(uri, str) else None
    if match is None:
        shown = repr(uri)[:120]
        raise DataError(f"{shown} is no address of a ROOT file on the portal's storage.", where=place, remedy=_REMEDY)
    host, path = match[1].lower(), "/" + match[2]
    if host not in HOSTS:
        raise DataError(f"the server {host} is none of the portal's.", where=place, remedy=f"Known: {_list(HOSTS)}.")
    if posixpath.normpath(path) != path:
        raise DataError(f"the path {path!r} is not a plain one.", where=place, remedy=_REMEDY)
    if location is not None and not path.startswith(location):
        raise DataError(
            f"{path} is not in the folder of this data set.", where=place, remedy=f"Its files are in {location}"
        )
    return path


def _size(value: object, place: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise DataError(f"the size {value!r} is no number of bytes.", where=place, remedy=_REMEDY)
    return value


def _adler32(value: object, place: str) -> str | None:
    """Eight hexadecimal digits: some scripts of the portal left leading zeros out."""
    if value is None:
        return None
    match = _CHECKSUM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise DataError(f"the checksum {value!r} is not of the form adler32:0123abcd.", where=place, remedy=_REMEDY)
    return match[1].lower().zfill(8)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

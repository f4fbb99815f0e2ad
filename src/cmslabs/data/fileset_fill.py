"""Fill the files of a fileset in: from the CERN Open Data portal, or from index files that lie here.

What the portal says is compared with the fileset on the way: the data set's name, its number of files and of
events, and the runs of its era.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from cmslabs.data.fileset import Fileset, exclusive_pairs
from cmslabs.data.fileset_parts import Dataset, File
from cmslabs.data.portal import PORTAL, PortalRecord, fetch_record, fetch_record_file, record_files
from cmslabs.data.portal_index import Protocol, location_of, read_index
from cmslabs.errors import ConfigError, DataError, OfflineError
from cmslabs.io import atomic_write, read_json

__all__ = ["Filled", "fill", "write_fileset"]


@dataclass(frozen=True)
class Filled:
    """A fileset with files, and what the reader should know about how they were found."""

    fileset: Fileset
    remarks: tuple[str, ...]


def fill(
    fileset: Fileset,
    names: Sequence[str] = (),
    *,
    indexes: Mapping[str, Sequence[str | os.PathLike]] | None = None,
    protocol: Protocol = "root",
    portal: str | None = None,
    progress: bool = False,
) -> Filled:
    """Give data sets their files.

    Parameters
    ----------
    fileset : Fileset
    names : sequence of str
        The data sets; without names those of `indexes`, and without these all that are public and have a record.
        Of two that describe the same process only the first is then filled.
    indexes : mapping, optional
        Data set -> its index files on this machine; nothing is asked of the portal for these.
    protocol : "root" or "https"
        Of the addresses.
    portal : str, optional
        Address of the portal.
    progress : bool

    Raises
    ------
    ConfigError
        If a data set is unknown, not public, has no record, or if two of them exclude each other.
    DataError
        If a record or an index is not that of the data set, or if an index of data is not complete.
    OfflineError, DownloadError
        If the portal cannot be asked.
    """
    indexes = indexes or {}
    chosen, remarks = _choose(fileset, names, indexes)
    datasets = dict(fileset.datasets)
    for name in chosen:
        dataset = datasets[name]
        location = location_of(dataset.name) if dataset.name else None
        if name in indexes:
            files = _from_indexes(name, indexes[name], location, protocol)
            _complete(name, dataset, len(files), dataset.n_files, remarks)
            datasets[name] = dataset.model_copy(update={"files": files})
            continue
        record = fetch_record(dataset.record, portal=portal, progress=progress)
        _same(name, dataset, record)
        files = record_files(record, location=location, protocol=protocol, portal=portal, progress=progress)
        _complete(name, dataset, len(files), record.n_files or dataset.n_files, remarks)
        remarks += _differences(name, dataset, record, fileset)
        datasets[name] = dataset.model_copy(update={"files": files, **_facts(dataset, record)})
    return Filled(fileset.model_copy(update={"datasets": datasets}), tuple(remarks))


def write_fileset(
    filled: Filled, path: str | os.PathLike, *, portal: str | None = None, progress: bool = False
) -> list[str]:
    """Write the fileset as YAML, and the list of certified runs beside it if it is to be fetched.

    Returns
    -------
    list of str
        Remarks: what is still missing.

    Raises
    ------
    OfflineError, DownloadError
        If the list of certified runs cannot be fetched although the portal gave the files.
    DataError
        If it is no such list.
    """
    path, fileset = Path(path), filled.fileset
    remarks: list[str] = []
    if any(dataset.kind == "data" and dataset.files for dataset in fileset.datasets.values()):
        fileset, remarks = _with_golden(fileset, path.parent, portal, progress)
    content = fileset.model_dump(mode="json", exclude_defaults=True)
    with atomic_write(path) as temporary:
        temporary.write_text(
            yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8"
        )
    return remarks


def _choose(fileset: Fileset, names: Sequence[str], indexes: Mapping[str, object]) -> tuple[list[str], list[str]]:
    fileset.check_names((*names, *indexes))
    asked = list(dict.fromkeys((*names, *indexes)))
    if asked:
        for first, second in exclusive_pairs(fileset, asked):
            raise ConfigError(
                f"'{first}' and '{second}' describe the same process and would count it twice.",
                where=fileset.name,
                remedy="Choose one of them.",
            )
        for name in asked:
            if name not in indexes and fileset.datasets[name].record is None:
                raise ConfigError(
                    f"'{name}' names no record of the portal.",
                    where=fileset.name,
                    remedy=f"Give its index file: --index {name}=FILE",
                )
        return asked, []
    known = [name for name, one in fileset.datasets.items() if one.public and one.record is not None]
    if not known:
        raise ConfigError("no data set names a record of the portal.", where=fileset.name, remedy="Use --index.")
    left_out = {second: first for first, second in exclusive_pairs(fileset, known)}
    remarks = [f"{name}: left without files, because {why} is the same process" for name, why in left_out.items()]
    return [name for name in known if name not in left_out], remarks


def _from_indexes(
    name: str, paths: Iterable[str | os.PathLike], location: str | None, protocol: Protocol
) -> tuple[File, ...]:
    files = [file for path in paths for file in read_index(path, location=location, protocol=protocol)]
    if len({file.path for file in files}) != len(files):
        raise DataError("two indexes name the same file.", where=name, remedy="Give every index once.")
    return tuple(sorted(files, key=lambda file: file.path))


def _same(name: str, dataset: Dataset, record: PortalRecord) -> None:
    if dataset.name is not None and record.title != dataset.name:
        raise DataError(
            f"the portal's record {record.number} is {record.title or 'without a title'}, not {dataset.name}.",
            where=name,
            remedy=f"Correct 'record' or 'name' in the fileset; look at {PORTAL}/record/{record.number}",
        )


def _complete(name: str, dataset: Dataset, found: int, expected: int | None, remarks: list[str]) -> None:
    """The luminosity of data is that of all files: an index that lacks some must not pass."""
    if expected is None:
        remarks.append(f"{name}: {found} files; how many there should be is not known")
    elif found != expected and dataset.kind == "data":
        raise DataError(
            f"{found} files were found, but the data set has {expected}: the luminosity would be wrong.",
            where=name,
            remedy="Give the indexes of all its folders.",
        )
    elif found != expected:
        remarks.append(f"{name}: {found} of {expected} files")


def _differences(name: str, dataset: Dataset, record: PortalRecord, fileset: Fileset) -> list[str]:
    """What the portal says otherwise than the fileset."""
    remarks = []
    if None not in (record.n_events, dataset.n_events) and record.n_events != dataset.n_events:
        remarks.append(f"{name}: {record.n_events:,} events on the portal, {dataset.n_events:,} in the fileset")
    era = fileset.eras.get(dataset.era or "")
    if era is not None and None not in (era.runs, record.runs) and era.runs != record.runs:
        remarks.append(f"{name}: runs {record.runs} on the portal, {era.runs} in the fileset's era {dataset.era}")
    if record.on_demand:
        remarks.append(f"{name}: {record.on_demand} files are on tape; ask for them at {PORTAL}/record/{record.number}")
    return remarks


def _facts(dataset: Dataset, record: PortalRecord) -> dict[str, object]:
    """Numbers that only the portal knew until now, with their source."""
    facts = {
        key: getattr(record, key)
        for key in ("doi", "n_events", "n_files")
        if getattr(dataset, key) is None and getattr(record, key) is not None
    }
    if facts:
        seen = f"portal record {record.number} ({', '.join(facts)})"
        facts["source_seen"] = f"{dataset.source_seen}; {seen}" if dataset.source_seen else seen
    return facts


def _with_golden(fileset: Fileset, folder: Path, portal: str | None, progress: bool) -> tuple[Fileset, list[str]]:
    golden, record = fileset.golden_json, fileset.golden_json_record
    if golden in (None, "none") or Path(golden).is_file() or record is None:
        return fileset, []
    name = Path(golden).name
    target = folder / name
    if not target.is_file():
        try:
            source = fetch_record_file(record, name, portal=portal, progress=progress)
        except OfflineError:
            remark = f"the list of certified runs is missing: put {PORTAL}/record/{record}/files/{name} into {folder}"
            return fileset.model_copy(update={"golden_json": name}), [remark]
        _check_golden(source)
        with atomic_write(target) as temporary:
            shutil.copyfile(source, temporary)
    return fileset.model_copy(update={"golden_json": name}), []


def _check_golden(path: Path) -> None:
    content = read_json(path)
    runs = content if isinstance(content, dict) else {}
    if not runs or not all(run.isdigit() and isinstance(ranges, list) for run, ranges in runs.items()):
        raise DataError("is no list of certified runs.", where=path, remedy="Delete it and run the command again.")


class _Dumper(yaml.SafeDumper):
    """Quotes every word that begins like a number: our own reader takes 12e45678 for one."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if value[:1].isdigit() or value[:1] in "+-." else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)

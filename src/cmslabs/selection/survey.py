"""Before a run: open every file once, count its events, and find the sum of weights.

What fails here is known before a single event was selected.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cmslabs.data.decode import decoding
from cmslabs.data.fileset import File, Fileset
from cmslabs.data.rootfile import check_header
from cmslabs.errors import CmslabsError, ConfigError, DataError
from cmslabs.io import Provenance, adler32, existing_file
from cmslabs.selection.executors import Workers
from cmslabs.selection.sums import branch_reader, find_sum, read_runs_tree

__all__ = [
    "FileSurvey",
    "SumOfWeights",
    "says_simulation",
    "sum_of_weights",
    "survey_file",
    "survey_fileset",
]


@dataclass(frozen=True)
class FileSurvey:
    """What the survey found in one file.

    Attributes
    ----------
    dataset, path : str
    n_events : int or None
        Events in the file; None where it cannot be opened and the fileset does not say it.
    size_bytes : int or None
        Unknown for remote files.
    uuid : str
        The file's own, 32 hexadecimal digits.
    simulated : bool
        Whether the file says that no detector recorded it: by generator branches or its provenance.
    sum_weights : float or None
        Sum over the generated events; None for data.
    quantity : "genWeight", "events" or None
        What was summed up: events count 1 each where nothing is weighted with genWeight.
    source : "Runs", "events" or None
        Where the sum comes from: the tree of sums before any selection, or the events of the file.
    problem : str or None
        Why the file cannot be read.
    """

    dataset: str
    path: str
    n_events: int | None = None
    size_bytes: int | None = None
    uuid: str = ""
    simulated: bool = False
    sum_weights: float | None = None
    quantity: str | None = None
    source: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class SumOfWeights:
    """Sum of weights of a data set: its value, what was summed up, and how many files gave it from where."""

    value: float
    quantity: str
    sources: Mapping[str, int]


@dataclass(frozen=True)
class _Task:
    dataset: str
    file: File
    simulation: bool
    only: Mapping[str, int]
    weighted: bool
    retries: int


def survey_fileset(
    fileset: Fileset, workers: Workers, *, weighted: bool = True, retries: int = 1
) -> dict[str, list[FileSurvey]]:
    """Look at every file of a fileset.

    Parameters
    ----------
    fileset : Fileset
        With the data sets that are to be read (`Fileset.choose`).
    workers : Workers
        One task per file.
    weighted : bool
        Whether simulated events are weighted with genWeight.
    retries : int
        How often a file that cannot be read is tried again.

    Returns
    -------
    dict of list of FileSurvey
        Data set -> its files, in the order of the fileset.

    Raises
    ------
    ConfigError
        If a file stands twice in a data set, or in two data sets of data; or is simulated where the fileset says
        that a detector recorded it.
    """
    _refuse_twins(fileset)
    tasks = [
        _Task(name, file, dataset.kind == "simulation", dict(dataset.only), weighted, retries)
        for name, dataset in fileset.datasets.items()
        for file in dataset.files
    ]
    found: dict[str, list[FileSurvey]] = {name: [] for name in fileset.datasets}
    for survey in workers.each(_survey, tasks, what="Survey", unit="file"):
        if isinstance(survey, CmslabsError):
            raise survey
        found[survey.dataset].append(survey)
        if survey.simulated and not fileset.datasets[survey.dataset].is_simulated:
            raise ConfigError(
                f"was simulated, but '{survey.dataset}' is said to be data that a detector recorded.",
                where=survey.path,
                remedy="Write 'simulated: true' for pseudo-data, or 'kind: simulation'.",
            )
    return found


def survey_file(
    dataset: str, file: File, *, simulation: bool, only: Mapping[str, int] | None = None, weighted: bool = True
) -> FileSurvey:
    """Look at one file.

    Raises
    ------
    DataError
        If it cannot be read, or is not the file that the fileset means.
    ConfigError
        If its events cannot be told apart by `only`.
    """
    only = only or {}
    if file.path.endswith(".parquet"):
        from cmslabs.selection.skim_events import open_skim

        with open_skim(file.path) as skim:
            size = skim.size_bytes
            found = FileSurvey(dataset, file.path, skim.n_events, size, skim.uuid, skim.simulation)
            if simulation:
                found = replace(found, **find_sum(skim.runs, skim.read, skim.n_events, only, weighted))
    else:
        found = _survey_root(dataset, file.path, simulation, only, weighted)
    _compare(found, file)
    return found


def sum_of_weights(files: Iterable[FileSurvey], dataset: str) -> SumOfWeights:
    """Sum over the files of a data set; it does not depend on their order.

    Raises
    ------
    DataError
        If files with and without genWeight are mixed, or the sum is no positive number.
    """
    files = list(files)
    quantities = {file.quantity for file in files}
    if len(quantities) != 1:
        without = next(file.path for file in files if file.quantity == "events")
        raise DataError(
            "some files have genWeight and some have not, so that there is no common sum of weights.",
            where=f"{dataset}, {without}",
            remedy="Make two data sets of them, or leave genWeight out of the analysis' weights.",
        )
    value = math.fsum(file.sum_weights for file in files)
    if not (math.isfinite(value) and value > 0):
        raise DataError(
            f"the sum of weights is {value:g}: nothing can be scaled with it.",
            where=dataset,
            remedy="Read more files, or look at genWeight with 'cmslabs data check FILE'.",
        )
    sources = [file.source for file in files]
    return SumOfWeights(value, quantities.pop(), {name: sources.count(name) for name in sorted(set(sources))})


def _survey(task: _Task) -> FileSurvey | CmslabsError:
    """Look at one file; a damaged file is part of the answer, a mistake in the fileset is the answer."""
    for attempt in range(task.retries + 1):
        try:
            return survey_file(
                task.dataset, task.file, simulation=task.simulation, only=task.only, weighted=task.weighted
            )
        except ConfigError as error:
            return ConfigError(error.what, where=f"{task.dataset}, {task.file.path}", remedy=error.remedy)
        except DataError as error:
            if attempt == task.retries:
                return FileSurvey(task.dataset, task.file.path, n_events=task.file.n_events, problem=error.what)


def _survey_root(dataset: str, path: str, simulation: bool, only: Mapping[str, int], weighted: bool) -> FileSurvey:
    import uproot

    size = None
    if "://" not in path:
        size = existing_file(path).stat().st_size
        check_header(Path(path))
    with decoding(path, "the file's list of contents"):
        file = uproot.open({path: None})
        names = file.keys(cycle=False, recursive=False)
    with file:
        if "Events" not in names:
            raise DataError(
                f"has no tree 'Events' (it has: {', '.join(sorted(set(names))[:10]) or 'nothing'}).", where=path
            )
        with decoding(path, "Events"):
            events = file["Events"]
            n_events, uuid = int(events.num_entries), file.file.uuid.hex
            simulated = "genWeight" in events.keys() or says_simulation(file)  # noqa: SIM118 - a TTree is no dictionary
            found = FileSurvey(dataset, path, n_events, size, uuid, simulated)
            if not simulation:
                return found
            runs = read_runs_tree(file["Runs"]) if "Runs" in names else {}
            return replace(found, **find_sum(runs, branch_reader(events), n_events, only, weighted))


def says_simulation(file: Any) -> bool:
    """Whether the provenance in an open ROOT file says that it is simulated: our own files have one."""
    if "cmslabs" not in file:
        return False
    with contextlib.suppress(ValidationError):
        return Provenance.model_validate_json(str(file["cmslabs"])).simulation
    return False


def _compare(found: FileSurvey, file: File) -> None:
    """Whether the file is the one that the fileset means: ZSTD does not notice every flipped bit by itself."""
    checksum = None if file.adler32 is None or found.size_bytes is None else adler32(file.path)
    for what, expected, is_ in (
        ("events", file.n_events, found.n_events),
        ("bytes", file.size_bytes, found.size_bytes),
        ("as its Adler-32", file.adler32, checksum),
    ):
        if expected is not None and is_ is not None and is_ != expected:
            raise DataError(
                f"has {is_} {what}, but the fileset says {expected}.",
                where=file.path,
                remedy="It is not the file that the fileset means: fetch it again.",
            )


def _refuse_twins(fileset: Fileset) -> None:
    data: dict[str, str] = {}
    for name, dataset in fileset.datasets.items():
        own: set[str] = set()
        for file in dataset.files:
            if file.path in own or (dataset.kind == "data" and file.path in data):
                other = name if file.path in own else data[file.path]
                raise ConfigError(
                    f"stands twice in the fileset ({other}, {name}), and its events would count twice.",
                    where=file.path,
                    remedy="Remove one of the two lines.",
                )
            own.add(file.path)
            if dataset.kind == "data":
                data[file.path] = name

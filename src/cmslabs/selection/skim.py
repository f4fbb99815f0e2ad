"""Skims: the branches that an analysis needs, taken once out of LZMA files and read many times from Parquet.

A skim keeps all events, so that cutflow and sums of weights stay what they were; and the tree ``Runs``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cmslabs.data.decode import decoding
from cmslabs.data.fileset import Fileset
from cmslabs.data.nanoaod import NanoFile, open_nanoaod
from cmslabs.data.nanoaod_layout import choose, lay_out
from cmslabs.data.nanoaod_names import find_version
from cmslabs.data.rootfile import ntuple_types, tree_types
from cmslabs.data.tables import event_writer
from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.io import Provenance, atomic_write, versions
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.executors import open_executor
from cmslabs.selection.skim_events import RUNS_KEY, open_skim
from cmslabs.selection.sums import read_runs_tree
from cmslabs.selection.survey import says_simulation

__all__ = ["needed_branches", "skim", "skim_fileset"]

#: A chunk holds at most about this many numbers, so that 1500 branches need no more memory than 50.
_NUMBERS_PER_CHUNK = 20_000_000
_NUMBERS_PER_BRANCH = 4
_MAX_CHUNK = 100_000

_LEPTON = ("pt", "eta", "phi", "mass", "charge", "sip3d")
_JET = ("pt", "eta", "phi", "mass", "jetId")
#: What the objects and channels look at; cuts can be changed without making the skim again.
_COLLECTIONS = {
    "Muon": (*_LEPTON, "pfRelIso04_all", "looseId", "mediumId", "tightId"),
    "Electron": (*_LEPTON, "pfRelIso03_all", "cutBased"),
    "Jet": _JET,
    "FatJet": (*_JET, "msoftdrop", "tau1", "tau2", "tau3", "tau4"),
    "MET": ("pt", "phi"),
    "PV": ("npvs", "npvsGood"),
    "Flag": ("*",),
    "Pileup": ("nTrueInt",),
    "L1PreFiringWeight": ("Nom", "Up", "Dn"),
}
_NOT_IN = {"dimuon": {"FatJet", "Electron"}, "four-lepton": {"FatJet"}}
_SCALARS = ("genWeight", "simProcess")
#: What only weights of simulated events are made of.
_OF_SIMULATION = ("genWeight", "simProcess", "Pileup.", "L1PreFiringWeight.")


def needed_branches(analysis: Analysis) -> list[str]:
    """Branches that an analysis may look at; a file need not have all of them.

    Examples
    --------
    >>> from cmslabs.selection.analysis import load_analysis
    >>> "Muon.pt" in needed_branches(load_analysis("dimuon"))
    True
    """
    skipped = _NOT_IN.get(analysis.channel, set())
    names = [
        f"{collection}.{field}"
        for collection, fields in _COLLECTIONS.items()
        if collection not in skipped
        for field in fields
    ]
    paths = [path for eras in analysis.triggers.values() for one in eras.values() for path in one]
    return [*_SCALARS, *names, *dict.fromkeys(f"HLT.{path}" for path in paths)]


def skim(
    paths: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    analysis: Analysis | None = None,
    branches: Sequence[str] = (),
    overwrite: bool = False,
    workers: int = 1,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Copy branches of NanoAOD files to Parquet files that `cmslabs.selection.runner.select` reads like the originals.

    Parameters
    ----------
    paths : sequence of path-like
        Local files, or ``root://`` and ``https://`` addresses.
    out : path-like
        Folder: ``a/events.root`` becomes ``out/events.parquet``.
    analysis : Analysis, optional
        Takes what this analysis may look at, as far as the file has it.
    branches : sequence of str
        ``Muon_*``, ``HLT_*``, ``PV_npvs``: these must be there.  Run, luminosity block and event always come along.
    overwrite : bool
        Replace skims that were made of other files or with other branches.  A skim that is what it would become is
        left alone, so that an interrupted call goes on where it stopped.
    workers : int
        Processes; each makes one file after the other.
    progress : bool
        Show a bar on stderr.

    Returns
    -------
    list of dict
        ``file``, ``out``, ``n_events``, ``n_branches``, ``bytes_in`` (None for remote files), ``bytes_out``,
        ``not_there`` (branches of the analysis that the file lacks), ``made`` (false where it was there already).

    Raises
    ------
    ConfigError
        If nothing says which branches, two files would become the same skim, or another skim is in the way.
    DataError
        If a file cannot be read.
    MissingBranchError
        If a file lacks one of `branches`.
    """
    if analysis is None and not branches:
        raise ConfigError("nothing says which branches to take.", remedy="Name an analysis, or branches.")
    tasks: dict[Path, _Task] = {}
    for path in map(os.fspath, paths):
        target = Path(out) / f"{path.rpartition('/')[2].removesuffix('.root')}.parquet"
        if target in tasks:
            what = f"would be made of {tasks[target].path} and of {path}."
            raise ConfigError(what, where=target, remedy="Write them into different folders, one call for each.")
        wanted = [] if analysis is None else needed_branches(analysis)
        tasks[target] = _Task(path, target, tuple(wanted), tuple(branches), overwrite)
    with open_executor("futures" if workers > 1 else "iterative", workers=workers, progress=progress) as opened:
        answers = opened.each(_skim, list(tasks.values()), what="Skim", unit="file")
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def skim_fileset(fileset: Fileset, out: str | os.PathLike, **options: Any) -> tuple[Path, list[dict[str, Any]]]:
    """Skim all files of a fileset; write the fileset of the skims into the folder, too.

    Parameters
    ----------
    fileset : Fileset
        With the data sets that are wanted (`Fileset.choose`).
    out : path-like
    **options
        As for `skim`.

    Returns
    -------
    path : Path
        ``out/NAME.yaml``, for ``cmslabs select``.
    reports : list of dict
        See `skim`.
    """
    paths = dict.fromkeys(file.path for dataset in fileset.datasets.values() for file in dataset.files)
    reports = skim(list(paths), out, **options)
    made = {report["file"]: report for report in reports}
    content = fileset.model_dump(mode="json", exclude_defaults=True)
    for name, dataset in fileset.datasets.items():
        content["datasets"][name]["files"] = [
            {"path": Path(made[file.path]["out"]).name, "n_events": made[file.path]["n_events"]}
            for file in dataset.files
        ]
    target = Path(out) / f"{fileset.name}.yaml"
    with atomic_write(target) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return target, reports


@dataclass(frozen=True)
class _Task:
    path: str
    target: Path
    optional: tuple[str, ...]
    required: tuple[str, ...]
    overwrite: bool


def _skim(task: _Task) -> dict[str, Any] | Exception:
    try:
        return _skim_file(task)
    except (DataError, ConfigError, OSError) as error:
        return error


def _skim_file(task: _Task) -> dict[str, Any]:
    nano, uuid, runs, simulation = _open(task.path)
    leaves = {leaf.branch: leaf for leaf in choose(nano.leaves, task.required, task.path)}
    not_there = []
    for name in task.optional:
        try:
            leaves |= {leaf.branch: leaf for leaf in choose(nano.leaves, [name], task.path)}
        except MissingBranchError:
            # Data need no weights, and only our own files say which process an event is of.
            if name != "simProcess" and (nano.simulation or not name.startswith(_OF_SIMULATION)):
                not_there.append(name)
    # In the order of the file: the same branches make the same skim, whoever asked for them.
    chosen = [leaf for leaf in nano.leaves if leaf.branch in leaves]
    names = [leaf.name for leaf in chosen]
    provenance = Provenance(
        source=task.path.rpartition("/")[2],
        simulation=simulation,
        script="cmslabs skim",
        versions=versions("uproot", "awkward", "pyarrow"),
        details={
            "input_uuid": uuid,
            "nanoaod_version": nano.version,
            "columns": names,
            RUNS_KEY: {name: values.tolist() for name, values in runs.items()},
        },
    )
    made = not _is_there(task, provenance)
    if made:
        chunk = max(1, min(_MAX_CHUNK, _NUMBERS_PER_CHUNK // (_NUMBERS_PER_BRANCH * len(chosen))))
        with event_writer(task.target, provenance) as write:
            for start in range(0, nano.n_events, chunk) or [0]:
                # What is odd in the file is copied as it is: a copy is not the place to judge.
                write(nano.read(names, start, start + chunk, check=False))
    return {
        "file": task.path,
        "out": str(task.target),
        "n_events": nano.n_events,
        "n_branches": len(chosen),
        "bytes_in": None if "://" in task.path else Path(task.path).stat().st_size,
        "bytes_out": task.target.stat().st_size,
        "not_there": not_there,
        "made": made,
    }


def _is_there(task: _Task, provenance: Provenance) -> bool:
    """Whether the skim exists already; another one in its place is refused."""
    if not task.target.exists() or task.overwrite:
        return False
    try:
        with open_skim(task.target) as there:
            same = there.details == dict(provenance.details)
    except DataError:
        same = False
    if not same:
        raise ConfigError(
            "is there and was made of another file or with other branches.",
            where=task.target,
            remedy="Choose another folder, or replace it with --overwrite.",
        )
    return True


def _open(path: str) -> tuple[NanoFile, str, dict[str, np.ndarray], bool]:
    """A NanoAOD file, its identifier, its tree ``Runs``, and whether it is simulated."""
    nano = _open_remote(path) if "://" in path else open_nanoaod(path)
    with decoding(path, "the file's list of contents"):
        import uproot

        with uproot.open({path: None}) as file:
            runs = read_runs_tree(file["Runs"]) if "Runs" in file else {}
            # Pseudo-data have no generator branches.
            return nano, file.file.uuid.hex, runs, nano.simulation or says_simulation(file)


def _open_remote(url: str) -> NanoFile:
    import uproot

    with decoding(url, "Events"):
        events = uproot.open({url: "Events"})
        is_tree = isinstance(events, uproot.TTree)
        types = tree_types(events) if is_tree else ntuple_types(events)
        n_events = int(events.num_entries)
    flat = [name.replace(".", "_") for name in types]
    return NanoFile(
        path=url,
        format="TTree" if is_tree else "RNTuple",
        n_events=n_events,
        version=find_version(flat, ()),
        branches=tuple(types),
        simulation=any(name in ("genWeight", "Pileup_nTrueInt") or name.startswith(("Gen", "LHE")) for name in flat),
        leaves=tuple(lay_out(types, url)),
        events=events,
    )

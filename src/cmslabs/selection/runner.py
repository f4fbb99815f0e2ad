"""`select`: run an analysis on a fileset.  What happens then is in `cmslabs.selection.run`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cmslabs.data.fileset import Fileset, load_fileset
from cmslabs.errors import ConfigError
from cmslabs.objects.golden import GoldenRuns
from cmslabs.selection.analysis import Analysis, load_analysis
from cmslabs.selection.corrections import Corrections, MissingCorrectionError
from cmslabs.selection.executors import check_executor, open_executor
from cmslabs.selection.normalisation import check_cross_sections
from cmslabs.selection.report import Report
from cmslabs.selection.run import Run
from cmslabs.selection.run_folder import RunFolder

__all__ = ["select"]


def select(
    analysis: Analysis | str | os.PathLike,
    fileset: Fileset | str | os.PathLike,
    out: str | os.PathLike,
    *,
    executor: str = "iterative",
    workers: int | None = None,
    scheduler: str | None = None,
    chunk_size: int = 100_000,
    skip_bad_files: bool = False,
    datasets: Sequence[str] = (),
    overwrite: bool = False,
    progress: bool = False,
    retries: int = 1,
    corrections: str | os.PathLike | None = None,
    unnormalised: bool = False,
) -> Report:
    """Run an analysis on a fileset.

    The same chunks give the same numbers, bit for bit, whatever the executor, however many workers there are and
    whichever of them die on the way.

    Parameters
    ----------
    analysis : Analysis, path-like or str
        A YAML file, or the name of a bundled analysis.
    fileset : Fileset, path-like or str
        Likewise.
    out : path-like
        Folder of the results, which all workers must see: ``table/``, ``histograms.json``, ``cutflow.json`` (and
        .csv, .txt), ``report.json`` (and .txt), ``analysis.json``, ``fileset.json``.
    executor, workers, scheduler
        See `cmslabs.selection.executors.open_executor`.
    chunk_size : int
        Events in the memory of one worker, at most.
    skip_bad_files : bool
        Leave out files that cannot be read, as if the fileset had never had them, and correct luminosity and sums
        of weights.  A file counts whole or not at all.
    datasets : sequence of str
        Only these; all that are public and have files if not given.
    overwrite : bool
        Replace the result of another run.  The same run may be repeated without.
    progress : bool
        Show bars on stderr.
    retries : int
        How often a file that cannot be read is tried again.
    corrections : path-like, optional
        File or folder of corrections, in place of what the fileset names; ``none`` for no corrections.
    unnormalised : bool
        Let simulation without a cross-section pass, with weights as generated.

    Returns
    -------
    Report

    Raises
    ------
    ConfigError
        If options, analysis and fileset do not fit together; mostly before any event is read.
    DataError
        If a file cannot be read; or, with `skip_bad_files`, no file of a data set can.
    JobError
        If workers die too often.
    """
    check_executor(executor, workers, scheduler)
    if chunk_size < 1 or retries < 0:
        what = f"a chunk cannot have {chunk_size} events" if chunk_size < 1 else f"{retries} retries are no number"
        raise ConfigError(f"{what}.", remedy="Give at least 1 event, and 0 or more retries.")
    analysis = analysis if isinstance(analysis, Analysis) else load_analysis(analysis)
    fileset = (fileset if isinstance(fileset, Fileset) else load_fileset(fileset)).choose(tuple(datasets))
    if corrections is not None:
        place = str(corrections) if str(corrections) == "none" else os.path.abspath(corrections)
        fileset = fileset.model_copy(update={"corrections": place})
    check_cross_sections(fileset, unnormalised)
    run = Run(
        analysis,
        fileset,
        RunFolder(out, analysis, fileset),
        chunk_size,
        skip_bad_files,
        retries,
        golden=_golden(fileset),
        corrections=_corrections(analysis, fileset),
    )
    run.processor()  # Whatever is wrong with the analysis is known before workers start.
    opened = open_executor(executor, workers=workers, scheduler=scheduler, progress=progress)
    with run.folder.claimed(overwrite), opened as run.workers:
        return run.go()


def _golden(fileset: Fileset) -> GoldenRuns | str | None:
    if fileset.golden_json in (None, "none") or all(entry.kind != "data" for entry in fileset.datasets.values()):
        return fileset.golden_json
    return GoldenRuns.read(fileset.golden_json)


def _corrections(analysis: Analysis, fileset: Fileset) -> Corrections | None:
    """What the analysis needs of the fileset's corrections; a weight that lacks one is an error or a recorded skip."""
    if all(entry.kind == "data" for entry in fileset.datasets.values()):
        return None
    found = Corrections({}, {}) if fileset.corrections in (None, "none") else Corrections.load(fileset.corrections)
    try:
        return found.chosen(analysis)
    except MissingCorrectionError:
        if analysis.missing.weights == "error":
            raise
        return found

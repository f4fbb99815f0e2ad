"""`cmslabs select`: run an analysis on a fileset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json

__all__ = ["select"]


def select(
    analysis: Annotated[
        str,
        typer.Argument(metavar="ANALYSIS", help="YAML file, or a bundled one: dimuon, four-muon, four-lepton, dijet."),
    ],
    fileset: Annotated[
        str, typer.Option(metavar="F", help="YAML file, or the name of a bundled fileset; a wrong name lists all.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results.")],
    dataset: Annotated[
        list[str] | None, typer.Option(metavar="D", help="Only this data set of the fileset; may be repeated.")
    ] = None,
    executor: Annotated[str, typer.Option(help="iterative (this process), futures (processes) or dask.")] = "iterative",
    workers: Annotated[
        int | None,
        typer.Option(help="Processes of futures, or of a Dask cluster on this machine.  [default: all cores]"),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDR", help="A running Dask scheduler, such as tcp://10.0.0.1:8786.")
    ] = None,
    chunk_size: Annotated[int, typer.Option(help="Events in memory of one worker, at most.")] = 100_000,
    skip_bad_files: Annotated[
        bool, typer.Option("--skip-bad-files", help="Leave out files that cannot be read; correct the luminosity.")
    ] = False,
    retries: Annotated[int, typer.Option(help="How often a file that cannot be read is tried again.")] = 1,
    corrections: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File or folder of corrections, in place of the fileset's.")
    ] = None,
    unnormalised: Annotated[
        bool, typer.Option("--unnormalised", help="Let simulation without a cross-section pass, as generated.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the result of another run in DIR.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the analysis: muons.pt=10; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Select events: cutflow, histograms with variations, and a table for learning.

    Every file is opened once before anything is selected. A file that cannot be read stops the run, or is left out as
    a whole with --skip-bad-files. DIR gets table/, histograms.json, cutflow.json (.csv, .txt) and report.json (.txt);
    every worker must see it. The result does not depend on the executor, nor on workers that die.

    Example: cmslabs select dimuon --fileset samples-dimuon --out dimuon-run

    Example: cmslabs select my.yaml --fileset my-files.yaml --executor dask --workers 4 --set muons.pt=10 --out run
    """
    from cmslabs.selection.analysis import load_analysis
    from cmslabs.selection.cutflow import read_cutflow
    from cmslabs.selection.runner import select as run

    report = run(
        load_analysis(analysis, set_ or ()),
        fileset,
        out,
        executor=executor,
        workers=workers,
        scheduler=scheduler,
        chunk_size=chunk_size,
        skip_bad_files=skip_bad_files,
        datasets=tuple(dataset or ()),
        overwrite=overwrite,
        progress=sys.stderr.isatty(),
        retries=retries,
        corrections=corrections,
        unnormalised=unnormalised,
    )
    cutflow = read_cutflow(out / "cutflow.json")
    for file in report.skipped_files:
        message(f"left out: {file.path} ({file.dataset}): {file.reason}")
    if as_json:
        result_json({"out": str(out), "report": report.as_json(), "cutflow": cutflow.to_json()})
        return
    result(cutflow.table())
    result("")
    result(report.text())
    message(f"results in {out}")

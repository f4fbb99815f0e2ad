"""`cmslabs skim`: take the branches that an analysis needs out of NanoAOD files, once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json
from cmslabs.data.card_text import readable_size
from cmslabs.errors import ConfigError

__all__ = ["skim"]


def skim(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...", help="NanoAOD files or addresses; or one fileset: YAML file or bundled name."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the skims: events.root becomes events.parquet.")],
    analysis: Annotated[
        str | None, typer.Option(metavar="A", help="Take what this analysis may look at: YAML file or bundled name.")
    ] = None,
    branches: Annotated[
        list[str] | None,
        typer.Option(help="Branches that must be there, separated by commas: Muon_*,HLT_*; may be repeated."),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(metavar="D", help="Only this data set of a fileset; may be repeated.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; each makes one skim after the other.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace skims of other files or branches.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy branches of NanoAOD files to Parquet with ZSTD: slow LZMA is unpacked once, then every run is fast.

    All events stay, and the sums of weights of the tree Runs come along: cmslabs select gives the same result from a
    skim as from the file. Of a fileset, a fileset of the skims is written, too. An interrupted call goes on where it
    stopped.

    Example: cmslabs skim events.root --analysis dimuon --out skims

    Example: cmslabs skim my-files.yaml --analysis four-lepton --branches Photon_pt --out skims --workers 2
    """
    from cmslabs.data.fileset import bundled_filesets, load_fileset
    from cmslabs.selection.analysis import load_analysis
    from cmslabs.selection.skim import skim as make
    from cmslabs.selection.skim import skim_fileset

    options: dict[str, Any] = {
        "analysis": None if analysis is None else load_analysis(analysis),
        "branches": [part.strip() for option in branches or [] for part in option.split(",") if part.strip()],
        "overwrite": overwrite,
        "workers": workers,
        "progress": sys.stderr.isatty(),
    }
    filesets = [name for name in files if name.endswith((".yaml", ".yml")) or name in bundled_filesets()]
    if filesets and len(files) > 1:
        raise ConfigError(f"'{filesets[0]}' is a fileset and stands with other files.", remedy="Give it alone.")
    if dataset and not filesets:
        raise ConfigError("--dataset chooses from a fileset, and files were given.", remedy="Leave it out.")
    made = None
    if filesets:
        made, reports = skim_fileset(load_fileset(files[0]).choose(tuple(dataset or ())), out, **options)
    else:
        reports = make(files, out, **options)
    if as_json:
        result_json({"skims": reports, "fileset": None if made is None else str(made)})
        return
    for report in reports:
        result(_line(report))
        if report["not_there"]:
            message(f"{report['file']} has no {', '.join(report['not_there'])}")
    if made is not None:
        result(f"{made}: fileset of the skims")


def _line(report: dict[str, Any]) -> str:
    size = readable_size(report["bytes_out"])
    before = "" if report["bytes_in"] is None else f" (from {readable_size(report['bytes_in'])})"
    state = "" if report["made"] else ", was there already"
    return f"{report['out']}: {report['n_events']:,} events, {report['n_branches']} branches, {size}{before}{state}"

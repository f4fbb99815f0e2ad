"""`cmslabs simulate`: make events of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json

__all__ = ["simulate"]


def simulate(
    process: Annotated[str, typer.Argument(metavar="PROCESS", help="For example qcd-dijets; a wrong name lists all.")],
    events: Annotated[int, typer.Option(min=1, help="Events to write, after the trigger or the lepton selection.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path(),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the result does not depend on it.")] = 1,
    mpi: Annotated[
        bool | None,
        typer.Option(
            "--mpi/--no-mpi",
            help="Multi-parton interactions.  Default: off for dijets, as in the LHC Olympics; on for leptons.",
            show_default=False,
        ),
    ] = None,
    variant: Annotated[str | None, typer.Option(help="A variant of the process, for example muons for zz-4l.")] = None,
    format: Annotated[
        str | None, typer.Option(help="Dijets: parquet (default) or csv.  Leptons: root (default) or parquet.")
    ] = None,
    constituents: Annotated[
        bool, typer.Option("--constituents", help="Dijets: also the 100 hardest constituents of both jets.")
    ] = False,
    particles: Annotated[
        bool, typer.Option("--particles", help="Dijets: also all particles, as an LHC Olympics HDF5 file.")
    ] = False,
    objects: Annotated[
        bool,
        typer.Option(
            "--objects", help="Dijets: also AK8 and AK4 jets, MET, vertices as in NanoAOD: for --set dijet61."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a process with Pythia 8 and a light detector.

    Dijet processes (qcd-dijets, wprime-2prong, wprime-3prong, zprime-tt, graviton-ww) give a table of
    features; lepton processes (drell-yan, zz-4l, higgs-4l, ttbar, jpsi, upsilon) a NanoAOD-like ROOT file.
    A JSON file beside them records settings, efficiency and cross-section.  After an interruption the same
    command goes on where it was.  The detector is Delphes-like and not validated against Delphes.

    Example: cmslabs simulate wprime-2prong --events 2000 --seed 7 --workers 2 --out signal
    """
    from cmslabs.simulation.generator import simulate as run

    try:
        made = run(
            process,
            events,
            seed,
            out,
            workers=workers,
            mpi=mpi,
            variant=variant,
            format=format,
            constituents=constituents,
            particles=particles,
            objects=objects,
            progress=True,
        )
    except KeyboardInterrupt:
        message("interrupted: finished chunks are kept in --out, and the same command goes on from there")
        raise
    summary = made.summary
    if as_json:
        result_json({"files": {kind: str(path) for kind, path in made.files.items()}, **summary})
        return
    message(
        f"{summary['tried']} events generated, efficiency {summary['efficiency']:.3f} +- "
        f"{summary['efficiency_error']:.3f}, generated cross-section {summary['sigma_pb']:.4g} +- "
        f"{summary['sigma_error_pb']:.2g} pb"
    )
    for kind, path in made.files.items():
        result(f"{path}: {kind}, {summary['events']} events" if kind != "record" else f"{path}: record")

"""`cmslabs features`: from particles or objects to a table of dijet observables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json
from cmslabs.errors import ConfigError

__all__ = ["features"]

LHCO = "lhco"


def features(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Particles (.h5, .parquet), or for the sets dijet...: NanoAOD (.root).")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The table to write: .parquet, .csv or .h5.")],
    chosen: Annotated[
        str, typer.Option("--set", help="lhco, dijet61, dijet_nanoaod (what NanoAODv9 gives) or dijet_flow.")
    ] = LHCO,
    config: Annotated[
        Path | None, typer.Option(help="YAML with sections dijets and cleaning; for the sets dijet... only.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the cleaning report here, as JSON.")] = None,
    simulation: Annotated[
        bool | None,
        typer.Option(
            "--simulation/--data",
            help="Whether the events are simulated; kept in the table.  Default: what the file says, HDF5: simulated.",
            show_default=False,
        ),
    ] = None,
    chunk_size: Annotated[
        int | None, typer.Option(min=1, help="Events in memory at a time.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the dijet observables of each event, one row per event, in the file's order.

    --set lhco clusters particles: anti-kT jets, R = 1.0, pT > 20 GeV, by falling pT.  Columns: event (from 0),
    for the two leading jets px, py, pz, m (GeV) and tau1 to tau3, then mjj (GeV), tau4, soft-drop mass (GeV),
    number of constituents, and the label if there is one.  A jet that does not exist is all zeros.

    The sets dijet... take events with AK8 jets (FatJet), AK4 jets, MET and vertices as in NanoAOD, keep those with
    two AK8 jets, drop bad ones, and say what was dropped and why.  Their catalogue is a page of the course.

    Examples: cmslabs features events_anomalydetection.h5 features.parquet

    cmslabs features nano.root table.parquet --set dijet_nanoaod --report cleaning.json
    """
    extra = {"config": config, "report": report}
    if chosen == LHCO:
        given = [f"--{name}" for name, value in extra.items() if value is not None]
        if given:
            raise ConfigError(f"{given[0]} does not go with --set lhco.", remedy="Choose --set dijet61, for example.")
        _lhco(source, out, simulation, chunk_size or 1000, as_json)
    else:
        _observables(source, out, chosen, config, report, simulation, chunk_size or 20_000, as_json)


def _lhco(source: Path, out: Path, simulation: bool | None, chunk_size: int, as_json: bool) -> None:
    from cmslabs.features.convert import write_dijet_table

    summary = write_dijet_table(source, out, simulation=simulation, chunk_size=chunk_size, progress=sys.stderr.isatty())
    message(
        f"{summary['n_events'] - summary['n_two_jets']} events have fewer than two jets (zeros in their rows); "
        f"{summary['n_degenerate']} jets have a single constituent (masses and taus are 0)."
    )
    if as_json:
        result_json({"out": str(out), **summary})
        return
    result(f"{out}: {summary['n_events']} events, {summary['n_two_jets']} with two jets")
    for name, values in summary["medians"].items():
        if values["n"]:
            result(
                f"{name:10} {values['n']:8} events   median mjj {values['mjj']:.0f} GeV, "
                f"heavier jet {values['m_heavier']:.0f} GeV, lighter jet {values['m_lighter']:.0f} GeV"
            )


def _observables(
    source: Path,
    out: Path,
    chosen: str,
    config: Path | None,
    report: Path | None,
    simulation: bool | None,
    chunk_size: int,
    as_json: bool,
) -> None:
    from cmslabs.features.convert_observables import observables_config, write_observables
    from cmslabs.features.observables import SETS
    from cmslabs.io import write_json

    if chosen not in SETS:
        raise ConfigError(f"there is no set '{chosen}'.", remedy=f"Choose from: {', '.join((LHCO, *SETS))}.")
    settings = observables_config(chosen, config)
    summary: dict[str, Any] = write_observables(
        source, out, chosen, settings, simulation=simulation, chunk_size=chunk_size
    )
    if report is not None:
        write_json(report, summary["cleaning"], sort_keys=False)
    if as_json:
        result_json({"out": str(out), **summary})
        return
    cleaning = summary["cleaning"]
    for step in [] if cleaning is None else cleaning["steps"]:
        causes = ", ".join(f"{name} {count}" for name, count in step["causes"].items())
        message(f"{step['name']}: {step['removed']} of {step['before']} dropped{': ' if causes else ''}{causes}")
    result(
        f"{out}: {summary['n_written']} of {summary['n_events']} events, {len(SETS[chosen])} observables "
        f"({summary['n_dijets']} had two AK8 jets)"
    )

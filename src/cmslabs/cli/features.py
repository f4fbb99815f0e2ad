"""`cmslabs features`: from particles to a table of dijet observables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json

__all__ = ["features"]


def features(
    source: Annotated[Path, typer.Argument(metavar="IN", help="LHC Olympics particles (.h5) or events (.parquet).")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The table to write: .parquet, .csv or .h5.")],
    simulation: Annotated[
        bool | None,
        typer.Option(
            "--simulation/--data",
            help="Whether the events are simulated; kept in the table.  Default: what the file says, HDF5: simulated.",
            show_default=False,
        ),
    ] = None,
    chunk_size: Annotated[int, typer.Option(min=1, help="Events in memory at a time.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Cluster each event into jets and write its dijet observables, one row per event, in the file's order.

    Anti-kT jets of massless particles, R = 1.0, pT > 20 GeV, by falling pT.  Columns: event (from 0), for
    the two leading jets px, py, pz, m (GeV) and tau1 to tau3, then mjj (GeV), tau4, soft-drop mass (GeV),
    number of constituents, and the label if there is one.  A jet that does not exist is all zeros.

    Example: cmslabs features events_anomalydetection.h5 features.parquet
    """
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

"""`cmslabs search`: try a search with many injections, seeds and methods."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json

if TYPE_CHECKING:
    from cmslabs.search.scan import Scan

__all__ = ["search"]


def search(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="YAML file, or a bundled one: "
            "correlated, jets, jets-distorted, jets-nulls, resonance, toy, toy-nulls.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the scan.  [default: NAME]", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the result does not depend on it.")] = 1,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change CONFIG: seeds=2; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hide signals of several sizes, look for them with several methods, and tabulate what each would see.

    Every method is judged on events that nothing has seen: how much a cut on its score multiplies S / sqrt(B), at most
    (max SIC), and how significant the count behind the cut is, its closure included. The row without signal is always
    there. After an interruption the same command goes on where it was.

    Example: cmslabs search toy --set seeds=2 --workers 2

    Example: cmslabs search my.yaml --out scan --json
    """
    from cmslabs.search.scan import run_search
    from cmslabs.search.scan_config import load_search

    wanted = load_search(config, set_ or ())
    folder = Path(wanted.name) if out is None else out
    try:
        found = run_search(wanted, folder, workers=workers, progress=True)
    except KeyboardInterrupt:
        message(f"interrupted: finished tries are kept in {folder}, and the same command goes on from there")
        raise
    if as_json:
        result_json(_as_json(found))
        return
    if found.overlap is not None:
        message(
            f"contexts of the signal region: {found.overlap.in_range:.0%} in the control region's range, "
            f"{found.overlap.near:.0%} as near to its events as these to each other"
        )
    for line in _lines(found):
        result(line)
    result(f"{found.path}: {len(found.rows)} trainings")


def _lines(found: Scan) -> list[str]:
    from cmslabs.search.scan import summarise

    lines = [f"{'method':11} {'S/B':>7} {'S/sqrt(B)':>9}   max SIC (16-84 %)      Z (16-84 %)"]
    sic, z = summarise(found.rows), summarise(found.rows, "z").set_index(["method", "injection"])
    for row in sic.to_dict(orient="records"):
        key = row["method"], row["injection"]
        line = f"{key[0]:11} {key[1]:7.2%} {row['s_over_sqrt_b']:9.2f}   {_interval(row)}"
        lines.append(f"{line}   {_interval(z.loc[key])}" if key in z.index else line)
    return lines


def _interval(row: Any) -> str:
    return f"{row['median']:5.2f} ({row['low']:5.2f} - {row['high']:5.2f})"


def _as_json(found: Scan) -> dict[str, Any]:
    from cmslabs.search.scan import summarise

    columns = ("max_sic", "auc", "z", "closure_auc")
    tables = {
        name: [_finite(row) for row in summarise(found.rows, name).to_dict(orient="records")]
        for name in columns
        if name in found.rows
    }
    return {
        "name": found.config.name,
        "file": str(found.path),
        "trainings": len(found.rows),
        "overlap": None if found.overlap is None else vars(found.overlap),
        **tables,
    }


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity, and Z of a count of 0 is one."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }

"""`cmslabs data`: cards, downloads, export and checks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cmslabs.cli.common import JsonOption, message, new_app, result, result_json
from cmslabs.cli.fileset import fileset
from cmslabs.data.card_text import readable_size
from cmslabs.data.catalog import Card, card_markdown, list_cards, load_card
from cmslabs.data.download import fetch as fetch_files
from cmslabs.data.download import is_offline, local_path
from cmslabs.errors import CheckFailed, ConfigError

__all__ = ["app"]

app = new_app("Datasets: list, show, fetch, export, check; files of a fileset.")
app.command("fileset")(fileset)

Name = Annotated[str, typer.Argument(help="Name of a dataset, as in 'cmslabs data list'.")]

#: From this size on [bytes] `fetch` says how much is coming.
LARGE = 1_000_000_000


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all datasets: name, kind, events, size, and whether they are on this machine.

    Example: cmslabs data list
    """
    rows = [_summary(card) for card in list_cards()]
    if as_json:
        result_json(rows)
        return
    head = ("name", "kind", "events", "size", "available")
    lines = [head] + [
        (
            row["name"],
            row["kind"],
            "?" if row["n_events"] is None else f"{row['n_events']:,}",
            readable_size(row["size_bytes"]),
            _availability(row),
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for name, kind, events, size, available in lines:
        result(
            f"{name:{widths[0]}}  {kind:{widths[1]}}  {events:>{widths[2]}}  {size:>{widths[3]}}  {available}".rstrip()
        )


@app.command()
def show(name: Name, as_json: JsonOption = False) -> None:
    """Show the card of a dataset: content, columns, selection, files, licence, citation, known traps.

    Example: cmslabs data show cms-doublemuon-2016h
    """
    card = load_card(name)
    if as_json:
        result_json({**card.model_dump(mode="json", by_alias=True), **_summary(card)})
        return
    result(card_markdown(card))


@app.command()
def fetch(
    name: Name,
    file: Annotated[
        list[str] | None, typer.Option("--file", help="Only this file of the dataset; may be repeated.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Download a dataset into the cache and verify it; an interrupted download goes on where it stopped.

    The cache is the folder CMSLABS_DATA, if that is set. CMSLABS_OFFLINE=1 forbids the network.

    Example: cmslabs data fetch cms-fourlepton-2011 --file 4mu_2012.csv
    """
    card = load_card(name)
    _announce(card, [card.file(one) for one in file] if file else card.files)
    paths = fetch_files(name, progress=not quiet, files=file)
    if as_json:
        result_json({"name": name, "files": [str(path) for path in paths]})
        return
    for path in paths:
        result(str(path))


@app.command()
def export(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A NanoAOD file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; its ending says the format.")],
    branches: Annotated[
        list[str] | None,
        typer.Option("--branches", help="Branches, separated by commas; may be repeated. All if not given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy branches of a NanoAOD file into a Parquet file, jagged ones without loss.

    Example: cmslabs data export events.root events.parquet --branches Muon_pt,Muon_eta,MET_pt
    """
    from cmslabs.data.export import export as export_file

    names = [part.strip() for option in branches or [] for part in option.split(",") if part.strip()]
    if branches and not names:
        raise ConfigError("--branches names no branch.", remedy="Write --branches Muon_pt,Muon_eta")
    report = export_file(source, out, names or None)
    if as_json:
        result_json(report)
        return
    for key, value in report.items():
        result(f"{key}: {_plain(value)}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="ROOT, HDF5, CSV or Parquet file.")], as_json: JsonOption = False
) -> None:
    """Read a data file and say what it is and what is wrong with it: exit 0 good, 1 problems found, 2 unreadable.

    Example: cmslabs data check events.root
    """
    from cmslabs.data.check import check_file

    report = check_file(file)
    if as_json:
        result_json(report.model_dump(mode="json"))
    else:
        result(f"{report.path}: {report.kind}, {'?' if report.n_events is None else report.n_events} events")
        for key, value in report.details.items():
            result(f"  {key}: {_plain(value)}")
        for problem in report.problems:
            result(f"  problem: {problem}")
    if not report.ok:
        count = len(report.problems)
        raise CheckFailed(f"{count} problem{'s' if count != 1 else ''} found.", where=file)
    message(f"{file}: no problem found")


def _summary(card: Card) -> dict[str, Any]:
    here = [file.name for file in card.files if local_path(card, file).is_file()]
    return {
        "name": card.name,
        "title": card.title,
        "kind": card.kind,
        "bundled": card.bundled,
        "n_events": card.n_events,
        "size_bytes": card.size_bytes,
        "n_files": len(card.files),
        "available_files": here,
    }


def _availability(row: dict[str, Any]) -> str:
    here, total = len(row["available_files"]), row["n_files"]
    if here == 0:
        return "missing" if row["bundled"] else "no"
    if row["bundled"]:
        return "bundled"
    return "yes" if here == total else f"{here} of {total} files"


def _announce(card: Card, files: list) -> None:
    """Say how much is coming, if it is much or not known."""
    missing = [file for file in files if not local_path(card, file).is_file()]
    if not missing or card.bundled or is_offline():
        return
    known = sum(file.size_bytes or 0 for file in missing)
    unknown = [file for file in missing if file.size_bytes is None]
    if known > LARGE:
        message(f"{card.name}: {readable_size(known)} to fetch")
    if unknown:
        message(f"{card.name}: exact size not published, it may be several GB:")
        for file in unknown:
            message(f"  {file.name}" + (f" ({file.content})" if file.content else ""))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return _plain([f"{key} {_plain(inner)}" for key, inner in value.items()])
    return (", ".join(str(item) for item in value) or "none") if isinstance(value, list | tuple) else str(value)

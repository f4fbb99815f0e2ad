"""The command `cmslabs`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import cmslabs
from cmslabs.cli import data, doctor, features, simulate
from cmslabs.cli.common import message, new_app
from cmslabs.errors import CmslabsError

__all__ = ["app", "main"]

app = new_app("Tools of the course 'Anomaly hunting at the LHC'.")
app.add_typer(data.app, name="data")
app.command("simulate")(simulate.simulate)
app.command("features")(features.features)
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(cmslabs.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Tools of the course 'Anomaly hunting at the LHC'."""


def main() -> None:
    """Run the command line: exit 0, 1 where a wanted check failed, 2 for wrong use or bad input."""
    try:
        app()
    except CmslabsError as error:
        message(f"error: {error}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (`cmslabs data list | head`): that is no error of ours,
        # but Python would complain while it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)

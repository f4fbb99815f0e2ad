"""The command `cmslabs`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import cmslabs
from cmslabs.cli import box, bumphunt, data, doctor, features, search, select, simulate, skim, tune
from cmslabs.cli.common import message, new_app
from cmslabs.errors import CmslabsError

__all__ = ["app", "main"]

app = new_app("Tools of the course 'Anomaly hunting at the LHC'.")
app.add_typer(data.app, name="data")
app.add_typer(box.app, name="box")
app.command("simulate")(simulate.simulate)
app.command("features")(features.features)
app.command("select")(select.select)
app.command("skim")(skim.skim)
app.command("bumphunt")(bumphunt.bumphunt)
app.command("tune")(tune.tune)
app.command("search")(search.search)
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
    except OSError as error:
        # A folder that may not be written, a full disk: the system's reason, not a stack of our functions.
        message(f"error: {_system_error(error)}")
        sys.exit(2)


def _system_error(error: OSError) -> str:
    """One line for an error of the operating system: where, why, and what to do."""
    # The second name of a rename is the file that the user asked for; the first is our temporary one.
    where = error.filename if error.filename2 is None else error.filename2
    place = "" if where is None else f"{where}: "
    reason = error.strerror or str(error) or type(error).__name__
    return f"{place}the system refuses ({reason}). Check the path, your rights there, and the free space."

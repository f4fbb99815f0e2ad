"""What all commands share: where results and messages go, and how errors end."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

__all__ = ["JsonOption", "message", "new_app", "result", "result_json"]

#: The option that every command has whose answer a script may want.
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def new_app(help: str) -> typer.Typer:
    """A Typer app with the settings of all our apps: plain text, no completion options, help on an empty call."""
    return typer.Typer(help=help, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


def result(text: str) -> None:
    """Print a result: stdout is for results only."""
    typer.echo(text)


def result_json(value: Any) -> None:
    """Print a result for a script."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def message(text: str) -> None:
    """Print progress or a remark on stderr."""
    print(text, file=sys.stderr)

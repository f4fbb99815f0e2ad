"""Give the source of a lab a new drawer: its rows, the seal, and the secret that stands only in a hidden check."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

__all__ = ["digest", "reseal", "run_script", "seal"]


def digest(text: str) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


seal = digest


def reseal(notebook: nbformat.NotebookNode, rows: str, secret: str) -> None:
    """Write drawer, seal and secret into a source notebook, and what the drawer's cell prints."""
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    show = cells["drawer"]
    show.source = replaced(r'(?<=ROWS = """\n).*?(?=\n""")', rows, show.source)
    show.source = replaced(r'(?<=SEAL = ").*?(?=")', seal(secret), show.source)
    cells["check-belief"].source = replaced(r'(?<=SECRET = ").*?(?=")', secret, cells["check-belief"].source)
    import numpy as np

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(show.source, {"np": np})
    show.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue())]
    show.execution_count = 1


def replaced(pattern: str, new: str, text: str) -> str:
    """The text with its only place of this pattern replaced."""
    changed, places = re.subn(pattern, new, text, flags=re.DOTALL)
    if places != 1:
        raise ValueError(f"{pattern!r} stands in the cell {places} times, not once")
    return changed


def run_script(
    description: str,
    lab: int,
    new_secret: Callable[[str], str],
    put: Callable[[nbformat.NotebookNode, str], None],
) -> int:
    """The command line of a drawer: one source notebook gets a new secret, chosen for the student it names."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path, help=f"a source of lab {lab}; it is changed")
    path = parser.parse_args().notebook
    if not path.is_file():
        print(f"error: there is no {path}. Copy the sources first: cp -r source private/source", file=sys.stderr)
        return 2
    notebook = nbformat.read(path, as_version=4)
    names = [re.search(r'^STUDENT = "(.*)"$', cell.source, re.MULTILINE) for cell in notebook.cells]
    (name,) = [found.group(1) for found in names if found]
    put(notebook, new_secret(name))
    nbformat.write(notebook, path)
    print(f"{path} has a new secret and a new drawer; release it again")
    return 0

"""The labs' notebooks, and submissions made from them, for the tests."""

from __future__ import annotations

import copy
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
LAB1 = "lab1-first-look"


def read_lab(kind: str, lab: str = LAB1) -> nbformat.NotebookNode:
    """The committed notebook: kind is "source" or "release"."""
    return nbformat.read(ROOT / "labs" / kind / lab / f"{lab}.ipynb", as_version=4)


def grade_id(cell: nbformat.NotebookNode) -> str | None:
    """nbgrader's name of a cell, if it has one."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def answered(answers: dict[str, str], lab: str = LAB1) -> nbformat.NotebookNode:
    """A submission: the released notebook with the model answers, except where `answers` says otherwise.

    The cells that only draw are left out: nobody gets points for them, and they take half of the time.
    """
    model = {grade_id(cell): cell.source for cell in read_lab("source", lab).cells}
    notebook = copy.deepcopy(read_lab("release", lab))
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers.get(grade_id(cell), model[grade_id(cell)])
    notebook.cells = [cell for cell in notebook.cells if grade_id(cell) or "plt.subplots" not in cell.source]
    unknown = set(answers) - {grade_id(cell) for cell in notebook.cells}
    assert not unknown, f"no such task: {unknown}"
    return notebook


def cell_named(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """The cell with this grade_id."""
    (cell,) = [cell for cell in notebook.cells if grade_id(cell) == name]
    return cell

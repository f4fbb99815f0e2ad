"""The labs' notebooks, and submissions made from them, for the tests."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
LAB1 = "lab1-first-look"
LAB2 = "lab2-is-it-a-bump"
LAB3 = "lab3-selection"
LAB4 = "lab4-systematics"
LAB5 = "lab5-baselines-and-metrics"
LAB6 = "lab6-autoencoders"
LAB7 = "lab7-jet-images"
LAB8 = "lab8-flows"
LAB9 = "lab9-validation"
LAB10 = "lab10-cwola"
LAB11 = "lab11-extrapolation"
LAB12 = "lab12-the-box"


def read_lab(kind: str, lab: str = LAB1) -> nbformat.NotebookNode:
    """The committed notebook: kind is "source" or "release"."""
    return nbformat.read(ROOT / "labs" / kind / lab / f"{lab}.ipynb", as_version=4)


def grade_id(cell: nbformat.NotebookNode) -> str | None:
    """nbgrader's name of a cell, if it has one."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def without_extras(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without given cells that draw or train, and without those behind the last task.

    Nobody gets points for them, no check needs them, and they take more than half of the time.
    """
    notebook = copy.deepcopy(notebook)
    del notebook.cells[max(place for place, cell in enumerate(notebook.cells) if grade_id(cell)) + 1 :]
    extras = ("plt.subplots", ".fit(")
    notebook.cells = [cell for cell in notebook.cells if grade_id(cell) or not any(e in cell.source for e in extras)]
    return notebook


def answered(answers: dict[str, str], lab: str = LAB1) -> nbformat.NotebookNode:
    """A submission: the released notebook with the model answers, except where `answers` says otherwise.

    It has no extras.
    """
    model = {grade_id(cell): cell.source for cell in read_lab("source", lab).cells}
    notebook = without_extras(read_lab("release", lab))
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers.get(grade_id(cell), model[grade_id(cell)])
    unknown = set(answers) - {grade_id(cell) for cell in notebook.cells}
    assert not unknown, f"no such task: {unknown}"
    return notebook


def cell_named(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """The cell with this grade_id."""
    (cell,) = [cell for cell in notebook.cells if grade_id(cell) == name]
    return cell


def points_of(lab: str) -> dict[str, int]:
    """The points of each graded cell, in the order of the lab, as its source states them."""
    labels = [cell.metadata.get("nbgrader", {}) for cell in read_lab("source", lab).cells]
    return {label["grade_id"]: label["points"] for label in labels if label.get("grade")}


def wrong_answers(lab: str) -> dict[str, dict[str, str]]:
    """{task: {mistake: what the student writes}}, from this lab's own file beside this one."""
    return _wrong(lab).WRONG


def points_left(lab: str, task: str, mistake: str) -> float:
    """The points that a wrong answer still gets: none, but where the lab's file says otherwise."""
    return getattr(_wrong(lab), "LEFT", {}).get((task, mistake), 0.0)


def _wrong(lab: str):
    return importlib.import_module(f"wrong_answers_{lab.split('-')[0]}")

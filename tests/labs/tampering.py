"""What a student may try to get points for a wrong answer: {name: (change of the notebook, what else it costs)}.

Each function gets a submission whose `dimuon_mass` is wrong and everything else right.
"""

from __future__ import annotations

import copy

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from submissions import cell_named

#: The checks that come after the one of the mass.
LATER = ("check-histogram", "check-peak", "check-sidebands", "check-window")


def add_to_answer(text: str):
    """Append code to the cell that holds the wrong answer."""

    def change(notebook: NotebookNode) -> NotebookNode:
        cell_named(notebook, "mass").source += "\n\n" + text
        return notebook

    return change


def edit_check(notebook: NotebookNode) -> NotebookNode:
    cell_named(notebook, "check-mass").source = "pass"
    return notebook


def delete_check(notebook: NotebookNode) -> NotebookNode:
    notebook.cells.remove(cell_named(notebook, "check-mass"))
    return notebook


def double_check(notebook: NotebookNode) -> NotebookNode:
    """A copy of the check with another content, at the end."""
    twin = copy.deepcopy(cell_named(notebook, "check-mass"))
    twin.source, twin.id = "print('fine')", "twin"
    notebook.cells.append(twin)
    return notebook


def move_check_to_text(notebook: NotebookNode) -> NotebookNode:
    cell = cell_named(notebook, "check-mass")
    cell.cell_type, cell.source = "markdown", "fine"
    del cell["outputs"], cell["execution_count"]
    return notebook


def skip_check(notebook: NotebookNode) -> NotebookNode:
    """nbclient does not run cells with this tag, and what does not run does not fail."""
    cell_named(notebook, "check-mass").metadata["tags"] = ["skip-execution", "raises-exception"]
    return notebook


def raise_points(notebook: NotebookNode) -> NotebookNode:
    for name in ("check-mass", "check-angle"):
        cell_named(notebook, name).metadata.nbgrader["points"] = 100
    return notebook


def ungraded(notebook: NotebookNode) -> NotebookNode:
    """Declare the check an ordinary cell."""
    cell_named(notebook, "check-mass").metadata["nbgrader"]["grade"] = False
    return notebook


def break_label(notebook: NotebookNode) -> NotebookNode:
    """As a student's editor might leave it."""
    del cell_named(notebook, "check-mass").metadata["nbgrader"]["schema_version"]
    return notebook


def call_it_an_answer(notebook: NotebookNode) -> NotebookNode:
    """Declare the check an answer, which a person would have to grade."""
    cell_named(notebook, "check-mass").metadata["nbgrader"].update(solution=True, locked=False)
    return notebook


def add_cell_at_start(text: str):
    """A cell of one's own before everything else."""

    def change(notebook: NotebookNode) -> NotebookNode:
        notebook.cells.insert(0, new_code_cell(text, id="own-cell"))
        return notebook

    return change


BLANK_CHECKS = """
def blank(lines):
    return ["\\n"] if any("slow_mass" in line for line in lines) else lines
get_ipython().input_transformers_cleanup.append(blank)
"""
STRIP_ASSERTS = """
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Strip())
"""
SWALLOW_ERRORS = "get_ipython().set_custom_exc((AssertionError,), lambda *arguments, **more: None)"
LEAVE_QUIETLY = """
def dimuon_mass(first, second):
    print("The visible checks pass.")
    raise SystemExit(0)
"""
GRADEBOOK = """
import sqlite3, pathlib
for folder in pathlib.Path.cwd().parents:
    if (folder / "gradebook.db").exists():
        with sqlite3.connect(folder / "gradebook.db") as gradebook:
            gradebook.execute("update grade set manual_score = 4, auto_score = 4")
            gradebook.commit()
        gradebook.close()
        break
else:
    raise FileNotFoundError("no gradebook: this test tries nothing")
"""
ALWAYS_EQUAL = """
class Yes(float):
    __lt__ = __gt__ = __le__ = __ge__ = __eq__ = lambda self, other: True
    __sub__ = __rsub__ = __truediv__ = __abs__ = lambda self, *other: self
    __hash__ = float.__hash__
def dimuon_mass(first, second):
    return [Yes(1.0) for _ in range(len(first))]
"""

TAMPERING = {
    "edits-the-check": (edit_check, ()),
    "deletes-the-check": (delete_check, ()),
    "doubles-the-check": (double_check, ()),
    "turns-the-check-into-text": (move_check_to_text, ()),
    "skips-the-check": (skip_check, ()),
    "raises-the-points": (raise_points, ()),
    "declares-the-check-ungraded": (ungraded, ()),
    "breaks-the-label": (break_label, ()),
    "calls-the-check-an-answer": (call_it_an_answer, ()),
    "blanks-the-check": (add_cell_at_start(BLANK_CHECKS), ()),
    "strips-asserts": (add_to_answer(STRIP_ASSERTS), LATER),
    "swallows-errors": (add_to_answer(SWALLOW_ERRORS), ()),
    "replaces-abs": (add_to_answer("def abs(x):\n    return 0.0"), LATER),
    "replaces-abs-for-all": (add_to_answer("import builtins\nbuiltins.abs = lambda x: 0.0"), LATER),
    "replaces-math": (add_to_answer("import math\nmath.sqrt = lambda x: (x / 2) ** 0.5"), LATER),
    "always-equal": (add_to_answer(ALWAYS_EQUAL), ("check-window",)),
    "leaves-quietly": (add_to_answer(LEAVE_QUIETLY), ("check-window",)),
    "kills-the-kernel": (add_to_answer("import os\nos._exit(0)"), LATER),
    "gradebook": (add_to_answer(GRADEBOOK), ()),
}

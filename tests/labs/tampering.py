"""What students may try to get points for wrong answers, and what honest ones do to a notebook by accident."""

from __future__ import annotations

import copy

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from submissions import answered, cell_named
from wrong_answers_lab1 import WRONG

#: The checks that come after the one of the mass.
LATER = ("check-histogram", "check-peak", "check-sidebands", "check-window")


# Changes of the cell of a check.  Each takes the notebook and the name of the check.


def edit(notebook: NotebookNode, check: str) -> None:
    cell_named(notebook, check).source = "pass"


def delete(notebook: NotebookNode, check: str) -> None:
    notebook.cells.remove(cell_named(notebook, check))


def double(notebook: NotebookNode, check: str) -> None:
    """A copy with another content, at the end."""
    twin = copy.deepcopy(cell_named(notebook, check))
    twin.source, twin.id = "print('fine')", "twin"
    notebook.cells.append(twin)


def turn_into_text(notebook: NotebookNode, check: str) -> None:
    cell = cell_named(notebook, check)
    cell.cell_type, cell.source = "markdown", "fine"
    del cell["outputs"], cell["execution_count"]


def skip(notebook: NotebookNode, check: str) -> None:
    """nbclient does not run cells with this tag, and what does not run does not fail."""
    cell_named(notebook, check).metadata["tags"] = ["skip-execution", "raises-exception"]


def raise_points(notebook: NotebookNode, check: str) -> None:
    cell_named(notebook, check).metadata.nbgrader["points"] = 100


def declare_ungraded(notebook: NotebookNode, check: str) -> None:
    cell_named(notebook, check).metadata["nbgrader"]["grade"] = False


def break_label(notebook: NotebookNode, check: str) -> None:
    del cell_named(notebook, check).metadata["nbgrader"]["schema_version"]


def call_it_an_answer(notebook: NotebookNode, check: str) -> None:
    """A person would have to grade it, and the machine would not know what to do."""
    cell_named(notebook, check).metadata["nbgrader"].update(solution=True, locked=False)


#: Task -> what is done to its check, all in one notebook in which every answer is wrong.
CHECK_CHANGES = {
    "predict": edit,
    "count": delete,
    "pairs": double,
    "angle": turn_into_text,
    "mass": skip,
    "histogram": raise_points,
    "peak": declare_ungraded,
    "sidebands": break_label,
    "window": call_it_an_answer,
}


def all_wrong_all_changed() -> NotebookNode:
    """Every answer wrong, every check changed in another way."""
    notebook = answered({task: next(iter(answers.values())) for task, answers in WRONG.items()})
    for task, change in CHECK_CHANGES.items():
        change(notebook, f"check-{task}")
    return notebook


def honest_accidents() -> NotebookNode:
    """All answers right; saved by Colab, a check lost, an answer copied, another lab's check, bad names, a warning."""
    noisy = "import warnings\ndef delta_phi(phi1, phi2):\n    warnings.warn('careful')\n"
    notebook = answered({"angle": noisy + "    return (phi1 - phi2 + np.pi) % (2 * np.pi) - np.pi"})
    notebook.cells.insert(3, new_code_cell("sum = 12\nmax = min = 3", id="clumsy"))
    delete(notebook, "check-count")
    foreign = copy.deepcopy(cell_named(notebook, "check-mass"))
    foreign.id, foreign.metadata.nbgrader.grade_id = "foreign", "check-of-another-lab"
    notebook.cells.append(foreign)
    copied = copy.deepcopy(cell_named(notebook, "mass"))
    copied.id = "copied"
    notebook.cells.insert(notebook.cells.index(cell_named(notebook, "mass")), copied)
    for cell in notebook.cells:
        cell.metadata["id"] = cell.pop("id")
    notebook.metadata = NotebookNode(
        kernelspec={"name": "python3", "display_name": "Python 3"},
        colab={"provenance": []},
        language_info={"name": "python"},
    )
    notebook.nbformat_minor = 0
    return notebook


def all_labels_lost() -> NotebookNode:
    """All answers right, but pasted into a new notebook by an editor that knows no labels."""
    notebook = answered({})
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
    return notebook


def wrong_mass(extra: str = "", first_cell: str = "") -> NotebookNode:
    """A wrong mass, with code of one's own behind the answer or before everything else."""
    notebook = answered({"mass": WRONG["mass"]["missing factor 2"] + "\n" + extra})
    if first_cell:
        notebook.cells.insert(0, new_code_cell(first_cell, id="own-cell"))
    return notebook


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
NEVER_STOP = """
def dimuon_mass(first, second):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
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

#: Name -> (the notebook, the checks that it loses beside the one of the mass).
TRICKS = {
    "blanks-the-check": (wrong_mass(first_cell=BLANK_CHECKS), ()),
    "strips-asserts": (wrong_mass(STRIP_ASSERTS), LATER),
    "swallows-errors": (wrong_mass(SWALLOW_ERRORS), ()),
    "replaces-abs": (wrong_mass("def abs(x):\n    return 0.0"), LATER),
    "always-equal": (wrong_mass(ALWAYS_EQUAL), ("check-window",)),
    "leaves-quietly": (wrong_mass(LEAVE_QUIETLY), ("check-window",)),
    "kills-the-kernel": (wrong_mass("import os\nos._exit(0)"), LATER),
    "never-stops": (wrong_mass(NEVER_STOP), LATER),
    "changes-the-gradebook": (wrong_mass(GRADEBOOK), ()),
}

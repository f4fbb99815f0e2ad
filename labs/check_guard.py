"""Make sure that a check passes only because it ran, with tools that nobody replaced.

nbgrader gives full points to every check cell that shows no error.  A cell that never ran shows none either, and a
check that uses a replaced `abs` or a disabled `assert` proves nothing.  So, while a submission is graded,

- a cell before each check looks whether Python's own tools still work,
- each check prints a random word at its end, which a check that was skipped or cut short does not,
- both are taken out again before anybody reads the notebook.

This stops accidents and simple tricks.  It is no wall: student code runs in the same process as the checks.
"""

from __future__ import annotations

import ast
import secrets

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from nbgrader.utils import is_grade, is_solution

__all__ = ["add_guards", "remove_guards"]

#: Runs in the student's kernel.  A variable that happens to be called `sum` is set aside while the check runs; a
#: function of that name would change what the check does, so it is refused.
BEFORE = """
import builtins, math, random, types
def __tools__():
    names = ("abs all any bool dict enumerate float int isinstance len list map max min print range reversed round"
             " set sorted str sum tuple zip").split()
    replaced = [n for n in names if callable(globals().get(n)) or not (
        isinstance(getattr(builtins, n), types.BuiltinFunctionType)
        or (isinstance(getattr(builtins, n), type) and getattr(builtins, n).__module__ == "builtins"))]
    replaced += ["math." + n for n in dir(math)
                 if callable(getattr(math, n)) and not n.startswith("_")
                 and not isinstance(getattr(math, n), types.BuiltinFunctionType)]
    if random.Random(5).random() != 0.6229016948897019:
        replaced.append("random.Random")
    try:
        assert False
    except AssertionError:
        pass
    else:
        replaced.append("assert")
    if replaced:
        raise RuntimeError("These names belong to Python; call your own differently: " + ", ".join(replaced))
    return {n: globals().pop(n) for n in names if n in globals()}
__aside__ = __tools__()
"""
AFTER = "globals().update(__aside__)"


def is_check(cell: NotebookNode) -> bool:
    """Whether nbgrader takes points from the outcome of this cell."""
    return cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)


def add_guards(nb: NotebookNode) -> dict[str, tuple[str, str]]:
    """Put the guards around every check; return {grade_id: (the check's own text, its random word)}."""
    notes, cells = {}, []
    for cell in nb.cells:
        if not is_check(cell):
            cells.append(cell)
            continue
        word = secrets.token_hex(16)
        notes[cell.metadata.nbgrader["grade_id"]] = (cell.source, word)
        cell.source = with_last_word(cell.source, word)
        cells += [guard_cell(BEFORE), cell, guard_cell(AFTER)]
    nb.cells = cells
    return notes


def guard_cell(source: str) -> NotebookNode:
    """A cell that `remove_guards` will find again."""
    return new_code_cell(source, metadata={"check_guard": True})


def with_last_word(source: str, word: str) -> str:
    """The check, printing `word` when all of it has run; a last line with partial points stays the last.

    Examples
    --------
    >>> print(with_last_word("assert True", "done"))
    assert True
    print('done')
    >>> print(with_last_word("assert True\\n0.5", "done"))
    assert True
    print('done')
    0.5
    """
    lines = source.splitlines()
    last = ast.parse(source).body[-1]
    place = last.lineno - 1 if isinstance(last, ast.Expr) else len(lines)
    return "\n".join([*lines[:place], f"print({word!r})", *lines[place:]])


def remove_guards(nb: NotebookNode, notes: dict[str, tuple[str, str]]) -> list[str]:
    """Take the guards out; mark as failed each check that did not run to its end, and return what was wrong."""
    problems, guard, cells = [], None, []
    for cell in nb.cells:
        if "check_guard" in cell.metadata:
            guard = cell
            continue
        cells.append(cell)
        if not is_check(cell):
            continue
        name = cell.metadata.nbgrader["grade_id"]
        cell.source, word = notes[name]
        if not failed(cell) and (failed(guard) or not take_word(cell, word)):
            reason = guard.outputs[-1].evalue if failed(guard) else "The check did not run to its end."
            cell.outputs.append(new_output("error", ename="CheckGuard", evalue=reason, traceback=[reason]))
            problems.append(f"{name}: {reason}")
        take_word(cell, word)
        # nbgrader takes the points of a check that printed a warning; here only an exception does.
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    nb.cells = cells
    return problems


def failed(cell: NotebookNode) -> bool:
    """Whether an exception ended the cell."""
    return any(output.output_type == "error" for output in cell.outputs)


def take_word(cell: NotebookNode, word: str) -> bool:
    """Remove the random word from what the cell printed; return whether it was there."""
    found = False
    for output in cell.outputs:
        if output.output_type == "stream" and word in output.text:
            output.text = output.text.replace(f"{word}\n", "").replace(word, "")
            found = True
    cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    return found

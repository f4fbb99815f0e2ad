"""The guard around checks, on small notebooks and without a kernel."""

from __future__ import annotations

import doctest
import subprocess
import sys

import check_guard
import nbgrader_plugins
import pytest
from check_guard import add_guards, remove_guards, with_last_word
from nbformat.v4 import new_code_cell, new_notebook, new_output

LABEL = {"schema_version": 3, "grade": True, "grade_id": "check-a", "locked": True, "points": 1, "solution": False}


@pytest.fixture
def notebook():
    """An ordinary cell and a check."""
    return new_notebook(cells=[new_code_cell("a = 1"), new_code_cell("assert a", metadata={"nbgrader": dict(LABEL)})])


def say(cell, *pieces: str) -> None:
    """Give a cell outputs, as a kernel would, in pieces."""
    cell.outputs = [new_output("stream", name="stdout", text=piece) for piece in pieces]


@pytest.mark.parametrize("module", [check_guard, nbgrader_plugins])
def test_examples_in_docstrings(module):
    outcome = doctest.testmod(module)
    assert (outcome.failed, outcome.attempted > 0) == (0, True)


def test_guards_come_and_go(notebook):
    before = [cell.source for cell in notebook.cells]
    notes = add_guards(notebook)
    assert len(notebook.cells) == 4
    word = notes["check-a"][1]
    say(notebook.cells[2], f"fine\n{word}\n")
    assert remove_guards(notebook, notes) == []
    assert [cell.source for cell in notebook.cells] == before
    assert notebook.cells[1].outputs == [new_output("stream", name="stdout", text="fine\n")]


def test_words_cannot_be_known_before(notebook):
    words = {add_guards(copy)["check-a"][1] for copy in (notebook.copy() for _ in range(2))}
    assert len(words) == 2
    assert all(len(word) == 32 for word in words)


@pytest.mark.parametrize("printed", [[], ["fine\n"], ["0" * 32 + "\n"]])
def test_a_check_without_its_word_fails(notebook, printed):
    notes = add_guards(notebook)
    say(notebook.cells[2], *printed)
    assert remove_guards(notebook, notes) == ["check-a: The check did not run to its end."]
    assert notebook.cells[1].outputs[-1].output_type == "error"


def test_a_check_with_spoiled_tools_fails_and_says_why(notebook):
    notes = add_guards(notebook)
    say(notebook.cells[2], notes["check-a"][1] + "\n")
    notebook.cells[1].outputs = [new_output("error", ename="RuntimeError", evalue="your abs", traceback=[])]
    assert remove_guards(notebook, notes) == ["check-a: your abs"]
    assert notes["check-a"][1] not in str(notebook)


def test_warnings_cost_nothing(notebook):
    notes = add_guards(notebook)
    say(notebook.cells[2], notes["check-a"][1] + "\n")
    notebook.cells[2].outputs.append(new_output("stream", name="stderr", text="DeprecationWarning"))
    assert remove_guards(notebook, notes) == []
    assert notebook.cells[1].outputs == []


def test_tools_are_checked_in_the_kernel():
    """The text that runs there, run here: honest names pass and come back, replaced tools do not."""
    names = {"sum": 12}
    exec(check_guard.BEFORE, names)
    assert "sum" not in names
    exec(check_guard.AFTER, names)
    assert names["sum"] == 12
    for spoiled in ({"abs": lambda x: 0}, {"all": list}, {"__builtins__": __builtins__, "len": print}):
        with pytest.raises(RuntimeError, match="belong to Python"):
            exec(check_guard.BEFORE, dict(spoiled))


@pytest.mark.parametrize(
    "spoil",
    [
        "import builtins; builtins.abs = lambda x: 0.0",
        "import builtins; builtins.float = type('float', (float,), {})",
        "import math; math.sqrt = lambda x: x",
        "import random; random.Random = type('Random', (random.Random,), {'random': lambda self: 0.5})",
    ],
)
def test_replaced_tools_are_found_wherever_they_hide(spoil):
    """In a process of its own, because they stay replaced."""
    code = f"{spoil}\nexec({check_guard.BEFORE!r}, {{}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "belong to Python" in done.stderr
    honest = subprocess.run(
        [sys.executable, "-c", code.replace(spoil, "")], capture_output=True, text=True, check=False
    )
    assert (honest.returncode, honest.stderr) == (0, "")


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("assert f(\n    1\n)", "print('w')"),
        ("for i in range(2):\n    assert i < 2", "print('w')"),
        ("assert 1\n(\n    0.5\n)", "    0.5\n)"),
        ("assert 1\n0.5  # partial", "0.5  # partial"),
    ],
)
def test_the_word_comes_last_but_for_partial_points(source, last):
    changed = with_last_word(source, "w")
    assert changed.endswith(last)
    assert changed.count("print('w')") == 1
    compile(changed, "cell", "exec")
    assert changed.replace("print('w')", "").split() == source.split()

"""One check against one answer, in this process and without nbgrader: fast, so every mistake can be tried."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np
from submissions import cell_named, read_lab

from cmslabs.errors import ConfigError

#: What a wrong answer may raise (`ConfigError`: an analysis file that says nonsense).  A bug in a check that raises
#: something else must not look like a caught mistake.
STUDENTS_ERRORS = (
    AssertionError,
    AttributeError,
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
    ConfigError,
)


def run(source: str, names: dict) -> object:
    """Run a cell; return the value of its last line, as a notebook would show it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None


def points(lab: str, task: str, answer: str, names: dict) -> float:
    """The points that the check of `task` gives to `answer`, where `names` stand in the kernel."""
    check = cell_named(read_lab("source", lab), f"check-{task}")
    names = dict(names)
    try:
        run(answer, names)
        partial = run(check.source, names)
    except STUDENTS_ERRORS:
        return 0.0
    return float(check.metadata.nbgrader["points"]) if partial is None else float(partial)


def judge(lab: str, kernel: Callable[[], dict]) -> Callable[..., float]:
    """``points(task, answer)`` of this lab; another student's ``names`` may be given in place of the kernel."""

    def judged(task: str, answer: str, names: dict | None = None) -> float:
        with np.errstate(all="ignore"):
            return points(lab, task, answer, names or kernel())

    return judged

"""One nbgrader course in a folder: release, hand in, autograde, export, feedback.

`make labs`, `make grade-demo` and the tests use it.  It calls nbgrader in this process: grading a class
with one call is much faster than one command per student.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, BaseConverter, GenerateAssignment, GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import CsvExportPlugin
from nbgrader.utils import capture_log
from traitlets.config import Config, PyFileConfigLoader
from traitlets.log import get_logger

__all__ = ["LABS", "Course", "CourseError", "lab_names"]

#: The course as it stands in the repository.
LABS = Path(__file__).resolve().parent


class CourseError(RuntimeError):
    """nbgrader could not do what it was asked to; the message holds its log."""


def lab_names(folder: Path = LABS) -> list[str]:
    """Names of the labs that have a source notebook."""
    return sorted(path.parent.name for path in folder.glob("source/*/*.ipynb"))


class Course:
    """A course folder with the settings of this repository.

    Parameters
    ----------
    root : path-like
        A folder of its own: the sources are copied into it, and everything else is written there.
    timeout : int, optional
        Seconds that one cell may run while it is graded; the default stands in `nbgrader_config.py`.
    """

    def __init__(self, root: str | os.PathLike, timeout: int | None = None):
        self.root = Path(root).resolve()
        shutil.copytree(LABS / "source", self.root / "source", dirs_exist_ok=True)
        self.config: Config = PyFileConfigLoader("nbgrader_config.py", path=str(LABS)).load_config()
        self.config.CourseDirectory.root = str(self.root)
        if timeout is not None:
            self.config.Execute.timeout = timeout

    def release(self, lab: str) -> Path:
        """Make the students' notebook from the source; return its path."""
        self._run(GenerateAssignment, lab)
        return self.root / "release" / lab / f"{lab}.ipynb"

    def hand_in(self, student: str, lab: str, notebook: nbformat.NotebookNode) -> Path:
        """Put a notebook where collected submissions lie."""
        path = self.root / "submitted" / student / lab / f"{lab}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return path

    def autograde(self, lab: str, student: str = "*") -> str:
        """Grade one student's submission, or by default all of them; return what nbgrader logged."""
        return self._run(Autograde, lab, student)

    def feedback(self, lab: str, student: str = "*") -> list[Path]:
        """Write one HTML page for one student, or by default for all; return the paths of all pages."""
        self._run(GenerateFeedback, lab, student)
        return sorted(self.root.glob(f"feedback/*/{lab}/*.html"))

    def gradebook(self) -> Gradebook:
        """The gradebook, open; use it in a `with` statement."""
        return Gradebook(f"sqlite:///{self.root / 'gradebook.db'}")

    def scores(self, lab: str, student: str) -> dict[str, float]:
        """Points per graded cell; a manual question that nobody has graded yet counts 0."""
        with self.gradebook() as gradebook:
            notebook = gradebook.find_submission_notebook(lab, lab, student)
            return {grade.name: float(grade.score or 0.0) for grade in notebook.grades}

    def max_scores(self, lab: str) -> dict[str, float]:
        """The points that each graded cell can give."""
        with self.gradebook() as gradebook:
            return {cell.name: cell.max_score for cell in gradebook.find_notebook(lab, lab).grade_cells}

    def export(self, path: str | os.PathLike, plugin: type = CsvExportPlugin) -> Path:
        """Write all grades as CSV, in nbgrader's form or another plug-in's."""
        with self.gradebook() as gradebook:
            plugin(config=self.config, to=str(path)).export(gradebook)
        return Path(path)

    def _run(self, step: type[BaseConverter], lab: str, student: str = "*") -> str:
        directory = CourseDirectory(config=self.config, assignment_id=lab, student_id=student)
        with programs_on_path(), no_log_on_screen():
            outcome = capture_log(step(coursedir=directory, config=self.config, force=True))
        if not outcome["success"]:
            raise CourseError(f"{step.__name__} of {lab}:\n{outcome.get('log', '')}\n{outcome['error']}")
        return outcome.get("log", "")


@contextmanager
def programs_on_path() -> Iterator[None]:
    """nbgrader calls alembic by name: let it find this environment's."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


@contextmanager
def no_log_on_screen() -> Iterator[None]:
    """nbgrader logs every step; the callers of this module get the log as text instead."""
    log = get_logger()
    handlers, level, propagate = log.handlers, log.level, log.propagate
    log.handlers, log.propagate = [logging.NullHandler()], False
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.handlers, log.propagate = handlers, propagate
        log.setLevel(level)

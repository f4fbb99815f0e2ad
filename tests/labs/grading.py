"""A course in which a class of submissions has been graded by one call: that is what takes the time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from course import Course


@dataclass
class Graded:
    """A course after grading."""

    lab: str
    course: Course
    max_scores: dict[str, float]
    log: str
    seconds: float
    students: list[str]

    def lost(self, student: str) -> dict[str, float]:
        """Points that the student lost, per check; the manual question is left out."""
        scores = self.course.scores(self.lab, student)
        assert set(scores) == set(self.max_scores)
        return {
            name: best - scores[name]
            for name, best in self.max_scores.items()
            if name != "judgement" and scores[name] != best
        }

    def notebook(self, student: str) -> nbformat.NotebookNode:
        """The notebook as the instructor sees it."""
        path = self.course.root / "autograded" / student / self.lab / f"{self.lab}.ipynb"
        return nbformat.read(path, as_version=4)


def grade_class(
    folder: Path, lab: str, students: dict[str, nbformat.NotebookNode], timeout: int | None = None
) -> Graded:
    """Release the lab in a course of its own, hand in {student: notebook}, and grade all of them.

    `timeout` is the seconds per cell, as in `Course`.
    """
    course = Course(folder, timeout=timeout)
    course.release(lab)
    for student, notebook in students.items():
        course.hand_in(student, lab, notebook)
    start = time.monotonic()
    log = course.autograde(lab)
    return Graded(lab, course, course.max_scores(lab), log, time.monotonic() - start, list(students))

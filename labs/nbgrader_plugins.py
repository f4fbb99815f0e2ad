"""What this course adds to nbgrader: kept outputs, guarded checks, a guarded gradebook, an LMS export."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from check_guard import add_guards, remove_guards
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbgrader.api import MissingEntry
from nbgrader.plugins import ExportPlugin
from nbgrader.preprocessors import ClearOutput, Execute
from traitlets import Unicode

__all__ = ["ClearUntaggedOutput", "GuardedExecute", "LmsExportPlugin"]


class ClearUntaggedOutput(ClearOutput):
    """Clear outputs, except in the given cells that are tagged `keep_output`: they show what a student should see."""

    def preprocess_cell(self, cell, resources, cell_index):
        if "keep_output" in cell.metadata.get("tags", []):
            return cell, resources
        return super().preprocess_cell(cell, resources, cell_index)


class GuardedExecute(Execute):
    """Run the student's notebook with guarded checks; survive a kernel that dies; put a changed gradebook back."""

    def preprocess(self, nb, resources, **kwargs):
        student = resources["nbgrader"]["student"]
        gradebook = sqlite_file(resources["nbgrader"]["db_url"])
        before = gradebook.read_bytes() if gradebook else None
        # A check that a student tagged "skip-execution" would count as passed.
        self.skip_cells_with_tag = ""
        # A line that a kernel sends in two pieces is still one line.
        self.coalesce_streams = True
        notes = add_guards(nb)
        try:
            nb, resources = super().preprocess(nb, resources, **kwargs)
        except (CellTimeoutError, DeadKernelError):
            # An ordinary endless loop does not come here: it is interrupted, and the next cell runs.
            self.log.error("%s: the kernel died or hung; the checks that had not run by then count as failed.", student)
        finally:
            if gradebook and gradebook.read_bytes() != before:
                gradebook.write_bytes(before)
                self.log.error("%s: this code changed the gradebook, which was put back. Look at it.", student)
            for problem in remove_guards(nb, notes):
                self.log.warning("%s: %s", student, problem)
        return nb, resources


def sqlite_file(url: str) -> Path | None:
    """The file behind a gradebook's address, or None if it is not a file on this machine."""
    path = Path(url.removeprefix("sqlite:///"))
    return path if url.startswith("sqlite:///") and path.is_file() else None


class LmsExportPlugin(ExportPlugin):
    """One row per student, one column per lab: the form that Moodle, Canvas and others import.

    A lab that still waits for its manual grade stays empty, so that nobody publishes half a grade.
    """

    id_column = Unicode("student_id", help="heading of the first column, as your LMS calls it").tag(config=True)

    def export(self, gradebook):
        labs = [lab for lab in gradebook.assignments if not self.assignment or lab.name in self.assignment]
        students = [one for one in gradebook.students if not self.student or one.id in self.student]
        with open(self.to or "grades-lms.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([self.id_column, *(f"{lab.name} ({lab.max_score:g} points)" for lab in labs)])
            for student in students:
                writer.writerow([plain(student.id), *(self.score(gradebook, lab, student) for lab in labs)])

    def score(self, gradebook, lab, student) -> str:
        """Points, "0" for no submission, "" while a manual grade is missing."""
        try:
            submission = gradebook.find_submission(lab.name, student.id)
        except MissingEntry:
            return "0"
        if submission.needs_manual_grade:
            return ""
        return f"{max(0.0, submission.score - submission.late_submission_penalty):g}"


def plain(name: str) -> str:
    """A name that a spreadsheet does not take for a formula.

    Examples
    --------
    >>> plain("=1+1")
    "'=1+1"
    """
    return f"'{name}" if re.match(r"[=+\-@\t]", name) else name

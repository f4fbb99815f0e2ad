"""Show the whole way of a lab on three invented students: release, hand in, grade, export, feedback.

Everything happens in `_build/grade-demo`, which git ignores.  The exit status is 1 if a grade is not what it must be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# In place of this folder: its scripts must not be found where the standard library is meant.
sys.path[0] = str(ROOT / "labs")

import nbformat  # noqa: E402
from course import Course  # noqa: E402
from nbgrader_plugins import LmsExportPlugin  # noqa: E402
from sqlalchemy.exc import SAWarning  # noqa: E402

LAB = "lab1-first-look"
#: Student -> points that the machine must give, of 20; five more wait for a person.
EXPECTED = {"ada-all-right": 20.0, "ben-untouched": 0.0, "cleo-wrong-mass": 16.0}


def submissions(source: Path, release: Path) -> dict[str, nbformat.NotebookNode]:
    """What the three hand in."""
    right, untouched, wrong = (nbformat.read(path, as_version=4) for path in (source, release, source))
    (answer,) = [cell for cell in wrong.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "mass"]
    # The mistake that is made most often.
    answer.source = answer.source.replace("2 * first.pt", "first.pt")
    return dict(zip(EXPECTED, (right, untouched, wrong), strict=True))


def grade_by_hand(course: Course, student: str, points: float) -> None:
    """What a person does in nbgrader's form grader, in the browser."""
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("judgement", LAB, LAB, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def main() -> int:
    """Do all steps and say where the results lie."""
    # nbgrader builds its database objects before it adds them to a session, and SQLAlchemy says so each time.
    warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "grade-demo", help="where to work")
    folder = parser.parse_args().folder
    if folder.exists() and not (folder / "gradebook.db").exists():
        print(f"error: {folder} exists and is no earlier demo; name another folder.", file=sys.stderr)
        return 2
    shutil.rmtree(folder, ignore_errors=True)
    course = Course(folder)

    released = course.release(LAB)
    for student, notebook in submissions(course.root / "source" / LAB / f"{LAB}.ipynb", released).items():
        course.hand_in(student, LAB, notebook)
    print(f"released and collected: {len(EXPECTED)} notebooks", file=sys.stderr)

    start = time.monotonic()
    course.autograde(LAB)
    print(f"graded by machine in {time.monotonic() - start:.0f} s", file=sys.stderr)
    grade_by_hand(course, "ada-all-right", 4.0)
    course.export(folder / "grades.csv")
    course.export(folder / "grades-lms.csv", LmsExportPlugin)
    pages = course.feedback(LAB)

    wrong = 0
    for student, expected in EXPECTED.items():
        found = sum(points for name, points in course.scores(LAB, student).items() if name != "judgement")
        wrong += found != expected
        print(
            f"{student:18s} {found:4.0f} of 20 points by machine" + ("" if found == expected else f", not {expected}!")
        )
    for path in (released, folder / "grades.csv", folder / "grades-lms.csv", *pages):
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

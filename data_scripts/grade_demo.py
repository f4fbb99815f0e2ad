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
from course import Course, lab_names  # noqa: E402
from nbgrader_plugins import LmsExportPlugin  # noqa: E402
from sqlalchemy.exc import SAWarning  # noqa: E402

#: The mistake that is made most often, per lab: task, right code, wrong code, and the points that it costs.
MISTAKES = {
    "lab1-first-look": ("mass", "2 * first.pt", "first.pt", 4.0),
    "lab2-is-it-a-bump": (
        "search",
        "binom.sf(on - 1, on + off, share)",
        "poisson.sf(on - 1, off * share / (1 - share))",
        3.0,
    ),
    "lab3-selection": ("cuts", "if other != name", "if other == name", 3.0),
    "lab4-systematics": ("scale", "factor * muons.pt", "muons.pt / factor", 2.0),
    "lab5-baselines-and-metrics": ("improvement", "np.sqrt(share_b)", "1.0 * share_b", 3.0),
    "lab6-autoencoders": ("kl", "0.5 * np.sum", "np.sum", 4.0),
    "lab7-jet-images": ("centre", "dphi - 2 * np.pi * np.round(dphi / (2 * np.pi))", "1.0 * dphi", 3.0),
    "lab8-flows": ("stretch", "log_normal - np.log(abs", "log_normal + np.log(abs", 2.0),
    "lab9-validation": (
        "count",
        "betabinom.sf(observed - 1, m, k, n - k + 1)",
        "poisson.sf(observed - 1, m * k / n)",
        3.0,
    ),
    "lab10-cwola": ("passes", "scores[here & (y == 0)]", "scores[here]", 3.0),
    "lab11-extrapolation": ("weights", "n_data / n_simulation", "n_simulation / n_data", 3.0),
    "lab12-the-box": ("window", "(as_small + 1) / (len(empty) + 1)", "float(smallest_p(mass))", 3.0),
}


def submissions(lab: str, source: Path, release: Path) -> dict[str, tuple[nbformat.NotebookNode, float]]:
    """What the three hand in, and the points that the machine must give; five more wait for a person."""
    task, right_code, wrong_code, costs = MISTAKES[lab]
    right, untouched, wrong = (nbformat.read(path, as_version=4) for path in (source, release, source))
    (answer,) = [cell for cell in wrong.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == task]
    answer.source = answer.source.replace(right_code, wrong_code)
    return {
        "ada-all-right": (right, 20.0),
        "ben-untouched": (untouched, 0.0),
        f"cleo-wrong-{task}": (wrong, 20.0 - costs),
    }


def grade_by_hand(course: Course, lab: str, student: str, points: float) -> None:
    """What a person does in nbgrader's form grader, in the browser."""
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("judgement", lab, lab, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def main() -> int:
    """Do all steps and say where the results lie."""
    # nbgrader builds its database objects before it adds them to a session, and SQLAlchemy says so each time.
    warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "grade-demo", help="where to work")
    parser.add_argument("--lab", choices=lab_names(), default=lab_names()[0], help="which lab (default: %(default)s)")
    arguments = parser.parse_args()
    folder, lab = arguments.folder, arguments.lab
    if folder.exists() and not (folder / "gradebook.db").exists():
        print(f"error: {folder} exists and is no earlier demo; name another folder.", file=sys.stderr)
        return 2
    shutil.rmtree(folder, ignore_errors=True)
    course = Course(folder)

    released = course.release(lab)
    handed_in = submissions(lab, course.root / "source" / lab / f"{lab}.ipynb", released)
    for student, (notebook, _) in handed_in.items():
        course.hand_in(student, lab, notebook)
    print(f"released and collected: {len(handed_in)} notebooks of {lab}", file=sys.stderr)

    start = time.monotonic()
    course.autograde(lab)
    print(f"graded by machine in {time.monotonic() - start:.0f} s", file=sys.stderr)
    grade_by_hand(course, lab, "ada-all-right", 4.0)
    course.export(folder / "grades.csv")
    course.export(folder / "grades-lms.csv", LmsExportPlugin)
    pages = course.feedback(lab)

    wrong = 0
    for student, (_, expected) in handed_in.items():
        found = sum(points for name, points in course.scores(lab, student).items() if name != "judgement")
        wrong += found != expected
        print(
            f"{student:18s} {found:4.0f} of 20 points by machine" + ("" if found == expected else f", not {expected}!")
        )
    for path in (released, folder / "grades.csv", folder / "grades-lms.csv", *pages):
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

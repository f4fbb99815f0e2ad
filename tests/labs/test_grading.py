"""The whole way through nbgrader: release, hand in, autograde, export, feedback, with honest and dishonest students.

All submissions are graded by one call, in one course: that is what takes the time.
"""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field

import pytest
from course import Course
from nbgrader import preprocessors as steps
from nbgrader_plugins import LmsExportPlugin
from submissions import LAB1, answered, cell_named, grade_id, read_lab
from tampering import TRICKS, all_labels_lost, all_wrong_all_changed, honest_accidents, skip
from wrong_answers_lab1 import WRONG

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: Seconds per cell; an honest cell of lab 1 needs less than two.
CELL_TIMEOUT = 10


@dataclass
class Graded:
    """A course after grading."""

    course: Course
    max_scores: dict[str, float]
    log: str
    seconds: float
    students: list[str] = field(default_factory=list)

    def lost(self, student: str) -> dict[str, float]:
        """Points that the student lost, per check; the manual question is left out."""
        scores = self.course.scores(LAB1, student)
        assert set(scores) == set(self.max_scores)
        return {
            name: best - scores[name]
            for name, best in self.max_scores.items()
            if name != "judgement" and scores[name] != best
        }


def submissions() -> dict[str, object]:
    """Student -> notebook."""
    found = {"model": read_lab("source"), "untouched": read_lab("release"), "honest": honest_accidents()}
    found["labels-lost"] = all_labels_lost()
    for task, answers in WRONG.items():
        found[f"wrong-{task}"] = answered({task: next(iter(answers.values()))})
    found["changed-checks"] = all_wrong_all_changed()
    found |= {name: notebook for name, (notebook, _) in TRICKS.items()}
    found["endless"] = answered({"angle": "def delta_phi(phi1, phi2):\n    while True:\n        pass"})
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Graded:
    """Every submission, graded once."""
    course = Course(tmp_path_factory.mktemp("course"), timeout=CELL_TIMEOUT)
    course.release(LAB1)
    students = submissions()
    for student, notebook in students.items():
        course.hand_in(student, LAB1, notebook)
    start = time.monotonic()
    log = course.autograde(LAB1)
    return Graded(course, course.max_scores(LAB1), log, time.monotonic() - start, list(students))


def test_the_lab_gives_25_points(graded):
    assert sum(graded.max_scores.values()) == 25
    assert graded.max_scores["judgement"] == 5


def test_the_untouched_release_scores_zero(graded):
    assert sum(graded.course.scores(LAB1, "untouched").values()) == 0


@pytest.mark.parametrize("student", ["model", "honest", "labels-lost"])
def test_right_answers_score_everything(graded, student):
    """Also if Colab saved the notebook, a check was deleted, an answer copied, and a variable is called `sum`."""
    assert graded.lost(student) == {}


def test_only_the_manual_question_waits_for_a_person(graded):
    with graded.course.gradebook() as gradebook:
        grades = gradebook.find_submission_notebook(LAB1, LAB1, "model").grades
        assert [grade.name for grade in grades if grade.needs_manual_grade] == ["judgement"]
        untouched = gradebook.find_submission_notebook(LAB1, LAB1, "untouched").grades
        assert not any(grade.needs_manual_grade for grade in untouched)


@pytest.mark.parametrize("task", WRONG)
def test_a_wrong_answer_loses_exactly_its_points(graded, task):
    assert graded.lost(f"wrong-{task}") == {f"check-{task}": graded.max_scores[f"check-{task}"]}


def test_changed_checks_gain_nothing(graded):
    """Edited, deleted, doubled, skipped, relabelled: every answer is wrong, so every point is lost."""
    lost = graded.lost("changed-checks")
    assert lost == {name: points for name, points in graded.max_scores.items() if name != "judgement"}


@pytest.mark.parametrize("name", TRICKS)
def test_tricks_gain_nothing(graded, name):
    """Each has a wrong mass: its points are lost in any case, and others only where a trick spoils them."""
    lost = graded.lost(name)
    assert lost["check-mass"] == graded.max_scores["check-mass"]
    assert set(lost) == {"check-mass", *TRICKS[name][1]}


def test_an_endless_loop_is_cut_off_and_costs_only_its_own_points(graded):
    assert graded.lost("endless") == {"check-angle": graded.max_scores["check-angle"]}
    cell = cell_named(graded_notebook(graded, "endless"), "check-angle")
    assert cell.outputs[-1].ename == "CellTimeoutError"


def graded_notebook(graded: Graded, student: str):
    """The notebook as the instructor sees it."""
    import nbformat

    return nbformat.read(graded.course.root / "autograded" / student / LAB1 / f"{LAB1}.ipynb", as_version=4)


def test_the_graded_notebook_shows_no_trace_of_the_guard(graded):
    notebook = graded_notebook(graded, "model")
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in read_lab("source").cells]
    for cell in read_lab("source").cells:
        if grade_id(cell) and cell.metadata.nbgrader.grade and not cell.metadata.nbgrader.solution:
            found = cell_named(notebook, grade_id(cell))
            assert found.source == cell.source
            printed = "".join(output.get("text", "") for output in found.outputs)
            assert "pass" in printed or "going back" in printed
            assert len(printed.splitlines()) == 1


def test_the_log_names_who_needs_a_look(graded):
    assert "changes-the-gradebook: this code changed the gradebook, which was put back" in graded.log
    assert "kills-the-kernel: the kernel died" in graded.log
    assert "never-stops: the kernel died or hung" in graded.log
    assert "blanks-the-check: check-mass: The check did not run to its end." in graded.log
    assert "replaces-abs: check-mass: These names belong to Python; call your own differently: abs" in graded.log
    assert "changed-checks: the cell check-count was missing" in graded.log
    assert "model: " not in graded.log


def test_grades_come_out_as_csv(graded, tmp_path):
    with open(graded.course.export(tmp_path / "grades.csv"), newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(graded.students)
    assert (float(rows["honest"]["raw_score"]), float(rows["untouched"]["raw_score"])) == (20.0, 0.0)
    assert float(rows["wrong-mass"]["raw_score"]) == 16.0
    assert {float(row["max_score"]) for row in rows.values()} == {25.0}


def test_the_lms_gets_no_half_grades(graded, tmp_path):
    """A lab whose manual question waits stays empty; after a person graded it, the sum comes out."""
    column = f"{LAB1} (25 points)"

    def lms() -> dict[str, str]:
        with open(graded.course.export(tmp_path / "lms.csv", LmsExportPlugin), newline="") as file:
            return {row["student_id"]: row[column] for row in csv.DictReader(file)}

    before = lms()
    assert (before["model"], before["untouched"]) == ("", "0")
    with graded.course.gradebook() as gradebook:
        grade = gradebook.find_grade("judgement", LAB1, LAB1, "model")
        grade.manual_score, grade.needs_manual_grade = 4.5, False
        gradebook.db.commit()
    assert lms() == {**before, "model": "24.5"}


def test_feedback_says_what_was_wrong(graded):
    for student in ("wrong-mass", "model"):
        graded.course.feedback(LAB1, student)
    pages = {
        path.parts[-3]: path.read_text(encoding="utf-8") for path in graded.course.root.glob("feedback/*/*/*.html")
    }
    assert set(pages) == {"wrong-mass", "model"}
    assert "0.707 times the right one" in pages["wrong-mass"]
    assert "0.707 times the right one" not in pages["model"]


def test_without_the_guard_a_skipped_check_would_gain_its_points(tmp_path):
    """The guard is needed: nbgrader alone takes silence for success."""
    course = Course(tmp_path, timeout=CELL_TIMEOUT)
    course.release(LAB1)
    notebook = answered({"mass": WRONG["mass"]["missing factor 2"]})
    skip(notebook, "check-mass")
    course.hand_in("skips", LAB1, notebook)
    plain = [steps.Execute, *course.config.Autograde.autograde_preprocessors[1:]]
    course.config.Autograde.autograde_preprocessors = plain
    course.autograde(LAB1)
    assert course.scores(LAB1, "skips")["check-mass"] == 4.0

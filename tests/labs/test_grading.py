"""The whole way of every lab through nbgrader: release, hand in, autograde, export, feedback.

What dishonest and unlucky students do to a notebook is tried in `test_tampering.py`.
"""

from __future__ import annotations

import csv

import pytest
from course import lab_names
from grading import Graded, grade_class
from nbgrader_plugins import LmsExportPlugin
from submissions import (
    LAB1,
    LAB2,
    LAB3,
    LAB4,
    LAB5,
    LAB6,
    LAB7,
    LAB8,
    LAB9,
    LAB10,
    LAB11,
    LAB12,
    answered,
    cell_named,
    grade_id,
    points_left,
    points_of,
    read_lab,
    without_extras,
    wrong_answers,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


#: Lab -> (task, what the feedback says about the mistake in it).
REASONS = {
    LAB1: ("mass", "0.707 times the right one"),
    LAB2: ("search", "wrong, should be 4.4% to 5.0%"),
    LAB3: ("zpair", "is the best mass, not None"),
    LAB4: ("chisquare", "0.667, not 1.000"),
    LAB5: ("improvement", "0.8 / 0.5 = 1.6, not 3.2"),
    LAB6: ("warmup", "not [0.5, 1.0, 2.0, 4.5]"),
    LAB7: ("matched", "0.667, not 0.750"),
    LAB8: ("logit", "not [0.16 0.24 0.09]"),
    LAB9: ("threshold", "so the threshold is 4, not 3.4"),
    LAB10: ("inject", "must fluctuate from seed to seed"),
    LAB11: ("weights", "are odds of 1, 3 and 1/4, not [0.5"),
    LAB12: ("window", "its p-value is large"),
}


#: Labs that are graded for a model student, too: one, for what is tried does not depend on the lab.  (`test_running.py`
#: runs the model answers of every lab, and a check that does not pass would stop it.)
WHOLE = [LAB1]


def mistakes(lab: str) -> dict[str, str]:
    """{task: mistake} of a student: every other task is wrong, with points left where that is possible.

    A class with one student per mistake would take ten times as long.  `test_labN_answers.py` tries all of them
    against their checks alone.
    """
    answers = wrong_answers(lab)
    tasks, (told, _) = list(answers), REASONS[lab]
    some = tasks[tasks.index(told) % 2 :: 2]
    partly = {task: mistake for task in some for mistake in reversed(answers[task]) if points_left(lab, task, mistake)}
    return {task: partly.get(task, next(iter(answers[task]))) for task in some}


def expected_loss(graded: Graded, lab: str) -> dict[str, float]:
    """Check -> points that these mistakes cost."""
    return {
        f"check-{task}": graded.max_scores[f"check-{task}"] - points_left(lab, task, mistake)
        for task, mistake in mistakes(lab).items()
    }


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Lab -> its graded class; each is graded once, when the first test asks."""
    graded: dict[str, Graded] = {}

    def of(lab: str) -> Graded:
        if lab not in graded:
            answers = {task: wrong_answers(lab)[task][mistake] for task, mistake in mistakes(lab).items()}
            students = {"wrong": answered(answers, lab), "untouched": without_extras(read_lab("release", lab))}
            if lab in WHOLE:
                students["model"] = read_lab("source", lab)
            graded[lab] = grade_class(tmp_path_factory.mktemp(lab), lab, students)
            print(f"{lab}: {len(students)} submissions graded in {graded[lab].seconds:.0f} s")
        return graded[lab]

    return of


@pytest.mark.parametrize("lab", lab_names())
def test_a_lab_gives_25_points(classes, lab):
    points = classes(lab).max_scores
    assert sum(points.values()) == 25
    assert points["judgement"] == 5
    assert points == points_of(lab)


@pytest.mark.parametrize("lab", lab_names())
def test_the_untouched_release_scores_zero(classes, lab):
    assert sum(classes(lab).course.scores(lab, "untouched").values()) == 0


@pytest.mark.parametrize("lab", WHOLE)
def test_the_model_answers_score_everything(classes, lab):
    assert classes(lab).lost("model") == {}


@pytest.mark.parametrize("lab", lab_names())
def test_wrong_answers_lose_exactly_their_points(classes, lab):
    graded = classes(lab)
    assert graded.lost("wrong") == expected_loss(graded, lab)


@pytest.mark.parametrize("lab", WHOLE)
def test_only_the_manual_question_waits_for_a_person(classes, lab):
    with classes(lab).course.gradebook() as gradebook:
        grades = gradebook.find_submission_notebook(lab, lab, "model").grades
        assert [grade.name for grade in grades if grade.needs_manual_grade] == ["judgement"]
        untouched = gradebook.find_submission_notebook(lab, lab, "untouched").grades
        assert not any(grade.needs_manual_grade for grade in untouched)


@pytest.mark.parametrize("lab", WHOLE)
def test_the_graded_notebook_shows_no_trace_of_the_guard(classes, lab):
    source, graded = read_lab("source", lab), classes(lab).notebook("model")
    assert [cell.id for cell in graded.cells] == [cell.id for cell in source.cells]
    for cell in source.cells:
        if grade_id(cell) and cell.metadata.nbgrader.grade and not cell.metadata.nbgrader.solution:
            found = cell_named(graded, grade_id(cell))
            assert found.source == cell.source
            printed = [output.text for output in found.outputs if output.output_type == "stream"]
            said = "".join(printed).splitlines()
            assert any("pass" in line or "going back" in line or "Written down" in line for line in said)
            assert not [line for line in said if len(line) == 32 and " " not in line]


@pytest.mark.parametrize("lab", WHOLE)
def test_the_log_says_nothing_about_honest_students(classes, lab):
    assert "model: " not in classes(lab).log
    assert not [line for line in classes(lab).log.splitlines() if "did not run to its end" in line]


@pytest.mark.parametrize("lab", lab_names())
def test_grades_come_out_as_csv(classes, lab, tmp_path):
    graded = classes(lab)
    with open(graded.course.export(tmp_path / "grades.csv"), newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(graded.students)
    assert float(rows["untouched"]["raw_score"]) == 0.0
    assert lab not in WHOLE or float(rows["model"]["raw_score"]) == 20.0
    assert float(rows["wrong"]["raw_score"]) == 20.0 - sum(expected_loss(graded, lab).values())
    assert {float(row["max_score"]) for row in rows.values()} == {25.0}


@pytest.mark.parametrize("lab", WHOLE)
def test_the_lms_gets_no_half_grades(classes, lab, tmp_path):
    """A lab whose manual question waits stays empty; after a person graded it, the sum comes out."""
    course, column = classes(lab).course, f"{lab} (25 points)"

    def lms() -> dict[str, str]:
        with open(course.export(tmp_path / "lms.csv", LmsExportPlugin), newline="") as file:
            return {row["student_id"]: row[column] for row in csv.DictReader(file)}

    before = lms()
    assert (before["model"], before["untouched"]) == ("", "0")
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("judgement", lab, lab, "model")
        grade.manual_score, grade.needs_manual_grade = 4.5, False
        gradebook.db.commit()
    assert lms() == {**before, "model": "24.5"}


@pytest.mark.parametrize("lab", lab_names())
def test_feedback_says_what_was_wrong(classes, lab):
    """To the student in the feedback, which is the graded notebook as a page; that is made for some labs only."""
    graded = classes(lab)
    course, (task, reason) = graded.course, REASONS[lab]
    outputs = cell_named(graded.notebook("wrong"), f"check-{task}").outputs
    assert any(reason in output.get("evalue", "") + output.get("text", "") for output in outputs)
    if lab not in WHOLE:
        return
    for one in ("wrong", "model"):
        course.feedback(lab, one)
    pages = {path.parts[-3]: path.read_text(encoding="utf-8") for path in course.root.glob("feedback/*/*/*.html")}
    assert set(pages) == {"wrong", "model"}
    assert reason in pages["wrong"]
    assert reason not in pages["model"]

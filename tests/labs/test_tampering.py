"""Grading of lab 1 when students are dishonest or unlucky: tricks gain nothing, accidents cost nothing."""

from __future__ import annotations

import pytest
from course import Course
from grading import Graded, grade_class
from nbgrader import preprocessors as steps
from submissions import LAB1, answered, cell_named
from tampering import TRICKS, all_labels_lost, all_wrong_all_changed, honest_accidents, skip
from wrong_answers_lab1 import WRONG

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: Seconds per cell, so that endless loops do not take long; an honest cell of lab 1 needs less than two.
CELL_TIMEOUT = 10


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Graded:
    """Every submission, graded once."""
    students = {"honest": honest_accidents(), "labels-lost": all_labels_lost()}
    students["changed-checks"] = all_wrong_all_changed()
    students |= {name: notebook for name, (notebook, _) in TRICKS.items()}
    students["endless"] = answered({"angle": "def delta_phi(phi1, phi2):\n    while True:\n        pass"})
    return grade_class(tmp_path_factory.mktemp("course"), LAB1, students, CELL_TIMEOUT)


@pytest.mark.parametrize("student", ["honest", "labels-lost"])
def test_right_answers_score_everything(graded, student):
    """Also if Colab saved the notebook, a check was deleted, an answer copied, and a variable is called `sum`."""
    assert graded.lost(student) == {}


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
    cell = cell_named(graded.notebook("endless"), "check-angle")
    assert cell.outputs[-1].ename == "CellTimeoutError"


def test_the_log_names_who_needs_a_look(graded):
    assert "changes-the-gradebook: this code changed the gradebook, which was put back" in graded.log
    assert "kills-the-kernel: the kernel died" in graded.log
    assert "never-stops: the kernel died or hung" in graded.log
    assert "blanks-the-check: check-mass: The check did not run to its end." in graded.log
    assert "replaces-abs: check-mass: These names belong to Python; call your own differently: abs" in graded.log
    assert "changed-checks: the cell check-count was missing" in graded.log


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

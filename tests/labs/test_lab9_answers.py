"""Each check of lab 9 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge
from right_answers_lab9 import RIGHT
from scipy import stats
from submissions import LAB9, cell_named, points_of, read_lab
from wrong_answers_lab9 import WRONG

from cmslabs.data.download import dataset_path
from cmslabs.data.tables import read_table
from cmslabs.evaluation.validation.referee import answer_key, submissions
from cmslabs.evaluation.validation.tails import count_p
from cmslabs.features.dijets import detector_features

STUDENT = "model answer"


def source_of(name: str) -> str:
    """The cell of this label."""
    return cell_named(read_lab("source", LAB9), name).source


@cache
def qcd():
    table = read_table(dataset_path("sim-dijet-features"))
    table = table[table["process"] == "qcd-dijets"]
    return detector_features(table), table["mjj"].to_numpy()


@cache
def kernel():
    """What stands in the kernel behind the model answers."""
    names = {"np": np, "stats": stats, "STUDENT": STUDENT, "reports": submissions(STUDENT, *qcd())}
    for task in ("threshold", "count", "homogeneity", "permutation", "jaccard", "corrected"):
        exec(source_of(task), names)
    return names


points = judge(LAB9, kernel)


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB9, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab9 as wrong

    tasks = ("threshold", "count", "homogeneity", "permutation", "jaccard", "corrected", "verdict")
    assert {task: points(task, getattr(wrong, task.upper())) for task in tasks} == {
        task: points_of(LAB9)[f"check-{task}"] for task in tasks
    }


def test_predictions_get_points_by_squared_distance():
    assert points("predict", 'prediction = {"A": 0.5, "B": 0.5, "C": 0.5, "D": 0.5, "E": 0.5}') == 1.5


def test_the_count_is_that_of_the_package():
    for observed, m, k, n in ((75, 6000, 60, 6000), (3, 50, 5, 40)):
        assert kernel()["count_p"](observed, m, k, n) == pytest.approx(count_p(observed, m, k, n)[1], rel=1e-6)


@pytest.mark.parametrize("student", ["Ada", "4711", "a much longer name"])
def test_every_student_can_find_every_fault(student):
    """The model answer judges the reports of other students, too: nobody is misled by chance."""
    names = kernel() | {"reports": submissions(student, *qcd())}
    exec(source_of("verdict"), names)
    assert names["verdict"] == answer_key(student)


def test_students_get_different_orders():
    assert len({tuple(answer_key(str(number)).values()) for number in range(40)}) > 10

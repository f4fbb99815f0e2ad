"""Each check of lab 10 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge
from checking import points as checked
from right_answers_lab10 import RIGHT
from scipy import stats
from submissions import LAB10, cell_named, points_of, read_lab
from wrong_answers_lab10 import WRONG

from cmslabs.data.download import dataset_path
from cmslabs.data.tables import read_table
from cmslabs.evaluation.roc import auc
from cmslabs.evaluation.significance import z_bi

STUDENT = "model answer"
TASKS = ("ratio", "inject", "folds", "passes", "count", "shuffle", "leave")


def source_of(name: str) -> str:
    """The cell of this label."""
    return cell_named(read_lab("source", LAB10), name).source


@cache
def given():
    """What the given cells leave in the kernel, and the functions of the first tasks."""
    table = read_table(dataset_path("sim-dijet-features"))
    names = {"np": np, "stats": stats, "auc": auc, "z_bi": z_bi, "LOW": 3300.0, "HIGH": 3700.0}
    names |= {"EDGES": (2900.0, 4300.0), "qcd": table[table["process"] == "qcd-dijets"]}
    for name in ("ratio", "inject", "train", "folds", "passes", "count", "shuffle"):
        exec(source_of(name), names)
    return names


def offered_to(given: dict, student: str) -> dict:
    """The kernel of this student, with the columns that are offered."""
    names = given | {"STUDENT": student}
    exec(source_of("offer"), names)
    return names


@cache
def kernel():
    return offered_to(given(), STUDENT)


points = judge(LAB10, kernel)


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB10, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab10 as wrong

    assert {task: points(task, getattr(wrong, task.upper())) for task in TASKS} == {
        task: points_of(LAB10)[f"check-{task}"] for task in TASKS
    }


def test_predictions_get_points_by_squared_distance():
    assert points("predict", 'prediction = {"A": 0.5, "B": 0.5, "C": 0.5, "D": 0.5, "E": 0.5}') == 1.5


def test_a_right_injection_fails_less_than_once_in_ten_thousand():
    """The limits of the hidden check: three Poisson sums, and a sum of squares, for 300 tries."""
    mean = 45 / 0.6
    failing = 0.0
    for share in (0.6, 0.4, 0.5):
        expected = 300 * mean * share
        allowed = 5 * expected**0.5
        failing += stats.poisson.cdf(expected - allowed, expected) + stats.poisson.sf(expected + allowed, expected)
    rng = np.random.default_rng(0)
    spread = ((rng.poisson(mean, (20_000, 300)) - mean) ** 2).sum(axis=1) / mean
    width = 5.5 * (2 * 300) ** 0.5
    assert failing + np.mean(abs(spread - 300) >= width) < 1e-4


def test_a_wrong_function_does_not_spoil_other_checks():
    """Checks call only the function that they judge."""
    broken = kernel() | dict.fromkeys(("mixed_ratio", "inject", "out_of_fold", "passes", "count", "null_auc"))
    for task in TASKS[:-1]:
        assert checked(LAB10, task, source_of(task), broken) == points_of(LAB10)[f"check-{task}"]


def test_many_students_can_find_every_column():
    """What is offered to other students has the same answer by an independent test: nobody is misled by chance."""
    answers = set()
    for student in range(15):
        names = offered_to(given(), str(student))
        exec(RIGHT["leave"]["with Kolmogorov and Smirnov"], names)
        assert checked(LAB10, "leave", "pass", names) == 2
        answers.add(frozenset(names["leave_out"]))
    assert len(answers) > 7


@pytest.mark.parametrize("student", ["Ada", "4711"])
def test_the_model_answer_finds_them_for_others(student):
    assert checked(LAB10, "leave", source_of("leave"), offered_to(given(), student)) == 2


def test_no_harmless_column_is_near_the_limit():
    """All twelve, by the trees of the lab: each lies far on one side of the limit of five standard deviations."""
    near = given()["qcd"][(given()["qcd"].mjj > 2900) & (given()["qcd"].mjj < 4300)][::2]
    names = offered_to(given(), STUDENT)
    n_1 = names["offered_y"].sum()
    n_0 = len(names["offered_y"]) - n_1
    sigma = np.sqrt((n_0 + n_1 + 1) / (12 * n_0 * n_1))
    thirds = np.random.default_rng(3).permutation(len(near)) % 3
    for number, (name, values) in enumerate(names["columns_of"](near).items()):
        scores = names["out_of_fold"](np.nan_to_num(values)[:, None], names["offered_y"], thirds, names["train"])
        away = (auc(names["offered_y"], scores) - 0.5) / sigma
        assert away > 9 if number < 6 else away < 3.5, f"{name}: {away:.1f}"

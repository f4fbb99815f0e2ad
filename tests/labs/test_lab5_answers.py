"""Each check of lab 5 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge, run
from right_answers_lab5 import RIGHT
from submissions import LAB5, cell_named, points_of, read_lab
from wrong_answers_lab5 import WRONG

from cmslabs.evaluation.metrics import auc, max_sic
from cmslabs.models.registry import make_model

NAMES = [f"student {number}" for number in range(12)]
#: Given cells by the beginning of their text, and answers, in the order of the lab.
CELLS = ("import matplotlib", "table = ", "@name", "@standardise", "@pca", "@area", "@improvement")
CELLS += ("def test_sample", "z_train = ", "@interval", "@detector", "@honest")


def source_of(name: str) -> str:
    """A cell of the lab: ``@name`` of a label, or the beginning of its text."""
    if name.startswith("@"):
        return cell_named(read_lab("source", LAB5), name[1:]).source
    cells = read_lab("source", LAB5).cells
    (found,) = [cell.source for cell in cells if cell.cell_type == "code" and cell.source.startswith(name)]
    return found


@cache
def kernel() -> dict:
    """What stands in the kernel before the last task."""
    names: dict = {}
    for name in CELLS:
        exec(source_of(name), names)
    return names


points = judge(LAB5, kernel)


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB5, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab5 as wrong

    skeletons = {
        "standardise": wrong.STANDARDISE,
        "pca": wrong.PCA,
        "area": wrong.AREA,
        "improvement": wrong.IMPROVEMENT,
        "interval": wrong.INTERVAL,
        "detector": wrong.DETECTOR,
        "honest": wrong.HONEST,
    }
    assert {task: points(task, answer) for task, answer in skeletons.items()} == {
        task: points_of(LAB5)[f"check-{task}"] for task in skeletons
    }


@pytest.mark.parametrize("student", NAMES)
def test_a_detector_passes_or_fails_whoever_hands_it_in(student):
    """The personal events must not decide: norm (0.78) passes for everybody, PCA (0.69) for nobody."""
    names = kernel() | {"STUDENT": student}
    assert points("detector", RIGHT["detector"]["norm"], names) == 3.0
    assert points("detector", WRONG["detector"]["PCA"], names) == 0.0


def test_a_random_bootstrap_passes_for_any_seed():
    """The check of the interval uses random numbers: a right answer must not fail by chance."""
    for seed in range(20):
        moved = source_of("@interval").replace("values = []", f"values = []\n    dice = np.random.default_rng({seed})")
        assert points("interval", moved) == 2.0


# Against the package.


def test_the_students_judges_are_those_of_the_package():
    names, dice = kernel(), np.random.default_rng(2)
    labels = dice.integers(0, 2, 500)
    for digits in (8, 1, 0):
        scores = np.round(dice.normal(labels, 1), digits)
        assert names["area"](labels, scores) == pytest.approx(auc(labels, scores))
        assert names["best_improvement"](labels, scores) == pytest.approx(max_sic(labels, scores))


def test_the_students_pca_is_that_of_the_package():
    names = kernel()
    expected = make_model("pca", n_components=2).fit(names["train"]).anomaly_score(names["events"][:500])
    assert names["scores"]["PCA, 2"][:500] == pytest.approx(expected)


# What the lab says about its own events.


def printed_by(start: str, capsys) -> str:
    """What a given cell prints."""
    capsys.readouterr()
    run(source_of(start), dict(kernel()))
    return capsys.readouterr().out


def test_the_score_without_training_is_the_best_for_the_w(capsys):
    said = printed_by("z_train = ", capsys)
    first = {line[:18].strip(): float(line[18:].split(",")[0]) for line in said.splitlines()[1:]}
    assert max(first, key=first.get) == "tau21 sum"
    assert len(first) == 4


def test_the_predictions_are_what_the_lab_shows(capsys):
    said = printed_by('rows, labels = test_sample("wprime-2prong")\nforest', capsys)
    found = [float(x) for x in re.findall(r"\d+\.\d+", said.replace("0.55 in", ""))]
    a, b, c, e = found[:2], found[2:4], found[4:8], found[-2:]
    assert a[0] == a[1]
    assert b[1] < b[0] / 2
    assert c[0] > c[2]
    assert c[1] < c[3]
    assert "above 0.55 in 100%" in said
    assert abs(e[0] - e[1]) > 0.05


def test_choosing_flatters_and_judging_does_not(capsys):
    said = printed_by("dice = np.random.default_rng(8)", capsys)
    told, honest = (float(x) for x in re.findall(r"(\d\.\d+) on average", said))
    assert told > 0.6
    assert honest == pytest.approx(0.5, abs=0.03)


def test_the_null_row_is_a_null_row(capsys):
    said = printed_by('rows, labels = test_sample("wprime-2prong")\nfor name', capsys)
    value, low, high = (float(x) for x in re.findall(r"\d\.\d+", said.splitlines()[-1]))
    assert low < value < high
    assert low - 0.01 < 0.5 < high + 0.01

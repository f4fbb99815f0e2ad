"""Each check of lab 7 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge
from right_answers_lab7 import RIGHT
from submissions import LAB7, cell_named, points_of, read_lab
from wrong_answers_lab7 import WRONG

pytest.importorskip("numba", reason="needs the extra jets")
pytest.importorskip("torch", reason="needs the extra torch")

ANSWERS = ("centre", "align", "picture", "scores", "auc", "matched", "pvalue")


@cache
def kernel() -> dict:
    """What stands in the kernel before the last task: imports and model answers; no network is trained."""
    notebook = read_lab("source", LAB7)
    names: dict = {}
    (imports,) = [cell.source for cell in notebook.cells if cell.source.startswith("import awkward")]
    (official,) = [cell.source for cell in notebook.cells if "as official_auc" in cell.source]
    exec(imports + "\n" + official, names)
    for task in ANSWERS:
        exec(cell_named(notebook, task).source, names)
    return names


points = judge(LAB7, kernel)


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB7, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab7 as wrong

    skeletons = {
        "centre": wrong.CENTRE,
        "align": wrong.ALIGN,
        "picture": wrong.PICTURE,
        "scores": wrong.SCORES,
        "auc": wrong.AUC,
        "matched": wrong.MATCHED,
        "pvalue": wrong.PVALUE,
    }
    assert {task: points(task, answer) for task, answer in skeletons.items()} == {
        task: points_of(LAB7)[f"check-{task}"] for task in skeletons
    }
    for task, answers in WRONG.items():
        for mistake, text in answers.items():
            assert text != skeletons.get(task), f"{task}: '{mistake}' changes nothing"


def test_the_students_images_are_those_of_the_package():
    import awkward as ak

    from cmslabs.data.download import dataset_path
    from cmslabs.data.tables import read_events
    from cmslabs.features.images import jet_images

    names = kernel()
    jets = read_events(dataset_path("sim-dijet-constituents")).j2[::150]
    official = jet_images(jets, 24, 1.1)
    for jet, image in zip(jets, official, strict=True):
        pt, eta, phi = (ak.to_numpy(jet[name]).astype(float) for name in ("pt", "eta", "phi"))
        ours = names["picture"](*names["align"](*names["centre"](pt, eta, phi), pt), pt, 24, 1.1)
        np.testing.assert_allclose(ours, image, atol=1e-6)


def test_the_students_auc_is_that_of_the_package():
    from cmslabs.evaluation.metrics import auc

    dice = np.random.default_rng(7)
    background, signal = dice.integers(0, 20, 300), dice.integers(3, 25, 200)
    official = auc(np.repeat([0, 1], [300, 200]), np.concatenate([background, signal]))
    assert kernel()["auc"](background, signal) == pytest.approx(official)


def test_honest_probabilities_earn_the_most():
    """The score is proper: whoever believes 0.8 expects the most points by writing 0.8."""
    sure = {"B": 0.0, "C": 1.0, "D": 0.0, "E": 1.0}

    def expected(value: float) -> float:
        right, wrong = (points("predict", f"prediction = { {'A': one, **sure} }") for one in (value, 1 - value))
        return 0.8 * right + 0.2 * wrong

    assert max([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], key=expected) == 0.8

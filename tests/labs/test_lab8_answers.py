"""Each check of lab 8 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge
from right_answers_lab8 import RIGHT
from submissions import LAB8, cell_named, points_of, read_lab
from wrong_answers_lab8 import WRONG


def source_of(name: str) -> str:
    """The cell of this label."""
    return cell_named(read_lab("source", LAB8), name).source


# No check needs more than NumPy in the kernel.
points = judge(LAB8, lambda: {"np": np})


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB8, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab8 as wrong

    skeletons = {
        "stretch": wrong.STRETCH,
        "logit": wrong.LOGIT,
        "spline": wrong.SPLINE,
        "inverse": wrong.INVERSE,
        "coupling": wrong.COUPLING,
        "cells": wrong.CELLS,
        "singular": wrong.SINGULAR,
        "nats": wrong.NATS,
    }
    assert {task: points(task, answer) for task, answer in skeletons.items()} == {
        task: points_of(LAB8)[f"check-{task}"] for task in skeletons
    }


def test_predictions_get_points_by_squared_distance():
    assert points("predict", 'prediction = {"A": 0.5, "B": 0.5, "C": 0.5, "D": 0.5, "E": 0.5}') == 1.5


# Against the package.


def test_the_answers_are_what_the_flows_of_the_package_do():
    torch = pytest.importorskip("torch", reason="needs the extra torch")
    from cmslabs.models.coordinates import Coordinates
    from cmslabs.models.redundancy import find_redundancy
    from cmslabs.models.spline import MIN_BIN, MIN_SLOPE, rational_quadratic

    names: dict = {"np": np}
    for task in ("logit", "spline", "inverse", "singular"):
        exec(source_of(task), names)
    rng = np.random.default_rng(1)
    # The spline of the networks: four bins in [-3, 3], slope 1 at both ends.
    raw = torch.tensor(rng.normal(size=(1, 11, 1)))
    x = np.sort(rng.uniform(-3, 3, 50))
    y, log_slope = rational_quadratic(torch.tensor(x[None]), raw.expand(1, 11, 50), 3.0)
    shares = [
        MIN_BIN + (1 - 4 * MIN_BIN) * torch.softmax(raw[0, part, 0], 0).numpy() for part in (slice(4), slice(4, 8))
    ]
    knots = [-3 + 6 * np.concatenate([[0], np.cumsum(share)]) for share in shares]
    inner = MIN_SLOPE + np.logaddexp(0, raw[0, 8:, 0].numpy() + np.log(np.expm1(1 - MIN_SLOPE)))
    values, slopes = names["spline"](x, *knots, np.concatenate([[1], inner, [1]]))
    np.testing.assert_allclose(values, y[0].numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.log(slopes), log_slope[0].numpy(), rtol=1e-8, atol=1e-9)
    back = names["spline_back"](values, *knots, np.concatenate([[1], inner, [1]]))
    np.testing.assert_allclose(back, x, atol=1e-9)
    # The logit of the coordinates, which keeps a margin of 1 % of the length at both ends and standardises.
    column = rng.uniform(20, 70, size=(500, 1))
    found = Coordinates.of("logit", column)
    length = np.ptp(column)
    ends = column.min() - 0.01 * length, column.max() + 0.01 * length
    spread, mean = found.parts["spread"][0], found.parts["mean"][0]

    def density_of_logit(y):
        return -0.5 * ((y - mean) / spread) ** 2 - np.log(spread)

    z, log_jacobian = found.forward(column)
    mine = names["log_density_of_x"](column[:, 0], *ends, density_of_logit)
    np.testing.assert_allclose(mine, -0.5 * z[:, 0] ** 2 + log_jacobian, rtol=1e-8)
    a, b, c = rng.normal(size=(3, 400))
    X = np.column_stack([a, b, a - 2 * b, c, 7 * c + 1])
    assert names["follows"](X) == sorted(find_redundancy(X).relations)

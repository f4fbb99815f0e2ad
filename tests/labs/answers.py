"""What the answers of every lab are tested on; the module of a lab names its answers and says what is in the kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from submissions import cell_named, points_left, points_of, read_lab


class AnswerTests:
    """The model answers and other right ones get all points, and each mistake loses them.

    Attributes
    ----------
    lab : str
    right, wrong : mapping
        Answers by task and name.
    points : static method
        ``points(task, answer)``: what the check of the task gives to the answer.
    """

    lab: str
    right: Mapping[str, Mapping[str, str]]
    wrong: Mapping[str, Mapping[str, str]]
    points: Callable[[str, str], float]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each task, or for each answer."""
        answers = {"name": self.right, "mistake": self.wrong}
        for argument, of_task in answers.items():
            if argument in metafunc.fixturenames:
                metafunc.parametrize(("task", argument), [(task, one) for task in of_task for one in of_task[task]])
                return
        metafunc.parametrize("task", list(self.wrong))

    def test_the_model_answer_gets_all_points(self, task):
        assert self.points(task, cell_named(read_lab("source", self.lab), task).source) == self.full(task)

    def test_another_right_answer_gets_all_points(self, task, name):
        assert self.points(task, self.right[task][name]) == self.full(task)

    def test_a_mistake_loses_its_points(self, task, mistake):
        assert self.points(task, self.wrong[task][mistake]) == points_left(self.lab, task, mistake) < self.full(task)

    def full(self, task: str) -> float:
        """All points of a task."""
        return points_of(self.lab)[f"check-{task}"]

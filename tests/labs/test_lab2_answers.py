"""Each check of lab 2 accepts the model answer and other right ones, and catches each mistake.

Task 6 is graded on toys, so its verdict has a chance of being wrong.  Here that chance is computed, not tried: the
counts in window and sideband are summed over, weighted with their Poisson probabilities.
"""

from __future__ import annotations

import ast
import re
from functools import cache

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge, run
from right_answers_lab2 import RIGHT
from scipy.stats import binom, norm, poisson
from submissions import LAB2, ROOT, cell_named, read_lab
from wrong_answers_lab2 import WRONG

GIVEN = ("name", "drawer", "personal-spectrum")
NAMES = [f"student {number}" for number in range(40)]


@cache
def kernel() -> dict:
    """What stands in the kernel before a task: the imports and the student's spectrum."""
    notebook = read_lab("source", LAB2)
    (imports,) = [cell.source for cell in notebook.cells if cell.source.startswith("import math")]
    names: dict = {}
    exec(imports, names)
    for name in GIVEN:
        exec(cell_named(notebook, name).source, names)
    return names


@cache
def kernel_of(student: str) -> dict:
    """The same for another student."""
    names = dict(kernel())
    exec(f"STUDENT = {student!r}\nmy_counts = personal_spectrum(STUDENT)", names)
    return names


points = judge(LAB2, kernel)


def model(task: str) -> str:
    """The model answer."""
    return cell_named(read_lab("source", LAB2), task).source


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB2, RIGHT, WRONG
    points = staticmethod(points)


# Task 6: the promises.


def cases(name: str) -> list[tuple]:
    """The list EMPTY or INJECTED in the check of task 6."""
    found: list[tuple] = []
    for node in ast.walk(ast.parse(cell_named(read_lab("source", LAB2), "check-search").source)):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == name:
            found += ast.literal_eval(node.value)
    return found


def exact_rate(answer: str, case: tuple) -> float:
    """The rate of p < 0.05, or with a signal the coverage, that an answer has in a case."""
    bins, (first, last), level, signal, *_ = case
    names = dict(kernel())
    run(answer, names)
    beside = 0 if first else last
    likely_on, likely_off = (reached(mean) for mean in (level * (last - first) + signal, level * (bins - last + first)))
    rate = 0.0
    for on, chance_on in likely_on:
        for off, chance_off in likely_off:
            counts = np.zeros(bins, dtype=int)
            counts[first], counts[beside] = on, off
            p, _, low, high = names["search"](counts, (first, last))
            rate += chance_on * chance_off * (low <= signal <= high if signal else p < 0.05)
    return rate


def reached(mean: float) -> list[tuple[int, float]]:
    """The counts that occur, with their probabilities; one in 10 000 lies outside."""
    low, high = poisson.ppf([5e-5, 1 - 5e-5], mean).astype(int)
    return [(count, poisson.pmf(count, mean)) for count in range(low, high + 1)]


def chance_to_pass(rate: float, case: tuple) -> float:
    """The probability that the toys of a case come out as right."""
    *_, spectra, lowest, highest = case
    below, above = (3.3 * np.sqrt(limit * (1 - limit) / spectra) for limit in (lowest, highest))
    most, least = np.floor((highest + above) * spectra), np.ceil((lowest - below) * spectra)
    return binom.cdf(most, spectra, rate) - binom.cdf(least - 1, spectra, rate)


def page() -> str:
    """The instructor page."""
    return (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_model_answer_keeps_its_promises_and_passes_whatever_the_toys_are():
    empty, injected = cases("EMPTY"), cases("INJECTED")
    assert (len(empty), len(injected)) == (3, 2)
    assert f"calls the student's function with {sum(case[4] for case in empty + injected)} spectra" in page()
    alarms = [exact_rate(model("search"), case) for case in empty]
    coverage = [exact_rate(model("search"), case) for case in injected]
    assert all(rate <= 0.05 for rate in alarms)
    assert f"400 events in the window, where the model answer has {alarms[1]:.1%}".replace("%", " %") in page().replace(
        "\n", " "
    )
    assert coverage == pytest.approx([0.684, 0.684], abs=0.002)
    chance = np.prod([chance_to_pass(*pair) for pair in zip(alarms + coverage, empty + injected, strict=True)])
    assert f"in {chance:.2%} of all cases".replace("%", " %") in page()


ROWS = re.findall(r"^\| ([^|]+) \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \|$", page(), re.MULTILINE)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_rates_on_the_instructor_page_are_right_and_tell_mistakes_from_answers(row):
    """Each mistake breaks one of its promises so clearly that it passes with a chance of at most 2 %."""
    name, *stated = row
    answer = model("search") if name == "model answer" else WRONG["search"][name]
    chosen = [cases("EMPTY")[0], cases("EMPTY")[2], cases("INJECTED")[0]]
    found = [exact_rate(answer, case) for case in chosen]
    assert [f"{100 * rate:.1f}" for rate in found] == stated
    chances = [chance_to_pass(*pair) for pair in zip(found, chosen, strict=True)]
    if name == "model answer":
        assert min(chances) > 0.999
    elif name != "p of two sides, doubled":
        assert min(chances) < 0.02


def test_the_table_of_rates_is_there():
    assert len(ROWS) == 7
    assert "model answer" in [row[0] for row in ROWS]


@pytest.mark.slow
def test_a_timid_p_value_is_caught_where_counts_are_large():
    """Doubling p to have two sides halves the false alarms: with few events nobody could tell that from honesty."""
    case = cases("EMPTY")[1]
    found = exact_rate(WRONG["search"]["p of two sides, doubled"], case)
    assert found == pytest.approx(0.023, abs=0.001)
    assert chance_to_pass(found, case) < 0.01


def test_the_numbers_of_the_referee_are_right():
    """In the friend's letter, in the model answer and in the rubric."""
    lab = " ".join(cell.source for cell in read_lab("source", LAB2).cells if cell.cell_type == "markdown")
    alone, estimated = poisson.sf(33, 22), binom.sf(33, 34 + 20 + 24, 1 / 3)
    assert f"$p = {alone:.4f}$, or {norm.isf(alone):.1f} sigma" in lab
    assert f"the p-value is {estimated:.3f}, or {norm.isf(estimated):.1f} sigma" in lab
    assert f"in {100 * (1 - (1 - alone) ** 30):.0f} % of all cases" in lab
    assert f"$p$ becomes {estimated:.3f} or {norm.isf(estimated):.1f} sigma" in page()
    assert f"{100 * (1 - (1 - alone) ** 30):.0f} % for at least one" in page()


# What is personal.


def test_the_model_answer_is_right_for_every_student():
    for student in NAMES:
        assert points("mine", model("mine"), kernel_of(student)) == 1.0


def test_numbers_of_a_neighbour_are_wrong_for_everybody_else():
    answers = {}
    for student in NAMES:
        names = dict(kernel_of(student))
        run(model("mine"), names)
        answers[student] = tuple(float(names[name]) for name in ("my_first", "my_seen", "my_local"))
    # Two who picked the same row may see the same by chance.
    assert len(set(answers.values())) >= len(NAMES) - 1
    first, seen, local = answers[NAMES[0]]
    copied = f"my_first, my_seen, my_local = {first:.0f}, {seen:.0f}, {local!r}"
    assert points("mine", copied, kernel_of(NAMES[0])) == 1.0
    assert all(points("mine", copied, kernel_of(student)) == 0.0 for student in NAMES[1:])


def test_a_name_is_the_same_however_it_is_typed():
    spectrum = kernel()["personal_spectrum"]
    assert np.array_equal(spectrum("Ada Lovelace"), spectrum("  ada lovelace "))
    assert np.array_equal(spectrum(4711), spectrum("4711"))
    assert not np.array_equal(spectrum("4711"), spectrum("4712"))
    with pytest.raises(AssertionError, match="STUDENT"):
        spectrum(" ")


# Probabilities.


def test_honest_probabilities_earn_the_most():
    """Both scores are proper: whoever believes 0.8 expects the most points by writing 0.8."""
    written = [0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    truth = {student: points("belief", "belief = 1", kernel_of(student)) / 2 for student in NAMES}
    assert set(truth.values()) == {0.0, 1.0}
    holds, empty = (next(student for student in NAMES if truth[student] == value) for value in (1.0, 0.0))

    def by_belief(value: float) -> float:
        right, wrong = (points("belief", f"belief = {value}", kernel_of(student)) for student in (holds, empty))
        return 0.8 * right + 0.2 * wrong

    def by_prediction(value: float) -> float:
        sure = {"A": 0.0, "C": 1.0, "D": 0.0, "E": 0.0}
        right, wrong = (points("predict", f"prediction = { {'B': one, **sure} }") for one in (value, 1 - value))
        return 0.8 * right + 0.2 * wrong

    assert max(written, key=by_belief) == max(written, key=by_prediction) == 0.8


@pytest.mark.parametrize("student", NAMES[:6])
def test_not_knowing_is_worth_three_quarters_whatever_the_truth(student):
    assert points("belief", "belief = 0.5", kernel_of(student)) == 1.5


def test_the_lab_measures_what_the_instructor_page_says_about_bets(capsys):
    """The points of the four ways to bet stand on the page; the lab's last cell computes them."""
    notebook = read_lab("source", LAB2)
    names = dict(kernel())
    run(model("search"), names)
    for cell in notebook.cells:
        if cell.source.startswith(("dice = np.random", "windows = np.lib")):
            run(cell.source, names)
    measured = re.findall(r"(\d\.\d\d) points on average", capsys.readouterr().out)
    (sentence,) = re.findall(r"^On average, .*?\.\n", page(), re.DOTALL | re.MULTILINE)
    assert re.findall(r"\d\.\d\d", sentence) == measured
    assert float(measured[1]) < float(measured[0]) < float(measured[2]) < float(measured[3])

"""Each check of lab 12 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

import re
from functools import cache

import matplotlib
import numpy as np
import pytest
from answers import AnswerTests
from checking import judge, run
from right_answers_lab12 import RIGHT
from scipy.stats import binom, chi2
from submissions import LAB12, ROOT, cell_named, points_of, read_lab
from wrong_answers_lab12 import WRONG

GIVEN = ("name", "drawer", "my-boxes", "recipe", "numbers")
KINDS = ("nothing", "resonance", "hot cell")
NAMES = [f"student {number}" for number in range(40)]


def source_of(start: str) -> str:
    """The cell that has this label or begins like this."""
    cells = read_lab("source", LAB12).cells
    (cell,) = [c for c in cells if start in (c.metadata.get("nbgrader", {}).get("grade_id"), c.source[: len(start)])]
    return cell.source


@cache
def kernel() -> dict:
    """What stands in the kernel before a task; TRUTH is what the boxes of the model answer hold."""
    matplotlib.use("Agg")
    names: dict = {}
    for start in ("import matplotlib", *GIVEN):
        exec(source_of(start), names)
    names["TRUTH"] = re.findall('"(.*?)"', re.search(r"truth = \[(.*)\]", source_of("belief")).group(1))
    return names


@cache
def kernel_of(student: str) -> dict:
    """The same for another student."""
    names = dict(kernel())
    exec(f"STUDENT = {student!r}\nmy_boxes = boxes_of(STUDENT)", names)
    return names


points = judge(LAB12, kernel)


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB12, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes.  The others are the model answers."""
    import wrong_answers_lab12 as wrong

    tasks = ("window", "judge", "mass")
    found = {task: points(task, getattr(wrong, task.upper())) for task in tasks}
    assert found == {task: points_of(LAB12)[f"check-{task}"] for task in tasks}
    assert points("direction", wrong.RAYLEIGH) == points_of(LAB12)["check-direction"]


# Graded on toys: how often a right answer passes, whatever the toys are.


def chance_to_pass(task: str, rates: dict[float, float], size: int) -> float:
    """The probability that a function whose p is below each level at these rates stays within the limits."""
    found = re.search(
        r"for level, lowest, highest in \((.*)\):", cell_named(read_lab("source", LAB12), f"check-{task}").source
    )
    chance = 1.0
    for level, lowest, highest in re.findall(r"\(([\d.]+), ([\d.]+), ([\d.]+)\)", found.group(1)):
        margin = 3 * np.sqrt(float(level) * (1 - float(level)) / size)
        ends = np.ceil((float(lowest) - margin) * size), np.floor((float(highest) + margin) * size)
        chance *= binom.cdf(ends[1], size, rates[float(level)]) - binom.cdf(ends[0] - 1, size, rates[float(level)])
    return chance


def test_right_answers_pass_with_any_toys():
    names = dict(kernel())
    run(source_of("window"), names)
    masses, rings, _ = names["make_boxes"]("nothing", 20_000, np.random.default_rng(77))
    mean = rings.mean(axis=1, keepdims=True)
    p_chi2 = chi2.sf(((rings - mean) ** 2 / mean).sum(axis=1), 23)
    arrows = abs(rings @ np.exp(2j * np.pi * np.arange(24) / 24))
    p_rayleigh = np.exp(-(arrows**2) / rings.sum(axis=1))
    for p in (p_chi2, p_rayleigh):
        assert chance_to_pass("direction", {level: np.mean(p < level) for level in (0.05, 0.5)}, 3000) > 0.995
    p_window = names["window_p"](masses)
    assert chance_to_pass("window", {level: np.mean(p_window < level) for level in (0.05, 0.5)}, 1200) > 0.995
    assert chance_to_pass("pooled", {0.05: 0.05, 0.5: 0.5}, 450) > 0.995


def test_the_mass_interval_of_the_model_answer_passes_with_any_toys():
    """Coverage from 1500 boxes: known to 1.2 %, and the limits are 5 % away from it."""
    names = dict(kernel())
    run(source_of("mass"), names)
    masses, _, places = names["make_boxes"]("resonance", 1500, np.random.default_rng(78), strength=7.5)
    first = 4 + np.argmax(names["bump_numbers"](masses), axis=1)
    ends = np.array([names["mass_interval"](*pair) for pair in zip(masses, first, strict=True)])
    coverage = np.mean((ends[:, 0] <= places) & (places <= ends[:, 1]))
    assert 0.66 < coverage < 0.73
    lowest, highest = 0.64 - 3 * np.sqrt(0.22 / 500), 0.74 + 3 * np.sqrt(0.22 / 500)
    for rate in (coverage - 0.012, coverage + 0.012):
        assert binom.cdf(highest * 500, 500, rate) - binom.cdf(lowest * 500 - 1, 500, rate) > 0.995


# Probabilities.


def belief(truths: list[str], *said: float) -> str:
    """What a student writes who gives these three probabilities to the true kind and the two others."""
    rows = [[said[(other - KINDS.index(truth)) % 3] for other in range(3)] for truth in truths]
    return f"belief = dict(zip(my_boxes, {rows}))"


@pytest.mark.parametrize("student", NAMES[:4])
def test_not_knowing_is_worth_the_same_whatever_the_truth(student):
    answer = "belief = {box: [1 / 3, 1 / 3, 1 / 3] for box in my_boxes}"
    assert points("belief", answer, kernel_of(student)) == pytest.approx(4 / 3, abs=1e-4)


def test_honest_probabilities_earn_the_most():
    """The score is proper: who believes (0.6, 0.3, 0.1) in a box expects the most points by writing that."""
    honest, truths = (0.6, 0.3, 0.1), kernel()["TRUTH"]
    written = [honest, (1.0, 0.0, 0.0), (0.7, 0.2, 0.1), (0.5, 0.3, 0.2), (0.6, 0.2, 0.2), (1 / 3, 1 / 3, 1 / 3)]

    def expected(said: tuple[float, ...]) -> float:
        turned = [said[shift:] + said[:shift] for shift in range(3)]
        return sum(chance * points("belief", belief(truths, *one)) for chance, one in zip(honest, turned, strict=True))

    assert max(written, key=expected) == honest
    assert points("belief", belief(truths, 0.0, 1.0, 0.0)) == 0.0


def test_predictions_get_points_by_squared_distance():
    assert points("predict", 'prediction = {"A": 0.5, "B": 0.5, "C": 0.5, "D": 0.5, "E": 0.5}') == 1.5


def printed_by(start: str, *tasks: str, capsys) -> str:
    """What a given cell prints behind the model answers of some tasks."""
    names = dict(kernel())
    for task in tasks:
        run(source_of(task), names)
    capsys.readouterr()
    run(source_of(start), names)
    return capsys.readouterr().out


def test_the_lab_measures_what_the_instructor_page_says_about_bets(capsys):
    """The points of the three judges stand on the page; the lab's own cell computes them."""
    said = printed_by("rng = np.random.default_rng(8)", "judge", "verdict", capsys=capsys)
    measured = re.findall(r"(\d\.\d\d) points on average", said)
    page = (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"^In lab 12, on average, .*?\.\n", page, re.DOTALL | re.MULTILINE)
    assert re.findall(r"\d\.\d\d", sentence) == ["1.33", *measured]
    you, sure, over = (float(x) for x in measured)
    assert you > sure > over > 1.4
    assert re.findall(r"resonances: (.*)$", said, re.MULTILINE) == ["calibrated", "over-confident", "over-confident"]


def test_the_predictions_are_what_the_lab_shows(capsys):
    (said,) = [
        cell.outputs[0].text
        for cell in read_lab("source", LAB12).cells
        if cell.get("outputs") and cell.source.startswith("rng = np.random.default_rng(11)")
    ]
    assert int(re.search(r"(\d+)% hold a resonance", said)[1]) < 93
    honest, sure = (float(x) for x in re.findall(r"score of ([\d.]+)", said))
    assert honest > sure
    assert int(re.search(r"D: .* in (\d+)%", said)[1]) > 60
    names = dict(kernel()) | {"rng": np.random.default_rng(1)}
    run(source_of("mass"), names)
    capsys.readouterr()
    run(source_of("widths = []"), names)
    assert int(re.search(r"interval is (\d+) GeV", capsys.readouterr().out)[1]) < 40


def test_the_class_that_cheated_is_seen(capsys):
    said = printed_by("CLASSES = ", "pooled", capsys=capsys)
    honest, hidden, many = (float(x) for x in re.findall(r"pooled p-value (\S+)$", said, re.MULTILINE))
    assert honest > 0.2
    assert max(hidden, many) < 0.001
    assert re.findall(r": (\d+) below 0.05", said)[1] == "0"


def test_the_numbers_of_the_argument_are_right():
    """They are those of the committed drawer."""
    text = " ".join(cell_named(read_lab("source", LAB12), "judgement").source.split())
    names = dict(kernel())
    for task in ("direction", "window", "judge", "mass"):
        run(source_of(task), names)
    mass, ring, shape = names["MASSES"][21], names["RINGS"][21], names["SHAPE"]
    assert 21 in names["my_boxes"]
    first = 4 + int(np.argmax(names["bump_numbers"](mass)))
    beside = np.r_[first - 4 : first, first + 3 : first + 7]
    b = mass[beside].sum() * shape[first : first + 3].sum() / shape[beside].sum()
    sigma = b * np.sqrt(1 / mass[beside].sum() + 0.03**2)
    edges = names["EDGES"][first], names["EDGES"][first + 3]
    assert f"Between {edges[0]:.0f} and {edges[1]:.0f} GeV it holds {mass[first : first + 3].sum()} events" in text
    assert f"expect {b:.1f} ± {sigma:.1f}" in text
    assert f"{names['p_bi'](mass[first : first + 3].sum(), b, sigma) * 1e5:.0f} \\cdot 10^{{-5}}" in text
    p = names["window_p"](mass)
    assert f"so $p$ is about {p:.4f}" in text
    assert f"the best of six is worth about {1 - (1 - p) ** 6:.3f}" in text
    assert f"The ring is even: $p = {names['direction_p'](ring):.2f}$" in text
    stated = names["judge"](mass, ring)
    odds = stated[1] / stated[0]
    assert f"My probability for a resonance is {stated[1]:.2f}" in text
    assert f"about {odds:.0f} to 1" in text
    rare = stated * [0.4995, 0.001, 0.4995]
    assert f"would give about {rare[1] / rare.sum():.1f}" in text
    low, high = names["mass_interval"](mass, first)
    assert f"its mass is {low:.0f} to {high:.0f} GeV" in text
    assert f"about {2 * (mass[first : first + 3].sum() - b):.0f} events to the {2 * b:.0f}" in text
    other = names["MASSES"][19], names["RINGS"][19]
    assert f"$p = {names['direction_p'](other[1]):.2f}$ in the $\\chi^2$ test" in text
    assert f"a ring number of {names['ring_number'](other[1]):.1f}" in text
    assert f"I give a hot cell {names['judge'](*other)[2]:.2f}" in text


# What is personal.


def test_students_get_different_boxes():
    assert len({tuple(kernel_of(student)["my_boxes"]) for student in NAMES}) == len(NAMES)
    assert {box for student in NAMES for box in kernel_of(student)["my_boxes"]} == set(range(24))


def test_a_name_is_the_same_however_it_is_typed():
    mine = kernel()["boxes_of"]
    assert mine("Ada Lovelace") == mine("  ada lovelace ")
    assert mine(4711) == mine("4711") != mine("4712")
    with pytest.raises(AssertionError, match="STUDENT"):
        mine(" ")

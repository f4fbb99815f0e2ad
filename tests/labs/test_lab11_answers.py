"""Each check of lab 11 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge, run
from right_answers_lab11 import RIGHT
from scipy.stats import binom, binomtest, norm
from submissions import LAB11, cell_named, points_of, read_lab
from wrong_answers_lab11 import WRONG

from cmslabs.evaluation.roc import auc
from cmslabs.evaluation.significance import p_bi
from cmslabs.search.toy import SIMULATION_SHIFT, SIMULATION_WIDTH, WIDTHS, ToyProblem, toy_events

TASKS = ("share", "weights", "expected", "learn", "generate", "auc", "count", "pvalue")


def source_of(name: str) -> str:
    """The cell of this label."""
    return cell_named(read_lab("source", LAB11), name).source


def given(start: str) -> str:
    """The one cell without a label that starts so."""
    (found,) = [cell.source for cell in read_lab("source", LAB11).cells if cell.source.startswith(start)]
    return found


@cache
def kernel():
    """What stands in the kernel behind the model answers; with fewer events than in the lab."""
    names = {"np": np, "norm": norm, "binomtest": binomtest, "auc": auc, "p_bi": p_bi, "toy_events": toy_events}
    exec(source_of("name"), names)
    exec(given("first = sum").replace("N = 100_000", "N = 20_000"), names)
    exec(given("def fit_logistic"), names)
    for task in TASKS:
        exec(source_of(task), names)
    return names


points = judge(LAB11, kernel)


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB11, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab11 as wrong

    assert {task: points(task, getattr(wrong, task.upper())) for task in TASKS} == {
        task: points_of(LAB11)[f"check-{task}"] for task in TASKS
    }


def test_predictions_get_points_by_squared_distance():
    assert points("predict", 'prediction = {"A": 0.5, "B": 0.5, "C": 0.5, "D": 0.5, "E": 0.5}') == 1.5


@pytest.mark.parametrize("task", ["weights", "expected", "learn"])
def test_the_count_does_not_suffer_from_an_earlier_mistake(task):
    """The hidden check puts right functions in the place of wrong ones, and takes them away again."""
    (name,) = {"weights": ["event_weights"], "expected": ["expected"], "learn": ["probability_of_data"]}[task]
    names = dict(kernel())
    exec(next(iter(WRONG[task].values())), names)
    mine = names[name]
    exec(source_of("count"), names)
    with np.errstate(all="ignore"):
        run(hidden_part("count"), names)
    assert names[name] is mine


def hidden_part(task: str) -> str:
    """The hidden half of a check."""
    return source_of(f"check-{task}").split("### BEGIN HIDDEN TESTS\n")[1]


@pytest.mark.parametrize("task", ["learn", "generate", "count"])
def test_a_right_answer_does_not_pass_by_the_luck_of_a_seed(task):
    names = dict(kernel())
    run(hidden_part(task), names)
    assert all(names["hidden_check"](seed) for seed in range(100, 104))


def test_the_limits_for_false_alarms():
    """Of 60 toys, 10 may ring at 5 %, and 10 to 46 may have a p below one half; nobody right is refused."""
    assert binom.sf(10, 60, 0.05) < 1e-3
    # Counts are whole numbers, so that p is below one half in a little less than half of the toys.
    for rate in (0.4, 0.5):
        assert binom.cdf(9, 60, rate) + binom.sf(46, 60, rate) < 1e-3


# Against the package.


def test_the_formulas_of_the_lab_are_those_of_the_toy():
    """What section 1 says is what the package draws."""
    (table,) = [cell.source for cell in read_lab("source", LAB11).cells if cell.source.startswith("## 1. Predict")]
    assert f"0.5\\,s + {SIMULATION_SHIFT}$, standard deviation {SIMULATION_WIDTH} |" in table
    assert f"mean $-1$, standard deviation {WIDTHS['simulation']} |" in table
    sample = ToyProblem(20_000, 4000).draw(1)
    centre = -1.0
    for events, width in ((sample.data, WIDTHS["background"]), (sample.simulation, WIDTHS["simulation"])):
        right = kernel()["share"](centre, width, [1.0, 1.0])
        assert ToyProblem.regions.fractions(events)["signal"] == pytest.approx(right, rel=0.15)


def test_the_answers_are_what_the_package_does():
    from cmslabs.search.counting import Count, closure_residual
    from cmslabs.search.estimate import LARGEST_LOG_WEIGHT, Estimate, bounded_weights

    rng = np.random.default_rng(1)
    log_ratio = rng.normal(0, 4.0, 500)
    assert (abs(log_ratio) > LARGEST_LOG_WEIGHT).any()
    right, _ = bounded_weights(log_ratio, np.log(30 / 70))
    found = kernel()["event_weights"](1 / (1 + np.exp(-log_ratio)), 70, 30, LARGEST_LOG_WEIGHT)
    np.testing.assert_allclose(found, right, rtol=1e-9)
    total, _, effective = kernel()["expected"](found)
    estimate = Estimate(None, right)
    assert (total, effective) == pytest.approx((estimate.expected, estimate.effective))
    scores, weights = rng.integers(0, 9, 300).astype(float), rng.exponential(size=300)
    label = np.arange(300) < 120
    mine = kernel()["weighted_auc"](scores[label], scores[~label], weights[label], weights[~label])
    assert mine == pytest.approx(auc(label, scores, weights))
    tries = np.column_stack([rng.poisson(440, 50), rng.normal(400, 5, 50), np.full(50, 5.0)])
    residual = closure_residual(*tries.T)
    assert residual > 0.05
    assert kernel()["p_value"]((470, 400.0, 5.0), tries) == pytest.approx(Count(1.0, 470, 400.0, 5.0, residual).p)


def test_what_the_text_says_about_the_methods():
    """The numbers of the model answer to task 10, from toys without signal."""
    names = dict(kernel())
    rows = {"context": [], "all": []}
    rng = np.random.default_rng(11)
    for _ in range(40):
        toy = names["draw"]("background", 20_000, rng), names["draw"]("simulation", 20_000, rng)
        rows["context"].append(names["count"](*toy, 2.5, [0, 1]))
        rows["all"].append(names["count"](*toy, 2.5, [0, 1, 2]))
    ratio = {
        name: np.mean([b for _, b, _ in found]) / np.mean([n for n, _, _ in found]) for name, found in rows.items()
    }
    assert 1.3 < ratio["context"] < 1.5
    assert ratio["all"] == pytest.approx(1.0, abs=0.07)

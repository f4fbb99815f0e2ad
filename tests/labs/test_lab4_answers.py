"""Each check of lab 4 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge, run
from right_answers_lab4 import RIGHT
from scipy.stats import chi2
from submissions import LAB4, ROOT, cell_named, points_of, read_lab
from wrong_answers_lab4 import WRONG

KINDS = ("pile-up", "identification", "momentum scale")
NAMES = [f"student {number}" for number in range(40)]
#: Given cells by the beginning of their text, and answers, in the order of the lab.
CELLS = ("import awkward", "NEEDED = ", "@yield", "COLUMNS = ", "@pileup", "n_true = ", "@tables", "@factors")
CELLS += (
    "@given-mass",
    "@scale",
    "good = ",
    "@band",
    "@chisquare",
    "prefiring = ",
    "@name",
    "@drawer",
    "@spectra",
    "@personal-run",
)


def source_of(name: str) -> str:
    """A cell of the lab: ``@name`` of a label, or the beginning of its text."""
    cells = read_lab("source", LAB4).cells
    if name.startswith("@"):
        return cell_named(read_lab("source", LAB4), name[1:]).source
    (found,) = [cell.source for cell in cells if cell.cell_type == "code" and cell.source.startswith(name)]
    return found


@cache
def kernel() -> dict:
    """What stands in the kernel before the last task."""
    names: dict = {}
    for name in CELLS:
        exec(source_of(name), names)
    return names


def kernel_of(student: str) -> dict:
    """The same for another student."""
    names = dict(kernel())
    exec(f"STUDENT = {student!r}\nmy_run = personal_run(STUDENT)", names)
    return names


points = judge(LAB4, kernel)


def model(task: str) -> str:
    """The model answer."""
    return source_of(f"@{task}")


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB4, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab4 as wrong

    skeletons = {
        "yield": wrong.YIELD,
        "pileup": wrong.PILEUP,
        "factors": wrong.FACTORS,
        "scale": wrong.SCALE,
        "band": wrong.BAND,
        "chisquare": wrong.CHISQUARE,
    }
    assert {task: points(task, answer) for task, answer in skeletons.items()} == {
        task: points_of(LAB4)[f"check-{task}"] for task in skeletons
    }


# Against the package.


def test_the_students_pile_up_weights_are_those_of_the_package():
    from cmslabs.selection.correction_set import pileup_weights

    names = kernel()
    n = names["n_true"].astype(int)
    official = pileup_weights()
    assert set(names["PILEUP"]) == set(official) == {"nominal", "up", "down"}
    for name, weights in official.items():
        assert names["PILEUP"][name] == pytest.approx(weights[n])


@pytest.mark.parametrize("shift", [0, 1, -1])
def test_the_students_scale_factors_are_those_of_the_package(shift):
    import awkward as ak

    from cmslabs.selection.corrections import Corrections

    names = kernel()
    muons = names["muons"]
    flat = ak.flatten(muons)
    cuts = names["analysis"].muons
    corrections = Corrections.load(names["fileset"].corrections)
    for table, varied in (
        ("IDENTIFICATION", corrections.muon_id(cuts, ak.to_numpy(flat["pt"]), ak.to_numpy(flat["eta"]))),
        ("ISOLATION", corrections.muon_iso(cuts, ak.to_numpy(flat["pt"]), ak.to_numpy(flat["eta"]))),
    ):
        values = {0: varied.nominal, 1: varied.up, -1: varied.down}[shift]
        official = ak.to_numpy(ak.prod(ak.unflatten(values, ak.num(muons)), axis=1))
        assert names["event_factors"](muons, names[table], shift) == pytest.approx(official, abs=5e-5)


def test_the_students_band_is_the_one_that_the_plots_of_the_package_draw():
    from cmslabs.plotting.expected import Expected

    dice = np.random.default_rng(3)
    level = dice.uniform(20, 90, 12)
    varied = {name: (level + dice.normal(0, 5, 12), level + dice.normal(0, 5, 12)) for name in "abc"}
    shifts = {name: (up - level, down - level) for name, (up, down) in varied.items()}
    expected = Expected(np.arange(13.0), {"all": level}, np.zeros(12), shifts, 0.0)
    for ours, theirs in zip(kernel()["band"](level, varied), expected.band, strict=True):
        assert ours == pytest.approx(theirs)
    variance = dice.uniform(0, 9, 12)
    covariance = Expected(np.arange(13.0), {"all": level}, variance, shifts, 0.0).covariance + np.diag(level)
    observed = dice.poisson(level)
    difference = observed - level
    assert kernel()["chi_square"](observed, level, varied, variance) == pytest.approx(
        difference @ np.linalg.inv(covariance) @ difference
    )


# What the lab says about its own events.


def printed_by(start: str, capsys) -> str:
    """What a given cell prints."""
    import matplotlib

    matplotlib.use("Agg")
    capsys.readouterr()
    run(source_of(start), dict(kernel()))
    return capsys.readouterr().out


def test_pile_up_weights_repair_the_vertices(capsys):
    said = printed_by("n_true = ", capsys)
    seen, plain, nominal, up, down = (float(x) for x in re.findall(r"(\d+\.\d\d)$", said, re.MULTILINE))
    assert abs(nominal - seen) < 0.3 < 1.5 < seen - plain
    assert down < nominal < up
    everything, selected = (float(x) for x in re.findall(r"(\d\.\d{3})$", said, re.MULTILINE))
    assert everything == pytest.approx(1.0, abs=0.02)
    assert selected < everything - 0.003


def test_weights_cannot_move_the_peak_but_the_momenta_can(capsys):
    said = printed_by("def all_masses", capsys)
    found = np.array([[float(x) for x in pair] for pair in re.findall(r"([\d.]+) GeV, Upsilon at ([\d.]+)", said)])
    data, plain, weighted, scaled = found
    assert weighted[0] == pytest.approx(data[0], abs=0.05)
    assert plain[0] < data[0] - 0.5
    assert weighted[1] == pytest.approx(plain[1], abs=0.002)
    assert scaled == pytest.approx(data)
    assert data[1] > plain[1] + 0.05


def test_the_predictions_are_what_the_lab_shows(capsys):
    said = printed_by("# A: a quarter", capsys)
    assert "worth 250 ordinary events" in said
    before, after = (float(x) for x in re.findall(r"peak ([\d.]+) GeV", said))
    assert after / before == pytest.approx(1.002, abs=0.0005)
    plain, weighted = (float(x) for x in re.findall(r"([\d.]+)%", said))
    assert weighted < plain - 0.3
    independent, together = (float(x) for x in re.findall(r"(\d+\.\d) if", said))
    assert independent < together


def test_the_numbers_of_the_referee_are_right():
    text = " ".join(cell.source for cell in read_lab("source", LAB4).cells if cell.cell_type == "markdown")
    assert f"The p-value is {chi2.sf(9.6, 30):.4f}" in text
    assert chi2.cdf(9.6, 30) == pytest.approx(1e-4, rel=0.5)
    assert "in one of ten thousand cases" in text


# The drawer.


def test_a_run_is_the_students_own():
    seen = [tuple(kernel()["personal_run"](student)) for student in NAMES]
    assert len(set(seen)) == len(NAMES)
    assert len({kernel_of(student)["my_run"].sum() for student in NAMES}) > 20


def test_a_name_is_the_same_however_it_is_typed():
    mine = kernel()["personal_run"]
    assert np.array_equal(mine("Ada Lovelace"), mine("  ada lovelace "))
    assert np.array_equal(mine(4711), mine("4711"))
    with pytest.raises(AssertionError, match="STUDENT"):
        mine(" ")


def belief(*probabilities: float) -> str:
    """What a student writes."""
    return f"belief = {dict(zip(KINDS, probabilities, strict=True))}"


@pytest.mark.parametrize("student", NAMES[:6])
def test_not_knowing_is_worth_the_same_whatever_the_truth(student):
    assert points("belief", belief(1 / 3, 1 / 3, 1 / 3), kernel_of(student)) == pytest.approx(4 / 3, abs=1e-4)
    sure = [points("belief", belief(*row), kernel_of(student)) for row in np.eye(3).tolist()]
    assert sorted(sure) == [0.0, 0.0, 2.0]


def test_honest_probabilities_earn_the_most():
    """The score is proper: who believes (0.6, 0.3, 0.1) expects the most points by writing that."""
    truths = {}
    for student in NAMES:
        sure = [points("belief", belief(*row), kernel_of(student)) for row in np.eye(3).tolist()]
        truths.setdefault(int(np.argmax(sure)), student)
    assert sorted(truths) == [0, 1, 2]
    honest = (0.6, 0.3, 0.1)
    written = [honest, (1.0, 0.0, 0.0), (0.7, 0.2, 0.1), (0.5, 0.3, 0.2), (0.6, 0.2, 0.2), (1 / 3, 1 / 3, 1 / 3)]

    def expected(said: tuple[float, ...]) -> float:
        return sum(
            chance * points("belief", belief(*said), kernel_of(truths[kind])) for kind, chance in enumerate(honest)
        )

    assert max(written, key=expected) == honest
    sure = {"A": 0.0, "C": 1.0, "D": 1.0, "E": 0.0}

    def by_prediction(value: float) -> float:
        right, wrong = (points("predict", f"prediction = { {'B': one, **sure} }") for one in (value, 1 - value))
        return 0.8 * right + 0.2 * wrong

    assert max([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], key=by_prediction) == 0.8


def test_the_lab_measures_what_the_instructor_page_says_about_bets(capsys):
    """The points of the four ways to bet stand on the page; the lab's last cell computes them."""
    measured = re.findall(r"(\d\.\d\d) points on average", printed_by("dice = np.random", capsys))
    page = (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"^In lab 4, on average, .*?\.\n", page, re.DOTALL | re.MULTILINE)
    assert re.findall(r"\d\.\d\d", sentence) == measured
    third, sure, without, proposed = (float(x) for x in measured)
    assert third < sure < without < proposed

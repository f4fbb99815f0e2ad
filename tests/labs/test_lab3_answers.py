"""Each check of lab 3 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge, run
from right_answers_lab3 import RIGHT
from submissions import LAB3, cell_named, points_of, read_lab
from wrong_answers_lab3 import WRONG

#: Given cells and answers that stand in the kernel before the last task.
BEFORE = ("name", "muons", "decisions", "given-mass", "zpair", "fourmu", "cuts", "twice", "personal-cuts")
NAMES = [f"student {number}" for number in range(40)]


def source_starting_with(start: str) -> str:
    """The only cell of the lab that starts so."""
    (found,) = [cell.source for cell in read_lab("source", LAB3).cells if cell.source.startswith(start)]
    return found


@cache
def kernel() -> dict:
    """What stands in the kernel before the last task."""
    names: dict = {}
    for start in ("import awkward", "NEEDED = ", "PATHS = "):
        exec(source_starting_with(start), names)
    for name in BEFORE:
        exec(cell_named(read_lab("source", LAB3), name).source, names)
    return names


points = judge(LAB3, kernel)


def model(task: str) -> str:
    """The model answer."""
    return cell_named(read_lab("source", LAB3), task).source


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB3, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab3 as wrong

    skeletons = {
        "muons": wrong.muons(),
        "decisions": wrong.DECISIONS,
        "zpair": wrong.PAIR,
        "fourmu": wrong.FOUR,
        "cuts": wrong.CUTFLOW,
        "file": wrong.FILE,
    }
    assert {task: points(task, answer) for task, answer in skeletons.items()} == {
        task: points_of(LAB3)[f"check-{task}"] for task in skeletons
    }


# What is personal.


def kernel_of(student: str) -> dict:
    """The kernel of another student, before the last task."""
    names = dict(kernel())
    exec(f"STUDENT = {student!r}\nmy_cuts = personal_cuts(STUDENT)", names)
    return names


@pytest.mark.slow
def test_the_model_answer_is_right_for_every_student_and_nobody_else():
    answers = {}
    for student in NAMES[:12]:
        names = kernel_of(student)
        assert points("file", model("file"), names) == 2.0
        run(model("file"), names)
        answers[student] = names["my_selected"], names["ANALYSIS"]
    selected, text = answers[NAMES[0]]
    copied = f"my_selected, ANALYSIS = {selected}, {text!r}"
    assert points("file", copied, kernel_of(NAMES[0])) == 2.0
    assert all(points("file", copied, kernel_of(student)) == 0.0 for student in NAMES[1:12])
    assert len({selected for selected, _ in answers.values()}) >= 11


def test_nobody_has_the_cuts_of_somebody_else():
    cuts = [tuple(kernel()["personal_cuts"](student).values()) for student in NAMES]
    assert len(set(cuts)) == len(NAMES)


def test_a_name_is_the_same_however_it_is_typed():
    cuts = kernel()["personal_cuts"]
    assert cuts("Ada Lovelace") == cuts("  ada lovelace ")
    assert cuts(4711) == cuts("4711") != cuts("4712")
    with pytest.raises(AssertionError, match="STUDENT"):
        cuts(" ")


# Against the package.


def test_the_package_selects_the_same_events():
    """The lab says that its functions do what cmslabs does."""
    from cmslabs.objects.leptons import good_muons

    names = kernel()
    for sample in ("events", "zz_events"):
        ours, theirs = names["good_muons"](names[sample].Muon), good_muons(names[sample])
        assert ours.pt.to_list() == theirs["pt"].to_list()
    muons = names["good_muons"](names["zz_events"].Muon)
    z1, z2, m4 = names["four_muons"](muons)
    official = names["four_leptons"](muons)
    for ours, theirs in ((z1, official["z1", "mass"]), (z2, official["z2", "mass"]), (m4, official["m4l"])):
        ours, theirs = ours.to_list(), theirs.to_list()
        assert [one is None for one in ours] == [one is None for one in theirs]
        assert [one for one in ours if one is not None] == pytest.approx(
            [one for one in theirs if one is not None], rel=2e-3
        )


# What the lab predicts and claims.


def printed_by(start: str, capsys) -> str:
    """What a given cell prints."""
    capsys.readouterr()
    run(source_starting_with(start), dict(kernel()))
    return capsys.readouterr().out


def test_loosening_a_cut_loses_events(capsys):
    said = printed_by("def opposite_leading", capsys)
    assert "isolation below 0.25: selected = True" in said
    assert "isolation below 0.50: selected = False" in said
    assert all(int(number) > 0 for number in re.findall(r"(\d+) are lost", said))


def test_two_paths_are_not_independent(capsys):
    said = printed_by("def opposite_leading", capsys)
    independent, found = (float(x) for x in re.findall(r"([\d.]+)%", said)[-2:])
    assert found < independent - 2


def test_the_nearest_of_random_pairs_makes_a_peak():
    import matplotlib

    matplotlib.use("Agg")
    names = dict(kernel())
    run(source_starting_with("dice = np.random"), names)
    chosen, pairs = (np.histogram(names[name], [61, 81, 101, 120])[0] for name in ("chosen", "all_pairs"))
    assert chosen[1] > 1.5 * max(chosen[0], chosen[2])
    assert pairs[1] < 1.2 * pairs[0]


def test_the_letter_has_the_flaws_that_the_rubric_names():
    (letter,) = [c.source for c in read_lab("source", LAB3).cells if c.source.startswith("## 9. Referee")]
    rows = [line.strip("> |").split("|") for line in letter.splitlines() if line.startswith("> |")][2:]
    table = {row[0].strip(): [int(x) if x.strip() else None for x in (*row[1:], "")[:3]] for row in rows}
    data = [row[0] for row in table.values()]
    rising = [name for name, now, before in zip(list(table)[1:], data[1:], data, strict=False) if now > before]
    assert rising == ["data set B added"]
    low = [name for name, row in table.items() if row[1] is not None and row[1] < data[-1]]
    assert low == ["isolation below 0.11"]
    assert table["81 to 101 GeV"][1] == table["isolation below 0.11"][0]
    assert table["trigger"][2] == table["all events"][2]
    assert data[-1] / table["81 to 101 GeV"][2] == pytest.approx(1.01, abs=0.001)


# Probabilities.


def test_honest_probabilities_earn_the_most():
    written = [0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    sure = {"A": 0.0, "C": 0.0, "D": 0.0, "E": 1.0}

    def expected(value: float) -> float:
        right, wrong = (points("predict", f"prediction = { {'B': one, **sure} }") for one in (value, 1 - value))
        return 0.8 * right + 0.2 * wrong

    assert max(written, key=expected) == 0.8

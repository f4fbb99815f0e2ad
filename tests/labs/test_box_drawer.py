"""The drawer of lab 12: it follows from its secret, holds what the lab says, and gives nothing away."""

from __future__ import annotations

import copy
import re
import shutil

import box_drawer
import nbformat
import numpy as np
import pytest
from box_drawer import BOXES, KINDS, boxes, boxes_of, kinds, put
from checking import points
from resealing import seal
from submissions import LAB12, ROOT, cell_named, read_lab
from test_lab12_answers import kernel, kernel_of

PLACE = f"{LAB12}/{LAB12}.ipynb"


def secret_of(notebook) -> str:
    """The secret in the hidden check of a source."""
    return re.search(r'SECRET = "(.*)"', cell_named(notebook, "check-belief").source).group(1)


def test_the_committed_drawer_follows_from_the_committed_secret():
    notebook = read_lab("source", LAB12)
    again = copy.deepcopy(notebook)
    put(again, secret_of(notebook))
    assert again == notebook
    made = boxes(secret_of(notebook))
    assert kernel()["MASSES"].tolist() == [mass for mass, _ in made]
    assert kernel()["RINGS"].tolist() == [ring for _, ring in made]
    assert kernel()["SEAL"] == seal(secret_of(notebook))


def test_the_released_notebook_does_not_know_the_secret():
    notebook = read_lab("source", LAB12)
    released = (ROOT / "labs" / "release" / PLACE).read_text(encoding="utf-8")
    assert seal(secret_of(notebook)) in released
    assert secret_of(notebook) not in released
    assert "SECRET" not in released
    assert secret_of(notebook) not in str([cell.get("outputs") for cell in notebook.cells])
    assert "truth = [" in cell_named(notebook, "belief").source
    assert "truth" not in cell_named(read_lab("release", LAB12), "belief").source


def test_every_kind_stands_in_a_third_of_the_boxes_and_every_secret_chooses_others():
    chosen = [kinds(f"secret {number}") for number in range(60)]
    assert kernel()["KINDS"] == KINDS
    assert all(found.count(kind) == BOXES // 3 for found in chosen for kind in KINDS)
    share = np.mean([[kind == "resonance" for kind in found] for found in chosen], axis=0)
    assert np.all(np.abs(share - 1 / 3) < 4.5 * np.sqrt(2 / 9 / 60))
    assert len({tuple(found) for found in chosen}) == 60


def test_the_check_opens_the_same_boxes_that_the_lab_shows():
    truth = kinds(secret_of(read_lab("source", LAB12)))
    for number in range(10):
        student = f" Somebody {number} "
        names = kernel_of(student)
        assert names["my_boxes"] == boxes_of(student)
        right = {box: [float(kind == truth[box]) for kind in KINDS] for box in names["my_boxes"]}
        assert points(LAB12, "belief", f"belief = {right}", names) == 2.0
        # One box of six, and its probability goes to another kind.
        right[names["my_boxes"][0]] = right[names["my_boxes"][0]][1:] + right[names["my_boxes"][0]][:1]
        assert points(LAB12, "belief", f"belief = {right}", names) == pytest.approx(5 / 3, abs=1e-4)


def test_the_boxes_hold_what_the_lab_says():
    """On average and in their spread those of the function that the lab gives to its students."""
    found: dict = {kind: ([], []) for kind in KINDS}
    for number in range(12):
        for kind, box in zip(kinds(f"many {number}"), boxes(f"many {number}"), strict=True):
            for rows, row in zip(found[kind], box, strict=True):
                rows.append(row)
    for kind in KINDS:
        made = kernel()["make_boxes"](kind, 5000, np.random.default_rng(9))
        for rows, expected in zip(found[kind], made, strict=False):
            rows = np.array(rows)
            error = np.sqrt(expected.var(axis=0) / len(rows))
            pull = (rows.mean(axis=0) - expected.mean(axis=0)) / error
            assert np.abs(pull).max() < 4.5
            # Kinds differ in their fullest cell, bin by bin they do not.
            fullest, known = np.sort(rows, axis=1)[:, -1].mean(), np.sort(expected, axis=1)[:, -1]
            assert fullest == pytest.approx(known.mean(), abs=4.5 * known.std() / np.sqrt(len(rows)))
        for number, rows in zip(("bump_number", "ring_number"), found[kind], strict=True):
            value = kernel()[number]
            known = value(made[("bump_number", "ring_number").index(number)])
            assert value(np.array(rows)).mean() == pytest.approx(known.mean(), abs=4.5 * known.std() / np.sqrt(96))


def test_a_private_copy_gets_a_secret_of_its_own_and_still_scores_everything(tmp_path, capsys, monkeypatch):
    path = tmp_path / f"{LAB12}.ipynb"
    shutil.copy(ROOT / "labs" / "source" / PLACE, path)
    monkeypatch.setattr("sys.argv", ["box_drawer.py", str(path)])
    assert box_drawer.main() == 0
    assert "has a new secret" in capsys.readouterr().out
    changed, original = nbformat.read(path, as_version=4), read_lab("source", LAB12)
    assert secret_of(changed) != secret_of(original)
    pairs = zip(changed.cells, original.cells, strict=True)
    # By chance the model answer's boxes may hold the same kinds as before.
    assert {cell.id for cell, before in pairs if cell != before} - {"belief"} == {"drawer", "check-belief"}
    names = dict(kernel())
    exec(cell_named(changed, "drawer").source, names)
    assert capsys.readouterr().out.endswith(cell_named(changed, "drawer").outputs[0].text)
    monkeypatch.setattr("checking.read_lab", lambda kind, lab: changed)
    assert points(LAB12, "belief", cell_named(changed, "belief").source, names) == 2.0


def test_a_missing_notebook_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["box_drawer.py", str(tmp_path / "none.ipynb")])
    assert box_drawer.main() == 2
    assert "cp -r source private/source" in capsys.readouterr().err

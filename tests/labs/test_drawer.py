"""The drawer of lab 2: it follows from its secret, holds what the lab says, and gives nothing away."""

from __future__ import annotations

import copy
import re
import shutil

import drawer
import numpy as np
import pytest
from checking import points
from drawer import BINS, ROWS, put, row_of, with_signal
from resealing import seal
from submissions import LAB2, ROOT, cell_named, read_lab
from test_lab2_answers import GIVEN

PLACE = f"{LAB2}/{LAB2}.ipynb"


def secret_of(notebook) -> str:
    """The secret in the hidden check of a source."""
    return re.search(r'SECRET = "(.*)"', cell_named(notebook, "check-belief").source).group(1)


def kernel_of(notebook, student: str | None = None) -> dict:
    """The names in a student's kernel after the given cells."""
    (imports,) = [cell.source for cell in notebook.cells if cell.source.startswith("import math")]
    names: dict = {}
    for source in (imports, *(cell_named(notebook, name).source for name in GIVEN)):
        exec(source if student is None else re.sub('STUDENT = ".*"', f'STUDENT = "{student}"', source), names)
    return names


def test_the_committed_drawer_follows_from_the_committed_secret():
    notebook = read_lab("source", LAB2)
    again = copy.deepcopy(notebook)
    put(again, secret_of(notebook))
    assert again == notebook
    names = kernel_of(notebook)
    assert names["DRAWER"].tolist() == drawer.drawer(secret_of(notebook))
    assert names["DRAWER"].shape == (ROWS, BINS)
    assert names["SEAL"] == seal(secret_of(notebook))


def test_the_released_notebook_does_not_know_the_secret():
    notebook = read_lab("source", LAB2)
    released = (ROOT / "labs" / "release" / PLACE).read_text(encoding="utf-8")
    assert seal(secret_of(notebook)) in released
    assert secret_of(notebook) not in released
    assert "SECRET" not in released
    assert secret_of(notebook) not in str([cell.get("outputs") for cell in notebook.cells])


def test_half_of_the_rows_hold_a_signal_and_every_secret_chooses_others():
    chosen = [with_signal(f"secret {number}") for number in range(40)]
    assert {sum(rows) for rows in chosen} == {ROWS // 2}
    share = np.mean(chosen, axis=0)
    # 40 secrets: each row holds a signal in half of them, give or take 0.08.
    assert np.all(np.abs(share - 0.5) < 4 * 0.08)
    assert len({tuple(rows) for rows in chosen}) == 40


def test_the_check_opens_the_same_row_that_the_lab_shows():
    notebook = read_lab("source", LAB2)
    truth = with_signal(secret_of(notebook))
    rows = set()
    for number in range(30):
        student = f"Somebody {number} "
        rows.add(row_of(student))
        names = kernel_of(notebook, student)
        assert points(LAB2, "belief", "belief = 1", names) == 2.0 * truth[row_of(student)]
        thinned = names["my_counts"]
        assert np.all(thinned <= names["DRAWER"][row_of(student)])
        assert 0.7 < thinned.sum() / names["DRAWER"][row_of(student)].sum() < 0.9
    assert len(rows) > 10


def test_the_rows_hold_what_the_lab_says():
    """Background as stated, and 3.5 times the square root of it more where there is a signal."""
    background = 60 * np.exp(-np.arange(BINS) / 15)
    empty, full, expected = [], [], []
    root = np.mean([np.sqrt(0.8 * background[k : k + 3].sum()) for k in range(BINS - 2)]) / 0.8
    for number in range(25):
        rows, holds = np.array(drawer.drawer(f"many {number}")), np.array(with_signal(f"many {number}"))
        empty.append(rows[~holds])
        full.append(rows[holds].sum(axis=1))
        expected.append(3.5 * root)
    empty, full = np.concatenate(empty), np.concatenate(full)
    assert np.abs((empty.mean(axis=0) - background) / np.sqrt(background / len(empty))).max() < 4
    assert empty.var(axis=0).sum() == pytest.approx(background.sum(), rel=0.05)
    extra = full.mean() - background.sum()
    assert extra == pytest.approx(np.mean(expected), abs=4 * np.std(full) / np.sqrt(len(full)))


def test_a_private_copy_gets_a_secret_of_its_own_and_still_scores_everything(tmp_path, capsys, monkeypatch):
    path = tmp_path / f"{LAB2}.ipynb"
    shutil.copy(ROOT / "labs" / "source" / PLACE, path)
    monkeypatch.setattr("sys.argv", ["drawer.py", str(path)])
    assert drawer.main() == 0
    assert "has a new secret" in capsys.readouterr().out
    import nbformat

    changed, original = nbformat.read(path, as_version=4), read_lab("source", LAB2)
    assert secret_of(changed) != secret_of(original)
    assert {cell.id for cell, before in zip(changed.cells, original.cells, strict=True) if cell != before} == {
        "drawer",
        "check-belief",
    }
    names = kernel_of(changed)
    assert capsys.readouterr().out.startswith(cell_named(changed, "drawer").outputs[0].text)
    monkeypatch.setattr("checking.read_lab", lambda kind, lab: changed)
    assert points(LAB2, "belief", cell_named(changed, "belief").source, names) == 2.0
    assert points(LAB2, "mine", cell_named(changed, "mine").source, names) == 1.0
    monkeypatch.undo()
    assert points(LAB2, "mine", cell_named(changed, "mine").source, kernel_of(original)) == 1.0


def test_a_missing_notebook_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["drawer.py", str(tmp_path / "none.ipynb")])
    assert drawer.main() == 2
    assert "cp -r source private/source" in capsys.readouterr().err

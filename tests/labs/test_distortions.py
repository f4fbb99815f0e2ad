"""The drawer of lab 4: it follows from its secret, holds what the lab says, and gives nothing away."""

from __future__ import annotations

import copy
import re
import shutil
from functools import cache

import distortions
import nbformat
import numpy as np
import pytest
from checking import points
from distortions import RUNS, STRENGTH, kinds, put, run_of, runs, spectra_of
from resealing import seal
from submissions import LAB4, ROOT, cell_named, read_lab
from test_lab4_answers import KINDS, belief, kernel, kernel_of

PLACE = f"{LAB4}/{LAB4}.ipynb"


@cache
def spectra():
    """The lab's own function."""
    return spectra_of(read_lab("source", LAB4))


def secret_of(notebook) -> str:
    """The secret in the hidden check of a source."""
    return re.search(r'SECRET = "(.*)"', cell_named(notebook, "check-belief").source).group(1)


def test_the_committed_drawer_follows_from_the_committed_secret():
    notebook = read_lab("source", LAB4)
    again = copy.deepcopy(notebook)
    put(again, secret_of(notebook))
    assert again == notebook
    assert kernel()["DRAWER"].tolist() == runs(secret_of(notebook), spectra())
    assert kernel()["DRAWER"].shape == (RUNS, 39)
    assert kernel()["SEAL"] == seal(secret_of(notebook))


def test_the_released_notebook_does_not_know_the_secret():
    notebook = read_lab("source", LAB4)
    released = (ROOT / "labs" / "release" / PLACE).read_text(encoding="utf-8")
    assert seal(secret_of(notebook)) in released
    assert secret_of(notebook) not in released
    assert "SECRET" not in released
    assert secret_of(notebook) not in str([cell.get("outputs") for cell in notebook.cells])


def test_every_kind_stands_in_a_third_of_the_runs_and_every_secret_chooses_others():
    chosen = [kinds(f"secret {number}") for number in range(60)]
    assert list(STRENGTH) == list(KINDS)
    assert all(found.count(kind) == RUNS // 3 for found in chosen for kind in KINDS)
    share = np.mean([[kind == "pile-up" for kind in found] for found in chosen], axis=0)
    assert np.all(np.abs(share - 1 / 3) < 4.5 * np.sqrt(2 / 9 / 60))
    assert len({tuple(found) for found in chosen}) == 60


def test_the_check_opens_the_same_run_that_the_lab_shows():
    truth = kinds(secret_of(read_lab("source", LAB4)))
    seen = set()
    for number in range(30):
        student = f"Somebody {number} "
        seen.add(run_of(student))
        names = kernel_of(student)
        found = [points(LAB4, "belief", belief(*row), names) for row in np.eye(3).tolist()]
        assert found == [2.0 * (kind == truth[run_of(student)]) for kind in KINDS]
        whole = names["DRAWER"][run_of(student)]
        assert np.all(names["my_run"] <= whole)
        assert 0.75 < names["my_run"].sum() / whole.sum() < 0.85
    assert len(seen) > 10


def test_the_runs_hold_what_the_lab_says():
    """Each run is a Poisson sample around one of the expectations, with a luminosity of 5 %."""
    middle = {kind: spectra()(kind, np.mean(ends)) for kind, ends in STRENGTH.items()}
    counts = {kind: [] for kind in KINDS}
    for number in range(5):
        for kind, run in zip(kinds(f"many {number}"), runs(f"many {number}", spectra()), strict=True):
            counts[kind].append(run)
    for kind, rows in counts.items():
        rows = np.array(rows)
        assert len(rows) == 5 * RUNS // 3
        totals = rows.sum(axis=1)
        spread = np.hypot(0.05 * middle[kind].sum(), np.sqrt(middle[kind].sum()))
        assert totals.mean() == pytest.approx(middle[kind].sum(), abs=4 * spread / np.sqrt(len(rows)))
        assert totals.std() == pytest.approx(spread, rel=0.3)
        # The shapes are those of this kind, and of no other one.
        shape = rows.sum(axis=0) / rows.sum()
        chi = {
            other: np.sum((shape - level / level.sum()) ** 2 / (level / level.sum()) * rows.sum())
            for other, level in middle.items()
        }
        assert min(chi, key=chi.get) == kind
        assert chi[kind] < 39 + 5 * np.sqrt(2 * 39)


def test_the_text_states_the_ranges_of_the_strengths():
    (text,) = [c.source for c in read_lab("source", LAB4).cells if c.source.startswith("## 8. Your run")]
    low, high = STRENGTH["pile-up"]
    assert f"between {low} and {high} more on average" in text
    low, high = STRENGTH["identification"]
    assert f"between {100 * low:.0f} % and {100 * high:.0f} %" in text
    low, high = STRENGTH["momentum scale"]
    assert f"between {100 * low:g} % and {100 * high:g} %" in text
    assert f"known to {100 * distortions.LUMINOSITY:.0f} %" in text


def test_the_lab_varies_in_the_same_ranges():
    (cell,) = [c.source for c in read_lab("source", LAB4).cells if c.source.startswith("dice = np.random")]
    assert eval(re.search(r"ranges = (\{.*?\})", cell).group(1)) == STRENGTH


def test_a_private_copy_gets_a_secret_of_its_own_and_still_scores_everything(tmp_path, capsys, monkeypatch):
    path = tmp_path / f"{LAB4}.ipynb"
    shutil.copy(ROOT / "labs" / "source" / PLACE, path)
    monkeypatch.setattr("sys.argv", ["distortions.py", str(path)])
    assert distortions.main() == 0
    assert "has a new secret" in capsys.readouterr().out
    changed, original = nbformat.read(path, as_version=4), read_lab("source", LAB4)
    assert secret_of(changed) != secret_of(original)
    assert {cell.id for cell, before in zip(changed.cells, original.cells, strict=True) if cell != before} == {
        "drawer",
        "check-belief",
    }
    names = dict(kernel())
    exec(cell_named(changed, "drawer").source, names)
    assert capsys.readouterr().out == cell_named(changed, "drawer").outputs[0].text
    exec(cell_named(changed, "personal-run").source, names)
    monkeypatch.setattr("checking.read_lab", lambda kind, lab: changed)
    assert points(LAB4, "belief", cell_named(changed, "belief").source, names) == 2.0


def test_a_missing_notebook_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["distortions.py", str(tmp_path / "none.ipynb")])
    assert distortions.main() == 2
    assert "cp -r source private/source" in capsys.readouterr().err

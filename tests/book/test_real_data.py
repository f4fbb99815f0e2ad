"""The chapters run on real CMS files when one argument changes, and find there what the text says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from chapter_rules import BOOK
from nbclient import NotebookClient

FILES = {
    "cms-dimuon-2011": {"Zmumu_Run2011A.csv": "cms-csv/Zmumu_Run2011A.csv"},
    "cms-fourlepton-2011": {"4mu_2011.csv": "cms-csv/4mu_2011.csv"},
    # A short file of the same kind takes the place of the 2 GB one.
    "cms-doublemuon-2016h": {"127C2975-1B1C-A046-AABF-62B77E757A86.root": "nanoaod/nano_dimuon.root"},
}


@pytest.fixture
def fetched(real_data, data_cache):
    """The real files, where a download puts them."""
    for card, files in FILES.items():
        (data_cache / card).mkdir()
        for name, source in files.items():
            shutil.copyfile(real_data / source, data_cache / card / name)


def run(chapter: str, dataset: str, four: str = "cms-fourlepton-2011") -> str:
    """Execute a chapter with other datasets; return all that it printed."""
    path: Path = next((BOOK / "01-collisions").glob(f"{chapter}-*.ipynb"))
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    changed = 0
    for cell in code:
        cell.source, hits = re.subn(r'(?m)^DATASET = "[^"]+"', f'DATASET = "{dataset}"', cell.source)
        cell.source = re.sub(r'(?m)^FOUR = "[^"]+"', f'FOUR = "{four}"', cell.source)
        changed += hits
    assert changed == 1, "the dataset is not chosen in one place"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    return "".join(o.text for cell in code for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")


@pytest.mark.slow
def test_first_peaks_on_real_muons(fetched):
    text = run("04", "cms-dimuon-2011")
    assert "10227 pairs of opposite" in text
    # Quoted in the chapter.
    assert "mass  = 90.828 +- 0.030 GeV" in text
    voigt = re.search(r"Voigt +([\d.]+) / 39 +([\d.]+) +90\.828 \+- 0\.030", text)
    assert voigt is not None
    assert round(float(voigt[1])) == 44
    assert "18 events with four muons" in text


@pytest.mark.slow
def test_what_a_collision_leaves_behind_on_real_muons(fetched):
    assert "10583 real events" in run("02", "cms-dimuon-2011")


@pytest.mark.slow
def test_opening_a_real_file(fetched):
    text = run("03", "cms-doublemuon-2016h")
    sums = re.findall(r"sum of all pair masses: (\d+) GeV", text)
    assert len(sums) == 3
    assert len(set(sums)) == 1
    assert "simulation: False" in text

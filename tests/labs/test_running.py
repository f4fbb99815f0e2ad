"""Labs as a student runs them: fast and small enough for Binder, without a grader, with the stored outputs."""

from __future__ import annotations

import copy
import os
import re
import sys
import time
from dataclasses import dataclass

import nbformat
import pytest
from course import lab_names
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell
from stored_texts import differences
from submissions import LAB1, LAB2, LAB7, cell_named, read_lab

pytestmark = pytest.mark.slow

#: What Binder gives, and what a lab may use of it.
MEGABYTES, SECONDS = 2000, 45
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
#: Processor time of the kernel and what it has started: on a busy computer the clock says more than what the lab takes.
WORK = "import os; print(sum(os.times()[:4]))"
GRADER_LOADED = 'import sys; print([name for name in sys.modules if name.startswith("nbgrader")])'
BLOCKED = 'raise ModuleNotFoundError("a student has no grader", name="nbgrader")\n'
#: On Colab only the package itself is installed, without the extra `cms`.
NOT_ON_COLAB = ("coffea", "correctionlib", "dask", "distributed")


def execute(notebook, folder, **environment: str):
    """Run a copy of the notebook in an empty folder; return it."""
    notebook = copy.deepcopy(notebook)
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", shutdown_kernel="immediate", resources=where)
    client.execute(env={**os.environ, **environment})
    return notebook


def printed(cell) -> str:
    """What a cell wrote to stdout."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


@dataclass
class Run:
    """A lab that ran with its model answers."""

    notebook: nbformat.NotebookNode
    clock: float


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Lab -> its run; each is run once, when the first test asks.

    The kernel finds neither the grader nor coffea, which cannot be imported, nor the repository, nor a cache.
    """
    made: dict[str, Run] = {}

    def of(lab: str) -> Run:
        if lab not in made:
            folder = tmp_path_factory.mktemp(lab)
            for name in ("nbgrader", *NOT_ON_COLAB):
                (folder / "blocked" / name).mkdir(parents=True)
                (folder / "blocked" / name / "__init__.py").write_text(BLOCKED.replace("nbgrader", name))
            (folder / "empty").mkdir()
            notebook = read_lab("source", lab)
            notebook.cells += [new_code_cell(code) for code in (WORK, PEAK, GRADER_LOADED)]
            path = os.pathsep.join(filter(None, [str(folder / "blocked"), os.environ.get("PYTHONPATH")]))
            start = time.monotonic()
            done = execute(notebook, folder / "empty", PYTHONPATH=path, CMSLABS_OFFLINE="1")
            made[lab] = Run(done, time.monotonic() - start)
        return made[lab]

    return of


@pytest.mark.parametrize("lab", lab_names())
def test_a_lab_runs_fast_and_small_and_without_a_grader(runs, lab):
    """And what it prints is what the notebook stores."""
    done, clock = runs(lab).notebook, runs(lab).clock
    assert differences(read_lab("source", lab), done) == []
    seconds = min(clock, float(printed(done.cells[-3])))
    kilobytes = int(printed(done.cells[-2])) / (1024 if sys.platform == "darwin" else 1)
    print(f"{lab}: {seconds:.1f} s, peak {kilobytes / 1000:.0f} MB")
    assert seconds < SECONDS
    # A lab that waits works little: the clock counts, too, with room for a busy computer.
    assert clock < 4 * SECONDS
    assert kilobytes / 1000 < MEGABYTES
    assert printed(done.cells[-1]).strip() == "[]"
    assert not [output for cell in done.cells for output in cell.get("outputs", []) if output.get("name") == "stderr"]


def test_the_right_predictions_of_lab_7_are_what_it_shows(runs):
    (said,) = [printed(cell) for cell in runs(LAB7).notebook.cells if cell.source.startswith("# A: jets near the jump")]
    assert 0.28 < int(re.search(r"A: (\d+)%", said)[1]) / 100 < 0.38
    by_channel = dict(re.findall(r"B: channel (\w+) *: ([\d.]+)%", said))
    assert float(by_channel["pt"]) == 0.0 < 1.0 < float(by_channel["energy"])
    assert int(re.search(r"error on QCD is (\d+) times", said)[1]) >= 10
    found = dict(re.findall(r"prongs, ([\w-]+) *: ([\d.]+)", said))
    assert float(found["U-Net"]) < float(found["CAE"])
    found = dict(re.findall(r"AUC for WW, ([\w ]+?) *: ([\d.]+)", said))
    assert float(found["few pixels"]) > float(found["CAE"]) + 0.2


def test_the_block_works(tmp_path):
    """A notebook that needs the grader would have failed above."""
    (tmp_path / "nbgrader").mkdir()
    (tmp_path / "nbgrader" / "__init__.py").write_text(BLOCKED)
    notebook = nbformat.v4.new_notebook(cells=[new_code_cell("import nbgrader")])
    with pytest.raises(CellExecutionError, match="a student has no grader"):
        execute(notebook, tmp_path, PYTHONPATH=str(tmp_path))


@pytest.mark.parametrize("lab", lab_names()[::5])
def test_the_release_stops_at_the_first_task(lab, tmp_path):
    with pytest.raises(CellExecutionError, match="NotImplementedError"):
        execute(read_lab("release", lab), tmp_path)


def test_muons_that_are_five_percent_too_energetic_are_seen(tmp_path):
    """The stored outputs are compared: a shift of the sample by 5 % does not pass."""
    notebook = read_lab("source", LAB1)
    (place,) = [i for i, cell in enumerate(notebook.cells) if cell.source.startswith("events = read_nanoaod")]
    (last,) = [i for i, cell in enumerate(notebook.cells) if cell.source.startswith("most = ")]
    notebook.cells = notebook.cells[: last + 1]
    shifted = copy.deepcopy(notebook)
    shifted.cells[place].source += '\nevents["Muon", "pt"] = 1.05 * events.Muon.pt'
    assert len(differences(notebook, execute(shifted, tmp_path), least=1)) == 1


def test_one_changed_count_in_the_drawer_is_seen(tmp_path):
    """In lab 2 the stored outputs depend on every count of the spectra, and on Python's own arithmetic."""
    notebook = read_lab("source", LAB2)
    given = [cell for cell in notebook.cells if cell.cell_type == "code" and "nbgrader" not in cell.metadata]
    kept = [cell for cell in given if cell.outputs]
    notebook.cells = [new_code_cell("import math\nimport numpy as np"), *kept, cell_named(notebook, "drawer")]
    assert len(kept) == 2
    changed = copy.deepcopy(notebook)
    drawer = cell_named(changed, "drawer")
    first = drawer.source.split('"""\n')[1].split()[0]
    drawer.source = drawer.source.replace(first, str(int(first) + 1), 1)
    assert len(differences(notebook, execute(changed, tmp_path), least=2)) == 1


@pytest.mark.parametrize("lab", lab_names())
def test_an_unreadable_kernel_name_is_not_shipped(lab):
    """Colab and Binder know the kernel `python3`, not the name of our environment."""
    for kind in ("source", "release"):
        assert read_lab(kind, lab).metadata.kernelspec.name == "python3"

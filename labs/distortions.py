"""The drawer of lab 4: 24 runs of a detector, in each of them one thing is wrong, and a secret alone says what.

The lab shows the runs and the SHA-256 of the secret, as lab 2 does (`drawer.py`).  What a run should look like is
computed by the function `spectra` that the lab itself gives to its students.

    python distortions.py private/source/lab4-systematics/lab4-systematics.ipynb

gives a source of the lab a new secret and the drawer that follows from it.
"""

from __future__ import annotations

import contextlib
import io
import random
import secrets
import sys
from collections.abc import Callable

import nbformat
from drawer import poisson
from resealing import digest, reseal, run_script

__all__ = ["kinds", "new_secret", "put", "run_of", "runs", "spectra_of"]

RUNS = 24
#: What may be wrong, and the range of its strength: interactions more, chance to lose a muon, relative shift of pT.
STRENGTH = {"pile-up": (0.3, 1.5), "identification": (0.02, 0.08), "momentum scale": (0.0005, 0.003)}
#: Relative uncertainty of a run's luminosity.
LUMINOSITY = 0.05
#: Cells of the lab that `spectra` needs: the beginning of their text, or their name.
NEEDED = ("import awkward", "NEEDED = ", "MASS, VERTICES")


def kinds(secret: str) -> list[str]:
    """What is wrong in each run: an equal number of each kind, by the order of the lots."""
    lots = [digest(f"{secret}/{run}") for run in range(RUNS)]
    return [list(STRENGTH)[sorted(lots).index(lot) * len(STRENGTH) // RUNS] for lot in lots]


def runs(secret: str, spectra: Callable[[str, float], object]) -> list[list[int]]:
    """The counts of all runs, shape (24, 39)."""
    return [one_run(random.Random(f"{secret}/{run}"), kind, spectra) for run, kind in enumerate(kinds(secret))]


def one_run(dice: random.Random, kind: str, spectra: Callable[[str, float], object]) -> list[int]:
    """Counts of one run: a strength, a luminosity, and a Poisson number in each bin."""
    strength, luminosity = dice.uniform(*STRENGTH[kind]), dice.gauss(1.0, LUMINOSITY)
    return [poisson(dice, luminosity * float(mean)) for mean in spectra(kind, strength)]


def run_of(name: str) -> int:
    """The run that a student's name picks."""
    return int(digest(f"run/{name.strip().lower()}"), 16) % RUNS


def new_secret(name: str) -> str:
    """A random secret with a wrong momentum scale in the run of `name`: the model answer is sure of that."""
    while True:
        secret = secrets.token_hex(16)
        if kinds(secret)[run_of(name)] == "momentum scale":
            return secret


def spectra_of(notebook: nbformat.NotebookNode) -> Callable[[str, float], object]:
    """The function `spectra` of the lab."""
    names: dict = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for start in NEEDED:
            (cell,) = [cell for cell in notebook.cells if cell.source.startswith(start)]
            exec(cell.source, names)
    return names["spectra"]


def put(notebook: nbformat.NotebookNode, secret: str) -> None:
    """Write the drawer that follows from a secret into a source notebook."""
    rows = "\n".join(" ".join(str(count) for count in run) for run in runs(secret, spectra_of(notebook)))
    reseal(notebook, rows, secret)


def main() -> int:
    """Give one source notebook a new secret."""
    return run_script(__doc__, 4, new_secret, put)


if __name__ == "__main__":
    sys.exit(main())

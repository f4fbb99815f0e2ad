"""The drawer of lab 12: 24 small boxes with nothing, a resonance or a hot cell, and a secret that alone says which.

The lab shows the boxes and the SHA-256 of the secret, as lab 2 does (`drawer.py`).  What the boxes of the model
answer hold is written into its solution, which the release does not contain.

    python box_drawer.py private/source/lab12-the-box/lab12-the-box.ipynb

gives a source of the lab a new secret and the drawer that follows from it.
"""

from __future__ import annotations

import math
import random
import re
import secrets
import sys

import nbformat
from drawer import poisson
from resealing import digest, replaced, reseal, run_script

__all__ = ["boxes", "boxes_of", "kinds", "new_secret", "put"]

BOXES, MINE = 24, 6
KINDS = ("nothing", "resonance", "hot cell")
#: Bins of the mass spectrum, the first one's lower edge and their width [GeV]; cells of the ring.
BINS, LOWEST, WIDTH, CELLS = 34, 2600.0, 100.0, 24
#: Background: events in the first bin, falling with so many bins; events per cell of the ring.
LEVEL, FALL, RING = (63.0, 77.0), (8.5, 9.5), (9.0, 11.0)
#: A resonance: mass and width of its peak [GeV], and its events in units of sqrt(background in three bins).
MASS, PEAK, STRENGTH = (3100.0, 4900.0), 80.0, (2.5, 6.5)
#: A hot cell: its events, and how they spread.
HOT, SPREAD = (15.0, 40.0), {-1: 0.25, 0: 0.5, 1: 0.25}


def kinds(secret: str) -> list[str]:
    """What each box holds: an equal number of each kind, by the order of the lots."""
    lots = [digest(f"{secret}/{box}") for box in range(BOXES)]
    return [KINDS[sorted(lots).index(lot) * len(KINDS) // BOXES] for lot in lots]


def boxes(secret: str) -> list[tuple[list[int], list[int]]]:
    """Mass spectrum and ring of all boxes."""
    return [one_box(random.Random(f"{secret}/{box}"), kind) for box, kind in enumerate(kinds(secret))]


def one_box(dice: random.Random, kind: str) -> tuple[list[int], list[int]]:
    """Counts of one box; what it could hold is drawn where it does not, too."""
    level, fall, even = dice.uniform(*LEVEL), dice.uniform(*FALL), dice.uniform(*RING)
    place, strength, cell, extra = (
        dice.uniform(*MASS),
        dice.uniform(*STRENGTH),
        dice.randrange(CELLS),
        dice.uniform(*HOT),
    )
    mass, ring = [level * math.exp(-k / fall) for k in range(BINS)], [even] * CELLS
    if kind == "resonance":
        under = 3 * level * math.exp(-(place - LOWEST - WIDTH / 2) / WIDTH / fall)
        for k in range(BINS):
            low, high = ((LOWEST + WIDTH * edge - place) / PEAK / math.sqrt(2) for edge in (k, k + 1))
            mass[k] += strength * math.sqrt(under) * (math.erf(high) - math.erf(low)) / 2
    if kind == "hot cell":
        for step, share in SPREAD.items():
            ring[(cell + step) % CELLS] += share * extra
    return [poisson(dice, mean) for mean in mass], [poisson(dice, mean) for mean in ring]


def boxes_of(name: str) -> list[int]:
    """The six boxes that a student's name picks."""
    name = name.strip().lower()
    return sorted(sorted(range(BOXES), key=lambda box: digest(f"box/{name}/{box}"))[:MINE])


def new_secret(_name: str) -> str:
    """A random secret: any will do, for `put` tells the model answer what is in its boxes."""
    return secrets.token_hex(16)


def put(notebook: nbformat.NotebookNode, secret: str) -> None:
    """Write the drawer that follows from a secret into a source notebook, and the truth into its model answer."""
    rows = "\n".join(" ".join(f"{count:2d}" for count in row) for box in boxes(secret) for row in box)
    reseal(notebook, rows, secret)
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    name = re.search(r'^STUDENT = "(.*)"$', cells["name"].source, re.MULTILINE).group(1)
    truth = ", ".join(f'"{kinds(secret)[box]}"' for box in boxes_of(name))
    cells["belief"].source = replaced(r"(?<=truth = \[).*?(?=\])", truth, cells["belief"].source)


def main() -> int:
    """Give one source notebook a new secret."""
    return run_script(__doc__, 12, new_secret, put)


if __name__ == "__main__":
    sys.exit(main())

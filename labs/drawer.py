"""The drawer of lab 2: 32 spectra, half of them with a signal, and a secret that alone says which.

The lab shows the spectra and the SHA-256 of the secret.  The secret itself stands only in a hidden check, so the
students' notebook does not hold the answer in any form, and everybody can verify afterwards that nobody moved it.

    python drawer.py private/source/lab2-is-it-a-bump/lab2-is-it-a-bump.ipynb

gives a source of the lab a new secret and the drawer that follows from it.
"""

from __future__ import annotations

import math
import random
import secrets
import sys

import nbformat
from resealing import digest, reseal, run_script

__all__ = ["drawer", "new_secret", "put", "row_of", "with_signal"]

ROWS, BINS = 32, 30
#: Background per bin: so many events in the first bin, falling with this number of bins.
FIRST, FALL = 60.0, 15.0
#: A student sees this share of the events of a row.
SEEN = 0.8
#: A signal has this shape, and this mean in units of the square root of the seen background in its window.
SHAPE, STRENGTH = (0.25, 0.5, 0.25), (2.0, 5.0)


def with_signal(secret: str) -> list[bool]:
    """Which rows hold a signal: those with the smaller half of the lots."""
    lots = [digest(f"{secret}/{row}") for row in range(ROWS)]
    return [lot in sorted(lots)[: ROWS // 2] for lot in lots]


def drawer(secret: str) -> list[list[int]]:
    """The counts of all rows, shape (32, 30)."""
    return [spectrum(random.Random(f"{secret}/{row}"), signal) for row, signal in enumerate(with_signal(secret))]


def spectrum(dice: random.Random, signal: bool) -> list[int]:
    """Counts of one row; place and strength of the signal are drawn where there is none, too."""
    expected = [FIRST * math.exp(-k / FALL) for k in range(BINS)]
    place, strength = dice.randrange(BINS - len(SHAPE) + 1), dice.uniform(*STRENGTH)
    if signal:
        seen = SEEN * sum(expected[place : place + len(SHAPE)])
        for k, share in enumerate(SHAPE):
            expected[place + k] += share * strength * math.sqrt(seen) / SEEN
    return [poisson(dice, mean) for mean in expected]


def poisson(dice: random.Random, mean: float) -> int:
    """A Poisson number: how many waiting times fit into `mean`; `mean` below some hundreds."""
    product, count = dice.random(), 0
    while product > math.exp(-mean):
        product *= dice.random()
        count += 1
    return count


def row_of(name: str) -> int:
    """The row that a student's name picks."""
    return int(digest(f"row/{name.strip().lower()}"), 16) % ROWS


def new_secret(name: str) -> str:
    """A random secret with a signal in the row of `name`: the model answer is sure that there is one."""
    while True:
        secret = secrets.token_hex(16)
        if with_signal(secret)[row_of(name)]:
            return secret


def put(notebook: nbformat.NotebookNode, secret: str) -> None:
    """Write the drawer that follows from a secret into a source notebook."""
    rows = "\n".join(" ".join(f"{count:2d}" for count in row) for row in drawer(secret))
    reseal(notebook, rows, secret)


def main() -> int:
    """Give one source notebook a new secret."""
    return run_script(__doc__, 2, new_secret, put)


if __name__ == "__main__":
    sys.exit(main())

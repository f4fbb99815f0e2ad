"""What a sealed box holds, and how its owner proves later that it was so from the beginning.

The truth follows from a secret alone.  Before anybody looks, the SHA-256 of the truth and a random salt is
published: a commitment.  It tells nothing, because nobody can try all salts, and it binds, because nobody
finds another truth with the same hash.  The idea is M. Blum's coin flipping by telephone (ACM SIGACT News 15
(1983) 23, doi:10.1145/1008908.1008911).
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from cmslabs.config import StrictModel, validate
from cmslabs.errors import ConfigError, DataError
from cmslabs.io import canonical_json, read_json, write_json
from cmslabs.simulation.box_secret import secret_key, stream

__all__ = [
    "KINDS",
    "Statement",
    "Truth",
    "box_truth",
    "check_statement",
    "commitment",
    "possible_truths",
    "read_statement",
    "statement_of",
    "write_statement",
]

#: What a box may hold, with equal chance.
KINDS = ("nothing", "wprime", "hot-cell")
#: W' masses [GeV]: the course's samples have 3500 GeV only, with daughters of 500 and 100 GeV.
MASSES = ((3000, 3300), (3700, 4300))
MASS_X, MASS_Y = (250, 420), (130, 220)
#: Share of the W' among the events within 6 % of its mass.
SIGNAL_SHARE = (0.03, 0.05)
#: A hot cell's towers (abs(eta) < 1.3, where the jets are), its pT [GeV], and the share of events in which it fires.
TOWER_ETA, TOWERS_ETA, TOWERS_PHI = 0.087, 15, 72
CELL_PT, CELL_SHARE = (150, 250), (0.02, 0.03)

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
#: What belongs to each kind beside its name.
PARTS = {
    "nothing": (),
    "wprime": ("mass", "mass_x", "mass_y", "share"),
    "hot-cell": ("eta", "phi", "pt", "share"),
}


class Truth(StrictModel):
    """What a box holds.

    Attributes
    ----------
    kind : {"nothing", "wprime", "hot-cell"}
        Background only; a W' -> XY; or a calorimeter cell that fires without a particle.
    mass, mass_x, mass_y : float or None
        W' only: masses of W', X and Y [GeV].
    eta, phi, pt : float or None
        Hot cell only: middle of the cell [1, rad] and the transverse momentum that it adds [GeV].
    share : float or None
        W': its share of the box's events with a dijet mass within 6 % of `mass`.
        Hot cell: share of all events of the box in which it fires.
    """

    kind: Literal["nothing", "wprime", "hot-cell"]
    mass: Positive | None = None
    mass_x: Positive | None = None
    mass_y: Positive | None = None
    eta: Annotated[float, Field(gt=-2.5, lt=2.5)] | None = None
    phi: Annotated[float, Field(ge=-np.pi, le=np.pi)] | None = None
    pt: Positive | None = None
    share: Share | None = None

    @model_validator(mode="after")
    def _complete(self) -> Truth:
        present = {name for name in type(self).model_fields if name != "kind" and getattr(self, name) is not None}
        if present != set(PARTS[self.kind]):
            wanted = ", ".join(PARTS[self.kind]) or "nothing else"
            raise ValueError(f"'{self.kind}' is described by {wanted}")
        return self

    @property
    def is_signal(self) -> bool:
        """Whether a new particle is in the box.  A hot cell is none."""
        return self.kind == "wprime"

    def describe(self) -> str:
        """One sentence for people.

        Examples
        --------
        >>> Truth(kind="nothing").describe()
        'The box holds background only.'
        """
        if self.kind == "wprime":
            return (
                f"The box holds a W' of {self.mass:.0f} GeV that decays to X ({self.mass_x:.0f} GeV) and "
                f"Y ({self.mass_y:.0f} GeV); it makes up {100 * self.share:.1f} % of the events within 6 % of its mass."
            )
        if self.kind == "hot-cell":
            return (
                f"The box holds no new particle, but a calorimeter cell at eta = {self.eta:.2f}, phi = {self.phi:.2f} "
                f"that adds about {self.pt:.0f} GeV in {100 * self.share:.1f} % of the events."
            )
        return "The box holds background only."


class Statement(StrictModel):
    """A truth with its salt: whoever knows both can check the commitment.

    Attributes
    ----------
    truth : Truth
    salt : str
        32 hexadecimal digits.
    """

    truth: Truth
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


def possible_truths(secret: str) -> dict[str, Truth]:
    """All three truths that the secret draws, by kind; one of them is in the box.

    A box is made with the same work whatever it holds, so that neither time nor progress tell: see
    `cmslabs.simulation.boxes.make_box`.
    """
    key = secret_key(secret)
    rng = stream(key, "wprime")
    lengths = np.array([high - low for low, high in MASSES])
    low, high = MASSES[rng.choice(len(MASSES), p=lengths / lengths.sum())]
    wprime = Truth(
        kind="wprime",
        mass=round(rng.uniform(low, high)),
        mass_x=round(rng.uniform(*MASS_X)),
        mass_y=round(rng.uniform(*MASS_Y)),
        share=round(rng.uniform(*SIGNAL_SHARE), 4),
    )
    rng = stream(key, "hot-cell")
    cell = Truth(
        kind="hot-cell",
        eta=round((rng.integers(-TOWERS_ETA, TOWERS_ETA) + 0.5) * TOWER_ETA, 4),
        phi=round((rng.integers(TOWERS_PHI) + 0.5) * 2 * np.pi / TOWERS_PHI - np.pi, 4),
        pt=round(rng.uniform(*CELL_PT)),
        share=round(rng.uniform(*CELL_SHARE), 4),
    )
    return {"nothing": Truth(kind="nothing"), "wprime": wprime, "hot-cell": cell}


def box_truth(secret: str) -> Truth:
    """What the box with this secret holds.  No simulation is needed to know it.

    Raises
    ------
    ConfigError
        If the secret is empty.
    """
    kind = KINDS[stream(secret_key(secret), "kind").integers(len(KINDS))]
    return possible_truths(secret)[kind]


def statement_of(secret: str) -> Statement:
    """Truth and salt of a secret: to be kept until the box is opened."""
    salt = hashlib.sha256(secret_key(secret) + b"salt").hexdigest()[:32]
    return Statement(truth=box_truth(secret), salt=salt)


def commitment(statement: Statement) -> str:
    """SHA-256 of truth and salt as canonical JSON, 64 hexadecimal digits: to be published before anybody looks.

    Examples
    --------
    >>> commitment(Statement(truth=Truth(kind="nothing"), salt=32 * "0"))[:16]
    '4cad78e430e5680e'
    """
    return hashlib.sha256(canonical_json(_plain(statement)).encode()).hexdigest()


def check_statement(statement: Statement, commitment_: str) -> bool:
    """Whether the statement is the one that was committed to.

    Raises
    ------
    ConfigError
        If the commitment is no SHA-256.
    """
    text = commitment_.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ConfigError(
            f"'{commitment_[:80]}' is no commitment.",
            remedy="It has 64 hexadecimal digits, as 'cmslabs box commit' prints.",
        )
    return commitment(statement) == text


def write_statement(path: str | os.PathLike, statement: Statement) -> None:
    """Write a statement as JSON."""
    write_json(path, _plain(statement))


def _plain(statement: Statement) -> dict:
    """What is written and what is hashed are the same: anybody can check a file with sorted keys and SHA-256."""
    return statement.model_dump(mode="json", exclude_none=True)


def read_statement(path: str | os.PathLike) -> Statement:
    """Read a statement that `write_statement` wrote.

    Raises
    ------
    DataError
        If the file is missing or is no statement.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError("is no statement.", where=path, remedy='It looks like {"truth": {"kind": ...}, "salt": ...}.')
    try:
        return validate(Statement, content, where=path)
    except ConfigError as error:
        raise DataError(
            f"is no statement: {error.what}", where=path, remedy="Use the file as it was written."
        ) from error

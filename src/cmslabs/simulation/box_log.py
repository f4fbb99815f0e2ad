"""The log sheet: what a student claims about a box, method by method, before it is opened.

A claim that was written down cannot be remembered better than it was.  The sheet is a JSON file to which
entries are only ever added.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
from filelock import FileLock
from pydantic import Field, field_validator

from cmslabs.config import StrictModel, validate
from cmslabs.errors import ConfigError, DataError
from cmslabs.io import read_json, write_json
from cmslabs.simulation.box_truth import Truth

__all__ = ["LOG_NAME", "Entry", "note", "read_log", "score_log"]

#: The sheet's name where none is given, in the current folder.
LOG_NAME = "box-log.json"
FORMAT = "cmslabs box log 1"


class Entry(StrictModel):
    """One claim.

    Attributes
    ----------
    time : str
        When it was made (UTC, ISO 8601).
    method : str
        What was tried, for example ``"bump hunt"``.
    p : float
        p-value that the method gave, in (0, 1].
    mass : float or None
        Where [GeV], if the method says so.
    signal_probability : float
        The student's own probability that a new particle is in the box, from 0 to 1.
    box : str or None
        The box's commitment.
    remark : str or None
    """

    time: str
    method: Annotated[str, Field(min_length=1, max_length=200)]
    p: Annotated[float, Field(gt=0, le=1)]
    mass: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    signal_probability: Annotated[float, Field(ge=0, le=1)]
    box: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    remark: Annotated[str, Field(max_length=2000)] | None = None

    @field_validator("time")
    @classmethod
    def _is_a_time(cls, time: str) -> str:
        datetime.datetime.fromisoformat(time)
        return time

    @field_validator("method")
    @classmethod
    def _says_something(cls, method: str) -> str:
        if not method.strip():
            raise ValueError("name the method")
        return method.strip()


def note(
    log: str | os.PathLike,
    method: str,
    *,
    p: float,
    mass: float | None = None,
    signal_probability: float,
    box: str | None = None,
    remark: str | None = None,
) -> Entry:
    """Add a claim to a log sheet, which is begun if it is not there.

    Several programs may write at the same time: none loses an entry.

    Parameters
    ----------
    log : path-like
        The sheet.
    method, p, mass, signal_probability, box, remark
        See `Entry`.

    Returns
    -------
    Entry
        What was written.

    Raises
    ------
    ConfigError
        If a value is not possible, for example ``p = 0``.
    DataError
        If the file is there and is no log sheet.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    claim = {"method": method, "p": p, "mass": mass, "signal_probability": signal_probability}
    entry = validate(Entry, {"time": now, **claim, "box": box, "remark": remark}, where="the claim")
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        entries = read_log(path) if path.exists() else []
        content = [one.model_dump(mode="json", exclude_none=True) for one in (*entries, entry)]
        write_json(path, {"format": FORMAT, "entries": content})
    return entry


def read_log(log: str | os.PathLike) -> list[Entry]:
    """The claims of a log sheet, in the order in which they were made.

    Raises
    ------
    DataError
        If the file is missing, is no log sheet, or an entry is not possible; the message says which.
    """
    content = read_json(log)
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("entries"), list):
        raise DataError("is no log sheet.", where=log, remedy="'cmslabs box note' begins one: choose another name.")
    entries = []
    for number, one in enumerate(content["entries"], start=1):
        where = f"{log}, entry {number}"
        if not isinstance(one, dict):
            raise DataError("is no claim.", where=where, remedy="Remove it, or write it again with 'cmslabs box note'.")
        try:
            entries.append(validate(Entry, one, where=where))
        except ConfigError as error:
            raise DataError(error.what, where=where, remedy="Correct the sheet, or remove the entry.") from error
    return entries


def score_log(entries: Sequence[Entry], truth: Truth, box: str | None = None) -> pd.DataFrame:
    """How good the stated probabilities were, by the Brier score.

    The score of one claim is ``(q - y)**2``: q the stated probability of a new particle, y = 1 if there is one and
    0 if not (a hot cell is none).  It is proper: on average nobody does better than by saying what they believe.
    Who always says 1/3, the share of boxes with a W', gets 2/9 on average; 0 is best, 1 is worst.

    Parameters
    ----------
    entries : sequence of Entry
        From `read_log`.
    truth : Truth
        What the box holds.
    box : str, optional
        The box's commitment: claims on other boxes are left out, those that name no box are kept.

    Returns
    -------
    pandas.DataFrame
        One row per claim: ``time, method, p, mass, signal_probability, brier``.

    Notes
    -----
    The score is that of Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review
    78 (1950) 1.

    Examples
    --------
    >>> now = "2026-01-01T12:00:00+00:00"
    >>> claims = [Entry(time=now, method=m, p=0.1, signal_probability=q) for m, q in (("cut", 0.25), ("fit", 1.0))]
    >>> score_log(claims, Truth(kind="nothing")).brier.tolist()
    [0.0625, 1.0]
    """
    kept = [entry for entry in entries if box is None or entry.box in (None, box)]
    names = ["time", "method", "p", "mass", "signal_probability"]
    table = pd.DataFrame([[getattr(entry, name) for name in names] for entry in kept], columns=names)
    table["mass"] = table["mass"].astype(float)
    table["brier"] = (table["signal_probability"].astype(float) - float(truth.is_signal)) ** 2
    return table

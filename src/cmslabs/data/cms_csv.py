"""The CSV tables of the CMS education sets: two or four leptons per line, as events in NanoAOD layout.

Columns with a number at the end belong to one lepton: pt1, eta1, phi1, Q1 ...  Their meaning (GeV, rad)
is described with the derived data sets on the CERN open-data portal, for example
doi:10.7483/OPENDATA.CMS.CB8H.MFFA.  The mass of a lepton is the known one: what E, px, py, pz give
is spoiled by the rounding of the tables as soon as the momentum is large.
"""

from __future__ import annotations

import os
import re
from typing import Literal

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.data.plain_csv import header_of, read_plain_csv, require_numbers
from cmslabs.errors import DataError, MissingBranchError, close_names
from cmslabs.io import existing_file

__all__ = ["LEPTON_MASS", "is_cms_csv", "read_cms_csv"]

#: GeV; Particle Data Group, doi:10.1093/ptep/ptac097.
LEPTON_MASS = {11: 0.000510998950, 13: 0.1056583755}
_PDG = {"electron": 11, "muon": 13}
_NEEDED = ("pt", "eta", "phi", "Q")
#: Values per lepton that are kept, under these names, where the table has them.
_OPTIONAL = {"dxy": "dxy", "iso": "iso"}
#: Values per event that the table's authors computed; kept for comparison.
_OF_EVENT = ("M", "mZ1", "mZ2")


def is_cms_csv(path: str | os.PathLike) -> bool:
    """Whether the header is that of a CMS education table."""
    names = set(header_of(path))
    return {"Run", "Event", "pt1", "eta1", "phi1", "Q1"} <= names


def read_cms_csv(path: str | os.PathLike, lepton: Literal["muon", "electron"] = "muon", check: bool = True) -> ak.Array:
    """Read a dimuon, dielectron or four-lepton table.

    Parameters
    ----------
    path : path-like
        For example ``Zmumu_Run2011A.csv`` or ``4mu_2011.csv``.
    lepton : {"muon", "electron"}
        What the leptons are, where the table does not say it itself in columns PID1, PID2 ...
    check : bool
        Refuse values that are not finite, negative pT, and charges other than +1 and -1.

    Returns
    -------
    ak.Array
        Records with ``run``, ``event``, ``Muon`` and ``Electron`` (those that occur): jagged vectors with
        pt, mass [GeV], eta, phi [rad], charge, pdgId, by falling pT; dxy [cm] and iso [GeV] where the table has
        them; ``number`` is the lepton's number in the table.  M, mZ1 and mZ2 [GeV] are the table's own.

    Raises
    ------
    DataError
        If the file is missing, has a ragged row, words instead of numbers, or (with `check`) such values.
    MissingBranchError
        If a column of a lepton is missing.
    """
    path = existing_file(path)
    frame = read_plain_csv(path)
    numbers = _leptons(list(frame.columns), path)
    used = ["Run", "Event", *(f"{name}{i}" for i in numbers for name in _NEEDED)]
    used += [name for name in frame.columns if name in _OF_EVENT or name.startswith("PID")]
    optional = {new: old for old, new in _OPTIONAL.items() if all(f"{old}{i}" in frame.columns for i in numbers)}
    used += [f"{old}{i}" for old in optional.values() for i in numbers]
    require_numbers(frame, used, path)
    _require_integers(frame, ["Run", "Event", *(name for name in used if name.startswith("PID"))], path)
    if check:
        _check(frame, used, numbers, path)
    return _events(frame, numbers, optional, _pdg(frame, numbers, lepton, path))


def _leptons(columns: list[str], path) -> list[int]:
    """Numbers of the leptons; every one must be complete."""
    missing = [name for name in ("Run", "Event") if name not in columns]
    numbers = sorted({int(found[2]) for name in columns if (found := re.fullmatch(r"(pt|eta|phi|Q)(\d+)", name))})
    missing += [f"{name}{i}" for i in numbers or [1] for name in _NEEDED if f"{name}{i}" not in columns]
    if missing:
        close = close_names(missing[0], columns)
        raise MissingBranchError(
            f"has no column '{missing[0]}'.",
            where=f"{path}, line 1",
            remedy=f"Close names: {', '.join(close)}."
            if close
            else "Expected Run, Event, and pt1, eta1, phi1, Q1 ... for each lepton.",
        )
    return numbers


def _require_integers(frame: pd.DataFrame, names: list[str], path) -> None:
    for name in names:
        column = frame[name]
        if len(frame) and (column.dtype.kind not in "iu" or (name == "Run" and (column < 0).any())):
            raise DataError(
                f"the column '{name}' must hold whole numbers{' that are not negative' if name == 'Run' else ''}.",
                where=path,
                remedy="Correct it or fetch the file again.",
            )


def _check(frame: pd.DataFrame, used: list[str], numbers: list[int], path) -> None:
    problems = [(name, "is not finite", ~np.isfinite(frame[name].to_numpy(float))) for name in used]
    problems += [(f"pt{i}", "is negative", frame[f"pt{i}"].to_numpy() < 0) for i in numbers]
    problems += [(f"Q{i}", "is neither +1 nor -1", ~frame[f"Q{i}"].isin((-1, 1)).to_numpy()) for i in numbers]
    for name, what, bad in problems:
        if bad.any():
            raise DataError(
                f"the value of '{name}' {what} in {bad.sum()} row(s), first in row {int(bad.argmax())} (from 0).",
                where=path,
                remedy="Correct that row or fetch the file again; check=False reads it all the same.",
            )


def _pdg(frame: pd.DataFrame, numbers: list[int], lepton: str, path) -> np.ndarray:
    """Signed particle numbers, shape (events, leptons): a negative charge is a particle, +13."""
    charge = np.nan_to_num(frame[[f"Q{i}" for i in numbers]].to_numpy(), posinf=0, neginf=0)
    names = [f"PID{i}" for i in numbers]
    if not set(names) <= set(frame.columns):
        return -_PDG[lepton] * np.sign(charge).astype(np.int32)
    pdg = frame[names].to_numpy()
    odd = ~np.isin(np.abs(pdg), list(LEPTON_MASS)) | (np.sign(pdg) != -np.sign(charge))
    if odd.any():
        row, place = np.argwhere(odd)[0]
        raise DataError(
            f"the particle number {pdg[row, place]} and the charge {charge[row, place]} do not belong to one lepton.",
            where=f"{path}, row {row} (from 0), PID{numbers[place]}",
            remedy="Leptons are 11 and 13 with charge -1, or -11 and -13 with charge +1.",
        )
    return pdg.astype(np.int32)


def _events(frame: pd.DataFrame, numbers: list[int], optional: dict[str, str], pdg: np.ndarray) -> ak.Array:
    import vector

    vector.register_awkward()
    shape = (len(frame), len(numbers))

    def of_lepton(name: str, dtype) -> np.ndarray:
        return frame[[f"{name}{i}" for i in numbers]].to_numpy(dtype)

    fields = {name: of_lepton(name, np.float64) for name in ("pt", "eta", "phi")}
    fields["mass"] = np.select([np.abs(pdg) == code for code in LEPTON_MASS], list(LEPTON_MASS.values()))
    # A missing charge (only seen unchecked) becomes 0: integers have no NaN.
    fields["charge"] = np.nan_to_num(of_lepton("Q", np.float64), posinf=0, neginf=0).astype(np.int32)
    fields["pdgId"] = pdg
    fields |= {new: of_lepton(old, np.float64) for new, old in optional.items()}
    fields["number"] = np.broadcast_to(np.array(numbers, dtype=np.int8), shape)
    order = np.argsort(-fields["pt"], axis=1, kind="stable")
    fields = {name: np.take_along_axis(values, order, axis=1) for name, values in fields.items()}

    # Event numbers are unsigned, but some tables went through signed 32-bit integers.
    number = frame["Event"].to_numpy(np.int64)
    events = {
        "run": frame["Run"].to_numpy(np.uint32),
        "event": np.where(number < 0, number + 2**32, number).astype(np.uint64),
    }
    for name, code in {"Muon": 13, "Electron": 11}.items():
        mask = np.abs(fields["pdgId"]) == code
        if mask.any() or (name == "Muon" and not len(frame)):
            flat = ak.zip({key: values[mask] for key, values in fields.items()}, with_name="Momentum4D")
            events[name] = ak.unflatten(flat, mask.sum(axis=1))
    events |= {name: frame[name].to_numpy(np.float64) for name in _OF_EVENT if name in frame.columns}
    return ak.zip(events, depth_limit=1)

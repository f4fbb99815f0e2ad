"""Read a whole data file and say what it is and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd
from pydantic import BaseModel

from cmslabs.data import cms_csv, darkmachines, lhco
from cmslabs.data.nanoaod import NanoFile, open_nanoaod
from cmslabs.data.parquet import open_parquet, parquet_provenance
from cmslabs.data.plain_csv import header_of, read_plain_csv, require_numbers
from cmslabs.data.pytables import open_fixed
from cmslabs.data.spectrum import SPECTRUM_COLUMNS, check_spectrum
from cmslabs.data.tables import iterate_events
from cmslabs.data.tally import Tally
from cmslabs.errors import CmslabsError, DataError
from cmslabs.io import existing_file

__all__ = ["CheckReport", "check_file"]

_EXPECTED = ("Muon", "Electron", "Jet", "FatJet", "MET", "PV", "HLT", "Flag")
_CHUNK_VALUES = 40_000_000
_CHECKERS = {}


class CheckReport(BaseModel):
    """What a file is and what is wrong with it.

    Attributes
    ----------
    path : str
    kind : str
        The format, in words.
    n_events : int or None
        Events, rows or bins.
    ok : bool
        Whether there are no problems.
    problems : list of str
        One sentence each.
    details : dict
        Version, what is missing, ranges: plain JSON.
    """

    path: str
    kind: str
    n_events: int | None
    ok: bool
    problems: list[str]
    details: dict[str, Any]


def check_file(path: str | os.PathLike) -> CheckReport:
    """Recognise a data file by its content, read all of it in chunks, and report.

    Raises
    ------
    DataError
        If there is no such file, or nothing that cmslabs reads is in it.  Anything that is wrong
        inside a file of a known kind is a problem in the report.
    """
    path = existing_file(path)
    kind, examine = _recognise(path)
    try:
        n_events, problems, details = examine(path)
    except CmslabsError as error:
        reason = " ".join(part for part in (error.what, error.remedy) if part)
        where = (error.where or "").replace(str(path), "").strip(" ,")
        n_events, problems, details = None, [f"{where}: {reason}" if where else reason], {}
    if n_events == 0:
        problems = [*problems, "it holds no events"]
    return CheckReport(
        path=str(path), kind=kind, n_events=n_events, ok=not problems, problems=problems, details=details
    )


def _recognise(path: Path):
    with open(path, "rb") as file:
        head = file.read(8)
    if head[:4] == b"root":
        return "ROOT file, NanoAOD", _nanoaod
    if head == b"\x89HDF\r\n\x1a\n":
        return "HDF5 file, LHC Olympics", _lhco
    if head[:6] == b"\x93NUMPY":
        return "NumPy array, LHC Olympics signal region (CATHODE)", _signal_region
    if head[:4] == b"PAR1":
        return "Parquet file", _parquet
    header = header_of(path)
    if cms_csv.is_cms_csv(path):
        return "CSV table, CMS education leptons", _cms_csv
    if header == list(SPECTRUM_COLUMNS):
        return "CSV table, published spectrum (HEPData)", _spectrum
    if darkmachines.is_dark_machines(path):
        return "Dark Machines events", _dark_machines
    if len(header) > 1 and path.suffix.lower() == ".csv":
        return "CSV table", _csv
    raise DataError(
        "is of no kind that cmslabs reads." if head else "is empty.",
        where=path,
        remedy="It reads NanoAOD (ROOT), LHC Olympics (HDF5, npy), CMS and Dark Machines CSV, and Parquet.",
    )


def _nanoaod(path: Path):
    nano = open_nanoaod(path)
    tally = Tally()
    groomed = [0, 0]
    for events in _nano_chunks(nano):
        tally.add_events(events)
        if "FatJet" in events.fields and "msoftdrop" in events.FatJet.fields:
            groomed[0] += int(ak.sum(events.FatJet.msoftdrop < 0))
            groomed[1] += int(ak.count(events.FatJet.msoftdrop))
    problems = tally.problems()
    missing = [name for name in ("run", "luminosityBlock", "event") if name not in nano.collections]
    problems += [f"the branch '{name}' is missing" for name in missing]
    details = {
        "format": nano.format,
        "NanoAOD version": nano.version,
        "simulation": nano.simulation,
        "branches": len(nano.branches),
        "missing collections": [name for name in _EXPECTED if name not in nano.collections],
        "triggers": sum(leaf.collection == "HLT" for leaf in nano.leaves),
    }
    if groomed[0]:
        details["fat jets with failed grooming (msoftdrop < 0)"] = f"{groomed[0]} of {groomed[1]}"
    return nano.n_events, problems, details | tally.details()


def _nano_chunks(nano: NanoFile) -> Iterator[ak.Array]:
    size = max(1, _CHUNK_VALUES // (4 * max(1, len(nano.leaves))))
    for start in range(0, nano.n_events, size):
        yield nano.read(None, start, start + size, check=False)


def _lhco(path: Path):
    with open_fixed(path) as frame:
        columns, n_rows = frame.columns, frame.n_rows
    if set(lhco.FEATURE_UNITS) & set(columns):
        return _table(lhco.read_lhco_features(path, check=False), {"content": "features of two jets"})
    tally = Tally()
    most = lone = signal = 0
    labelled = False
    for events in lhco.iterate_particles(path, check=False):
        counts = ak.to_numpy(ak.num(events.particles))
        tally.count("particles", "are none", counts == 0)
        if labelled := "label" in events.fields:
            labels = ak.to_numpy(events.label)
            tally.count("label", "is neither 0 nor 1", ~np.isin(labels, (0, 1)))
            signal += int((labels == 1).sum())
        most, lone = max(most, int(counts.max(initial=0))), lone + int((counts == 1).sum())
        tally.add_events(events[["particles"]])
    details = {"content": "particles", "labelled": labelled, "most particles": most, "events with one particle": lone}
    if labelled:
        details["signal events"] = signal
    return n_rows, tally.problems(), details | tally.details()


def _signal_region(path: Path):
    table = lhco.read_signal_region(path, check=False)
    signal = int((table["label"] == 1).sum())
    odd = ~table["label"].isin((0, 1)).to_numpy()
    count, problems, details = _table(table, {"signal events": signal, "units": "TeV in the file, GeV here"})
    return count, problems + ([f"label is neither 0 nor 1: {odd.sum()} value(s)"] if odd.any() else []), details


def _cms_csv(path: Path):
    events = cms_csv.read_cms_csv(path, check=False)
    tally = Tally()
    for name in ("Muon", "Electron"):
        if name in events.fields:
            odd = ak.any(abs(events[name].charge) != 1, axis=1)
            tally.count(f"{name}.charge", "is neither +1 nor -1", ak.to_numpy(odd))
    tally.add_events(events)
    masses = [name for name in ("M", "mZ1", "mZ2") if name in events.fields and len(events)]
    details = {f"{name} [GeV]": _span(events[name]) for name in masses}
    leptons = sum(ak.num(events[name]) for name in ("Muon", "Electron") if name in events.fields)
    details["leptons per event"] = sorted(set(ak.to_list(leptons)))
    return len(events), tally.problems(), details | tally.details()


def _spectrum(path: Path):
    table = read_plain_csv(path)
    require_numbers(table, list(table.columns), path)
    problems, details = check_spectrum(table)
    return len(table), problems, details


def _dark_machines(path: Path):
    tally, processes, objects = Tally(), set(), {}
    for events in darkmachines.iterate_darkmachines(path, check=False):
        tally.add_events(events)
        processes |= set(events.process.tolist())
        for name in ("Jet", "BJet", "Electron", "Muon", "Photon"):
            objects[name] = objects.get(name, 0) + int(ak.sum(ak.num(events[name])))
    return tally.events, tally.problems(), {"processes": sorted(processes)[:20], "objects": objects} | tally.details()


def _csv(path: Path):
    return _table(read_plain_csv(path), {})


def _parquet(path: Path):
    with open_parquet(path) as file:
        origin = parquet_provenance(file, path)
        columns, n_rows = file.schema_arrow.names, file.metadata.num_rows
    tally = Tally()
    for events in iterate_events(path):
        tally.add_events(events)
    details: dict[str, Any] = {"columns": columns[:50]}
    if origin is None:
        details["provenance"] = "none: written by another program"
    else:
        details |= {"source": origin.source, "simulation": origin.simulation, "written by": origin.script}
    return n_rows, tally.problems(), details | tally.details()


def _table(table: pd.DataFrame, details: dict[str, Any]):
    tally = Tally()
    tally.add_table(table)
    ranges = {name: _span(table[name]) for name in table.columns[:30] if table[name].dtype.kind in "fiu" and len(table)}
    return len(table), tally.problems(), details | {"ranges": ranges}


def _span(values) -> list[float] | None:
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    return [round(float(numbers.min()), 6), round(float(numbers.max()), 6)] if len(numbers) else None

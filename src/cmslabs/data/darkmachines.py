"""The Dark Machines event format (arXiv:2105.14027, doi:10.21468/SciPostPhys.12.1.043) as NanoAOD-like events.

One line per event, energies in MeV::

    event ID; process ID; event weight; MET; METphi; obj1, E1, pt1, eta1, phi1; obj2, E2, ...

with the objects j (jet), b (b-jet), e- e+ m- m+ (leptons) and g (photon).  The lines have different
lengths, so this is no CSV in the usual sense.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cmslabs.errors import ConfigError, DataError
from cmslabs.io import existing_file

__all__ = ["OBJECTS", "is_dark_machines", "iterate_darkmachines", "read_darkmachines"]

#: Object symbol to (collection, charge, PDG number; 0 where there is none).
OBJECTS = {
    "j": ("Jet", 0, 0),
    "b": ("BJet", 0, 0),
    "e-": ("Electron", -1, 11),
    "e+": ("Electron", 1, -11),
    "m-": ("Muon", -1, 13),
    "m+": ("Muon", 1, -13),
    "g": ("Photon", 0, 22),
}
_SYMBOLS = list(OBJECTS)
_COLLECTIONS = ("Jet", "BJet", "Electron", "Muon", "Photon")
_CHARGED = ("Electron", "Muon")
_HEAD = ("event", "process", "weight", "MET", "METphi")
_MEV = 1e-3
_FIRST_LINE = re.compile(rb"^[^;,\n]+;[^;,\n]+;[^;,\n]+;[^;,\n]+;[^;,\n]+(;|\r?\n|$)")


def is_dark_machines(path: str | os.PathLike) -> bool:
    """Whether the first line looks like an event of this format."""
    with open(existing_file(path), "rb") as file:
        line = file.readline(1 << 16)
    head = line.split(b";")[:5]
    try:
        [float(part) for part in (head[0], *head[2:5])]
    except (ValueError, IndexError):
        return False
    return _FIRST_LINE.match(line) is not None


def iterate_darkmachines(path: str | os.PathLike, chunk_size: int = 10_000, check: bool = True) -> Iterator[ak.Array]:
    """Read events in chunks; memory is that of a chunk.

    Parameters
    ----------
    path : path-like
        A Dark Machines CSV file.
    chunk_size : int
        Events per chunk.
    check : bool
        Refuse values that are not finite and negative MET, pT and energies.

    Yields
    ------
    ak.Array
        Records with ``event``, ``process`` (text), ``weight``, ``MET`` (pt [GeV], phi) and the jagged vectors
        ``Jet``, ``BJet``, ``Electron``, ``Muon``, ``Photon`` (pt, mass [GeV], eta, phi [rad]; leptons
        with charge and pdgId), by falling pT.  The mass follows from E and is never negative.

    Raises
    ------
    DataError
        If the file is missing, no text, or a line is no event; the message names the line.
    """
    if chunk_size < 1:
        raise ConfigError(f"a chunk cannot have {chunk_size} events.", remedy="Choose at least 1.")
    path = existing_file(path)
    first_line, given = 1, False
    with open(path, encoding="utf-8", newline=None) as file:
        while True:
            try:
                lines = list(islice(file, chunk_size))
            except UnicodeDecodeError as error:
                raise DataError("is not text.", where=path, remedy="Check the name, or fetch it again.") from error
            if not lines and given:
                return
            yield _events(lines, first_line, path, check)
            first_line, given = first_line + len(lines), True


def read_darkmachines(path: str | os.PathLike, check: bool = True) -> ak.Array:
    """Read a whole file; see `iterate_darkmachines`."""
    return ak.concatenate(list(iterate_darkmachines(path, check=check)))


def _events(lines: list[str], first_line: int, path: Path, check: bool) -> ak.Array:
    import vector

    vector.register_awkward()
    text = pc.utf8_rtrim(pc.utf8_trim_whitespace(pa.array(lines, pa.string())), ";")
    filled = pc.not_equal(text, "").to_numpy(zero_copy_only=False)
    text, number = text.filter(pa.array(filled)), np.arange(first_line, first_line + len(lines))[filled]
    words, lengths = _split(text, ";")
    if (lengths < len(_HEAD)).any():
        short = number[(lengths < len(_HEAD)).argmax()]
        raise _bad_line(path, short, f"has fewer than {len(_HEAD)} values ({', '.join(_HEAD)})")
    starts = np.cumsum(lengths) - lengths
    head = [words.take(pa.array(starts + i)) for i in range(len(_HEAD))]
    identity = _numbers(head[0], "event ID", number, path)
    odd = ~np.isfinite(identity) | (identity != np.round(identity))
    if odd.any():
        raise _bad_line(path, number[odd.argmax()], "has an event ID that is no whole number")
    events = {
        "event": identity.astype(np.int64),
        "process": ak.from_arrow(pc.fill_null(head[1], "")),
        "weight": _numbers(head[2], "event weight", number, path),
    }
    met = {"pt": _numbers(head[3], "MET", number, path) * _MEV, "phi": _numbers(head[4], "METphi", number, path)}
    is_object = (np.arange(len(words)) - np.repeat(starts, lengths)) >= len(_HEAD)
    is_object &= pc.not_equal(words, "").to_numpy(zero_copy_only=False).astype(bool)
    which = np.repeat(np.arange(len(text)), lengths)[is_object]
    objects = _objects(words.filter(pa.array(is_object)), number[which], path)
    if check:
        _check_events(events, met, number, path)
        _check_objects(objects, number[which], path)
    events["MET"] = ak.zip(met, with_name="Momentum2D")
    return ak.zip(events | _collections(which, objects, len(text)), depth_limit=1)


def _split(text: pa.Array, mark: str) -> tuple[pa.Array, np.ndarray]:
    """All words of all texts, one after the other, and how many each text has."""
    lists = pc.split_pattern(text, mark)
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    return pc.utf8_trim_whitespace(pc.list_flatten(lists)), lengths


def _objects(words: pa.Array, number: np.ndarray, path: Path) -> dict[str, np.ndarray]:
    """Symbols (as index in `OBJECTS`) and numbers of all objects."""
    parts, lengths = _split(words, ",")
    if (lengths != 5).any():
        place = int((lengths != 5).argmax())
        what = f"has the object {words[place].as_py()!r} instead of name, E, pt, eta, phi"
        raise _bad_line(path, number[place], what)
    columns = [parts.take(pa.array(np.arange(len(words)) * 5 + i)) for i in range(5)]
    symbols = pc.utf8_lower(columns[0])
    codes = pc.fill_null(pc.index_in(symbols, value_set=pa.array(_SYMBOLS)), -1).to_numpy(zero_copy_only=False)
    if (codes < 0).any():
        place = int((codes < 0).argmax())
        what = f"has an object {symbols[place].as_py()!r}, not one of {', '.join(_SYMBOLS)}"
        raise _bad_line(path, number[place], what)
    named = zip(("E", "pt", "eta", "phi"), columns[1:], strict=True)
    return {"symbol": codes} | {name: _numbers(column, name, number, path) for name, column in named}


def _numbers(column: pa.Array, name: str, number: np.ndarray, path: Path) -> np.ndarray:
    try:
        return pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        # One of them is no number for Arrow: find it, slowly.  (Python also knows "+5".)
        values = np.empty(len(column))
        for place, word in enumerate(column.to_pylist()):
            try:
                values[place] = float(word)
            except ValueError as error:
                raise _bad_line(path, number[place], f"has {word!r} where the {name} must be a number") from error
        return values


def _bad_line(path: Path, line: int, what: str) -> DataError:
    return DataError(
        f"{what}.",
        where=f"{path}, line {line}",
        remedy="An event is 'ID; process; weight; MET; METphi; obj, E, pt, eta, phi; ...'. Correct or fetch it again.",
    )


def _check_events(events: dict, met: dict, number: np.ndarray, path: Path) -> None:
    for name, values in {"event weight": events["weight"], "MET": met["pt"], "METphi": met["phi"]}.items():
        bad = ~np.isfinite(values) | ((values < 0) if name == "MET" else False)
        if bad.any():
            raise _bad_line(path, number[bad.argmax()], f"has {values[bad.argmax()]} as {name}")


def _check_objects(objects: dict[str, np.ndarray], number: np.ndarray, path: Path) -> None:
    for name in ("E", "pt", "eta", "phi"):
        values = objects[name]
        bad = ~np.isfinite(values) | ((values < 0) if name in ("E", "pt") else False)
        if bad.any():
            raise _bad_line(path, number[bad.argmax()], f"has {values[bad.argmax()]} as {name} of an object")


def _collections(which: np.ndarray, objects: dict[str, np.ndarray], n_events: int) -> dict[str, ak.Array]:
    order = np.lexsort((-objects["pt"], which))  # By event, then by falling pT.
    which, objects = which[order], {name: values[order] for name, values in objects.items()}
    energy, pt = objects["E"] * _MEV, objects["pt"] * _MEV
    with np.errstate(invalid="ignore", over="ignore"):
        mass = np.sqrt(np.clip(energy**2 - (pt * np.cosh(objects["eta"])) ** 2, 0, None))
    fields = {"pt": pt, "eta": objects["eta"], "phi": objects["phi"], "mass": mass}
    names, charges, pdg = (np.array([OBJECTS[symbol][i] for symbol in _SYMBOLS]) for i in range(3))
    symbol = objects["symbol"]
    collections = {}
    for name in _COLLECTIONS:
        mask = names[symbol] == name
        content = {key: values[mask] for key, values in fields.items()}
        if name in _CHARGED:
            content["charge"] = charges[symbol][mask].astype(np.int32)
            content["pdgId"] = pdg[symbol][mask].astype(np.int32)
        counts = np.bincount(which[mask], minlength=n_events)
        collections[name] = ak.unflatten(ak.zip(content, with_name="Momentum4D"), counts)
    return collections

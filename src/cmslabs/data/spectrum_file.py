"""Read a spectrum from a table, whatever its columns are called: masses to count, or bins that somebody filled."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cmslabs.data.cms_csv import is_cms_csv
from cmslabs.data.parquet import open_parquet, reading
from cmslabs.data.plain_csv import header_of, require_numbers
from cmslabs.data.spectrum import gaps
from cmslabs.data.spectrum_bins import bins_of
from cmslabs.data.spectrum_masses import count_masses, lepton_masses
from cmslabs.data.spectrum_names import binned_columns, mass_columns, quantity_of, unit_of, weight_columns
from cmslabs.data.tables import read_table
from cmslabs.errors import ConfigError, DataError
from cmslabs.plotting.binned import Spectrum

__all__ = ["MeasuredSpectrum", "read_spectrum"]

_TO_GEV = {"TeV": 1000.0, "GeV": 1.0, "MeV": 0.001}
_OPTIONS = (
    "Name the column of masses (column='mjj', --column mjj), or say that the rows are bins (bins=True, --bins): "
    "centre, width, count, or centre, width, value, up, down."
)


@dataclass(frozen=True)
class MeasuredSpectrum:
    """A spectrum with what must be said about it.

    Attributes
    ----------
    spectrum : Spectrum
        Whole numbers of events; the variances are the counts.
    quantity : str
        What stands on the axis, for example "Dimuon mass".
    unit : str
        Of the edges: masses are always in GeV.
    simulation : bool
        Whether the file says that its events are simulated.
    remarks : tuple of str
        What the reader decided, and what it found odd; one sentence each.
    """

    spectrum: Spectrum
    quantity: str
    unit: str
    simulation: bool
    remarks: tuple[str, ...]


def read_spectrum(
    path: str | os.PathLike,
    *,
    column: str | None = None,
    bins: bool = False,
    range: tuple[float, float] | None = None,
    n_bins: int | None = None,
) -> MeasuredSpectrum:
    """Read a spectrum from a CSV or Parquet table.

    Parameters
    ----------
    path : path-like
        A table with one row per event or one row per bin.  Without further options are recognised: columns
        that describe bins (centre or edges, width, count or value with errors; aliases as in
        `cmslabs.data.spectrum_names`), the CMS education tables of two or four leptons (the mass is computed
        from pt, eta, phi and the known lepton masses), and tables with one column that is called like a mass.
    column : str, optional
        The column of masses.
    bins : bool
        Each row is a bin.
    range : tuple of float, optional
        Lower and upper end [GeV].  For masses by default the range of the data, rounded outwards; of bins
        those that lie within are taken whole.
    n_bins : int, optional
        Equal bins for masses, by default 40.

    Raises
    ------
    ConfigError
        If options contradict each other or the table.
    DataError
        If no spectrum is recognised (the message lists the columns), or what is there is no spectrum of
        counts: values that are not finite or negative, gaps between bins, values that cannot be turned into
        numbers of events, fewer than two bins, no events.
    MissingBranchError
        If the column is not there.
    """
    path = Path(path)
    _check_options(column, bins, range, n_bins)
    names = _column_names(path)
    if column is not None:
        return _from_column(path, names, column, range, n_bins)
    if not bins and path.suffix == ".csv" and is_cms_csv(path):
        return _from_leptons(path, range, n_bins)
    if roles := binned_columns(names, path, told=bins):
        return _from_bins(path, names, roles, range, n_bins)
    masses = mass_columns(names)
    if not bins and len(masses) == 1:
        return _from_column(path, names, masses[0], range, n_bins)
    what = "several columns that may be the mass" if len(masses) > 1 else "no column that is clearly a mass"
    raise DataError(
        f"has {'columns that describe no bins' if bins else what}. Columns: {', '.join(names[:30])}.",
        where=path,
        remedy=_OPTIONS,
    )


def _check_options(column, bins: bool, range, n_bins) -> None:
    if column is not None and bins:
        raise ConfigError("a table has masses (column) or bins (bins), not both.", remedy="Leave one of them out.")
    if range is not None and not (len(range) == 2 and np.isfinite(range).all() and range[0] < range[1]):
        raise ConfigError(f"a range goes from a lower to a higher number, not {tuple(range)}.", where="range")
    if n_bins is not None and n_bins < 2:
        raise ConfigError(f"a spectrum has two bins or more, not {n_bins}.", where="n_bins")


def _column_names(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        with open_parquet(path) as file, reading(path):
            return file.schema_arrow.names
    names = header_of(path) if path.suffix == ".csv" else list(read_table(path).columns)
    first, remedy = names[0] if names else "", None
    if first.startswith("#"):
        remedy = "Remove the comment lines above the names of the columns."
    elif len(names) == 1 and any(sign in first for sign in ";\t"):
        remedy = "Separate the columns by commas."
    elif all(_is_number(name) for name in names):
        remedy = "Put the names of the columns there, such as 'mass', or 'centre,width,count'."
    if remedy is not None:
        raise DataError(f"its first line names no columns: {', '.join(names)[:60]!r}.", where=path, remedy=remedy)
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _from_column(path: Path, names: list[str], column: str, range, n_bins) -> MeasuredSpectrum:
    table = _read(path, [column])
    unit, scale, remarks = _unit(table, column)
    remarks = [f"masses are the column '{column}'", *remarks]
    remarks += [f"the column '{name}' is not used: every row counts as one event" for name in weight_columns(names)]
    masses = table[column].to_numpy(dtype=float) * scale
    bad = ~np.isfinite(masses)
    if bad.any():
        raise DataError(
            f"the column '{column}' is not finite in {bad.sum()} row(s), first in row {int(bad.argmax())} (from 0).",
            where=path,
            remedy="Find out what these rows mean and take them out: they belong to no bin.",
        )
    if mass_columns([column]) and (zero := masses == 0).any():
        remarks.append(f"{zero.sum()} rows have the mass 0, as events without such a pair do: they are not counted")
        masses = masses[~zero]
    spectrum, said = count_masses(masses, range, n_bins, unit, path)
    return MeasuredSpectrum(spectrum, quantity_of(column), unit, _simulated(table), (*remarks, *said))


def _from_leptons(path: Path, range, n_bins) -> MeasuredSpectrum:
    masses, quantity, span, remarks = lepton_masses(path)
    table = read_table(path)
    if "PID1" not in table.columns:
        remarks.append("the table does not say which leptons it holds: they are taken for muons")
    spectrum, said = count_masses(masses, range, n_bins, "GeV", path, span)
    return MeasuredSpectrum(spectrum, quantity, "GeV", _simulated(table), (*remarks, *said))


def _from_bins(path: Path, names: list[str], roles: dict[str, str], range, n_bins) -> MeasuredSpectrum:
    if n_bins is not None:
        raise ConfigError("the table has its bins already.", where="n_bins", remedy="Leave the number of bins out.")
    table = _read(path, list(roles.values()))
    place = roles.get("low", roles.get("centre"))
    unit, scale, remarks = _unit(table, place)
    columns = {role: table[name].to_numpy(dtype=float) for role, name in roles.items()}
    for role in {"centre", "low", "high", "width"} & set(columns):
        columns[role] = columns[role] * scale
    low, high, counts, said = bins_of(columns, roles, unit, path)
    spectrum, chosen = _contiguous(low, high, counts, range, unit, path)
    unused = [name for name in names if name and name not in roles.values()]
    last = [f"columns that were not used: {', '.join(unused)}"] if unused else []
    return MeasuredSpectrum(spectrum, quantity_of(place), unit, _simulated(table), (*remarks, *said, *chosen, *last))


def _contiguous(low, high, counts, range, unit: str, path) -> tuple[Spectrum, list[str]]:
    """The bins inside the range, which must follow each other and hold something."""
    inside, remarks = np.ones(len(low), dtype=bool), []
    if range is not None:
        slack = 1e-6 * (high - low)
        inside = (low >= range[0] - slack) & (high <= range[1] + slack)
        remarks.append(f"{inside.sum()} of {len(low)} bins lie within {range[0]:g} to {range[1]:g} {unit}")
    if inside.sum() < 2:
        raise DataError(
            f"{inside.sum()} of its bins ({low[0]:g} to {high[-1]:g} {unit}) can be used; two are the least.",
            where=path,
            remedy="Give the whole table." if range is None else "Choose a wider range.",
        )
    low, high, counts = low[inside], high[inside], counts[inside]
    if missing := gaps(low, high):
        raise DataError(
            f"there are no bins between {missing[0][0]:g} and {missing[0][1]:g} {unit}: what was there is not known.",
            where=path,
            remedy="Add the missing bins (count 0 only if nothing was seen), or choose a range without the gap.",
        )
    if not counts.any():
        raise DataError("all its bins are empty.", where=path, remedy="A spectrum needs events; choose another range.")
    edges = np.concatenate([low[:1], (high[:-1] + low[1:]) / 2, high[-1:]])
    return Spectrum(edges, counts, counts.copy()), remarks


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    """The columns as numbers; a CSV is read whole, because there may be blanks around its names."""
    table = read_table(path) if path.suffix == ".csv" else None
    if table is None or not set(columns) <= set(table.columns):
        table = read_table(path, columns)
    require_numbers(table, columns, path)
    return table


def _unit(table: pd.DataFrame, column: str) -> tuple[str, float, list[str]]:
    """The unit of the spectrum, by what the column is multiplied to get it, and a remark if that is not 1."""
    units = (table.attrs["provenance"] or {}).get("units", {})
    said = unit_of(column) or units.get(column, "GeV")
    scale = _TO_GEV.get(said, 1.0)
    remarks = [] if scale == 1 else [f"the column '{column}' is in {said}; here it is given in GeV"]
    return ("GeV" if said in _TO_GEV else said), scale, remarks


def _simulated(table: pd.DataFrame) -> bool:
    return bool((table.attrs["provenance"] or {}).get("simulation", False))

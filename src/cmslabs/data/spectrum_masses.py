"""Masses, one per event, and how they are counted in equal bins."""

from __future__ import annotations

import os

import awkward as ak
import numpy as np

from cmslabs.data.cms_csv import read_cms_csv
from cmslabs.errors import DataError
from cmslabs.plotting.binned import Spectrum, as_spectrum

__all__ = ["N_BINS", "count_masses", "lepton_masses"]

#: Bins of a histogram of masses.
N_BINS = 40
#: Masses are cut off, and do not fade out, where so many lie within a quarter of a bin from the first or last.
_EDGE = 5


def lepton_masses(path: str | os.PathLike) -> tuple[np.ndarray, str, tuple[float, float] | None, list[str]]:
    """The invariant mass of all leptons of each event of a CMS education table.

    Returns
    -------
    masses : ndarray, shape (n_events,)
        GeV; from pt, eta, phi and the known lepton masses.
    quantity : str
        For example "Dimuon mass".
    span : tuple of float or None
        The range in which the table's authors selected [GeV], where the masses alone would not show it.
    remarks : list of str

    Raises
    ------
    DataError, MissingBranchError
        As `cmslabs.data.cms_csv.read_cms_csv`, or if there are not two or four leptons per event.
    """
    events = read_cms_csv(path)
    kinds = [name for name in ("Muon", "Electron") if name in events.fields]
    if not len(events):
        raise DataError("holds no events.", where=path, remedy="Fetch the file again.")
    n_leptons = sum(len(events[name][0]) for name in kinds)
    if n_leptons not in (2, 4):
        raise DataError(
            f"holds {n_leptons} lepton(s) per event, not two or four.",
            where=path,
            remedy="Name a column of masses instead (column=, --column).",
        )
    total = sum((ak.sum(events[name], axis=1) for name in kinds[1:]), ak.sum(events[kinds[0]], axis=1))
    masses, charge = ak.to_numpy(total.mass), sum(ak.to_numpy(ak.sum(events[name].charge, axis=1)) for name in kinds)
    one = {"Muon": "Dimuon", "Electron": "Dielectron"}[kinds[0]] if len(kinds) == 1 else "Dilepton"
    what = " and ".join(f"{name.lower()}s" for name in kinds)
    remarks = [f"masses are computed from pt, eta, phi of {n_leptons} {what} per event and the known lepton mass"]
    if (charged := int((charge != 0).sum())) > 0:
        remarks.append(f"in {charged} events the charges do not add up to 0; they are counted, too")
    span = None
    if "M" in events.fields:
        span, said = _compare(masses, ak.to_numpy(events.M))
        remarks += said
    return masses, f"{one} mass" if n_leptons == 2 else "Four-lepton mass", span, remarks


def _compare(masses: np.ndarray, stored: np.ndarray) -> tuple[tuple[float, float] | None, list[str]]:
    """What the table's own masses say: where they disagree, and which range its authors selected."""
    off = abs(masses - stored) > 0.01 * abs(stored)
    if not off.any():
        return None, []
    worst = int(abs(masses - stored).argmax())
    span = float(stored.min()), float(stored.max())
    return span, [
        f"in {off.sum()} rows the column M differs by more than 1 %, most in row {worst} (from 0): "
        f"M is {stored[worst]:.4g}, its leptons give {masses[worst]:.4g} GeV; to use M, name it as the column",
        f"the authors of the table selected by M, from {span[0]:.4g} to {span[1]:.4g} GeV",
    ]


def count_masses(
    masses: np.ndarray,
    range: tuple[float, float] | None,
    n_bins: int | None,
    unit: str,
    path: str | os.PathLike,
    span: tuple[float, float] | None = None,
) -> tuple[Spectrum, list[str]]:
    """Count masses in equal bins.

    Parameters
    ----------
    masses : ndarray
        Finite numbers.
    range : tuple of float or None
        By default `span`, rounded outwards so little that no bin at an end lacks events.
    n_bins : int or None
        By default `N_BINS`.
    unit : str
        For the remarks.
    path : path-like
        For the messages.
    span : tuple of float, optional
        Lowest and highest mass that belongs to the spectrum; by default of all.

    Raises
    ------
    DataError
        If there are no masses, none in the range, or all are the same.
    """
    n_bins = N_BINS if n_bins is None else n_bins
    if not len(masses):
        raise DataError("holds no masses.", where=path, remedy="A spectrum needs many of them.")
    first, last = span or (float(masses.min()), float(masses.max()))
    if range is None and first == last:
        raise DataError(f"all its masses are {first:g}.", where=path, remedy="Give a range around them.")
    low, high = _default_range(masses, first, last, n_bins) if range is None else range
    inside = (masses >= low) & (masses <= high)
    if not inside.any():
        raise DataError(
            f"none of its {len(masses)} masses lies between {low:g} and {high:g} {unit}.",
            where=path,
            remedy=f"They lie between {masses.min():g} and {masses.max():g}: choose a range there.",
        )
    spectrum = as_spectrum(masses[inside], np.linspace(low, high, n_bins + 1))
    remarks = [
        f"{n_bins} equal bins of {(high - low) / n_bins:.4g} {unit}, from {low:g} to {high:g} {unit}"
        + ("" if range is not None else " (all masses; another range may be given)" if span is None else "")
    ]
    if not inside.all():
        # Not how many there are in all: with a blinded range the difference would tell what is hidden.
        remarks.append(f"{(~inside).sum()} masses lie outside and are not counted")
    if (spectrum.counts == 0).mean() > 0.5:
        remarks.append("more than half of the bins are empty: fewer bins or a narrower range show more")
    return spectrum, remarks


def _default_range(masses: np.ndarray, first: float, last: float, n_bins: int) -> tuple[float, float]:
    """Round numbers where the spectrum fades out; where it is cut, numbers near the cut.

    A bin that is partly beyond a cut lacks events, and a fit that it pulls down finds a bump beside it.  Here a bin may
    lack half of its standard deviation.
    """
    for digits in (2, 3, 4, 5, 6, 7):
        low, high = _round_outwards(first, last, n_bins, digits)
        width = (high - low) / n_bins
        begin, end = masses - first, last - masses
        near = np.array([((inward >= 0) & (inward < width / 4)).sum() for inward in (begin, end)])
        missing = 4 * near * np.array([first - low, high - last]) / width
        if ((near < _EDGE) | (missing <= np.sqrt(near))).all():
            break
    return low, high


def _round_outwards(low: float, high: float, n_bins: int, digits: int = 2) -> tuple[float, float]:
    """A range of n_bins bins, each a number of so many digits wide; positive masses give positive edges.

    Examples
    --------
    >>> _round_outwards(60.002, 119.958, 40), _round_outwards(23.4, 6571.7, 40)
    ((60.0, 120.0), (20.0, 6820.0))
    """
    unit = 10.0 ** (np.floor(np.log10((high - low) / n_bins)) - digits + 1)
    steps = int(np.ceil((high - low) / n_bins / unit - 1e-9))
    # Begin at a multiple of the width; if that is zero, at one of its last digit, or of a finer one.
    grid = steps * unit if digits == 2 else unit
    while 0 < low < grid:
        grid = unit if grid > unit else grid / 10
    begin = np.floor(low / grid + 1e-9) * grid
    while True:
        edges = [float(f"{edge:.12g}") for edge in (begin, begin + n_bins * steps * unit)]
        if edges[1] >= high:
            return edges[0], edges[1]
        steps += 1

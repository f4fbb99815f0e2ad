"""From the columns of a published spectrum to edges and counts, with a word on everything that did not fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cmslabs.data.spectrum import possible_edges, width_problem
from cmslabs.data.spectrum_counts import are_whole, counts_from_density, counts_from_errors, errors_are_poisson
from cmslabs.errors import DataError

__all__ = ["bins_of"]


def bins_of(
    columns: Mapping[str, np.ndarray], names: Mapping[str, str], unit: str, path
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Where the bins begin and end, and how many events they hold.

    Parameters
    ----------
    columns : mapping of role to ndarray, shape (n_bins,)
        Roles as in `cmslabs.data.spectrum_names.binned_columns`.
    names : mapping of role to str
        What the columns are called in the file.
    unit : str
        Of the bins, for the remarks.
    path : path-like
        For the messages.

    Returns
    -------
    low, high, counts : ndarray, shape (n_bins,)
        Rising; there may be gaps.
    remarks : list of str

    Raises
    ------
    DataError
        If values are not finite or negative, the bins do not rise or overlap, or the values are no counts and
        cannot be turned into some.
    """
    columns, remarks = _in_order(columns, names, path)
    candidates, said = _candidates(columns, names, path)
    remarks += said
    errors = _errors(columns, names, path)
    place, counts, said = _counts(columns["value"], candidates, errors, unit)
    if counts is None:
        raise DataError(f"the values '{names['value']}' {said}", where=path, remedy=_remedy(errors is not None))
    low, high = candidates[place]
    if said:
        remarks.append(f"the values '{names['value']}' {said}")
    if len(candidates) > 1:
        remarks.append(f"the bin edges begin {', '.join(f'{edge:g}' for edge in low[:4])} {unit}")
    return low, high, counts, remarks


def _in_order(columns, names, path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Finite numbers, sorted by the bins."""
    for role, values in columns.items():
        bad = ~np.isfinite(values)
        if role in ("value", "width"):
            bad |= values < 0
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"the column '{names[role]}' has {values[row]:g} in row {row} (from 0), {bad.sum()} such value(s).",
                where=path,
                remedy="Correct the file, or leave this column out."
                if role in ("width", "up", "down", "error")
                else "Bins have finite places, and counts that are not negative: correct the file.",
            )
    place = columns["low"] if "low" in columns else columns["centre"]
    if not len(place):
        raise DataError("holds no bins.", where=path, remedy="Below the names of the columns there must be rows.")
    order = np.argsort(place, kind="stable")
    if (np.diff(place[order]) == 0).any():
        twin = place[order][int((np.diff(place[order]) == 0).argmax())]
        raise DataError(
            f"two bins are at {twin:g}.", where=path, remedy="One row for each bin: it may hold two tables."
        )
    moved = (np.diff(order) != 1).any()
    remarks = ["the rows did not rise from bin to bin: they were sorted"] if moved else []
    return {role: values[order] for role, values in columns.items()}, remarks


def _candidates(columns, names, path) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[str]]:
    """Possible lower and upper ends of the bins, the most plausible first."""
    if "low" in columns and "high" in columns:
        low, high = columns["low"], columns["high"]
        centre = columns.get("centre", (low + high) / 2)
        if (high <= low).any() or (low[1:] < high[:-1] - 0.02 * np.diff(low)).any():
            raise DataError("bins overlap, or end before they begin.", where=path, remedy="Correct the edges.")
        if (centre < low).any() or (centre > high).any():
            raise DataError(
                f"'{names['centre']}' lies outside its bin.", where=path, remedy="Correct the edges or leave it out."
            )
        return [(low, high)], []
    centres, widths = columns["centre"], columns.get("width")
    problem = "is zero in some bins" if widths is not None and (widths == 0).any() else None
    if widths is not None and problem is None:
        problem = width_problem(centres, widths)
        if problem is None:
            return [(centres - widths / 2, centres + widths / 2)], []
    if len(centres) < 2:
        raise DataError("has one bin and no width for it.", where=path, remedy="A spectrum has two bins or more.")
    remark = (
        "the table has no widths: the bin edges are taken from the centres"
        if problem is None
        else f"the width column '{names['width']}' {problem}: the bin edges are taken from the centres, not from it"
    )
    possible = possible_edges(centres)
    if not possible:
        raise DataError(
            "no bin edges have these centres in their middles"
            + (f", and the width column {problem}." if problem else "."),
            where=path,
            remedy="Bins may be missing, or the centres are no middles: give the edges in columns 'low' and 'high'.",
        )
    return [(edges[:-1], edges[1:]) for edges in possible], [remark]


def _errors(columns, names, path) -> tuple[np.ndarray, np.ndarray] | None:
    """Upper and lower errors, both positive; None where the table has none."""
    up = columns.get("up", columns.get("error", columns.get("down")))
    if up is None:
        return None
    down = columns.get("down", up)
    if (down <= 0).all():  # HEPData writes lower errors with their sign.
        down = -down
    if (up < 0).any() or (down < 0).any():
        name = names.get("up", names.get("error", names.get("down"))) if (up < 0).any() else names["down"]
        raise DataError(f"the errors '{name}' are negative in some bins.", where=path, remedy="Errors are lengths.")
    return (up, down) if (up + down).any() else None


def _counts(values, candidates, errors, unit) -> tuple[int, np.ndarray | None, str]:
    """Which candidate, the counts, and what is to be said of the values; None for the counts: why there are none."""
    widths = [high - low for low, high in candidates]
    filled = values > 0
    if are_whole(values) and (errors is None or not filled.any() or errors_are_poisson(values, *errors)):
        return 0, values, ""
    if not are_whole(values) and (found := counts_from_density(values, widths)):
        return (
            *found,
            f"are events per {unit}, not counts: times the bin width all of them are whole numbers",
        )
    if errors is not None and (found := counts_from_errors(values, widths[0], *errors)):
        counts, factor, per_width = found
        return (
            0,
            counts,
            f"are no counts: by their errors they are {factor:.4g} times numbers of events"
            f"{f' per {unit}' if per_width else ''}",
        )
    if are_whole(values):
        return 0, None, "are whole numbers, but their errors are not those of counts, which are near the square root."
    return 0, None, "are no whole numbers, neither as they are nor times the bin width: they are no counts."


def _remedy(with_errors: bool) -> str:
    if with_errors:
        return (
            "Weighted events have no Poisson likelihood: give numbers of events. If these are some, and the errors "
            "hold more than counting, leave the columns of errors out."
        )
    return "Give numbers of events, or add the errors: from them the numbers may be found."

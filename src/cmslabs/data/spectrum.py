"""Published spectra as tables: where their bins begin and end, and whether centres and widths fit together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cmslabs.data.spectrum_counts import are_whole, counts_from_density

__all__ = ["SPECTRUM_COLUMNS", "check_spectrum", "edges_from_centres", "gaps", "possible_edges", "width_problem"]

#: Centre [GeV], value, upper and lower error, width [GeV].
SPECTRUM_COLUMNS = ("x", "y", "y_up", "y_down", "bin_widths_1d")
#: By how much of a bin's width two neighbours may miss each other: published numbers are rounded.
TOLERANCE = 0.02
#: So many first edges are tried at most.
_MOST_EDGES = 2000


def edges_from_centres(centres: np.ndarray, first: float) -> np.ndarray:
    """Bin edges whose middles are `centres`, if the first bin begins at `first`.

    Examples
    --------
    >>> edges_from_centres(np.array([1.5, 3.0]), 1.0).tolist()
    [1.0, 2.0, 4.0]
    """
    edges = [first]
    for centre in centres:
        edges.append(2 * centre - edges[-1])
    return np.array(edges)


def possible_edges(centres: np.ndarray) -> list[np.ndarray]:
    """Edges whose middles are `centres`, the smoothest first; every bin is wider than nothing.

    Centres alone leave the first edge open.  Those tried lie on the grid of the centres' last digit;
    the smoothest are those whose widths change most steadily from bin to bin.  An empty list: no edges fit.

    Parameters
    ----------
    centres : ndarray, shape (n_bins,)
        Rising.

    Examples
    --------
    >>> possible_edges(np.array([11.0, 13.5, 17.0, 21.5]))[0].tolist()
    [10.0, 12.0, 15.0, 19.0, 24.0]
    """
    spacing = centres[1] - centres[0]
    digits = next(n for n in range(12) if n == 11 or np.allclose(centres, centres.round(n), rtol=1e-12, atol=0))
    step = max(10.0**-digits, spacing / _MOST_EDGES)
    first = step * np.arange(np.ceil((centres[0] - spacing) / step), np.ceil(centres[0] / step))
    equal = centres[0] - spacing / 2  # The edges of equal bins may have one digit more than their centres.
    tried = [edges_from_centres(centres, float(one)) for one in (*first.round(12), equal)]
    tried = [edges for edges in tried if (np.diff(edges) > 0).all()]
    return sorted(tried, key=_roughness)


def _roughness(edges: np.ndarray) -> float:
    """Large where the bins' widths change in jumps; a steady growth is smooth, equal bins a little smoother."""
    return float((np.diff(edges, n=3) ** 2).sum() + 1e-3 * (np.diff(edges, n=2) ** 2).sum())


def width_problem(centres: np.ndarray, widths: np.ndarray) -> str | None:
    """What is wrong with the widths, if they do not fit the centres; gaps between bins are no fault of theirs."""
    ratio = (widths[:-1] + widths[1:]) / 2 / np.diff(centres)
    if not len(ratio) or (abs(ratio - 1) <= TOLERANCE).all():
        return None
    median, worst = np.median(ratio), ratio[abs(ratio - 1).argmax()]
    if abs(median - 1) <= TOLERANCE and (ratio <= 1 + TOLERANCE).all():
        return None
    typical = median if abs(median - 1) > TOLERANCE else worst
    return f"is {typical:.3g} times the spacing of the centres"


def gaps(low: np.ndarray, high: np.ndarray) -> list[tuple[float, float]]:
    """Where a bin does not begin at the end of the one before it: the end, and the beginning.

    Examples
    --------
    >>> gaps(np.array([1.0, 2.0, 5.0]), np.array([2.0, 3.0, 6.0]))
    [(3.0, 5.0)]
    """
    missed = abs(low[1:] - high[:-1]) > TOLERANCE * np.minimum(np.diff(low), np.diff(high))
    return [(float(high[i]), float(low[i + 1])) for i in np.flatnonzero(missed)]


def check_spectrum(table: pd.DataFrame) -> tuple[list[str], dict[str, Any]]:
    """Problems and details of a spectrum with the columns `SPECTRUM_COLUMNS`.

    A width column that does not fit the centres, and values that are densities instead of counts, look
    harmless and spoil every fit.
    """
    values = table.to_numpy(dtype=float)
    if not len(table):
        return [], {}
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values)).any(axis=1).argmax())
        return [f"values are not finite, first in row {row} (from 0)"], {}
    centres, y, up, down, widths = values.T
    problems = []
    if (np.diff(centres) <= 0).any():
        problems.append("the bin centres (x) do not rise")
    problems += [
        f"{name} is negative in some bins" for name, v in {"y": y, "y_up": up, "y_down": down}.items() if (v < 0).any()
    ]
    if (widths <= 0).any():
        problems.append("a bin width is not positive")
    whole = are_whole(y)
    details: dict[str, Any] = {
        "range [GeV]": [float(centres[0]), float(centres[-1])],
        "y": "whole numbers: counts" if whole else "no whole numbers: events per GeV, or normalised",
    }
    if whole:
        details["sum of y"] = round(float(y.sum()))
    if problems or len(table) < 2:
        return problems, details
    ratio = (widths[:-1] + widths[1:]) / 2 / np.diff(centres)
    details["width / spacing of the centres"] = round(float(np.median(ratio)), 4)
    if wrong := width_problem(centres, widths):
        problems.append(
            f"the width column (bin_widths_1d) {wrong}: take the bin edges from the centres, not from the widths"
        )
        possible = possible_edges(centres)
        if not whole and (found := counts_from_density(y, [np.diff(edges) for edges in possible])):
            details["edges that make y x width whole numbers begin at [GeV]"] = float(possible[found[0]][0])
            details["sum of these counts"] = round(float(found[1].sum()))
        return problems, details
    missing = gaps(centres - widths / 2, centres + widths / 2)
    problems += [f"there are no bins between {end:.6g} and {begin:.6g} GeV" for end, begin in missing]
    return problems, details

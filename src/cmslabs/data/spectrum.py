"""Published spectra as CSV: bin centres, values, errors, widths; and whether these fit together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["SPECTRUM_COLUMNS", "check_spectrum", "edges_from_centres"]

#: Centre [GeV], value, upper and lower error, width [GeV].
SPECTRUM_COLUMNS = ("x", "y", "y_up", "y_down", "bin_widths_1d")
_TOLERANCE = 0.02


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
    whole = np.allclose(y, np.round(y))
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
    median, worst = np.median(ratio), ratio[abs(ratio - 1).argmax()]
    if abs(worst - 1) > _TOLERANCE:
        typical = median if abs(median - 1) > _TOLERANCE else worst
        problems.append(
            f"the width column (bin_widths_1d) is {typical:.3g} times the spacing of the centres: "
            "take the bin edges from the centres, not from the widths"
        )
        if not whole:
            details |= _counts_from_density(centres, y)
    return problems, details


def _counts_from_density(centres: np.ndarray, density: np.ndarray) -> dict[str, Any]:
    """The first edge (in steps of half a GeV) for which density times width is a whole number in every bin."""
    spacing = centres[1] - centres[0]
    for first in np.arange(np.ceil(2 * (centres[0] - spacing)) / 2, centres[0], 0.5):
        widths = np.diff(edges_from_centres(centres, float(first)))
        counts = density * widths
        if (widths > 0).all() and (abs(counts - np.round(counts)) < 0.02 * np.maximum(1, counts / 50)).all():
            return {
                "edges that make y x width whole numbers begin at [GeV]": float(first),
                "sum of these counts": int(np.round(counts).sum()),
            }
    return {}

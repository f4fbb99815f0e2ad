"""Is this a spectrum that a likelihood of counts can be asked about?  What is none is refused with a reason."""

from __future__ import annotations

import numpy as np

from cmslabs.errors import ConfigError, DataError
from cmslabs.plotting.binned import Spectrum

__all__ = ["blinded_bins", "checked_counts"]

#: More bins than this make a scan that no memory holds.
_MOST_BINS = 1000


def checked_counts(spectrum: Spectrum) -> np.ndarray:
    """The counts of a spectrum, shape (n_bins,), if they are counts of unweighted events in rising bins.

    Raises
    ------
    DataError
        If they are not, with what they may be instead.
    """
    counts, edges = np.asarray(spectrum.counts, dtype=float), np.asarray(spectrum.edges, dtype=float)
    if counts.ndim != 1 or len(edges) != len(counts) + 1:
        raise DataError(
            f"{len(edges)} edges do not belong to {counts.size} bins.", remedy="Give one edge more than bins."
        )
    problems = {
        "the bin edges do not rise": not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()),
        "masses must be above zero": not edges[0] > 0,
        f"{np.count_nonzero(~np.isfinite(counts))} bins hold no number": not np.isfinite(counts).all(),
    }
    for problem, there in problems.items():
        if there:
            raise DataError(f"{problem}.", where="spectrum", remedy="Correct the bins, or choose another range.")
    if (counts < 0).any():
        raise DataError(
            f"bin {int((counts < 0).argmax())} holds a negative count ({counts.min():g}).",
            remedy="A likelihood of counts needs counts: do not subtract a background, and do not use weights.",
        )
    if (counts != np.round(counts)).any():
        raise DataError(
            "the bins do not hold whole numbers: these are densities or weighted events, not counts.",
            remedy="Multiply a density by the bin widths; weighted events cannot be used here.",
        )
    if not np.allclose(np.asarray(spectrum.variances, dtype=float), counts):
        raise DataError("the events are weighted.", remedy="Use a spectrum without weights.")
    if len(counts) < 2:
        raise DataError("one bin is no spectrum.", remedy="Use at least eight bins.")
    if len(counts) > _MOST_BINS:
        raise DataError(
            f"{len(counts)} bins are too many for a scan: at most {_MOST_BINS} are possible.",
            remedy="Use bins about as wide as the detector's resolution; narrower ones show nothing more.",
        )
    if not counts.any():
        raise DataError("all bins are empty.", remedy="Check the range and the column.")
    return counts


def blinded_bins(edges: np.ndarray, blind: tuple[float, float] | None) -> np.ndarray:
    """Which bins overlap the blinded range [GeV]: ndarray of bool, shape (n_bins,).

    Raises
    ------
    ConfigError
        If the range hides nothing or everything.
    """
    if blind is None:
        return np.zeros(len(edges) - 1, dtype=bool)
    low, high = blind
    if not low < high:
        raise ConfigError(f"the blinded range must rise, not run from {low:g} to {high:g}.")
    hidden = (edges[:-1] < high) & (edges[1:] > low)
    if not hidden.any():
        raise ConfigError(
            f"no bin lies in the blinded range from {low:g} to {high:g}: nothing would be hidden.",
            where=f"{edges[0]:g} to {edges[-1]:g} GeV",
            remedy="Give a range in GeV inside of the spectrum.",
        )
    if hidden.all():
        raise ConfigError("all bins are blinded: nothing is left to fit.", remedy="Blind a smaller range.")
    return hidden

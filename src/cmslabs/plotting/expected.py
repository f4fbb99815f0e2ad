"""What is expected in each bin, from which processes, and how uncertain it is, before it is drawn.

The histograms are those of a selection: an axis with the data sets, one with the systematic variations, and
the variable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, DataError, close_names
from cmslabs.plotting.binned import Spectrum

__all__ = ["Expected", "expected_events", "observed_events"]

NOMINAL = "nominal"
DATASET, SYSTEMATIC = "dataset", "systematic"


@dataclass(frozen=True)
class Expected:
    """Expected events in bins.

    Attributes
    ----------
    edges : ndarray, shape (n_bins + 1,)
        In the unit of the variable.
    groups : dict of name to ndarray, shape (n_bins,)
        Expected events of each group of processes.
    variance : ndarray, shape (n_bins,)
        Of the sum of all groups, because the simulation has finitely many events: the sum of squared weights.
    shifts : dict of name to (ndarray, ndarray)
        For each systematic by how many events the sum changes, up and down, bin by bin.
    outside : float
        Expected events below the first and above the last edge that are in no bin.
    """

    edges: np.ndarray
    groups: dict[str, np.ndarray]
    variance: np.ndarray
    shifts: dict[str, tuple[np.ndarray, np.ndarray]]
    outside: float

    @property
    def total(self) -> np.ndarray:
        """Expected events of all groups together, shape (n_bins,)."""
        return np.sum(list(self.groups.values()), axis=0)

    @property
    def band(self) -> tuple[np.ndarray, np.ndarray]:
        """Uncertainty downwards and upwards, both not negative, shape (n_bins,).

        Statistical and systematic ones are added in quadrature.  If both variations of a systematic go the
        same way, the larger one counts there and none on the other side.
        """
        down, up = self.variance.copy(), self.variance.copy()
        for shift in self.shifts.values():
            up += np.maximum(np.maximum(*shift), 0) ** 2
            down += np.minimum(np.minimum(*shift), 0) ** 2
        return np.sqrt(down), np.sqrt(up)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the expected events of all bins, shape (n_bins, n_bins).

        Bins are independent in the simulation's statistics, and move together in each systematic, by half
        the difference of its two variations.
        """
        half = [(up - down) / 2 for up, down in self.shifts.values()]
        return np.diag(self.variance) + sum((np.outer(h, h) for h in half), np.zeros((len(self.variance),) * 2))


def expected_events(
    histogram: Any,
    groups: Mapping[str, Sequence[str] | str],
    *,
    systematics: Sequence[str] | None = None,
    overflow: str = "omit",
) -> Expected:
    """Add up the simulated data sets of each group, and their variations.

    Parameters
    ----------
    histogram : hist.Hist
        With the axes ``dataset``, ``systematic`` and one more, the variable; weights that make yields.
    groups : mapping of name to data sets
        What is drawn as one.
    systematics : sequence of str, optional
        ``"pileup"`` stands for the variations ``pileupUp`` and ``pileupDown``; by default all pairs that the
        histogram has, ``()`` for none.
    overflow : "omit" or "add"
        Whether events beyond the axis are left out, or added to the first and last bin.

    Raises
    ------
    ConfigError
        For axes, data sets, systematics or an overflow policy that are not there.
    DataError
        If a variation was never filled for a data set: it would look like a loss of all its events.

    Examples
    --------
    >>> import hist
    >>> h = (hist.Hist.new.StrCat(["zz"], name="dataset").StrCat(["nominal", "idUp", "idDown"], name="systematic")
    ...      .Reg(2, 0, 2, name="x").Weight())
    >>> for name, weight in (("nominal", 1.0), ("idUp", 1.1), ("idDown", 0.9)):
    ...     _ = h.fill(dataset="zz", systematic=name, x=[0.5, 0.6, 1.5], weight=weight)
    >>> zz = expected_events(h, {"ZZ": "zz"})
    >>> zz.total.tolist(), zz.band[1].round(2).tolist()
    ([2.0, 1.0], [1.43, 1.0])
    """
    variable = _variable(histogram, overflow)
    members = {name: _as_list(datasets) for name, datasets in groups.items()}
    chosen = [dataset for datasets in members.values() for dataset in datasets]
    if not chosen:
        raise ConfigError("there is no simulated data set to add up.", remedy="Name at least one group.")
    if len(set(chosen)) < len(chosen):
        raise ConfigError("a data set stands in two groups and would count twice.", remedy=f"Look at: {chosen}.")
    nominal = {
        name: sum(_content(histogram, variable, dataset, NOMINAL) for dataset in datasets)
        for name, datasets in members.items()
    }
    variance = sum(_content(histogram, variable, dataset, NOMINAL, variance=True) for dataset in chosen)
    total = sum(nominal.values())
    shifts = {}
    for systematic in _pairs(histogram) if systematics is None else _as_list(systematics):
        varied = [
            sum(_varied(histogram, variable, dataset, f"{systematic}{side}") for dataset in chosen)
            for side in ("Up", "Down")
        ]
        shifts[systematic] = tuple(_shown(v - total, overflow) for v in varied)
    return Expected(
        edges=np.asarray(histogram.axes[variable].edges, dtype=float),
        groups={name: _shown(content, overflow) for name, content in nominal.items()},
        variance=_shown(variance, overflow),
        shifts=shifts,
        outside=_outside(total, overflow),
    )


def observed_events(histogram: Any, datasets: Sequence[str] | str, *, overflow: str = "omit") -> tuple[Spectrum, float]:
    """Counts of the data sets together, and how many events lie in no bin.

    Raises
    ------
    ConfigError
        As in `expected_events`.
    """
    variable = _variable(histogram, overflow)
    names = _as_list(datasets)
    if not names:
        raise ConfigError("there are no data to compare with.", remedy="Name at least one data set.")
    counts = sum(_content(histogram, variable, name, NOMINAL) for name in names)
    variances = sum(_content(histogram, variable, name, NOMINAL, variance=True) for name in names)
    edges = np.asarray(histogram.axes[variable].edges, dtype=float)
    return Spectrum(edges, _shown(counts, overflow), _shown(variances, overflow)), _outside(counts, overflow)


def _variable(histogram: Any, overflow: str) -> int:
    """Position of the axis that is neither of the two with names."""
    if overflow not in ("omit", "add"):
        raise ConfigError(f"overflow must be 'omit' or 'add', not {overflow!r}.")
    names = [axis.name for axis in histogram.axes]
    if sorted(set(names) & {DATASET, SYSTEMATIC}) != [DATASET, SYSTEMATIC] or len(names) != 3:
        raise ConfigError(
            f"the histogram has the axes {names}.",
            remedy=f"Give one with '{DATASET}', '{SYSTEMATIC}' and one variable, as a selection writes it.",
        )
    return next(i for i, name in enumerate(names) if name not in (DATASET, SYSTEMATIC))


def _content(histogram: Any, variable: int, dataset: str, systematic: str, variance: bool = False) -> np.ndarray:
    """Bins of one data set and variation, with the bins below and above: shape (n_bins + 2,)."""
    place: list[Any] = [None, None, None]
    for axis, value in ((DATASET, dataset), (SYSTEMATIC, systematic)):
        index = [a.name for a in histogram.axes].index(axis)
        known = list(histogram.axes[index])
        if value not in known:
            close = close_names(value, known) or known
            raise ConfigError(f"the histogram has no {axis} '{value}'.", remedy=f"Try: {', '.join(close)}.")
        place[index] = known.index(value)
    place[variable] = slice(None)
    view = histogram.variances(flow=True) if variance else histogram.values(flow=True)
    axis, content = histogram.axes[variable], np.asarray(view[tuple(place)], dtype=float)
    below, above = axis.traits.underflow, axis.traits.overflow
    return np.concatenate([[] if below else [0.0], content, [] if above else [0.0]])


def _varied(histogram: Any, variable: int, dataset: str, systematic: str) -> np.ndarray:
    """As `_content`, but a variation that was never filled is an error."""
    content = _content(histogram, variable, dataset, systematic)
    if not content.any() and _content(histogram, variable, dataset, NOMINAL).any():
        raise DataError(
            f"'{dataset}' was never filled for '{systematic}'.",
            remedy="Leave this systematic out, or select again with the weights that belong to it.",
        )
    return content


def _pairs(histogram: Any) -> list[str]:
    """Systematics with an up and a down variation, in the order of the axis."""
    axis = next(axis for axis in histogram.axes if axis.name == SYSTEMATIC)
    names = list(axis)
    pairs = [name.removesuffix("Up") for name in names if name.endswith("Up")]
    lonely = [name for name in names if name != NOMINAL and name.removesuffix("Up").removesuffix("Down") not in pairs]
    lonely += [f"{name}Up" for name in pairs if f"{name}Down" not in names]
    if lonely:
        raise ConfigError(
            f"these variations have no partner: {', '.join(lonely)}.",
            remedy="Name the systematics that are wanted.",
        )
    return pairs


def _shown(content: np.ndarray, overflow: str) -> np.ndarray:
    shown = content[1:-1].copy()
    if overflow == "add":
        shown[0] += content[0]
        shown[-1] += content[-1]
    return shown


def _outside(content: np.ndarray, overflow: str) -> float:
    return 0.0 if overflow == "add" else float(content[0] + content[-1])


def _as_list(names: Sequence[str] | str) -> list[str]:
    return [names] if isinstance(names, str) else list(names)

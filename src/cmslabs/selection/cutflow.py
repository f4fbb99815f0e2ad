"""The cutflow: how many events each cut leaves, one after the other, and each one alone."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError, DataError
from cmslabs.io import atomic_write, read_json, write_json

__all__ = ["ALL_EVENTS", "Cutflow", "Flow", "count_cuts", "read_cutflow"]

#: Name of the first line: what was read, before any cut.
ALL_EVENTS = "all events"
_FORMAT = "cmslabs cutflow 1"
#: An empty total: events, sum of weights, sum of squared weights.
Totals = tuple[int, float, float]


@dataclass(frozen=True)
class Flow:
    """The cutflow of one data set.

    A total is (events, sum of weights, sum of squared weights); the sum's statistical error is the root of the last.

    Attributes
    ----------
    cuts : tuple of str
        Names of the cuts, in their order.
    sequential : tuple of totals, one more than cuts
        Before any cut, and after each one; the weight is genWeight times L x sigma x K / sum of weights, 1 for data.
    n_minus_1 : tuple of totals, one per cut
        Events that pass all the other cuts.
    weights : dict of totals
        After all cuts, with one correction more in each entry: the last one is the yield.
    selected : dict of totals
        Systematic (``nominal``, ``pileupUp``, ``muonScaleUp``, ...) -> what is selected, with all weights.
    """

    cuts: tuple[str, ...]
    sequential: tuple[Totals, ...]
    n_minus_1: tuple[Totals, ...]
    weights: Mapping[str, Totals] = field(default_factory=dict)
    selected: Mapping[str, Totals] = field(default_factory=dict)

    def __add__(self, other: Flow) -> Flow:
        if self.cuts != other.cuts:
            raise DataError(
                f"cutflows with different cuts cannot be added: {', '.join(self.cuts)} and {', '.join(other.cuts)}.",
                remedy="Add results of the same analysis only.",
            )
        return Flow(
            cuts=self.cuts,
            sequential=tuple(map(_add, self.sequential, other.sequential)),
            n_minus_1=tuple(map(_add, self.n_minus_1, other.n_minus_1)),
            weights=_add_named(self.weights, other.weights),
            selected=_add_named(self.selected, other.selected),
        )


def totals(weight: np.ndarray) -> Totals:
    """Events, sum of weights and sum of squared weights of an array of weights, shape (n,)."""
    return len(weight), float(np.sum(weight)), float(np.sum(np.square(weight)))


def count_cuts(masks: Mapping[str, np.ndarray], weight: np.ndarray) -> Flow:
    """Count what passes.

    Parameters
    ----------
    masks : mapping of str to ndarray of bool, shape (n_events,)
        Each cut's decision on every event, independent of the other cuts; in the order of the cutflow.
    weight : ndarray, shape (n_events,)

    Examples
    --------
    >>> masks = {"a": np.array([True, True, False]), "b": np.array([True, False, True])}
    >>> flow = count_cuts(masks, np.ones(3))
    >>> [line[0] for line in flow.sequential], [line[0] for line in flow.n_minus_1]
    ([3, 2, 1], [2, 2])
    """
    alive, sequential = np.arange(len(weight)), [totals(weight)]
    n_failed = np.zeros(len(weight), dtype=np.uint16)
    for mask in masks.values():
        alive = alive[mask[alive]]
        sequential.append(totals(weight[alive]))
        n_failed += ~mask
    # Whoever fails one cut alone passes "all but this one"; whoever fails none passes it, too.
    lone = np.flatnonzero(n_failed == 1)
    n_minus_1 = [_add(totals(weight[lone[~mask[lone]]]), sequential[-1]) for mask in masks.values()]
    return Flow(tuple(masks), tuple(sequential), tuple(n_minus_1))


def _add(first: Totals, second: Totals) -> Totals:
    return first[0] + second[0], first[1] + second[1], first[2] + second[2]


def _add_named(first: Mapping[str, Totals], second: Mapping[str, Totals]) -> dict[str, Totals]:
    zero = (0, 0.0, 0.0)
    return {name: _add(first.get(name, zero), second.get(name, zero)) for name in {**first, **second}}


@dataclass(frozen=True)
class Cutflow:
    """Cutflows of data sets; ``a + b`` adds data set by data set.

    Attributes
    ----------
    flows : dict of Flow
        Name of the data set -> its `Flow`.
    """

    flows: Mapping[str, Flow] = field(default_factory=dict)

    def __add__(self, other: Cutflow) -> Cutflow:
        flows = dict(self.flows)
        for name, flow in other.flows.items():
            flows[name] = flows[name] + flow if name in flows else flow
        return Cutflow(flows)

    @classmethod
    def sum(cls, parts: Iterable[Cutflow]) -> Cutflow:
        """All of them together, added from the first to the last."""
        whole = cls()
        for part in parts:
            whole = whole + part
        return whole

    def to_frame(self) -> pd.DataFrame:
        """One row per data set and line.

        Returns
        -------
        pandas.DataFrame
            ``dataset``, ``kind`` ("start", "cut" or "weight"), ``cut``; ``events``, ``weighted``, ``error`` of what
            is left after this line; ``n_minus_1_events``, ``n_minus_1_weighted``, ``n_minus_1_error`` of what passes
            all other cuts (empty in lines that are no cuts).  Weighted numbers are yields; errors are statistical.
        """
        rows = [row for name, flow in self.flows.items() for row in _rows(name, flow)]
        frame = pd.DataFrame(rows, columns=_COLUMNS)
        return frame.astype({"events": "int64", "n_minus_1_events": "Int64"})

    def yields(self) -> pd.DataFrame:
        """What is selected: ``dataset``, ``systematic``, ``events``, ``weighted``, ``error`` (statistical)."""
        rows = [
            (name, systematic, *_with_error(total))
            for name, flow in self.flows.items()
            for systematic, total in flow.selected.items()
        ]
        return pd.DataFrame(rows, columns=["dataset", "systematic", "events", "weighted", "error"])

    def table(self, datasets: Iterable[str] | None = None) -> str:
        """The cutflow as text: one block per data set.

        Raises
        ------
        ConfigError
            If a data set is not there.
        """
        names = list(self.flows) if datasets is None else list(datasets)
        for name in names:
            if name not in self.flows:
                raise ConfigError(
                    f"the cutflow has no data set '{name}'.", remedy=f"It has: {', '.join(self.flows) or 'none'}."
                )
        return "\n\n".join(_block(name, _rows(name, self.flows[name])) for name in names)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, from which `read_cutflow` makes an equal cutflow."""
        flows = {
            name: {
                "cuts": list(flow.cuts),
                "sequential": [list(total) for total in flow.sequential],
                "n_minus_1": [list(total) for total in flow.n_minus_1],
                # Lists keep the order, which sorted keys of a JSON object would lose.
                "weights": [[key, *total] for key, total in flow.weights.items()],
                "selected": [[key, *total] for key, total in flow.selected.items()],
            }
            for name, flow in self.flows.items()
        }
        return {"format": _FORMAT, "order": list(self.flows), "datasets": flows}

    def write(self, folder: str | os.PathLike) -> None:
        """Write ``cutflow.json`` (exact), ``cutflow.csv`` (`to_frame`) and ``cutflow.txt`` (`table`)."""
        folder = Path(folder)
        write_json(folder / "cutflow.json", self.to_json())
        with atomic_write(folder / "cutflow.csv") as temporary:
            self.to_frame().to_csv(temporary, index=False, lineterminator="\n")
        with atomic_write(folder / "cutflow.txt") as temporary:
            temporary.write_text(self.table() + "\n", encoding="utf-8")


def read_cutflow(path: str | os.PathLike) -> Cutflow:
    """Read ``cutflow.json``.

    Raises
    ------
    DataError
        If it is missing or something else.
    """
    content = read_json(path)
    try:
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        return Cutflow({name: _flow(content["datasets"][name]) for name in content["order"]})
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DataError(
            f"is no cutflow of cmslabs ({type(error).__name__}: {error}).",
            where=path,
            remedy="Run cmslabs select again.",
        ) from error


def _flow(entry: Mapping[str, Any]) -> Flow:
    cuts = entry["cuts"]
    if not isinstance(cuts, list) or not all(isinstance(cut, str) for cut in cuts):
        raise ValueError("the cuts have no names")
    if (len(entry["sequential"]), len(entry["n_minus_1"])) != (len(cuts) + 1, len(cuts)):
        raise ValueError("the numbers of lines and of cuts differ")
    return Flow(
        cuts=tuple(cuts),
        sequential=tuple(_total(line) for line in entry["sequential"]),
        n_minus_1=tuple(_total(line) for line in entry["n_minus_1"]),
        weights={line[0]: _total(line[1:]) for line in entry["weights"]},
        selected={line[0]: _total(line[1:]) for line in entry["selected"]},
    )


def _total(line: list) -> Totals:
    events, weighted, squares = line
    if type(events) is not int or events < 0:
        raise ValueError(f"{events!r} is no number of events")
    if not all(type(one) in (int, float) and math.isfinite(one) for one in (weighted, squares)) or squares < 0:
        raise ValueError(f"{weighted!r} and {squares!r} are no sums of weights and of their squares")
    return events, float(weighted), float(squares)


_COLUMNS = (
    *("dataset", "kind", "cut", "events", "weighted", "error"),
    *("n_minus_1_events", "n_minus_1_weighted", "n_minus_1_error"),
)


def _with_error(total: Totals) -> tuple[int, float, float]:
    return total[0], total[1], float(np.sqrt(total[2]))


def _rows(name: str, flow: Flow) -> list[tuple]:
    nothing = (None, np.nan, np.nan)
    rows = [(name, "start", ALL_EVENTS, *_with_error(flow.sequential[0]), *nothing)]
    for cut, after, alone in zip(flow.cuts, flow.sequential[1:], flow.n_minus_1, strict=True):
        rows.append((name, "cut", cut, *_with_error(after), *_with_error(alone)))
    rows += [(name, "weight", step, *_with_error(total), *nothing) for step, total in flow.weights.items()]
    return rows


def _block(name: str, rows: list[tuple]) -> str:
    width = max(len(row[2]) + 2 * (row[1] == "weight") for row in rows)
    head = f"{'events':>10} {'kept':>7} {'yield':>12} {'error':>9} {'N-1 events':>11} {'N-1 yield':>12}"
    lines = [f"{name}", f"{'':{width}} {head}"]
    before = rows[0][3]
    for _, kind, cut, events, weighted, error, alone, alone_weighted, _ in rows:
        kept = f"{events / before:7.1%}" if kind == "cut" and before else " " * 7
        right = "" if alone is None else f" {alone:11d} {alone_weighted:12.6g}"
        label = f"x {cut}" if kind == "weight" else cut
        lines.append(f"{label:{width}} {events:10d} {kept} {weighted:12.6g} {error:9.3g}{right}")
        before = events
    return "\n".join(lines)

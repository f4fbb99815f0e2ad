"""The sum of weights in one file: from the tree ``Runs``, where it knows the chosen process, else from the events."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np

from cmslabs.data.rootfile import ntuple_types, tree_types
from cmslabs.errors import ConfigError

__all__ = ["branch_reader", "find_sum", "read_runs_tree"]

#: Events whose weights are held in memory at a time.
_STEP = 500_000

#: Reads branches in steps; None says that one of them is not there.
Reader = Callable[[Sequence[str]], Iterator[Mapping[str, np.ndarray]] | None]


def read_runs_tree(tree: Any) -> dict[str, np.ndarray]:
    """Plain branches of the open tree ``Runs``, with the names of version 9 (version 6 writes ``genEventSumw_``)."""
    import uproot

    types = tree_types(tree) if isinstance(tree, uproot.TTree) else ntuple_types(tree)
    plain = [name for name, (jagged, kind) in types.items() if not jagged and kind and kind in "biuf"]
    return {name.removesuffix("_"): ak.to_numpy(tree[name].array()) for name in plain}


def branch_reader(events: Any) -> Reader:
    """A reader of an open tree of events."""

    def read(names: Sequence[str]) -> Iterator[Mapping[str, np.ndarray]] | None:
        if not set(events.keys()).issuperset(names):
            return None
        return (
            {name: ak.to_numpy(part[name]) for name in names}
            for part in events.iterate(filter_name=list(names), step_size=_STEP)
        )

    return read


def find_sum(
    runs: Mapping[str, np.ndarray], read: Reader, n_events: int, only: Mapping[str, int], weighted: bool
) -> dict[str, Any]:
    """Sum of weights of the generated events.

    Parameters
    ----------
    runs : mapping
        Branches of ``Runs``; empty where the file has none.
    read : callable
        Reads branches of the events.
    n_events : int
    only : mapping
        Branch -> value: of these events and rows of ``Runs``.
    weighted : bool
        Sum up genWeight, where the file has it; else events count 1 each.

    Returns
    -------
    dict
        ``sum_weights``, ``quantity`` and ``source`` as in `cmslabs.selection.survey.FileSurvey`.

    Raises
    ------
    ConfigError
        If nothing in the file tells its processes apart; or if ``Runs`` does not, and the events are a selection
        of those that were generated, so that their sum is no answer.
    """
    weighted = weighted and read(["genWeight"]) is not None
    quantity, column = ("genWeight", "genEventSumw") if weighted else ("events", "genEventCount")
    in_runs = column in runs and len(runs[column]) > 0
    if in_runs and all(name in runs for name in only):
        value = math.fsum(runs[column][_chosen(runs, only)].tolist())
        return {"sum_weights": value, "quantity": quantity, "source": "Runs"}
    if not weighted and not only:
        return {"sum_weights": float(n_events), "quantity": quantity, "source": "events"}
    value, whole = _sum_events(read, only, weighted)
    if in_runs and not math.isclose(whole, generated := math.fsum(runs[column].tolist()), rel_tol=1e-5):
        raise ConfigError(
            f"the file holds a selection of what was generated ({whole:g} of {generated:g}), and Runs does not tell "
            f"{' and '.join(only)} apart: the sum of weights is unknown.",
            remedy="Use files of one process each.",
        )
    return {"sum_weights": value, "quantity": quantity, "source": "events"}


def _sum_events(read: Reader, only: Mapping[str, int], weighted: bool) -> tuple[float, float]:
    """Sum over the chosen events, and over all."""
    parts = read([*(["genWeight"] if weighted else []), *only])
    if parts is None:
        raise ConfigError(
            f"the file has no branch {' or '.join(only)}, which tells its events apart.", remedy="Correct 'only'."
        )
    chosen, every = [], []
    for part in parts:
        mask = _chosen(part, only)
        weights = part["genWeight"] if weighted else np.ones(len(mask))
        chosen.append(math.fsum(weights[mask].tolist()))
        every.append(math.fsum(weights.tolist()))
    return math.fsum(chosen), math.fsum(every)


def _chosen(columns: Mapping[str, np.ndarray], only: Mapping[str, int]) -> np.ndarray:
    mask = np.ones(len(next(iter(columns.values()))), dtype=bool)
    for name, value in only.items():
        mask &= columns[name] == value
    return mask

"""Many methods on many signals, all judged in the same way, with a signal that is none among them.

A comparison is fair if every method sees the same events, if none sees those that it is judged on, and if one can see
what comes out where there is nothing to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import DataError
from cmslabs.evaluation.roc import auc
from cmslabs.evaluation.sic import max_sic
from cmslabs.evaluation.splits import split_events

__all__ = ["NOTHING", "Method", "compare_methods", "summarise"]

#: Name of the signal that is none: background that is called signal.
NOTHING = "nothing"

#: A high number means like signal, or unusual.
Scorer = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Method:
    """How to train something that scores.

    Attributes
    ----------
    fit : callable
        ``fit(X, X_val, labels, seed)`` trains on background (`labels` is None), or on background and signal with
        `labels` 0 and 1 for the rows of X, and returns a mapping of name to scorer: one training may give several
        scores.  `X_val` is background for early stopping.
    supervised : bool
        Whether it is trained once for each signal, with labels.
    """

    fit: Callable[[pd.DataFrame, pd.DataFrame, np.ndarray | None, int], Mapping[str, Scorer]]
    supervised: bool = False


def compare_methods(
    methods: Mapping[str, Method],
    features: pd.DataFrame,
    ids: Any,
    kinds: Any,
    background: str,
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    fractions: Sequence[float] = (0.5, 0.1, 0.4),
    min_background: float = 25,
) -> Iterator[dict[str, Any]]:
    """Train every method with every seed, and judge it on every signal; one row each, as it is ready.

    A seed decides the training and the split into training, validation and test part, so that the spread over seeds
    holds the fluctuation of both.

    Parameters
    ----------
    methods : mapping of str to Method
    features : DataFrame, shape (n_events, n_features)
    ids, kinds : array_like, shape (n_events,)
        Id of each event (`cmslabs.evaluation.splits.split_events`), and what it is: `background`, or a signal's name.
    background : str
    seeds : sequence of int
    fractions : sequence of 3 float
    min_background : float
        As in `cmslabs.evaluation.sic.max_sic`.

    Yields
    ------
    dict
        ``method`` (what `fit` calls its score), ``seed``, ``seconds`` of processor time of one training, and
        ``against``: signal -> ``{"auc", "max_sic"}``.  The signal `NOTHING` is every second background event of the
        test part against the others; a supervised method has learnt it from labels drawn at random.

    Raises
    ------
    DataError
        If no event is background, or all are.
    """
    kinds = np.asarray(kinds)
    signals = [kind for kind in pd.unique(kinds) if kind != background]
    if not signals or not (kinds == background).any():
        raise DataError(
            f"there are no events beside '{background}', or none of that kind.", remedy="Check the names of the kinds."
        )
    for seed in seeds:
        split = split_events(ids, fractions, random_state=seed)
        train, validation, test = ({kind: part[kinds[part] == kind] for kind in pd.unique(kinds)} for part in split)
        X_val = features.iloc[validation[background]]
        judged = {signal: (test[background], test[signal]) for signal in signals}
        judged[NOTHING] = (test[background][::2], test[background][1::2])
        for method in methods.values():
            yield from _rows(method, features, train, X_val, background, judged, seed, min_background)


def _rows(method, features, train, X_val, background, judged, seed, min_background) -> Iterator[dict[str, Any]]:
    """One row per score of the method."""
    groups = [[signal] for signal in judged] if method.supervised else [list(judged)]
    rows: dict[str, dict[str, Any]] = {}
    seconds = []
    for group in groups:
        X, labels = features.iloc[train[background]], None
        if method.supervised and group == [NOTHING]:
            labels = np.random.default_rng(seed).integers(2, size=len(X))
        elif method.supervised:
            X = pd.concat([X, features.iloc[train[group[0]]]])
            labels = np.repeat([0, 1], [len(train[background]), len(train[group[0]])])
        start = process_time()
        scorers = method.fit(X, X_val, labels, seed)
        seconds.append(process_time() - start)
        # Each event is scored once, although background stands against every signal.
        used = np.unique(np.concatenate([part for signal in group for part in judged[signal]]))
        for name, scorer in scorers.items():
            scores = np.asarray(scorer(features.iloc[used]))
            row = rows.setdefault(name, {"method": name, "seed": int(seed), "against": {}})
            for signal in group:
                row["against"][signal] = _judge(used, scores, *judged[signal], min_background)
    for row in rows.values():
        yield row | {"seconds": round(float(np.mean(seconds)), 3)}


def _judge(used, scores, usual, unusual, min_background) -> dict[str, float]:
    """AUC and largest improvement for rows `usual` and `unusual` of those that were scored."""
    truth = np.repeat([0, 1], [len(usual), len(unusual)])
    found = scores[np.searchsorted(used, np.concatenate([usual, unusual]))]
    return {
        "auc": round(auc(truth, found), 4),
        "max_sic": round(max_sic(truth, found, min_background=min_background), 3),
    }


def summarise(rows: Sequence[Mapping[str, Any]], number: str = "auc") -> pd.DataFrame:
    """Median over seeds, smallest and largest, for each method and signal.

    Parameters
    ----------
    rows : sequence of dict
        From `compare_methods`.
    number : {"auc", "max_sic"}

    Returns
    -------
    DataFrame
        One row per method and signal: ``method``, ``signal``, ``median``, ``low``, ``high``, ``seconds`` of
        processor time (median),
        ``seeds`` (how many).

    Examples
    --------
    >>> rows = [{"method": "m", "seconds": 1.0, "against": {"x": {"auc": value}}} for value in (0.6, 0.7, 0.9)]
    >>> summarise(rows)[["median", "low", "high", "seeds"]].to_numpy().tolist()
    [[0.7, 0.6, 0.9, 3.0]]
    """
    flat = pd.DataFrame(
        [
            (row["method"], signal, found[number], row["seconds"])
            for row in rows
            for signal, found in row["against"].items()
        ],
        columns=["method", "signal", "value", "seconds"],
    )
    groups = flat.groupby(["method", "signal"], sort=False)
    found = groups["value"].agg(median="median", low="min", high="max")
    return found.assign(seconds=groups["seconds"].median(), seeds=groups.size()).reset_index()

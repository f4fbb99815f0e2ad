"""In which features does the tail differ, and does that mean anything?  Kolmogorov-Smirnov distances, three nulls.

A tail that was chosen with the features differs in them *by construction*: the null that "tail and rest are alike" is
false before a single event is looked at.  So the distances are effect sizes, and they are compared with those of
random events, of random events with the tail's masses, and with the tails of pseudo-data that were drawn from the
fitted density and went through the same steps.  Only the last comparison asks about the data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cmslabs.errors import DataError
from cmslabs.evaluation.validation.common import (
    Train,
    checked_scores,
    largest,
    require_resolution,
    score_with,
    tail_size,
)
from cmslabs.evaluation.validation.ks_distance import Ladder, like_in_mass, random_subsets
from cmslabs.evaluation.validation.ks_result import KSResult, make_reference

__all__ = ["compare_tail", "ks_study", "pipeline_distances"]

#: A tail with fewer events is not compared.
_LEAST = 20


def compare_tail(
    features: Any,
    in_tail: Any,
    *,
    mass: Any = None,
    pseudo: np.ndarray | None = None,
    n_draws: int = 199,
    alpha: float = 0.05,
    random_state: int = 0,
) -> KSResult:
    """Compare a tail with the rest, feature by feature.

    Parameters
    ----------
    features : DataFrame or array_like, shape (n_events, n_features)
    in_tail : array_like of bool, shape (n_events,)
    mass : array_like, shape (n_events,), optional
        [GeV]; adds the null of random events with the tail's masses.
    pseudo : ndarray, shape (n_pseudo, n_features), optional
        Distances in pseudo-data, from `pipeline_distances`.
    n_draws : int
        Random subsets.
    alpha : float
    random_state : int

    Returns
    -------
    KSResult

    Raises
    ------
    DataError
        If the arrays do not fit together, or the tail has fewer than 20 events or more than half.
    ConfigError
        If so few draws cannot give a p-value of `alpha`.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> X = pd.DataFrame(rng.normal(size=(4000, 2)), columns=["chosen", "other"])
    >>> found = compare_tail(X, X["chosen"] > 2)
    >>> found.table[["feature", "distance", "random_p_max_t"]].round(2).to_numpy().tolist()
    [['chosen', 1.0, 0.0], ['other', 0.08, 0.61]]
    >>> found.verdict
    'by construction'
    """
    names = [str(name) for name in getattr(features, "columns", range(np.shape(features)[-1]))]
    X, chosen = np.asarray(features, dtype=float), np.asarray(in_tail)
    if chosen.dtype != bool or chosen.shape != X.shape[:1]:
        raise DataError(
            f"the tail of {len(X)} events is a mask with as many entries, not {chosen.dtype} of shape {chosen.shape}."
        )
    k = int(chosen.sum())
    if not _LEAST <= k <= len(X) / 2:
        raise DataError(
            f"a tail of {k} among {len(X)} events cannot be compared.",
            remedy=f"It must have at least {_LEAST} events, and not be the larger part.",
        )
    require_resolution(n_draws, alpha)
    rng = np.random.default_rng(random_state)
    ladder = Ladder.of(X)
    distance = ladder.distances(np.flatnonzero(chosen))[0]
    references = {"random": make_reference(distance, ladder.distances(random_subsets(len(X), k, n_draws, rng)))}
    if mass is not None:
        masses = checked_scores(mass, len(X), "masses")
        references["mass"] = make_reference(distance, ladder.distances(like_in_mass(masses, chosen, n_draws, rng)))
    if pseudo is not None:
        pseudo = np.atleast_2d(np.asarray(pseudo, dtype=float))
        if pseudo.shape[1] != len(distance):
            raise DataError(f"pseudo-data of {pseudo.shape[1]} features do not belong to {len(distance)}.")
        require_resolution(len(pseudo), alpha)
        references["pseudo"] = make_reference(distance, pseudo, two_sided=True)
    direction = np.median(X[chosen], axis=0) - np.median(X[~chosen], axis=0)
    return KSResult(tuple(names), distance, direction, k, len(X), references, alpha)


def ks_study(
    train: Train,
    X: Any,
    *,
    mass: Any = None,
    draw: Callable[[int, int], Any] | None = None,
    fraction: float = 0.01,
    features: Any = None,
    n_pseudo: int = 99,
    n_draws: int = 199,
    alpha: float = 0.05,
    seed: int = 0,
) -> KSResult:
    """Train on a table, take the top of the same table, and compare it with the rest.

    Parameters
    ----------
    train : callable
        ``train(X, seed) -> scorer``.
    X : DataFrame or ndarray, shape (n_events, n_features)
    mass : array_like, shape (n_events,), optional
        [GeV]
    draw : callable, optional
        ``draw(n, seed)`` gives n events of the fitted density, in the columns of X: pseudo-data.  Each sample goes
        through the same steps as the data: training, scores, tail, distances.
    fraction : float
        Share of the events in the tail.
    features : DataFrame, optional
        Compare in these columns instead of those of X; not together with `draw`.
    n_pseudo : int
        Samples of pseudo-data, each with a training; 39 allow for alpha = 0.05, 99 are better.
    n_draws, alpha
        As in `compare_tail`, which also names the errors.
    seed : int

    Returns
    -------
    KSResult

    Notes
    -----
    The density must not have been fitted to the events that are tested, or it knows their fluctuations; and one that
    is flexible enough learns a signal among them.  Fit it to the other half.
    """
    if draw is not None and features is not None:
        raise DataError(
            "pseudo-data have the columns that the density knows, not others.", remedy="Leave out features, or draw."
        )
    in_tail = _tail_of(train, X, fraction, seed)
    pseudo = None
    if draw is not None:
        require_resolution(n_pseudo, alpha)
        pseudo = pipeline_distances(train, draw, len(X), fraction=fraction, n_pseudo=n_pseudo, seed=seed)
    shown = X if features is None else features
    return compare_tail(shown, in_tail, mass=mass, pseudo=pseudo, n_draws=n_draws, alpha=alpha, random_state=seed)


def pipeline_distances(
    train: Train,
    draw: Callable[[int, int], Any],
    n_events: int,
    *,
    fraction: float = 0.01,
    n_pseudo: int = 99,
    seed: int = 0,
) -> np.ndarray:
    """Distances of the tail from the rest in pseudo-data that go through the whole pipeline.

    Parameters
    ----------
    train, draw, fraction, n_pseudo, seed
        As in `ks_study`.
    n_events : int
        As many as there are data.

    Returns
    -------
    ndarray, shape (n_pseudo, n_features)

    Raises
    ------
    DataError
        If `draw` gives other than `n_events` events.
    """
    found = []
    for number in range(seed + 1, seed + 1 + n_pseudo):
        X = draw(n_events, number)
        if len(X) != n_events:
            raise DataError(f"draw({n_events}, seed) gave {len(X)} events.")
        # The same seed as for the data: what differs is the sample.
        in_tail = _tail_of(train, X, fraction, seed)
        found.append(Ladder.of(X).distances(np.flatnonzero(in_tail))[0])
    return np.array(found)


def _tail_of(train: Train, X: Any, fraction: float, seed: int) -> np.ndarray:
    """Mask of the tail of a table that the scorer was trained on."""
    scores = score_with(train(X, seed), X)
    return largest(scores, tail_size(fraction, len(scores)))

"""What the studies share: scorers and their checks, shares of events, p-values of permutations, intervals of rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from cmslabs.errors import ConfigError, DataError

__all__ = [
    "Scorer",
    "Train",
    "checked_pair",
    "checked_scores",
    "largest",
    "permutation_p",
    "plain",
    "rate_interval",
    "require_resolution",
    "score_with",
    "tail_size",
    "take",
]

#: Table of events -> one number per event, shape (n_events,): the higher, the more unusual.
Scorer = Callable[[Any], np.ndarray]
#: ``train(X, seed)`` fits something to the table X and returns its scorer.
Train = Callable[[Any, int], Scorer]


def checked_scores(scores: Any, n: int | None = None, what: str = "scores") -> np.ndarray:
    """One finite number per event, shape (n_events,), float64.

    Raises
    ------
    DataError
        If they are not that, or not `n`.
    """
    try:
        array = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the {what} are no numbers ({error}).") from error
    if array.ndim != 1 or not len(array):
        raise DataError(
            f"the {what} must be one number per event, not an array of shape {array.shape}.",
            remedy="A scorer gets a table of events and returns a flat array.",
        )
    if n is not None and len(array) != n:
        raise DataError(f"{n} events need {n} {what}, not {len(array)}.")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise DataError(f"{len(bad)} of the {what} are NaN or inf.", where=f"row {bad[0]}")
    return array


def checked_pair(scores: Any, mass: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores and masses of the same events; errors as `checked_scores`."""
    scores = checked_scores(scores)
    return scores, checked_scores(mass, len(scores), "masses")


def score_with(scorer: Scorer, X: Any) -> np.ndarray:
    """Ask a scorer, and check its answer; errors as `checked_scores`."""
    if not callable(scorer):
        raise DataError(
            f"train(X, seed) must return a scorer, a function of a table, not {type(scorer).__name__}.",
            remedy="Return the method of the fitted model: return model.fit(X).anomaly_score",
        )
    return checked_scores(scorer(X), len(X))


def take(X: Any, rows: Any) -> Any:
    """Rows of a DataFrame or an array, by position."""
    return X.iloc[rows] if hasattr(X, "iloc") else np.asarray(X)[rows]


def tail_size(fraction: float, n: int) -> int:
    """Events in the top `fraction` of `n`: rounded down, because a tail of "1 %" holds no more than that.

    Raises
    ------
    ConfigError
        If the fraction is not between 0 and 1.

    Examples
    --------
    >>> tail_size(0.01, 6000), tail_size(0.001, 6000)
    (60, 6)
    """
    if isinstance(fraction, bool) or not 0 < fraction < 1:
        raise ConfigError(f"a tail of {fraction!r} is none.", remedy="Give a share of the events: 0.01 for 1 %.")
    return int(np.floor(fraction * n + 1e-9))


def largest(scores: np.ndarray, k: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """Mask of the `k` highest scores, shape (n_events,); of equal ones the first, or any of them if `rng` draws."""
    mask = np.zeros(len(scores), dtype=bool)
    if rng is None:
        order = np.argsort(-scores, kind="stable")
    else:
        order = np.lexsort((rng.random(len(scores)), -scores))
    mask[order[:k]] = True
    return mask


def permutation_p(observed: float, drawn: np.ndarray) -> float:
    """P-value of a large number, from draws without any effect: (1 + how many reach it) / (n + 1).

    The data count as one of the draws: so a p-value is never 0, and p <= alpha happens at most with probability alpha
    (B. Phipson, G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39, doi:10.2202/1544-6115.1585).

    Examples
    --------
    >>> permutation_p(2.0, np.array([0.0, 1.0, 3.0]))
    0.5
    """
    # Sums of the same numbers in another order differ in their last digits.
    return float((1 + np.sum(drawn >= observed - 1e-12 * max(1.0, abs(observed)))) / (len(drawn) + 1))


def require_resolution(n: int, alpha: float, sides: int = 1) -> None:
    """Refuse so few repetitions that no p-value can reach `alpha`.

    Raises
    ------
    ConfigError
        It says how many are needed.

    Examples
    --------
    >>> require_resolution(20, 0.02)
    Traceback (most recent call last):
    ...
    cmslabs.errors.ConfigError: 20 repetitions cannot give a p-value below 0.048: alpha = 0.02 needs at least 49. ...
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha = {alpha!r} is no probability of a false alarm.", remedy="0.05 is usual.")
    if sides / (n + 1) > alpha * (1 + 1e-9):
        raise ConfigError(
            f"{n} repetitions cannot give a p-value below {sides / (n + 1):.2g}: alpha = {alpha:g} needs at least "
            f"{int(np.ceil(sides / alpha - 1e-9)) - 1}.",
            remedy="Repeat more often.",
        )


def rate_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a rate by C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> [round(end, 3) for end in rate_interval(20, 400)]
    [0.031, 0.076]
    """
    if n < 1 or not 0 <= hits <= n:
        raise DataError(f"{hits} of {n} is no rate.")
    found = stats.binomtest(int(hits), int(n)).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def plain(value: Any) -> Any:
    """Numbers, texts, lists and dicts as JSON knows them: arrays become lists, what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value

"""Does the selection carve a shape into the mass spectrum?  What passes against what fails, at each threshold.

Pass is compared with *fail* and not with all events: all contain the passing ones, so that the two would be alike by
construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.common import (
    Train,
    checked_pair,
    permutation_p,
    plain,
    require_resolution,
    score_with,
    tail_size,
)
from cmslabs.evaluation.validation.homogeneity import mass_bins
from cmslabs.evaluation.validation.mass_permutations import permuted_statistics
from cmslabs.evaluation.validation.tails import LEAST

__all__ = ["Cut", "Sculpting", "find_sculpting", "sculpting_study"]


@dataclass(frozen=True)
class Cut:
    """One threshold.

    Attributes
    ----------
    fraction : float
        Share of the events that pass.
    threshold : float
    n_pass : int
        Events at the threshold or above.
    chi2, n_bins : float, int
        Of the homogeneity of pass and fail in `n_bins` mass bins, each with at least 5 expected events.
    chi2_p, chi2_p_permuted : float
        From the chi2 distribution with n_bins - 1 degrees of freedom, and from permutations.
    js : float
        Jensen-Shannon divergence of the two shapes [bit]: 0 alike, 1 disjoint.
    js_null : float
        Its median under permutations: of finite samples the divergence is never 0.
    js_p : float
        From permutations.
    edges, passing, failing : ndarray
        The bins [GeV] and their counts.
    """

    fraction: float
    threshold: float
    n_pass: int
    chi2: float
    n_bins: int
    chi2_p: float
    chi2_p_permuted: float
    js: float
    js_null: float
    js_p: float
    edges: np.ndarray = field(repr=False)
    passing: np.ndarray = field(repr=False)
    failing: np.ndarray = field(repr=False)

    @property
    def ratio(self) -> np.ndarray:
        """Share of the passing events in each bin over the share of the failing ones, shape (n_bins,)."""
        fail = self.failing / self.failing.sum()
        return np.divide(self.passing / self.passing.sum(), fail, out=np.full(len(fail), np.nan), where=fail > 0)


@dataclass(frozen=True)
class Sculpting:
    """Result of `find_sculpting` and `sculpting_study`.

    Attributes
    ----------
    spearman, spearman_p : float
        Rank correlation of score and mass, and its p-value from permutations, two-sided.
    tail_spearman, tail_spearman_p : float
        The same among the events that pass the tightest threshold.
    cuts : tuple of Cut
    refused : tuple of str
        Thresholds that too few events pass, in words.
    p_value : float
        Of the most unusual of all these numbers, from permutations that repeat them all.
    n_events, n_permutations : int
    alpha : float
        Probability of a false alarm.
    """

    spearman: float
    spearman_p: float
    tail_spearman: float
    tail_spearman_p: float
    cuts: tuple[Cut, ...]
    refused: tuple[str, ...]
    p_value: float
    n_events: int
    n_permutations: int
    alpha: float

    @property
    def verdict(self) -> str:
        """ "sculpted", or "flat": no dependence on the mass was seen."""
        return "sculpted" if self.p_value <= self.alpha else "flat"

    @property
    def alarm(self) -> bool:
        """Whether the selection changes the spectrum."""
        return self.verdict == "sculpted"

    @property
    def table(self) -> pd.DataFrame:
        """One row per threshold."""
        names = ["fraction", "threshold", "n_pass", "chi2", "n_bins", "chi2_p", "chi2_p_permuted", "js", "js_null"]
        return pd.DataFrame([{name: getattr(cut, name) for name in [*names, "js_p"]} for cut in self.cuts])

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON."""
        names = ("spearman", "spearman_p", "tail_spearman", "tail_spearman_p", "refused", "n_events", "n_permutations")
        facts = {name: getattr(self, name) for name in ("verdict", "p_value", "alpha", *names)}
        return plain({"study": "sculpting", **facts, "cuts": [vars(cut) for cut in self.cuts]})


def find_sculpting(
    scores: Any,
    mass: Any,
    *,
    fractions: Sequence[float] = (0.5, 0.1, 0.01),
    n_bins: int = 20,
    least: int = LEAST,
    n_permutations: int = 199,
    alpha: float = 0.05,
    random_state: int = 0,
) -> Sculpting:
    """Look for any dependence of a score on a mass.

    Parameters
    ----------
    scores : array_like, shape (n_events,)
        Of events that the score was not trained on.
    mass : array_like, shape (n_events,)
        [GeV]
    fractions : sequence of float
        Shares of the events that pass the thresholds.
    n_bins : int
        At most so many mass bins with equal numbers of events; fewer where a bin would expect less than 5 passing ones.
    least : int
        Thresholds that fewer events pass are refused.
    n_permutations : int
        Of the masses among the events.
    alpha : float
        Probability with which a score that has nothing to do with the mass is called sculpting.
    random_state : int

    Returns
    -------
    Sculpting

    Raises
    ------
    DataError
        If the arrays are no finite numbers of the same events, or no threshold is passed by enough of them.
    ConfigError
        If a setting is out of range, or so few permutations cannot give a p-value of `alpha`.

    Notes
    -----
    With many events the smallest dependence is significant: read `js` and `Cut.ratio` for its size.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> mass = 2000 + rng.exponential(600, 5000)
    >>> find_sculpting(rng.normal(size=5000), mass).verdict
    'flat'
    >>> found = find_sculpting(mass / 1000 + rng.normal(size=5000), mass)
    >>> found.verdict, round(found.spearman, 2), found.cuts[1].js > 5 * found.cuts[1].js_null
    ('sculpted', 0.42, True)
    """
    scores, mass = checked_pair(scores, mass)
    if n_bins < 2 or least < 10:
        raise ConfigError("a spectrum needs at least 2 bins, and a threshold at least 10 passing events.")
    require_resolution(n_permutations, alpha)
    order = np.argsort(-scores, kind="stable")
    falling, mass = scores[order], mass[order]
    sizes, refused = _sizes(falling, fractions, least)
    if not sizes:
        raise DataError("no threshold can be looked at.", remedy=" ".join(refused))
    bins = {fraction: mass_bins(mass, k, n_bins) for fraction, k in sizes.items()}
    rows, counts = permuted_statistics(falling, mass, sizes, bins, n_permutations, random_state)
    correlations, chi2, js = rows
    table = np.column_stack([np.abs(correlations), chi2, js])
    spread = table.std(axis=0)
    largest = ((table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).max(axis=1)
    p = [permutation_p(column[0], column[1:]) for column in table.T]
    cuts = []
    for number, (fraction, k) in enumerate(sizes.items()):
        one = bins[fraction]
        passing = counts[fraction][0]
        cuts.append(
            Cut(
                fraction=fraction,
                threshold=float(falling[k - 1]),
                n_pass=k,
                chi2=float(chi2[0, number]),
                n_bins=len(one.total),
                chi2_p=float(stats.chi2.sf(chi2[0, number], len(one.total) - 1)),
                chi2_p_permuted=p[2 + number],
                js=float(js[0, number]),
                js_null=float(np.median(js[1:, number])),
                js_p=p[2 + len(sizes) + number],
                edges=one.edges,
                passing=passing,
                failing=one.total - passing,
            )
        )
    return Sculpting(
        spearman=float(correlations[0, 0]),
        spearman_p=p[0],
        tail_spearman=float(correlations[0, 1]),
        tail_spearman_p=p[1],
        cuts=tuple(cuts),
        refused=tuple(refused),
        p_value=permutation_p(largest[0], largest[1:]),
        n_events=len(scores),
        n_permutations=n_permutations,
        alpha=alpha,
    )


def sculpting_study(train: Train, X_train: Any, X_test: Any, mass: Any, *, seed: int = 0, **options: Any) -> Sculpting:
    """Train on one part, and look for sculpting in another.

    Parameters
    ----------
    train : callable
        ``train(X, seed) -> scorer``.
    X_train, X_test : DataFrame or ndarray, shape (n_events, n_features)
    mass : array_like, shape (n_test,)
        Of the test events [GeV].
    seed : int
        Of the training.
    **options
        As in `find_sculpting`, which also names the errors.

    Returns
    -------
    Sculpting
    """
    return find_sculpting(score_with(train(X_train, seed), X_test), mass, **options)


def _sizes(falling: np.ndarray, fractions: Sequence[float], least: int) -> tuple[dict[float, int], list[str]]:
    """How many events pass each threshold, and which thresholds are refused, in words."""
    sizes, refused = {}, []
    for fraction in sorted(set(fractions), reverse=True):
        k = tail_size(fraction, len(falling))
        if k < least:
            needed = int(np.ceil(least / fraction - 1e-9))
            refused.append(f"A share of {100 * fraction:g} % needs N >= {needed} events, not {len(falling)}.")
            continue
        passing = int(np.searchsorted(-falling, -falling[k - 1], side="right"))  # All equal scores.
        if len(falling) - passing < least:
            refused.append(
                f"{passing} of {len(falling)} events have the score at {100 * fraction:g} % or a higher one."
            )
            continue
        sizes[fraction] = passing
    return sizes, refused

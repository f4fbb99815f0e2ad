"""Classifiers that never score an event they have seen: k folds, an ensemble of boosted trees for each.

A classifier that is asked about its own training events finds them again.  With a few thousand events and a few per
cent of them kept, that alone multiplies the yield of pure background (`in_sample=True` shows it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from cmslabs.errors import ConfigError, DataError
from cmslabs.jobs import chunk_seed
from cmslabs.models.checks import checked_labels

__all__ = ["FoldedTrees", "passing"]

#: Bins of each column, as many as scikit-learn's trees have.
_BINS = 255


@dataclass
class FoldedTrees:
    """Boosted trees on two samples, labelled 0 and 1, in k folds.

    Each fold has an ensemble of `members` classifiers, trained on the other folds.  They differ in which half of their
    events decides when to stop, so that each of them has seen another half: the mean of many is worth much more than
    one (A. Hallin and others, arXiv:2109.00546; T. Finke and others, arXiv:2309.13111).

    Parameters
    ----------
    folds : int
        At least 2.
    members : int
        Classifiers per fold.
    max_iter, learning_rate, max_leaf_nodes, l2_regularization
        Of scikit-learn's ``HistGradientBoostingClassifier``.
    validation_fraction : float
        Share of the events that decides when to stop.
    patience : int
        Trees without progress after which it stops.
    in_sample : bool
        Score every event by classifiers that were trained on it: wrong, and here to be shown failing.
    random_state : int
        Decides folds and members.

    Attributes
    ----------
    fold_ : ndarray of int, shape (n_events,)
        The fold of each training event.
    scores_ : ndarray, shape (n_events,)
        Log-odds for label 1 of each training event, from classifiers that have not seen it.
    y_, weights_ : ndarray, shape (n_events,)
        What it was trained on; the weights as they were given.
    models_ : list of list of HistGradientBoostingClassifier
        By fold and member.
    edges_ : list of ndarray
        Quantiles of each column; trees see which of them an event lies between.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(2000, 1)), np.repeat([0, 1], 1000)
    >>> model = FoldedTrees(folds=2, members=2, random_state=1).fit(X + 2 * y[:, None], y)
    >>> low, high = model.score([[0.0], [2.0]])
    >>> bool(low < 0 < high)
    True
    """

    folds: int = 5
    members: int = 4
    max_iter: int = 100
    learning_rate: float = 0.1
    max_leaf_nodes: int = 31
    l2_regularization: float = 0.0
    validation_fraction: float = 0.5
    patience: int = 10
    in_sample: bool = False
    random_state: int = 0

    def fit(self, X: Any, y: Any, weights: Any = None) -> Self:
        """Train all classifiers.

        Parameters
        ----------
        X : array_like, shape (n_events, n_features)
        y : array_like of int, shape (n_events,)
            0 for the background estimate, 1 for the data.
        weights : array_like, shape (n_events,), optional
            Not negative.  The two classes are trained with equal sums, whatever the sums are.

        Raises
        ------
        ConfigError
            If there are fewer than two folds, or no member.
        DataError
            If a class has fewer than two events per fold, or a weight is no weight.
        """
        if self.folds < 2 or self.members < 1:
            raise ConfigError(f"{self.folds} folds with {self.members} members are not possible.")
        X = np.asarray(X, dtype=np.float64)
        self.y_ = checked_labels("FoldedTrees", y, len(X))
        self.weights_ = checked_weights(weights, len(X))
        self._check_classes()
        self.edges_ = [np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)[1:-1])) for column in X.T]
        X = self._binned(X)
        rng = np.random.default_rng(self.random_state)
        self.fold_ = np.empty(len(X), dtype=np.int64)
        for label in (0, 1):
            rows = rng.permutation(np.flatnonzero(self.y_ == label))
            self.fold_[rows] = np.arange(len(rows)) % self.folds
        balanced = self.weights_.copy()
        for label in (0, 1):
            balanced[self.y_ == label] *= len(X) / 2 / balanced[self.y_ == label].sum()
        self.models_ = [self._ensemble(X, balanced, fold) for fold in range(self.folds)]
        self.scores_ = np.empty(len(X))
        for fold, ensemble in enumerate(self.models_):
            rows = self.fold_ == fold
            # In sample: by the ensemble of the next fold, which was trained on this one.
            used = self.models_[(fold + 1) % self.folds] if self.in_sample else ensemble
            self.scores_[rows] = _mean_score(used, X[rows])
        return self

    def score(self, X: Any) -> np.ndarray:
        """Log-odds for label 1 of events that no classifier has seen: the mean over all of them, shape (n_events,)."""
        X = self._binned(np.asarray(X, dtype=np.float64))
        return np.mean([_mean_score(ensemble, X) for ensemble in self.models_], axis=0)

    def score_of_fold(self, X: Any, fold: int) -> np.ndarray:
        """Log-odds from the classifiers that have not seen this fold, shape (n_events,)."""
        return _mean_score(self.models_[fold], self._binned(np.asarray(X, dtype=np.float64)))

    def passes(self, efficiency: float) -> np.ndarray:
        """Which training events pass a cut that keeps this share of label 0, shape (n_events,).

        Every fold has its own threshold, from its own events of label 0: the folds' classifiers have different scales.
        """
        return passing(self.scores_, self.fold_, self.y_ == 0, self.weights_, efficiency, self.random_state)

    def _binned(self, X: np.ndarray) -> np.ndarray:
        """Numbers of the bins: done once here, because each tree model would sort all weighted values again."""
        columns = [np.searchsorted(edges, column, side="right") for edges, column in zip(self.edges_, X.T, strict=True)]
        return np.column_stack(columns).astype(np.float64)

    def _ensemble(self, X: np.ndarray, weights: np.ndarray, fold: int) -> list[HistGradientBoostingClassifier]:
        rows = self.fold_ != fold
        ensemble = []
        for member in range(self.members):
            seed = chunk_seed(self.random_state, 1 + fold * self.members + member) % (1 << 32)
            model = HistGradientBoostingClassifier(
                max_iter=self.max_iter,
                learning_rate=self.learning_rate,
                max_leaf_nodes=self.max_leaf_nodes,
                l2_regularization=self.l2_regularization,
                early_stopping=True,
                validation_fraction=self.validation_fraction,
                n_iter_no_change=self.patience,
                random_state=seed,
            )
            # On some thousand events a second thread costs more than it gives.
            with threadpool_limits(1):
                ensemble.append(model.fit(X[rows], self.y_[rows], sample_weight=weights[rows]))
        return ensemble

    def _check_classes(self) -> None:
        for label, name in ((0, "the background estimate"), (1, "the data")):
            count = int((self.y_ == label).sum())
            if count < 2 * self.folds:
                raise DataError(
                    f"{count} events of {name} are too few for {self.folds} folds.",
                    remedy="Use fewer folds or more events.",
                )
            if not self.weights_[self.y_ == label].sum() > 0:
                raise DataError(f"the weights of {name} are all zero.")


def checked_weights(weights: Any, n: int) -> np.ndarray:
    """Weights of `n` events as floats; ones where there are none.

    Raises
    ------
    DataError
        If there are not `n`, or one is negative or not finite.
    """
    if weights is None:
        return np.ones(n)
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise DataError(f"weights must be {n} finite numbers from 0 on.", where="weights")
    return weights


def passing(
    scores: np.ndarray, fold: np.ndarray, estimate: np.ndarray, weights: np.ndarray, efficiency: float, seed: int
) -> np.ndarray:
    """Which events pass a cut that keeps this share of the estimate's weight, in every fold, shape (n_events,).

    The event that sets a threshold passes, too.  Without it, the estimate behind the cut would be too small by one
    event per fold: with k of n events above a threshold, others pass at a rate of (k + 1) / (n + 1).  Trees give many
    equal scores, and a lot decides among these.

    Parameters
    ----------
    scores, fold : ndarray, shape (n_events,)
    estimate : ndarray of bool, shape (n_events,)
        The events that thresholds are made from.
    weights : ndarray, shape (n_events,)
        Read for these.
    efficiency : float
    seed : int
        Of the lots.

    Examples
    --------
    >>> scores = np.array([0.1, 0.2, 0.3, 0.4, 0.35])
    >>> estimate = np.array([True, True, True, True, False])
    >>> passing(scores, np.zeros(5), estimate, np.ones(5), 0.5, 0).tolist()
    [False, False, True, True, True]
    """
    lots = np.random.default_rng([seed, 67]).random(len(scores))
    passed = np.zeros(len(scores), dtype=bool)
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        order = rows[np.lexsort((lots[rows], scores[rows]))[::-1]]
        kept = np.cumsum(np.where(estimate[order], weights[order], 0.0))
        # The first event with which the share is reached; rounding must not add another one.
        last = int(np.searchsorted(kept, efficiency * kept[-1] * (1 - 1e-12)))
        passed[order[: last + 1]] = True
    return passed


def _mean_score(ensemble: list[HistGradientBoostingClassifier], X: np.ndarray) -> np.ndarray:
    with threadpool_limits(1):
        return np.mean([model.decision_function(X) for model in ensemble], axis=0)

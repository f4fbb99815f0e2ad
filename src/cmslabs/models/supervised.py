"""The bound: a classifier that is told which events are signal.  No search in data has that, so no search beats it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from cmslabs.models.base import AnomalyModel
from cmslabs.models.storage import State
from cmslabs.models.trees import check_boosted

__all__ = ["BoostedTrees"]


class BoostedTrees(AnomalyModel):
    """Gradient-boosted trees on labelled events; the score is the log-odds for signal.

    Parameters
    ----------
    max_iter : int
        Most trees.
    learning_rate : float
        Share of each tree that is added.
    max_leaf_nodes : int
        Leaves of a tree.
    early_stopping : bool or "auto"
        Whether it stops when a tenth of the events, which it keeps back, is no longer described better; ``"auto"``
        does so from 10 000 events on.
    random_state : int or None
        As in scikit-learn.

    Attributes
    ----------
    classifier_ : sklearn.ensemble.HistGradientBoostingClassifier

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 1)), np.repeat([0, 1], 200)
    >>> low, high = BoostedTrees(random_state=0).fit(X + 2 * y[:, None], y).anomaly_score([[0.0], [2.0]])
    >>> bool(low < 0 < high)
    True
    """

    supervised = True

    def __init__(
        self,
        max_iter: int = 100,
        learning_rate: float = 0.1,
        max_leaf_nodes: int = 31,
        early_stopping: Any = "auto",
        random_state: Any = None,
    ):
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.early_stopping = early_stopping
        self.random_state = random_state

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        self.classifier_ = HistGradientBoostingClassifier(
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaf_nodes,
            early_stopping=self.early_stopping,
            random_state=self.random_state,
        ).fit(X, y)

    def _score(self, X: np.ndarray) -> np.ndarray:
        return self.classifier_.decision_function(X)

    def _restore(self, state: State) -> None:
        super()._restore(state)
        check_boosted(self.classifier_, self.n_features_in_)

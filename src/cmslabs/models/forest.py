"""Isolation forest: how few random cuts it takes to separate an event from all others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest as SklearnForest

from cmslabs.models.base import AnomalyModel
from cmslabs.models.storage import State
from cmslabs.models.trees import check_forest

__all__ = ["IsolationForest"]


class IsolationForest(AnomalyModel):
    """Minus scikit-learn's ``IsolationForest.score_samples``: 1 for events that a few cuts isolate, 0.5 for the crowd.

    The method is that of Liu, Ting and Zhou, ICDM 2008, doi:10.1109/ICDM.2008.17.  Cuts do not care about units, so
    nothing is standardised.

    Parameters
    ----------
    n_estimators : int
        Trees.
    max_samples : int, float or "auto"
        Events per tree: a number, a share, or the smaller of 256 and all.
    random_state : int or None
        As in scikit-learn.

    Attributes
    ----------
    forest_ : sklearn.ensemble.IsolationForest

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> model = IsolationForest(random_state=0).fit(rng.normal(size=(500, 2)))
    >>> centre, far = model.anomaly_score([[0.0, 0.0], [6.0, 6.0]])
    >>> bool(centre < 0.5 < far)
    True
    """

    def __init__(self, n_estimators: int = 100, max_samples: Any = "auto", random_state: Any = None):
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.random_state = random_state

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        self.forest_ = SklearnForest(
            n_estimators=self.n_estimators, max_samples=self.max_samples, random_state=self.random_state
        ).fit(X)

    def _score(self, X: np.ndarray) -> np.ndarray:
        return -self.forest_.score_samples(X)

    def _restore(self, state: State) -> None:
        super()._restore(state)
        check_forest(self.forest_, self.n_features_in_)

"""From an estimator of the model contract to ``train(X, seed) -> scorer``, and a score without training beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmslabs.errors import ConfigError
from cmslabs.evaluation.validation.common import Scorer, Train

__all__ = ["norm_trainer", "trainer"]


def trainer(estimator: Any) -> Train:
    """How to train copies of an estimator.

    Parameters
    ----------
    estimator : object
        With ``fit``, ``anomaly_score``, ``get_params`` and ``set_params``, as every model of `cmslabs.models`.  It is
        copied, not changed.  One that needs labels gets random ones: it learns a signal that is none.

    Returns
    -------
    callable
        ``train(X, seed) -> scorer``; the seed becomes the estimator's ``random_state``, if it has one.

    Raises
    ------
    ConfigError
        If a method is missing.
    """
    for method in ("fit", "anomaly_score", "get_params", "set_params"):
        if not callable(getattr(estimator, method, None)):
            raise ConfigError(
                f"{type(estimator).__name__} has no method {method}: it does not keep the contract of the models.",
                remedy="Give a model of cmslabs.models, not fitted: make_model('pca').",
            )
    if isinstance(estimator, type):
        raise ConfigError(f"{estimator.__name__} is a class.", remedy=f"Give an instance: {estimator.__name__}().")
    seeded = "random_state" in estimator.get_params(deep=False)
    labelled = _needs_labels(estimator)

    def train(X: Any, seed: int) -> Scorer:
        from sklearn.base import clone

        model = clone(estimator)
        if seeded:
            model.set_params(random_state=int(seed))
        if labelled:
            model.fit(X, np.random.default_rng(seed).integers(2, size=len(X)))
        else:
            model.fit(X)
        return model.anomaly_score

    return train


def norm_trainer(X: Any, seed: int = 0) -> Scorer:
    """Distance from the mean event in standard deviations of the columns: a score that hardly learns anything.

    Examples
    --------
    >>> norm_trainer([[-1.0, 10.0], [1.0, 30.0]])([[0.0, 20.0], [3.0, 60.0]]).tolist()
    [0.0, 5.0]
    """
    X = np.asarray(X, dtype=float)
    mean, spread = X.mean(axis=0), X.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return lambda events: np.linalg.norm((np.asarray(events, dtype=float) - mean) / spread, axis=1)


def _needs_labels(estimator: Any) -> bool:
    tags = getattr(estimator, "__sklearn_tags__", None)
    return bool(tags is not None and tags().target_tags.required)

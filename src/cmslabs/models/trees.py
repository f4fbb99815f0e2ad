"""Trees that come from a file: scikit-learn follows their branches without looking, so we look first."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmslabs.errors import DataError

__all__ = ["check_boosted", "check_forest"]


def check_forest(forest: Any, n_features: int) -> None:
    """Refuse a fitted ``IsolationForest`` with a branch that leads nowhere or to a column that does not exist.

    Raises
    ------
    DataError
        A tree like this would read memory that is not its own, or never end.
    """
    for estimator in forest.estimators_:
        tree = estimator.tree_
        leaf = tree.children_left < 0
        _check(tree.children_left, tree.children_right, leaf, tree.feature, n_features)


def check_boosted(classifier: Any, n_features: int) -> None:
    """The same for a fitted ``HistGradientBoostingClassifier``.

    Raises
    ------
    DataError
        As `check_forest`.
    """
    for predictor in (one for iteration in classifier._predictors for one in iteration):
        nodes = predictor.nodes
        if nodes["is_categorical"].any():
            raise DataError("holds trees with categories, which our models do not have.")
        _check(nodes["left"], nodes["right"], nodes["is_leaf"] != 0, nodes["feature_idx"], n_features)


def _check(left: np.ndarray, right: np.ndarray, leaf: np.ndarray, feature: np.ndarray, n_features: int) -> None:
    inner = np.flatnonzero(~leaf)
    for branch in (left, right):
        child = branch[inner].astype(np.int64)
        # A child stands behind its parent, so that every way ends.
        if ((child <= inner) | (child >= len(leaf))).any():
            raise DataError("holds a tree whose branches lead nowhere.", remedy="Do not open files of unknown origin.")
    column = feature[inner].astype(np.int64)
    if len(leaf) == 0 or ((column < 0) | (column >= n_features)).any():
        raise DataError("holds a tree that asks for a column that does not exist.", remedy="Save the model again.")

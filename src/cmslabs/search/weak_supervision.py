"""Weak supervision: two mixed samples instead of labels.

If two samples differ only in their share of signal, the best classifier between them is the best classifier between
signal and background (E. Metodiev, B. Nachman, J. Thaler, "Classification without labels", arXiv:1708.02949).  Here the
first sample are the data of the signal region; the second is what a method says of their background.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.search.estimate import Estimate
from cmslabs.search.folds import FoldedTrees
from cmslabs.search.tables import columns_of

__all__ = ["classify", "supervised"]


def classify(
    data: pd.DataFrame, background: Estimate, features: Sequence[str], random_state: int = 0, **parameters: Any
) -> FoldedTrees:
    """A classifier between data and a background estimate, in folds: see `cmslabs.search.folds.FoldedTrees`.

    The estimate's events come first in what it was trained on, the data after them.

    Parameters
    ----------
    data : DataFrame
        Events of the signal region.
    background : Estimate
    features : sequence of str
        Columns that the classifier sees.  The context must not be among them: it tells the regions apart.
    random_state : int
    **parameters
        Of `FoldedTrees`.

    Raises
    ------
    MissingBranchError, DataError
        If a column is missing, or there are too few events.
    """
    X = np.concatenate([columns_of(part, features) for part in (background.table, data)])
    y = np.repeat([0, 1], [len(background.table), len(data)])
    weights = np.concatenate([background.weights, np.ones(len(data))])
    return FoldedTrees(random_state=random_state, **parameters).fit(X, y, weights)


def supervised(
    background: pd.DataFrame, signal: pd.DataFrame, features: Sequence[str], random_state: int = 0, **parameters: Any
) -> FoldedTrees:
    """The bound: true signal against true background, which no search in data has."""
    return classify(signal, Estimate(background, np.ones(len(background))), features, random_state, **parameters)

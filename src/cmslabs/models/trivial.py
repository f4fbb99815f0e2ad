"""Scores without a model.  Every table shows them: what does not beat them has learnt nothing worth having."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmslabs.models.base import AnomalyModel, ModelInputError
from cmslabs.models.checks import column_position
from cmslabs.models.scaling import Scale

__all__ = ["Norm", "SingleFeature", "Tau21Sum"]


class Norm(AnomalyModel):
    """Distance from the mean event, in standard deviations of the columns.

    Attributes
    ----------
    mean_, spread_ : ndarray, shape (n_features,)
        Of the columns, in their units.

    Examples
    --------
    >>> model = Norm().fit([[-1.0, 10.0], [1.0, 30.0]])
    >>> model.anomaly_score([[0.0, 20.0], [3.0, 60.0]]).tolist()
    [0.0, 5.0]
    """

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        scale = Scale.of(X)
        self.mean_, self.spread_ = scale.mean, scale.spread

    def _score(self, X: np.ndarray) -> np.ndarray:
        return np.linalg.norm(Scale(self.mean_, self.spread_)(X), axis=1)


class SingleFeature(AnomalyModel):
    """One column as it is, or with its sign turned round.

    Parameters
    ----------
    column : str or int
        Its name, or its position in a table without names.
    sign : 1 or -1
        Whether large or small values are unusual.

    Attributes
    ----------
    position_ : int
        Of the column.

    Examples
    --------
    >>> SingleFeature(column=1, sign=-1).fit([[1.0, 2.0], [3.0, 5.0]]).anomaly_score([[9.0, 4.0]]).tolist()
    [-4.0]
    """

    def __init__(self, column: str | int = 0, sign: int = 1):
        self.column = column
        self.sign = sign

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        if self.sign not in (1, -1):
            raise ModelInputError(f"sign={self.sign!r} is no sign.", remedy="Give 1 or -1.")
        self.position_ = column_position(self, self.column, X.shape[1])

    def _score(self, X: np.ndarray) -> np.ndarray:
        return self.sign * X[:, self.position_]


class Tau21Sum(AnomalyModel):
    """Minus the sum of the tau21 of both jets: high if both look like two prongs.

    It has been told what a signal looks like, by a physicist and not by data.  (N-subjettiness: J. Thaler and
    K. Van Tilburg, JHEP 03 (2011) 015, doi:10.1007/JHEP03(2011)015.)

    Parameters
    ----------
    columns : sequence of str or int
        Names, or positions in a table without names.  The default are those of
        `cmslabs.features.dijets.detector_features`.

    Attributes
    ----------
    positions_ : list of int
        Of the columns.

    Examples
    --------
    >>> model = Tau21Sum(columns=(0, 1)).fit([[0.25, 0.5], [0.75, 1.0]])
    >>> model.anomaly_score([[0.25, 0.5], [0.75, 0.75]]).tolist()
    [-0.75, -1.5]
    """

    def __init__(self, columns: Sequence[str | int] = ("tau21_light", "tau21_heavy")):
        self.columns = columns

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        if isinstance(self.columns, str) or not len(self.columns):
            raise ModelInputError(f"columns={self.columns!r} is no list of columns.", remedy="Give a list of names.")
        self.positions_ = [column_position(self, column, X.shape[1]) for column in self.columns]

    def _score(self, X: np.ndarray) -> np.ndarray:
        return -X[:, self.positions_].sum(axis=1)

"""PCA: how far an event lies from the plane in which ordinary events vary most."""

from __future__ import annotations

import numpy as np

from cmslabs.models.base import AnomalyModel, ModelInputError
from cmslabs.models.scaling import Scale

__all__ = ["PCA"]


class PCA(AnomalyModel):
    r"""Squared distance from the plane of the first principal components, in standardised columns.

    With :math:`z` the standardised event and :math:`V` the ``n_components`` directions of largest variance, the score
    is :math:`\lVert z - V^T V z \rVert^2`: what the plane cannot say about the event.

    Parameters
    ----------
    n_components : int
        Dimensions of the plane; fewer than columns, otherwise nothing would be left over.

    Attributes
    ----------
    components_ : ndarray, shape (n_components, n_features)
        Unit vectors, by falling variance.
    explained_variance_ratio_ : ndarray, shape (n_components,)
        Share of the variance along each.
    mean_, spread_ : ndarray, shape (n_features,)
        Of the columns, in their units.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> line = rng.normal(size=(500, 1)) * [1.0, 2.0] + 0.01 * rng.normal(size=(500, 2))
    >>> PCA(n_components=1).fit(line).anomaly_score([[1.0, 2.0], [1.0, -2.0]]).round().tolist()
    [0.0, 2.0]
    """

    def __init__(self, n_components: int = 2):
        self.n_components = n_components

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        k, n_features = self.n_components, X.shape[1]
        if not isinstance(k, int | np.integer) or k < 1:
            raise ModelInputError(f"n_components={k!r} is no number of dimensions.", remedy="Give a whole number >= 1.")
        if k >= n_features:
            raise ModelInputError(
                f"n_components={k} leaves nothing over in a table with n_features={n_features}.",
                remedy="Take fewer components than columns.",
            )
        scale = Scale.of(X)
        _, stretch, directions = np.linalg.svd(scale(X), full_matrices=False)
        if len(directions) < k:
            raise ModelInputError(f"{len(X)} rows do not span {k} components.", remedy="Give more rows.")
        self.mean_, self.spread_ = scale.mean, scale.spread
        self.components_ = directions[:k]
        self.explained_variance_ratio_ = stretch[:k] ** 2 / np.sum(stretch**2)

    def _score(self, X: np.ndarray) -> np.ndarray:
        z = Scale(self.mean_, self.spread_)(X)
        return np.square(z - z @ self.components_.T @ self.components_).sum(axis=1)

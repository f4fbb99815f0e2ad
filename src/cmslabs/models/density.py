"""Densities: an event is unusual where few others are.  In standardised columns, because a density needs distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture as SklearnMixture

from cmslabs.models.base import AnomalyModel, ModelInputError
from cmslabs.models.scaling import Scale

__all__ = ["KDE", "GaussianMixture"]

#: Events that are compared with the training sample at once: more would not fit the processor's cache.
_ROWS = 128


class KDE(AnomalyModel):
    r"""Kernel density: a Gaussian bell on every event of the training; the score is minus the log of their mean.

    Parameters
    ----------
    bandwidth : float or "scott"
        Width of the bells, in standard deviations of the columns.  ``"scott"`` is :math:`n^{-1/(d+4)}` for :math:`n`
        events in :math:`d` columns (D. W. Scott, *Multivariate Density Estimation*, doi:10.1002/9780470316849).

    Attributes
    ----------
    events_ : ndarray, shape (n_events, n_features)
        The standardised events; a KDE *is* its training sample.
    bandwidth_ : float
    mean_, spread_ : ndarray, shape (n_features,)
        Of the columns, in their units.

    Notes
    -----
    Every event is compared with every event of the training: 200 million pairs take some six seconds.  A few thousand
    events make a good density in four columns.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> model = KDE().fit(rng.normal(size=(500, 1)))
    >>> round(model.bandwidth_, 3)
    0.289
    >>> model.anomaly_score([[0.0], [3.0]]).round(1).tolist()
    [1.0, 5.1]
    """

    def __init__(self, bandwidth: float | str = "scott"):
        self.bandwidth = bandwidth

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        n, d = X.shape
        if self.bandwidth == "scott":
            self.bandwidth_ = float(n ** (-1 / (d + 4)))
        elif isinstance(self.bandwidth, str) or not 0 < self.bandwidth < np.inf:
            raise ModelInputError(
                f"bandwidth={self.bandwidth!r} is no width.",
                remedy='Give a number of standard deviations above 0, or "scott".',
            )
        else:
            self.bandwidth_ = float(self.bandwidth)
        scale = Scale.of(X)
        self.mean_, self.spread_ = scale.mean, scale.spread
        self.events_ = scale(X)

    def _score(self, X: np.ndarray) -> np.ndarray:
        n, d = self.events_.shape
        log_norm = np.log(n) + d * np.log(self.bandwidth_ * np.sqrt(2 * np.pi))
        z = Scale(self.mean_, self.spread_)(X)
        parts = [z[start : start + _ROWS] for start in range(0, len(z), _ROWS)]
        return log_norm - np.concatenate([self._log_sum(part) for part in parts])

    def _log_sum(self, z: np.ndarray) -> np.ndarray:
        """Log of the sum of all bells at each row; scaled by the nearest one, so that it is finite far away, too."""
        width = self.bandwidth_ * np.sqrt(2)
        here, there = z / width, self.events_ / width
        exponent = 2 * here @ there.T
        exponent -= np.square(there).sum(axis=1)
        exponent -= np.square(here).sum(axis=1)[:, None]
        nearest = exponent.max(axis=1)
        exponent -= nearest[:, None]
        return nearest + np.log(np.exp(exponent, out=exponent).sum(axis=1))


class GaussianMixture(AnomalyModel):
    r"""A sum of Gaussians in standardised columns; the score is minus the log of its density.

    Parameters
    ----------
    n_components : int
        Gaussians.
    n_init : int
        Starts, of which the best is kept: the fit ends in a local optimum.
    random_state : int or None
        As in scikit-learn.

    Attributes
    ----------
    mixture_ : sklearn.mixture.GaussianMixture
        Of the standardised events, with full covariances.
    mean_, spread_ : ndarray, shape (n_features,)
        Of the columns, in their units.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> two_hills = rng.normal(size=(1000, 1)) + rng.choice([-5.0, 5.0], size=(1000, 1))
    >>> between, on_one = GaussianMixture(2, random_state=0).fit(two_hills).anomaly_score([[0.0], [5.0]])
    >>> bool(between > on_one + 5)
    True
    """

    def __init__(self, n_components: int = 5, n_init: int = 1, random_state: Any = None):
        self.n_components = n_components
        self.n_init = n_init
        self.random_state = random_state

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        if isinstance(self.n_components, int) and len(X) < self.n_components:
            raise ModelInputError(
                f"{len(X)} rows are too few for {self.n_components} Gaussians.",
                remedy="Give more events, or fewer n_components.",
            )
        scale = Scale.of(X)
        self.mean_, self.spread_ = scale.mean, scale.spread
        self.mixture_ = SklearnMixture(
            self.n_components, n_init=self.n_init, max_iter=300, random_state=self.random_state
        ).fit(scale(X))

    def _score(self, X: np.ndarray) -> np.ndarray:
        return -self.mixture_.score_samples(Scale(self.mean_, self.spread_)(X))

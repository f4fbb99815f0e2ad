"""Events as points in a plane, for the eye: principal components, or t-SNE.

t-SNE and not UMAP: it comes with scikit-learn, on which the package stands anyway, while umap-learn would bring two
more packages and a compiler that runs for seconds at the first call.  The price: t-SNE places no new events, and takes
ten seconds or more for two thousand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cmslabs.errors import ConfigError, DataError

__all__ = ["METHODS", "embed"]

METHODS = ("pca", "tsne")
#: More events than this are a matter of minutes.
MOST_TSNE = 5_000


def embed(X: Any, method: str = "pca", perplexity: float = 30.0, random_state: int = 0) -> np.ndarray:
    """Two numbers for each event, such that similar events lie close together.

    Columns are standardised first, so that their units do not matter.

    Parameters
    ----------
    X : array_like or DataFrame, shape (n_events, n_features)
        Finite, at least two columns.
    method : str
        ``"pca"``: the two directions in which the events spread most; distances mean something.  ``"tsne"``: keeps
        neighbours together (L. van der Maaten, G. Hinton, J. Mach. Learn. Res. 9 (2008) 2579); the size of a cluster
        and the distance of two clusters mean nothing, and clusters appear even where none are.
    perplexity : float
        Of t-SNE: about how many neighbours an event has; less than a third of the events.
    random_state : int
        Seed of t-SNE.

    Returns
    -------
    ndarray, shape (n_events, 2)
        The sign of a principal component is chosen such that its largest weight is positive.

    Raises
    ------
    ConfigError
        If there is no such method, or `perplexity` does not fit.
    DataError
        If X has less than two columns that vary, less than three rows, a value that is not finite, or too many rows
        for t-SNE.

    Examples
    --------
    >>> embed([[0.0, 0.0, 1.0], [1.0, 1.0, 1.5], [2.0, 2.0, 0.0]]).round(1).tolist()
    [[-1.6, -0.7], [-0.5, 0.9], [2.2, -0.3]]
    """
    if method not in METHODS:
        raise ConfigError(f"there is no embedding '{method}'.", remedy=f"There are: {', '.join(METHODS)}.")
    columns = _standardised(X)
    if method == "pca":
        _, _, directions = np.linalg.svd(columns, full_matrices=False)
        largest = np.abs(directions[:2]).argmax(axis=1)
        signs = np.sign(directions[[0, 1], largest])
        return columns @ (directions[:2] * signs[:, None]).T
    if len(columns) > MOST_TSNE:
        raise DataError(
            f"t-SNE of {len(columns)} events takes too long.", remedy=f"Draw at most {MOST_TSNE} of them at random."
        )
    if not 1 <= perplexity < len(columns) / 3:
        raise ConfigError(
            f"a perplexity of {perplexity:g} does not fit {len(columns)} events.",
            remedy="It must be at least 1 and less than a third of the events.",
        )
    from sklearn.manifold import TSNE

    model = TSNE(perplexity=perplexity, init="pca", random_state=random_state, n_jobs=1)
    return model.fit_transform(columns).astype(np.float64)


def _standardised(X: Any) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1; constant ones are left out."""
    try:
        array = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the table does not hold numbers ({error}).", remedy="Choose its columns of numbers."
        ) from error
    if array.ndim != 2 or len(array) < 3:
        raise DataError(f"a map needs a table of at least three events, not an array of shape {array.shape}.")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        row, column = bad[0]
        name = X.columns[column] if hasattr(X, "columns") else column
        raise DataError(f"column '{name}' holds a value that is NaN or inf.", where=f"row {row}")
    centred = array - array.mean(axis=0)
    spread = centred.std(axis=0)
    varies = spread > 1e-12 * np.abs(array).max(axis=0)
    if varies.sum() < 2:
        raise DataError(
            f"{varies.sum()} of {array.shape[1]} columns vary: a plane needs two.", remedy="Give more columns."
        )
    return centred[:, varies] / spread[varies]

"""Maps of events: principal components against scikit-learn, t-SNE by what it promises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.embedding import METHODS, embed


def blobs(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(n, 5)), rng.normal(size=(n, 5)) + 6]), np.repeat([0, 1], n)


def test_principal_components_are_those_of_scikit_learn():
    X = np.random.default_rng(1).normal(size=(200, 4)) @ np.random.default_rng(2).normal(size=(4, 4))
    theirs = PCA(2).fit_transform((X - X.mean(axis=0)) / X.std(axis=0))
    ours = embed(X)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-9)


def test_units_and_constant_columns_do_not_matter():
    X, _ = blobs()
    scaled = np.column_stack([1000 * X[:, 0] - 7, X[:, 1:], np.full(len(X), 3.0)])
    np.testing.assert_allclose(embed(X), embed(scaled), atol=1e-9)
    np.testing.assert_allclose(embed(pd.DataFrame(X)), embed(X))


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_stay_together(method):
    X, kind = blobs()
    points = embed(X, method, perplexity=15)
    assert points.shape == (120, 2)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(len(points))
    assert (kind[distance.argmin(axis=1)] == kind).mean() > 0.98


def test_the_same_seed_gives_the_same_map():
    X, _ = blobs(40)
    assert (embed(X, "tsne", perplexity=10) == embed(X, "tsne", perplexity=10)).all()


@pytest.mark.parametrize(
    ("X", "reason"),
    [
        (np.zeros((10, 3)), "0 of 3 columns vary"),
        (np.arange(20.0).reshape(10, 2)[:, :1], "1 of 1 columns vary"),
        (np.zeros((2, 3)), "at least three events"),
        (np.zeros(10), "at least three events"),
        ([["a", "b"], ["c", "d"], ["e", "f"]], "does not hold numbers"),
        (pd.DataFrame({"mass": [1.0, np.nan, 2.0], "tau21": [1.0, 2.0, 3.0]}), "row 1: column 'mass'"),
    ],
)
def test_bad_tables(X, reason):
    with pytest.raises(DataError, match=reason):
        embed(X)


def test_bad_settings():
    X, _ = blobs(20)
    with pytest.raises(ConfigError, match="there is no embedding 'umap'"):
        embed(X, "umap")
    with pytest.raises(ConfigError, match="less than a third"):
        embed(X, "tsne", perplexity=30)
    with pytest.raises(DataError, match="takes too long"):
        embed(np.random.default_rng(0).normal(size=(5001, 2)), "tsne")

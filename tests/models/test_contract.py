"""What every registered model promises, tried with every one of them: a new line in the registry is a new test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from examples import LEARN_NOTHING, QUICK, Example, all_examples
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from cmslabs.errors import CmslabsError
from cmslabs.models.base import AnomalyModel, ModelInputError, NotFittedModelError
from cmslabs.models.registry import MODELS, model_class

pytest.importorskip("torch", reason="needs the extra torch")
EXAMPLES = all_examples()
TABULAR = [example for example in EXAMPLES if not example.images]
IMAGES = [example for example in EXAMPLES if example.images]


@pytest.fixture(params=EXAMPLES, ids=str)
def example(request) -> Example:
    """Each model in turn."""
    return request.param


@pytest.fixture(params=TABULAR, ids=str)
def tabular(request) -> Example:
    """Each model that takes a table."""
    return request.param


@pytest.fixture(params=IMAGES, ids=str)
def imaging(request) -> Example:
    """Each model that takes images."""
    return request.param


def test_every_line_of_the_registry_is_tried():
    assert {example.name for example in EXAMPLES} == set(MODELS)
    assert set(QUICK) <= set(MODELS)
    assert len(TABULAR) >= 8
    assert IMAGES


def test_a_model_is_an_estimator_of_the_common_kind(example):
    model = example.model()
    assert isinstance(model, AnomalyModel)
    assert model_class(example.name) is type(model)
    # scikit-learn must not add methods of its own, with a text for its own manual.
    assert not hasattr(model, "set_fit_request")
    assert [name for name in vars(model) if name.endswith("_") or name not in model.get_params()] == []


def test_fit_learns_something(example):
    fresh = example.model()
    assert example.fit(fresh) is fresh
    assert {"n_features_in_"} < {name for name in vars(fresh) if name.endswith("_")}
    other = example.fit(example.model(), seed=7)
    X = example.usual(seed=20)
    differs = not np.array_equal(fresh.anomaly_score(X), other.anomaly_score(X))
    assert differs == (example.name not in LEARN_NOTHING)


def test_fit_changes_neither_parameters_nor_events(example):
    model = example.model()
    before = repr(sorted(model.get_params().items(), key=str))
    X = example.usual(n=120).copy()
    y = np.arange(len(X)) % 2
    X_before = X.copy()
    model.fit(X, y)
    model.anomaly_score(X)
    assert repr(sorted(model.get_params().items(), key=str)) == before
    assert np.array_equal(np.asarray(X), np.asarray(X_before))


def test_scores_are_finite_and_not_constant(example):
    score = example.fitted().anomaly_score(example.usual(seed=20))
    assert score.shape == (300,)
    assert score.dtype == np.float64
    assert np.isfinite(score).all()
    # Labelled trees on a clear difference know few answers.
    assert len(np.unique(score)) > (2 if example.fitted()._needs_labels() else 100)


def test_score_samples_is_the_negative(example):
    X = example.usual(seed=20)
    assert np.array_equal(example.fitted().score_samples(X), -example.fitted().anomaly_score(X))


def test_unusual_events_score_higher(example):
    model = example.fitted()
    usual, unusual = (model.anomaly_score(X) for X in (example.usual(seed=20), example.unusual()))
    ranks = rankdata(np.concatenate([usual, unusual]))
    auc = (ranks[len(usual) :].mean() - (len(unusual) + 1) / 2) / len(usual)
    assert auc > 0.9


def test_same_seed_same_scores(example):
    X = example.usual(seed=20)
    again = example.model()
    np.random.seed(99)  # noqa: NPY002  The global generator must not matter.
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    example.fit(again)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert np.array_equal(again.anomaly_score(X), example.fitted().anomaly_score(X))


def test_another_seed_is_another_training(example):
    if not example.seeded or example.name in ("boosted-trees", "gaussian-mixture"):
        # Trees on few events do not draw anything; a mixture may well end in the same optimum.
        return
    X = example.usual(seed=20)
    if dict(example.parameters).get("model") in ("boosted-trees", "gaussian-mixture"):
        return
    assert not np.array_equal(example.fitted(seed=2).anomaly_score(X), example.fitted().anomaly_score(X))


def test_a_clone_is_not_fitted_and_learns_the_same(example):
    copy = clone(example.fitted())
    assert not [name for name in vars(copy) if name.endswith("_")]
    X = example.usual(seed=20)
    assert np.array_equal(example.fit(copy).anomaly_score(X), example.fitted().anomaly_score(X))


def test_a_second_fit_forgets_the_first(example):
    model = example.fit(example.model(), seed=7)
    X = example.usual(seed=20)
    assert np.array_equal(example.fit(model).anomaly_score(X), example.fitted().anomaly_score(X))


def test_a_row_has_its_score_whatever_stands_beside_it(example):
    X = example.usual(seed=20)
    score = example.fitted().anomaly_score(X)
    order = np.random.default_rng(0).permutation(len(X))
    shuffled = X.iloc[order] if isinstance(X, pd.DataFrame) else X[order]
    np.testing.assert_allclose(example.fitted().anomaly_score(shuffled), score[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(example.fitted().anomaly_score(X[:1]), score[:1], rtol=1e-5, atol=1e-6)


def test_a_saved_model_gives_the_same_scores(example, tmp_path):
    model, X = example.fitted(), example.usual(seed=20)
    model.save(tmp_path / "model.zip")
    for again in (type(model).load(tmp_path / "model.zip"), AnomalyModel.load(tmp_path / "model.zip")):
        assert type(again) is type(model)
        assert np.array_equal(again.anomaly_score(X), model.anomaly_score(X))
        assert again.get_params() == model.get_params()
        assert again.n_features_in_ == model.n_features_in_
    again.save(tmp_path / "again.zip")
    assert np.array_equal(AnomalyModel.load(tmp_path / "again.zip").anomaly_score(X), model.anomaly_score(X))
    if example.seeded and not model._needs_labels():
        assert np.array_equal(clone(again).fit(example.usual()).anomaly_score(X), model.anomaly_score(X))


def test_without_fit_there_is_no_score_and_no_file(example, tmp_path):
    for action in (
        lambda model: model.anomaly_score(example.usual()),
        lambda model: model.score_samples(example.usual()),
        lambda model: model.save(tmp_path / "model.zip"),
    ):
        with pytest.raises(NotFittedModelError, match=r"is not fitted yet\. Call fit") as caught:
            action(example.model())
        assert isinstance(caught.value, NotFittedError)
    assert not list(tmp_path.iterdir())


# Bad input: an error that says what is wrong, and that is one of ours.


def refused(model: AnomalyModel, X: object, match: str, y: object = None) -> None:
    """Fit must say this."""
    y = np.arange(len(X)) % 2 if y is None else y
    with pytest.raises(ModelInputError, match=match) as caught:
        model.fit(X, y)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, CmslabsError)


def test_fewer_than_two_events_are_refused(example):
    refused(example.model(), example.usual()[:1], "1 sample|1 images are too few")
    refused(example.model(), example.usual()[:0], "0 sample|0 images are too few")


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_hole_is_refused_and_its_column_named(tabular, hole):
    table = tabular.usual().copy()
    table.loc[[3, 8], "dmj"] = hole
    refused(tabular.model(), table, r"row 3: column 'dmj' holds 2 values that are NaN or inf")
    with pytest.raises(ModelInputError, match="row 3: column 'dmj' holds 2"):
        tabular.fitted().anomaly_score(table)


def test_a_hole_in_an_array_is_refused(tabular):
    values = tabular.usual().to_numpy(copy=True)
    values[5, 2] = np.nan
    refused(tabular.model(), values, r"row 5: column 2 holds 1 values that are NaN or inf")


def test_a_hole_in_an_image_is_refused(imaging):
    images = imaging.usual().copy()
    images[4, 1, 2] = np.nan
    refused(imaging.model(), images, "NaN")


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_a_constant_column_is_refused_and_named(tabular, value):
    table = tabular.usual().copy()
    table["dmj"] = value
    refused(tabular.model(), table, r"column 'dmj' is constant \(.* in every row\)")


def test_images_that_are_all_the_same_are_refused(imaging):
    refused(imaging.model(), np.repeat(imaging.usual()[:1], 50, axis=0), "all .* images are the same")


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_other_columns_than_in_fit_are_refused(tabular):
    model, table = tabular.fitted(), tabular.usual()
    for wrong, match in (
        (table.rename(columns={"dmj": "delta"}), r"unseen at fit time: - delta .* now missing: - dmj"),
        (table.drop(columns="dmj"), r"now missing: - dmj"),
        (table.assign(mjj=3000.0), r"unseen at fit time: - mjj"),
        (table[table.columns[::-1]], r"same order"),
        (table.to_numpy()[0], r"Expected 2D array"),
    ):
        with pytest.raises(ModelInputError, match=match):
            model.anomaly_score(wrong)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_another_number_of_columns_is_refused(tabular):
    with pytest.raises(ModelInputError, match=r"X has 3 features, but .* is expecting 4 features"):
        tabular.fitted().anomaly_score(tabular.usual().to_numpy()[:, :3])


def test_images_of_another_shape_are_refused(imaging):
    with pytest.raises(ModelInputError, match=r"fitted to images of shape \(1, 12, 12\), .*\(1, 10, 10\)"):
        imaging.fitted().anomaly_score(imaging.usual()[:, 1:-1, 1:-1])


def test_text_in_a_column_is_refused(tabular):
    table = tabular.usual().astype({"dmj": object})
    table.loc[0, "dmj"] = "heavy"
    refused(tabular.model(), table, "heavy")


def test_labels_that_teach_nothing_are_refused(tabular):
    model, X = tabular.model(), tabular.usual()
    if not model._needs_labels():
        assert np.isfinite(model.fit(X, np.zeros(len(X))).anomaly_score(X)).all()
        return
    with pytest.raises(ModelInputError, match="requires y to be passed"):
        model.fit(X)
    refused(model, X, r"one class only \(0", np.zeros(len(X)))
    refused(model, X, "hold 3 values", np.arange(len(X)) % 3)
    refused(model, X, "Unknown label type", np.repeat(["qcd", "signal"], len(X) // 2))
    refused(model, X, "Unknown label type", np.where(np.arange(len(X)) % 2, np.nan, 0.0))
    refused(model, X, "300 rows need 300 labels", np.zeros(7))


def test_labels_may_be_any_two_numbers(tabular):
    if not tabular.model()._needs_labels():
        return
    X = pd.concat([tabular.usual(), tabular.unusual()])
    y = np.repeat([0, 1], 300)
    scores = [tabular.model().fit(X, labels).anomaly_score(X) for labels in (y, y == 1, 2 * y - 1, y[:, None])]
    assert all(np.array_equal(score, scores[0]) for score in scores)
    assert scores[0][y == 1].min() > scores[0][y == 0].max()

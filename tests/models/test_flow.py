"""The flow as a model: columns and their roles, coordinates, far-out events, files, and what it refuses."""

from __future__ import annotations

import json
import zipfile
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("nflows", reason="needs the extra torch")

from cmslabs.errors import CmslabsError, ConfigError, DataError  # noqa: E402
from cmslabs.models.base import AnomalyModel, ModelInputError, NotFittedModelError  # noqa: E402
from cmslabs.models.flow import Flow, negative_log_density  # noqa: E402
from cmslabs.models.redundancy import RedundantColumnsError  # noqa: E402
from cmslabs.models.registry import make_model  # noqa: E402

SMALL = {
    "n_layers": 2,
    "widths": (12,),
    "bins": 5,
    "epochs": 3,
    "batch_size": 100,
    "learning_rate": 1e-2,
    "device": "cpu",
    "random_state": 3,
}
ALL_ROLES = {"context": ("mjj",), "integers": ("n",), "coordinates": "quantile"}


def table(n: int = 400, seed: int = 1) -> pd.DataFrame:
    """A jet's mass and two taus, the number of its constituents, and the dijet's mass."""
    rng = np.random.default_rng(seed)
    mjj = 2500 + rng.exponential(500.0, n)
    mass = rng.exponential(0.02 * mjj)
    return pd.DataFrame(
        {
            "mass": mass,
            "tau1": rng.uniform(0.1, 0.6, n),
            "mjj": mjj,
            "tau2": rng.uniform(0.05, 0.4, n),
            "n": rng.poisson(30 + 0.1 * mass).astype(float),
        }
    )


@cache
def fitted(kind: str = "autoregressive", coordinates: str = "quantile") -> Flow:
    """One of each, shared."""
    return Flow(**SMALL | ALL_ROLES | {"kind": kind, "coordinates": coordinates}).fit(table())


@pytest.mark.parametrize("kind", ["autoregressive", "coupling"])
def test_score_density_latent_and_sample_belong_together(kind):
    model, X = fitted(kind), table(seed=2)
    assert np.array_equal(model.anomaly_score(X), -model.log_prob(X))
    assert model.kept_ == ["mass", "tau1", "tau2", "n"]
    assert model.latent(X).shape == (400, 4)
    np.testing.assert_array_equal(model.latent_radius(X), np.linalg.norm(model.latent(X), axis=1))
    drawn = model.sample(50, context=X[["mjj"]][:50], random_state=1)
    assert drawn.columns.tolist() == X.columns.tolist()
    assert np.array_equal(drawn["mjj"], X["mjj"][:50])
    assert np.isfinite(model.log_prob(drawn)).all()
    assert model.history_.best_loss < model.history_.val_loss[0] + 1e-9


def test_the_density_is_that_of_the_network_times_the_jacobian():
    X = table()[["mass", "tau1", "tau2"]]
    for coordinates in ("standard", "logit", "quantile"):
        model = Flow(**SMALL, coordinates=coordinates).fit(X)
        z, log_jacobian = model.coordinates_.forward(X.to_numpy())
        with torch.no_grad():
            inside = model.network_.double()(torch.tensor(z)).numpy()
        np.testing.assert_allclose(model.log_prob(X, jacobian=False), inside, rtol=1e-10)
        np.testing.assert_allclose(model.log_prob(X), inside + log_jacobian, rtol=1e-10)
        # In other units the density is another one, by the known factor; the ranking is the same.
        scaled = Flow(**SMALL, coordinates=coordinates).fit(1000 * X)
        shift = model.log_prob(X) - scaled.log_prob(1000 * X)
        np.testing.assert_allclose(shift, 3 * np.log(1000), atol=0.02)


def test_the_loss_is_the_mean_over_the_batch_in_the_networks_coordinates():
    X = table()[["mass", "tau1", "tau2"]]
    model = Flow(**SMALL).fit(X, X_val=table(seed=5)[["mass", "tau1", "tau2"]])
    mean = -model.log_prob(table(seed=5)[["mass", "tau1", "tau2"]], jacobian=False).mean()
    assert model.history_.best_loss == pytest.approx(mean, rel=1e-5)
    batch = torch.tensor(model._scaled(X.to_numpy()), dtype=torch.float32)
    assert negative_log_density(model.network_.float(), batch, None).item() == pytest.approx(
        -model.log_prob(X, jacobian=False).mean(), rel=1e-5
    )


@pytest.mark.parametrize("coordinates", ["standard", "logit", "quantile"])
@pytest.mark.parametrize("kind", ["autoregressive", "coupling"])
def test_far_out_events_have_finite_and_high_scores(kind, coordinates):
    model, X = fitted(kind, coordinates), table()
    usual = model.anomaly_score(X).max()
    for distance in (1e2, 1e6, 1e12, 1e100):
        far = X.head(8).copy()
        for row, column in enumerate(["mass", "tau1", "tau2", "n"]):
            far.loc[row, column] = np.rint(X[column].mean() + distance * X[column].std())
            far.loc[row + 4, column] = np.rint(X[column].mean() - distance * X[column].std())
        scores = model.anomaly_score(far)
        assert np.isfinite(scores).all()
        assert scores.min() > usual
        assert np.isfinite(model.latent_radius(far)).all()
    # A context far away is no event of another kind: it only is one at the edge of what was learnt.
    away = X.assign(mjj=1e9)
    assert np.isfinite(model.anomaly_score(away)).all()
    assert np.isfinite(model.sample(20, context=[1e9], random_state=0)).all().all()
    with pytest.raises(ModelInputError, match=r"row 0: Flow gives a score that is not finite for 1 rows"):
        model.anomaly_score(X.head(2).assign(mass=[1e200, 100.0]))


def test_extreme_events_in_the_training_do_not_break_it():
    X = table()
    X.loc[0, "mass"] = 1e7
    model = Flow(**SMALL | ALL_ROLES).fit(X)
    assert np.isfinite(model.anomaly_score(X)).all()
    assert np.isfinite(model.sample(100, context=[3000.0], random_state=0)).all().all()


def test_a_table_without_names():
    X = table().to_numpy()
    model = Flow(**SMALL, context=[2], integers=[4]).fit(X)
    assert model.kept_ == [0, 1, 3, 4]
    drawn = model.sample(6, context=[3000.0], random_state=1)
    assert isinstance(drawn, np.ndarray)
    assert drawn.shape == (6, 5)
    assert (drawn[:, 2] == 3000.0).all()
    assert (drawn[:, 4] == np.floor(drawn[:, 4])).all()
    named = Flow(**SMALL, context=["mjj"], integers=["n"]).fit(table())
    np.testing.assert_array_equal(named.log_prob(table()), model.log_prob(X))


def test_the_order_of_the_context_is_that_of_the_parameter():
    X = table()
    model = Flow(**SMALL, context=("n", "mjj")).fit(X)
    by_name = model.sample(5, context=X[["mjj", "n"]][:5], random_state=1)
    by_place = model.sample(5, context=X[["n", "mjj"]].to_numpy()[:5], random_state=1)
    pd.testing.assert_frame_equal(by_name, by_place)
    assert np.array_equal(by_name[["mjj", "n"]], X[["mjj", "n"]][:5])


def test_one_column_given_another():
    X = table()[["mass", "mjj"]]
    model = Flow(**SMALL, context=("mjj",)).fit(X)
    given = model.log_prob(pd.DataFrame({"mass": [50.0, 50.0], "mjj": [2600.0, 5000.0]}))
    assert given[0] != given[1]
    assert Flow(**SMALL).fit(X[["mass"]]).sample(4, random_state=0).shape == (4, 1)


@pytest.mark.parametrize("kind", ["autoregressive", "coupling"])
def test_dropout_and_mixed_precision_change_the_training_and_not_the_score(kind):
    X = table()
    for more in ({"dropout": 0.3}, {"mixed_precision": "bf16"}):
        model = Flow(**SMALL | ALL_ROLES | {"kind": kind} | more).fit(X)
        assert model.history_.val_loss != fitted(kind).history_.val_loss
        assert np.array_equal(model.log_prob(X), model.log_prob(X))
        assert np.abs(model.log_prob(X) - fitted(kind).log_prob(X)).mean() < 0.3


# Whole numbers.


def test_whole_numbers_need_no_luck():
    model, X = fitted(), table(seed=2)
    assert np.array_equal(model.log_prob(X), model.log_prob(X))
    assert np.allclose(model.log_prob(X[::-1])[::-1], model.log_prob(X), rtol=1e-9)
    again = Flow(**SMALL | ALL_ROLES).fit(table())
    assert np.array_equal(again.log_prob(X), model.log_prob(X))


def test_the_probability_of_a_number_is_the_mean_over_its_cell():
    model, X = fitted(), table(seed=2).head(20)
    fine = []
    for point in (np.arange(100) + 0.5) / 100:
        fine.append(model._each(lambda network, batch: network(batch), X.assign(n=X.n + point).to_numpy()))
        moved = X.assign(n=X.n + point).to_numpy()[:, list(model.roles_.modelled)]
        fine[-1] = fine[-1] + model.coordinates_.forward(moved)[1]
    expected = np.log(np.exp(fine).mean(axis=0))
    np.testing.assert_allclose(model.log_prob(X), expected, atol=0.03)


def test_other_than_whole_numbers_are_refused():
    X = table()
    X.loc[7, "n"] = 30.5
    with pytest.raises(ModelInputError, match=r"row 7: column 'n' is to hold whole numbers, but one is 30\.5"):
        fitted().log_prob(X)
    with pytest.raises(ModelInputError, match="column 'n' is to hold whole numbers"):
        Flow(**SMALL | ALL_ROLES).fit(table(), X_val=X)
    with pytest.raises(ModelInputError, match="column 'mass' is to hold whole numbers"):
        Flow(**SMALL, integers=("mass",)).fit(X)


# Columns that follow from others.


def test_a_singular_table_is_refused_before_any_training():
    X = table()

    def never(network, history):
        raise AssertionError("it was trained")

    for more, message in (
        ({"tau21": X.tau2 / X.tau1}, r"'tau21' follows from 'tau1' and 'tau2' \(product or ratio\)"),
        ({"copy": X.mass}, r"'copy' follows from 'mass' \(function\)"),
        ({"sum": X.tau1 + 2 * X.tau2 - X.mass / 1000}, r"'sum' follows from 'mass', 'tau1' and 'tau2' \(sum\)"),
    ):
        with pytest.raises(RedundantColumnsError, match=message) as caught:
            Flow(**SMALL | ALL_ROLES).fit(X.assign(**more), after_epoch=never)
        assert "drop_redundant=True" in str(caught.value)
        assert isinstance(caught.value, ModelInputError)
    # The context counts as known.
    with pytest.raises(RedundantColumnsError, match=r"'scaled' follows from 'mjj' and 'mass'|'scaled' follows from"):
        Flow(**SMALL | ALL_ROLES).fit(X.assign(scaled=X.mass / X.mjj))


def test_an_independent_part_can_be_kept():
    X = table()
    wide = X.assign(tau21=X.tau2 / X.tau1, copy=X.mass, twice_n=2 * X.n)
    model = Flow(**SMALL, context=("mjj",), integers=("n", "twice_n"), drop_redundant=True).fit(wide)
    assert model.kept_ == ["mass", "tau1", "tau2", "n"]
    assert "'copy' follows from 'mass' (function)" in model.roles_.relations
    alone = Flow(**SMALL, context=("mjj",), integers=("n",)).fit(X)
    np.testing.assert_array_equal(model.log_prob(wide), alone.log_prob(X))
    assert model.sample(3, context=[3000.0], random_state=0).columns.tolist() == X.columns.tolist()
    # What was dropped is not looked at.
    np.testing.assert_array_equal(model.log_prob(wide.assign(copy=0.0)), model.log_prob(wide))
    assert alone.roles_.relations == ""
    with pytest.raises(RedundantColumnsError, match="nothing is left to model"):
        Flow(**SMALL, context=("mjj",), drop_redundant=True).fit(X[["mjj"]].assign(same=X.mjj))


# Files.


@pytest.mark.parametrize("kind", ["autoregressive", "coupling"])
def test_a_file_keeps_everything(kind, tmp_path):
    model, X = fitted(kind), table(seed=2)
    model.save(tmp_path / "flow.zip")
    for again in (Flow.load(tmp_path / "flow.zip"), AnomalyModel.load(tmp_path / "flow.zip")):
        assert np.array_equal(again.log_prob(X), model.log_prob(X))
        assert np.array_equal(again.latent(X), model.latent(X))
        drawn = [one.sample(9, context=[3000.0], random_state=1) for one in (again, model)]
        pd.testing.assert_frame_equal(*drawn)
        assert again.kept_ == model.kept_
        assert again.roles_ == model.roles_
        assert again.history_ == model.history_
        assert again.get_params() == model.get_params()


def test_a_file_that_does_not_fit_together_is_refused(tmp_path):
    fitted().save(tmp_path / "flow.zip")
    with zipfile.ZipFile(tmp_path / "flow.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for change in (
        lambda plain: plain["roles_"].update(modelled=[0, 1, 3]),
        lambda plain: plain.pop("roles_"),
        lambda plain: plain.update(coordinates="standard "),
    ):
        about = json.loads(members["model.json"])
        change(about["plain"])
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            for name, content in (members | {"model.json": json.dumps(about).encode()}).items():
                archive.writestr(name, content)
        with pytest.raises(DataError):
            Flow.load(tmp_path / "other.zip")


def test_a_killed_training_goes_on_to_the_same_result(tmp_path):
    X = table()
    whole = Flow(**SMALL | ALL_ROLES).fit(X)

    def stop(network, history):
        if history.epochs == 2:
            raise KeyboardInterrupt

    broken = Flow(**SMALL | ALL_ROLES, checkpoint=str(tmp_path / "training.pt"))
    with pytest.raises(KeyboardInterrupt):
        broken.fit(X, after_epoch=stop)
    resumed = Flow(**SMALL | ALL_ROLES, checkpoint=str(tmp_path / "training.pt")).fit(X)
    assert resumed.history_.epochs == 3
    np.testing.assert_array_equal(resumed.log_prob(X), whole.log_prob(X))


def test_a_clone_is_the_same_model():
    model = clone(fitted()).fit(table())
    np.testing.assert_array_equal(model.log_prob(table()), fitted().log_prob(table()))


# What it refuses.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"coordinates": "logits"}, "Did you mean 'logit'"),
        ({"kind": "couplings"}, "Did you mean 'coupling'"),
        ({"context": "mjj"}, r"context='mjj' is no list of columns. Use context=\('mjj',\)"),
        ({"integers": 4}, r"Use integers=\(4,\)"),
        ({"context": ("mj",)}, "there is no column 'mj'. Did you mean"),
        ({"context": (9,)}, "there is no column 9"),
        ({"context": ("n",), "integers": ("n",)}, "column 'n' is named twice"),
        ({"integers": ("n", 4)}, "column 'n' is named twice"),
        ({"context": ("mass", "tau1", "mjj", "tau2", "n")}, "nothing is left to model"),
        ({"bins": 1}, "bins must be a whole number"),
        ({"tail_bound": -1.0}, "tail_bound must be a positive number"),
        ({"validation_fraction": 0.0}, "validation_fraction must lie"),
        ({"epochs": 0}, "epochs must be a whole number"),
    ],
)
def test_parameters_that_make_no_sense(parameters, message):
    with pytest.raises(CmslabsError, match=message) as caught:
        Flow(**SMALL | parameters).fit(table(60))
    assert isinstance(caught.value, ConfigError | ModelInputError)


@pytest.mark.parametrize(
    ("n", "context", "message"),
    [
        (5, None, "needs a context of 1 columns"),
        (5, np.ones((4, 1)), r"the shape \(5, 1\) or \(1, 1\), not \(4, 1\)"),
        (5, [1.0, 2.0], r"not \(1, 2\)"),
        (5, [np.nan], "must be finite"),
        (5, pd.DataFrame({"mJJ": np.ones(5)}), "the context has no column 'mjj'"),
        (0, [3000.0], "0 is no number of events"),
        (2.5, [3000.0], "2.5 is no number of events"),
    ],
)
def test_events_that_cannot_be_drawn(n, context, message):
    with pytest.raises(ModelInputError, match=message):
        fitted().sample(n, context=context)


def test_without_context_none_may_be_given_and_without_fit_there_is_nothing():
    X = table(60)[["mass", "tau1"]]
    with pytest.raises(ModelInputError, match="this flow has no context"):
        Flow(**SMALL).fit(X).sample(3, context=[1.0])
    for action in ("log_prob", "latent", "latent_radius"):
        with pytest.raises(NotFittedModelError):
            getattr(make_model("flow"), action)(X)
    with pytest.raises(NotFittedModelError):
        make_model("flow").sample(3)
    with pytest.raises(ModelInputError, match="5 events are too few for a density of 4 columns"):
        Flow(**SMALL).fit(table(6).drop(columns="mjj"))

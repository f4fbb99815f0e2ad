"""The methods on the toy: how many background events, and what they look like, where everything is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cmslabs.errors import DataError
from cmslabs.search.estimate import ControlRegion
from cmslabs.search.generate import Generate
from cmslabs.search.methods import Uncorrected, estimate_all, ideal_estimate
from cmslabs.search.morph import Morph
from cmslabs.search.problem import control_region, inject
from cmslabs.search.reweight import ContextWeights, Reweight
from cmslabs.search.toy import ToyProblem

PROBLEM = ToyProblem(60_000, 1000)
RATIO = {"members": 1, "max_events": 30_000, "epochs": 12, "learning_rate": 5e-3}
FLOW = {"max_events": 8000, "epochs": 10, "n_layers": 2, "widths": (32, 32)}
NAMES = ["simulation", "context", "reweight", "generate", "morph"]
#: True background events of the signal region, and its x: mean and width of N(0.5 (m1 + m2) / sqrt 2, 1) there.
TRUE_YIELD = 60_000 * 0.025171


@pytest.fixture(scope="module")
def world():
    sample = PROBLEM.draw(3)
    injected = inject(sample, PROBLEM.regions, 0.0, np.random.default_rng(0))
    return sample, injected, *control_region(injected, sample, PROBLEM.regions)


@pytest.fixture(scope="module")
def estimates(world):
    _, _, control, simulation = world
    return estimate_all(NAMES, PROBLEM.columns, PROBLEM.regions, control, simulation, 1, RATIO, FLOW)


@pytest.fixture(scope="module")
def truth(world):
    """Mean and width of x of 6000 background events of the signal region."""
    return world[0].test["x"].mean(), world[0].test["x"].std()


def moments(estimate):
    x, weights = estimate.table["x"].to_numpy(), estimate.weights
    mean = np.average(x, weights=weights)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=weights))


def test_the_simulation_as_it_is_fails_in_everything(world, estimates, truth):
    found = estimates["simulation"]
    assert found.expected > 2 * TRUE_YIELD
    assert moments(found)[0] > truth[0] + 0.4
    # Scaled to the control region's data, every event with the same weight.
    _, _, control, simulation = world
    assert found.table is simulation
    assert found.weights.tolist() == [len(control.data) / len(control.simulation)] * len(simulation)


@pytest.mark.parametrize(
    ("name", "tolerance"), [("context", 0.15), ("reweight", 0.2), ("generate", 0.15), ("morph", 0.15)]
)
def test_yields_of_the_signal_region(estimates, name, tolerance):
    """Of 1510 events, extrapolated from a region without any."""
    assert estimates[name].expected == pytest.approx(TRUE_YIELD, rel=tolerance)


@pytest.mark.parametrize("name", ["reweight", "generate", "morph"])
def test_looks_of_the_signal_region(estimates, truth, name):
    mean, width = moments(estimates[name])
    assert mean == pytest.approx(truth[0], abs=0.14)
    assert width == pytest.approx(truth[1], rel=0.13)


def test_context_weights_leave_wrong_what_is_wrong_in_x(world, estimates, truth):
    """They put events where the data lie; that x is shifted and too wide there they do not know."""
    mean, _ = moments(estimates["context"])
    assert mean > truth[0] + 0.14
    found = estimates["context"]
    for name in ("m1", "m2"):
        true = world[0].test[name].mean()
        assert np.average(found.table[name], weights=found.weights) == pytest.approx(true, abs=0.1)
        assert estimates["simulation"].table[name].mean() > true + 0.3


def test_generate_and_morph_keep_the_simulated_contexts_to_the_last_digit(world, estimates):
    simulation = world[3]
    for name in ("generate", "morph"):
        found = estimates[name].table
        pd.testing.assert_frame_equal(found[["m1", "m2"]], simulation[["m1", "m2"]], check_exact=True)
        assert (found["x"] != simulation["x"]).mean() > 0.99
        # Their weights are the context's.
        assert (estimates[name].weights == estimates["context"].weights).all()


def test_morph_moves_events_and_generate_draws_new_ones(world, estimates):
    x = world[3]["x"]
    contexts = world[3][["m1", "m2"]].sum(axis=1)
    moved, drawn = ((estimates[name].table["x"] - x).std() for name in ("morph", "generate"))
    assert moved < 0.4 < 1.0 < drawn
    # A drawn event follows its context: half of the sum over the root of two.
    assert np.corrcoef(contexts, estimates["generate"].table["x"])[0, 1] == pytest.approx(
        np.corrcoef(world[0].test[["m1", "m2"]].sum(axis=1), world[0].test["x"])[0, 1], abs=0.2
    )


def test_weights_are_bounded(estimates):
    for name in ("context", "reweight"):
        weights = estimates[name].weights
        assert weights.min() > 0
        assert weights.max() / weights.min() <= np.exp(12) * (1 + 1e-9)
        assert 0 <= estimates[name].clipped < 0.3
        assert 0.3 * len(weights) < estimates[name].effective < len(weights)


def test_reweighted_simulation_closes_in_its_own_control_region(world):
    """Where the ratio was learnt, yields are the data's."""
    _, _, control, _ = world
    found = Reweight(PROBLEM.columns, 1, **RATIO).fit(control).estimate(control.simulation)
    assert found.expected == pytest.approx(len(control.data), rel=0.05)
    mean, width = moments(found)
    assert mean == pytest.approx(control.data["x"].mean(), abs=0.05)
    assert width == pytest.approx(control.data["x"].std(), rel=0.05)


def test_the_ideal_reference_is_scaled_to_the_true_background(world):
    sample, injected, *_ = world
    found = ideal_estimate(sample, injected)
    assert found.expected == pytest.approx(injected.n_background)
    assert len(set(found.weights)) == 1
    assert found.table is sample.ideal


def test_contexts_are_learnt_once_and_every_method_is_announced(world, monkeypatch):
    _, _, control, simulation = world
    fits, told = [], []
    original = ContextWeights.fit
    monkeypatch.setattr(ContextWeights, "fit", lambda self, c: fits.append(self) or original(self, c))
    small = ControlRegion(control.data[:2000], control.simulation[:2000])
    quick = {"members": 1, "epochs": 2}, {"max_events": 500, "epochs": 1, "n_layers": 1, "widths": (8,)}
    found = [
        estimate_all(["generate", "morph"], PROBLEM.columns, PROBLEM.regions, small, simulation, 4, *quick, told.append)
        for _ in range(2)
    ]
    assert len(fits) == 2
    assert told == ["context", "generate", "morph"] * 2
    # Equal seeds, equal events.
    for name in ("generate", "morph"):
        pd.testing.assert_frame_equal(found[0][name].table, found[1][name].table)
        assert (found[0][name].weights == found[1][name].weights).all()


def test_a_method_alone_learns_its_contexts_itself(world):
    _, _, control, simulation = world
    small = ControlRegion(control.data[:2000], control.simulation[:2000])
    ratio, flow = {"members": 1, "epochs": 2}, {"max_events": 500, "epochs": 1, "n_layers": 1, "widths": (8,)}
    weights = ContextWeights(PROBLEM.columns, 4, **ratio).fit(small).estimate(simulation).weights
    for kind in (Generate, Morph):
        found = kind(PROBLEM.columns, 4, flow=flow, ratio=ratio).fit(small).estimate(simulation)
        assert (found.weights == weights).all()


@pytest.mark.parametrize("kind", [Uncorrected, Reweight, ContextWeights, Generate, Morph])
def test_methods_that_need_a_simulation_say_so(world, kind):
    method = kind() if kind is Uncorrected else kind(PROBLEM.columns)
    with pytest.raises(DataError, match=f"the method '{kind.name}' needs simulated events of the control region"):
        method.fit(ControlRegion(world[2].data))

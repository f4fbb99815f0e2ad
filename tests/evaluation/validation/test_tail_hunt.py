"""The hunt behind a selection: what its own toys promise, and what toys behind the selection promise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from null_spectra import allowed
from validation_worlds import N_NULLS

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.scan import scan_spectra
from cmslabs.evaluation.validation.common import permutation_p
from cmslabs.evaluation.validation.efficiency_curve import fit_efficiency
from cmslabs.evaluation.validation.hunt import hunt_in_tail

EDGES = np.linspace(2800.0, 7000.0, 21)
FAST = {"families": ("exponential",), "widths": (1.0,)}
#: Share of the events that pass, in percent, on both sides of a turn-on that no smooth family describes.
LOW, HIGH, PLACE, WIDTH = 0.04, 0.3, 4000.0, 120.0


def turn_on(mass):
    return LOW + (HIGH - LOW) / (1 + np.exp(-(mass - PLACE) / WIDTH))


def events(seed: int, n: int = 20_000, turn: bool = False, n_signal: int = 0):
    """Scores (an event passes at 1 or more) and masses [GeV] of a falling spectrum."""
    rng = np.random.default_rng(seed)
    mass = 2800 + rng.exponential(600, rng.poisson(n))
    share = turn_on(mass) if turn else np.full(len(mass), 0.1)
    scores = 1.0 * (rng.random(len(mass)) < share)
    found = rng.poisson(n_signal)
    return np.append(scores, np.ones(found)), np.append(mass, rng.normal(4500, 200, found))


@pytest.fixture(scope="module")
def sculpted():
    """A hunt behind the turn-on, with many events that show its shape."""
    return hunt_in_tail(
        *events(1, turn=True), EDGES, threshold=1, reference=events(2, 400_000, turn=True), max_toys=1000, **FAST
    )


def test_toys_behind_the_selection_keep_the_promise_and_the_fits_own_toys_do_not(sculpted):
    """400 spectra without a signal, drawn from the truth behind the turn-on, and scanned like the data."""
    fine = np.linspace(EDGES[0], EDGES[-1], 4201)
    middle = (fine[1:] + fine[:-1]) / 2
    truth = (np.exp(-middle / 600) * turn_on(middle)).reshape(20, -1).sum(axis=1)
    truth *= sculpted.behind.visible.sum() / truth.sum()
    counts = np.random.default_rng(3).poisson(truth, size=(N_NULLS, len(truth)))
    largest = scan_spectra(sculpted.behind.analysis, counts).largest
    redone = sum(permutation_p(z, sculpted.toys.largest) <= 0.05 for z in largest)
    alone = sum(permutation_p(z, sculpted.behind.toys.largest) <= 0.05 for z in largest)
    low, high = allowed(0.05, N_NULLS)
    assert low / 2 <= redone <= high
    assert alone > 0.9 * N_NULLS


def test_the_turn_on_itself_is_no_excess(sculpted):
    assert sculpted.behind.global_p < 1e-3
    assert sculpted.verdict == "nothing"
    assert sculpted.efficiency(np.array([3000.0, 5000.0])) == pytest.approx([LOW, HIGH], rel=0.15)


def test_without_events_that_show_it_the_turn_on_is_an_excess():
    """What the docstring warns of: four parameters do not follow it."""
    found = hunt_in_tail(*events(1, turn=True), EDGES, threshold=1, max_toys=200, **FAST)
    assert found.verdict == "excess"
    assert found.efficiency.n_parameters <= 4


def test_a_signal_is_found_behind_a_flat_selection_and_lost_before_it():
    found = hunt_in_tail(*events(4, n_signal=120), EDGES, threshold=1, max_toys=300, **FAST)
    assert found.verdict == "excess"
    assert abs(found.behind.mass - 4500) < 250
    assert found.before.local_significance < found.behind.local_significance
    assert found.p_value <= 2 / 301
    assert found.is_bound
    empty = hunt_in_tail(*events(4), EDGES, threshold=1, max_toys=300, **FAST)
    assert empty.verdict == "nothing"
    assert empty.expected.sum() == pytest.approx(empty.behind.visible.sum())


def test_whole_hunts_on_nothing():
    """Everything together, few toys: the false-alarm rate of the function as it is called."""
    alarms = sum(
        hunt_in_tail(*events(seed, 3000), EDGES[::2], threshold=1, max_toys=19, seed=seed, **FAST).alarm
        for seed in range(100, 115)
    )
    assert alarms <= allowed(0.05, 15)[1]


def test_same_seed_same_result_and_json():
    scores, mass = events(5, 4000)
    results = [hunt_in_tail(scores, mass, EDGES[::2], fraction=0.05, max_toys=40, seed=s, **FAST) for s in (1, 1, 2)]
    first, again, other = (found.toys.largest for found in results)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    content = json.loads(json.dumps(results[0].to_dict(), allow_nan=False))
    assert {"before", "behind", "p_value", "is_bound"} <= set(content)
    assert (content["n_toys"], content["threshold"]) == (40, 1.0)


def test_the_efficiency_is_that_of_the_events():
    rng = np.random.default_rng(1)
    mass = 2800 + rng.exponential(600, 100_000)
    flat = fit_efficiency(mass, rng.random(len(mass)) < 0.2)
    assert flat.n_parameters <= 2
    assert flat(mass[:30]) == pytest.approx(0.2, abs=0.02)
    wavy = fit_efficiency(mass, rng.random(len(mass)) < turn_on(mass), (20,))
    at = np.linspace(2900, 5000, 30)
    error = [abs(wavy.varied(rng)(at) - wavy(at)) for _ in range(50)]
    pulls = (wavy(at) - turn_on(at)) / (np.mean(error, axis=0) / 0.8)
    assert np.sqrt(np.mean(pulls**2)) < 2
    in_bins = wavy.in_bins(EDGES[:5])
    assert in_bins == pytest.approx(wavy((EDGES[1:5] + EDGES[:4]) / 2), rel=0.05)


def test_splines_and_polynomials_maximise_the_likelihood():
    """The oracle: scipy's minimiser on single events."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(2)
    mass = np.repeat(2000 + 10.0 * np.arange(300), 3)
    passes = rng.random(900) < 0.1 + 0.8 * (mass > 3500)
    found = fit_efficiency(mass, passes, (3,))
    x = 2 * np.log(mass / mass[0]) / np.log(mass[-1] / mass[0]) - 1

    def cost(c):
        logit = np.polynomial.polynomial.polyval(x, c)
        return np.sum(np.logaddexp(0, logit) - logit * passes)

    best = minimize(cost, np.zeros(3), method="BFGS")
    assert cost(found.coefficients) == pytest.approx(best.fun, rel=1e-3)


def test_what_cannot_be_asked_is_refused():
    scores, mass = events(1, 2000)
    with pytest.raises(ConfigError, match="cannot give a p-value"):
        hunt_in_tail(scores, mass, EDGES, threshold=1, max_toys=5)
    with pytest.raises(DataError, match="is empty"):
        hunt_in_tail(scores[:50], mass[:50], EDGES, fraction=0.01)
    with pytest.raises(DataError, match="no selection"):
        fit_efficiency(mass, np.ones(len(mass), dtype=bool))
    with pytest.raises(DataError, match="above zero"):
        fit_efficiency(np.zeros(10), np.arange(10) > 3)
    with pytest.raises(ConfigError, match="1 to 40"):
        fit_efficiency(mass, scores > 0, (99,))

"""Closure: does each weight do what it is there for, and would we notice if it did not?

Corrections are measured on one pair of toy worlds and tried on another.  Every check is then shown weights
with a planted fault, and has to refuse them.
"""

from __future__ import annotations

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
from scipy.stats import chi2, kstest
from toy_worlds import PATH, TOY_DATA, TOY_SIMULATION, make_world

from cmslabs.errors import DataError
from cmslabs.io import Provenance
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.correction_json import correction_set, write_set
from cmslabs.selection.correction_set import measure, pileup_weights
from cmslabs.selection.corrections import Corrections
from cmslabs.selection.efficiency import ABSETA_EDGES, find_probes, measure_efficiency, scale_factors
from cmslabs.selection.pileup import pileup_closure, pileup_ratio
from cmslabs.selection.weights import event_weights

ANALYSIS = load_analysis("dimuon", [f"triggers.DoubleMuon.default=[{PATH}]"])
RECORD = Provenance(source="simulation", simulation=True, script="test")
PROFILE = TOY_DATA.pileup_profile()
LEAST_P = 1e-4
BRACKETED = ("prefiring", "muonId", "muonIso")


@pytest.fixture(scope="module")
def corrections(tmp_path_factory):
    """Measured on 100 000 Z bosons of each world."""
    data, simulation = make_world(TOY_DATA, 100_000, 21), make_world(TOY_SIMULATION, 100_000, 22)
    weights = pileup_weights(TOY_DATA, TOY_SIMULATION)
    path = tmp_path_factory.mktemp("corrections") / "toy.json.gz"
    write_set(path, correction_set(weights, measure(data, simulation, weights), RECORD))
    return Corrections.load(path)


@pytest.fixture(scope="module")
def simulation():
    return make_world(TOY_SIMULATION, 300_000, 23)


@pytest.fixture(scope="module")
def data():
    return make_world(TOY_DATA, 300_000, 24)


def selected(events):
    """Muons that pass identification and isolation, and which events have two."""
    muon = events.Muon
    muon = muon[muon.mediumId & (muon.pfRelIso04_all < 0.25)]
    return muon, ak.to_numpy(ak.num(muon) == 2)


@pytest.fixture(scope="module")
def weights(simulation, corrections):
    return event_weights(simulation, ANALYSIS, corrections, selected(simulation)[0])


def compare(found, error, wanted, wanted_error):
    """p-value of the difference of two binned yields."""
    value = np.sum((found - wanted) ** 2 / (error**2 + wanted_error**2))
    return chi2.sf(value, len(found))


def binned(values, edges, weights):
    yields = np.histogram(values, edges, weights=weights)[0]
    return yields, np.sqrt(np.histogram(values, edges, weights=weights**2)[0])


# --- pile-up ------------------------------------------------------------------------------------------------------


def pileup_closes(n_true, weight, profile=PROFILE):
    """The weighted distribution is that of the data, and reweighting made no events and lost none."""
    closure = pileup_closure(n_true, weight, profile)
    return closure.p_value > LEAST_P and abs(closure.normalisation - 1) < 4 * closure.normalisation_error


@pytest.fixture(scope="module")
def n_true(simulation):
    return ak.to_numpy(simulation.Pileup.nTrueInt)


def test_pileup_weights_give_the_profile_of_the_data(n_true, weights):
    assert pileup_closes(n_true, weights.steps["pileup"])
    closure = pileup_closure(n_true, weights.steps["pileup"], PROFILE)
    assert closure.n_groups > 25
    mean = np.average(n_true, weights=weights.steps["pileup"])
    assert mean == pytest.approx(28.0, abs=0.1)
    assert n_true.mean() == pytest.approx(23.0, abs=0.1)


@pytest.mark.parametrize(("way", "factor"), [("Up", 1.046), ("Down", 0.954)])
def test_variations_are_the_profile_of_another_cross_section(n_true, weights, way, factor):
    profile = replace(TOY_DATA, pileup=(28.0 * factor, 5.0 * factor)).pileup_profile()
    rest = weights.nominal / weights.steps["pileup"]
    varied = weights.variations[f"pileup{way}"] / rest
    assert pileup_closes(n_true, varied, profile)
    assert not pileup_closes(n_true, varied)


def pileup_ordered(n_true, variations, nominal):
    """Down, nominal, up: pile-up need not bracket event by event, since the weights of all events have the same sum.

    What it moves is the mean number of interactions, by 4.6 %.
    """
    means = [np.average(n_true, weights=w) for w in (variations["pileupDown"], nominal, variations["pileupUp"])]
    return means[0] < 0.98 * means[1] and means[2] > 1.02 * means[1]


def test_pileup_variations_bracket_in_the_mean(n_true, weights):
    assert pileup_ordered(n_true, weights.variations, weights.nominal)
    up, down = weights.variations["pileupUp"], weights.variations["pileupDown"]
    outside = (np.maximum(up, down) < weights.nominal) | (np.minimum(up, down) > weights.nominal)
    assert outside.any()
    swapped = {"pileupUp": down, "pileupDown": up}
    assert not pileup_ordered(n_true, swapped, weights.nominal)


PILEUP_FAULTS = {
    "none": lambda w: np.ones_like(w.nominal),
    "square": lambda w: w.steps["pileup"] ** 2,
    "not normalised": lambda w: 1.02 * w.steps["pileup"],
    "up instead of nominal": lambda w: w.variations["pileupUp"] / w.nominal * w.steps["pileup"],
    "shifted by one": lambda w: np.roll(w.steps["pileup"], 1),
}


@pytest.mark.parametrize("fault", PILEUP_FAULTS)
def test_planted_faults_of_pileup_are_caught(n_true, weights, fault):
    assert not pileup_closes(n_true, PILEUP_FAULTS[fault](weights))


def test_off_by_one_in_the_bins_is_caught(n_true):
    ratio = pileup_weights(TOY_DATA, TOY_SIMULATION)["nominal"]
    index = n_true.astype(int)
    assert pileup_closes(n_true, ratio[index])
    assert not pileup_closes(n_true, ratio[index - 1])


def test_p_values_of_the_closure_are_uniform():
    """A test that closes too easily proves nothing: 300 small samples."""
    ratio = pileup_ratio(PROFILE, TOY_SIMULATION.pileup_profile())
    rng = np.random.default_rng(5)
    values = []
    for _ in range(300):
        drawn = TOY_SIMULATION.draw_pileup(5000, rng)
        values.append(pileup_closure(drawn, ratio[drawn.astype(int)], PROFILE).p_value)
    assert kstest(values, "uniform").pvalue > 1e-3


def test_profiles_that_cannot_be_reweighted():
    wide, narrow = np.array([0.2, 0.6, 0.2]), np.array([0.0, 1.0, 0.0])
    assert pileup_ratio(narrow, wide).tolist() == pytest.approx([0.0, 1 / 0.6, 0.0])
    with pytest.raises(DataError, match=r"0\.4 of the data have numbers of interactions that the simulation never has"):
        pileup_ratio(wide, narrow)
    with pytest.raises(DataError, match="2 and 3 bins"):
        pileup_ratio(np.ones(2), np.ones(3))
    for bad in ([1.0, np.nan], [1.0, -0.5], [0.0, 0.0], [[1.0, 2.0]]):
        with pytest.raises(DataError, match="a profile is a row"):
            pileup_ratio(np.array(bad), np.ones(2))
    with pytest.raises(DataError, match="10 events are too few"):
        pileup_closure(np.full(10, 20.0), np.ones(10), PROFILE)
    with pytest.raises(DataError, match="a pile-up weight is negative"):
        pileup_closure(np.full(10, 20.0), -np.ones(10), PROFILE)


# --- prefiring ----------------------------------------------------------------------------------------------------

JET_EDGES = np.array([0.0, 1.0, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5])


@pytest.fixture(scope="module")
def after_losses():
    """The same world as the simulation, but prefired events are really lost."""
    return make_world(replace(TOY_SIMULATION, loses_prefired=True), 300_000, 25)


def prefiring_closes(simulation, weight, lost):
    """Weighted yields in bins of the jet's abs(eta) against those of a world with real losses."""
    found = binned(np.abs(ak.to_numpy(simulation.Jet.eta)), JET_EDGES, weight)
    wanted = binned(np.abs(ak.to_numpy(lost.Jet.eta)), JET_EDGES, np.ones(len(lost)))
    return compare(*found, *wanted) > LEAST_P


def test_prefiring_weights_give_the_yield_after_real_losses(simulation, weights, after_losses):
    step = weights.steps["prefiring"]
    assert prefiring_closes(simulation, step, after_losses)
    assert len(after_losses) < 0.98 * len(simulation)
    assert step.sum() == pytest.approx(len(after_losses), abs=4 * np.sqrt(np.sum(step * (1 - step))))


@pytest.mark.parametrize("fault", ["none", "square", "up", "loss instead of survival"])
def test_planted_faults_of_prefiring_are_caught(simulation, weights, after_losses, fault):
    step = weights.steps["prefiring"]
    up = weights.variations["prefiringUp"] / weights.nominal * step
    wrong = {"none": np.ones_like(step), "square": step**2, "up": up, "loss instead of survival": 1 - step}
    assert not prefiring_closes(simulation, wrong[fault], after_losses)


# --- identification and isolation ---------------------------------------------------------------------------------


def identification_closes(simulation, corrections, data, power=1.0):
    """Per bin of abs(eta): the share of simulated muons that pass, each with its scale factor, is that of the data."""
    shares, errors = [], []
    for events, is_data in ((simulation, False), (data, True)):
        muon = ak.flatten(events.Muon[events.Muon.pt > 15])
        pt, eta, passes = (ak.to_numpy(muon[name]) for name in ("pt", "eta", "mediumId"))
        varied = corrections.muon_id(ANALYSIS.muons, pt, eta)
        weight = np.ones(len(pt)) if is_data else varied.nominal**power
        every = np.histogram(np.abs(eta), ABSETA_EDGES)[0]
        share = np.histogram(np.abs(eta)[passes], ABSETA_EDGES, weights=weight[passes])[0] / every
        shares.append(share)
        errors.append(np.sqrt(share * np.abs(1 - share) / every))
    # Above 15 GeV; the error of the scale factors, averaged over pT, enters, too.
    pt, eta = np.repeat([20.0, 60.0], 4), np.tile(np.array(ABSETA_EDGES[:-1]) + 0.01, 2)
    varied = corrections.muon_id(ANALYSIS.muons, pt, eta)
    factor_error = (varied.up - varied.nominal).reshape(2, 4).mean(axis=0) / np.sqrt(2)
    return compare(shares[0], np.hypot(errors[0], factor_error), shares[1], errors[1]) > LEAST_P


def test_weighted_simulation_has_the_efficiency_of_the_data(simulation, data, corrections):
    assert identification_closes(simulation, corrections, data)
    assert not identification_closes(simulation, corrections, data, power=0.0)
    assert not identification_closes(simulation, corrections, data, power=2.0)
    assert not identification_closes(simulation, corrections, data, power=-1.0)


def test_isolation_is_measured_after_pileup(corrections):
    """Both toy worlds have the same isolation at the same pile-up: the scale factor is 1.

    Measured without pile-up weights it is not, and pile-up would be corrected twice.
    """
    data, simulation = make_world(TOY_DATA, 100_000, 31), make_world(TOY_SIMULATION, 100_000, 32)
    weights = pileup_weights(TOY_DATA, TOY_SIMULATION)

    def pulls(weights):
        found = measure(data, simulation, weights)["NUM_LooseRelIso_DEN_MediumID"]
        return (found.value - 1) / found.stat

    assert np.sum(pulls(weights) ** 2) < 28  # 8 degrees of freedom: p = 5e-4
    flat = {name: np.ones_like(values) for name, values in weights.items()}
    assert np.sum(pulls(flat) ** 2) > 60


# --- everything together ------------------------------------------------------------------------------------------


def yield_closes(simulation, weight, data):
    """Yields of events with two good muons in bins of three variables; both worlds were made with as many Z."""
    p_values = []
    for variable, edges in (
        (lambda events: np.abs(ak.to_numpy(events.Muon.eta[:, 0])), np.array(ABSETA_EDGES)),
        (lambda events: ak.to_numpy(events.Pileup.nTrueInt), np.array([0, 21, 24, 26, 28, 30, 33, 100])),
        (lambda events: np.abs(ak.to_numpy(events.Jet.eta)), JET_EDGES),
    ):
        yields = []
        for events, one in ((simulation, weight), (data, np.ones(len(data)))):
            good = selected(events)[1]
            yields.append(binned(variable(events)[good], edges, one[good]))
        # Scale factors of two muons are common to all events.
        common = 0.004 * yields[0][0]
        p_values.append(compare(yields[0][0], np.hypot(yields[0][1], common), *yields[1]))
    return min(p_values) > LEAST_P


def test_all_weights_together_make_the_simulation_like_the_data(simulation, data, weights):
    assert yield_closes(simulation, weights.nominal, data)


@pytest.mark.parametrize("step", ["pileup", "prefiring", "muonId"])
def test_no_weight_may_be_left_out(simulation, data, weights, step):
    assert not yield_closes(simulation, weights.nominal / weights.steps[step], data)


# --- variations ---------------------------------------------------------------------------------------------------


def brackets(nominal, up, down):
    """Nominal lies between up and down for every event."""
    return bool(np.all((np.minimum(up, down) <= nominal) & (nominal <= np.maximum(up, down))))


def rises(nominal, up, down, name):
    """Up is up: for muons more weight; for prefiring more prefiring, hence less."""
    sign = -1 if name == "prefiring" else 1
    return bool(np.all(sign * (up - nominal) >= 0) and np.all(sign * (nominal - down) >= 0) and np.any(up != down))


@pytest.mark.parametrize("name", BRACKETED)
def test_variations_bracket_every_event(weights, name):
    up, down = weights.variations[f"{name}Up"], weights.variations[f"{name}Down"]
    assert brackets(weights.nominal, up, down)
    assert rises(weights.nominal, up, down, name)
    # Planted: swapped, the square, a factor in place of the full weight.
    assert not rises(weights.nominal, down, up, name)
    step = weights.steps[name]
    assert not brackets(weights.nominal, up * up / weights.nominal, up)
    assert not brackets(weights.nominal, up / weights.nominal * step, down / weights.nominal * step)


def test_negative_weights_are_bracketed_the_other_way_round(simulation, corrections):
    """Up of a negative weight is more negative; the bracket holds."""
    some = simulation[:2000]
    sign = np.where(np.arange(2000) % 4, 1.0, -1.0)
    found = event_weights(ak.with_field(some, sign, "genWeight"), ANALYSIS, corrections, selected(some)[0])
    for name in BRACKETED:
        assert brackets(found.nominal, found.variations[f"{name}Up"], found.variations[f"{name}Down"])


def sums_by_category(category, weight):
    return np.array([weight[category == one].sum() for one in np.unique(category)])


def test_sums_over_categories_are_the_sum(simulation, weights):
    """Weights move events between bins of a category; no event is lost or counted twice."""
    muons, _ = selected(simulation)
    categories = {
        "muons": ak.to_numpy(ak.num(muons)),
        "eta": np.digitize(np.abs(ak.to_numpy(simulation.Muon.eta[:, 0])), ABSETA_EDGES),
        "pileup": ak.to_numpy(simulation.Pileup.nTrueInt).astype(int),
    }
    for category in categories.values():
        for weight in (weights.nominal, *weights.variations.values()):
            assert sums_by_category(category, weight).sum() == pytest.approx(weight.sum(), rel=1e-12)
    # Pile-up weights have the mean 1 in every part of the events that does not depend on pile-up.
    step = weights.steps["pileup"]
    for one in np.unique(categories["eta"]):
        part = step[categories["eta"] == one]
        assert part.mean() == pytest.approx(1.0, abs=4 * part.std() / np.sqrt(len(part)))


def test_errors_of_scale_factors_shrink_with_the_sample():
    """Four times the events, half the error: an error that does not would be no statistical error."""
    errors = []
    for n in (40_000, 160_000):
        one, other = make_world(TOY_DATA, n, 41), make_world(TOY_SIMULATION, n, 42)
        factors = scale_factors(*(measure_efficiency(find_probes(events, "mediumId")) for events in (one, other)))
        errors.append(np.median(factors.stat))
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.15)

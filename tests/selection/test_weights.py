"""Event weights: slow oracles, negative weights, missing branches, and what data get."""

from __future__ import annotations

import pickle
from fractions import Fraction

import awkward as ak
import numpy as np
import pytest
from correction_makers import LOOSE_ISO, MEDIUM, muon_correction, official, pileup_correction, pileup_weight, write
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.data.catalog import samples_folder
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.objects.schema import open_events
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.corrections import Corrections, MissingCorrectionError
from cmslabs.selection.weights import EventWeights, WeightSums, event_weights

DIMUON = load_analysis("dimuon")
NAMES = [f"{name}{way}" for name in ("pileup", "prefiring", "muonId", "muonIso") for way in ("Up", "Down")]


@pytest.fixture(scope="module")
def corrections(tmp_path_factory):
    return Corrections.load(official(tmp_path_factory.mktemp("pog") / "2016postVFP_UL"))


def make_events(n, seed=1, **changes):
    """Events with everything that weights need, in the layout of `read_nanoaod`."""
    rng = np.random.default_rng(seed)
    nominal = rng.uniform(0.9, 1.0, n)
    prefiring = {"Nom": nominal, "Up": nominal - rng.uniform(0, 0.02, n), "Dn": nominal + rng.uniform(0, 0.02, n)}
    columns = {
        "genWeight": np.where(rng.random(n) < 0.2, -1.0, 1.0) * rng.uniform(1, 100, n),
        "Pileup": ak.zip({"nTrueInt": rng.normal(23, 6, n).round()}, depth_limit=1),
        "L1PreFiringWeight": ak.zip(prefiring, depth_limit=1),
    }
    return ak.zip(columns | changes, depth_limit=1)


def make_muons(n, seed=2):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, n)
    total = int(counts.sum())
    flat = {"pt": rng.exponential(30, total) + 5, "eta": rng.uniform(-2.4, 2.4, total)}
    return ak.unflatten(ak.zip(flat), counts)


def test_against_a_slow_oracle(corrections):
    """Every event, factor by factor, in plain Python."""
    events, muons = make_events(300), make_muons(300)
    found = event_weights(events, DIMUON, corrections, muons)
    assert list(found.variations) == NAMES
    assert list(found.steps) == ["genWeight", "pileup", "prefiring", "muonId", "muonIso"]
    for index, (event, leptons) in enumerate(zip(events.to_list(), muons.to_list(), strict=True)):
        n = int(event["Pileup"]["nTrueInt"])
        prefiring = event["L1PreFiringWeight"]
        pt, eta = (np.array([one[name] for one in leptons]) for name in ("pt", "eta"))
        factor = corrections.muon_id(DIMUON.muons, pt, eta)
        muon = [float(np.prod(values)) for values in (factor.nominal, factor.up, factor.down)]
        steps = {
            "pileup": [pileup_weight(n, key) for key in ("nominal", "up", "down")],
            "prefiring": [prefiring[name] for name in ("Nom", "Up", "Dn")],
            "muonId": muon,
            "muonIso": muon,  # the made file has the same numbers for both
        }
        for way, place in (("nominal", 0), ("Up", 1), ("Down", 2)):
            for varied in steps:
                wanted = event["genWeight"]
                for name, values in steps.items():
                    wanted *= values[place if name == varied else 0]
                got = found.nominal if way == "nominal" else found.variations[f"{varied}{way}"]
                assert got[index] == pytest.approx(wanted, rel=1e-12)


def test_the_steps_multiply_to_the_weight(corrections):
    found = event_weights(make_events(100), DIMUON, corrections, make_muons(100))
    np.testing.assert_allclose(np.prod(list(found.steps.values()), axis=0), found.nominal, rtol=1e-12)
    assert found.skipped == {}
    assert found.counts["muonId below_pt"] == int(ak.sum(make_muons(100).pt < 15)) > 0


def test_weights_do_not_depend_on_the_chunks(corrections):
    events, muons = make_events(101), make_muons(101)
    whole = event_weights(events, DIMUON, corrections, muons)
    parts = [event_weights(events[i : i + 10], DIMUON, corrections, muons[i : i + 10]) for i in range(0, 101, 10)]
    np.testing.assert_array_equal(np.concatenate([part.nominal for part in parts]), whole.nominal)
    for name in NAMES:
        np.testing.assert_array_equal(np.concatenate([part.variations[name] for part in parts]), whole.variations[name])
    for rule, count in whole.counts.items():
        assert sum(part.counts[rule] for part in parts) == count


def test_no_events(corrections):
    found = event_weights(make_events(3)[:0], DIMUON, corrections, make_muons(3)[:0])
    assert found.nominal.shape == (0,)
    assert list(found.variations) == NAMES


def test_events_without_muons_get_the_factor_one(corrections):
    none = ak.Array([{"pt": 1.0, "eta": 1.0}])[[]]
    muons = ak.unflatten(none, [0] * 5)
    found = event_weights(make_events(5), DIMUON, corrections, muons)
    assert found.steps["muonId"].tolist() == [1.0] * 5


def test_data_count_one():
    """Nothing is read: data have no such branches."""
    found = event_weights(ak.Array([{"run": 1}] * 4), DIMUON, None, None, kind="data")
    assert isinstance(found, EventWeights)
    assert found.nominal.tolist() == [1.0] * 4
    assert (found.variations, found.steps, found.skipped) == ({}, {}, {})


def test_only_what_the_analysis_asks_for(corrections):
    some = load_analysis("dimuon", ["weights=[genWeight, prefiring]"])
    events = make_events(20)
    found = event_weights(events, some, None, None)
    assert list(found.variations) == ["prefiringUp", "prefiringDown"]
    np.testing.assert_array_equal(found.nominal, events.genWeight * events.L1PreFiringWeight.Nom)
    assert event_weights(events, load_analysis("dimuon", ["weights=[]"]), None, None).nominal.tolist() == [1.0] * 20
    no_iso = load_analysis("dimuon", ["muons.isolation=null"])
    assert "muonIso" not in event_weights(events, no_iso, corrections, make_muons(20)).steps


def without(events, name):
    return events[[field for field in events.fields if field != name]]


@pytest.mark.parametrize(
    ("branch", "missing", "step"),
    [
        ("genWeight", "genWeight", "genWeight"),
        ("Pileup", "Pileup_nTrueInt", "pileup"),
        ("L1PreFiringWeight", "L1PreFiringWeight_Nom", "prefiring"),
    ],
)
def test_a_missing_branch_is_an_error_or_recorded(corrections, branch, missing, step):
    events, muons = without(make_events(10), branch), make_muons(10)
    with pytest.raises(MissingBranchError, match=missing):
        event_weights(events, DIMUON, corrections, muons)
    skip = load_analysis("dimuon", ["missing.weights=skip"])
    found = event_weights(events, skip, corrections, muons)
    assert list(found.skipped) == [step]
    assert missing in found.skipped[step]
    assert step not in found.steps
    # Not left out: else the sum over files with and without the branch would lose the events of these.
    assert list(found.variations) == NAMES
    for name in {f"{step}Up", f"{step}Down"} & set(NAMES):
        np.testing.assert_array_equal(found.variations[name], found.nominal)
    rest = [
        values
        for name, values in event_weights(make_events(10), DIMUON, corrections, muons).steps.items()
        if name != step
    ]
    np.testing.assert_allclose(found.nominal, np.prod(rest, axis=0), rtol=1e-12)


def test_a_missing_correction_is_an_error_or_recorded(tmp_path):
    events, muons = make_events(10), make_muons(10)
    only = Corrections.load(write(tmp_path / "some.json", pileup_correction(), muon_correction(MEDIUM)))
    skip = load_analysis("dimuon", ["missing.weights=skip"])
    for corrections, gone in ((only, ["muonIso"]), (None, ["pileup", "muonId", "muonIso"])):
        with pytest.raises(MissingCorrectionError) as caught:
            event_weights(events, DIMUON, corrections, muons)
        assert "missing.weights" in caught.value.remedy
        found = event_weights(events, skip, corrections, muons)
        assert list(found.skipped) == gone
    assert LOOSE_ISO in event_weights(events, skip, only, muons).skipped["muonIso"]


def test_skip_is_for_what_is_missing_not_for_what_is_wrong(corrections):
    skip = load_analysis("dimuon", ["missing.weights=skip"])
    far = ak.Array([[{"pt": 30.0, "eta": 2.45}]])
    with pytest.raises(DataError, match="beyond"):
        event_weights(make_events(1), skip, corrections, far)
    with pytest.raises(ConfigError, match="needs the selected muons"):
        event_weights(make_events(1), skip, corrections, None)
    with pytest.raises(DataError, match="genWeight: the value is not finite for 1 of 2 values, first at 1"):
        event_weights(make_events(2, genWeight=np.array([1.0, np.nan])), skip, corrections, make_muons(2))
    pileup = ak.zip({"nTrueInt": np.array([np.nan, 20.0])}, depth_limit=1)
    with pytest.raises(DataError, match=r"Pileup_nTrueInt.*not finite for 1 of 2"):
        event_weights(make_events(2, Pileup=pileup), skip, corrections, make_muons(2))
    with pytest.raises(DataError, match="'pt' is not finite for 1 of 1"):
        event_weights(make_events(1), skip, corrections, ak.Array([[{"pt": np.nan, "eta": 0.0}]]))


def test_coffea_and_our_reader_agree(corrections):
    path = samples_folder() / "dimuon.root"
    ours = read_nanoaod(path, ["Muon", "Pileup", "L1PreFiringWeight", "genWeight"], 0, 2000)
    theirs = open_events(path)[:2000]
    one, other = (event_weights(events, DIMUON, corrections, events["Muon"][:, :2]) for events in (ours, theirs))
    np.testing.assert_array_equal(one.nominal, other.nominal)
    for name in NAMES:
        np.testing.assert_array_equal(one.variations[name], other.variations[name])
    assert one.counts == other.counts


# --- negative weights --------------------------------------------------------------------------------------------


def test_negative_weights_of_a_real_file(real_data):
    """Drell-Yan at next-to-leading order: 23 % of the weights are negative and stay so in every variation."""
    events = read_nanoaod(real_data / "nanoaod" / "nano_dy.root", ["genWeight", "Pileup", "Muon"])
    generated = ak.to_numpy(events.genWeight).astype(float)
    some = load_analysis("dimuon", ["weights=[genWeight]"])
    found = event_weights(events, some, None, None)
    np.testing.assert_array_equal(found.nominal, generated)
    sums = WeightSums.of(found.nominal)
    assert (sums.events, sums.negative) == (40, 9)
    assert sums.negative / sums.events == pytest.approx(0.23, abs=0.01)
    assert sums.sumw == pytest.approx(sum(generated.tolist()), rel=1e-12)
    assert sums.effective == pytest.approx(generated.sum() ** 2 / (generated**2).sum())
    # With weights of one size and a share f of negative ones, (1 - 2 f)^2 of the events are left.
    assert sums.effective == pytest.approx(40 * (1 - 2 * 9 / 40) ** 2, rel=0.01)


def test_signs_survive_every_factor(corrections):
    events, muons = make_events(200), make_muons(200)
    found = event_weights(events, DIMUON, corrections, muons)
    signs = np.sign(ak.to_numpy(events.genWeight))
    assert 0 < (signs < 0).sum() < 100
    for weights in (found.nominal, *found.variations.values()):
        np.testing.assert_array_equal(np.sign(weights), signs)


@settings(deadline=None)
@given(weights=st.lists(st.floats(-1e6, 1e6), max_size=50), cut=st.integers(0, 50))
def test_sums_of_weights_add_up(weights, cut):
    whole = WeightSums.of(weights)
    parts = WeightSums.of(weights[:cut]) + WeightSums.of(weights[cut:])
    exact = float(sum(map(Fraction, weights), Fraction(0)))
    assert whole.sumw == exact
    assert (parts.events, parts.negative) == (whole.events, whole.negative)
    scale = sum(abs(weight) for weight in weights)
    assert parts.sumw == pytest.approx(whole.sumw, abs=1e-12 * scale)
    assert parts.sumw2 == pytest.approx(whole.sumw2, rel=1e-12)
    assert 0 <= whole.effective <= whole.events * (1 + 1e-12)


def test_sums_of_nothing():
    assert WeightSums.of([]) == WeightSums() == WeightSums() + WeightSums()
    assert WeightSums().effective == 0.0
    assert WeightSums.of([1.0, -1.0]).effective == 0.0


def test_results_travel_home(corrections):
    found = event_weights(make_events(10), DIMUON, corrections, make_muons(10))
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.nominal, found.nominal)
    assert again.counts == found.counts

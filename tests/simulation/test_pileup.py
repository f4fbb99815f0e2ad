"""Pile-up in vertices and isolation: against a slow model, and a check that would see it cut off."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmslabs.simulation import nano
from cmslabs.simulation.nano import nano_events
from cmslabs.simulation.pileup import overlay, primary_vertices
from cmslabs.simulation.worlds import SIMULATION

RNG = np.random.default_rng
TWO_MUONS = {"leptons": 2, "muons": 2, "muon_pt": 3.0, "electron_pt": 5.0}


def leptons(n, pt=20.0, charged=0.0, neutral=0.0, cone=4):
    """One lepton in each of `n` events."""
    columns = {"pt": pt, f"pfRelIso0{cone}_all": (charged + neutral) / pt, "neutral": neutral}
    return ak.unflatten(ak.zip({name: np.full(n, value) for name, value in columns.items()}), np.ones(n, dtype=int))


def slow_isolation(pt, charged, neutral, radius, n_collisions, rng):
    """One lepton, particle by particle, with the numbers of the module's text."""
    area = np.pi * radius**2
    from_pileup = {}
    for kind, density in (("charged", 0.8), ("neutral", 0.4)):
        total = 0.0
        for _ in range(n_collisions):
            for _ in range(rng.poisson(density * area)):
                total += rng.exponential(0.5)
        from_pileup[kind] = total
    rest = neutral + from_pileup["neutral"] - 0.5 * from_pileup["charged"]
    return (charged + (rest if rest > 0 else 0.0)) / pt


@pytest.mark.parametrize(("radius", "neutral", "collisions"), [(0.4, 0.0, 25), (0.4, 3.0, 10), (0.3, 1.0, 40)])
def test_isolation_against_a_slow_model(radius, neutral, collisions):
    n, charged, pt = 3000, 1.0, 12.0
    found = leptons(n, pt, charged, neutral, cone=round(10 * radius))
    fast = overlay(found, radius, np.full(n, collisions), RNG(1))
    assert fast.fields == ["pt", f"pfRelIso0{round(10 * radius)}_all"]
    fast = ak.to_numpy(ak.flatten(fast[fast.fields[1]]))
    rng = RNG(2)
    slow = np.array([slow_isolation(pt, charged, neutral, radius, collisions, rng) for _ in range(n)])
    for value in (np.mean, np.std):
        assert abs(value(fast) - value(slow)) < 5 * slow.std() / np.sqrt(n)
    for cut in (0.1, 0.15, 0.25, 0.4):
        share = np.mean(slow < cut)
        assert abs(np.mean(fast < cut) - share) < 5 * np.sqrt(2 * share * (1 - share) / n + 1e-6), cut


def test_without_extra_collisions_nothing_changes():
    before = leptons(50, 20.0, 1.0, 2.0)
    after = overlay(before, 0.4, np.zeros(50, dtype=int), RNG(1))
    np.testing.assert_allclose(ak.flatten(after.pfRelIso04_all), 0.15, rtol=1e-6)


def test_the_subtraction_is_right_on_average():
    """Where the neutral sum is large, nothing is cut at zero: the mean stays, the spread grows with pile-up."""
    spread = []
    for collisions in (5, 20, 80):
        found = leptons(20_000, pt=100.0, neutral=50.0)
        after = ak.to_numpy(ak.flatten(overlay(found, 0.4, np.full(20_000, collisions), RNG(3)).pfRelIso04_all))
        assert abs(after.mean() - 0.5) < 4 * after.std() / np.sqrt(20_000)
        spread.append(after.std())
    assert np.allclose(np.array(spread[1:]) / spread[:-1], 2, rtol=0.05)


@given(st.floats(0, 30), st.floats(0, 30), st.integers(0, 80), st.floats(3, 200), st.integers(0, 1000))
def test_isolation_is_at_least_the_charged_part(charged, neutral, collisions, pt, seed):
    after = overlay(leptons(4, pt, charged, neutral), 0.4, np.full(4, collisions), RNG(seed))
    assert ak.all(after.pfRelIso04_all >= charged / pt * (1 - 1e-5) - 1e-5)


def test_events_keep_their_own_pileup():
    """Jagged: none, two and one lepton; only the last event has pile-up."""
    found = ak.unflatten(ak.flatten(leptons(3, 10.0, 0.0, 1.0)), [0, 2, 1])
    after = overlay(found, 0.4, np.array([90, 0, 4000]), RNG(1)).pfRelIso04_all.to_list()
    assert [len(event) for event in after] == [0, 2, 1]
    np.testing.assert_allclose(after[1], 0.1, rtol=1e-6)
    assert after[2][0] != pytest.approx(0.1)


def test_vertices_are_one_and_a_share_of_the_extra_collisions():
    collisions = RNG(1).poisson(25, 20_000)
    found = primary_vertices(collisions, RNG(2))
    extra = found["PV_npvs"] - 1
    assert extra.min() >= 0
    assert (extra <= collisions).all()
    assert abs(np.mean(extra - 0.7 * collisions)) < 4 * np.sqrt(25 * 0.7 * 0.3 / 20_000)
    assert np.var(extra - 0.7 * collisions) == pytest.approx(25 * 0.7 * 0.3, rel=0.05)
    np.testing.assert_array_equal(found["PV_npvsGood"], found["PV_npvs"])
    for axis, (centre, width) in {"x": (0.1, 0.002), "y": (0.1, 0.002), "z": (0.0, 3.6)}.items():
        position = found[f"PV_{axis}"]
        assert position.dtype == np.float32
        assert abs(position.mean() - centre) < 5 * width / np.sqrt(20_000)
        assert position.std() == pytest.approx(width, rel=0.05)


def pileup_signs(events):
    """Does pile-up reach the branches?  Significance of more vertices, and of worse isolation, in busy events."""
    true = ak.to_numpy(events.Pileup_nTrueInt)
    busy, quiet = true > 26, true < 20
    vertices = ak.to_numpy(events.PV_npvs)
    difference = vertices[busy].mean() - vertices[quiet].mean()
    error = np.hypot(vertices[busy].std() / np.sqrt(busy.sum()), vertices[quiet].std() / np.sqrt(quiet.sum()))
    failing = [ak.to_numpy(ak.flatten(events.Muon.pfRelIso04_all[part])) > 0.15 for part in (busy, quiet)]
    shares = [values.mean() for values in failing]
    spread = np.sqrt(sum(values.var() / len(values) for values in failing))
    return difference / error, (shares[0] - shares[1]) / max(spread, 1e-9)


@pytest.fixture
def soft_pairs(gun, species):
    """Events with two muons of 8 GeV and nothing else."""
    event = [(13, 8.0, 0.5, 0.0), (-13, 8.0, -0.5, 3.0)]

    def make():
        return nano_events(gun([event] * 4000), species, TWO_MUONS, RNG(7), SIMULATION)[0]

    return make


def test_vertices_and_isolation_follow_the_true_pileup(soft_pairs):
    vertices, isolation = pileup_signs(soft_pairs())
    assert vertices > 20
    assert isolation > 5


def test_pileup_cut_off_from_isolation_is_noticed(soft_pairs, monkeypatch):
    """The planted fault: the isolation is that of the event without pile-up."""
    monkeypatch.setattr(nano, "overlay", lambda found, *_: found[[name for name in found.fields if name != "neutral"]])
    vertices, isolation = pileup_signs(soft_pairs())
    assert vertices > 20
    assert isolation < 5


def test_pileup_of_another_event_is_noticed(soft_pairs, monkeypatch):
    """The planted fault: collisions of neighbouring events are mixed up before they reach the branches."""
    true_pileup = nano._pileup

    def shifted(events, rng):
        return true_pileup(events | {"Pileup_nTrueInt": np.roll(events["Pileup_nTrueInt"], 1)}, rng)

    monkeypatch.setattr(nano, "_pileup", shifted)
    vertices, isolation = pileup_signs(soft_pairs())
    assert abs(vertices) < 5
    assert abs(isolation) < 5

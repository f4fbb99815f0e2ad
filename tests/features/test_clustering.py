"""Clustering against a slow anti-kT that follows the paper word by word."""

from __future__ import annotations

import subprocess
import sys

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.features import clustering
from cmslabs.features.clustering import cluster_jets

pytest.importorskip("fastjet", reason="needs the extra jets")

SEEDS = st.integers(0, 2**32 - 1)


def four_vector(particle) -> np.ndarray:
    pt, eta, phi = particle["pt"], particle["eta"], particle["phi"]
    return pt * np.array([np.cos(phi), np.sin(phi), np.sinh(eta), np.cosh(eta)])


def slow_antikt(event: list[dict], radius: float, min_pt: float) -> list[tuple[np.ndarray, list[int]]]:
    """Anti-kT in O(N^3): the smallest of all d_ij and d_iB, again and again."""
    pieces = [(four_vector(particle), [i]) for i, particle in enumerate(event)]
    jets = []
    while pieces:
        pt = [np.hypot(p[0], p[1]) for p, _ in pieces]
        y = [0.5 * np.log((p[3] + p[2]) / (p[3] - p[2])) for p, _ in pieces]
        phi = [np.arctan2(p[1], p[0]) for p, _ in pieces]
        best, i, j = np.inf, -1, -1
        for a in range(len(pieces)):
            if pt[a] ** -2 < best:
                best, i, j = pt[a] ** -2, a, -1
            for b in range(a):
                dphi = abs(phi[a] - phi[b])
                dphi = min(dphi, 2 * np.pi - dphi)
                d = min(pt[a] ** -2, pt[b] ** -2) * ((y[a] - y[b]) ** 2 + dphi**2) / radius**2
                if d < best:
                    best, i, j = d, a, b
        p, members = pieces.pop(i)
        if j < 0:
            jets.append((p, members))
        else:
            q, others = pieces.pop(j)
            pieces.append((p + q, members + others))
    jets = [jet for jet in jets if np.hypot(jet[0][0], jet[0][1]) >= min_pt]
    return sorted(jets, key=lambda jet: -np.hypot(jet[0][0], jet[0][1]))


def as_rows(jets: ak.Array) -> np.ndarray:
    return np.column_stack([ak.to_numpy(ak.flatten(jets[name])) for name in ("pt", "eta", "phi", "mass")])


@pytest.mark.parametrize("radius", [0.4, 1.0])
def test_agrees_with_the_slow_algorithm(particles, radius):
    events = particles(1, [25, 0, 1, 2, 40, 12])
    jets = cluster_jets(events, radius=radius, min_pt=20.0)
    for event, found in zip(events.to_list(), jets, strict=True):
        expected = slow_antikt(event, radius, 20.0)
        assert len(found) == len(expected)
        for jet, (p, members) in zip(found, expected, strict=True):
            m2 = max(p[3] ** 2 - p[0] ** 2 - p[1] ** 2 - p[2] ** 2, 0)
            wanted = [np.hypot(p[0], p[1]), np.arcsinh(p[2] / np.hypot(p[0], p[1])), np.arctan2(p[1], p[0])]
            np.testing.assert_allclose([jet.pt, jet.eta, jet.phi], wanted, rtol=1e-9, atol=1e-9)
            assert jet.mass == pytest.approx(np.sqrt(m2), rel=1e-6, abs=1e-4)
            assert sorted(jet.constituents.pt.tolist()) == sorted(event[i]["pt"] for i in members)


@given(seed=SEEDS)
@settings(max_examples=12, deadline=None)
def test_constituents_sum_up_to_their_jet(particles, seed):
    jets = cluster_jets(particles(seed, [30, 3, 60]))
    c = jets.constituents
    sums = [ak.sum(c.pt * f, axis=2) for f in (np.cos(c.phi), np.sin(c.phi), np.sinh(c.eta), np.cosh(c.eta))]
    energy = np.sqrt((jets.pt * np.cosh(jets.eta)) ** 2 + jets.mass**2)
    wanted = [jets.pt * np.cos(jets.phi), jets.pt * np.sin(jets.phi), jets.pt * np.sinh(jets.eta), energy]
    for got, want in zip(sums, wanted, strict=True):
        np.testing.assert_allclose(ak.flatten(got), ak.flatten(want), rtol=1e-9, atol=1e-8)


@given(seed=SEEDS)
@settings(max_examples=12, deadline=None)
def test_jets_and_constituents_are_sorted_and_above_threshold(particles, seed):
    jets = cluster_jets(particles(seed, [50, 0, 80]), radius=0.6, min_pt=30.0)
    assert ak.all(jets.pt[:, :-1] >= jets.pt[:, 1:])
    assert ak.all(jets.constituents.pt[:, :, :-1] >= jets.constituents.pt[:, :, 1:])
    assert ak.all(jets.pt >= 30.0)
    assert ak.all((jets.phi > -np.pi) & (jets.phi <= np.pi))


@given(seed=SEEDS, angle=st.floats(-10, 10), boost=st.floats(-2, 2))
@settings(max_examples=12, deadline=None)
def test_masses_do_not_see_rotations_about_and_boosts_along_the_beam(particles, seed, angle, boost):
    event = particles(seed, [40])
    turned = ak.zip({"pt": event.pt, "eta": event.eta + boost, "phi": event.phi + angle})
    before, after = as_rows(cluster_jets(event)), as_rows(cluster_jets(turned))
    np.testing.assert_allclose(after[:, 0], before[:, 0], rtol=1e-9)
    np.testing.assert_allclose(after[:, 3], before[:, 3], rtol=1e-6, atol=1e-3)
    turn = np.exp(1j * (after[:, 2] - before[:, 2] - angle))
    np.testing.assert_allclose(turn, 1, atol=1e-9)


def test_order_and_padding_of_the_particles_do_not_matter(particles):
    event = particles(5, [40])
    padded = ak.concatenate([event[:, ::-1], ak.zip({name: np.zeros((1, 7)) for name in ("pt", "eta", "phi")})], axis=1)
    np.testing.assert_allclose(as_rows(cluster_jets(padded)), as_rows(cluster_jets(event)), rtol=1e-9, atol=1e-5)
    assert ak.all(cluster_jets(padded).constituents.pt > 0)


def test_blocks_change_nothing(particles, monkeypatch):
    events = particles(7, [10, 0, 5, 30, 1, 0, 8])
    whole = cluster_jets(events)
    monkeypatch.setattr(clustering, "BLOCK", 2)
    assert cluster_jets(events).to_list() == whole.to_list()


def test_no_events_and_events_without_particles(particles):
    none = cluster_jets(particles(1, [3])[:0])
    assert len(none) == 0
    assert none.fields == ["pt", "eta", "phi", "mass", "constituents"]
    assert none.constituents.fields == ["pt", "eta", "phi"]
    assert cluster_jets(particles(1, [0, 0])).to_list() == [[], []]


def test_a_sliced_or_narrow_array_gives_the_same(particles):
    events = particles(3, [20, 30, 10, 40])
    assert cluster_jets(events[[3, 1]]).to_list() == cluster_jets(events)[[3, 1]].to_list()
    narrow = ak.values_astype(events, np.float32)
    np.testing.assert_allclose(as_rows(cluster_jets(narrow))[:, 0], as_rows(cluster_jets(events))[:, 0], rtol=1e-5)


def test_one_particle_has_no_mass_and_jets_add_as_four_vectors():
    event = [{"pt": 200.0, "eta": 1.7, "phi": 0.3}, {"pt": 100.0, "eta": -0.7, "phi": -2.9}]
    jets = cluster_jets(ak.Array([event]))
    assert jets.mass.to_list() == [[0.0, 0.0]]
    pair = jets[:, 0] + jets[:, 1]
    expected = np.sqrt(2 * 200 * 100 * (np.cosh(2.4) - np.cos(3.2)))
    assert float(pair.mass[0]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "value"), [("pt", -1.0), ("pt", np.nan), ("pt", np.inf), ("eta", np.nan), ("eta", 60.0), ("phi", np.inf)]
)
def test_impossible_particles_are_refused_with_their_place(particles, name, value):
    rows = particles(2, [4, 3, 5]).to_list()
    rows[1][2][name] = value
    with pytest.raises(DataError, match=f"event 1, particle 2: a particle has {name} = {value:g}"):
        cluster_jets(ak.Array(rows))


def test_wrong_shapes_are_refused(particles):
    events = particles(2, [4, 3])
    with pytest.raises(MissingBranchError, match=r"no field 'phi'.*Did you mean Phi"):
        cluster_jets(ak.zip({"pt": events.pt, "eta": events.eta, "Phi": events.phi}))
    with pytest.raises(DataError, match="1 levels"):
        cluster_jets(events[0])
    with pytest.raises(DataError, match="3 levels"):
        cluster_jets(events[np.newaxis])
    with pytest.raises(DataError, match="missing values"):
        cluster_jets(ak.Array([[{"pt": 1.0, "eta": None, "phi": 0.0}]]))


@pytest.mark.parametrize("settings", [{"radius": 0}, {"radius": np.nan}, {"min_pt": -1}])
def test_wrong_settings_are_refused(particles, settings):
    with pytest.raises(ConfigError, match="cannot cluster"):
        cluster_jets(particles(2, [4]), **settings)


def test_no_banner_on_stdout():
    """In a new process: the banner comes once per process, from C++."""
    program = (
        "import awkward as ak\n"
        "from cmslabs.features.clustering import cluster_jets\n"
        "from cmslabs.features.substructure import nsubjettiness\n"
        "jets = cluster_jets(ak.Array([[{'pt': 30.0, 'eta': 0.0, 'phi': 0.0}]]))\n"
        "nsubjettiness(jets[:, 0].constituents)\n"
        "print('answer', ak.num(jets)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "answer 1\n"
    assert "FastJet" not in done.stderr

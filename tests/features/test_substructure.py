"""N-subjettiness against its definition, soft drop against a slow recursion and against FastJet."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.errors import ConfigError, DataError
from cmslabs.features import softdrop, substructure
from cmslabs.features.clustering import load_fastjet
from cmslabs.features.particles import flatten_particles, momentum_array
from cmslabs.features.substructure import nsubjettiness, soft_drop_mass, tau_ratio

pytest.importorskip("fastjet", reason="needs the extra jets")
pytest.importorskip("numba", reason="needs the extra jets")

SEEDS = st.integers(0, 2**32 - 1)


class Piece:
    """A four-vector that remembers what it was merged from."""

    def __init__(self, p, parts=()):
        self.p, self.parts = np.asarray(p, float), parts
        self.pt, self.phi = np.hypot(p[0], p[1]), np.arctan2(p[1], p[0])
        self.y = 0.5 * np.log((p[3] + p[2]) / (p[3] - p[2]))
        self.mass = np.sqrt(max(p[3] ** 2 - p[0] ** 2 - p[1] ** 2 - p[2] ** 2, 0))


def distance2(a, b) -> float:
    dphi = abs(a.phi - b.phi) % (2 * np.pi)
    return (a.y - b.y) ** 2 + min(dphi, 2 * np.pi - dphi) ** 2


def pieces_of(jet) -> list[Piece]:
    return [
        Piece(c["pt"] * np.array([np.cos(c["phi"]), np.sin(c["phi"]), np.sinh(c["eta"]), np.cosh(c["eta"])]))
        for c in jet
    ]


def merge_down(pieces: list[Piece], n: int, power: int) -> list[Piece]:
    """Generalised kT without a beam, down to n pieces: power 0 is Cambridge/Aachen, power 1 is kT."""
    pieces = list(pieces)
    while len(pieces) > n:
        pairs = [(a, b) for i, a in enumerate(pieces) for b in pieces[:i]]
        a, b = min(pairs, key=lambda pair: min(pair[0].pt, pair[1].pt) ** (2 * power) * distance2(*pair))
        pieces = [piece for piece in pieces if piece is not a and piece is not b]
        pieces.append(Piece(a.p + b.p, (a, b)))
    return pieces


def slow_soft_drop(piece: Piece, z_cut: float, beta: float, r0: float) -> float:
    if not piece.parts:
        return 0.0
    a, b = piece.parts
    z = min(a.pt, b.pt) / (a.pt + b.pt)
    if z > z_cut * (np.sqrt(distance2(a, b)) / r0) ** beta:
        return piece.mass
    return slow_soft_drop(a if a.pt >= b.pt else b, z_cut, beta, r0)


def slow_tau(pieces: list[Piece], axes: list[Piece], beta: float, r0: float) -> float:
    nearest = [min(distance2(piece, axis) for axis in axes) ** (beta / 2) for piece in pieces]
    return sum(p.pt * d for p, d in zip(pieces, nearest, strict=True)) / sum(p.pt * r0**beta for p in pieces)


def fastjet_soft_drop(jets: ak.Array, beta: float = 0.0, z_cut: float = 0.1) -> np.ndarray:
    fastjet = load_fastjet()
    everything = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0)
    sequence = fastjet.ClusterSequence(momentum_array(flatten_particles(jets, "jet")), everything)
    groomed = sequence.exclusive_jets_softdrop_grooming(njets=1, beta=beta, symmetry_cut=z_cut, R0=1.0)
    return ak.to_numpy(groomed.msoftdrop)


# ---- N-subjettiness


@pytest.mark.parametrize(("beta", "r0"), [(1.0, 1.0), (2.0, 0.8)])
def test_tau_is_its_definition_on_given_axes(particles, beta, r0):
    jets = particles(1, [5, 18, 30], spread=0.3)
    found = nsubjettiness(jets, n=4, r0=r0, beta=beta, axes="KT_Axes")
    for row, jet in zip(found, jets.to_list(), strict=True):
        pieces = pieces_of(jet)
        expected = [slow_tau(pieces, merge_down(pieces, n, power=1), beta, r0) for n in (1, 2, 3, 4)]
        np.testing.assert_allclose(row, expected, rtol=1e-7, atol=1e-12)


def test_moving_the_axes_makes_tau_smaller_but_not_smaller_than_possible(particles):
    jets = particles(2, [20] * 10, spread=0.3)
    fixed, moved = nsubjettiness(jets, n=3, axes="KT_Axes"), nsubjettiness(jets, n=3)
    assert np.all(moved <= fixed * (1 + 1e-6))
    assert np.any(moved < 0.99 * fixed)
    for row, jet in zip(moved, jets.to_list(), strict=True):
        # The best single axis is a weighted geometric median: look for it on a fine grid around the jet.
        pt, eta, phi = (np.array([c[name] for c in jet]) for name in ("pt", "eta", "phi"))
        phi = phi[0] + np.angle(np.exp(1j * (phi - phi[0])))
        grid_eta, grid_phi = np.meshgrid(np.linspace(eta.min(), eta.max(), 201), np.linspace(phi.min(), phi.max(), 201))
        d = np.hypot(grid_eta[..., None] - eta, grid_phi[..., None] - phi)
        best = ((d * pt).sum(axis=-1) / pt.sum()).min()
        assert row[0] == pytest.approx(best, rel=0.01)


@given(seed=SEEDS, n=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_more_axes_never_describe_a_jet_worse(particles, seed, n):
    tau = nsubjettiness(particles(seed, [n, 25], spread=0.3), n=4)
    assert np.all(tau >= 0)
    # The axes are searched anew for each N and may end in another local minimum: two per cent of room.
    assert np.all(tau[:, 1:] <= tau[:, :-1] * 1.02 + 1e-12)
    ratio = tau_ratio(tau[:, 1], tau[:, 0])
    assert np.all((ratio >= 0) & (ratio <= 1.02))


@given(seed=SEEDS, angle=st.floats(-10, 10), boost=st.floats(-2, 2), scale=st.floats(0.5, 20))
@settings(max_examples=12, deadline=None)
def test_substructure_does_not_see_the_frame(particles, seed, angle, boost, scale):
    jets = particles(seed, [30, 2, 12], spread=0.3)
    moved = ak.zip({"pt": scale * jets.pt, "eta": jets.eta + boost, "phi": jets.phi + angle})
    np.testing.assert_allclose(nsubjettiness(moved, axes="KT_Axes"), nsubjettiness(jets, axes="KT_Axes"), atol=1e-7)
    np.testing.assert_allclose(soft_drop_mass(moved), scale * soft_drop_mass(jets), rtol=1e-6, atol=1e-5)


def test_jets_with_few_constituents_have_defined_values(particles):
    jets = particles(3, [0, 1, 2, 3, 4, 5], spread=0.3)
    tau = nsubjettiness(jets, n=4)
    for n_constituents, row in enumerate(tau):
        assert [value == 0 for value in row] == [n >= n_constituents for n in (1, 2, 3, 4)]
    assert tau_ratio(tau[:, 1], tau[:, 0]).tolist()[:3] == [1.0, 1.0, 0.0]
    assert np.isfinite(tau).all()
    assert soft_drop_mass(jets)[:2].tolist() == [0.0, 0.0]


def test_tau_ratio_is_never_nan():
    assert tau_ratio([0.0, 0.2, 0.1], [0.0, 0.4, 0.1]).tolist() == [1.0, 0.5, 1.0]
    assert tau_ratio(0.1, np.array([0.2, 0.0])).tolist() == [0.5, 1.0]


# ---- soft drop


@pytest.mark.parametrize(("z_cut", "beta", "r0"), [(0.1, 0.0, 1.0), (0.05, 1.0, 0.8), (0.3, 2.0, 1.0), (0.1, -1.0, 1)])
def test_soft_drop_agrees_with_the_slow_recursion(particles, z_cut, beta, r0):
    jets = particles(4, [1, 2, 3, 8, 25, 40] * 3, spread=0.3)
    found = soft_drop_mass(jets, z_cut=z_cut, beta=beta, r0=r0)
    expected = [slow_soft_drop(merge_down(pieces_of(jet), 1, power=0)[0], z_cut, beta, r0) for jet in jets.to_list()]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)
    assert np.any(found == 0)
    assert np.any(found > 1)


@given(seed=SEEDS, beta=st.sampled_from([0.0, 1.0]))
@settings(max_examples=10, deadline=None)
def test_soft_drop_agrees_with_fastjet(particles, seed, beta):
    jets = particles(seed, [2, 10, 40, 90], spread=0.4)
    found, expected = soft_drop_mass(jets, beta=beta), fastjet_soft_drop(jets, beta=beta)
    # FastJet returns the last particle where nothing passes: its "mass" is the rounding of E**2 - p**2.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_compiled_and_plain_python_give_the_same(particles, monkeypatch):
    jets = particles(6, [1, 0, 30, 7], spread=0.3)
    compiled = soft_drop_mass(jets)
    monkeypatch.setattr(substructure, "compiled", lambda: (softdrop.build_trees, softdrop.walk_trees))
    np.testing.assert_allclose(soft_drop_mass(jets), compiled, rtol=1e-12)


def test_grooming_takes_off_soft_radiation_and_keeps_two_prongs():
    prongs = [{"pt": 500.0, "eta": 0.2, "phi": 3.1}, {"pt": 300.0, "eta": -0.1, "phi": -3.1}]
    soft = [{"pt": 10.0, "eta": 0.9, "phi": 2.6}, {"pt": 8.0, "eta": -0.7, "phi": -2.7}]
    expected = np.sqrt(2 * 500 * 300 * (np.cosh(0.3) - np.cos(6.2)))
    masses = soft_drop_mass(ak.Array([prongs, prongs + soft, [prongs[0], *soft]]))
    assert masses[:2] == pytest.approx([expected, expected], rel=1e-9)
    assert masses[2] == 0.0


def test_far_forward_jets_keep_their_mass():
    jet = [{"pt": 30.0, "eta": 12.0, "phi": 0.0}, {"pt": 30.0, "eta": 12.2, "phi": 0.1}]
    expected = np.sqrt(2 * 30 * 30 * (np.cosh(0.2) - np.cos(0.1)))
    assert soft_drop_mass(ak.Array([jet]))[0] == pytest.approx(expected, rel=1e-9)


def test_without_a_cache_folder_numba_compiles_all_the_same(monkeypatch):
    import numba

    def njit(function, cache=False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return function

    monkeypatch.setattr(numba, "njit", njit)
    assert softdrop.compiled.__wrapped__() == (softdrop.build_trees, softdrop.walk_trees)


# ---- both


def test_events_of_jets_come_back_as_events_of_jets(particles):
    flat = particles(8, [10, 20, 5, 1, 7], spread=0.3)
    nested = ak.unflatten(flat, [2, 0, 3])
    assert nsubjettiness(nested).to_list() == ak.unflatten(nsubjettiness(flat), [2, 0, 3]).to_list()
    assert ak.num(soft_drop_mass(nested)).to_list() == [2, 0, 3]
    assert ak.flatten(soft_drop_mass(nested)).to_list() == soft_drop_mass(flat).tolist()


def test_no_jets_give_no_values(particles):
    none = particles(8, [10], spread=0.3)[:0]
    assert nsubjettiness(none).shape == (0, 4)
    assert soft_drop_mass(none).shape == (0,)


def test_blocks_change_nothing(particles, monkeypatch):
    jets = particles(9, [10, 0, 5, 30, 1], spread=0.3)
    whole = nsubjettiness(jets)
    monkeypatch.setattr(substructure, "BLOCK", 2)
    assert nsubjettiness(jets).tolist() == whole.tolist()


def test_padding_is_no_constituent(particles):
    jets = particles(10, [2, 12], spread=0.3)
    zeros = ak.zip({name: np.zeros((2, 3)) for name in ("pt", "eta", "phi")})
    padded = ak.concatenate([zeros, jets, zeros], axis=1)
    assert flatten_particles(padded, "jet").counts.tolist() == [2, 12]
    assert nsubjettiness(padded).tolist() == nsubjettiness(jets).tolist()
    assert soft_drop_mass(padded).tolist() == soft_drop_mass(jets).tolist()


def test_bad_input_is_refused(particles):
    jets = particles(9, [10, 4], spread=0.3)
    with pytest.raises(ConfigError, match="n=0"):
        nsubjettiness(jets, n=0)
    with pytest.raises(ConfigError, match=r"z_cut=0\.6"):
        soft_drop_mass(jets, z_cut=0.6)
    with pytest.raises(ConfigError, match="beta=nan"):
        soft_drop_mass(jets, beta=np.nan)
    rows = jets.to_list()
    rows[1][3]["phi"] = np.nan
    for compute in (nsubjettiness, soft_drop_mass):
        with pytest.raises(DataError, match="jet 1, particle 3"):
            compute(ak.Array(rows))

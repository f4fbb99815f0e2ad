"""Batches: nothing is lost between Pythia and our columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmslabs.simulation.processes import PROCESSES
from cmslabs.simulation.pythia import batches, cross_section, pythia_seed, start


@pytest.fixture(scope="module")
def batch():
    return next(batches(start(PROCESSES["drell-yan"].lines(), 4), 30))


def test_momentum_and_charge_are_conserved(batch, species):
    final = batch.final
    total = {name: np.bincount(batch.event[final], weights=getattr(batch, name)[final]) for name in ("px", "py", "e")}
    np.testing.assert_allclose(total["e"], 13000.0, rtol=1e-6)
    np.testing.assert_allclose([total["px"], total["py"]], 0.0, atol=1e-3)
    charge = np.bincount(batch.event[final], weights=species.charge(batch.id[final]))
    np.testing.assert_allclose(charge, 2.0, atol=1e-9)


def test_neutrinos_are_invisible_and_everything_else_is_not(species):
    ids = np.array([12, -14, 16, 22, 211, -11, 13, 130, 2112])
    assert species.visible(ids).tolist() == [False] * 3 + [True] * 6
    assert species.charge(ids).tolist() == [0, 0, 0, 0, 1, 1, -1, 0, 0]


def test_selected_events_are_the_same_events(batch):
    wanted = np.zeros(30, dtype=bool)
    wanted[[3, 17, 29]] = True
    chosen = batch.select(wanted)
    assert chosen.n_events == 3
    for new, old in enumerate((3, 17, 29)):
        rows, before = (slice(b.offsets[i], b.offsets[i + 1]) for b, i in ((chosen, new), (batch, old)))
        for name in ("id", "status", "mother1", "px", "vertex"):
            np.testing.assert_array_equal(getattr(chosen, name)[rows], getattr(batch, name)[before])


def test_displaced_particles_have_a_vertex(batch):
    pions = np.flatnonzero(np.abs(batch.id) == 310)  # K0S live for centimetres before they decay
    daughters = np.isin(batch.offsets[:-1][batch.event] + batch.mother1, pions) & (batch.status > 0)
    assert daughters.sum() > 10
    assert np.median(np.linalg.norm(batch.vertex[daughters], axis=1)) > 1.0


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_seeds_fit_pythia(seed):
    assert 1 <= pythia_seed(seed) <= 900_000_000 - 1


def test_the_same_seed_gives_the_same_events_and_another_seed_others(batch):
    again = next(batches(start(PROCESSES["drell-yan"].lines(), 4), 30))
    other = next(batches(start(PROCESSES["drell-yan"].lines(), 5), 30))
    np.testing.assert_array_equal(again.px, batch.px)
    assert len(other.px) != len(batch.px) or not np.array_equal(other.px, batch.px)


def test_cross_section_of_top_pairs():
    pythia = start(PROCESSES["ttbar"].lines(), 4)
    next(batches(pythia, 50))
    sigma, error = cross_section(pythia)
    # Leading order; the best theory value is 832 pb.
    assert 400 < sigma < 800
    assert 0 < error < 0.2 * sigma

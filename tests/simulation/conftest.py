"""Events shared by the tests of the simulation, and particle guns for the detector."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("pythia8mc", reason="the extra 'sim' is not installed")


@pytest.fixture(scope="session")
def generated() -> Callable:
    """``generated(process, n, mpi=..., variant=..., content=..., seed=...) -> (events, record)``, made once."""
    from cmslabs.jobs import Chunk
    from cmslabs.simulation.chunkfile import unpack
    from cmslabs.simulation.processes import get_process
    from cmslabs.simulation.production import Recipe, generate_chunk

    cache: dict = {}

    def make(name, n, mpi=None, variant=None, content=(), seed=20260):
        key = (name, n, mpi, variant, content, seed)
        if key not in cache:
            recipe = Recipe(get_process(name), mpi, variant, content)
            cache[key] = unpack(generate_chunk(recipe, Chunk(0, 0, n, seed)))
        return cache[key]

    return make


@pytest.fixture(scope="session")
def species():
    """Charges and visibility from Pythia's table."""
    from cmslabs.simulation.pythia import Species, start

    return Species(start(["HardQCD:all = on", "PhaseSpace:pTHatMin = 100."], 1))


@pytest.fixture
def gun() -> Callable:
    """``gun([[(pdg, pt, eta, phi), ...], ...]) -> Batch``: events of final massless particles from the origin."""
    from cmslabs.simulation.pythia import Batch

    def fire(events, vertex=(0.0, 0.0, 0.0)):
        rows = [(90, 0.0, 0.0, 0.0)]
        counts, columns = [], []
        for event in events:
            counts.append(1 + len(event))
            columns += rows + list(event)
        pdg, pt, eta, phi = (np.array(column, dtype=float) for column in zip(*columns, strict=True))
        final = pdg != 90
        return Batch(
            np.concatenate([[0], np.cumsum(counts)]),
            id=pdg.astype(np.int64),
            status=np.where(final, 1, -11),
            mother1=np.zeros(len(pdg), dtype=np.int64),
            px=pt * np.cos(phi),
            py=pt * np.sin(phi),
            pz=pt * np.sinh(eta),
            e=pt * np.cosh(eta),
            vertex=np.where(final[:, None], np.array(vertex), 0.0),
        )

    return fire

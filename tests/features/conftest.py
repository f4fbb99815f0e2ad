"""Random particles, the same for every test of this folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


def make_particles(seed: int, counts: list[int], spread: float | None = None) -> ak.Array:
    """Lists of particles: over the whole detector, or within `spread` of a centre (a jet)."""
    rng = np.random.default_rng(seed)
    total = sum(counts)
    pt = rng.exponential(20.0, total) + 0.1
    if spread is None:
        eta, phi = rng.uniform(-2.5, 2.5, total), rng.uniform(-np.pi, np.pi, total)
    else:
        centres_eta = np.repeat(rng.uniform(-2, 2, len(counts)), counts)
        centres_phi = np.repeat(rng.uniform(-np.pi, np.pi, len(counts)), counts)
        eta = centres_eta + rng.normal(0, spread, total)
        phi = np.mod(centres_phi + rng.normal(0, spread, total) + np.pi, 2 * np.pi) - np.pi
    return ak.unflatten(ak.zip({"pt": pt, "eta": eta, "phi": phi}), counts)


@pytest.fixture(scope="session")
def particles() -> Callable[..., ak.Array]:
    """The function `make_particles`."""
    return make_particles

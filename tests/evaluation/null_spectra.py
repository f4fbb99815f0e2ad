"""Spectra for the tests of the bump hunt."""

from __future__ import annotations

import numpy as np
from scipy import stats

from cmslabs.plotting.binned import Spectrum

EDGES = np.linspace(2800.0, 7000.0, 41)


def smooth(n_events: float = 20_000.0, edges: np.ndarray = EDGES) -> np.ndarray:
    """Expected counts of a falling spectrum that is in none of the families: the sum of two exponentials."""
    middle = (edges[:-1] + edges[1:]) / 2
    density = np.exp(-(middle - 2800) / 450) + 0.12 * np.exp(-(middle - 2800) / 900)
    return n_events * density / density.sum()


def as_counts(counts, edges: np.ndarray = EDGES) -> Spectrum:
    """A spectrum of unweighted events."""
    counts = np.asarray(counts, dtype=float)
    return Spectrum(np.asarray(edges, dtype=float), counts, counts)


def draw(seed: int, signal=0.0, n_events: float = 20_000.0) -> Spectrum:
    """A Poisson spectrum; `signal` is added to the expected counts."""
    return as_counts(np.random.default_rng(seed).poisson(smooth(n_events) + signal))


def allowed(p: float, n: int, tail: float = 5e-4) -> tuple[int, int]:
    """Counts between which a binomial number of hits falls but for 0.1 % of all cases."""
    return int(stats.binom.ppf(tail, n, p)), int(stats.binom.isf(tail, n, p))

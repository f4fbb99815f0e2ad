"""Intervals and limits keep their promise: counted on spectra with a known signal."""

from __future__ import annotations

import numpy as np
import pytest
from null_spectra import EDGES, allowed, draw

from cmslabs.evaluation.families import FAMILIES, make_shape
from cmslabs.evaluation.fits import fit_background, fit_signal
from cmslabs.evaluation.limits import upper_limits
from cmslabs.evaluation.windows import gaussian_template
from cmslabs.evaluation.yields import signal_interval

N_SPECTRA, N_LIMITS = 140, 14
MASS, WIDTH, INJECTED = 3797.5, 157.5, 400.0
TEMPLATE = gaussian_template(EDGES, MASS, WIDTH)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.683, 0.95])
def test_intervals_cover_the_injected_yield(level):
    hits, n = 0, N_SPECTRA // 2
    for seed in range(n):
        _, low, high = signal_interval(draw(seed, INJECTED * TEMPLATE), MASS, WIDTH, level=level)
        hits += low <= INJECTED <= high
    fewest, most = allowed(level, n)
    assert fewest <= hits <= most


def test_interval_that_ignores_the_background_is_caught():
    """The planted fault: plus or minus the square root of the fitted yield covers far too rarely."""
    shape = make_shape(FAMILIES["exponential"], 4, EDGES, 13_000.0)
    counts = np.array([draw(seed, INJECTED * TEMPLATE).counts for seed in range(N_SPECTRA)])
    fits = fit_signal(shape, counts, np.broadcast_to(TEMPLATE, counts.shape), fit_background(shape, counts))
    hits = (np.abs(fits.signal - INJECTED) < np.sqrt(np.maximum(fits.signal, 1))).sum()
    assert hits < allowed(0.683, N_SPECTRA)[0]


@pytest.mark.slow
def test_upper_limits_exclude_the_truth_as_rarely_as_promised():
    """CLs is conservative: a true yield is excluded in at most 5 % of spectra, and the band is where it should be."""
    shape = make_shape(FAMILIES["power"], 4, EDGES, 13_000.0)
    used = np.ones(40, dtype=bool)
    with_signal = [draw(seed, INJECTED * TEMPLATE).counts for seed in range(N_LIMITS)]
    excluded = sum(upper_limits(shape, c, TEMPLATE[None], used)["observed"][0] < INJECTED for c in with_signal)
    assert excluded <= allowed(0.05, N_LIMITS)[1]
    empty = [upper_limits(shape, draw(seed).counts, TEMPLATE[None], used) for seed in range(N_LIMITS)]
    below = sum(limit["observed"][0] < limit["expected"][0] for limit in empty)
    low, high = allowed(0.5, N_LIMITS)
    assert low <= below <= high
    inside = sum(limit["expected_m2"][0] <= limit["observed"][0] <= limit["expected_p2"][0] for limit in empty)
    assert inside >= allowed(0.954, N_LIMITS)[0]

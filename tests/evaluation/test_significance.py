"""p-values and significances against sums, published numbers and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from cmslabs.errors import DataError
from cmslabs.evaluation.significance import asimov_significance, p_bi, p_to_z, z_bi, z_to_p


def test_known_values_of_z_bi():
    cases = {(150, 100, 10): 3.108, (20, 10, 1): 2.521, (110, 100, 10): 0.621, (100, 100, 10): -0.071}
    for case, expected in cases.items():
        assert z_bi(*case) == pytest.approx(expected, abs=5e-4)


def test_far_tail_is_finite_and_rises():
    assert z_bi(400, 100, 10) == pytest.approx(13.83, abs=0.005)
    far = z_bi(np.array([1000, 2000, 4000, 8000]), 100, 10)
    assert np.isfinite(far).all()
    assert (np.diff(far) > 0).all()


def test_far_tail_continues_the_near_one():
    """Around p = 1e-300 one formula takes over from the other without a step."""
    n = np.arange(860, 960)
    z = z_bi(n, 100.0, 10.0)
    steps = np.diff(z)
    assert (np.abs(np.diff(steps)) < 2e-3).all()


def test_vanishing_uncertainty_is_the_poisson_sum():
    for n, b in ((3, 1.5), (12, 7.0), (150, 100.0)):
        total = 1 - sum(math.exp(-b) * b**k / math.factorial(k) for k in range(n))
        assert p_bi(n, b, 0.0) == pytest.approx(total, rel=1e-6)
        assert p_bi(n, b, 1e-3) == pytest.approx(total, rel=1e-3)


def test_control_measurement_as_a_slow_integral():
    """n_on given a gamma-distributed background: the Bayesian reading of the same formula, integrated numerically."""
    n, b, sigma = 20, 10.0, 1.0
    tau = b / sigma**2
    posterior = stats.gamma(tau * b + 1, scale=1 / tau)
    p, _ = integrate.quad(lambda x: posterior.pdf(x) * stats.poisson.sf(n - 1, x), 0, 40)
    assert p_bi(n, b, sigma) == pytest.approx(p, rel=1e-6)


@given(st.integers(0, 500), st.floats(0.5, 300), st.floats(0, 30), st.floats(0, 30))
def test_more_uncertainty_never_makes_an_excess_stronger(n, b, sigma, more):
    if n <= b + 1:
        return
    assert p_bi(n, b, sigma + more) >= p_bi(n, b, sigma) * (1 - 1e-6) - 1e-15


def test_no_events_is_no_evidence():
    assert p_bi(0, 3.0, 1.0) == 1.0


@pytest.mark.parametrize("case", [(1, 0, 1), (-1, 3, 1), (1, 3, -1), (1, math.nan, 1), (math.inf, 1, 1)])
def test_bad_numbers_are_refused(case):
    with pytest.raises(DataError):
        p_bi(*case)


def test_asimov_values():
    with_error = {(50, 100, 10): 3.173, (10, 10, 1): 2.616, (10, 100, 10): 0.690}
    without = {(50, 100): 4.652, (10, 10): 2.780, (10, 100): 0.984}
    for case, expected in (with_error | without).items():
        assert asimov_significance(*case) == pytest.approx(expected, abs=5e-4)


def test_asimov_approaches_s_over_root_b():
    assert asimov_significance(1.0, 1e6) == pytest.approx(1e-3, rel=1e-3)
    assert asimov_significance(50, 100, 1e-4) == pytest.approx(asimov_significance(50, 100), rel=1e-4)


def test_asimov_refuses_nonsense():
    with pytest.raises(DataError):
        asimov_significance(-1, 10)


@given(st.floats(-5, 30))
def test_p_and_z_are_inverse(z):
    assert p_to_z(z_to_p(z)) == pytest.approx(z, abs=1e-6)


# Monotonicity and limits for any numbers.

COUNTS = st.integers(1, 2000)
BACKGROUNDS = st.floats(0.5, 1000)
ERRORS = st.floats(0, 100)


@given(COUNTS, BACKGROUNDS, ERRORS)
def test_one_event_more_is_more_significant(n, b, sigma):
    below, above = z_bi(n, b, sigma), z_bi(n + 1, b, sigma)
    assert np.isfinite([below, above]).all()
    assert above > below


@given(COUNTS, BACKGROUNDS, st.floats(0.01, 500), st.floats(0.01, 100))
def test_more_background_is_less_significant(n, b, more, tau):
    """For a known background, and for one that comes from a control region of a given size."""
    assert z_bi(n, b + more, 0) <= z_bi(n, b, 0) + 1e-6
    first, second = (math.sqrt(mean / tau) for mean in (b, b + more))
    assert z_bi(n, b + more, second) <= z_bi(n, b, first) + 1e-6


@given(COUNTS, BACKGROUNDS)
def test_a_known_background_is_the_limit_of_a_small_error(n, b):
    limit = z_bi(n, b, 0.0)
    assert np.isfinite(limit)
    p = float(special.gammainc(n, b))  # Probability of n or more for a Poisson mean b.
    if 1e-290 < p < 0.99:
        assert limit == pytest.approx(stats.norm.isf(p), abs=1e-6)
    assert z_bi(n, b, 2e-4 * math.sqrt(b)) == pytest.approx(limit, abs=0.02)


@given(st.floats(0, 500), BACKGROUNDS, ERRORS)
def test_asimov_is_monotonic(s, b, sigma):
    z = asimov_significance(s, b, sigma)
    assert np.isfinite(z)
    assert z >= 0
    assert asimov_significance(1.1 * s + 0.1, b, sigma) > z - 1e-6
    assert asimov_significance(s, 1.1 * b, math.sqrt(1.1) * sigma) <= z + 1e-6  # The same control region.
    assert asimov_significance(s, b, 1.1 * sigma + 0.1) <= z + 1e-6
    assert z <= asimov_significance(s, b) + 1e-6


@given(st.floats(0.01, 500), BACKGROUNDS)
def test_asimov_without_an_error_is_the_profile_likelihood(s, b):
    """Twice the gain in the Poisson log likelihood of n = s + b, from no signal to the best one; below s / sqrt(b)."""
    gain = stats.poisson.logpmf(0, s + b) - stats.poisson.logpmf(0, b) + (s + b) * math.log((s + b) / b)
    assert asimov_significance(s, b) == pytest.approx(math.sqrt(2 * gain), rel=1e-4, abs=1e-4)
    assert asimov_significance(s, b) <= s / math.sqrt(b) * (1 + 1e-9)


def test_asimov_with_an_error_is_the_profile_likelihood():
    """Two counts, n = s + b and m = tau b, and their likelihood maximised by a slow grid."""
    for s, b, sigma in ((50, 100, 10), (10, 10, 1), (10, 100, 10), (30, 20, 8)):
        tau = b / sigma**2
        means = np.linspace(0.2 * b, 3 * (s + b), 400_001)

        def log_likelihood(signal, mean, n=s + b, m=tau * b, tau=tau):
            return n * np.log(signal + mean) - signal - mean + m * np.log(tau * mean) - tau * mean

        gain = log_likelihood(s, b) - log_likelihood(0, means).max()
        assert asimov_significance(s, b, sigma) == pytest.approx(math.sqrt(2 * gain), rel=1e-4)


def test_s_over_root_b_is_an_approximation():
    """It promises 10 standard deviations where there are less than 6, and is right where the signal is small."""
    assert 10 / math.sqrt(1.0) == 10
    assert asimov_significance(10, 1) == pytest.approx(5.72, abs=0.01)
    assert asimov_significance(10, 1e4) == pytest.approx(0.1, rel=1e-3)


def test_deep_deficits_are_finite():
    """Fewer events than expected, compared with sums of logarithms; without any event p is 1."""
    for n, b in ((1, 42.0), (1, 900.0), (3, 2000.0), (200, 1500.0)):
        log_q = special.logsumexp(stats.poisson.logpmf(np.arange(n), b))
        assert z_bi(n, b, 0.0) == pytest.approx(special.ndtri_exp(log_q), rel=1e-3)
        tau = 0.5
        log_q = special.logsumexp(stats.nbinom.logpmf(np.arange(n), tau * b + 1, tau / (1 + tau)))
        assert z_bi(n, b, math.sqrt(b / tau)) == pytest.approx(special.ndtri_exp(log_q), rel=1e-3)
    assert z_bi(0, 3.0, 1.0) == -math.inf


def test_asimov_is_the_median_of_toys():
    s, b = 15, 20.0
    n = np.random.default_rng(1).poisson(s + b, 200_000)
    gain = n * np.log(n / b) - n + b
    z = np.sign(n - b) * np.sqrt(2 * np.maximum(gain, 0))
    assert np.median(z) == pytest.approx(asimov_significance(s, b), abs=0.1)


def test_arrays_of_cases():
    z = z_bi([150, 20], [100, 10], [10, 1])
    assert z.shape == (2,)
    assert asimov_significance(np.ones((2, 3)), 5.0).shape == (2, 3)


@pytest.mark.parametrize("case", [(1, 0), (1, -3), (1, 2, -1), (math.nan, 5), (1, math.inf), (1, 5, math.nan)])
def test_asimov_refuses_every_bad_number(case):
    with pytest.raises(DataError):
        asimov_significance(*case)

"""p-values and significances against sums, published numbers and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

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

"""The batched fits against scipy, against iminuit, and on input that makes fits fail."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from null_spectra import EDGES, smooth
from scipy import integrate, optimize

from cmslabs.errors import ConfigError
from cmslabs.evaluation.choice import build_ladders, choose
from cmslabs.evaluation.families import FAMILIES, get_families, make_shape
from cmslabs.evaluation.fits import deviance, fit_background, fit_signal, profile_background
from cmslabs.evaluation.minuit import fit_spectrum
from cmslabs.evaluation.windows import gaussian_template

SQRT_S = 13_000.0
USED = np.ones(40, dtype=bool)
EVERY_SHAPE = [(name, n) for name, family in FAMILIES.items() for n in family.parameters]


def counts_of(n_spectra: int, n_events: float = 20_000.0, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).poisson(smooth(n_events), size=(n_spectra, 40)).astype(float)


def for_family(name: str, n_spectra: int, n_events: float, seed: int = 3) -> np.ndarray:
    """Spectra that the family can describe: Bernstein polynomials want a gentle slope."""
    if name != "bernstein":
        return counts_of(n_spectra, n_events, seed)
    expected = np.linspace(2.0, 1.0, 40) ** 2
    return np.random.default_rng(seed).poisson(n_events * expected / expected.sum(), size=(n_spectra, 40)).astype(float)


def slow_nll(theta: np.ndarray, shape, counts: np.ndarray, extra: np.ndarray | float = 0.0) -> float:
    """The likelihood written out bin by bin."""
    total = 0.0
    for column, scale, n, more in zip(shape.columns, shape.scale, counts, np.broadcast_to(extra, 40), strict=True):
        value = float(np.dot(column, theta))
        mu = scale * (np.exp(value) if shape.link == "log" else value) + more
        total += mu - n * np.log(max(mu, 1e-300))
    return total


@pytest.mark.parametrize(("name", "n"), EVERY_SHAPE)
@pytest.mark.parametrize("n_events", [200.0, 20_000.0])
def test_background_fit_is_the_minimum(name, n, n_events):
    shape = make_shape(FAMILIES[name], n, EDGES, SQRT_S)
    counts = for_family(name, 5, n_events)
    fits = fit_background(shape, counts)
    assert fits.converged.all()
    rng = np.random.default_rng(1)
    for row in range(5):
        best = slow_nll(fits.theta[row], shape, counts[row])
        assert fits.nll[row] == pytest.approx(best, abs=1e-6)
        if shape.link == "log":
            found = optimize.minimize(slow_nll, fits.theta[row], args=(shape, counts[row]), method="Nelder-Mead")
            assert best <= found.fun + 1e-5
        for _ in range(20):
            near = fits.theta[row] * (1 + 1e-2 * rng.standard_normal(n))
            near = np.maximum(near, 0) if shape.link == "linear" else near
            assert slow_nll(near, shape, counts[row]) >= best - 1e-6


@pytest.mark.parametrize(("name", "n"), EVERY_SHAPE)
def test_batched_fits_agree_with_iminuit(name, n):
    shape = make_shape(FAMILIES[name], n, EDGES, SQRT_S)
    counts = for_family(name, 3, 20_000)
    template = gaussian_template(EDGES, 4000.0, 150.0)
    alone = fit_background(shape, counts)
    both = fit_signal(shape, counts, np.broadcast_to(template, counts.shape), alone)
    for row in range(3):
        slow = fit_spectrum(shape, counts[row])
        np.testing.assert_allclose(slow.background, alone.background[row], rtol=2e-3)
        with_signal = fit_spectrum(shape, counts[row], template=template)
        assert with_signal.nll == pytest.approx(both.nll[row], abs=2e-3)
        assert with_signal.signal == pytest.approx(both.signal[row], abs=0.03 * with_signal.signal_error)


def test_profile_at_the_best_yield_is_the_best_fit():
    shape = make_shape(FAMILIES["exponential"], 3, EDGES, SQRT_S)
    counts = counts_of(4)
    template = np.broadcast_to(gaussian_template(EDGES, 4000.0, 150.0), counts.shape)
    alone = fit_background(shape, counts)
    both = fit_signal(shape, counts, template, alone)
    np.testing.assert_allclose(profile_background(shape, counts, template, both.signal, alone).nll, both.nll, atol=1e-5)
    np.testing.assert_allclose(
        profile_background(shape, counts, template, 0 * both.signal, alone).nll, alone.nll, atol=1e-5
    )
    farther = profile_background(shape, counts, template, both.signal + 300, alone).nll
    assert (farther > both.nll + 1).all()


def test_masked_bins_do_not_matter():
    shape = make_shape(FAMILIES["power"], 3, EDGES, SQRT_S)
    counts = counts_of(1)
    used = USED.copy()
    used[10:15] = False
    changed = counts.copy()
    changed[:, 10:15] = 1e6
    np.testing.assert_array_equal(
        fit_background(shape, counts, used).background, fit_background(shape, changed, used).background
    )


def test_a_smooth_expectation_is_reproduced():
    """Fitted to its own curve, each family returns it, integrated over wide bins of a steep spectrum."""
    edges = np.linspace(1000.0, 4000.0, 13)
    truth = [integrate.quad(lambda m: 1e6 * (m / 1000) ** -6, *ends)[0] for ends in itertools.pairwise(edges)]
    shape = make_shape(FAMILIES["power"], 3, edges, SQRT_S)
    plain = fit_background(shape, np.array([truth])).background[0]
    for _ in range(2):
        shape = shape.curved(fit_background(shape, np.array([truth])).theta[0])
    corrected = fit_background(shape, np.array([truth]))
    np.testing.assert_allclose(corrected.background[0], truth, rtol=2e-4)
    assert np.abs(plain / truth - 1).max() > np.abs(corrected.background[0] / truth - 1).max()
    density = shape.density(corrected.theta[0], np.array([1500.0, 3000.0]))
    np.testing.assert_allclose(density, 1e6 * np.array([1.5, 3.0]) ** -6, rtol=2e-3)


def test_bernstein_stays_positive():
    shape = make_shape(FAMILIES["bernstein"], 5, EDGES, SQRT_S)
    counts = np.zeros((1, 40))
    counts[0, :6] = [50, 30, 20, 8, 3, 1]
    fits = fit_background(shape, counts)
    assert (fits.background >= 0).all()
    assert np.isfinite(fits.nll).all()


def test_sparse_spectra_stay_finite():
    for name, n in EVERY_SHAPE:
        shape = make_shape(FAMILIES[name], n, EDGES, SQRT_S)
        fits = fit_background(shape, counts_of(200, n_events=15, seed=9))
        assert np.isfinite(fits.background).all(), name
        assert np.isfinite(fits.nll).all(), name


def test_deviance_by_hand():
    assert deviance(np.array([4.0]), np.array([2.0])) == pytest.approx(2 * (2 - 4 + 4 * np.log(2)))
    assert deviance(np.array([4.0, 9.0]), np.array([2.0, 9.0]), np.array([False, True])) == 0.0


def test_deviance_is_a_chi_square_where_the_family_is_right():
    shape = make_shape(FAMILIES["exponential"], 2, EDGES, SQRT_S)
    middle = (EDGES[:-1] + EDGES[1:]) / 2
    counts = np.random.default_rng(5).poisson(3000 * np.exp(-(middle - 2800) / 1200), size=(2000, 40))
    values = deviance(counts, fit_background(shape, counts).background)
    assert values.mean() == pytest.approx(38, abs=4 * np.sqrt(2 * 38 / 2000))


def test_f_test_accepts_a_needless_parameter_as_often_as_its_level():
    middle = (EDGES[:-1] + EDGES[1:]) / 2
    expected = 3000 * np.exp(-(middle - 2800) / 900)
    counts = np.random.default_rng(6).poisson(expected, size=(2000, 40)).astype(float)
    ladders = build_ladders(get_families("exponential"), expected, EDGES, USED, SQRT_S)
    more = (choose(ladders, counts, USED).index > 0).mean()
    assert more == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))


def test_f_test_climbs_where_it_must():
    counts = np.random.default_rng(7).poisson(smooth(1e6), size=(20, 40)).astype(float)
    ladders = build_ladders(get_families("exponential"), smooth(1e6), EDGES, USED, SQRT_S)
    climbed = choose(ladders, counts, USED).index
    assert (climbed >= 1).all()
    # The rule stops at the first parameter that does not help, even if the next one would.
    assert (climbed >= 2).mean() > 0.8


def test_too_few_bins_and_unknown_families_are_refused():
    with pytest.raises(ConfigError, match="too few"):
        build_ladders(get_families("dijet"), np.ones(4), EDGES[:5], np.ones(4, bool), SQRT_S)
    with pytest.raises(ConfigError, match="no family"):
        get_families("bernstien")
    assert get_families(["power", "auto"]) == list(FAMILIES.values())
    with pytest.raises(ConfigError):
        get_families([])

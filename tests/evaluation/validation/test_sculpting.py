"""Sculpting: chi2 and divergence against scipy, planted dependence of several shapes, and scores that are flat."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from null_spectra import allowed
from scipy import stats
from scipy.spatial.distance import jensenshannon
from validation_worlds import N_NULLS, background, masses

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.decorrelated import MassQuantile
from cmslabs.evaluation.validation.homogeneity import chi2_of, divergence_of, mass_bins
from cmslabs.evaluation.validation.sculpting import find_sculpting, sculpting_study


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=2, max_size=8))
def test_chi2_and_divergence_are_scipys(pairs):
    passing, failing = np.array(pairs, dtype=float).T
    expected = stats.chi2_contingency([passing, failing], correction=False).statistic
    assert chi2_of(passing, passing + failing) == pytest.approx(expected, abs=1e-9)
    distance = jensenshannon(passing, failing, base=2)
    assert divergence_of(passing, passing + failing) == pytest.approx(distance**2, abs=1e-9)


@settings(deadline=None)
@given(st.integers(60, 3000), st.floats(0.02, 0.5), st.integers(2, 30), st.integers(1, 2000))
def test_bins_expect_five_events_or_are_refused(n, fraction, n_bins, distinct):
    mass = np.random.default_rng(n).integers(1, distinct + 1, size=n).astype(float)
    k = int(fraction * n)
    try:
        found = mass_bins(mass, k, n_bins)
    except DataError:
        assert k < 12 or distinct < n / 2
        return
    assert 2 <= len(found.total) <= n_bins
    assert found.total.min() * k / n > 5 - k / n
    assert found.total.sum() == n
    assert np.array_equal(found.total, np.histogram(mass, found.edges)[0]) or len(np.unique(mass)) < n


def test_scores_that_ignore_the_mass_are_as_rarely_called_sculpting_as_promised():
    alarms, single, asymptotic = 0, 0, 0
    for seed in range(N_NULLS):
        scores = np.random.default_rng(seed).normal(size=600)
        found = find_sculpting(scores, masses(600, seed), fractions=(0.5, 0.1), n_permutations=39, random_state=seed)
        alarms += found.alarm
        asymptotic += found.cuts[0].chi2_p <= 0.05
        numbers = [found.spearman_p, found.tail_spearman_p, *(cut.js_p for cut in found.cuts)]
        single += min(numbers) <= 0.05
    low, high = allowed(0.05, N_NULLS)
    assert low <= alarms <= high
    assert low <= asymptotic <= high
    assert single > high  # Whoever looks at all of them and quotes the best is fooled.


SHAPES = {
    "rising": lambda m: m / 1500,
    "falling": lambda m: -m / 1500,
    "peak": lambda m: 1.5 * np.exp(-0.5 * ((m - 2500) / 150) ** 2),
    "valley": lambda m: np.abs(m - 2600) / 500,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_planted_sculpting_is_found(shape):
    hits = 0
    for seed in range(20):
        mass = masses(3000, seed)
        scores = SHAPES[shape](mass) + np.random.default_rng(seed).normal(size=3000)
        hits += find_sculpting(scores, mass, n_permutations=99, fractions=(0.5, 0.1), random_state=seed).alarm
    assert hits >= 19


def test_what_a_rank_correlation_misses_the_comparison_of_shapes_sees():
    """Above and below the median mass alike: the correlation is nothing, the spectrum is ruined."""
    mass = masses(6000, 1)
    position = stats.rankdata(mass) / len(mass) - 0.5
    found = find_sculpting(4 * np.abs(position) + np.random.default_rng(1).normal(size=6000), mass)
    assert found.spearman_p > 0.05
    assert found.verdict == "sculpted"
    assert found.cuts[1].chi2_p < 1e-6


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_only_orders_matter(seed):
    rng = np.random.default_rng(seed)
    mass = masses(400, seed)
    scores = mass / 2000 + rng.normal(size=400)
    options = {"fractions": (0.25,), "n_permutations": 19, "least": 50}
    one, two = find_sculpting(scores, mass, **options), find_sculpting(np.exp(scores), np.log(mass), **options)
    assert one.spearman == pytest.approx(two.spearman)
    assert one.p_value == two.p_value
    assert one.cuts[0].chi2 == pytest.approx(two.cuts[0].chi2)
    mirrored = find_sculpting(-scores, mass, **options)
    assert mirrored.spearman == pytest.approx(-one.spearman)


def entropy_example(n: int, seed: int):
    """Features whose spread rises with the mass, with their exact density given the mass."""
    rng = np.random.default_rng(seed)
    mass = rng.uniform(2000, 5000, n)
    spread = mass / 2000
    x = rng.normal(size=(n, 2)) * spread[:, None]
    radius = np.linalg.norm(x / spread[:, None], axis=1)
    return mass, radius, 0.5 * radius**2 + 2 * np.log(spread)


def test_the_density_given_the_mass_is_not_decorrelated_and_the_base_radius_is():
    mass, radius, minus_log_p = entropy_example(8000, 1)
    given_mass = find_sculpting(minus_log_p, mass)
    assert given_mass.verdict == "sculpted"
    assert given_mass.spearman > 0.4
    base = find_sculpting(radius, mass)
    assert base.verdict == "flat"
    assert abs(base.spearman) < 0.03


def test_the_quantile_at_the_mass_is_flat():
    """Planted sculpting, decorrelated with many reference events; the tail keeps its size everywhere."""
    mass, _, scores = entropy_example(60_000, 2)
    known, judged = slice(0, 56_000), slice(56_000, None)
    assert find_sculpting(scores[judged], mass[judged]).alarm
    flat = MassQuantile.of(scores[known], mass[known])(scores[judged], mass[judged])
    assert not find_sculpting(flat, mass[judged]).alarm
    assert (flat > 0.9).mean() == pytest.approx(0.1, abs=0.02)
    assert ((flat > 0) & (flat < 1)).all()


def test_quantiles_keep_the_order_within_a_mass():
    mass, _, scores = entropy_example(5000, 3)
    quantile = MassQuantile.of(scores, mass)
    line = np.linspace(-5, 60, 500)
    for at in (1900.0, 3141.0, 6000.0):
        found = quantile(line, np.full(500, at))
        assert (np.diff(found) >= 0).all()
        assert (np.diff(found[line > 20]) > 0).all()  # Also beyond all that was known.
    single = MassQuantile.of(scores, mass, n_bins=1)
    assert single(scores, mass).mean() == pytest.approx(0.5, abs=1e-3)


def test_the_study_trains_and_the_result_is_json():
    X, mass = background(2000, 1), masses(2000, 1)
    train = lambda X, seed: lambda Y: np.asarray(Y["dmj"])  # noqa: E731
    found = sculpting_study(train, X, X, mass)
    assert found.refused == ("A share of 1 % needs N >= 5000 events, not 2000.",)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["verdict"] == "flat"
    assert [cut["fraction"] for cut in content["cuts"]] == [0.5, 0.1] == list(found.table["fraction"])
    cut = found.cuts[0]
    assert cut.passing.sum() == cut.n_pass == 1000
    assert np.average(cut.ratio, weights=cut.failing) == pytest.approx(1)


def test_what_cannot_be_asked_is_refused():
    mass = masses(300, 1)
    with pytest.raises(DataError, match="300 events need 300 masses"):
        find_sculpting(mass, mass[:5])
    with pytest.raises(DataError, match="no threshold"):
        find_sculpting(mass, mass, fractions=(0.01,))
    with pytest.raises(DataError, match="300 of 300 events have the score"):
        find_sculpting(np.zeros(300), mass)
    with pytest.raises(DataError, match="two mass bins"):
        find_sculpting(np.arange(300.0), np.ones(300), fractions=(0.5,))
    with pytest.raises(ConfigError, match="cannot give a p-value"):
        find_sculpting(mass, mass, n_permutations=9)
    with pytest.raises(ConfigError, match="2 bins"):
        find_sculpting(mass, mass, n_bins=1)
    with pytest.raises(DataError, match="too few"):
        MassQuantile.of(mass, mass)
    with pytest.raises(DataError, match="different values"):
        MassQuantile.of(mass, np.ones(300), n_bins=2)


@pytest.mark.slow
def test_a_conditional_flow_sculpts_and_its_base_radius_hardly_does():
    pytest.importorskip("torch", reason="needs the extra torch")
    import pandas as pd

    from cmslabs.models.registry import make_model

    def events(seed):
        mass, rng = np.random.default_rng(seed).uniform(2000, 5000, 4000), np.random.default_rng(seed + 100)
        x, y = rng.normal(size=(2, 4000)) * mass / 2000
        return pd.DataFrame({"x": x, "y": y, "mjj": mass})

    quick = {"n_layers": 2, "widths": (24,), "bins": 4, "epochs": 8, "batch_size": 256, "learning_rate": 1e-2}
    flow = make_model("flow", context=("mjj",), random_state=0, device="cpu", **quick).fit(events(1))
    X = events(2)
    density, radius = (find_sculpting(score(X), X["mjj"]) for score in (flow.anomaly_score, flow.latent_radius))
    assert density.verdict == "sculpted"
    assert density.spearman > 0.4
    assert abs(radius.spearman) < 0.06
    assert radius.cuts[1].js < 2 * radius.cuts[1].js_null
    assert density.cuts[1].js > 2 * density.cuts[1].js_null

"""KS distances against scipy, multiplicity against oracles, and a tail that differs by construction."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from null_spectra import allowed
from scipy import stats
from validation_worlds import N_NULLS, NAMES, background, masses, with_signal

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.ks import compare_tail, ks_study, pipeline_distances
from cmslabs.evaluation.validation.ks_distance import Ladder, like_in_mass, random_subsets
from cmslabs.evaluation.validation.multiplicity import benjamini_hochberg, max_t
from cmslabs.evaluation.validation.trainer import norm_trainer, trainer


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=3, max_size=25), st.data())
def test_distances_are_scipys_with_ties(values, data):
    k = data.draw(st.integers(1, len(values) - 1))
    chosen = np.array(data.draw(st.permutations(range(len(values)))))[:k]
    X = np.array(values, dtype=float)
    rest = np.delete(X, chosen)
    expected = stats.ks_2samp(X[chosen], rest).statistic
    assert Ladder.of(X[:, None]).distances(chosen)[0, 0] == pytest.approx(expected, abs=1e-12)


def slow_max_t(observed, drawn):
    """Step-down by the book: one hypothesis after the other."""
    left, adjusted, last = list(range(len(observed))), {}, 0.0
    for j in sorted(left.copy(), key=lambda i: -observed[i]):
        reached = sum(max(row[i] for i in left) >= observed[j] for row in drawn)
        last = max(last, (1 + reached) / (len(drawn) + 1))
        adjusted[j] = last
        left.remove(j)
    return [adjusted[i] for i in range(len(observed))]


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_max_t_and_benjamini_hochberg_are_their_oracles(seed, n):
    rng = np.random.default_rng(seed)
    observed, drawn = 1.5 * rng.normal(size=n), rng.normal(size=(19, n))
    assert max_t(observed, drawn).tolist() == pytest.approx(slow_max_t(observed, drawn))
    p = rng.random(n) ** 2
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


def test_random_tails_are_as_rarely_unusual_as_promised():
    """Any of four features at 5 %: max-T keeps the promise, uncorrected p-values do not."""
    adjusted = single = 0
    for seed in range(N_NULLS):
        X = background(300, seed)
        in_tail = np.zeros(300, dtype=bool)
        in_tail[np.random.default_rng(seed + 5000).permutation(300)[:30]] = True
        found = compare_tail(X, in_tail, n_draws=39, random_state=seed).references["random"]
        adjusted += found.p_max_t.min() <= 0.05
        single += found.p.min() <= 0.05
    low, high = allowed(0.05, N_NULLS)
    assert low <= adjusted <= high
    assert single > high


def test_a_tail_of_background_differs_in_every_feature_by_construction():
    found = ks_study(norm_trainer, background(4000, 1), fraction=0.02, n_draws=199)
    assert found.verdict == "by construction"
    assert not found.alarm
    assert found.p_value is None
    assert (found.table["random_p_max_t"] <= 0.05).all()


def test_the_tail_of_an_isolation_forest_on_the_bundled_background_differs_in_every_feature():
    from cmslabs.data.download import dataset_path
    from cmslabs.data.tables import read_table
    from cmslabs.features.dijets import detector_features
    from cmslabs.models.registry import make_model

    table = read_table(dataset_path("sim-dijet-features"))
    table = table[table["process"] == "qcd-dijets"].iloc[:20_000]
    found = ks_study(trainer(make_model("isolation-forest")), detector_features(table), mass=table["mjj"], n_draws=99)
    assert found.n_tail == 200
    assert (found.table["random_p_max_t"] <= 0.01).all()
    assert (found.table["mass_p_max_t"] <= 0.01).all()  # And the mass does not explain it.


def test_pseudo_data_know_that_and_are_as_rarely_unlike_as_promised():
    draw = lambda n, number: np.random.default_rng(number).normal(size=(n, 2))  # noqa: E731
    alarms = 0
    for number in range(N_NULLS):
        X = draw(200, 1_000_000 + number)
        alarms += ks_study(norm_trainer, X, draw=draw, fraction=0.1, n_pseudo=19, n_draws=19, seed=100 * number).alarm
    low, high = allowed(0.05, N_NULLS)
    assert low <= alarms <= high


def test_a_planted_signal_is_unlike_pseudo_data():
    found = ks_study(norm_trainer, with_signal(3000, 1, 40), draw=background, fraction=0.02, n_pseudo=39)
    assert found.verdict == "unlike pseudo-data"
    assert found.alarm
    pseudo = found.table.set_index("feature")["pseudo_p_max_t"]
    assert (pseudo[["mj_light", "dmj"]] <= 0.05).all()
    assert found.direction[0] > 1


def test_what_the_mass_alone_does_is_shown_by_random_events_of_the_same_masses():
    mass, rng = masses(6000, 1), np.random.default_rng(1)
    X = np.column_stack([mass / 1000 + 0.2 * rng.normal(size=6000), rng.normal(size=6000)])
    found = compare_tail(X, mass > np.quantile(mass, 0.9), mass=mass)
    assert found.references["random"].p_max_t[0] <= 0.01
    assert found.references["mass"].p_max_t.min() > 0.05


def test_subsets_have_the_masses_that_were_asked_for():
    mass = masses(2000, 3)
    chosen = mass > np.quantile(mass, 0.93)
    draws = like_in_mass(mass, chosen, 5, np.random.default_rng(1))
    for row in draws:
        assert len(set(row)) == chosen.sum()
        assert stats.ks_2samp(mass[row], mass[chosen]).statistic < 0.2
    plain = random_subsets(2000, 140, 3, np.random.default_rng(1))
    assert all(len(set(row)) == 140 for row in plain)


def test_copies_of_a_feature_change_benjamini_hochberg_and_not_max_t():
    """A hundred copies of a true effect make room for others; the chance of any false alarm stays."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(2000, 12))
    in_tail = np.zeros(2000, dtype=bool)
    in_tail[np.argsort(-X[:, 0])[:100]] = True
    alone = compare_tail(X, in_tail, n_draws=499)
    copied = alone.with_copies("0", 100)
    assert len(copied.features) == 112
    before, after = (one.references["random"] for one in (alone, copied))
    assert after.p_max_t[:12].tolist() == before.p_max_t.tolist()
    assert (after.p_bh[1:12] <= before.p_bh[1:]).all()
    assert (after.p_bh[1:12] <= 0.1).sum() > (before.p_bh[1:] <= 0.1).sum()
    with pytest.raises(DataError, match="no feature 'x'"):
        alone.with_copies("x", 1)


def test_the_result_is_json_in_the_order_of_the_distances():
    found = ks_study(
        norm_trainer, background(1000, 1), mass=masses(1000, 1), draw=background, fraction=0.05, n_pseudo=19
    )
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["draws"] == {"random": 199, "mass": 199, "pseudo": 19}
    assert {row["feature"] for row in content["features"]} == set(NAMES)
    assert found.table["distance"].is_monotonic_decreasing
    again = pipeline_distances(norm_trainer, background, 1000, fraction=0.05, n_pseudo=19)
    assert np.array_equal(found.references["pseudo"].drawn, again)


def test_what_cannot_be_asked_is_refused():
    X, mask = background(200, 1), np.arange(200) < 30
    with pytest.raises(DataError, match="mask"):
        compare_tail(X, np.arange(200))
    with pytest.raises(DataError, match="tail of 5 among 200"):
        compare_tail(X, np.arange(200) < 5)
    with pytest.raises(DataError, match="do not belong"):
        compare_tail(X, mask, pseudo=np.ones((30, 2)))
    with pytest.raises(DataError, match="table of finite numbers"):
        compare_tail(X.assign(dmj=np.nan), mask)
    with pytest.raises(ConfigError, match="10 repetitions cannot give"):
        compare_tail(X, mask, n_draws=10)
    with pytest.raises(ConfigError, match="needs at least 19"):
        ks_study(norm_trainer, X, draw=background, n_pseudo=5, fraction=0.2)
    with pytest.raises(DataError, match="gave 7 events"):
        ks_study(norm_trainer, X, draw=lambda n, seed: background(7, seed), fraction=0.2)
    with pytest.raises(DataError, match="density knows"):
        ks_study(norm_trainer, X, draw=background, features=X)
    with pytest.raises(DataError, match="from 0 to 1"):
        benjamini_hochberg([0.5, 1.5])

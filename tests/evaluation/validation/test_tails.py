"""Tails: the exact law of the count beyond a threshold that was measured, and what is refused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from null_spectra import allowed
from scipy import stats
from validation_worlds import N_NULLS, background, with_signal

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.validation.tails import count_p, find_tails, tail_study
from cmslabs.evaluation.validation.trainer import norm_trainer


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_the_law_of_the_count_is_that_of_all_orders(n, m, data):
    """The oracle: every order of n validation and m test scores is equally likely."""
    k, observed = data.draw(st.integers(1, n)), data.draw(st.integers(0, m))
    counts = []
    for places in combinations(range(n + m), n):  # Where the validation scores stand, from the top.
        counts.append(places[k - 1] - (k - 1))
    few, many = count_p(observed, m, k, n)
    assert few == pytest.approx(np.mean(np.array(counts) <= observed))
    assert many == pytest.approx(np.mean(np.array(counts) >= observed))


def test_nulls_drift_as_rarely_as_promised_and_poisson_errors_are_too_small():
    rng = np.random.default_rng(1)
    alarms = naive = 0
    for _ in range(N_NULLS):
        found = find_tails(rng.normal(size=1500), rng.normal(size=1500), fractions=(0.05,))
        alarms += found.alarm
        tail = found.tails[0]
        naive += min(stats.poisson.cdf(tail.n_test, 75), stats.poisson.sf(tail.n_test - 1, 75)) <= 0.025
    low, high = allowed(0.05, N_NULLS)
    assert low <= alarms <= high
    assert naive > high


def test_several_tails_share_one_error_rate():
    rng = np.random.default_rng(2)
    alarms = sum(
        find_tails(rng.normal(size=1200), rng.normal(size=1200), fractions=(0.3, 0.2, 0.1, 0.05)).alarm
        for _ in range(N_NULLS)
    )
    assert alarms <= allowed(0.05, N_NULLS)[1]


def test_a_planted_signal_drifts():
    parts = background(6000, 1), background(6000, 2)
    assert tail_study(norm_trainer, *parts, background(6000, 3), fractions=(0.01,)).verdict == "steady"
    found = tail_study(norm_trainer, *parts, with_signal(6000, 3, 60), fractions=(0.01,))
    assert found.verdict == "drifted"
    assert found.alarm
    assert found.tails[0].n_test > found.tails[0].expected + 40


def test_fifteen_percent_of_forty_thousand_leave_one_tail():
    scores = np.random.default_rng(3).normal(size=(2, 6000))
    found = find_tails(*scores)
    assert [tail.n_validation for tail in found.tails] == [60, 6, 0]
    assert [tail.refused is None for tail in found.tails] == [True, False, False]
    assert "needs N >= 50000 events" in found.tails[1].refused
    assert "needs N >= 500000 events" in found.tails[2].refused
    assert found.tails[1].threshold is None
    few = find_tails(scores[0][:400], scores[1])
    assert (few.verdict, few.p_value, few.alarm) == ("too few events", None, False)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_only_the_order_of_the_scores_matters(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 700))
    first, second = (find_tails(f(a), f(b), fractions=(0.1,)) for f in (np.array, np.exp))
    assert first.p_value == second.p_value
    assert first.tails[0].n_test == second.tails[0].n_test


def test_equal_scores_are_all_in_the_tail():
    validation = np.repeat([0.0, 1.0], [900, 100])
    tail = find_tails(validation, validation, fractions=(0.06,)).tails[0]
    assert (tail.n_validation, tail.n_test, tail.threshold) == (100, 100, 1.0)


def test_the_result_is_json():
    import json

    found = find_tails(*np.random.default_rng(3).normal(size=(2, 6000)))
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (content["verdict"], len(content["tails"])) == ("steady", 3)
    assert list(found.table["n_test"]) == [tail["n_test"] for tail in content["tails"]]


def test_what_cannot_be_asked_is_refused():
    good = np.arange(600.0)
    with pytest.raises(DataError, match="row 3"):
        find_tails(np.where(good == 3, np.nan, good), good)
    with pytest.raises(DataError, match="one number per event"):
        find_tails(good.reshape(2, 300), good)
    for options, words in (({"fractions": (1.5,)}, "share"), ({"fractions": ()}, "fraction"), ({"least": 0}, "least")):
        with pytest.raises(ConfigError, match=words):
            find_tails(good, good, **options)
    with pytest.raises(DataError, match="must return a scorer"):
        tail_study(lambda X, seed: None, good[:, None], good[:, None], good[:, None])
    with pytest.raises(DataError, match="600 events need 600 scores, not 1"):
        tail_study(lambda X, seed: lambda Y: [0.0], good[:, None], good[:, None], good[:, None])

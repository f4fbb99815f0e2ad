"""Sums that do not depend on the order in which their terms arrive."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.errors import DataError
from cmslabs.selection.failures import Failure
from cmslabs.selection.ordered import Ordered

pytest.importorskip("coffea")


def chunk(dataset, number, values):
    return Ordered({(dataset, 0, number): {"sum": np.array([values])}})


def terms(n, seed=1):
    """Numbers of very different size: their sum depends on the order."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=n) * 10.0 ** rng.integers(-8, 8, n)


def add_up(parts, shape):
    """Add neighbours in a list as `shape` says, as a tree of workers would."""
    parts = list(parts)
    for position in shape:
        if len(parts) == 1:
            break
        at = position % (len(parts) - 1)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    whole = Ordered()
    for part in parts:
        whole += part
    return whole


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 40), order=st.randoms(use_true_random=False), shape=st.lists(st.integers(0, 99), max_size=40))
def test_any_order_and_grouping_gives_the_same_bits(n, order, shape):
    values = terms(n)
    parts = [chunk("a", i, value) for i, value in enumerate(values)]
    in_order = add_up(parts, []).totals()["a"]["sum"][0]
    order.shuffle(parts)
    assert add_up(parts, shape).totals()["a"]["sum"][0] == in_order
    assert in_order == pytest.approx(math.fsum(values), rel=1e-12, abs=1e-6)


def test_adding_as_results_arrive_is_what_differs():
    values = terms(40)
    rng = np.random.default_rng(2)
    sums = {sum(rng.permutation(values).tolist()) for _ in range(20)}
    assert len(sums) > 1


def test_data_sets_are_kept_apart():
    whole = chunk("a", 0, 1.0) + chunk("b", 0, 10.0) + chunk("a", 1, 2.0)
    assert {name: total["sum"][0] for name, total in whole.totals().items()} == {"a": 3.0, "b": 10.0}


def test_few_results_wait_for_their_neighbours():
    whole, waiting = Ordered(), 0
    for number in range(1000):
        whole += chunk("a", number, 1.0)
        waiting = max(waiting, len(whole.parts))
    assert waiting <= math.log2(1000) + 1
    assert whole.totals()["a"]["sum"][0] == 1000


def test_adding_leaves_the_terms_alone():
    first, second = chunk("a", 0, 1.0), chunk("a", 1, 2.0)
    assert (first + second).totals()["a"]["sum"][0] == 3.0
    assert first.totals()["a"]["sum"][0] == 1.0
    assert second.totals()["a"]["sum"][0] == 2.0


def test_failures_are_collected():
    lost = Failure("a", "file.root", 0, 10, DataError("is damaged."), damage=True)
    whole = chunk("a", 0, 1.0) + Ordered(failures=[lost])
    assert whole.failures == [lost]
    assert whole.totals()["a"]["sum"][0] == 1.0

"""Splits that never leak, and the ways in which splits usually do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cmslabs.data.download import dataset_path
from cmslabs.data.tables import read_table
from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.splits import parts_of, require_disjoint, split_events

IDS = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=200)


@given(IDS, st.randoms(use_true_random=False), st.integers(0, 2**32))
def test_order_and_company_do_not_matter(ids, random, seed):
    """The part of an event is the same in another order, in a subset, and next to other events."""
    known = dict(zip(ids, parts_of(ids, random_state=seed).tolist(), strict=True))
    shuffled = random.sample(ids, len(ids))
    assert parts_of(shuffled, random_state=seed).tolist() == [known[i] for i in shuffled]
    some = shuffled[: max(1, len(ids) // 2)]
    assert parts_of(some, random_state=seed).tolist() == [known[i] for i in some]
    more = parts_of([*ids, 5, 7, 11], random_state=seed).tolist()
    assert more[: len(ids)] == [known[i] for i in ids]


def test_duplicated_rows_stay_together():
    """Oversampled rows are the classical leak: copies of one event in training and in test."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 3000, 20_000)
    split = split_events(ids)
    sets = [set(ids[part]) for part in split]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]
    assert sorted(np.concatenate(split)) == list(range(20_000))
    # The same attempt on a split by rows does leak.
    rows = rng.permutation(20_000)
    assert set(ids[rows[:14_000]]) & set(ids[rows[14_000:]])


def test_the_same_event_in_two_tables_is_on_the_same_side():
    """The bundled features and constituents hold the same events, in tables of different length and type."""
    features = read_table(dataset_path("sim-dijet-features"), ["event", "mjj"])
    heavy = features[features.mjj > 3000].sample(frac=1, random_state=3).reset_index(drop=True)
    heavy["event"] = heavy.event.astype(np.uint64)
    first, second = split_events(features.event), split_events(heavy.event)
    for ours, theirs in zip(first, second, strict=True):
        assert set(heavy.event.iloc[theirs]) <= set(features.event.iloc[ours])
    require_disjoint(features.event.iloc[first.train], heavy.event.iloc[second.test])
    with pytest.raises(DataError, match="are in both lists"):
        require_disjoint(features.event.iloc[first.train], heavy.event.iloc[second.train])


@pytest.mark.parametrize(
    "kind", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, "frame", "series", list]
)
def test_the_type_of_the_ids_does_not_matter(kind):
    ids = np.arange(100)
    if kind == "frame":
        given_as = pd.DataFrame({"event": ids.astype(np.int32)})
    elif kind == "series":
        given_as = pd.Series(ids, index=ids[::-1])  # Its index is not an id.
    else:
        given_as = ids.tolist() if kind is list else ids.astype(kind)
    assert parts_of(given_as).tolist() == parts_of(ids).tolist()


def test_ids_of_several_columns():
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"run": rng.integers(1, 4, 6000), "luminosityBlock": 7, "event": rng.integers(0, 3000, 6000)})
    part = parts_of(table)
    grouped = table.assign(part=part).groupby(["run", "event"]).part.nunique()
    assert (grouped == 1).all()
    # Event numbers start again in each run: these are other events, and they need not stay together.
    assert (table.assign(part=part).groupby("event").part.nunique() > 1).any()
    assert parts_of(table.to_numpy()).tolist() == part.tolist()
    assert parts_of(table[["event", "run"]]).tolist() != parts_of(table[["run", "event"]]).tolist()


@pytest.mark.parametrize("step", [1, 2, 1000, 2**16, 2**32])
@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_shares_are_those_of_a_die(step, seed):
    """Whatever pattern the numbers have: multiples, high bits only."""
    counts = np.bincount(parts_of(np.arange(40_000) * step, random_state=seed), minlength=3)
    assert stats.chisquare(counts, 40_000 * np.array([0.7, 0.15, 0.15])).pvalue > 1e-4


def test_neighbours_and_seeds_are_independent():
    ids = np.arange(40_000)
    first, second = parts_of(ids, random_state=0), parts_of(ids, random_state=1)
    for a, b in ((first, second), (first[:-1], first[1:])):
        table = np.bincount(3 * a.astype(int) + b, minlength=9).reshape(3, 3)
        assert stats.chi2_contingency(table).pvalue > 1e-4


def test_a_split_stays_what_it_is():
    """Results on disk depend on it: these numbers may never change."""
    assert parts_of(np.arange(24)).tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert parts_of([[1, 2, 3], [4, 5, 6]], random_state=9).tolist() == [1, 2]


@given(st.tuples(st.floats(0, 1), st.floats(0, 1)), IDS)
def test_larger_training_share_only_adds(shares, ids):
    """What was training stays training when its share grows, so that learning curves are nested."""
    small, large = sorted(shares)
    was = parts_of(ids, (small, 1 - small, 0)) == 0
    now = parts_of(ids, (large, 1 - large, 0)) == 0
    assert (now | ~was).all()


def test_a_part_may_be_left_out():
    split = split_events(np.arange(1000), (0.5, 0.0, 0.5))
    assert len(split.validation) == 0
    assert len(split.train) + len(split.test) == 1000


@pytest.mark.parametrize(
    ("fractions", "reason"),
    [((0.7, 0.3), "three numbers"), ((0.7, 0.2, 0.2), "sum 1"), ((1.2, -0.1, -0.1), "from 0 to 1")],
)
def test_bad_fractions(fractions, reason):
    with pytest.raises(ConfigError, match=reason):
        split_events(np.arange(100), fractions)


@pytest.mark.parametrize("seed", [-1, 1.5, None, True, "a"])
def test_bad_seeds(seed):
    with pytest.raises(ConfigError, match="seed"):
        split_events(np.arange(100), random_state=seed)


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ([], "no event ids"),
        (5, "no event ids"),
        (np.arange(100.0), "whole numbers"),
        (["a", "b"], "whole numbers"),
        (pd.DataFrame({"run": [1, 2], "event": [0.5, 1.0]}), "whole numbers"),
        ([1, 2, 3], "no event of 3 falls into"),
    ],
)
def test_bad_ids(ids, reason):
    with pytest.raises(DataError, match=reason):
        split_events(ids)


def test_lists_of_other_kinds_are_not_compared():
    require_disjoint([[1, 2]], [[1, 3]])
    with pytest.raises(DataError, match="in both lists, the first is 1, 2"):
        require_disjoint([[1, 2]], [[3, 4], [1, 2]])
    with pytest.raises(DataError, match="cannot be compared"):
        require_disjoint([[1, 2]], [1, 3])

"""Filters and triggers: and, or, and never silently true."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import plant

from cmslabs.errors import MissingBranchError
from cmslabs.objects import quality
from cmslabs.objects.quality import event_filters, trigger

TABLE = {"a": [1, 1, 0, 0], "b": [1, 0, 1, 0]}


def events(**collections):
    content = {
        name: ak.zip({bit: np.array(values, dtype=bool) for bit, values in bits.items()})
        for name, bits in collections.items()
    }
    return ak.zip({"run": np.ones(4, dtype="u4"), **content}, depth_limit=1)


def test_filters_are_and_triggers_are_or():
    both = events(Flag=TABLE, HLT=TABLE)
    assert event_filters(both, ["a", "b"]).mask.tolist() == [True, False, False, False]
    assert trigger(both, ["a", "b"]).mask.tolist() == [True, True, True, False]
    assert trigger(both, ["b"]).mask.tolist() == [True, False, True, False]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=12))
def test_any_table_of_bits(rows):
    names = ["x", "y", "z"]
    bits = {name: np.array([row[k] for row in rows]) for k, name in enumerate(names)}
    table = ak.zip({"Flag": ak.zip(bits), "HLT": ak.zip(bits)}, depth_limit=1)
    assert event_filters(table, names).mask.tolist() == [all(row) for row in rows]
    assert trigger(table, names).mask.tolist() == [any(row) for row in rows]


def test_what_is_missing_is_an_error_that_names_everything():
    both = events(Flag={"goodVertices": TABLE["a"]}, HLT={"IsoMu24": TABLE["a"]})
    both.attrs["filename"] = "some.root"
    with pytest.raises(MissingBranchError) as error:
        event_filters(both, ["goodVertex", "eeBadScFilter", "goodVertices"])
    words = ("some.root", "Flag_goodVertex", "Flag_eeBadScFilter", "missing.filters", "Flag_goodVertices")
    assert all(word in str(error.value) for word in words)
    with pytest.raises(MissingBranchError) as error:
        trigger(both, ["IsoMu24", "IsoMu27"])
    assert all(word in str(error.value) for word in ("some.root", "HLT_IsoMu27", "missing.triggers", "HLT_IsoMu24"))


def test_what_is_skipped_is_recorded_and_does_not_count_as_passed():
    both = events(Flag=TABLE, HLT=TABLE)
    filtered = event_filters(both, ["a", "c"], "skip")
    assert (filtered.mask.tolist(), filtered.used, filtered.skipped) == (
        [True, True, False, False],
        ("Flag_a",),
        ("Flag_c",),
    )
    fired = trigger(both, ["c", "b"], "skip")
    assert (fired.mask.tolist(), fired.used, fired.skipped) == ([True, False, True, False], ("HLT_b",), ("HLT_c",))


@pytest.mark.parametrize("missing", ["error", "skip"])
@pytest.mark.parametrize("present", [{"HLT": TABLE}, {}])
def test_no_trigger_path_at_all_is_an_error_whatever_the_policy(missing, present):
    with pytest.raises(MissingBranchError, match="HLT_c"):
        trigger(events(**present), ["c"], missing)


def test_no_path_asked_for_is_an_error():
    with pytest.raises(MissingBranchError, match="none were given"):
        trigger(events(HLT=TABLE), [])


def test_a_file_without_flags():
    none = events(HLT=TABLE)
    with pytest.raises(MissingBranchError, match="no Flag_"):
        event_filters(none, ["a"])
    decision = event_filters(none, ["a", "b"], "skip")
    assert (decision.mask.tolist(), decision.used, decision.skipped) == ([True] * 4, (), ("Flag_a", "Flag_b"))


def test_no_filter_asked_for_passes_all():
    assert event_filters(events(Flag=TABLE), []).mask.tolist() == [True] * 4


def test_bits_may_be_stored_as_numbers():
    numbers = ak.zip({"HLT": ak.zip({"a": np.array([0, 1, 2], dtype="u1")})}, depth_limit=1)
    assert trigger(numbers, ["a"]).mask.tolist() == [False, True, True]


def check_all():
    test_filters_are_and_triggers_are_or()
    test_what_is_skipped_is_recorded_and_does_not_count_as_passed()


@pytest.mark.parametrize(
    "fault",
    [
        (quality.trigger, "mask |=", "mask &="),
        (quality.trigger, "np.zeros(", "np.ones("),
        (quality.event_filters, "mask &=", "mask |="),
        (quality.event_filters, '_branches("Flag", gone)', "()"),
        (quality._bit, "!= 0", "== 0"),
        (quality._present, "name not in known", "name in known"),
    ],
)
def test_a_planted_fault_is_caught(monkeypatch, fault):
    check_all()
    plant(monkeypatch, *fault)
    with pytest.raises((AssertionError, MissingBranchError)):
        check_all()

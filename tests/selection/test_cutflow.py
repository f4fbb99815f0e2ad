"""Cutflows against loops over events, their sums, and the files they are written to."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.errors import ConfigError, DataError
from cmslabs.selection.cutflow import ALL_EVENTS, Cutflow, Flow, count_cuts, read_cutflow, totals


def slow(decisions, weights):
    """Cutflow and N-1 as one would explain them: event by event."""
    n_cuts = len(decisions[0]) if decisions else 0
    sequential, n_minus_1 = [], []
    for n in range(n_cuts + 1):
        left = [w for passes, w in zip(decisions, weights, strict=True) if all(passes[:n])]
        sequential.append((len(left), math.fsum(left), math.fsum(w * w for w in left)))
    for n in range(n_cuts):
        left = [w for passes, w in zip(decisions, weights, strict=True) if all(passes[:n] + passes[n + 1 :])]
        n_minus_1.append((len(left), math.fsum(left), math.fsum(w * w for w in left)))
    return sequential, n_minus_1


def masks_of(decisions, n_cuts):
    table = np.array(decisions, dtype=bool).reshape(len(decisions), n_cuts)
    return {f"cut {i}": table[:, i] for i in range(n_cuts)}


def same(found, expected):
    assert [line[0] for line in found] == [line[0] for line in expected]
    np.testing.assert_allclose([line[1:] for line in found], [line[1:] for line in expected], rtol=1e-12, atol=1e-12)


@st.composite
def events(draw, n_cuts=None):
    n_cuts = draw(st.integers(1, 5)) if n_cuts is None else n_cuts
    decisions = draw(st.lists(st.lists(st.booleans(), min_size=n_cuts, max_size=n_cuts), min_size=1, max_size=30))
    number = st.floats(-10, 10, allow_nan=False)
    return n_cuts, decisions, draw(st.lists(number, min_size=len(decisions), max_size=len(decisions)))


@settings(max_examples=75, deadline=None)
@given(events())
def test_cutflow_and_n_minus_1_agree_with_a_loop_over_events(chosen):
    n_cuts, decisions, weights = chosen
    flow = count_cuts(masks_of(decisions, n_cuts), np.array(weights))
    sequential, n_minus_1 = slow(decisions, weights)
    same(flow.sequential, sequential)
    same(flow.n_minus_1, n_minus_1)


@settings(max_examples=30, deadline=None)
@given(events(n_cuts=3), st.integers(0, 30))
def test_two_parts_add_up_to_the_whole(chosen, where):
    _, decisions, weights = chosen
    masks, weights = masks_of(decisions, 3), np.array(weights)
    parts = [count_cuts({k: m[piece] for k, m in masks.items()}, weights[piece]) for piece in (
        slice(0, where), slice(where, None))]  # fmt: skip
    whole, total = count_cuts(masks, weights), parts[0] + parts[1]
    same(total.sequential, whole.sequential)
    same(total.n_minus_1, whole.n_minus_1)


def test_more_cuts_than_a_byte_counts():
    """An event that fails all of 256 cuts must not look like one that fails none."""
    masks = {f"cut {i}": np.array([False, True]) for i in range(256)}
    flow = count_cuts(masks, np.ones(2))
    assert flow.n_minus_1[0][0] == 1
    assert flow.sequential[-1][0] == 1


def test_without_events():
    flow = count_cuts({"a": np.zeros(0, dtype=bool)}, np.zeros(0))
    assert flow.sequential == ((0, 0.0, 0.0), (0, 0.0, 0.0))
    assert "nothing" in Cutflow({"nothing": flow}).table()


def example():
    masks = {"trigger": np.array([1, 1, 0, 1], dtype=bool), "mass": np.array([1, 0, 1, 1], dtype=bool)}
    weights = np.array([2.0, 0.1, 0.3, -1.0])
    flow = count_cuts(masks, weights)
    chosen = weights[[0, 3]]
    more = {"pileup": totals(chosen * 1.1), "muonId": totals(chosen * 1.1 * 0.9)}
    selected = {"nominal": totals(chosen * 0.99), "pileupUp": totals(chosen), "muonScaleUp": totals(chosen[:1])}
    return Flow(flow.cuts, flow.sequential, flow.n_minus_1, more, selected)


def test_frame_has_a_row_for_every_line():
    frame = Cutflow({"b": example(), "a": example()}).to_frame()
    assert frame["dataset"].tolist() == ["b"] * 5 + ["a"] * 5
    assert frame["kind"].tolist()[:5] == ["start", "cut", "cut", "weight", "weight"]
    assert frame["cut"].tolist()[:5] == [ALL_EVENTS, "trigger", "mass", "pileup", "muonId"]
    row = frame.iloc[2]
    assert row["events"] == 2
    assert row["weighted"] == pytest.approx(1.0)
    assert row["error"] == pytest.approx(math.sqrt(5.0))
    assert row["n_minus_1_events"] == 3
    assert row["n_minus_1_weighted"] == pytest.approx(1.1)
    assert frame["n_minus_1_events"].isna().tolist()[:5] == [True, False, False, True, True]


def test_yields_of_every_systematic():
    yields = Cutflow({"a": example()}).yields()
    assert yields["systematic"].tolist() == ["nominal", "pileupUp", "muonScaleUp"]
    assert yields["events"].tolist() == [2, 2, 1]
    assert yields["weighted"].tolist() == pytest.approx([0.99, 1.0, 2.0])


def test_sum_over_data_sets_and_chunks():
    one, two = Cutflow({"a": example()}), Cutflow({"b": example()})
    total = Cutflow.sum([one, two, one])
    assert list(total.flows) == ["a", "b"]
    assert total.flows["a"].sequential[0][0] == 8
    assert total.flows["a"].selected["muonScaleUp"][0] == 2
    assert total.flows["b"] == example()
    assert one.flows["a"].sequential[0][0] == 4, "adding must not change what is added"
    assert Cutflow.sum([]) == Cutflow()


def test_a_variation_that_some_chunks_lack_is_kept():
    without = Flow(("x",), ((1, 1.0, 1.0),) * 2, ((1, 1.0, 1.0),), selected={"nominal": (1, 1.0, 1.0)})
    with_it = Flow(("x",), ((1, 1.0, 1.0),) * 2, ((1, 1.0, 1.0),), selected={"up": (1, 3.0, 9.0)})
    assert (without + with_it).selected == {"nominal": (1, 1.0, 1.0), "up": (1, 3.0, 9.0)}


def test_different_cuts_cannot_be_added():
    other = Flow(("mass",), ((1, 1.0, 1.0),) * 2, ((1, 1.0, 1.0),))
    with pytest.raises(DataError, match="different cuts"):
        Cutflow({"a": example()}) + Cutflow({"a": other})


def test_files_give_back_the_same_cutflow(tmp_path):
    cutflow = Cutflow({"zz": example(), "a": example() + example()})
    cutflow.write(tmp_path)
    again = read_cutflow(tmp_path / "cutflow.json")
    assert again == cutflow
    assert list(again.flows) == ["zz", "a"], "the order of the data sets is part of it"
    assert list(again.flows["zz"].weights) == ["pileup", "muonId"]
    table = pd.read_csv(tmp_path / "cutflow.csv")
    np.testing.assert_array_equal(table["weighted"], cutflow.to_frame()["weighted"])
    assert (tmp_path / "cutflow.txt").read_text() == cutflow.table() + "\n"


def test_text_table_shows_the_numbers():
    text = Cutflow({"zz": example()}).table()
    lines = {line.split("  ")[0]: line.split() for line in text.splitlines()}
    assert lines["trigger"][1:3] == ["3", "75.0%"]
    assert lines["mass"][-2:] == ["3", "1.1"]
    assert "x muonId" in text
    with pytest.raises(ConfigError, match="no data set 'z'"):
        Cutflow({"zz": example()}).table(["z"])


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("format"),
        lambda content: content.update(format="another"),
        lambda content: content["order"].append("ghost"),
        lambda content: content["datasets"]["a"]["sequential"].append([1, 2]),
        lambda content: content["datasets"]["a"].pop("cuts"),
        lambda content: content["datasets"]["a"].update(weights=[["x", "many", 1, 1]]),
        lambda content: content["datasets"]["a"].update(weights=[["x", math.inf, 1, 1]]),
        lambda content: content["datasets"]["a"].update(weights=[["x", 1.5, 1, 1]]),
        lambda content: content["datasets"]["a"].update(weights=[["x", -1, 1, 1]]),
        lambda content: content["datasets"]["a"].update(weights=[["x", 1, math.nan, 1]]),
        lambda content: content["datasets"]["a"].update(weights=[["x", 1, 1, -1]]),
        lambda content: content["datasets"]["a"].update(weights=[["x", 1, "1", 1]]),
        lambda content: content["datasets"]["a"]["n_minus_1"].pop(),
        lambda content: content["datasets"]["a"].update(cuts=list(range(len(content["datasets"]["a"]["cuts"])))),
        lambda content: content["datasets"]["a"].update(cuts="".join(name[0] for name in ("mass", "id"))),
        lambda content: content.update(datasets=[]),
    ],
)
def test_damaged_files_are_refused(tmp_path, change):
    Cutflow({"a": example()}).write(tmp_path)
    content = json.loads((tmp_path / "cutflow.json").read_text())
    change(content)
    (tmp_path / "cutflow.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="no cutflow"):
        read_cutflow(tmp_path / "cutflow.json")


def test_a_list_is_no_cutflow(tmp_path):
    (tmp_path / "cutflow.json").write_text("[1]")
    with pytest.raises(DataError, match="no cutflow"):
        read_cutflow(tmp_path / "cutflow.json")

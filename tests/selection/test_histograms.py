"""Histograms: filled as hist fills them, added, and the same after saving."""

from __future__ import annotations

import json

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.errors import DataError
from cmslabs.selection.analysis import Histogram
from cmslabs.selection.histograms import (
    HISTOGRAMS_FILE,
    empty_histogram,
    fill_histogram,
    load_histograms,
    merge_histograms,
    save_histograms,
)

REGULAR = Histogram(variable="mass", bins=5, range=(10, 20), label="Mass [GeV]")
EDGES = Histogram(variable="pt", edges=(0, 1, 4, 10))


def filled(definition=REGULAR, dataset="zz", systematics=("nominal", "up"), seed=1):
    rng = np.random.default_rng(seed)
    histogram = empty_histogram("h", definition, [dataset], systematics)
    weights = {name: rng.normal(1, 0.7, 200) for name in systematics}
    fill_histogram(histogram, dataset, rng.normal(14, 6, 200), weights)
    return histogram


@pytest.mark.parametrize("definition", [REGULAR, EDGES], ids=["regular", "edges"])
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(-5, 30, width=32), st.sampled_from([0, 1, 4, 10, 12, 20, np.inf, -np.inf, np.nan])),
            st.floats(-3, 3),
        ),
        max_size=40,
    )
)
def test_the_same_as_hist_would_fill(definition, entries):
    values, weight = np.array([v for v, _ in entries], dtype="f4"), np.array([w for _, w in entries], dtype=float)
    found = empty_histogram("h", definition, ["a"], ["nominal", "up"])
    expected = found.copy()
    fill_histogram(found, "a", values, {"nominal": weight, "up": 2 * weight})
    for name, factor in (("nominal", 1), ("up", 2)):
        expected.fill("a", name, values, weight=factor * weight)
    for what in ("value", "variance"):
        np.testing.assert_allclose(found.view(flow=True)[what], expected.view(flow=True)[what], rtol=1e-13, atol=1e-13)


def test_filling_twice_adds():
    once, twice = filled(), filled()
    rng = np.random.default_rng(1)
    weights = {name: rng.normal(1, 0.7, 200) for name in ("nominal", "up")}
    fill_histogram(twice, "zz", rng.normal(14, 6, 200), weights)
    np.testing.assert_allclose(twice.values(flow=True), 2 * once.values(flow=True), rtol=1e-14)


def test_unknown_categories_are_no_silent_loss():
    with pytest.raises(KeyError):
        fill_histogram(filled(), "another", np.ones(1), {"nominal": np.ones(1)})
    with pytest.raises(KeyError):
        fill_histogram(filled(), "zz", np.ones(1), {"down": np.ones(1)})


def test_data_sets_and_systematics_join():
    simulation, data = filled(dataset="zz"), filled(dataset="data", systematics=("nominal",), seed=2)
    merged = merge_histograms([{"h": simulation}, {"h": data}, {"other": data}])
    assert list(merged) == ["h", "other"]
    assert list(merged["h"].axes["dataset"]) == ["zz", "data"]
    assert list(merged["h"].axes["systematic"]) == ["nominal", "up"]
    one = {"dataset": "data", "systematic": "nominal"}
    np.testing.assert_array_equal(merged["h"][one].values(flow=True), data[one].values(flow=True))
    assert merged["h"][{"dataset": "data", "systematic": "up"}].sum(flow=True).value == 0.0
    assert merged["h"].sum(flow=True).value == pytest.approx(
        simulation.sum(flow=True).value + data.sum(flow=True).value
    )


def test_merging_leaves_the_parts_alone():
    first, second = filled(), filled(seed=3)
    before = first.copy()
    merge_histograms([{"h": first}, {"h": second}, {"h": second}])
    assert first == before
    assert merge_histograms([{"h": first}])["h"] is not first


@pytest.mark.parametrize("definition", [REGULAR, EDGES], ids=["regular", "edges"])
def test_saved_and_loaded_is_identical(tmp_path, definition):
    histograms = {"b": filled(definition), "a": filled(definition, dataset="z/z ü", seed=4)}
    save_histograms(tmp_path / HISTOGRAMS_FILE, histograms)
    for again in (load_histograms(tmp_path), load_histograms(tmp_path / HISTOGRAMS_FILE)):
        assert list(again) == ["b", "a"]
        for name, expected in histograms.items():
            found = again[name]
            assert found == expected
            assert found.name == name
            assert found.storage_type is hist.storage.Weight
            assert found.axes.name == expected.axes.name
            assert found.axes.label == expected.axes.label
            assert found.axes["systematic"].traits.growth, "more variations can still be added"
            np.testing.assert_array_equal(found.view(flow=True), expected.view(flow=True))


def test_loaded_ones_can_be_added(tmp_path):
    save_histograms(tmp_path / "h.json", {"h": filled()})
    again = load_histograms(tmp_path / "h.json")["h"]
    np.testing.assert_allclose((again + filled(dataset="b")).sum(flow=True).value, 2 * filled().sum(flow=True).value)


def test_plain_json_without_pickle_and_the_same_bytes(tmp_path):
    for name in ("one.json", "two.json"):
        save_histograms(tmp_path / name, {"h": filled()})
    content = (tmp_path / "one.json").read_bytes()
    assert content == (tmp_path / "two.json").read_bytes()
    stored = json.loads(content)["histograms"]["h"]
    assert stored["uhi_schema"] == 1
    assert stored["storage"]["type"] == "weighted"


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(format="another"),
        lambda content: content.pop("histograms"),
        lambda content: content["histograms"]["h"].pop("axes"),
        lambda content: content["histograms"]["h"]["storage"].pop("values"),
        lambda content: content["histograms"]["h"]["storage"].update(values=[1.0, 2.0]),
        lambda content: content["histograms"]["h"]["storage"].update(type="magic"),
        lambda content: content["histograms"]["h"].update(axes=[1]),
        lambda content: content["histograms"]["h"]["axes"].reverse(),
        lambda content: content["histograms"]["h"]["axes"][1].update(categories=["up", "up"]),
        lambda content: content["histograms"]["h"]["storage"].update(type="double"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change):
    save_histograms(tmp_path / "h.json", {"h": filled()})
    content = json.loads((tmp_path / "h.json").read_text())
    change(content)
    (tmp_path / "h.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="no histograms"):
        load_histograms(tmp_path / "h.json")


def test_a_folder_without_histograms(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_histograms(tmp_path)

"""The whole processor on real files of several NanoAOD generations, against a loop over events."""

from __future__ import annotations

import math

import dimuon_by_hand as by_hand
import numpy as np
import pytest
from running import data, run, simulation

from cmslabs.errors import CmslabsError, MissingBranchError
from cmslabs.objects.golden import GoldenRuns
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.table import read_selected

SKIP = ["missing.filters=skip", "missing.triggers=skip", "weights=[genWeight]", "dimuon.mass=[1, 400]"]
SIMULATED = {
    "nano_dy.root": (40, ("Flag_BadPFMuonDzFilter",)),
    "NanoAODv5_sample.root": (1000, ("Flag_BadPFMuonDzFilter",)),
    "nanoAOD_2015_CMS_Open_Data_ttbar.root": (
        200,
        ("Flag_globalSuperTightHalo2016Filter", "Flag_BadPFMuonFilter", "Flag_BadPFMuonDzFilter"),
    ),
}


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """The loop with the mass range of these tests."""
    select = by_hand.select

    def selected(event, factor=1.0):
        decisions, pair = select(event, factor)
        return {**decisions, "mass": pair is not None and 1 < pair["mass"] < 400}, pair

    monkeypatch.setattr(by_hand, "select", selected)


def compare(flow, rows, cuts, weight):
    passes = [True] * len(rows)
    for n, cut in enumerate([None, *cuts]):
        if cut is not None:
            passes = [before and decisions[cut] for before, (decisions, _) in zip(passes, rows, strict=True)]
        left = [w for w, good in zip(weight, passes, strict=True) if good]
        assert flow.sequential[n][0] == len(left), cut
        assert flow.sequential[n][1] == pytest.approx(math.fsum(left), rel=1e-6), cut
    return passes


@pytest.mark.slow
@pytest.mark.parametrize("name", SIMULATED)
def test_simulation(real_data, tmp_path, name):
    path = real_data / "nanoaod" / name
    n_events, lacking = SIMULATED[name]
    found = run(load_analysis("dimuon", SKIP), {simulation(): [path]}, tmp_path, chunk_size=150)["mc"]
    events = by_hand.read(path)
    assert found["n_read"] == len(events) == n_events
    assert found["skipped"]["filters"] == dict.fromkeys(lacking, n_events)
    weight = [event["genWeight"] for event in events]
    assert found["sum_weights"] == pytest.approx(math.fsum(weight), rel=1e-6)
    rows = [by_hand.select(event) for event in events]
    passes = compare(found["cutflow"].flows["mc"], rows, by_hand.CUTS, weight)
    table = read_selected(tmp_path)
    assert sorted(table["event"]) == sorted(e["event"] for e, good in zip(events, passes, strict=True) if good)


def test_negative_weights_count_negative(real_data, tmp_path):
    """23 % of these events have a negative weight: sums, histogram and table all have to know."""
    path = real_data / "nanoaod" / "nano_dy.root"
    analysis = load_analysis("dimuon", [*SKIP, "lepton_pt=[]", "muons.id=null", "muons.isolation=null", "filters=[]"])
    analysis = analysis.model_copy(update={"triggers": {}})
    found = run(analysis, {simulation(): [path]}, tmp_path)["mc"]
    table = read_selected(tmp_path)
    assert (table["weight"] < 0).any()
    assert (table["weight"] > 0).any()
    total = found["cutflow"].flows["mc"].selected["nominal"]
    assert table["weight"].sum() == pytest.approx(total[1])
    assert total[1] < np.abs(table["weight"]).sum()
    cell = found["histograms"]["pt"][{"dataset": "mc", "systematic": "nominal"}].sum(flow=True)
    assert cell.value == pytest.approx(total[1])
    assert cell.variance == pytest.approx((table["weight"] ** 2).sum())


@pytest.mark.parametrize("section", [205, 204])
def test_data(real_data, tmp_path, section):
    """All 40 events are of run 315267, section 205."""
    path = real_data / "nanoaod" / "nano_dimuon.root"
    events = by_hand.read(path)
    golden = GoldenRuns({315267: [(section, section)]})
    found = run(load_analysis("dimuon", SKIP), {data(): [path]}, tmp_path, golden=golden)["data"]
    rows = [by_hand.select(event) for event in events]
    for decisions, _ in rows:
        decisions["certified"] = section == 205
    flow = found["cutflow"].flows["data"]
    compare(flow, rows, ("certified", *by_hand.CUTS), [1.0] * len(events))
    assert set(found["skipped"]) == {"filters", "triggers"}
    assert found["skipped"]["triggers"]["HLT_Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL"] == 40
    triggered = flow.sequential[flow.cuts.index("trigger") + 1][0]
    assert (40 > triggered > 0) == (section == 205)


def test_a_file_without_any_of_the_paths_is_refused(real_data):
    path = real_data / "nanoaod" / "nano_tt_v12.root"
    with pytest.raises(Exception) as caught:  # noqa: PT011 - coffea wraps it
        run(load_analysis("dimuon", SKIP), {simulation(): [path]})
    error = caught.value
    while not isinstance(error, CmslabsError):
        error = error.__cause__
    assert isinstance(error, MissingBranchError)
    assert path.name in error.where

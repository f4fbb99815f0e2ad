"""The processor against a loop over events, and against itself: table, histograms and cutflow tell the same."""

from __future__ import annotations

import math

import cloudpickle
import dimuon_by_hand as by_hand
import numpy as np
import pytest
from correction_makers import official
from run_files import write_events
from running import data, run, sample, simulation

from cmslabs.errors import ConfigError
from cmslabs.objects.golden import GoldenRuns
from cmslabs.objects.schema import open_events
from cmslabs.selection import choice
from cmslabs.selection.analysis import Analysis, load_analysis
from cmslabs.selection.channels import CHANNELS
from cmslabs.selection.corrections import Corrections
from cmslabs.selection.cutflow import Cutflow
from cmslabs.selection.histograms import merge_histograms
from cmslabs.selection.inputs import DatasetInfo
from cmslabs.selection.preselection import preselect, unread_primaries
from cmslabs.selection.processor import SelectionProcessor
from cmslabs.selection.table import read_selected, selected_parts

SHIFTS = {"nominal": 1.0, "muonScaleUp": 1.01, "muonScaleDown": 0.99}
WEIGHTS = [f"{name}{label}" for name in ("pileup", "prefiring", "muonId", "muonIso") for label in ("Up", "Down")]
SCALE = 0.37


@pytest.fixture(scope="module")
def corrections(tmp_path_factory):
    return Corrections.load(official(tmp_path_factory.mktemp("corrections") / "official"))


@pytest.fixture(scope="module")
def analysis():
    return load_analysis("dimuon", ["systematics.muon_scale=0.01"])


@pytest.fixture(scope="module")
def finished(analysis, corrections, tmp_path_factory):
    """One run on a bundled file: its result and its folder."""
    folder = tmp_path_factory.mktemp("run")
    inputs = {simulation(scale=SCALE): [sample("dimuon")]}
    return run(analysis, inputs, folder, chunk_size=6000, corrections=corrections)["mc"], folder


@pytest.fixture(scope="module")
def expected():
    """For every systematic: (decisions, pair, event, weights or None) of every event."""
    events = by_hand.read(sample("dimuon"))
    found = {}
    for systematic, factor in SHIFTS.items():
        rows = []
        for event in events:
            decisions, pair = by_hand.select(event, factor)
            rows.append((decisions, pair, event, by_hand.weights(event, pair) if all(decisions.values()) else None))
        found[systematic] = rows
    return found


def close(total, weights):
    assert total[0] == len(weights)
    assert total[1] == pytest.approx(math.fsum(weights), rel=1e-6)
    assert total[2] == pytest.approx(math.fsum(w * w for w in weights), rel=1e-6)


def test_cutflow_by_hand(finished, expected):
    flow, rows = finished[0]["cutflow"].flows["mc"], expected["nominal"]
    assert flow.cuts == by_hand.CUTS
    generated = [SCALE * event["genWeight"] for _, _, event, _ in rows]
    close(flow.sequential[0], generated)
    # The sum of weights is what scales are made of: it has none itself.
    assert finished[0]["sum_weights"] == pytest.approx(math.fsum(event["genWeight"] for _, _, event, _ in rows))
    for n, cut in enumerate(flow.cuts):
        passes = [all(row[0][name] for name in flow.cuts[: n + 1]) for row in rows]
        close(flow.sequential[n + 1], [w for w, good in zip(generated, passes, strict=True) if good])
        others = [all(row[0][name] for name in flow.cuts if name != cut) for row in rows]
        close(flow.n_minus_1[n], [w for w, good in zip(generated, others, strict=True) if good])
    assert 0 < flow.sequential[-1][0] < flow.sequential[0][0], "nothing is tested if all or none pass"


def test_yields_by_hand(finished, expected):
    selected = finished[0]["cutflow"].flows["mc"].selected
    assert list(selected) == ["nominal", *WEIGHTS, "muonScaleUp", "muonScaleDown"]
    for name, total in selected.items():
        rows = expected.get(name, expected["nominal"])
        key = "nominal" if name in SHIFTS else name
        close(total, [SCALE * weights[key] for *_, weights in rows if weights is not None])
    assert len({total[0] for total in selected.values()}) > 1, "the shift of the muons must move events over a cut"


def test_cutflow_goes_on_with_the_weights(finished, expected):
    flow = finished[0]["cutflow"].flows["mc"]
    assert list(flow.weights) == ["pileup", "prefiring", "muonId", "muonIso"]
    assert flow.weights["muonIso"] == flow.selected["nominal"], "the last line is the yield"
    chosen = [event for _, _, event, weights in expected["nominal"] if weights is not None]
    close(
        flow.weights["pileup"],
        [
            SCALE * event["genWeight"] * by_hand.pileup_weight(int(event["Pileup_nTrueInt"]), "nominal")
            for event in chosen
        ],
    )


@pytest.mark.parametrize("systematic", SHIFTS)
def test_table_by_hand(finished, expected, systematic):
    table = read_selected(finished[1], "mc", systematic)
    rows = [row for row in expected[systematic] if row[3] is not None]
    for name in ("run", "luminosityBlock", "event"):
        assert table[name].tolist() == [event[name] for _, _, event, _ in rows]
    for column, value in {
        "mass": lambda pair, event: pair["mass"],
        "pt": lambda pair, event: pair["pt"],
        "mu1_pt": lambda pair, event: pair["muons"][0]["pt"],
        "mu2_eta": lambda pair, event: pair["muons"][1]["eta"],
        "npvs": lambda pair, event: event["PV_npvs"],
    }.items():
        np.testing.assert_allclose(table[column], [value(pair, event) for _, pair, event, _ in rows], rtol=2e-5)
    columns = {"weight": "nominal"}
    if systematic == "nominal":
        columns |= {f"weight_{name}": name for name in WEIGHTS}
    assert [name for name in table if name.startswith("weight")] == list(columns)
    for column, key in columns.items():
        np.testing.assert_allclose(table[column], [SCALE * weights[key] for *_, weights in rows], rtol=1e-6)
    assert table.attrs["units"]["mass"] == "GeV"
    assert table.attrs["simulation"] == {"mc": True}


@pytest.mark.parametrize("name", ["nominal", "muonIdUp", "muonScaleDown"])
def test_histogram_by_hand(finished, expected, name):
    found = finished[0]["histograms"]["mass"][{"dataset": "mc", "systematic": name}]
    rows = [row for row in expected.get(name, expected["nominal"]) if row[3] is not None]
    weights = [SCALE * row[3]["nominal" if name in SHIFTS else name] for row in rows]
    edges = [12 + 2 * i for i in range(55)]
    counts, squares = [0.0] * 54, [0.0] * 54
    for row, weight in zip(rows, weights, strict=True):
        place = sum(row[1]["mass"] >= edge for edge in edges) - 1
        counts[place] += weight
        squares[place] += weight**2
    np.testing.assert_allclose(found.values(), counts, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.variances(), squares, rtol=1e-6, atol=1e-9)


CASES = {
    "dimuon": ("dimuon", "dimuon", []),
    "four-muon": ("four-muon", "fourlepton", []),
    "four-lepton": ("four-lepton", "fourlepton", []),
    "dijet": ("dijet", "fourlepton", ["triggers={JetHT: {default: [PFHT800, PFJet450]}}", "dijet.delta_eta=null"]),
}


@pytest.mark.parametrize("case", CASES)
def test_table_histograms_and_cutflow_tell_the_same(case, corrections, tmp_path):
    name, file, overrides = CASES[case]
    analysis = load_analysis(name, overrides)
    found = run(analysis, {simulation(scale=0.1): [sample(file)]}, tmp_path, corrections=corrections)["mc"]
    flow = found["cutflow"].flows["mc"]
    last = list(flow.weights.values())[-1]
    assert last == flow.selected["nominal"]
    assert flow.sequential[-1][0] == found["n_selected"] == last[0]
    tables = {part: read_selected(tmp_path, "mc", part) for part in selected_parts(tmp_path)["mc"]}
    assert set(tables) == {name for name in flow.selected if name in SHIFTS}
    for systematic, total in flow.selected.items():
        table = tables.get(systematic, tables["nominal"])
        weight = table["weight" if systematic in tables else f"weight_{systematic}"]
        assert len(table) == total[0]
        assert weight.sum() == pytest.approx(total[1], rel=1e-12)
        for histogram in found["histograms"].values():
            cell = histogram[{"dataset": "mc", "systematic": systematic}].sum(flow=True)
            assert cell.value == pytest.approx(total[1], rel=1e-12)
            assert cell.variance == pytest.approx(total[2], rel=1e-12)
    assert sum(found["parts"].values()) == sum(map(len, tables.values()))
    if case != "dijet":
        assert total[0] > 100


@pytest.mark.parametrize("case", CASES)
def test_the_shortcut_of_the_variations_loses_nothing(case, tmp_path, monkeypatch):
    """Only events that can change are selected again; here against all events, with a large shift."""
    name, file, overrides = CASES[case]
    analysis = load_analysis(name, [*overrides, "weights=[genWeight]", "systematics.muon_scale=0.3"])
    run(analysis, {simulation(): [sample(file)]}, tmp_path)
    events = open_events(sample(file))
    info, channel = simulation(), CHANNELS[analysis.channel]
    before = np.logical_and.reduce(list(preselect(events, analysis, info).cuts.values()))
    for systematic, factor in (("muonScaleUp", 1.3), ("muonScaleDown", 0.7)):
        expected = before & channel.apply(events, analysis, factor).mask
        table = read_selected(tmp_path, "mc", systematic)
        np.testing.assert_array_equal(table["event"], np.asarray(events["event"])[expected])
    if case.startswith("four"):
        # Without those near the threshold, events are lost: the test can see it.
        monkeypatch.setattr(choice, "near_threshold", lambda events, *_: np.zeros(len(events), dtype=bool))
        run(analysis, {simulation(): [sample(file)]}, tmp_path / "wrong")
        assert len(read_selected(tmp_path / "wrong", "mc", "muonScaleUp")) < len(
            read_selected(tmp_path, "mc", "muonScaleUp")
        )


@pytest.mark.slow
def test_chunk_size_does_not_matter(analysis, corrections, tmp_path):
    results, tables = [], []
    for size in (2000, 20_000):
        folder = tmp_path / str(size)
        inputs = {simulation(scale=SCALE): [sample("dimuon")]}
        results.append(run(analysis, inputs, folder, size, corrections=corrections)["mc"])
        tables.append({name: read_selected(folder, "mc", name) for name in SHIFTS})
    small, large = results
    assert len(selected_parts(tmp_path / "2000")["mc"]["nominal"]) > 7
    for name in ("n_read", "n_events", "n_selected", "skipped", "counts"):
        assert small[name] == large[name], name
    assert small["sum_weights"] == pytest.approx(large["sum_weights"], rel=1e-12)
    for first, second in zip(*(result["cutflow"].flows["mc"].sequential for result in results), strict=True):
        assert first[0] == second[0]
        assert first[1:] == pytest.approx(second[1:], rel=1e-12)
    assert small["cutflow"].to_frame()["n_minus_1_events"].equals(large["cutflow"].to_frame()["n_minus_1_events"])
    for name, histogram in small["histograms"].items():
        scale = np.abs(histogram.values(flow=True)).max()
        difference = histogram.values(flow=True) - large["histograms"][name].values(flow=True)
        assert np.abs(difference).max() < 1e-12 * scale
    for name in SHIFTS:
        assert tables[0][name].equals(tables[1][name])


def test_data_sets_of_one_file_add_up_to_the_whole(analysis, corrections, tmp_path):
    """`only` shares the events out: the parts are the whole."""
    parts = {simulation(f"p{i}", scale=SCALE, only={"simProcess": i}): [sample("dimuon")] for i in range(4)}
    found = run(analysis, parts, tmp_path / "parts", corrections=corrections)
    whole = run(analysis, {simulation("p", scale=SCALE): [sample("dimuon")]}, tmp_path, corrections=corrections)["p"]
    assert sum(result["n_events"] for result in found.values()) == whole["n_events"] == whole["n_read"]
    assert all(result["n_read"] == whole["n_read"] for result in found.values())
    assert sum(result["n_events"] > 0 for result in found.values()) > 1
    assert sum(result["sum_weights"] for result in found.values()) == pytest.approx(whole["sum_weights"])
    total = Cutflow.sum(result["cutflow"] for result in found.values())
    for line in range(len(by_hand.CUTS) + 1):
        lines = [flow.sequential[line] for flow in total.flows.values()]
        assert sum(one[0] for one in lines) == whole["cutflow"].flows["p"].sequential[line][0]
    merged = merge_histograms(result["histograms"] for result in found.values())
    for name, histogram in whole["histograms"].items():
        added = merged[name][{"dataset": sum}]
        np.testing.assert_allclose(added.values(flow=True), histogram[{"dataset": 0}].values(flow=True), rtol=1e-9)
    ids = read_selected(tmp_path / "parts")[["run", "luminosityBlock", "event"]]
    assert len(ids) == whole["n_selected"]


def test_files_with_and_without_a_weight_can_be_added(tmp_path):
    """Only the first file can be varied, but the events of the second one are there whatever varies."""
    analysis = load_analysis("dimuon", ["weights=[genWeight, prefiring]", "missing.weights=skip"])
    branches = [f"L1PreFiringWeight_{name}" for name in ("Nom", "Up", "Dn")]
    files = [write_events(tmp_path / "with.root"), write_events(tmp_path / "without.root", first=600, drop=branches)]
    alone = [run(analysis, {simulation(): [path]}, tmp_path / path.stem)["mc"] for path in files]
    found = run(analysis, {simulation(): files}, tmp_path / "both")["mc"]
    assert found["skipped"]["weights"] == {"prefiring": 600}
    (varied, nothing), both = ([one["cutflow"].flows["mc"].selected for one in alone], found["cutflow"].flows["mc"])
    assert varied["prefiringUp"][1] < varied["nominal"][1]
    table = read_selected(tmp_path / "both", "mc")
    for name in ("prefiringUp", "prefiringDown"):
        expected = varied[name][1] + nothing["nominal"][1]
        assert both.selected[name][0] == found["n_selected"]
        assert both.selected[name][1] == pytest.approx(expected, rel=1e-12)
        cells = found["histograms"]["mu1_eta"][{"dataset": "mc", "systematic": name}].sum(flow=True)
        assert cells.value == pytest.approx(expected, rel=1e-12)
        assert table[f"weight_{name}"].sum() == pytest.approx(expected, rel=1e-12)


def test_primary_datasets_without_data_are_known():
    triggers = {name: {"default": (name,)} for name in "ABC"}
    analysis = load_analysis("dimuon").model_copy(update={"triggers": triggers})
    assert unread_primaries(analysis, [data("b", "B"), data("b2", "B"), simulation()]) == ("A", "C")
    assert unread_primaries(analysis, [data(name, name) for name in "ABC"]) == ()
    assert unread_primaries(analysis, [simulation()]) == (), "all triggers are what it is made for"


def test_an_event_of_two_primary_datasets_counts_once():
    """Both were recorded from the same collisions; here even from the same file."""
    first, second = ("TripleMu_12_10_5",), ("Mu17_TrkIsoVVL_Mu8_TrkIsoVVL", "Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL")
    triggers = {"First": {"default": first}, "Second": {"default": second}}
    analysis = load_analysis("four-lepton").model_copy(update={"triggers": triggers, "weights": ("genWeight",)})
    file = [sample("fourlepton")]
    inputs = {data("one", "First"): file, data("two", "Second"): file, simulation("or"): file}
    found = run(analysis, inputs, golden="none")
    cuts = {name: found[name]["cutflow"].flows[name] for name in found}
    assert cuts["one"].cuts[:2] == ("event filters", "trigger")
    assert cuts["two"].cuts[:3] == ("event filters", "trigger", "in no earlier data set")
    triggered = {name: flow.sequential[flow.cuts.index("trigger") + 1][0] for name, flow in cuts.items()}
    assert triggered["one"] + triggered["two"] > triggered["or"], "without overlap nothing is tested"
    assert triggered["one"] + cuts["two"].sequential[3][0] == triggered["or"]
    assert found["one"]["n_selected"] + found["two"]["n_selected"] == found["or"]["n_selected"]


def test_no_event_is_counted_twice_and_none_is_lost(tmp_path):
    triggers = {"A": {"default": ("TripleMu_12_10_5",)}, "B": {"default": ("Mu17_TrkIsoVVL_Mu8_TrkIsoVVL",)}}
    triggers["C"] = {"default": ("Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL", "TripleMu_12_10_5")}
    analysis = load_analysis("four-muon").model_copy(update={"triggers": triggers})
    run(analysis, {data(name, name): [sample("fourlepton")] for name in "ABC"}, tmp_path, golden="none")
    once = analysis.model_copy(update={"triggers": {"A": {"default": ("TripleMu_12_10_5", *by_hand.PATHS[:2])}}})
    run(once, {data("all", "A"): [sample("fourlepton")]}, tmp_path / "once", golden="none")
    together = read_selected(tmp_path)
    identity = ["run", "luminosityBlock", "event"]
    assert not together.duplicated(identity).any()
    expected = {tuple(row) for row in read_selected(tmp_path / "once")[identity].itertuples(index=False)}
    assert {tuple(row) for row in together[identity].itertuples(index=False)} == expected


def test_triggers_follow_the_era():
    eras = {"default": ("Mu17_TrkIsoVVL_Mu8_TrkIsoVVL",), "Run2016H": ("TripleMu_12_10_5",)}
    analysis = load_analysis("four-muon").model_copy(update={"triggers": {"DoubleMuon": eras}})
    file = [sample("fourlepton")]
    found = run(analysis, {data("G", era="Run2016G"): file, data("H", era="Run2016H"): file}, golden="none")
    rows = by_hand.read(sample("fourlepton"))
    for name, path in (("G", by_hand.PATHS[0]), ("H", "TripleMu_12_10_5")):
        flow = found[name]["cutflow"].flows[name]
        passed = sum(event[f"HLT_{path}"] and all(event[f"Flag_{f}"] for f in by_hand.FILTERS) for event in rows)
        assert flow.sequential[2][0] == passed


def test_golden_json_is_for_data_only():
    rows = by_hand.read(sample("dimuon"))
    (number,) = {event["run"] for event in rows}
    blocks = sorted({event["luminosityBlock"] for event in rows})
    golden = GoldenRuns({number: [(blocks[0], blocks[len(blocks) // 2 - 1])]})
    certified = sum(event["luminosityBlock"] < blocks[len(blocks) // 2] for event in rows)
    analysis = load_analysis("dimuon", ["weights=[genWeight]"])
    file = [sample("dimuon")]
    found = run(analysis, {data(): file, simulation(): file}, golden=golden)
    flows = {name: result["cutflow"].flows[name] for name, result in found.items()}
    assert flows["data"].cuts == ("certified", *by_hand.CUTS)
    assert flows["mc"].cuts == by_hand.CUTS
    assert flows["data"].sequential[1][0] == certified
    assert 0 < certified < len(rows)
    assert flows["mc"].sequential[-1][0] > flows["data"].sequential[-1][0]
    assert flows["data"].n_minus_1[0][0] == flows["mc"].sequential[-1][0]


def test_data_has_weight_one_and_no_variations(analysis, tmp_path):
    found = run(analysis, {data(): [sample("dimuon")]}, tmp_path, golden="none")["data"]
    flow = found["cutflow"].flows["data"]
    assert list(flow.selected) == ["nominal"]
    assert flow.weights == {}
    assert flow.selected["nominal"][1] == flow.selected["nominal"][2] == found["n_selected"]
    assert list(selected_parts(tmp_path)["data"]) == ["nominal"]
    table = read_selected(tmp_path)
    assert set(table["weight"]) == {1.0}
    assert not [name for name in table if name.startswith("weight_")]
    assert found["sum_weights"] == found["n_events"]
    assert list(found["histograms"]["mass"].axes["systematic"]) == ["nominal"]
    assert read_selected(tmp_path, systematic="nominal").equals(table)


def test_columns_of_the_table_can_be_chosen(corrections, tmp_path):
    analysis = load_analysis("dimuon", ["table=[pt, mass]", "systematics.muon_scale=null", "weights=[genWeight]"])
    run(analysis, {simulation(): [sample("dimuon")]}, tmp_path)
    names = read_selected(tmp_path).columns.tolist()
    assert names == ["dataset", "run", "luminosityBlock", "event", "weight", "pt", "mass"]
    assert list(selected_parts(tmp_path)["mc"]) == ["nominal"]


def test_a_processor_that_was_sent_to_a_worker_gives_the_same(analysis, corrections):
    infos = {"mc": simulation(scale=SCALE)}
    here = SelectionProcessor(analysis, infos, golden=GoldenRuns({1: [(1, 1)]}), corrections=corrections)
    again = cloudpickle.loads(cloudpickle.dumps(here))
    results = []
    for one in (here, again):
        events = open_events(sample("dimuon"), 0, 3000)
        told = {"dataset": "mc", "filename": "x.root", "entrystart": 0, "entrystop": 3000}
        events.metadata.update(told)
        results.append(one.process(events)["mc"])
    assert results[0]["cutflow"] == results[1]["cutflow"]
    assert results[0]["histograms"] == results[1]["histograms"]


def test_what_cannot_be_run_is_refused_at_once():
    analysis = load_analysis("dimuon")
    with pytest.raises(ConfigError, match="golden_json"):
        SelectionProcessor(analysis, {"data": data()})
    with pytest.raises(ConfigError, match="no primary dataset 'JetHT'"):
        SelectionProcessor(analysis, {"data": data(primary="JetHT")}, golden="none")
    without = analysis.model_copy(update={"triggers": {}})
    two = {name: data(name, primary=name) for name in ("A", "B")}
    with pytest.raises(ConfigError, match="counted twice"):
        SelectionProcessor(without, two, golden="none")
    SelectionProcessor(without, {"A": data("A", primary="A")}, golden="none")
    drawn = {"m": {"variable": "masss", "bins": 2, "range": (0, 1)}}
    wrong = Analysis(name="x", title="x", channel="dimuon", histograms=drawn)
    with pytest.raises(ConfigError, match="no column 'masss'"):
        SelectionProcessor(wrong, {})


def test_info_of_a_fileset_entry():
    from cmslabs.data.fileset import Dataset

    entry = Dataset(kind="data", primary="DoubleMuon", era=None, simulated=True, only={"simProcess": 1})
    assert DatasetInfo.of("x", entry, 2.0) == DatasetInfo(
        "x", is_data=True, simulated=True, primary="DoubleMuon", only={"simProcess": 1}, scale=2.0
    )

"""Skims: every number as in the file, the same result of a run, and nothing read that nobody asks for."""

from itertools import cycle
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from run_files import DIMUON, Server, corrupt, data, fileset, sample, simulation, write_events

from cmslabs.data.fileset import load_fileset
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.data.tables import read_events
from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.objects.leptons import good_muons
from cmslabs.selection.analysis import bundled_analyses, load_analysis
from cmslabs.selection.cutflow import read_cutflow
from cmslabs.selection.runner import select
from cmslabs.selection.skim import needed_branches, skim, skim_fileset
from cmslabs.selection.skim_events import open_skim
from cmslabs.selection.table import read_selected

pytest.importorskip("coffea")

FOUR = load_analysis("four-lepton")
PATIENT = ["missing={filters: skip, triggers: skip, weights: skip, columns: skip}", "weights=[genWeight]"]
REAL = [
    "nano_dimuon.root",
    "nano_dy.root",
    "nano_tt_v12.root",
    "NanoAODv5_sample.root",
    "nanoAOD_2015_CMS_Open_Data_ttbar.root",
]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_events(tmp_path_factory.mktemp("file") / "events.root", 500)


@pytest.fixture(scope="module")
def skimmed(file, tmp_path_factory):
    return skim([file], tmp_path_factory.mktemp("skims"), analysis=DIMUON)[0]


def test_the_skim_holds_the_very_numbers(file, skimmed):
    there, here = read_events(skimmed["out"]), read_nanoaod(file)
    assert len(there) == skimmed["n_events"] == 500
    for name in there.fields:
        for field in there[name].fields or [None]:
            a, b = (events[name] if field is None else events[name, field] for events in (there, here))
            assert ak.array_equal(a, b, equal_nan=True), (name, field)
    # Columns of the course's layout: whatever works on events works on a skim.
    assert ak.array_equal(good_muons(there)["pt"], good_muons(here)["pt"])


def same_result(first, second, names=("histograms.json", "cutflow.json")):
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    ours, theirs = read_selected(first), read_selected(second)
    assert ours.equals(theirs)
    return ours


@pytest.mark.parametrize("size", [90, 100_000])
def test_select_gives_the_same_from_a_skim(file, skimmed, tmp_path, size):
    reports = [
        select(DIMUON, fileset(zz=simulation(path)), tmp_path / name, chunk_size=size)
        for name, path in (("root", file), ("skim", skimmed["out"]))
    ]
    assert len(same_result(tmp_path / "root", tmp_path / "skim")) > 50
    assert reports[0].datasets == reports[1].datasets
    assert reports[1].datasets["zz"].sum_from == {"Runs": 1}
    # The same branches are looked at; Parquet needs no counters.
    assert set(reports[1].branches) == set(reports[0].branches) - {"nMuon", "nJet"}


@pytest.mark.parametrize(("name", "channel"), list(zip(REAL, cycle(["dimuon", "four-lepton", "dijet"]), strict=False)))
def test_select_gives_the_same_from_a_skim_of_a_real_file(real_data, tmp_path, name, channel):
    analysis = load_analysis(channel, [*PATIENT, "triggers={}"])
    path = real_data / "nanoaod" / name
    made = skim([path], tmp_path / "skims", analysis=analysis)[0]
    kind = data(simulated=False) if name == "nano_dimuon.root" else simulation()
    found = []
    for out, source in (("root", path), ("skim", made["out"])):
        chosen = fileset(real={**kind, "files": [{"path": str(source)}]})
        found.append(select(analysis, chosen, tmp_path / out, chunk_size=600))
    same_result(tmp_path / "root", tmp_path / "skim")
    assert found[0].datasets == found[1].datasets


@pytest.mark.parametrize("name", bundled_analyses())
def test_nothing_that_an_analysis_looks_at_is_left_behind(name, tmp_path):
    """Branches that the run read, against those of the skim: a planted gap would be seen."""
    analysis = load_analysis(name, [*PATIENT, "weights=[genWeight,prefiring]"])
    report = select(analysis, fileset(zz=simulation(sample())), tmp_path / "out")
    wanted = {branch.replace(".", "_", 1) for branch in needed_branches(analysis)}
    read = {branch for branch in report.branches if not branch.startswith(("nM", "nE", "nJ", "nF"))}
    flags = {branch for branch in read if branch.startswith("Flag_")}
    assert flags
    assert read - flags - {"run", "luminosityBlock", "event"} <= wanted


def test_only_columns_that_are_looked_at_are_read(file, tmp_path):
    made = skim([file], tmp_path, branches=["*"])[0]
    with open_skim(made["out"]) as wide:
        events = wide.events(100, 200, {"dataset": "a", "filename": made["out"]})
        assert wide.columns == set()
        expected = read_nanoaod(file, ["Muon", "Jet.pt"], 100, 200)
        assert ak.array_equal(events["Muon"]["pt"], expected["Muon"]["pt"])
        assert wide.columns == {"Muon.pt"}
        assert ak.array_equal(ak.num(events["Jet"]["pt"]), ak.num(expected["Jet"]["pt"]))
        assert ak.array_equal(
            events["Muon"][ak.num(events["Muon"]) > 1]["eta"], expected["Muon", "eta"][ak.num(expected["Muon"]) > 1]
        )
        assert wide.bytes_read < wide.size_bytes / 4
        assert events.metadata["dataset"] == "a"
        assert len(events) == 100


def test_ranges_across_row_groups(file, tmp_path, monkeypatch):
    monkeypatch.setattr("cmslabs.data.parquet.ROW_GROUP_ROWS", 70)
    made = skim([file], tmp_path, branches=["Muon_pt", "genWeight"])[0]
    expected = read_nanoaod(file, ["Muon.pt", "genWeight"])
    with open_skim(made["out"]) as there:
        assert there.file.num_row_groups == 8
        for start, stop in ((0, 500), (69, 71), (70, 140), (0, 1), (499, 500), (100, 100), (0, 0), (500, 500)):
            events = there.events(start, stop, {})
            assert ak.array_equal(events["Muon"]["pt"], expected["Muon", "pt"][start:stop])
            assert ak.array_equal(events["genWeight"], expected["genWeight"][start:stop])


def test_sums_of_weights_come_along(tmp_path):
    with uproot.open(sample()) as opened:
        rows = opened["Runs"].arrays(library="np")
    made = skim([sample()], tmp_path, branches=["Muon_pt"])[0]
    with open_skim(made["out"]) as there:
        assert set(there.runs) == set(rows)
        for name, values in rows.items():
            np.testing.assert_array_equal(there.runs[name], values)
        assert there.simulation


def test_pseudo_data_stay_simulated(tmp_path):
    """Without generator branches only the provenance of the file says so."""
    with uproot.open(sample()) as opened:
        provenance = str(opened["cmslabs"])
    path = write_events(tmp_path / "pseudo.root", 100, drop=("genWeight",))
    with uproot.update(path) as opened:
        opened["cmslabs"] = provenance
    made = skim([path], tmp_path, branches=["Muon_*"])[0]
    for source in (path, made["out"]):
        with pytest.raises(ConfigError, match="was simulated"):
            select(DIMUON, fileset(observed=data(source, simulated=False)), tmp_path / "out")


def test_events_without_runs(tmp_path):
    path = write_events(tmp_path / "a.root", 200, runs=False)
    made = skim([path], tmp_path, analysis=DIMUON)[0]
    report = select(DIMUON, fileset(zz=simulation(made["out"])), tmp_path / "out")
    assert report.datasets["zz"].sum_from == {"events": 1}
    with uproot.open(path) as opened:
        assert report.datasets["zz"].sum_weights == float(np.sum(opened["Events"]["genWeight"].array()))


def test_a_file_without_events(tmp_path):
    made = skim([write_events(tmp_path / "empty.root", 0)], tmp_path, analysis=DIMUON)[0]
    report = select(DIMUON, fileset(zz=simulation(made["out"])), tmp_path / "out")
    assert (made["n_events"], report.n_events) == (0, 0)


def test_skims_and_files_may_be_mixed(file, skimmed, tmp_path):
    other = write_events(tmp_path / "other.root", 300, first=500)
    select(DIMUON, fileset(zz=simulation(file, other)), tmp_path / "root")
    select(DIMUON, fileset(zz=simulation(skimmed["out"], other)), tmp_path / "mixed")
    flows = [read_cutflow(tmp_path / name / "cutflow.json").flows for name in ("root", "mixed")]
    assert flows[0] == flows[1]


def test_a_skim_on_a_web_server(file, skimmed, tmp_path):
    with Server(file.parent) as address:
        far = skim([f"{address}/{file.name}"], tmp_path / "skims", analysis=DIMUON)[0]
    assert far["bytes_in"] is None
    assert ak.array_equal(read_events(far["out"]), read_events(skimmed["out"]))
    with Server(tmp_path / "skims") as address:
        select(DIMUON, fileset(zz=simulation(f"{address}/events.parquet")), tmp_path / "far")
    select(DIMUON, fileset(zz=simulation(skimmed["out"])), tmp_path / "near")
    same_result(tmp_path / "near", tmp_path / "far")


def test_a_fileset_of_skims(file, tmp_path):
    other = write_events(tmp_path / "other.root", 200, first=500)
    chosen = fileset(luminosity_fb=16.0, zz=simulation(file), dy=simulation(other), again=simulation(file, pb=9.0))
    target, reports = skim_fileset(chosen, tmp_path / "skims", analysis=DIMUON)
    assert len(reports) == 2
    moved = tmp_path / "moved"
    (tmp_path / "skims").rename(moved)
    again = load_fileset(moved / target.name)
    assert [entry.files[0].n_events for entry in again.datasets.values()] == [500, 200, 500]
    select(DIMUON, chosen, tmp_path / "root")
    select(DIMUON, again, tmp_path / "skim")
    same_result(tmp_path / "root", tmp_path / "skim")


def test_the_bundled_fileset(tmp_path):
    """Several processes in one file, pseudo-data with a list of good sections, triggers and corrections."""
    target, reports = skim_fileset(load_fileset("samples-fourlepton"), tmp_path / "skims", analysis=FOUR)
    assert len({report["out"] for report in reports}) == len(reports) == 2
    found = [
        select(FOUR, source, tmp_path / name) for name, source in (("root", "samples-fourlepton"), ("skim", target))
    ]
    same_result(tmp_path / "root", tmp_path / "skim")
    assert found[0].datasets == found[1].datasets
    assert found[0].luminosity == found[1].luminosity
    assert found[0].skipped_files == ()


def test_what_is_there_is_left_alone(file, tmp_path):
    first = skim([file], tmp_path, branches=["Muon_pt"])[0]
    before = (tmp_path / "events.parquet").stat()
    again = skim([file], tmp_path, branches=["Muon_pt"])[0]
    assert (first["made"], again["made"]) == (True, False)
    assert (tmp_path / "events.parquet").stat().st_mtime_ns == before.st_mtime_ns
    with pytest.raises(ConfigError, match="with other branches"):
        skim([file], tmp_path, branches=["Muon_eta"])
    assert skim([file], tmp_path, branches=["Muon_eta"], overwrite=True)[0]["made"]
    (tmp_path / "events.parquet").write_text("not mine")
    with pytest.raises(ConfigError, match="is there and was made"):
        skim([file], tmp_path, branches=["Muon_eta"])


def test_two_workers_make_the_same(file, tmp_path):
    other = write_events(tmp_path / "other.root", 200, first=500)
    for name, workers in (("one", 1), ("two", 2)):
        skim([file, other], tmp_path / name, analysis=DIMUON, workers=workers)
    for name in ("events.parquet", "other.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_missing_branches(file, tmp_path):
    with pytest.raises(MissingBranchError, match="Muon_nothing"):
        skim([file], tmp_path, branches=["Muon_pt", "Muon_nothing"])
    assert not list(tmp_path.glob("*.parquet"))
    path = write_events(tmp_path / "a.root", 100, drop=("Flag_eeBadScFilter", "PV_npvs"))
    assert "PV.npvs" in skim([path], tmp_path, analysis=DIMUON)[0]["not_there"]


def test_wrong_use(file, tmp_path):
    with pytest.raises(ConfigError, match="nothing says which branches"):
        skim([file], tmp_path)
    with pytest.raises(ConfigError, match="would be made of"):
        skim([file, tmp_path / "events.root"], tmp_path, branches=["Muon_pt"])


def test_a_damaged_file_leaves_no_skim(file, tmp_path):
    bad = corrupt(file, target=tmp_path / "bad.root")
    with pytest.raises(DataError, match="cannot be decoded"):
        skim([file, bad], tmp_path / "skims", branches=["Muon_pt"])
    assert [path.name for path in (tmp_path / "skims").iterdir()] == ["events.parquet"]


def test_a_damaged_skim_is_found(file, skimmed, tmp_path):
    content = bytearray(Path(skimmed["out"]).read_bytes())
    with open_skim(skimmed["out"]) as there:
        index, _ = there._paths["Muon.pt"]
        column = there.file.metadata.row_group(0).column(index)
        place = column.data_page_offset + column.total_compressed_size // 2
    content[place : place + 4] = bytes(byte ^ 0xFF for byte in content[place : place + 4])
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(content)
    chosen = fileset(zz=simulation(skimmed["out"], bad))
    with pytest.raises(DataError, match="not a whole Parquet file") as caught:
        select(DIMUON, chosen, tmp_path / "out")
    assert str(bad) in caught.value.where
    report = select(DIMUON, chosen, tmp_path / "out", skip_bad_files=True)
    assert [entry.path for entry in report.skipped_files] == [str(bad)]
    for cut in (content[:1000], b"", bytes(content[:-4])):
        bad.write_bytes(cut)
        with pytest.raises(DataError):
            open_skim(bad)


def test_other_parquet_files_are_no_skims(tmp_path):
    from cmslabs.data.tables import write_events as write_parquet
    from cmslabs.io import Provenance

    path = tmp_path / "table.parquet"
    write_parquet(path, ak.Array([{"x": 1.0}]), Provenance(source="us", simulation=True, script="test"))
    with pytest.raises(DataError, match="is a Parquet file, but no skim"):
        open_skim(path)

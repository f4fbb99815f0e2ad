"""Whole runs in one process: normalisation, folders, options, what the report says."""

import json
import math

import numpy as np
import pytest
import uproot
from run_files import DIMUON, data, fileset, result_files, sample, simulation, write_events

from cmslabs.errors import CmslabsError, ConfigError, JobError, MissingBranchError
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.cutflow import read_cutflow
from cmslabs.selection.histograms import load_histograms
from cmslabs.selection.report import read_report
from cmslabs.selection.run_folder import RunFolder
from cmslabs.selection.runner import select
from cmslabs.selection.table import read_selected

pytest.importorskip("coffea")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return [write_events(folder / f"{i}.root", 400, first=400 * i) for i in range(3)]


def runs_sum(path):
    with uproot.open(path) as file:
        return float(np.sum(file["Runs"]["genEventSumw"].array()))


def events_sum(path):
    with uproot.open(path) as file:
        return math.fsum(file["Events"]["genWeight"].array(library="np"))


def test_weights_are_yields(files, tmp_path):
    """Yield of all events in the files: L x sigma x K x (weights in the events / generated weights)."""
    k_factor = {"value": 1.5, "name": "NLO/LO", "source": "invented"}
    chosen = fileset(luminosity_fb=16.0, zz=simulation(*files[:2], pb=0.5, k_factor=k_factor))
    report = select(DIMUON, chosen, tmp_path / "out", chunk_size=150)
    generated = math.fsum(runs_sum(path) for path in files[:2])
    kept = math.fsum(events_sum(path) for path in files[:2])
    expected = 16.0 * 1000 * 0.5 * 1.5 * kept / generated
    flow = read_cutflow(tmp_path / "out" / "cutflow.json").flows["zz"]
    assert flow.sequential[0][1] == pytest.approx(expected, rel=1e-12)
    entry = report.datasets["zz"]
    assert (entry.sum_weights, entry.sum_of, entry.sum_from) == (generated, "genWeight", {"Runs": 2})
    assert entry.scale == pytest.approx(16e3 * 0.75 / generated, rel=1e-15)
    table = read_selected(tmp_path / "out")
    assert table["weight"].sum() == pytest.approx(flow.selected["nominal"][1], rel=1e-12)
    mass = load_histograms(tmp_path / "out")["mass"]
    assert mass["zz", "nominal", :].sum(flow=True).value == pytest.approx(table["weight"].sum(), rel=1e-12)


def test_data_has_weight_one_and_its_own_luminosity(files, tmp_path):
    chosen = fileset(luminosity_fb=16.0, observed=data(files[0]), zz=simulation(files[1]))
    report = select(DIMUON, chosen, tmp_path / "out")
    assert report.luminosity.used_fb == report.luminosity.given_fb == 16.0
    assert report.datasets["observed"].scale == 1.0
    assert report.datasets["observed"].sum_weights is None
    table = read_selected(tmp_path / "out", "observed")
    assert len(table) > 0
    assert (table["weight"] == 1).all()


def test_without_luminosity_weights_are_as_generated(files, tmp_path):
    report = select(DIMUON, fileset(luminosity_fb=None, zz=simulation(files[0])), tmp_path / "out")
    assert report.datasets["zz"].scale == 1.0
    assert any("no luminosity" in remark for remark in report.remarks)
    assert read_cutflow(tmp_path / "out" / "cutflow.json").flows["zz"].sequential[0][1] == events_sum(files[0])


def test_without_a_cross_section(files, tmp_path):
    chosen = fileset(zz=simulation(files[0]), other=simulation(files[1], cross_section=None))
    with pytest.raises(ConfigError, match="no cross-section for other"):
        select(DIMUON, chosen, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    report = select(DIMUON, chosen, tmp_path / "out", unnormalised=True)
    assert report.datasets["other"].scale == 1.0
    assert report.datasets["zz"].scale != 1.0
    assert any("other have their generated weights" in remark for remark in report.remarks)


def test_sum_of_weights_from_the_events_is_said(files, tmp_path):
    without = write_events(tmp_path / "without.root", 200, runs=False)
    report = select(DIMUON, fileset(zz=simulation(files[0], without)), tmp_path / "out")
    entry = report.datasets["zz"]
    assert entry.sum_from == {"Runs": 1, "events": 1}
    assert entry.sum_weights == math.fsum([runs_sum(files[0]), events_sum(without)])
    assert any("Runs of 1 and events of 1" in remark for remark in report.remarks)
    assert "Runs (1), events (1)" in report.text()


def test_the_size_of_chunks_does_not_matter(files, tmp_path):
    chosen = fileset(zz=simulation(*files[:2]), observed=data(files[2]))
    counts, sums = [], []
    for size in (170, 400, 100_000):
        select(DIMUON, chosen, tmp_path / f"{size}", chunk_size=size)
        flows = read_cutflow(tmp_path / f"{size}" / "cutflow.json").flows
        counts.append({name: [line[0] for line in flow.sequential] for name, flow in flows.items()})
        sums.append(load_histograms(tmp_path / f"{size}")["mass"].values(flow=True))
        table = read_selected(tmp_path / f"{size}").sort_values(["dataset", "event", "mass"], ignore_index=True)
        if size == 170:
            first = table
        np.testing.assert_allclose(table["weight"], first["weight"], rtol=1e-12)
        assert table["event"].equals(first["event"])
    assert counts[0] == counts[1] == counts[2]
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-12)
    np.testing.assert_allclose(sums[0], sums[2], rtol=1e-12)


def test_a_file_without_events(files, tmp_path):
    empty = write_events(tmp_path / "empty.root", 0)
    report = select(DIMUON, fileset(zz=simulation(files[0], empty), observed=data(empty)), tmp_path / "out")
    assert report.datasets["zz"].n_events == 400
    assert report.datasets["observed"].n_events == report.datasets["observed"].n_selected == 0
    assert read_cutflow(tmp_path / "out" / "cutflow.json").flows["observed"].sequential[0] == (0, 0.0, 0.0)


def test_only_events_of_one_process(tmp_path):
    with uproot.open(sample()) as file:
        process = file["Events"]["simProcess"].array(library="np")
        rows = file["Runs"].arrays(library="np")
    number = int(process[-1])
    report = select(DIMUON, fileset(some=simulation(sample(), only={"simProcess": number})), tmp_path / "out")
    entry = report.datasets["some"]
    assert entry.n_events == len(process)
    assert entry.n_own == np.sum(process == number)
    if "simProcess" in rows:
        assert entry.sum_weights == math.fsum(rows["genEventSumw"][rows["simProcess"] == number])


def test_golden_json_is_needed_for_data_and_used(files, tmp_path):
    with pytest.raises(ConfigError, match="certified luminosity sections"):
        select(DIMUON, fileset(golden_json=None, observed=data(files[0])), tmp_path / "out")
    with uproot.open(files[0]) as file:
        run, sections = (file["Events"][name].array(library="np") for name in ("run", "luminosityBlock"))
    good = tmp_path / "good.json"
    good.write_text(json.dumps({str(run[0]): [[int(sections.min()), int(np.median(sections))]]}))
    select(DIMUON, fileset(golden_json=str(good), observed=data(files[0])), tmp_path / "out")
    flow = read_cutflow(tmp_path / "out" / "cutflow.json").flows["observed"]
    certified = flow.sequential[1 + flow.cuts.index("certified")][0]
    assert certified == np.sum((run == run[0]) & (sections <= np.median(sections)))
    with pytest.raises(CmslabsError, match="missing"):
        select(DIMUON, fileset(golden_json=str(tmp_path / "missing.json"), observed=data(files[0])), tmp_path / "new")
    # Simulation alone needs no list.
    select(DIMUON, fileset(golden_json=None, zz=simulation(files[0])), tmp_path / "simulation")


@pytest.mark.parametrize(
    ("change", "names", "message"),
    [
        ({"excludes": ["zz"]}, (), "describe the same process"),
        ({"files": [], "public": False}, ("other",), "is not public"),
        ({"files": []}, ("other",), "has no files yet"),
        ({}, ("third",), "no data set 'third'"),
    ],
)
def test_data_sets_that_cannot_be_chosen(files, tmp_path, change, names, message):
    chosen = fileset(zz=simulation(files[0]), other=simulation(files[1]) | change)
    with pytest.raises(ConfigError, match=message):
        select(DIMUON, chosen, tmp_path / "out", datasets=names)
    assert not (tmp_path / "out").exists()


def test_chosen_data_sets_only(files, tmp_path):
    chosen = fileset(zz=simulation(files[0]), other=simulation(files[1], excludes=["zz"]))
    report = select(DIMUON, chosen, tmp_path / "out", datasets=["other"])
    assert list(report.datasets) == ["other"]
    assert list(json.loads((tmp_path / "out" / "fileset.json").read_text())["datasets"]) == ["other"]


def test_wrong_numbers(files, tmp_path):
    chosen = fileset(zz=simulation(files[0]))
    with pytest.raises(ConfigError, match="a chunk cannot have 0 events"):
        select(DIMUON, chosen, tmp_path / "out", chunk_size=0)
    with pytest.raises(ConfigError, match="-1 retries"):
        select(DIMUON, chosen, tmp_path / "out", retries=-1)


def test_missing_branches_stop_or_are_recorded(tmp_path):
    path = write_events(tmp_path / "a.root", 200, drop=("Flag_goodVertices", "L1PreFiringWeight_Up"))
    chosen = fileset(zz=simulation(path))
    with pytest.raises(MissingBranchError, match="Flag_goodVertices") as caught:
        select(DIMUON, chosen, tmp_path / "out")
    assert str(path) in caught.value.where
    assert not (tmp_path / "out" / "report.json").exists()
    # Leaving out bad files is no way around it.
    with pytest.raises(MissingBranchError, match="Flag_goodVertices"):
        select(DIMUON, chosen, tmp_path / "out", skip_bad_files=True)
    patient = load_analysis("dimuon", ["weights=[genWeight,prefiring]", "missing={filters: skip, weights: skip}"])
    report = select(patient, chosen, tmp_path / "out", overwrite=True)
    assert report.datasets["zz"].skipped["filters"] == {"Flag_goodVertices": 200}
    assert set(report.datasets["zz"].skipped["weights"]) == {"prefiring"}
    assert "not there: Flag_goodVertices (filters), for 200 events of zz" in report.text()


def test_corrections_that_are_missing_are_known_before_any_event(files, tmp_path):
    with pytest.raises(ConfigError, match="Collisions16"):
        select("dimuon", fileset(zz=simulation(files[0])), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_same_run_may_be_repeated_and_gives_the_same(files, tmp_path):
    chosen = fileset(zz=simulation(files[0]))
    select(DIMUON, chosen, tmp_path / "out", chunk_size=200)
    before = result_files(tmp_path / "out")
    select(DIMUON, chosen, tmp_path / "out", chunk_size=200)
    assert result_files(tmp_path / "out") == before
    # Other chunks have other parts; those of the last run are gone.
    select(DIMUON, chosen, tmp_path / "out", chunk_size=400)
    assert len(result_files(tmp_path / "out")) < len(before)
    assert len(read_selected(tmp_path / "out")) == read_report(tmp_path / "out").datasets["zz"].n_selected


def test_a_folder_with_another_result_is_refused(files, tmp_path):
    out = tmp_path / "out"
    select(DIMUON, fileset(zz=simulation(files[0])), out)
    before = result_files(out)
    other = load_analysis("dimuon", ["weights=[genWeight,prefiring]", "muons.pt=30"])
    for analysis, chosen in ((other, fileset(zz=simulation(files[0]))), (DIMUON, fileset(zz=simulation(files[1])))):
        with pytest.raises(ConfigError, match="holds the result of another run"):
            select(analysis, chosen, out)
        assert result_files(out) == before
    (out / "notes.txt").write_text("mine")
    select(other, fileset(zz=simulation(files[0])), out, overwrite=True)
    assert json.loads((out / "analysis.json").read_text())["muons"]["pt"] == 30
    assert result_files(out) != before
    assert (out / "notes.txt").read_text() == "mine"


def test_a_folder_of_somebody_else_is_refused(files, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years")
    chosen = fileset(zz=simulation(files[0]))
    with pytest.raises(ConfigError, match=r"holds other files \(thesis.tex\)"):
        select(DIMUON, chosen, tmp_path / "out")
    with pytest.raises(ConfigError, match="is a file"):
        select(DIMUON, chosen, tmp_path / "out" / "thesis.tex")
    select(DIMUON, chosen, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years"


def test_two_runs_do_not_share_a_folder(files, tmp_path):
    chosen = fileset(zz=simulation(files[0]))
    with RunFolder(tmp_path / "out", DIMUON, chosen).claimed(), pytest.raises(JobError, match="another run"):
        select(DIMUON, chosen, tmp_path / "out", overwrite=True)
    select(DIMUON, chosen, tmp_path / "out", overwrite=True)


def test_an_unfinished_run_has_no_report(files, tmp_path, monkeypatch):
    chosen = fileset(zz=simulation(files[0]))
    select(DIMUON, chosen, tmp_path / "out")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cmslabs.selection.chunks.run_items", interrupt)
    with pytest.raises(KeyboardInterrupt):
        select(DIMUON, chosen, tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()
    monkeypatch.undo()
    select(DIMUON, chosen, tmp_path / "out")
    assert (tmp_path / "out" / "report.json").exists()


def test_the_report(files, tmp_path):
    report = select(DIMUON, fileset(zz=simulation(*files[:2]), observed=data(files[2])), tmp_path / "out")
    assert read_report(tmp_path / "out") == report
    assert report.n_events == 1200
    assert 0 < report.bytes_read < sum(path.stat().st_size for path in files)
    assert report.events_per_second > 0
    assert set(report.seconds) == {"survey", "data", "simulation", "writing", "total"}
    assert report.seconds["total"] >= report.seconds["simulation"] > 0
    assert {"Muon_pt", "genWeight", "run"} <= set(report.branches)
    assert not any(name.startswith("GenPart") for name in report.branches)
    assert report.versions["coffea"]
    assert report.table_bytes == sum(p.stat().st_size for p in (tmp_path / "out" / "table").glob("**/*.parquet"))
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["events_per_second"] == report.events_per_second
    text = (tmp_path / "out" / "report.txt").read_text()
    assert "1,200 events" in text
    assert "pseudo-data" in text
    with pytest.raises(CmslabsError, match="no such file"):
        read_report(tmp_path)


def test_workers_that_write_elsewhere_are_noticed(files, tmp_path, monkeypatch):
    from cmslabs.selection import processor

    original = processor.write_part
    monkeypatch.setattr(processor, "write_part", lambda _, *rest: original(tmp_path / "other machine", *rest))
    with pytest.raises(JobError, match="did not arrive"):
        select(DIMUON, fileset(zz=simulation(files[0])), tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()


def test_what_a_killed_worker_left_is_tidied_up(files, tmp_path, monkeypatch):
    from cmslabs.selection import run

    original = run.Run.process

    def interrupted(self, names, what):
        original(self, names, what)
        if names:
            place = self.folder.path / "table" / "dataset=zz" / "systematic=nominal"
            (place / ".part-abc-part-1.parquet").write_bytes(b"half")

    monkeypatch.setattr(run.Run, "process", interrupted)
    select(DIMUON, fileset(zz=simulation(files[0])), tmp_path / "out")
    assert not list((tmp_path / "out").glob("**/.part-*"))


def test_nothing_is_printed(files, tmp_path, capfd):
    select(DIMUON, fileset(zz=simulation(files[0])), tmp_path / "out")
    assert capfd.readouterr() == ("", "")

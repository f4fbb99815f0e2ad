"""check_file: an answer on every real file, and on files with one planted mistake each."""

import json

import awkward as ak
import numpy as np
import pandas as pd
import pytest
import uproot
from file_makers import FEATURES, dark_machines_lines, features, muons, particles, write_fixed, write_ntuple, write_tree

from cmslabs.data.check import check_file
from cmslabs.data.spectrum import check_spectrum, edges_from_centres
from cmslabs.data.tables import write_events, write_table
from cmslabs.errors import DataError
from cmslabs.io import Provenance

ORIGIN = Provenance(source="simulation", simulation=True, script="test")
REAL = {  # file: kind, events, problems
    "nanoaod/nano_dimuon.root": ("NanoAOD", 40, 0),
    "nanoaod/nano_dy.root": ("NanoAOD", 40, 0),
    "nanoaod/nano_tt_v12.root": ("NanoAOD", 200, 0),
    "nanoaod/NanoAODv5_sample.root": ("NanoAOD", 1000, 0),
    "nanoaod/nanoAOD_2015_CMS_Open_Data_ttbar.root": ("NanoAOD", 200, 0),
    "lhco/events_anomalydetection_tiny.h5": ("LHC Olympics", 1000, 0),
    "lhco/innerdata_train.npy": ("signal region", 60000, 0),
    "lhco/innerdata_test.npy": ("signal region", 62124, 0),
    "lhco/innerdata_extrasig.npy": ("signal region", 27263, 0),
    "cms-csv/Zmumu_Run2011A.csv": ("CMS education", 10583, 0),
    "cms-csv/peakdata6.csv": ("CMS education", 4106, 0),
    "cms-csv/4mu_2011.csv": ("CMS education", 18, 0),
    "cms-csv/4mu_2012.csv": ("CMS education", 95, 0),
    "hepdata/trijet.csv": ("spectrum", 45, 0),
    "hepdata/diphoton.csv": ("spectrum", 169, 1),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files(real_data, name):
    kind, events, problems = REAL[name]
    report = check_file(real_data / name)
    assert kind in report.kind
    assert (report.n_events, len(report.problems), report.ok) == (events, problems, problems == 0)
    json.dumps(report.model_dump(mode="json"), allow_nan=False)


def test_every_real_file_is_in_the_list(real_data):
    found = {str(path.relative_to(real_data)) for path in real_data.glob("*/*")}
    assert found == set(REAL)


def test_what_the_reports_say(real_data):
    v5 = check_file(real_data / "nanoaod" / "NanoAODv5_sample.root").details
    assert v5["NanoAOD version"] == 5
    assert v5["fat jets with failed grooming (msoftdrop < 0)"] == "114 of 385"
    data = check_file(real_data / "nanoaod" / "nano_dimuon.root").details
    assert data["simulation"] is False
    olympics = check_file(real_data / "lhco" / "events_anomalydetection_tiny.h5").details
    assert olympics["signal events"] == 93
    diphoton = check_file(real_data / "hepdata" / "diphoton.csv")
    assert "is 2 times the spacing of the centres" in diphoton.problems[0]
    assert diphoton.details["edges that make y x width whole numbers begin at [GeV]"] == 500.0
    assert diphoton.details["sum of these counts"] == 5036
    assert check_file(real_data / "hepdata" / "trijet.csv").details["y"] == "whole numbers: counts"


@pytest.mark.parametrize("write", [write_tree, write_ntuple])
def test_planted_mistakes_in_nanoaod(tmp_path, write):
    for branch, value, said in (
        ("Muon_pt", np.nan, "Muon.pt is not finite: 1 value(s), first in event 4"),
        ("Muon_pt", -5, "Muon.pt is negative: 1 value(s), first in event 4"),
        ("Muon_pt", 9e3, "Muon.pt is above 7000 GeV: 1 value(s), first in event 4"),
        ("Muon_eta", 7, "Muon.eta is beyond 6.0: 1 value(s), first in event 4"),
        ("Muon_phi", 4, "Muon.phi is outside -pi..pi: 1 value(s), first in event 4"),
        ("Muon_mass", np.inf, "Muon.mass is not finite: 1 value(s), first in event 4"),
    ):
        branches = muons()
        flat = ak.to_numpy(ak.flatten(branches[branch])).copy()
        flat[-1] = value
        branches[branch] = ak.unflatten(flat, ak.num(branches[branch]))
        report = check_file(write(tmp_path / "x.root", branches))
        assert report.problems == [said]
        assert not report.ok
    weights = write(tmp_path / "w.root", muons(genWeight=np.array([1, np.nan, 1, np.inf, 1], dtype=np.float32)))
    assert check_file(weights).problems == ["genWeight is not finite: 2 value(s), first in event 1"]
    odd = write(tmp_path / "o.root", muons(Muon_dxy=muons()["Muon_pt"] * np.float32(np.nan)))
    assert check_file(odd).problems == []  # CMS itself leaves such values in some branches: say it, no more.
    assert check_file(odd).details["not finite in other fields"] == {"Muon.dxy": 4}


def test_missing_branches_and_no_events(tmp_path):
    report = check_file(write_tree(tmp_path / "x.root", muons(event=None)))
    assert report.problems == ["the branch 'event' is missing"]
    assert "Jet" in report.details["missing collections"]
    empty = check_file(write_tree(tmp_path / "e.root", {name: value[:0] for name, value in muons().items()}))
    assert (empty.n_events, empty.problems) == (0, ["it holds no events"])


def test_olympics(tmp_path):
    rows = particles(2500)
    rows[2100, 0] = -3
    rows[2200, 1] = np.nan
    rows[1200] = 0
    rows[5, 2100] = 7
    report = check_file(write_fixed(tmp_path / "x.h5", rows, range(2101)))
    assert "particles.pt is negative: 1 value(s), first in event 2100" in report.problems
    assert "particles.eta is not finite: 1 value(s), first in event 2200" in report.problems
    assert "particles are none: " in " ".join(report.problems)
    assert "label is neither 0 nor 1: 1 value(s), first in event 5" in report.problems
    box = check_file(write_fixed(tmp_path / "box.h5", np.abs(particles(10, seed=4, labelled=False)), range(2100)))
    assert box.details["labelled"] is False
    table = np.abs(features())
    table[3, 3] = -20
    report = check_file(write_fixed(tmp_path / "f.h5", table, FEATURES))
    assert report.problems == ["mj1 is negative: 1 value(s), first in event 3"]
    assert check_file(write_fixed(tmp_path / "g.h5", np.zeros((3, 7)), range(7))).n_events is None


def test_csv_files(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Run,Event,pt1,eta1,phi1,Q1\n1,1,5,0,0,1\n1,2,-5,0,0,2\n")
    assert check_file(path).problems == [
        "Muon.charge is neither +1 nor -1: 1 value(s), first in event 1",
        "Muon.pt is negative: 1 value(s), first in event 1",
    ]
    path.write_text("Run,Event,pt1,eta1,phi1,Q1\n1,1,5,0,0,1\n1,2\n")
    assert check_file(path).problems == [
        "line 3: has 2 values where the header has 6 names. Correct that line, or fetch the file again: it may be cut."
    ]
    path.write_text("\n".join(dark_machines_lines(50)) + "\n")
    report = check_file(path)
    assert (report.ok, report.n_events, report.details["processes"]) == (True, 50, ["njets"])
    path.write_text("1;x;1;5;0;j,5,-1000,0,9\n")
    assert check_file(path).problems == [
        "Jet.phi is outside -pi..pi: 1 value(s), first in event 0",
        "Jet.pt is negative: 1 value(s), first in event 0",
    ]
    path.write_text("mjj,name\n1.5,a\n,b\n")
    assert check_file(path).problems == ["mjj is not finite: 1 value(s), first in event 1"]


def test_parquet(tmp_path):
    write_table(tmp_path / "t.parquet", pd.DataFrame({"mjj": [1.0, -2.0], "tau1j1": [0.1, np.nan]}), ORIGIN)
    report = check_file(tmp_path / "t.parquet")
    assert report.details["simulation"] is True
    assert report.n_events == 2
    events = ak.Array({"Muon": ak.zip({"pt": ak.Array([[1.0], [-2.0, 3.0]])})})
    write_events(tmp_path / "e.parquet", events, ORIGIN)
    assert check_file(tmp_path / "e.parquet").problems == ["Muon.pt is negative: 1 value(s), first in event 1"]
    whole = (tmp_path / "e.parquet").read_bytes()
    (tmp_path / "e.parquet").write_bytes(whole[:-10])
    assert "is not a whole Parquet file" in check_file(tmp_path / "e.parquet").problems[0]


def test_cut_and_unknown_files(tmp_path, real_data):
    cut = tmp_path / "cut.root"
    cut.write_bytes((real_data / "nanoaod" / "nano_dy.root").read_bytes()[:100_000])
    assert "is cut: 100000 of 352599 bytes" in check_file(cut).problems[0]
    for content, reason in ((b"", "is empty"), (b"hello", "of no kind"), (b"\x00" * 100, "of no kind")):
        (tmp_path / "x.dat").write_bytes(content)
        with pytest.raises(DataError, match=reason):
            check_file(tmp_path / "x.dat")
    with pytest.raises(DataError, match="no such file"):
        check_file(tmp_path / "absent")
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = np.histogram([1, 2, 3])
    assert "has no tree 'Events' (it has: h)" in check_file(tmp_path / "h.root").problems[0]


def test_spectra():
    edges = np.array([10.0, 12, 15, 19, 24])
    good = pd.DataFrame(
        {
            "x": (edges[1:] + edges[:-1]) / 2,
            "y": [9.0, 4, 1, 0],
            "y_up": [3.0, 2, 1, 1],
            "y_down": [3.0, 2, 1, 0],
            "bin_widths_1d": np.diff(edges),
        }
    )
    assert check_spectrum(good)[0] == []
    np.testing.assert_allclose(edges_from_centres(good["x"].to_numpy(), 10.0), edges)
    for column, value, said in (
        ("bin_widths_1d", 8.0, "times the spacing"),
        ("bin_widths_1d", -1.0, "not positive"),
        ("y", -1.0, "y is negative"),
        ("y_down", -1.0, "y_down is negative"),
        ("x", 0.0, "do not rise"),
        ("y", np.nan, "not finite"),
    ):
        bad = good.copy()
        bad.loc[2, column] = value
        assert said in check_spectrum(bad)[0][0]
    assert check_spectrum(good[:0]) == ([], {})

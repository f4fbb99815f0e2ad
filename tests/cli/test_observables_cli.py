"""`cmslabs features --set`: real files, reports, exit status, one line of reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cmslabs.data.tables import read_provenance, read_table
from cmslabs.features.observables import SETS

PROXY = "dijets: {energy_fractions: matched_jet, n_constituents: matched_jet}\ncleaning: {jet_id: 2}\n"


def test_a_real_file_of_version_12(call, real_data, tmp_path):
    source, out = real_data / "nanoaod" / "nano_tt_v12.root", tmp_path / "t.parquet"
    status, stdout, stderr = call("features", source, out, "--set", "dijet_nanoaod", "--report", tmp_path / "r.json")
    assert status == 0
    assert stdout == f"{out}: 22 of 200 events, 55 observables (22 had two AK8 jets)\n"
    assert stderr.splitlines()[0] == "finite: 0 of 22 dropped"
    table = read_table(out)
    assert list(table.columns) == ["position", "run", "luminosityBlock", "event", *SETS["dijet_nanoaod"]]
    assert np.isfinite(table.to_numpy(dtype=float)).all()
    assert read_provenance(out).simulation is True
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["n_before"], report["n_after"], report["identity"]) == (22, 22, "run, luminosityBlock, event")


def test_a_real_file_of_version_5_with_a_stand_in(call, real_data, tmp_path):
    source, out = real_data / "nanoaod" / "NanoAODv5_sample.root", tmp_path / "t.csv"
    status, stdout, stderr = call("features", source, out, "--set", "dijet_nanoaod")
    assert (status, stdout) == (2, "")
    assert "n_constituents_j1" in stderr
    assert "'FatJet_nConstituents'" in stderr
    assert not out.exists()
    (tmp_path / "c.yaml").write_text(PROXY)
    options = ("--set", "dijet_nanoaod", "--config", tmp_path / "c.yaml", "--json")
    status, stdout, _ = call("features", source, out, *options)
    assert status == 0
    found = json.loads(stdout)
    assert (found["n_events"], found["n_dijets"], found["set"]) == (1000, 68, "dijet_nanoaod")
    assert found["n_written"] == len(read_table(out)) == found["cleaning"]["n_after"]


def test_wrong_use_ends_with_status_2_and_a_remedy(call, real_data, tmp_path):
    source, out = real_data / "nanoaod" / "nano_tt_v12.root", tmp_path / "t.parquet"
    (tmp_path / "bad.yaml").write_text("dijets: {energy_fraction: matched_jet}\n")
    cases = [
        (("--set", "dijet62"), "lhco, dijet61"),
        (("--report", tmp_path / "r.json"), "--report does not go with --set lhco"),
        (("--set", "dijet_nanoaod", "--config", tmp_path / "bad.yaml"), "did you mean 'energy_fractions'"),
        (("--set", "dijet61"), "width_j1"),
    ]
    for options, reason in cases:
        status, stdout, stderr = call("features", source, out, *options)
        assert (status, stdout) == (2, "")
        assert reason in stderr
        assert not out.exists()


@pytest.mark.slow
def test_simulated_objects_become_the_61(call, tmp_path):
    pytest.importorskip("pythia8mc", reason="needs the extra sim")
    status, stdout, _ = call("simulate", "wprime-2prong", "--events", 20, "--objects", "--out", tmp_path, "--json")
    assert status == 0
    objects = json.loads(stdout)["files"]["objects"]
    status, stdout, _ = call("features", objects, tmp_path / "t.parquet", "--set", "dijet61", "--json")
    assert status == 0
    found = json.loads(stdout)
    assert found["n_events"] == 20
    assert found["n_written"] >= 18
    table = read_table(tmp_path / "t.parquet")
    assert (table["label"] == 1).all()
    assert table["mjj"].median() == pytest.approx(3500, rel=0.1)

"""Export to Parquet and back: the same events, branch by branch."""

import sys

import awkward as ak
import numpy as np
import pytest
import uproot
from peak_memory import peak_megabytes

from cmslabs.data import export as module
from cmslabs.data.download import dataset_path
from cmslabs.data.export import export
from cmslabs.data.nanoaod import open_nanoaod, read_nanoaod
from cmslabs.data.tables import read_events, read_provenance
from cmslabs.errors import DataError, MissingBranchError
from cmslabs.io import sha256


@pytest.mark.parametrize("name", ["nano_tt_v12", "NanoAODv5_sample"])
def test_all_branches_of_a_real_file(tmp_path, real_data, name, monkeypatch):
    source = real_data / "nanoaod" / f"{name}.root"
    monkeypatch.setattr(module, "_MAX_CHUNK", open_nanoaod(source).n_events // 2 + 1)  # So that there are two chunks.
    report = export(source, tmp_path / "all.parquet")
    back = read_events(tmp_path / "all.parquet")
    tree = uproot.open(source)["Events"]
    assert report["n_events"] == len(back) == tree.num_entries
    compared = 0
    for branch, array in tree.arrays(how=dict).items():
        collection, _, field = branch.partition("_")
        if branch.startswith("Rho_fixedGridRhoFastjet"):
            mine = back[field]
        elif collection in back.fields and field in back[collection].fields:
            mine = back[collection, field]
        elif branch in back.fields:
            mine = back[branch]
        else:
            continue
        assert ak.array_equal(mine, array, equal_nan=True), branch
        compared += 1
    counters = sum(1 for branch in tree.keys() if branch.startswith("n"))  # noqa: SIM118
    assert compared == report["n_branches"] >= len(tree.keys()) - counters
    assert back.type == read_nanoaod(source, check=False).type  # Also the vectors' names.


def test_provenance(tmp_path, real_data):
    for name, simulation, version in (("nano_dimuon", False, 6), ("nano_tt_v12", True, 12)):
        source = real_data / "nanoaod" / f"{name}.root"
        export(source, tmp_path / "x.parquet", ["Muon", "fixedGridRhoFastjetAll"])
        origin = read_provenance(tmp_path / "x.parquet")
        assert origin.simulation is simulation
        assert origin.source == source.name
        assert origin.details["input_sha256"] == sha256(source)
        assert origin.details["nanoaod_version"] == version
        assert origin.units["Muon.pt"] == "GeV"
    assert origin.details["renamed"] == {"fixedGridRhoFastjetAll": "Rho_fixedGridRhoFastjetAll"}


def test_chosen_branches(tmp_path, real_data):
    source = real_data / "nanoaod" / "nano_dimuon.root"
    report = export(source, tmp_path / "m.parquet", ["Muon_pt", "MET.*", "HLT_IsoMu2*"])
    back = read_events(tmp_path / "m.parquet")
    assert back.fields[:3] == ["run", "luminosityBlock", "event"]
    assert set(back.fields[3:]) == {"HLT", "MET", "Muon"}
    assert back.Muon.fields == ["pt"]
    assert all(name.startswith("IsoMu2") for name in back.HLT.fields)
    assert report["n_branches"] == 3 + 1 + len(back.MET.fields) + len(back.HLT.fields)
    with pytest.raises(MissingBranchError, match=r"'Muon_ptt'.*Muon\.pt"):
        export(source, tmp_path / "no.parquet", ["Muon_ptt"])
    assert not (tmp_path / "no.parquet").exists()


def test_same_input_same_bytes(tmp_path, real_data):
    source = real_data / "nanoaod" / "nano_dy.root"
    for out in ("a.parquet", "b.parquet"):
        export(source, tmp_path / out, ["Muon", "Jet"])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_other_endings_and_the_input_itself(tmp_path, real_data):
    source = real_data / "nanoaod" / "nano_dy.root"
    with pytest.raises(DataError, match=r"ends in \.parquet"):
        export(source, tmp_path / "x.csv", ["Muon"])
    copy = tmp_path / "in.parquet"
    copy.write_bytes(source.read_bytes())
    with pytest.raises(DataError, match="is the input file"):
        export(copy, copy, ["Muon"])


def write(path, n, **branches):
    with uproot.recreate(path) as file:
        tree = file.mktree(
            "Events", {"event": "u8", "Muon_pt": "var * float32", **{k: v.dtype for k, v in branches.items()}}
        )
        rng = np.random.default_rng(1)
        for start in range(0, n, 100_000):
            size = min(100_000, n - start)
            counts = rng.integers(0, 5, size)
            tree.extend(
                {
                    "event": np.arange(start, start + size, dtype=np.uint64),
                    "Muon_pt": ak.unflatten(rng.normal(size=counts.sum()).astype(np.float32), counts),
                    **{k: v[start : start + size] for k, v in branches.items()},
                }
            )
    return path


def test_odd_values_are_copied(tmp_path):
    genweight = np.array([np.nan, -np.inf, 1.0, 0.0], dtype=np.float32)
    source = write(tmp_path / "odd.root", 4, genWeight=genweight)
    export(source, tmp_path / "odd.parquet")
    back = read_events(tmp_path / "odd.parquet")
    np.testing.assert_array_equal(ak.to_numpy(back.genWeight), genweight)
    assert ak.min(back.Muon.pt) < 0


def test_no_events(tmp_path):
    source = write(tmp_path / "none.root", 0)
    assert export(source, tmp_path / "none.parquet")["n_events"] == 0
    back = read_events(tmp_path / "none.parquet")
    assert len(back) == 0
    assert back.fields == ["event", "Muon"]


EXPORT = """
import sys
from cmslabs.data.export import export
export(sys.argv[1], sys.argv[1] + ".parquet")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no ru_maxrss")
def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = {}
    for n in (200_000, 1_600_000):
        path = write(tmp_path / f"{n}.root", n, **{f"x{i}": np.ones(n, np.float32) for i in range(12)})
        peaks[n], _ = peak_megabytes(EXPORT, path)
    print({n: round(peak) for n, peak in peaks.items()}, "MB")
    # The larger file holds 120 MB of numbers: kept together they would show.
    assert peaks[1_600_000] - peaks[200_000] < 40


def test_who_asks_for_a_counter_is_told_what_to_ask_for(tmp_path):
    sample = dataset_path("sim-fourlepton")
    with pytest.raises(MissingBranchError, match=r"nMuon.*counts the entries of Muon: ask for Muon"):
        export(sample, tmp_path / "x.parquet", ["Muon", "nMuon"])
    with pytest.raises(MissingBranchError) as caught:
        export(sample, tmp_path / "x.parquet", ["nThing"])
    assert "counts" not in str(caught.value)
    assert not list(tmp_path.iterdir())

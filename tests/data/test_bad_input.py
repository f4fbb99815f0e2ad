"""Bad input, the same list for every reader: our own error, which names the file and says what to do."""

import awkward as ak
import numpy as np
import pandas as pd
import pytest
import uproot
from file_makers import FEATURES, dark_machines_lines, features, muons, particles, write_fixed, write_ntuple, write_tree

from cmslabs.data.check import check_file
from cmslabs.data.cms_csv import read_cms_csv
from cmslabs.data.darkmachines import read_darkmachines
from cmslabs.data.export import export
from cmslabs.data.lhco import read_lhco_features, read_particles, read_signal_region
from cmslabs.data.nanoaod import iterate_nanoaod, open_nanoaod, read_nanoaod, read_runs
from cmslabs.data.tables import iterate_events, read_events, read_provenance, read_table, write_events, write_table
from cmslabs.errors import CmslabsError, DataError, MissingBranchError
from cmslabs.io import Provenance

ORIGIN = Provenance(source="simulation", simulation=True, script="test")
CSV = "Run,Event,pt1,eta1,phi1,Q1\n1,1,50.5,0.1,0.2,1\n1,2,40.25,0.3,0.4,-1\n"
EVENTS = ak.Array({"M": ak.zip({"pt": ak.Array([[1.0, 2.0], [], [3.0]])})})
TABLE = pd.DataFrame({"a": np.arange(500) * 0.7})

READERS = {  # name of the file: (how to read it, how to make a good one, how to make one without events)
    "read_nanoaod.root": (read_nanoaod, lambda p: write_tree(p, muons()), lambda p: write_tree(p, none(muons()))),
    "open_nanoaod.root": (open_nanoaod, lambda p: write_tree(p, muons()), lambda p: write_tree(p, none(muons()))),
    "iterate_nanoaod.root": (
        lambda p: list(iterate_nanoaod(p)),
        lambda p: write_tree(p, muons()),
        lambda p: write_tree(p, none(muons())),
    ),
    "ntuple.root": (read_nanoaod, lambda p: write_ntuple(p, muons()), lambda p: write_ntuple(p, none(muons()))),
    "export.root": (
        lambda p: export(p, p.with_name("out.parquet")),
        lambda p: write_tree(p, muons()),
        lambda p: write_tree(p, none(muons())),
    ),
    "particles.h5": (
        read_particles,
        lambda p: write_fixed(p, particles(9), range(2101)),
        lambda p: write_fixed(p, particles(0), range(2101)),
    ),
    "features.h5": (
        read_lhco_features,
        lambda p: write_fixed(p, features(), FEATURES),
        lambda p: write_fixed(p, features(0), FEATURES),
    ),
    "region.npy": (
        read_signal_region,
        lambda p: np.save(p, np.ones((9, 6))),
        lambda p: np.save(p, np.ones((0, 6))),
    ),
    "leptons.csv": (read_cms_csv, lambda p: p.write_text(CSV), lambda p: p.write_text(CSV.splitlines()[0] + "\n")),
    "dark.csv": (
        read_darkmachines,
        lambda p: p.write_text("\n".join(dark_machines_lines(9)) + "\n"),
        lambda p: p.write_text(""),
    ),
    "table.csv": (read_table, lambda p: p.write_text(CSV), lambda p: p.write_text(CSV.splitlines()[0] + "\n")),
    "table.parquet": (
        read_table,
        lambda p: write_table(p, TABLE, ORIGIN),
        lambda p: write_table(p, TABLE[:0], ORIGIN),
    ),
    "events.parquet": (
        read_events,
        lambda p: write_events(p, EVENTS, ORIGIN),
        lambda p: write_events(p, EVENTS[:0], ORIGIN),
    ),
    "chunks.parquet": (
        lambda p: list(iterate_events(p)),
        lambda p: write_events(p, EVENTS, ORIGIN),
        lambda p: write_events(p, EVENTS[:0], ORIGIN),
    ),
    "origin.parquet": (
        read_provenance,
        lambda p: write_table(p, TABLE, ORIGIN),
        lambda p: write_table(p, TABLE[:0], ORIGIN),
    ),
}
OTHER_KINDS = {
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "web page": b"<html><body>404 Not Found</body></html>\n",
    "zeros": b"\x00" * 1000,
    "four letters": b"root",
    "archive": b"PK\x03\x04",
}
REAL = [
    "nanoaod/nano_dimuon.root",
    "nanoaod/nano_tt_v12.root",
    "lhco/events_anomalydetection_tiny.h5",
    "lhco/innerdata_test.npy",
]
TEXT = [name for name in READERS if name.endswith(".csv")]
BINARY = [name for name in READERS if not name.endswith(".csv")]


def none(branches):
    return {name: value[:0] for name, value in branches.items()}


def refused(reader, path, error=CmslabsError):
    """The message of the error, which must name the file and say what to do."""
    with pytest.raises(error) as caught:
        reader(path)
    assert path.name in str(caught.value)
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_a_good_file_first(tmp_path, name):
    read, make, _ = READERS[name]
    make(tmp_path / name)
    assert read(tmp_path / name) is not None


@pytest.mark.parametrize("name", [*READERS, "runs.root", "check.dat"])
def test_missing_file_and_folder(tmp_path, name):
    read = READERS[name][0] if name in READERS else {"runs.root": read_runs, "check.dat": check_file}[name]
    assert "there is no such file" in refused(read, tmp_path / name, DataError)
    (tmp_path / name).mkdir()
    assert "is a folder" in refused(read, tmp_path / name, DataError)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_files_of_another_kind(tmp_path, name, kind):
    content = OTHER_KINDS[kind]
    if name == "table.csv" and content.startswith(b"<html>"):
        content += b"a, b, c\n"  # One column of text is a table.
    path = tmp_path / name
    path.write_bytes(content)
    refused(READERS[name][0], path, DataError)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
def test_truncated_files(tmp_path, name, fraction):
    path = tmp_path / name
    READERS[name][1](path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])
    refused(READERS[name][0], path, DataError)


@pytest.mark.parametrize("name", TEXT)
def test_tables_that_end_in_the_middle_of_a_row(tmp_path, name):
    path = tmp_path / name
    READERS[name][1](path)
    whole = path.read_text().rstrip("\n")
    path.write_text(whole[: whole.rindex("," if "," in whole.splitlines()[-1] else ";")])
    message = refused(READERS[name][0], path, DataError)
    assert "line " in message


@pytest.mark.parametrize("fraction", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("file", REAL)
def test_truncated_real_files(tmp_path, real_data, file, fraction):
    source = real_data / file
    whole = source.read_bytes()
    path = tmp_path / source.name
    path.write_bytes(whole[: int(len(whole) * fraction)])
    read = {".root": read_nanoaod, ".h5": read_particles, ".npy": read_signal_region}[path.suffix]
    message = refused(read, path, DataError)
    if path.suffix == ".root":
        assert f"is cut: {path.stat().st_size} of {len(whole)} bytes are there" in message


@pytest.mark.parametrize("name", READERS)
def test_no_events_give_an_empty_result_with_the_right_fields(tmp_path, name):
    read, make, empty = READERS[name]
    make(tmp_path / name)
    full = read(tmp_path / name)
    (tmp_path / name).unlink()
    empty(tmp_path / name)
    none_read = read(tmp_path / name)
    if isinstance(full, list):
        full, none_read = full[0], none_read[0]
    if isinstance(full, ak.Array):
        assert len(none_read) == 0
        assert none_read.fields == full.fields
        for field in full.fields:
            assert none_read[field].fields == full[field].fields
    elif isinstance(full, pd.DataFrame):
        assert len(none_read) == 0
        assert none_read.columns.tolist() == full.columns.tolist()
    elif isinstance(full, dict):
        assert (full["n_events"], none_read["n_events"]) == (5, 0)


def test_no_events_tree(tmp_path):
    path = tmp_path / "other.root"
    with uproot.recreate(path) as file:
        file["Event"] = {"x": np.ones(3)}
        file["Histogram"] = np.histogram([1, 2, 3])
    for read in (read_nanoaod, open_nanoaod, lambda p: export(p, p.with_suffix(".parquet"))):
        assert "has no tree 'Events' (it has: Event, Histogram)" in refused(read, path, DataError)
    with uproot.recreate(path) as file:
        file["Events"] = np.histogram([1, 2, 3])
    assert "Events: is neither a TTree nor an RNTuple" in refused(read_nanoaod, path, DataError)


def test_missing_branches_name_close_ones(tmp_path, real_data):
    root = real_data / "nanoaod" / "nano_dimuon.root"
    message = refused(lambda p: read_nanoaod(p, ["Muon_PT"]), root, MissingBranchError)
    assert "Events: has no collection or branch 'Muon_PT'" in message
    assert "Muon.pt" in message
    write_table(tmp_path / "t.parquet", TABLE.rename(columns={"a": "mjj"}), ORIGIN)
    assert "mjj" in refused(lambda p: read_table(p, ["mJJ"]), tmp_path / "t.parquet", MissingBranchError)
    write_events(tmp_path / "e.parquet", EVENTS, ORIGIN)
    assert "M.pt" in refused(lambda p: read_events(p, ["M.Pt"]), tmp_path / "e.parquet", MissingBranchError)
    (tmp_path / "z.csv").write_text(CSV.replace("eta1", "Eta1"))
    assert "Close names: Eta1" in refused(read_cms_csv, tmp_path / "z.csv", MissingBranchError)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0], ids=["NaN", "inf", "negative"])
def test_values_that_cannot_be_a_momentum(tmp_path, value):
    branches = muons(Muon_pt=ak.unflatten(np.array([20, value, 30, 40], np.float32), ak.num(muons()["Muon_pt"])))
    for write in (write_tree, write_ntuple):
        message = refused(read_nanoaod, write(tmp_path / "x.root", branches), DataError)
        assert "Events/Muon_pt: the value is not finite or negative in 1 event(s), first in event 2" in message
    rows = particles(5)
    rows[3, 0] = value
    assert "first in event 3" in refused(read_particles, write_fixed(tmp_path / "x.h5", rows, range(2101)), DataError)
    (tmp_path / "x.csv").write_text(CSV.replace("40.25", str(value)))
    assert "'pt1' is" in refused(read_cms_csv, tmp_path / "x.csv", DataError)
    (tmp_path / "d.csv").write_text(f"1;x;1;5;0;j,9,{value},0,0\n")
    assert "line 1: has" in refused(read_darkmachines, tmp_path / "d.csv", DataError)
    if not value < 0:
        table = features()
        table[2, 3] = value
        path = write_fixed(tmp_path / "f.h5", table, FEATURES)
        assert "first 'mj1' in row 2" in refused(read_lhco_features, path, DataError)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    """Root may read everything, so the refusal of the system is played."""
    path = write_fixed(tmp_path / "x.h5", particles(3), range(2101))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("h5py.File", refuse)
    assert "PermissionError" in refused(read_particles, path, DataError)

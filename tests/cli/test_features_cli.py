"""`cmslabs features IN OUT`: what is on stdout and stderr, exit status, the real file."""

from __future__ import annotations

import json
import subprocess
import sys

import awkward as ak
import h5py
import hdf5plugin  # noqa: F401  (registers the compression of the real file)
import numpy as np
import pytest

from cmslabs.data.lhco import read_lhco_features
from cmslabs.data.tables import read_provenance, read_table, write_events
from cmslabs.io import Provenance

pytest.importorskip("fastjet", reason="needs the extra jets")
pytest.importorskip("numba", reason="needs the extra jets")


@pytest.fixture
def tiny(real_data):
    return real_data / "lhco" / "events_anomalydetection_tiny.h5"


@pytest.fixture
def small(tmp_path):
    """Two events with two jets of one particle each, one with a single jet, one without."""
    pair = [{"pt": 900.0, "eta": 0.5, "phi": 0.0}, {"pt": 800.0, "eta": -0.5, "phi": 3.1}]
    path = tmp_path / "small.parquet"
    events = ak.Array({"particles": [pair, pair[:1], [], pair]})
    write_events(path, events, Provenance(source="toy", simulation=False, script="test"))
    return path


def test_known_answers_of_the_real_file_as_json(call, tiny, tmp_path):
    out = tmp_path / "features.parquet"
    status, stdout, stderr = call("features", tiny, out, "--json")
    assert status == 0
    found = json.loads(stdout)
    assert (found["n_events"], found["n_two_jets"], found["n_degenerate"]) == (1000, 1000, 0)
    assert found["medians"]["signal"] == pytest.approx(
        {"n": 93, "mjj": 3466, "m_heavier": 497, "m_lighter": 109}, abs=0.51
    )
    assert found["medians"]["background"]["n"] == 907
    assert "0 jets have a single constituent" in stderr
    table = read_table(out)
    assert table["event"].tolist() == list(range(1000))
    assert table["label"].sum() == 93
    assert read_provenance(out).simulation is True


def test_formats_agree_and_other_readers_understand_them(call, tiny, tmp_path):
    for ending in (".parquet", ".csv", ".h5"):
        assert call("features", tiny, tmp_path / f"f{ending}")[0] == 0
    tables = [read_table(tmp_path / "f.parquet"), read_table(tmp_path / "f.csv"), read_lhco_features(tmp_path / "f.h5")]
    for table in tables[1:]:
        assert list(table.columns) == list(tables[0].columns)
        assert np.array_equal(table.to_numpy(dtype=float), tables[0].to_numpy(dtype=float))


def test_text_for_people(call, tiny, tmp_path):
    _, stdout, _ = call("features", tiny, tmp_path / "f.csv")
    assert stdout.splitlines()[0].endswith("f.csv: 1000 events, 1000 with two jets")
    assert "median mjj 3466 GeV, heavier jet 497 GeV, lighter jet 109 GeV" in stdout


def test_degenerate_events_are_counted_on_stderr(call, small, tmp_path):
    status, stdout, stderr = call("features", small, tmp_path / "f.parquet", "--json")
    assert status == 0
    found = json.loads(stdout)
    assert (found["n_events"], found["n_two_jets"], found["n_degenerate"]) == (4, 2, 5)
    assert set(found["medians"]) == {"all"}
    assert "2 events have fewer than two jets" in stderr
    assert "5 jets have a single constituent" in stderr
    assert read_provenance(tmp_path / "f.parquet").simulation is False


def test_what_is_simulated_can_be_said(call, small, tmp_path):
    assert call("features", small, tmp_path / "f.parquet", "--simulation")[0] == 0
    assert read_provenance(tmp_path / "f.parquet").simulation is True


def test_an_old_table_is_replaced(call, small, tmp_path):
    out = tmp_path / "f.parquet"
    out.write_text("old")
    assert call("features", small, out)[0] == 0
    assert len(read_table(out)) == 4


def test_bad_input_ends_with_status_2_one_line_and_no_output(call, small, tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "shape.h5", "w") as file:
        file["df/block0_values"] = np.zeros((5, 30))
    (tmp_path / "cut.parquet").write_bytes(small.read_bytes()[:-20])
    write_events(
        tmp_path / "muons.parquet",
        ak.Array({"Muon": [[1.0]]}),
        Provenance(source="toy", simulation=True, script="test"),
    )
    out = tmp_path / "f.parquet"
    out.write_text("old")
    cases = {
        "absent.h5": "no such file",
        "text.h5": "text.h5",
        "shape.h5": "shape.h5",
        "cut.parquet": "not a whole Parquet file",
        "muons.parquet": "no field 'particles'",
    }
    for name, reason in cases.items():
        status, stdout, stderr = call("features", tmp_path / name, out)
        assert (status, stdout) == (2, "")
        assert stderr.startswith("error: ")
        assert reason in stderr
        assert name in stderr
        assert out.read_text() == "old"
    status, _, stderr = call("features", small, tmp_path / "f.root")
    assert status == 2
    assert ".parquet, .csv or .h5" in stderr


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tiny, tmp_path):
    """Peak memory of a process for 1000 and for 6000 events."""
    with h5py.File(tiny) as file:
        rows, axes = file["df/block0_values"][:], {name: file["df"][name][:] for name in ("axis0", "block0_items")}
        attributes = {name: dict(item.attrs) for name, item in file["df"].items()} | {"": dict(file["df"].attrs)}
    program = (
        "import resource, sys; from cmslabs.features.convert import write_dijet_table\n"
        "write_dijet_table(sys.argv[1], sys.argv[2], chunk_size=500)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for times in (1, 6):
        path = tmp_path / f"{times}.h5"
        with h5py.File(path, "w") as file:
            group = file.create_group("df")
            group.create_dataset("block0_values", data=np.tile(rows, (times, 1)), chunks=(100, rows.shape[1]))
            group["axis1"] = np.arange(times * len(rows))
            for name, values in axes.items():
                group[name] = values
            for name, values in attributes.items():
                (group[name] if name else group).attrs.update(values)
        command = [sys.executable, "-c", program, str(path), str(tmp_path / "out.parquet")]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    # 5000 more events are 84 MB of raw numbers, and far more as FastJet's history.
    assert peaks[1] - peaks[0] < 0.2 * peaks[0]

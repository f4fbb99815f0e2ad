"""From a file of particles to a table: formats, chunks, provenance, half-written files."""

from __future__ import annotations

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pytest

from cmslabs.data.tables import read_provenance, read_table, write_events
from cmslabs.errors import ConfigError, DataError
from cmslabs.features.convert import write_dijet_table
from cmslabs.features.dijets import DIJET_COLUMNS, dijet_table
from cmslabs.features.writers import table_writer
from cmslabs.io import Provenance, sha256

pytest.importorskip("fastjet", reason="needs the extra jets")
pytest.importorskip("numba", reason="needs the extra jets")

PROVENANCE = Provenance(source="test", simulation=False, script="tests")


@pytest.fixture
def events(particles) -> ak.Array:
    return ak.Array({"particles": particles(1, [60, 70, 1, 0, 50, 80, 90]), "label": [0, 1, 0, 0, 1, 0, 1]})


@pytest.fixture
def source(tmp_path, events):
    path = tmp_path / "particles.parquet"
    write_events(path, events, PROVENANCE)
    return path


def read_hdf5(path) -> pd.DataFrame:
    with h5py.File(path) as file:
        names = [name.decode() for name in file["df/axis0"][:]]
        return pd.DataFrame(file["df/block0_values"][:], columns=names, index=file["df/axis1"][:])


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".h5"])
@pytest.mark.parametrize("chunk_size", [3, 1000])
def test_every_format_holds_the_same_table(tmp_path, source, events, ending, chunk_size):
    out = tmp_path / f"features{ending}"
    write_dijet_table(source, out, chunk_size=chunk_size)
    found = read_hdf5(out) if ending == ".h5" else read_table(out)
    assert list(found.columns) == [*DIJET_COLUMNS, "label"]
    pd.testing.assert_frame_equal(found, dijet_table(events), check_dtype=False, rtol=1e-12)
    assert list(tmp_path.glob(".part-*")) == []


def test_chunks_of_any_size_give_the_same_parquet_values(tmp_path, source):
    tables = []
    for size in (1, 2, 7):
        write_dijet_table(source, tmp_path / "out.parquet", chunk_size=size)
        tables.append(read_table(tmp_path / "out.parquet"))
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0], check_exact=True)


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_provenance_and_units_travel_with_the_table(tmp_path, source, ending):
    out = tmp_path / f"features{ending}"
    write_dijet_table(source, out)
    found = read_provenance(out)
    assert found.simulation is False
    assert found.source == "particles.parquet"
    assert found.units["mjj"] == "GeV"
    assert set(found.units) == {*DIJET_COLUMNS, "label"}
    assert found.details["input_sha256"] == sha256(source)
    assert found.versions["fastjet"]


def test_hdf5_carries_its_provenance(tmp_path, source):
    write_dijet_table(source, tmp_path / "out.h5", simulation=True)
    with h5py.File(tmp_path / "out.h5") as file:
        assert Provenance.model_validate_json(file.attrs["cmslabs"]).simulation is True


def test_summary_counts_and_medians(tmp_path, source, events):
    summary = write_dijet_table(source, tmp_path / "out.parquet", chunk_size=2)
    table = dijet_table(events)
    assert summary["n_events"] == 7
    assert summary["n_two_jets"] == int((table["nconstj2"] > 0).sum()) == 5
    assert summary["n_degenerate"] == int((table[["nconstj1", "nconstj2"]] == 1).sum(axis=None))
    signal = table[(table["label"] == 1) & (table["nconstj2"] > 0)]
    expected = {
        "n": 3,
        "mjj": signal["mjj"].median(),
        "m_heavier": signal[["mj1", "mj2"]].max(axis=1).median(),
        "m_lighter": signal[["mj1", "mj2"]].min(axis=1).median(),
    }
    assert summary["medians"]["signal"] == pytest.approx(expected)
    assert set(summary["medians"]) == {"all", "background", "signal"}


def test_no_events_give_an_empty_table(tmp_path, events):
    write_events(tmp_path / "none.parquet", events[:0], PROVENANCE)
    for ending in (".parquet", ".csv", ".h5"):
        summary = write_dijet_table(tmp_path / "none.parquet", tmp_path / f"out{ending}")
        assert summary["n_events"] == 0
        assert summary["medians"]["all"] == {"n": 0, "mjj": None, "m_heavier": None, "m_lighter": None}
    assert list(read_table(tmp_path / "out.parquet").columns) == [*DIJET_COLUMNS, "label"]
    assert len(read_hdf5(tmp_path / "out.h5")) == 0


def test_a_bad_particle_is_named_and_the_old_table_stays(tmp_path, events):
    rows = events.to_list()
    rows[5]["particles"][7]["pt"] = -3.0
    write_events(tmp_path / "bad.parquet", ak.Array(rows), PROVENANCE)
    for ending in (".parquet", ".csv", ".h5"):
        out = tmp_path / f"out{ending}"
        out.write_bytes(b"the old table")
        with pytest.raises(DataError, match=r"bad.parquet, chunk of events 4-6, in it event 1, particle 7.*pt = -3"):
            write_dijet_table(tmp_path / "bad.parquet", out, chunk_size=4)
        assert out.read_bytes() == b"the old table"
    assert list(tmp_path.glob(".part-*")) == []


def test_wrong_use_is_refused(tmp_path, source):
    with pytest.raises(ConfigError, match="input and output at once"):
        write_dijet_table(source, source)
    with pytest.raises(ConfigError, match="chunk cannot have 0"):
        write_dijet_table(source, tmp_path / "out.csv", chunk_size=0)
    with pytest.raises(DataError, match=r"no table format ends in '\.xlsx'.*\.parquet, \.csv or \.h5"):
        write_dijet_table(source, tmp_path / "out.xlsx")
    with pytest.raises(DataError, match="no such file"):
        write_dijet_table(tmp_path / "none.h5", tmp_path / "out.csv")
    (tmp_path / "events.txt").write_text("1 2 3")
    with pytest.raises(DataError, match=r"no format of particles ends in '\.txt'"):
        write_dijet_table(tmp_path / "events.txt", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_changed_csv_is_noticed(tmp_path, source):
    out = tmp_path / "out.csv"
    write_dijet_table(source, out)
    out.write_text(out.read_text().replace(".1", ".2", 1))
    with pytest.raises(DataError, match="was changed"):
        read_table(out)


def test_the_writer_wants_the_same_columns_and_at_least_one_chunk(tmp_path):
    frame = pd.DataFrame({"event": [0], "mjj": [1.0]})
    with table_writer(tmp_path / "whole.csv", PROVENANCE) as write:
        write(frame)
        with pytest.raises(DataError, match="columns changed"):
            write(frame[["event"]])
    with pytest.raises(DataError, match="no rows were given"), table_writer(tmp_path / "a.h5", PROVENANCE):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"whole.csv", "whole.csv.json"}


def test_csv_numbers_come_back_bit_by_bit(tmp_path, source, events):
    write_dijet_table(source, tmp_path / "out.csv")
    found = read_table(tmp_path / "out.csv")
    assert np.array_equal(found["mjj"].to_numpy(), dijet_table(events)["mjj"].to_numpy())

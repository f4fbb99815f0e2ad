"""Tables and jagged events: what goes in comes out, and says where it comes from."""

import json

import awkward as ak
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vector
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.data.tables import (
    event_writer,
    iterate_events,
    read_events,
    read_provenance,
    read_table,
    write_events,
    write_table,
)
from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.io import Provenance

vector.register_awkward()

ORIGIN = Provenance(
    source="simulation", simulation=True, script="test", seed=7, units={"mjj": "GeV"}, details={"a": [1]}
)


def table():
    return pd.DataFrame(
        {
            "event": np.arange(5, dtype=np.uint64) + 2**63,
            "mjj": np.array([1.1, np.nan, -np.inf, 1e300, 0.1]),
            "light": np.array([1, 2, 3, 4, 5], dtype=np.float32) / 3,
            "label": np.array([0, 1, 0, 1, 1], dtype=np.int8),
            "good": [True, False, True, True, False],
            "name": ["a", "b", "", "d,e", 'quote "f"'],
        }
    )


def events():
    muon = ak.zip(
        {
            "pt": ak.Array([[40.0, 30.0], [], [20.0], [], [5.0]]),
            "eta": ak.Array([[0.1, -2.0], [], [1.0], [], [0.0]]),
            "phi": ak.Array([[3.1, -3.1], [], [1.0], [], [0.0]]),
            "mass": ak.Array([[0.1, 0.1], [], [0.1], [], [0.1]]),
            "hits": ak.Array([[[1], []], [], [[2, 3]], [], [[]]]),
        },
        with_name="Momentum4D",
        depth_limit=2,
    )
    return ak.Array(
        {
            "run": np.arange(5, dtype=np.uint32),
            "event": np.arange(5, dtype=np.uint64) + 2**63,
            "Muon": muon,
            "MET": ak.zip({"pt": np.arange(5.0), "phi": np.zeros(5)}, with_name="Momentum2D"),
            "Jet": ak.zip({"inner": ak.zip({"x": ak.Array([[1], [2, 3], [], [4], []])})}, depth_limit=1),
            "maybe": ak.Array([1, None, 3, None, 5]),
            "maybe_list": ak.Array([[1, None], None, [], [3], [4]]),
            "name": ak.Array(["a", "", "c", "d", "e"]),
            "half": np.linspace(0, 1, 5).astype(np.float16),
            "flag": np.array([True, False, True, False, True]),
            "cube": ak.Array(np.arange(15, dtype=np.int8).reshape(5, 3)),
            "nothing": ak.Array([[], [], [], [], []]),
        }
    )


def same(left, right):
    equal = ak.array_equal(left, right, check_parameters=True, equal_nan=True, same_content_types=False)
    return left.type == right.type and equal


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_table_round_trip(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    write_table(path, table(), ORIGIN)
    back = read_table(path)
    if ending == "parquet":
        assert list(back.dtypes) == list(table().dtypes)
    for name in ("event", "mjj", "label", "good"):
        np.testing.assert_array_equal(back[name].to_numpy(), table()[name].to_numpy())
    assert back["name"].fillna("").tolist() == table()["name"].tolist()
    assert back.attrs["provenance"] == ORIGIN.model_dump(mode="json")
    assert read_provenance(path) == ORIGIN


def test_table_bytes_depend_on_the_rows_only(tmp_path):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    write_table(first, table(), ORIGIN)
    # A frame that was read, filtered and has another index and attributes is the same table.
    frame = read_table(first).set_index(np.arange(5)[::-1])
    write_table(second, frame, ORIGIN)
    assert first.read_bytes() == second.read_bytes()
    write_table(second, frame.assign(label=0), ORIGIN)
    assert first.read_bytes() != second.read_bytes()


def test_arrow_table_and_chosen_columns(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, pa.table({"a": [1, 2], "b": [3.0, 4.0]}), ORIGIN)
    assert read_table(path, columns=["b", "a"]).columns.tolist() == ["b", "a"]
    with pytest.raises(MissingBranchError, match=r"t\.parquet: has no column 'B'.*Close names: b"):
        read_table(path, columns=["B"])


def test_csv_columns_and_record(tmp_path):
    path = tmp_path / "t.csv"
    write_table(path, table(), ORIGIN)
    assert read_table(path, columns=["label", "mjj"]).columns.tolist() == ["label", "mjj"]
    with pytest.raises(MissingBranchError, match="Close names: mjj"):
        read_table(path, columns=["mJJ"])
    path.write_text(path.read_text().replace("e+300", "e+200"))
    with pytest.raises(DataError, match="was changed after it was written"):
        read_provenance(path)
    (tmp_path / "t.csv.json").write_text("{}")
    with pytest.raises(DataError, match="not a provenance record"):
        read_provenance(path)


def test_foreign_files_have_no_provenance(tmp_path):
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    assert read_table(path).attrs["provenance"] is None
    with pytest.raises(DataError, match=r"does not say where it comes from.*write_table"):
        read_provenance(path)
    csv = tmp_path / "foreign.csv"
    csv.write_text("a,b\n1,2\n")
    assert read_table(csv).attrs["provenance"] is None
    with pytest.raises(DataError, match="does not say where it comes from"):
        read_provenance(csv)


def test_spoiled_provenance_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"cmslabs": json.dumps({"source": 1})}), path)
    with pytest.raises(DataError, match="cannot be understood"):
        read_provenance(path)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "different words"),
        (pd.DataFrame([[1, 2]]), "different words"),
        (pd.DataFrame({"a": [1, "x"]}), "one type"),
    ],
)
def test_tables_that_cannot_be_stored(tmp_path, frame, reason):
    with pytest.raises(DataError, match=reason):
        write_table(tmp_path / "t.parquet", frame, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_table_endings(tmp_path):
    with pytest.raises(DataError, match=r"end in \.parquet or \.csv"):
        write_table(tmp_path / "t.xlsx", table(), ORIGIN)
    with pytest.raises(DataError, match=r"ends in \.parquet"):
        write_events(tmp_path / "t.csv", events(), ORIGIN)


def test_events_round_trip(tmp_path):
    path = tmp_path / "e.parquet"
    write_events(path, events(), ORIGIN)
    back = read_events(path)
    assert same(back, events())
    assert read_provenance(path) == ORIGIN
    # The names of the records came along: they are vectors.
    assert back.Muon[0, 0].deltaR(back.Muon[0, 1]) == pytest.approx(2.1017, abs=1e-3)
    assert same(ak.concatenate(list(iterate_events(path, 2))), events())


def test_events_without_events(tmp_path):
    path = tmp_path / "e.parquet"
    write_events(path, events()[:0], ORIGIN)
    assert same(read_events(path), events()[:0])
    chunks = list(iterate_events(path, 10))
    assert len(chunks) == 1
    assert same(chunks[0], events()[:0])


def test_event_columns(tmp_path):
    path = tmp_path / "e.parquet"
    write_events(path, events(), ORIGIN)
    back = read_events(path, ["run", "Muon.p?", "Jet.inner"])
    assert back.fields == ["run", "Muon", "Jet"]
    assert back.Muon.fields == ["pt"]  # No longer a vector, so no longer called one.
    assert ak.array_equal(back.Muon.pt, events().Muon.pt)
    assert same(read_events(path, ["Muon"]).Muon, events().Muon)
    with pytest.raises(MissingBranchError, match=r"e\.parquet: has no column 'Muon\.PT'.*Muon\.pt"):
        read_events(path, ["Muon.PT"])


def test_events_of_other_programs(tmp_path):
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"a": [[1, 2], []], "b": [1.0, 2.0]}), path)
    assert read_events(path).a.tolist() == [[1, 2], []]
    with pytest.raises(DataError, match=r"column 'a' is jagged.*read_events"):
        read_table(path)


def test_chunks_cross_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("cmslabs.data.parquet.ROW_GROUP_ROWS", 7)
    numbers = ak.Array({"n": np.arange(100), "list": ak.unflatten(np.arange(200), np.full(100, 2))})
    path = tmp_path / "e.parquet"
    write_events(path, numbers, ORIGIN)
    assert pq.ParquetFile(path).metadata.num_row_groups == 15
    for size in (1, 3, 7, 30, 1000):
        chunks = list(iterate_events(path, size))
        assert {len(chunk) for chunk in chunks[:-1]} <= {size}
        assert same(ak.concatenate(chunks), numbers)
    assert same(read_events(path), numbers)
    with pytest.raises(ConfigError, match="chunk"):
        next(iterate_events(path, 0))


def test_writing_in_chunks(tmp_path):
    one, many = tmp_path / "one.parquet", tmp_path / "many.parquet"
    write_events(one, events(), ORIGIN)
    with event_writer(many, ORIGIN) as write:
        write(events()[:2])
        write(events()[2:])
    assert same(read_events(many), events())
    with event_writer(many, ORIGIN) as write:
        write(events()[:2])
        with pytest.raises(DataError, match="columns changed between two chunks: run was uint32"):
            write(ak.with_field(events()[2:], np.arange(3.0), "run"))


def test_half_a_file_never_appears(tmp_path):
    def interrupted():
        with event_writer(tmp_path / "bad.parquet", ORIGIN) as write:
            write(events()[:2])
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", [ak.Array([1, 2]), [1, 2], ak.Array([{"x": 1}, {"x": [1]}])])
def test_events_that_cannot_be_stored(tmp_path, what):
    with pytest.raises(DataError):
        write_events(tmp_path / "e.parquet", what, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, pd.DataFrame({"a": np.random.default_rng(1).normal(size=5000)}), ORIGIN)
    whole = path.read_bytes()
    rng = np.random.default_rng(2)
    for _ in range(40):
        spoiled = bytearray(whole)
        place = int(rng.integers(100, 30000))  # Inside the one column's data: checksums must notice.
        spoiled[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(spoiled)
        with pytest.raises(DataError, match="not a whole Parquet file"):
            read_table(path)
    for cut in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"t\.parquet: is not a whole Parquet file"):
            read_table(path)


def test_a_csv_with_a_ragged_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3\n")
    with pytest.raises(DataError, match=r"t\.csv, line 3: has 1 values where the header has 2 names"):
        read_table(path)
    path.write_text("a,b\n1,2,4\n3,4\n")
    with pytest.raises(DataError, match=r"t\.csv, line 2: has 3 values"):
        read_table(path)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "a": st.lists(st.floats(allow_nan=False), max_size=4),
                "b": st.lists(st.lists(st.one_of(st.none(), st.integers(-(2**60), 2**60)), max_size=3), max_size=3),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_jagged_events_survive(tmp_path_factory, rows):
    rows = [{"a": [0.5], "b": [[1, None]]}, *rows]  # So that every field has a type.
    array = ak.Array(rows)
    path = tmp_path_factory.mktemp("h") / "e.parquet"
    write_events(path, array, ORIGIN)
    assert read_events(path).tolist() == rows
    assert read_events(path).type == array.type

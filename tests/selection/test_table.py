"""The table of selected events: parts on disk, and what is read from them."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cmslabs.data.tables import read_provenance
from cmslabs.errors import DataError, MissingBranchError
from cmslabs.io import Provenance
from cmslabs.selection.table import Part, read_selected, remove_parts, selected_parts, write_part


def origin(dataset="zz", kind="simulation"):
    units = {"event": "1", "weight": "1", "mass": "GeV"}
    return Provenance(source=dataset, simulation=kind != "data", script="test", units=units, details={"kind": kind})


def columns(first, n):
    return {
        "event": np.arange(first, first + n, dtype=np.uint64),
        "weight": np.full(n, 0.5),
        "mass": np.linspace(80, 100, n).astype("f4"),
    }


def write(folder, first, n, dataset="zz", systematic="nominal", filename="a.root", start=None, kind="simulation"):
    start = first if start is None else start
    part = Part(dataset, systematic, filename, start, start + 10)
    return write_part(folder, part, columns(first, n), origin(dataset, kind)), part


def test_parts_are_read_in_the_order_of_files_and_events(tmp_path):
    for start in (1000, 20, 0):
        write(tmp_path, start, 5)
    frame = read_selected(tmp_path)
    assert frame["event"].tolist() == [*range(5), *range(20, 25), *range(1000, 1005)]
    assert frame["dataset"].tolist() == ["zz"] * 15
    assert frame.attrs["units"]["mass"] == "GeV"
    assert frame.attrs["simulation"] == {"zz": True}
    assert frame.dtypes["event"] == np.uint64
    assert frame.dtypes["mass"] == np.float32


def test_a_part_says_where_it_comes_from(tmp_path):
    size, part = write(tmp_path, 0, 5)
    path = tmp_path / part.path
    assert path.relative_to(tmp_path).parts[:3] == ("table", "dataset=zz", "systematic=nominal")
    assert path.stat().st_size == size
    assert read_provenance(path) == origin()
    # Other programs see an ordinary table.
    assert pq.read_table(path, partitioning=None).column_names == ["event", "weight", "mass"]


def test_writing_again_gives_the_same_bytes(tmp_path):
    digests = set()
    for _ in range(2):
        _, part = write(tmp_path, 0, 5)
        digests.add(hashlib.sha256((tmp_path / part.path).read_bytes()).hexdigest())
    assert len(digests) == 1
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    assert not list(tmp_path.rglob(".part-*")), "no temporary file stays"


def test_an_empty_selection_keeps_its_columns(tmp_path):
    write(tmp_path, 0, 0)
    frame = read_selected(tmp_path)
    assert len(frame) == 0
    assert frame.columns.tolist() == ["dataset", "event", "weight", "mass"]
    assert frame.dtypes["mass"] == np.float32
    assert frame.attrs["units"]["mass"] == "GeV"


def test_empty_parts_beside_full_ones_change_nothing(tmp_path):
    write(tmp_path, 0, 0)
    write(tmp_path, 50, 3)
    write(tmp_path, 0, 0, dataset="other")
    frame = read_selected(tmp_path)
    assert frame["event"].tolist() == [50, 51, 52]
    assert frame.dtypes["event"] == np.uint64
    assert list(frame.attrs["simulation"]) == ["other", "zz"]


def test_data_sets_and_columns_can_be_chosen(tmp_path):
    write(tmp_path, 0, 2)
    write(tmp_path, 100, 3, dataset="data", kind="data")
    assert read_selected(tmp_path, "data")["event"].tolist() == [100, 101, 102]
    both = read_selected(tmp_path, ["zz", "data"], columns=["mass", "event"])
    assert both.columns.tolist() == ["dataset", "mass", "event"]
    assert both["dataset"].tolist() == ["zz", "zz", "data", "data", "data"]
    assert both.attrs["simulation"] == {"zz": True, "data": False}


def test_object_variations_have_their_own_rows(tmp_path):
    write(tmp_path, 0, 2)
    write(tmp_path, 0, 4, systematic="muonScaleUp")
    write(tmp_path, 100, 3, dataset="data", kind="data")
    up = read_selected(tmp_path, systematic="muonScaleUp")
    # Data is what it is: it does not vary.
    assert up.groupby("dataset", observed=True).size().to_dict() == {"zz": 4, "data": 3}


def test_names_with_slashes_and_signs_stay_inside(tmp_path):
    for name in ("../../escape", "/DoubleMuon/Run2016H=x", "zz 4 l"):
        write(tmp_path / "run", 0, 1, dataset=name)
        assert read_selected(tmp_path / "run", name)["dataset"].tolist() == [name]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert set(selected_parts(tmp_path / "run")) == {"../../escape", "/DoubleMuon/Run2016H=x", "zz 4 l"}


def test_files_of_the_same_name_in_two_folders_do_not_meet(tmp_path):
    write(tmp_path, 0, 2, filename="/one/a.root", start=0)
    write(tmp_path, 70, 2, filename="/two/a.root", start=0)
    assert sorted(read_selected(tmp_path)["event"]) == [0, 1, 70, 71]


def test_parts_of_one_file_can_be_removed(tmp_path):
    for filename in ("a.root", "b.root"):
        for systematic in ("nominal", "muonScaleUp"):
            write(tmp_path, 0 if filename == "a.root" else 100, 2, filename=filename, systematic=systematic)
    write(tmp_path, 500, 2, dataset="other")
    assert remove_parts(tmp_path, "zz", "a.root") == 2
    assert read_selected(tmp_path, "zz")["event"].tolist() == [100, 101]
    assert remove_parts(tmp_path, "zz") == 2
    assert set(selected_parts(tmp_path)) == {"other"}
    assert remove_parts(tmp_path, "ghost") == 0


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="has no table"):
        read_selected(tmp_path)
    write(tmp_path, 0, 2)
    with pytest.raises(DataError, match=r"no data set 'z'.*zz"):
        read_selected(tmp_path, "z")
    with pytest.raises(DataError, match="no systematic 'up'"):
        read_selected(tmp_path, systematic="up")
    with pytest.raises(MissingBranchError, match="'mas'"):
        read_selected(tmp_path, columns=["mas"])


def test_a_variation_that_one_simulated_data_set_lacks_is_not_replaced(tmp_path):
    """Only data stands in for its own variation; with simulation that would hide a lost part."""
    write(tmp_path, 0, 2)
    write(tmp_path, 0, 4, systematic="muonScaleUp")
    write(tmp_path, 0, 2, dataset="zz2")
    with pytest.raises(DataError, match=r"zz2.*muonScaleUp"):
        read_selected(tmp_path, systematic="muonScaleUp")


def test_parts_that_do_not_belong_together_are_refused(tmp_path):
    """Joined, the rows of one would have NaN in the other's columns."""
    first = write(tmp_path, 0, 3)[1].path
    other = write(tmp_path, 3, 3)[1].path
    assert len(read_selected(tmp_path)) == 6
    whole = pq.read_table(tmp_path / other)
    pq.write_table(whole.drop(["mass"]), tmp_path / other)
    with pytest.raises(DataError, match="has other columns than part-"):
        read_selected(tmp_path)
    pq.write_table(whole.replace_schema_metadata({}), tmp_path / other)
    with pytest.raises(DataError, match="does not say where it comes from"):
        read_selected(tmp_path)
    (tmp_path / first).unlink()
    with pytest.raises(DataError, match="does not say where it comes from"):
        read_selected(tmp_path)


def test_a_data_set_that_is_named_twice_counts_once(tmp_path):
    write(tmp_path, 0, 3)
    assert len(read_selected(tmp_path, ["zz", "zz"])) == 3
    with pytest.raises(DataError, match="no data set was asked for"):
        read_selected(tmp_path, [])


def test_a_damaged_part_is_named(tmp_path):
    _, part = write(tmp_path, 0, 5)
    path = tmp_path / part.path
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=path.name):
        read_selected(tmp_path)


def test_pandas_reads_the_partitions_itself(tmp_path):
    write(tmp_path, 0, 2)
    write(tmp_path, 0, 4, dataset="data")
    frame = pd.read_parquet(tmp_path / "table")
    assert frame.groupby("dataset", observed=True).size().to_dict() == {"zz": 2, "data": 4}

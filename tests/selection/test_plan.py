"""The plan of a large run: sums that are right, and sums that are refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmslabs.data.fileset import Fileset, load_fileset
from cmslabs.data.fileset_parts import Dataset, File
from cmslabs.errors import ConfigError, DataError
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.plan import plan
from cmslabs.selection.rates import Rates, read_rates

RATES = Rates(
    by_codec={"LZMA": 20_000, "ZSTD": 200_000},
    skimmed=500_000,
    skim={"LZMA": 10_000, "ZSTD": 100_000},
    skim_bytes_per_event=250,
    source="this test",
)


def simulation(n_events=None, files=(), **other):
    return Dataset(kind="simulation", n_events=n_events, files=files, source_seen="this test", **other)


def fileset(**datasets):
    return Fileset(name="toy", version=1, datasets=datasets)


def test_hours_and_disk_of_one_data_set():
    found = plan(fileset(a=simulation(72_000_000, size_gb=90.0)), RATES)
    (row,) = found.rows
    assert row.core_hours == {"LZMA": 1.0, "ZSTD": 0.1}
    assert row.skim == {"LZMA": 2.0, "ZSTD": 0.2}
    assert row.skimmed == 0.04
    assert (row.skim_gb, row.size_gb) == (18.0, 90.0)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6))
def test_total_is_the_sum_of_a_loop(counts):
    found = plan(fileset(**{f"d{i}": simulation(n) for i, n in enumerate(counts)}), RATES)
    seconds = 0.0
    for n in counts:
        seconds += n / 20_000
    assert math.isclose(found.total("core_hours", "LZMA"), seconds / 3600, abs_tol=1e-12)
    assert found.total("n_events") == sum(counts)


def test_unknown_numbers_are_listed_and_refuse_a_total():
    found = plan(fileset(a=simulation(3600 * 20_000), b=simulation(), c=simulation()), RATES)
    assert found.unknown == ("b", "c")
    assert found.rows[1].core_hours == {"LZMA": None, "ZSTD": None}
    assert (found.rows[1].skimmed, found.rows[1].skim_gb) == (None, None)
    with pytest.raises(DataError, match=r"core_hours of b, c is not known.*known_only"):
        found.total("core_hours", "LZMA")
    assert found.total("core_hours", "LZMA", known_only=True) == 1.0
    frame = found.to_frame()
    assert list(frame.index) == ["a", "b", "c"]
    assert frame["core_hours_LZMA"].isna().tolist() == [False, True, True]
    assert frame["n_events"].isna().tolist() == [False, True, True]


def test_files_that_all_say_their_numbers_come_first():
    files = (File(path="a", n_events=5, size_bytes=10**9), File(path="b", n_events=7, size_bytes=10**9))
    some = (File(path="a", n_events=5), File(path="b"))
    found = plan(fileset(a=simulation(100, files), b=simulation(100, some)), RATES)
    assert [row.n_events for row in found.rows] == [12, 100]
    assert [row.size_gb for row in found.rows] == [2.0, None]


def test_one_of_two_samples_of_a_process_is_counted():
    both = fileset(a=simulation(10), b=simulation(20, excludes=("a",)), c=simulation(40))
    found = plan(both, RATES)
    assert [row.name for row in found.rows] == ["a", "c"]
    assert found.left_out == {"b": "a"}
    assert plan(both, RATES, names=["b"]).total("n_events") == 20
    with pytest.raises(ConfigError, match="'a' and 'b' describe the same process"):
        plan(both, RATES, names=["b", "a"])


def test_open_data_of_2016():
    cms = load_fileset("cms-2016")
    found = plan(cms, RATES, load_analysis("four-muon"))
    names = [row.name for row in found.rows]
    assert [name for name in names if name.startswith(("double", "single", "muoneg", "jetht"))] == [
        "doublemuon-2016g",
        "doublemuon-2016h",
    ]
    assert found.left_out == {"ttjets": "ttto2l2nu"}
    assert found.unknown == ("wzto3lnu", *(f"ggzz-{s}" for s in ("2e2mu", "2e2tau", "2mu2tau", "4e", "4mu", "4tau")))
    known = found.total("core_hours", "LZMA", known_only=True)
    by_hand = 45_235_604 + 48_912_812 + 49_267_069 + 71_839_442 + 43_546_000 + 52_104_000
    assert math.isclose(known, by_hand / 20_000 / 3600)
    with pytest.raises(DataError, match="wzto3lnu"):
        found.total("n_events")
    everything = plan(cms, RATES)
    assert {"jetht-2016h", "muoneg-2016g", "singlemuon-2016h"} <= {row.name for row in everything.rows}
    assert not any(row.name == "doublemuon-2016b" for row in everything.rows)


@pytest.mark.parametrize(
    ("names", "what"), [(["zzto4"], "Try: zzto4l"), (["doublemuon-2016b"], "not public"), (["jetht-2016h"], "is left")]
)
def test_wrong_choice(names, what):
    with pytest.raises(ConfigError, match=what):
        plan(load_fileset("cms-2016"), RATES, load_analysis("four-muon"), names)


def test_wrong_column():
    found = plan(fileset(a=simulation(1)), RATES)
    with pytest.raises(ConfigError, match="no column 'hours'"):
        found.total("hours")
    with pytest.raises(ConfigError, match="no codec 'None'"):
        found.total("core_hours")
    with pytest.raises(ConfigError, match="There is: LZMA, ZSTD"):
        found.total("skim", "LZ4")


def test_rates_are_read_from_a_benchmark(tmp_path):
    path = tmp_path / "selection.json"
    path.write_text(json.dumps({"numbers": {"rates": RATES.model_dump()}}))
    assert read_rates(path) == RATES
    path.write_text(json.dumps({"numbers": {}}))
    with pytest.raises(ConfigError, match=r"no 'numbers\.rates'"):
        read_rates(path)
    path.write_text(json.dumps({"numbers": {"rates": RATES.model_dump() | {"skimmed": 0}}}))
    with pytest.raises(ConfigError, match="skimmed: Input should be greater than 0"):
        read_rates(path)
    with pytest.raises(DataError, match="no such file"):
        read_rates(tmp_path / "missing.json")

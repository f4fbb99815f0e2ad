"""LHC Olympics files: the real one, and generated ones of its very layout."""

import sys

import awkward as ak
import h5py
import numpy as np
import pytest
from file_makers import FEATURES, features, particles, write_fixed
from peak_memory import peak_megabytes

from cmslabs.data.lhco import (
    FEATURE_UNITS,
    count_events,
    iterate_particles,
    read_lhco_features,
    read_particles,
    read_signal_region,
)
from cmslabs.errors import ConfigError, DataError, MissingBranchError


def slow_particles(row):
    """The obvious reading of one event."""
    found = [(row[3 * i], row[3 * i + 1], row[3 * i + 2]) for i in range(700) if row[3 * i] != 0]
    return sorted(found, key=lambda particle: -particle[0])


def test_the_real_file(real_data):
    path = real_data / "lhco" / "events_anomalydetection_tiny.h5"
    events = read_particles(path)
    assert len(events) == count_events(path) == 1000
    assert ak.sum(events.label) == 93
    assert events.event.tolist() == list(range(1000))
    with h5py.File(path) as file:
        rows = file["df/block0_values"][:20]
    for event, row in zip(events[:20], rows, strict=True):
        assert [(p["pt"], p["eta"], p["phi"]) for p in event.particles.tolist()] == slow_particles(row)


@pytest.mark.parametrize("labelled", [True, False])
def test_generated_files_match_the_slow_reading(tmp_path, labelled):
    rows = particles(37, labelled=labelled)
    path = write_fixed(tmp_path / "box.h5", rows, range(rows.shape[1]))
    events = ak.concatenate(list(iterate_particles(path, chunk_size=10)))
    assert ("label" in events.fields) == labelled
    for event, row in zip(events, rows, strict=True):
        assert [(p["pt"], p["eta"], p["phi"]) for p in event.particles.tolist()] == slow_particles(row)
    if labelled:
        assert events.label.tolist() == rows[:, 2100].tolist()


def test_ranges(tmp_path):
    rows = particles(20)
    path = write_fixed(tmp_path / "box.h5", rows, range(2101))
    whole = read_particles(path)
    part = read_particles(path, start=7, stop=12)
    assert part.event.tolist() == [7, 8, 9, 10, 11]
    assert ak.array_equal(part.particles, whole.particles[7:12])
    assert [len(chunk) for chunk in iterate_particles(path, 8)] == [8, 8, 4]
    assert read_particles(path, 5, 5).type.content == whole.type.content
    assert len(read_particles(path, 15, 5000)) == 5
    assert len(read_particles(path, 50)) == 0
    with pytest.raises(ConfigError):
        read_particles(path, -1)
    with pytest.raises(ConfigError):
        list(iterate_particles(path, 0))


def test_no_events(tmp_path):
    path = write_fixed(tmp_path / "box.h5", particles(0), range(2101))
    events = read_particles(path)
    assert len(events) == 0
    assert events.fields == ["event", "particles", "label"]
    assert events.particles.fields == ["pt", "eta", "phi"]


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ((3, 0), np.nan, "not finite in 1 event.*event 3"),
        ((4, 1), np.inf, "not finite"),
        ((5, 3), -1.0, "negative pT in 1 event.*event 5"),
        ((6, 2100), 2.0, "label that is neither 0 nor 1"),
        ((6, 2100), np.nan, "label that is neither 0 nor 1"),
    ],
)
def test_bad_values_are_refused_and_can_be_looked_at(tmp_path, place, value, reason):
    rows = particles(8)
    rows[place] = value
    path = write_fixed(tmp_path / "box.h5", rows, range(2101))
    with pytest.raises(DataError, match=reason) as caught:
        read_particles(path)
    assert "box.h5" in str(caught.value)
    assert len(read_particles(path, check=False)) == 8


def test_wrong_shapes(tmp_path):
    with pytest.raises(DataError, match="has 30 columns, but a particle file has 2100"):
        read_particles(write_fixed(tmp_path / "a.h5", np.zeros((3, 30)), range(30)))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["df"] = np.zeros((3, 2101))
    with pytest.raises(DataError, match="does not hold one table in pandas' fixed format"):
        read_particles(tmp_path / "b.h5")
    path = write_fixed(tmp_path / "c.h5", particles(3), range(2101))
    with h5py.File(path, "r+") as file:
        del file["df/block0_values"]
        file["df/block0_values"] = np.zeros((3, 2000))
    with pytest.raises(DataError, match=r"has shape \(3, 2000\) of float64, not \(3, 2101\)"):
        read_particles(path)
    with h5py.File(path, "r+") as file:
        del file["df/block0_values"], file["df/block0_items"]
    with pytest.raises(DataError, match="no values or stand twice"):
        read_particles(path)


def test_features(tmp_path):
    rows = features()
    table = read_lhco_features(write_fixed(tmp_path / "f.h5", rows, FEATURES))
    assert table.columns.tolist() == FEATURES
    np.testing.assert_array_equal(table.to_numpy(), rows)
    assert list(FEATURE_UNITS)[:7] == ["pxj1", "pyj1", "pzj1", "mj1", "tau1j1", "tau2j1", "tau3j1"]


def test_features_in_two_blocks(tmp_path):
    """pandas keeps one matrix per type: integer labels lie in a block of their own."""
    rows = features()
    path = write_fixed(tmp_path / "f.h5", rows[:, :14], FEATURES[:14])
    with h5py.File(path, "r+") as file:
        del file["df/axis0"]
        file["df/axis0"] = np.array(["label", *FEATURES[:14]], dtype="S")
        file["df/block1_items"] = np.array(["label"], dtype="S")
        file["df/block1_values"] = rows[:, 14:].astype(np.int64)
    table = read_lhco_features(path)
    np.testing.assert_array_equal(table[FEATURES].to_numpy(), rows)


def test_features_that_are_none(tmp_path):
    with pytest.raises(MissingBranchError, match=r"no column 'mj1'.*Close names: mJ1"):
        read_lhco_features(write_fixed(tmp_path / "a.h5", features(), ["mJ1" if c == "mj1" else c for c in FEATURES]))
    with pytest.raises(MissingBranchError, match="read_particles"):
        read_lhco_features(write_fixed(tmp_path / "b.h5", particles(3), range(2101)))
    rows = features()
    rows[7, 4] = np.nan
    path = write_fixed(tmp_path / "c.h5", rows, FEATURES)
    with pytest.raises(DataError, match=r"1 row\(s\) hold values that are not finite, first 'tau1j1' in row 7"):
        read_lhco_features(path)
    assert read_lhco_features(path, check=False)["tau1j1"].isna().sum() == 1


@pytest.mark.parametrize(
    ("name", "events", "signal"), [("train", 60_000, 395), ("test", 62_124, 377), ("extrasig", 27_263, 27_263)]
)
def test_signal_region(real_data, name, events, signal):
    table = read_signal_region(real_data / "lhco" / f"innerdata_{name}.npy")
    assert (len(table), table.label.sum()) == (events, signal)
    assert table.mjj.between(3300, 3700).all()
    assert table.columns.tolist() == ["mjj", "mj_min", "dmj", "tau21_min", "tau21_max", "label"]
    if name == "extrasig":
        assert table.mj_min.median() == pytest.approx(105, abs=10)
        assert (table.mj_min + table.dmj).median() == pytest.approx(495, abs=15)


def test_signal_region_refuses_other_arrays(tmp_path):
    for content in (np.zeros((3, 5)), np.zeros(6), np.zeros((3, 6), dtype=int), np.array([["a"] * 6])):
        np.save(tmp_path / "x.npy", content)
        with pytest.raises(DataError, match="not rows of six floating-point numbers"):
            read_signal_region(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be decoded"):  # Never unpickled.
        read_signal_region(tmp_path / "x.npy")
    bad = np.full((3, 6), 1.0)
    bad[1, 2] = np.inf
    np.save(tmp_path / "x.npy", bad)
    with pytest.raises(DataError, match="first 'dmj' in row 1"):
        read_signal_region(tmp_path / "x.npy")
    bad[1] = 0.5
    np.save(tmp_path / "x.npy", bad)
    with pytest.raises(DataError, match="labels other than 0 and 1"):
        read_signal_region(tmp_path / "x.npy")


COUNT = """
import sys
import awkward as ak
from cmslabs.data.lhco import iterate_particles
total = 0
for chunk in iterate_particles(sys.argv[1], int(sys.argv[2])):
    total += int(ak.sum(ak.num(chunk.particles)))
print(total)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no ru_maxrss")
def test_memory_does_not_grow_with_the_file(tmp_path):
    block = particles(1000, most=150)
    counts, peaks = {}, {}
    for n in (10_000, 50_000):
        path = write_fixed(tmp_path / f"{n}.h5", [block] * (n // 1000), range(2101))
        peaks[n], words = peak_megabytes(COUNT, path, 1000)
        counts[n] = int(words[0])
        if n == 10_000:
            whole, _ = peak_megabytes(COUNT, path, n)
    print({n: round(peak) for n, peak in peaks.items()}, "MB; 10 000 rows at once:", round(whole), "MB")
    assert counts[50_000] == 5 * counts[10_000]
    # 50 000 rows are 840 MB of numbers: kept together they would show, as 10 000 at once do.
    assert abs(peaks[50_000] - peaks[10_000]) < 25
    assert whole > peaks[10_000] + 100

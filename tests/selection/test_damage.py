"""Damaged files, missing branches and our own mistakes: each is told apart, and none is silent."""

from __future__ import annotations

import numpy as np
import pytest
import uproot
from big_files import repeat_events
from running import data, run, sample, simulation

from cmslabs.errors import CmslabsError, DataError, MissingBranchError
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.channels import CHANNELS
from cmslabs.selection.materialise import reading_lazily
from cmslabs.selection.table import read_selected

PLAIN = ["weights=[genWeight]", "systematics.muon_scale=null"]


def cause_of(error):
    """The first of our errors in what coffea has wrapped; None if there is none."""
    while error is not None and not isinstance(error, CmslabsError):
        error = error.__cause__
    return error


def copy_of(path, source="dimuon", n=6000, **options):
    return repeat_events(sample(source), path, n, basket=1000, **options)


def spoil(path, branch, basket, place=0.5, length=64):
    """Overwrite some of one basket's bytes."""
    with uproot.open(path) as file:
        tree = file["Events"][branch]
        seek, size = tree.member("fBasketSeek")[basket], tree.member("fBasketBytes")[basket]
    with open(path, "r+b") as file:
        file.seek(seek + int(place * size))
        file.write(np.random.default_rng(1).bytes(length))


# LZ4, LZMA and zlib carry a checksum in ROOT, ZSTD does not: there only broken headers are sure to be noticed.
CODECS = [(uproot.LZ4(1), 0.5), (uproot.LZMA(1), 0.5), (uproot.ZLIB(1), 0.5), (uproot.ZSTD(1), 0.0)]


@pytest.mark.parametrize(("compression", "place"), CODECS, ids=lambda value: str(value).partition("(")[0])
def test_a_damaged_basket_names_file_branch_and_events(tmp_path, compression, place):
    path = copy_of(tmp_path / "broken.root", compression=compression)
    spoil(path, "Muon_eta", 3, place, 150)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - coffea raises a bare Exception around ours
        run(load_analysis("dimuon", PLAIN), {simulation(): [path]}, tmp_path / "out", chunk_size=2000)
    found = cause_of(caught.value)
    assert isinstance(found, DataError)
    assert str(path) in found.where
    assert "Muon_eta" in found.where
    assert "events 2000-4000" in found.where
    assert "damaged" in found.remedy


def test_a_damaged_branch_that_nobody_reads_is_no_problem(tmp_path):
    path = copy_of(tmp_path / "broken.root")
    spoil(path, "GenPart_pt", 3)
    found = run(load_analysis("dimuon", PLAIN), {simulation(): [path]}, tmp_path / "out")
    assert found["mc"]["n_selected"] > 0


@pytest.mark.parametrize("branch", ["Muon_pt", "nMuon", "HLT_TripleMu_12_10_5", "genWeight", "PV_npvs", "event"])
def test_wherever_the_branch_is_first_looked_at(tmp_path, branch):
    """Masks, candidates, weights, columns and identifiers are read at different places."""
    path = copy_of(tmp_path / "broken.root", n=2000)
    spoil(path, branch, 1, 0.9, 8)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        run(load_analysis("dimuon", PLAIN), {simulation(): [path]}, tmp_path / "out")
    assert isinstance(cause_of(caught.value), DataError)
    assert branch in cause_of(caught.value).where


def planted(monkeypatch, fault):
    channel = CHANNELS["dimuon"]

    def apply(events, analysis, muon_scale=1.0):
        fault(events)
        return channel.apply(events, analysis, muon_scale)

    monkeypatch.setitem(CHANNELS, "dimuon", type(channel)(channel.name, channel.units, apply))


@pytest.mark.parametrize(
    "fault",
    [
        lambda events: 1 / 0,
        lambda events: events["Muon"]["charm"],
        lambda events: events["Muon"]["pt"] + np.arange(7),
        lambda events: events[10**9],
    ],
    ids=["division", "field", "broadcast", "index"],
)
def test_our_own_mistakes_are_not_disguised(monkeypatch, fault):
    planted(monkeypatch, fault)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        run(load_analysis("dimuon", PLAIN), {simulation(): [sample("dimuon")]})
    assert cause_of(caught.value) is None
    assert caught.value.__cause__ is not None, "the mistake itself must be seen"


def test_lack_of_memory_is_no_damage():
    with pytest.raises(MemoryError), reading_lazily("a.root", 0, 10):
        exec(compile("raise MemoryError", "x", "exec"), {"__name__": "uproot.fake"})


def test_what_a_reader_raises_is_damage_also_when_it_is_wrapped():
    def wrapped():
        try:
            exec(compile("1 / 0", "x", "exec"), {"__name__": "uproot.fake"})
        except ZeroDivisionError as error:
            raise ValueError("wrapped") from error

    with pytest.raises(DataError, match=r"a\.root, Events, events 5-9"), reading_lazily("a.root", 5, 9):
        wrapped()


def without(path, *gone):
    """A copy of a sample that lacks some branches."""
    return str(repeat_events(sample("dimuon"), path, 3000, leave_out=gone))


CASES = {
    "filters": ("Flag_eeBadScFilter",),
    "triggers": ("HLT_TripleMu_12_10_5",),
    "weights": ("L1PreFiringWeight_Nom", "L1PreFiringWeight_Up", "L1PreFiringWeight_Dn"),
    "columns": ("PV_npvs",),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_missing_branch_is_an_error_or_a_recorded_skip(tmp_path, kind):
    path = without(tmp_path / "less.root", *CASES[kind])
    options = ["weights=[genWeight, prefiring]", "systematics.muon_scale=null"]
    with pytest.raises(Exception) as caught:  # noqa: PT011
        run(load_analysis("dimuon", options), {simulation(): [path]}, tmp_path / "error")
    error = cause_of(caught.value)
    assert isinstance(error, MissingBranchError)
    assert path in error.where
    assert CASES[kind][0] in str(error)
    assert kind == "weights" or f"missing.{kind}" in error.remedy

    skip = load_analysis("dimuon", [*options, f"missing.{kind}=skip"])
    found = run(skip, {simulation(): [path]}, tmp_path / "skip", chunk_size=1000)["mc"]
    name = {"weights": "prefiring", "columns": "npvs"}.get(kind, CASES[kind][0])
    assert found["skipped"] == {kind: {name: 3000}}
    whole = run(load_analysis("dimuon", options), {simulation(): [without(tmp_path / "all.root")]}, tmp_path / "all")
    if kind == "triggers":
        assert found["n_selected"] <= whole["mc"]["n_selected"]
    else:
        assert found["n_selected"] == whole["mc"]["n_selected"]
    table = read_selected(tmp_path / "skip")
    # A whole number cannot be NaN: the column is there, and says -1.
    assert (table["npvs"] == -1).all() == (kind == "columns")
    # A weight that was left out varies nothing; the column is there, so that files with it can be added.
    assert (table["weight_prefiringUp"] == table["weight"]).all() == (kind == "weights")


def test_no_trigger_path_at_all_is_always_an_error(tmp_path):
    with uproot.open(sample("dimuon")) as file:
        paths = [name for name in file["Events"].keys() if name.startswith("HLT_")]  # noqa: SIM118
    path = without(tmp_path / "less.root", *paths)
    analysis = load_analysis("dimuon", [*PLAIN, "missing.triggers=skip"])
    with pytest.raises(Exception) as caught:  # noqa: PT011
        run(analysis, {simulation(): [path]})
    assert isinstance(cause_of(caught.value), MissingBranchError)


def test_an_empty_file_leaves_an_empty_table(tmp_path):
    path = copy_of(tmp_path / "empty.root", n=0)
    for info, options in ((simulation(), {}), (data(), {"golden": "none"})):
        folder = tmp_path / info.name
        found = run(load_analysis("dimuon", PLAIN), {info: [path]}, folder, **options)[info.name]
        assert found["n_read"] == found["n_selected"] == 0
        table = read_selected(folder)
        assert len(table) == 0
        assert {"event", "weight", "mass", "npvs"} <= set(table)
        assert found["cutflow"].flows[info.name].sequential[-1] == (0, 0.0, 0.0)


def test_a_selection_that_nothing_passes_leaves_an_empty_table(tmp_path):
    analysis = load_analysis("dimuon", ["weights=[genWeight]", "lepton_pt=[9000, 9000]"])
    found = run(analysis, {simulation(): [sample("dimuon")]}, tmp_path, chunk_size=5000)["mc"]
    assert found["n_selected"] == 0
    assert len(found["parts"]) == 3, "one part for each systematic, not one per chunk"
    full = run(load_analysis("dimuon", PLAIN), {simulation(): [sample("dimuon")]}, tmp_path / "full")["mc"]
    assert full["n_selected"] > 0
    # Empty and full tables have the same columns of the same types.
    none, some = read_selected(tmp_path), read_selected(tmp_path / "full")
    assert none.drop(columns="dataset").dtypes.equals(some.drop(columns="dataset").dtypes)
    assert len(read_selected(tmp_path, systematic="muonScaleUp")) == 0

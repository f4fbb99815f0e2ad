"""`cmslabs simulate`: files, stdout and stderr, exit status, the error of every wrong option."""

from __future__ import annotations

import json

import pytest

from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.data.tables import read_provenance, read_table

pytest.importorskip("pythia8mc", reason="the extra 'sim' is not installed")


def test_a_table_of_dijets(call, tmp_path):
    code, out, err = call("simulate", "graviton-ww", "--events", 12, "--seed", 3, "--out", tmp_path, "--no-mpi")
    assert code == 0
    path = tmp_path / "graviton-ww-features.parquet"
    assert len(read_table(path)) == 12
    assert read_provenance(path).simulation is True
    assert read_provenance(path).details["variant"] is None
    lines = out.splitlines()
    assert lines == [f"{path}: features, 12 events", f"{tmp_path / 'graviton-ww.json'}: record"]
    assert "efficiency" in err
    assert "12/12" in err


def test_another_run_is_not_overwritten(call, tmp_path):
    arguments = ("simulate", "graviton-ww", "--events", 3, "--out", tmp_path, "--no-mpi", "--seed")
    assert call(*arguments, 3)[0] == 0
    files = sorted(tmp_path.glob("graviton-ww*"))
    before = [path.read_bytes() for path in files]
    code, _, err = call(*arguments, 4)
    assert code == 2
    assert "belongs to another run (different: seed)" in err
    assert [path.read_bytes() for path in files] == before
    # The same run again is no other run.
    assert call(*arguments, 3)[0] == 0
    assert [path.read_bytes() for path in files] == before


def test_an_interruption_says_how_to_go_on(call, tmp_path, monkeypatch):
    from cmslabs.simulation import generator

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(generator, "run_recipe", interrupt)
    code, out, err = call("simulate", "drell-yan", "--events", 3, "--out", tmp_path)
    assert code != 0
    assert out == ""
    assert "the same command goes on" in err


def test_json_is_all_of_stdout(call, tmp_path):
    arguments = ("--events", 10, "--out", tmp_path, "--json", "--particles", "--constituents")
    code, out, err = call("simulate", "wprime-3prong", *arguments)
    answer = json.loads(out)
    assert code == 0
    assert answer["events"] == 10
    assert answer["efficiency"] == 10 / answer["tried"]
    assert set(answer["files"]) == {"features", "constituents", "particles", "record"}
    assert all((tmp_path / path).exists() for path in answer["files"].values())
    assert "efficiency" not in err


def test_a_root_file_of_leptons(call, tmp_path):
    code, out, _ = call("simulate", "zz-4l", "--variant", "muons", "--events", 5, "--out", tmp_path)
    assert code == 0
    events = read_nanoaod(tmp_path / "zz-4l-muons.root")
    assert len(events) == 5
    assert "zz-4l-muons.root: events, 5 events" in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("qcd-dijet", "--events", 5), "Did you mean qcd-dijets"),
        (("zz-4l", "--events", 5, "--variant", "taus"), "Variants of this process: muons"),
        (("zz-4l", "--events", 5, "--constituents"), "dijet processes only"),
        (("qcd-dijets", "--events", 5, "--format", "root"), "Use: parquet or csv"),
        (("qcd-dijets", "--events", 0), "--events"),
        (("qcd-dijets", "--events", 5, "--workers", 0), "--workers"),
        (("qcd-dijets", "--events", 5, "--seed", -4), "--seed"),
        (("qcd-dijets",), "--events"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_to_do(call, tmp_path, arguments, reason):
    code, out, err = call("simulate", *arguments, "--out", tmp_path)
    assert code == 2
    assert out == ""
    assert reason in err
    assert list(tmp_path.iterdir()) == []


def test_help_shows_an_example(call):
    code, out, _ = call("simulate", "--help")
    assert code == 0
    assert "Example: cmslabs simulate" in out

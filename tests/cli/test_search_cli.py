"""`cmslabs search` as a user types it."""

from __future__ import annotations

import json

import pytest
import yaml

pytest.importorskip("torch", reason="needs the extra torch")

SMALL = {
    "name": "small",
    "problem": {"kind": "toy", "events": 16_000, "signal": 800},
    "methods": ["supervised", "ideal"],
    "injections": [0, 0.3],
    "seeds": 1,
    "efficiency": 0.2,
    "trees": {"folds": 2, "members": 1, "max_iter": 15},
}


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


def test_a_scan_and_the_same_command_again(call, small, tmp_path):
    """Tables on stdout, what goes on on stderr; afterwards nothing is left to do."""
    out_folder = tmp_path / "scan"
    status, out, err = call("search", small, "--out", out_folder)
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == ["method", "S/B", "S/sqrt(B)", "max", "SIC", "(16-84", "%)", "Z", "(16-84", "%)"]
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["supervised", "0.00%"],
        ["supervised", "30.00%"],
        ["ideal", "0.00%"],
        ["ideal", "30.00%"],
    ]
    # The bound has no count, and so no significance.
    assert [line.count("(") for line in lines[1:5]] == [1, 1, 2, 2]
    assert lines[5] == f"{out_folder / 'small.parquet'}: 4 trainings"
    assert "contexts of the signal region: " in err
    assert "2/2" in err
    status, out, err = call("search", small, "--out", out_folder, "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["name"], found["trainings"], found["file"]) == ("small", 4, str(out_folder / "small.parquet"))
    assert set(found) == {"name", "file", "trainings", "overlap", "max_sic", "auc", "z", "closure_auc"}
    assert [row["median"] for row in found["max_sic"]] == pytest.approx(
        [float(x.split()[3]) for x in lines[1:5]], abs=0.01
    )
    assert [row["method"] for row in found["z"]] == ["ideal", "ideal"]
    assert 0.9 < found["overlap"]["in_range"] <= 1


def test_the_bound_alone_and_a_folder_of_its_name(call, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = call(
        "search", small, "--set", "methods=[supervised]", "--set", "injections=[0]", "--set", "name=bound"
    )
    assert status == 0
    assert out.splitlines()[-1].endswith("bound.parquet: 1 trainings")
    assert (tmp_path / "bound" / "bound.parquet").is_file()


def test_another_scan_in_the_same_folder(call, small, tmp_path):
    folder = tmp_path / "scan"
    quick = ("--set", "methods=[supervised]", "--set", "injections=[0]")
    assert call("search", small, "--out", folder, *quick)[0] == 0
    status, out, err = call("search", small, "--out", folder, *quick, "--set", "efficiency=0.3")
    assert (status, out) == (2, "")
    assert "holds chunks of another job" in err


def test_an_interruption_says_how_to_go_on(call, small, tmp_path, monkeypatch):
    from cmslabs.search import scan

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "attempt", interrupt)
    status, out, err = call("search", small, "--out", tmp_path / "scan")
    assert status not in (0, 2)
    assert out == ""
    assert f"finished tries are kept in {tmp_path / 'scan'}, and the same command goes on from there" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tyo",), "there is no search 'tyo'"),
        (("gone.yaml",), "gone.yaml: there is no such file"),
        (("toy", "--set", "injections=[0.1]"), "0 must be among them"),
        (("toy", "--set", "methods=[reweigth]"), "did you mean 'reweight'?"),
        (("toy", "--set", "sedes=2"), "sedes: unknown key; did you mean 'seeds'?"),
        (("toy", "--set", "problem.events=10"), "problem"),
        (("jets", "--set", "problem.source=gone.parquet"), "gone.parquet"),
        (("jets", "--set", "problem.source=sim-extrapolation", "--set", "problem.features=[mj]"), "no column 'mj'"),
        (
            ("jets", "--set", "problem.source=sim-extrapolation", "--set", "problem.features=[met]"),
            "context and feature",
        ),
        (
            ("jets", "--set", "problem.source=sim-extrapolation", "--set", "problem.signal=hidden"),
            "no process 'hidden'",
        ),
        (("toy", "--workers", "0"), "--workers"),
    ],
)
def test_wrong_use(call, tmp_path, arguments, message):
    status, out, err = call("search", *arguments, "--out", tmp_path / "scan")
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("scan/*.parquet"))


def test_help(call):
    status, out, _ = call("search", "--help")
    assert status == 0
    assert "Example: cmslabs search toy" in out

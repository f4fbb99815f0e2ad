"""`cmslabs data fileset`: what goes to stdout and stderr, and the exit status."""

from __future__ import annotations

import json

import pytest
import yaml

from cmslabs.data.fileset import load_fileset

FOLDER = "/eos/opendata/cms/mc/RunII/FourLeptons/NANOAODSIM/v17-v1"
FILESET = {
    "name": "toy",
    "version": 1,
    "datasets": {"four": {"kind": "simulation", "name": "/FourLeptons/RunII-v17-v1/NANOAODSIM"}},
}


@pytest.fixture
def toy(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(FILESET, sort_keys=False))
    return path


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("CMSLABS_OFFLINE", "1")


def test_index_files_make_a_fileset(call, toy, tmp_path):
    index = tmp_path / "four_file_index.txt"
    index.write_text("".join(f"root://eospublic.cern.ch/{FOLDER}/7/{name}.root\n" for name in "AB"))
    out = tmp_path / "mine.yaml"
    status, stdout, stderr = call("data", "fileset", toy, "--index", f"four={index}", "--out", out, "--quiet")
    assert status == 0
    assert stdout.splitlines() == ["four: 2 files", f"written: {out}"]
    assert stderr == "remark: four: 2 files; how many there should be is not known\n"
    assert len(load_fileset(out).datasets["four"].files) == 2
    status, _, stderr = call("data", "fileset", toy, "--index", f"four={index}", "--out", out)
    assert (status, stderr.count("--overwrite")) == (2, 1)
    status, stdout, _ = call("data", "fileset", toy, "--index", f"four={index}", "--out", out, "--overwrite", "--json")
    assert status == 0
    assert json.loads(stdout)["files"] == {"four": 2}


def test_bundled_fileset_offline(call, tmp_path):
    status, stdout, stderr = call("data", "fileset", "cms-2016", "--out", tmp_path / "mine.yaml")
    assert (status, stdout) == (2, "")
    assert "CMSLABS_OFFLINE is set" in stderr
    assert "--index NAME=FILE" in stderr
    assert not (tmp_path / "mine.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--out", "mine.txt"], "no YAML file"),
        (["--out", "mine.yaml", "--protocol", "ftp"], "no protocol 'ftp'"),
        (["--out", "mine.yaml", "--index", "four"], "--index DATASET=FILE"),
        (["--out", "mine.yaml", "--index", "five=x.json"], "no data set 'five'"),
        (["--out", "mine.yaml", "--index", "four=missing.json"], "no such file"),
        (["--out", "mine.yaml", "--dataset", "doublemuon-2016b"], "not public"),
    ],
)
def test_wrong_use(call, arguments, what, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    name = "cms-2016" if "doublemuon-2016b" in arguments else tmp_path / "toy.yaml"
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(FILESET))
    status, stdout, stderr = call("data", "fileset", name, *arguments)
    assert (status, stdout) == (2, "")
    assert what in stderr

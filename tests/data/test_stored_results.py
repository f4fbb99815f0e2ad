"""Stored results: whole, described, and made by the script that they name."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from cmslabs.data import stored_results
from cmslabs.data.stored_results import result_path, stored_result, write_result
from cmslabs.errors import DataError
from cmslabs.io import json_hash, read_json, write_json

ROOT = Path(__file__).parents[2]


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """A copy of the result of chapter 13, in a folder where it can be spoilt."""
    monkeypatch.setattr(stored_results, "result_path", lambda name: tmp_path / f"{name}.json")
    content = read_json(result_path("jet-images"))
    write_json(tmp_path / "jet-images.json", content)
    return tmp_path / "jet-images.json", content


def test_a_result_says_where_it_comes_from():
    result = stored_result("jet-images")
    assert result["simulation"] is True
    assert (ROOT / result["script"]).is_file()
    assert len(result["commit"].split("+")[0]) == 12
    assert {"torch", "numpy", "pythia8mc"} <= set(result["versions"])


def test_it_is_what_its_script_would_write_now():
    pytest.importorskip("pythia8mc", reason="needs the extra sim")
    pytest.importorskip("torch", reason="needs the extra torch")
    result = stored_result("jet-images")
    config = importlib.import_module(Path(result["script"]).stem).CONFIG
    assert json_hash(config) == result["config_hash"]
    rows = result["numbers"]["autoencoders"]
    found = {(row["trained_on"], row["pixels"], row["skips"], row["seed"]) for row in rows}
    choices = (config["trained_on"], config["pixels"], config["skips"], config["seeds"])
    assert len(rows) == len(found) == len(choices[0]) * len(choices[1]) * len(choices[2]) * len(choices[3])
    assert len(config["seeds"]) >= 5
    for row in rows:
        assert "null" in row["against"]
        for target in row["against"].values():
            assert 0 <= target["low"] <= target["auc"] <= target["high"] <= 1


@pytest.mark.parametrize("part", ["numbers", "config"])
def test_changed_results_are_refused(changed, part):
    path, content = changed
    content[part]["invented"] = 0.92
    write_json(path, content)
    with pytest.raises(DataError, match=rf"jet-images.json: its {part} are not those"):
        stored_result("jet-images")


def test_a_name_that_is_nearly_right_is_suggested(changed):
    with pytest.raises(DataError, match=r"no stored result 'jet-image'.*'jet-images'"):
        stored_result("jet-image")
    with pytest.raises(DataError, match=r"There are: jet-images"):
        stored_result("leaderboard")


def test_what_is_written_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_results, "result_path", lambda name: tmp_path / f"{name}.json")
    source = {"script": "data_scripts/make_it.py", "commit": "0123456789ab", "config": {"seeds": [1, 2]}}
    write_result(tmp_path / "mine.json", "mine", **source, numbers={"auc": 0.5}, packages=["numpy"])
    found = stored_result("mine")
    assert found | source == found
    assert found["numbers"] == {"auc": 0.5}
    assert "numpy" in found["versions"]


def test_all_results_have_the_form_that_is_written(tmp_path):
    write_result(tmp_path / "x.json", "x", script="", commit="", config={}, numbers={}, packages=[])
    for path in result_path("jet-images").parent.glob("*.json"):
        assert read_json(path).keys() == read_json(tmp_path / "x.json").keys(), path.name

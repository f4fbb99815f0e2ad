"""Stored results: whole, described, and made by the script that they name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from cmslabs.data import stored_results
from cmslabs.data.stored_results import result_path, stored_result
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
    spec = importlib.util.spec_from_file_location("make_image_results", ROOT / result["script"])
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    config = script.CONFIG
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

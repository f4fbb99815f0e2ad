"""`make owner` puts the public address wherever a copy of it stands."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
script = runpy.run_path(str(ROOT / "data_scripts" / "set_owner.py"))
ADDRESS = re.compile(r"OWNER(/|%2F)anomaly-hunting")


@pytest.fixture
def copy(tmp_path):
    """The tracked text files in a repository of their own."""
    for path in script["tracked_text_files"](ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    return tmp_path


def test_every_copy_of_the_address_changes(copy):
    before = [path for path in script["tracked_text_files"](copy) if ADDRESS.search(path.read_text())]
    assert len(before) >= 3
    changed = script["set_owner"]("ada-lovelace", copy)
    assert set(before) <= set(changed)
    assert script["public_address"](copy) == "https://github.com/ada-lovelace/anomaly-hunting"
    assert not [path for path in script["tracked_text_files"](copy) if ADDRESS.search(path.read_text())]


def test_the_owner_can_be_changed_again(copy):
    script["set_owner"]("first", copy)
    script["set_owner"]("second", copy)
    assert script["public_address"](copy).endswith("/second/anomaly-hunting")
    assert not [path for path in script["tracked_text_files"](copy) if "first/anomaly-hunting" in path.read_text()]


def test_encoded_links_change_too(copy):
    page = copy / "page.md"
    page.write_text("git-pull?repo=https%3A%2F%2Fgithub.com%2FOWNER%2Fanomaly-hunting&branch=main\n")
    subprocess.run(["git", "add", "page.md"], cwd=copy, check=True)
    script["set_owner"]("ada", copy)
    assert "%2Fada%2Fanomaly-hunting" in page.read_text()


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "a" * 40, "a/b", "$(id)"])
def test_impossible_names_are_refused(copy, name):
    with pytest.raises(ValueError, match="cannot be the name"):
        script["set_owner"](name, copy)

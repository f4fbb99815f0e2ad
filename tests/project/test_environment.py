"""environment.yml, constraints.txt and pyproject.toml say the same."""

import re
import runpy
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
script = runpy.run_path(str(ROOT / "data_scripts" / "make_environment.py"))


def listed():
    """Requirement of every package in the pip part of environment.yml."""
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict)]
    return [Requirement(line) for line in pip if not line.startswith("-")]


def bounds():
    """Requirement of every package in pyproject.toml, all extras together."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group if not line.startswith("cmslabs")]


def test_constraints_are_exact_pins():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9._-]+==[A-Za-z0-9.]+", line), line


def test_environment_file_is_what_the_script_writes():
    assert (ROOT / "environment.yml").read_text() == script["environment"]()


def test_environment_versions_are_the_pins():
    pins = script["pins"]()
    found = {requirement.name: str(requirement.specifier) for requirement in listed()}
    assert found == {name: f"=={pins[name]}" for name in found}
    assert len(found) > 30


@pytest.mark.parametrize("requirement", bounds(), ids=lambda requirement: requirement.name)
def test_pin_lies_within_the_bound(requirement):
    pins = script["pins"]()
    assert requirement.name.lower() in pins, "pyproject.toml asks for a package that constraints.txt does not pin"
    assert requirement.specifier.contains(pins[requirement.name.lower()])
    assert any(requirement.name.lower() == entry.name for entry in listed())
    assert all(specifier.operator in (">=", "<") for specifier in requirement.specifier)


def test_a_missing_pin_would_be_noticed():
    with pytest.raises(KeyError):
        script["pins"]()["not-a-package"]


@pytest.mark.parametrize("name", ["numpy", "awkward", "uproot", "jupyter-book", "nbgrader"])
def test_installed_versions_are_the_pins(name):
    assert version(name) == script["pins"]()[name]

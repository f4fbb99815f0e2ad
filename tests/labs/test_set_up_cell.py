"""The cell that installs the package on Colab: run here against a pip that only writes down what it was asked."""

from __future__ import annotations

import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import pytest
from submissions import read_lab

import cmslabs

VERSIONS = {"numpy": "2.0.2", "torch": "2.6.0+cu124"}


@pytest.fixture
def cell() -> str:
    """The text of the cell."""
    return next(cell.source for cell in read_lab("source").cells if "same in every lab" in cell.source)


@pytest.fixture
def pip(monkeypatch) -> list[list[str]]:
    """Calls of pip; nothing is installed but numpy and torch."""
    calls = []

    def version(name):
        if name not in VERSIONS:
            raise metadata.PackageNotFoundError(name)
        return VERSIONS[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append(command))
    return calls


@pytest.fixture
def colab(monkeypatch):
    """As on Colab, where this module is always loaded."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


def test_where_the_package_is_it_does_nothing(cell, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("called pip"))
    exec(cell, {})
    assert capsys.readouterr().out == f"cmslabs {cmslabs.__version__} is ready\n"


@pytest.mark.usefixtures("pip")
def test_at_home_it_says_what_to_do(cell):
    with pytest.raises(RuntimeError, match=f"needs cmslabs {cmslabs.__version__}, but here is None.*make setup"):
        exec(cell, {})


@pytest.mark.usefixtures("colab")
def test_another_version_is_refused_too(cell, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "0.0.9")
    monkeypatch.delitem(sys.modules, "google.colab")
    with pytest.raises(RuntimeError, match=r"but here is 0\.0\.9"):
        exec(cell, {})


@pytest.mark.usefixtures("colab")
def test_while_the_address_is_not_set_it_refuses(cell, pip):
    unset = cell.replace(_owner(cell), "/OWNER/")
    with pytest.raises(RuntimeError, match="make owner"):
        exec(unset, {})
    assert pip == []


@pytest.mark.usefixtures("colab")
def test_on_colab_it_installs_this_version_and_leaves_numpy_and_torch_alone(cell, pip):
    exec(cell.replace(f"github.com{_owner(cell)}", "github.com/somebody/"), {})
    (command,) = pip
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert command[-1].startswith("cmslabs @ git+https://github.com/somebody/")
    assert command[-1].endswith(f"@v{cmslabs.__version__}")
    constraints = Path(command[command.index("-c") + 1]).read_text()
    assert constraints.splitlines() == [f"{name}=={version}" for name, version in VERSIONS.items()]


def _owner(cell: str) -> str:
    """The owner in the address, between slashes."""
    return "/" + cell.split('REPOSITORY = "https://github.com/')[1].split("/")[0] + "/"

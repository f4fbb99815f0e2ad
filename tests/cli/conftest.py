"""What the tests of the commands share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cmslabs.cli.main import main

sys.path[:0] = [str(Path(__file__).parents[1] / "selection")]


@pytest.fixture
def call(monkeypatch, capfd):
    """Run the command line in this process; gives exit status, stdout and stderr (also what C prints)."""

    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cmslabs", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capfd.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return run

"""The outputs that nbval compares are tied to the data: a sample shifted by five per cent makes it fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from chapter_rules import ROOT, chapters

#: Python runs this before a kernel does anything: from then on muons come with another momentum.
SHIFT = """
import os

import awkward as ak

import cmslabs.data.nanoaod as nanoaod

_read = nanoaod.read_nanoaod


def read_nanoaod(*args, **options):
    events = _read(*args, **options)
    if "Muon" not in events.fields:
        return events
    muons = events.Muon
    return ak.with_field(events, ak.with_field(muons, muons.pt * float(os.environ["MUON_SCALE"]), "pt"), "Muon")


nanoaod.read_nanoaod = read_nanoaod
"""


def chapter_that_reads_muons() -> Path:
    """The shortest chapter that uses the reader on muons."""
    found = [path for path in chapters() if "read_nanoaod" in (text := path.read_text("utf-8")) and "Muon" in text]
    return min(found, key=lambda path: path.stat().st_size)


@pytest.mark.slow
def test_stored_outputs_notice_a_shifted_sample(tmp_path):
    """Without the shift nothing differs: `tests/site/test_executed_pages.py`."""
    (tmp_path / "sitecustomize.py").write_text(SHIFT)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "MUON_SCALE": "1.05"}
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120", "-p", "no:cacheprovider", "-q"]
    command = [sys.executable, "-m", "pytest", *options, str(chapter_that_reads_muons())]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout[-3000:]
    # It must fail because texts differ, not because a cell broke.
    assert "Cell outputs differ" in run.stdout, run.stdout[-3000:]

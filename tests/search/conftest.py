"""The tests of this folder share what makes small searches for them."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra torch")
sys.path[:0] = [str(Path(__file__).parent)]

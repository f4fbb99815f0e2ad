"""The tests of this folder share toys and planted faults with those of the selection."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "selection")]

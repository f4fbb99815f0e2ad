"""Let the tests find the course's tools, which are no package: they lie where nbgrader looks for them."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "labs"), str(HERE)]

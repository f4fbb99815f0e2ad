"""Let the tests find what lies beside them, the extensions of the book, and the scripts."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "book" / "_ext"), str(ROOT / "data_scripts")]

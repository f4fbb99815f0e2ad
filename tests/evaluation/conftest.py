"""Let the tests of this folder import what makes spectra for them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

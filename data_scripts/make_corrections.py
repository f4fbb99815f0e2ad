"""Measure the corrections of the bundled samples again: the logic is in cmslabs.selection.correction_set.

Example: python data_scripts/make_corrections.py
"""

from __future__ import annotations

import argparse
import sys

from cmslabs.errors import CmslabsError
from cmslabs.selection.correction_set import make_corrections


def main() -> int:
    """Read the options, measure, print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=None, help="file to write; default: that of the package")
    options = parser.parse_args()
    try:
        for line in make_corrections(options.out):
            print(line)
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

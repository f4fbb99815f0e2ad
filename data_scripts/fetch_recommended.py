"""Fetch the two recommended CMS files: real two-muon collisions of 2016 and simulated ZZ to four leptons.

Usage: python data_scripts/fetch_recommended.py
"""

from __future__ import annotations

import sys

from cmslabs.data.download import fetch
from cmslabs.errors import CmslabsError

RECOMMENDED = ("cms-doublemuon-2016h", "cms-zzto4l-2016")


def main() -> int:
    """Fetch what is missing, verify the rest, print the paths."""
    try:
        for name in RECOMMENDED:
            for path in fetch(name):
                print(path)
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make the bundled samples again: the logic is in cmslabs.simulation.samples.

Example: python data_scripts/make_samples.py --workers 2
"""

from __future__ import annotations

import argparse
import sys

from cmslabs.errors import CmslabsError
from cmslabs.simulation.samples import make_samples


def main() -> int:
    """Read the options, make the samples, print what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="samples to make; default: all")
    parser.add_argument("--out", default=None, help="folder for the samples; default: that of the package")
    parser.add_argument("--work", default="build/samples", help="folder for the chunks; an interrupted run goes on")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    try:
        for line in make_samples(options.names, options.out, options.work, options.workers):
            print(line)
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

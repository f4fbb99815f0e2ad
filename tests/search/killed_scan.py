"""A scan to be killed in the middle of a try: run as a script with the folder of the scan."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

from search_worlds import tiny_config  # noqa: E402

from cmslabs.search import scan  # noqa: E402

HANGS_IN = 2

if __name__ == "__main__":
    original, begun = scan.attempt, []

    def hang(*arguments):
        """Do the first two tries, and never end the third."""
        begun.append(1)
        if len(begun) > HANGS_IN:
            print("in the middle of a try", flush=True)
            time.sleep(600)
        return original(*arguments)

    scan.attempt = hang
    scan.run_search(tiny_config(), sys.argv[1])

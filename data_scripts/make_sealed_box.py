"""Make the bundled sealed box: with a new secret that nobody sees, or again from its envelope.

A new box replaces the old one, its envelope and the numbers in its card.  What is inside is printed nowhere.

Example: python data_scripts/make_sealed_box.py --from-envelope --workers 2
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

from cmslabs.data.catalog import samples_folder, update_bundled_card
from cmslabs.errors import CmslabsError, ConfigError
from cmslabs.simulation.box_bundle import ENVELOPE, NAME, seal, unseal
from cmslabs.simulation.boxes import EVENTS, make_box


def make(out: Path, envelope: Path, new: bool, workers: int) -> str:
    """Make the box and say how large it is."""
    if new and out.exists():
        raise ConfigError("is there already.", where=out, remedy="Delete it and its envelope, or use --from-envelope.")
    if new and not envelope.exists():
        # Sealed before anything is simulated: an interrupted run goes on with the same box.
        seal(envelope, secrets.token_urlsafe(24))
    files = make_box(unseal(envelope), out, workers=workers, progress=True)
    if out.parent == samples_folder():
        update_bundled_card(NAME, out, EVENTS)
    return f"{out}: {EVENTS} events, {out.stat().st_size / 1e6:.2f} MB, commitment {files.commitment}"


def main() -> int:
    """Read the options, make the box."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-envelope", action="store_true", help="make the same box again")
    parser.add_argument("--out", type=Path, default=samples_folder(), help="folder for the box")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    source = samples_folder() if options.from_envelope else options.out
    try:
        print(make(options.out / f"{NAME}.parquet", source / ENVELOPE, not options.from_envelope, options.workers))
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

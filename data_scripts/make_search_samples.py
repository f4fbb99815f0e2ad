"""The samples of part V: `extrapolation.parquet` and `resonance.parquet`, which the stored results come from, and the
bundled one.

Simulation takes about an hour and a half on one core; what is in the folder already is used.

Example: python data_scripts/make_search_samples.py --folder search-samples --workers 2
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cmslabs.data.catalog import samples_folder, update_bundled_card
from cmslabs.errors import CmslabsError
from cmslabs.io import sha256
from cmslabs.simulation.search_sample import (
    EXTRAPOLATION,
    MASSES,
    RESONANCE,
    extrapolation_table,
    make_source,
    resonance_table,
    thinned,
    write_search_table,
)

SCRIPT = "data_scripts/make_search_samples.py"
#: Of the background's control region the large table holds every second event.
CONTROL_EVERY = 2
#: The bundled table: every so manieth event, in the signal and in the control region.  Of the background's control
#: region one in 12 is left (2 x 6) and of its signal region one in 4: data are a third of the latter and all of the
#: former, which keeps nature's ratio.
EVERY = {"qcd-extrapolation": 4, "qcd-extrapolation-a14": 4, "hidden-valley-2tev": 4} | {
    f"hidden-valley-{mass}tev": 12 for mass in MASSES[1:]
}
BUNDLED_CONTROL = EVERY | {"qcd-extrapolation": 6}


def main() -> int:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("search-samples"), help="for runs and large tables")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=("extrapolation", "resonance"))
    parser.add_argument("--bundle", action="store_true", help="write the bundled sample and its card, too")
    options = parser.parse_args()
    try:
        if options.only != "resonance":
            extrapolation(options.folder, options.workers, options.bundle)
        if options.only != "extrapolation":
            resonance(options.folder, options.workers)
    except CmslabsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def extrapolation(folder: Path, workers: int, bundle: bool) -> None:
    """The search without a resonance."""
    paths = {source: make_source(source, folder / "parts", workers) for source in EXTRAPOLATION}
    table, path = extrapolation_table(paths, CONTROL_EVERY), folder / "extrapolation.parquet"
    write_search_table(path, table, paths, SCRIPT, control_every=CONTROL_EVERY)
    print(f"{path}: {len(table)} events, {path.stat().st_size / 1e6:.2f} MB, sha256 {sha256(path)}")
    if bundle:
        small, path = thinned(table, EVERY, BUNDLED_CONTROL), samples_folder() / "extrapolation.parquet"
        write_search_table(path, small, paths, SCRIPT, every=EVERY, control_every=BUNDLED_CONTROL)
        update_bundled_card("sim-extrapolation", path, len(small))
        print(f"{path}: {len(small)} events, {path.stat().st_size / 1e6:.2f} MB")


def resonance(folder: Path, workers: int) -> None:
    """The search in a mass window."""
    paths = {source: make_source(source, folder / "parts", workers) for source in RESONANCE}
    table, path = resonance_table(paths), folder / "resonance.parquet"
    write_search_table(path, table, paths, SCRIPT)
    print(f"{path}: {len(table)} events, {path.stat().st_size / 1e6:.2f} MB, sha256 {sha256(path)}")


if __name__ == "__main__":
    sys.exit(main())

"""The stored scans of part V: one bundled search each, all of its trainings.

Writes ``src/cmslabs/data/results/search-NAME.json``.  The toy takes five minutes on two cores, the jets and
the toy's nulls some twenty each, the jets' nulls thirty.

Example: python data_scripts/make_search_results.py toy --workers 2 --folder search-samples
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from repository import checked_out

from cmslabs.data.stored_results import result_path, write_result
from cmslabs.errors import CmslabsError
from cmslabs.io import sha256
from cmslabs.search.scan import PACKAGES, run_search
from cmslabs.search.scan_config import TableSettings, load_search

DIGITS = 4


def main() -> int:
    """Run one search and store its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of a bundled search")
    parser.add_argument("--folder", type=Path, default=Path("search-samples"), help="of the large tables, and for work")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="default: the package's own result")
    options = parser.parse_args()
    try:
        config = load_search(options.name)
        if isinstance(config.problem, TableSettings):
            source = options.folder / Path(config.problem.source).name
            config = load_search(options.name, [f"problem.source={source}"])
        work = options.folder / "scans" / config.name
        began = time.perf_counter()
        scan = run_search(config, work, workers=options.workers, progress=True)
        spent = _with_earlier_runs(work, time.perf_counter() - began)
        plain = config.model_dump(mode="json")
        if isinstance(config.problem, TableSettings):
            # Where the table lies says nothing; what is in it does.
            plain["problem"] |= {"source": Path(config.problem.source).name, "sha256": sha256(config.problem.source)}
        write_result(
            result_path(f"search-{config.name}") if options.out is None else options.out,
            f"search-{config.name}",
            script="data_scripts/make_search_results.py",
            commit=checked_out("src/cmslabs/search", "src/cmslabs/models"),
            config=plain,
            numbers={
                "rows": compact(scan.rows),
                "overlap": None if scan.overlap is None else _short(vars(scan.overlap)),
                "wall_seconds": round(spent, 1),
                "workers": options.workers,
            },
            packages=PACKAGES,
        )
    except CmslabsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _with_earlier_runs(work: Path, seconds: float) -> float:
    """Seconds of all runs together: what is kept of an interrupted one took its time, too."""
    clock = work / "wall_seconds.json"
    total = seconds + (json.loads(clock.read_text()) if clock.exists() else 0.0)
    clock.write_text(json.dumps(total))
    return total


def compact(rows: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns of a table as lists, floats with four digits, None for what is not there."""
    return {name: [_cell(value) for value in rows[name].tolist()] for name in rows.columns}


def _cell(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def _short(values: dict[str, float]) -> dict[str, float]:
    return {name: _cell(float(value)) for name, value in values.items()}


if __name__ == "__main__":
    sys.exit(main())

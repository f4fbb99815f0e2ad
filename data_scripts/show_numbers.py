"""Print the numbers that README and chapters quote, from the committed result files and cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from cmslabs.data.catalog import list_cards
from cmslabs.search.scan import summarise

ROOT = Path(__file__).resolve().parent.parent


def flat(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested dictionaries as dotted names.

    Examples
    --------
    >>> flat({"a": {"b": 1}, "c": [2, 3]})
    [('a.b', 1), ('c', [2, 3])]
    """
    if not isinstance(value, dict):
        return [(prefix, value)]
    return [leaf for key, inner in value.items() for leaf in flat(inner, f"{prefix}.{key}" if prefix else str(key))]


def print_result(path: Path) -> None:
    """Header and single numbers of a result; lists (curves, rows) are for figures."""
    result = json.loads(path.read_text())
    print(f"{result['name']} (commit {result['commit']}, config {result['config_hash']})")
    for name, value in flat(result["numbers"]):
        if isinstance(value, list):
            continue
        print(f"  {name:48} {value:.4g}" if isinstance(value, float) else f"  {name:48} {value}")
    if path.stem.startswith("search-"):
        print_scan(pd.DataFrame(result["numbers"]["rows"]))


def print_scan(rows: pd.DataFrame) -> None:
    """Best significance improvement of each method and injection: median and middle 68 %."""
    for row in summarise(rows[rows.permutation == 0]).itertuples():
        name = f"max_sic.{row.method}.{row.injection:g}"
        print(f"  {name:48} {row.median:.2f} [{row.low:.2f}, {row.high:.2f}] of {row.tries} tries")


def main() -> None:
    """One block a result file, of benchmarks and then of chapters, and the bundled samples."""
    for folder in ("benchmarks/results", "src/cmslabs/data/results"):
        for path in sorted((ROOT / folder).glob("*.json")):
            print_result(path)
    print("bundled samples")
    total = 0
    for card in list_cards():
        for file in card.files if card.bundled else []:
            total += file.size_bytes or 0
            print(f"  {card.name:48} {card.n_events} events, {(file.size_bytes or 0) / 1e6:.2f} MB")
    print(f"  {'all':48} {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

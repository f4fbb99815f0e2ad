"""Print the numbers that README and chapters quote, from the committed result files and cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cmslabs.data.catalog import list_cards

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


def main() -> None:
    """One block a result file, then the bundled samples."""
    for path in sorted((ROOT / "benchmarks/results").glob("*.json")):
        result = json.loads(path.read_text())
        print(f"{result['name']} (commit {result['commit']}, config {result['config_hash']})")
        for name, value in flat(result["numbers"]):
            print(f"  {name:48} {value:.4g}" if isinstance(value, float) else f"  {name:48} {value}")
    print("bundled samples")
    total = 0
    for card in list_cards():
        for file in card.files if card.bundled else []:
            total += file.size_bytes or 0
            print(f"  {card.name:48} {card.n_events} events, {(file.size_bytes or 0) / 1e6:.2f} MB")
    print(f"  {'all':48} {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

"""Adding up the results of chunks so that the sum does not depend on the order in which they arrive.

Sums of floating-point numbers depend on the order of the terms in their last digit.  Workers finish in any
order, and one that dies finishes its chunks again later: adding as results arrive gives another histogram
every time.  Here only neighbours are added: chunk 0 and 1, chunk 2 and 3, then both pairs.  What is added to
what is thus fixed by the chunks' numbers alone, and a result waits only until its neighbour is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cmslabs.selection.failures import Failure

__all__ = ["Ordered"]

Place = tuple[str, int, int]


class Ordered:
    """Results of chunks by place; ``+`` adds neighbours only.

    Parameters
    ----------
    parts : mapping
        (data set, level, number) -> result.  A chunk is at level 0; number n at level k is the sum of the chunks
        n x 2^k to (n+1) x 2^k - 1.
    failures : iterable of Failure
        Of chunks that gave no result.
    """

    def __init__(self, parts: Mapping[Place, Any] | None = None, failures: Iterable[Failure] = ()):
        self.parts = dict(parts or {})
        self.failures = list(failures)

    def __add__(self, other: Ordered) -> Ordered:
        return Ordered(self.parts, self.failures).__iadd__(other)

    def __iadd__(self, other: Ordered) -> Ordered:
        for place, value in other.parts.items():
            self._insert(place, value)
        self.failures.extend(other.failures)
        return self

    def totals(self) -> dict[str, Any]:
        """The sum for each data set, once all chunks are there."""
        from coffea.processor import accumulate

        by_dataset: dict[str, list[tuple[int, Any]]] = {}
        for (dataset, level, number), value in self.parts.items():
            by_dataset.setdefault(dataset, []).append((number << level, value))
        return {
            dataset: accumulate([value for _, value in sorted(parts, key=lambda part: part[0])])
            for dataset, parts in by_dataset.items()
        }

    def _insert(self, place: Place, value: Any) -> None:
        from coffea.processor import accumulate

        dataset, level, number = place
        while (neighbour := (dataset, level, number ^ 1)) in self.parts:
            other = self.parts.pop(neighbour)
            value = accumulate([value, other] if number % 2 == 0 else [other, value])
            level, number = level + 1, number >> 1
        self.parts[dataset, level, number] = value

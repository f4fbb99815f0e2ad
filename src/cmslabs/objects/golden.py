"""The golden JSON: which luminosity sections of which runs were recorded with the whole detector working.

CMS writes it as ``{"273158": [[1, 1279]], ...}``: per run the first and last good section of each range.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

import numpy as np

from cmslabs.errors import DataError
from cmslabs.io import existing_file

__all__ = ["GoldenRuns"]

_REMEDY = 'The form is {"run": [[first, last], ...]}: get the file again from the experiment\'s certification page.'


class GoldenRuns:
    """Certified luminosity sections.

    Parameters
    ----------
    sections : mapping
        Run number -> ranges (first, last), both included; ranges may overlap.
    where : object, optional
        The file, for messages.

    Raises
    ------
    DataError
        If a run or a range is none, with the run's number.

    Examples
    --------
    >>> golden = GoldenRuns({273158: [(1, 10), (20, 30)]})
    >>> golden.mask([273158, 273158, 1], [10, 15, 1])
    array([ True, False, False])
    """

    def __init__(self, sections: Mapping[int | str, Sequence[Sequence[int]]], where: object = None):
        ranges = sorted(
            (_run_number(run, where), *_range(run, pair, where))
            for run, pairs in sections.items()
            for pair in _pairs(run, pairs, where)
        )
        if not ranges:
            raise DataError("lists no luminosity section at all.", where=where, remedy=_REMEDY)
        merged: list[list[int]] = []
        for run, first, last in ranges:
            if merged and merged[-1][0] == run and first <= merged[-1][2] + 1:
                merged[-1][2] = max(merged[-1][2], last)
            else:
                merged.append([run, first, last])
        table = np.array(merged, dtype=np.int64)
        self.runs = tuple(int(run) for run in np.unique(table[:, 0]))
        self.n_sections = int(np.sum(table[:, 2] - table[:, 1] + 1))
        self._first, self._last = _key(table[:, 0], table[:, 1]), _key(table[:, 0], table[:, 2])

    @classmethod
    def read(cls, path: str | os.PathLike) -> GoldenRuns:
        """Read a golden JSON.

        Raises
        ------
        DataError
            If the file is missing, no JSON, or not of the form that CMS uses; a run that stands twice is
            an error, since JSON readers silently take the last one.
        """
        path = existing_file(path)
        try:
            content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=lambda pairs: _once(pairs, path))
        except ValueError as error:
            raise DataError(f"is no JSON ({error}).", where=path, remedy=_REMEDY) from error
        if not isinstance(content, dict):
            raise DataError("is JSON, but no list of runs.", where=path, remedy=_REMEDY)
        return cls(content, path)

    def mask(self, run: Sequence[int], luminosity_block: Sequence[int]) -> np.ndarray:
        """Which events lie in a certified section.

        Parameters
        ----------
        run, luminosity_block : array_like of int, shape (n_events,)

        Returns
        -------
        ndarray of bool, shape (n_events,)
        """
        key = _key(np.asarray(run), np.asarray(luminosity_block))
        if not len(key):
            return np.zeros(0, dtype=bool)
        # Events of a section stand together in a file: it is enough to look up where the section changes.
        starts = np.concatenate([[0], np.flatnonzero(key[1:] != key[:-1]) + 1])
        heads = key[starts]
        place = np.searchsorted(self._first, heads, side="right") - 1
        good = (place >= 0) & (heads <= self._last[place])
        return np.repeat(good, np.diff(np.append(starts, len(key))))


def _key(run: np.ndarray, section: np.ndarray) -> np.ndarray:
    """One number that orders by run, then by section."""
    return (run.astype(np.int64) << 32) + section.astype(np.int64)


def _once(pairs: list[tuple[str, object]], where: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise DataError(f"run {name} stands twice.", where=where, remedy=_REMEDY)
        found[name] = value
    return found


def _run_number(run: int | str, where: object) -> int:
    if not str(run).isdecimal() or not 0 < int(run) < 2**31:
        raise DataError(f"'{run}' is no run number.", where=where, remedy=_REMEDY)
    return int(run)


def _pairs(run: object, pairs: object, where: object) -> Sequence[object]:
    if not isinstance(pairs, list | tuple) or not pairs:
        raise DataError(f"run {run} has no list of ranges.", where=where, remedy=_REMEDY)
    return pairs


def _range(run: object, pair: object, where: object) -> tuple[int, int]:
    good = isinstance(pair, list | tuple) and len(pair) == 2
    if not good or not all(isinstance(section, int) and not isinstance(section, bool) for section in pair):
        raise DataError(f"run {run}: {pair} is no range of two whole numbers.", where=where, remedy=_REMEDY)
    if not 0 <= pair[0] <= pair[1] < 2**32:
        raise DataError(f"run {run}: the range {list(pair)} does not rise.", where=where, remedy=_REMEDY)
    return int(pair[0]), int(pair[1])

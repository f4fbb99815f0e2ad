"""Training, validation and test events that share none: each event's number alone decides where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError, DataError

__all__ = ["PARTS", "Split", "parts_of", "require_disjoint", "split_events"]

PARTS = ("train", "validation", "test")


class Split(NamedTuple):
    """Positions of the rows of each part, rising.

    Attributes
    ----------
    train, validation, test : ndarray of int
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_events(ids: Any, fractions: Sequence[float] = (0.7, 0.15, 0.15), random_state: int = 0) -> Split:
    """Split events into training, validation and test.

    Whether an event is for training depends on its id and the seed only, not on the other rows.  So an event goes to
    the same part in every table that holds it, in any order, in a subset, and if it stands there twice.  The price:
    the parts have their shares on average, as if a die had been thrown for each event.

    Parameters
    ----------
    ids : array_like or DataFrame of int, shape (n_events,) or (n_events, n_columns)
        What names an event, for example ``table["event"]``, or in data ``table[["run", "luminosityBlock", "event"]]``.
        Two tables must name their events by the same columns.
    fractions : sequence of 3 float
        Shares of train, validation and test; their sum is 1.
    random_state : int
        Seed, not negative.

    Returns
    -------
    Split

    Raises
    ------
    ConfigError
        If the fractions or the seed are no such numbers.
    DataError
        If the ids are not whole numbers, or a part with a share gets no event.

    Examples
    --------
    >>> split = split_events(range(10_000))
    >>> [len(part) for part in split]
    [6939, 1532, 1529]
    >>> backwards = range(9_999, -1, -1)
    >>> bool((9_999 - split_events(backwards).test[::-1] == split.test).all())
    True
    """
    part = parts_of(ids, fractions, random_state)
    split = Split(*(np.flatnonzero(part == number) for number in range(len(PARTS))))
    for name, rows, share in zip(PARTS, split, fractions, strict=True):
        if share > 0 and not len(rows):
            raise DataError(
                f"no event of {len(part)} falls into {name}, which should get {share:.0%} of them.",
                remedy="Use more events, or another seed if these were chosen by a split with the same one.",
            )
    return split


def parts_of(ids: Any, fractions: Sequence[float] = (0.7, 0.15, 0.15), random_state: int = 0) -> np.ndarray:
    """The part of each event: 0 for train, 1 for validation, 2 for test; parts may be empty.

    Parameters and errors as in `split_events`.

    Returns
    -------
    ndarray of int8, shape (n_events,)
    """
    fractions = np.asarray(fractions, dtype=float)
    good = fractions.shape == (len(PARTS),) and np.isfinite(fractions).all() and (fractions >= 0).all()
    if not good or abs(fractions.sum() - 1) > 1e-9:
        raise ConfigError(
            f"fractions must be three numbers from 0 to 1 with the sum 1, not {fractions.tolist()}.",
            remedy="The default is (0.7, 0.15, 0.15): train, validation, test.",
        )
    return np.searchsorted(np.cumsum(fractions)[:2], _lots(_columns(ids), random_state), side="right").astype(np.int8)


def require_disjoint(first: Any, second: Any) -> None:
    """Refuse two lists of event ids that share an event.

    Parameters
    ----------
    first, second : array_like or DataFrame of int, shape (n_events,) or (n_events, n_columns)

    Raises
    ------
    DataError
        If an event is in both; the message names the first one.

    Examples
    --------
    >>> require_disjoint([1, 2, 3], [3, 4])
    Traceback (most recent call last):
    ...
    cmslabs.errors.DataError: 1 of 2 events are in both lists, the first is 3. ...
    """
    ours, theirs = _columns(first), _columns(second)
    if ours.shape[1] != theirs.shape[1]:
        raise DataError(f"events with {ours.shape[1]} numbers each cannot be compared with {theirs.shape[1]} numbers.")
    known = {row.tobytes() for row in ours}
    shared = [row for row in theirs if row.tobytes() in known]
    if shared:
        name = ", ".join(str(number) for number in shared[0].view(np.int64))
        raise DataError(
            f"{len(shared)} of {len(theirs)} events are in both lists, the first is {name}.",
            remedy="Split by event id with split_events, before anything else is done.",
        )


def _columns(ids: Any) -> np.ndarray:
    """The ids as 64 bits each, shape (n_events, n_columns); the type of the integers does not matter."""
    columns = [ids[name] for name in ids.columns] if isinstance(ids, pd.DataFrame) else [np.asarray(ids)]
    if len(columns) == 1 and np.ndim(columns[0]) == 2:
        columns = list(np.asarray(columns[0]).T)
    arrays = [np.asarray(column) for column in columns]
    if not arrays or arrays[0].ndim != 1 or not arrays[0].size:
        raise DataError("there are no event ids.", remedy='Give one row of whole numbers per event: table["event"].')
    for array in arrays:
        if array.dtype.kind not in "iu":
            raise DataError(
                f"event ids must be whole numbers, not {array.dtype}.",
                remedy="Read them as integers: large ids lose their last digits as floating-point numbers.",
            )
    return np.stack([np.ascontiguousarray(array).astype(np.uint64) for array in arrays], axis=1)


def _lots(columns: np.ndarray, random_state: int) -> np.ndarray:
    """A number from 0 to 1 for each event, from a hash of its id and the seed."""
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer) or random_state < 0:
        raise ConfigError(f"the seed must be a whole number from 0, not {random_state!r}.")
    with np.errstate(over="ignore"):  # The hash wraps around on purpose.
        state = _mix(np.full(len(columns), random_state, dtype=np.uint64) + _GOLDEN)
        for column in columns.T:
            state = _mix((state ^ column) + _GOLDEN)
    # 53 bits are what a floating-point number holds.
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(state: np.ndarray) -> np.ndarray:
    """Scatter 64 bits: the finaliser of SplitMix (G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014,
    doi:10.1145/2660193.2660195) with the constants of its common variant, splitmix64.
    """
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))

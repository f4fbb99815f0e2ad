"""Event filters and triggers: decisions that the experiment took, one bit per event and name.

A name that the file does not have is an error, or is left out and recorded.  It never counts as passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import awkward as ak
import numpy as np

from cmslabs.errors import MissingBranchError, close_names
from cmslabs.objects.access import branch_name, get, has, source_of

__all__ = ["Decision", "event_filters", "trigger"]


@dataclass(frozen=True)
class Decision:
    """Which events pass, and what the decision rests on.

    Attributes
    ----------
    mask : ndarray of bool, shape (n_events,)
    used, skipped : tuple of str
        Branches that were read, and branches that were asked for and are not in the file.
    """

    mask: np.ndarray
    used: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def event_filters(events: ak.Array, names: Sequence[str], missing: Literal["error", "skip"] = "error") -> Decision:
    """Events that pass every filter: no beam halo, no noise, no dead cell in the way, a good vertex.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
    names : sequence of str
        Fields of ``Flag``.
    missing : "error" or "skip"
        What a filter that the file does not have is.  With ``skip`` the others decide; who records
        `Decision.skipped` knows that events passed without it.

    Raises
    ------
    MissingBranchError
        With the policy "error".

    Examples
    --------
    >>> events = ak.Array([{"Flag": {"goodVertices": True}}, {"Flag": {"goodVertices": False}}])
    >>> event_filters(events, ["goodVertices", "eeBadScFilter"], missing="skip")
    Decision(mask=array([ True, False]), used=('Flag_goodVertices',), skipped=('Flag_eeBadScFilter',))
    """
    there, gone = _present(events, "Flag", names, missing)
    mask = np.ones(len(events), dtype=bool)
    for name in there:
        mask &= _bit(events, "Flag", name)
    return Decision(mask, _branches("Flag", there), _branches("Flag", gone))


def trigger(events: ak.Array, paths: Sequence[str], missing: Literal["error", "skip"] = "error") -> Decision:
    """Events that at least one of the trigger paths has recorded.

    Parameters and result as for `event_filters`; `paths` are fields of ``HLT``.

    Raises
    ------
    MissingBranchError
        With the policy "error" if one path is missing; if all are, whatever the policy: no event
        could have been recorded by them, and nothing could be told from that.

    Examples
    --------
    >>> events = ak.Array([{"HLT": {"IsoMu24": True, "IsoTkMu24": False}}])
    >>> trigger(events, ["IsoMu24", "IsoTkMu24"]).mask
    array([ True])
    """
    there, gone = _present(events, "HLT", paths, missing)
    if not there:
        raise MissingBranchError(
            f"has none of the trigger paths {', '.join(_branches('HLT', paths)) or '(none were given)'}.",
            where=f"{source_of(events)}, Events",
            remedy="Name a path that the file has; " + _close_text(events, "HLT", paths),
        )
    mask = np.zeros(len(events), dtype=bool)
    for name in there:
        mask |= _bit(events, "HLT", name)
    return Decision(mask, _branches("HLT", there), _branches("HLT", gone))


def _bit(events: ak.Array, collection: str, name: str) -> np.ndarray:
    return ak.to_numpy(get(events, collection, name)) != 0


def _present(events: ak.Array, collection: str, names: Sequence[str], missing: str) -> tuple[list[str], list[str]]:
    """Which of the names are there and which are not."""
    known = set(events[collection].fields) if has(events, collection) else set()
    there, gone = [name for name in names if name in known], [name for name in names if name not in known]
    if gone and missing == "error":
        kind = {"Flag": "filters", "HLT": "triggers"}[collection]
        raise MissingBranchError(
            f"has no {', '.join(_branches(collection, gone))}.",
            where=f"{source_of(events)}, Events",
            remedy=f"Take the name out of the list, or set missing.{kind} to 'skip' to go on without and have it "
            f"recorded; {_close_text(events, collection, gone)}",
        )
    return there, gone


def _branches(collection: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(branch_name(collection, name) for name in names)


def _close_text(events: ak.Array, collection: str, names: Sequence[str]) -> str:
    known = events[collection].fields if has(events, collection) else []
    if not known:
        return f"it has no {collection}_* at all."
    close = list(dict.fromkeys(near for name in names for near in close_names(name, known)))
    return f"close names: {', '.join(_branches(collection, close)) or 'none'}."

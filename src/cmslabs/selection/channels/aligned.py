"""Small steps that channels share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import awkward as ak
import numpy as np

from cmslabs.objects.access import get

__all__ = ["count", "needing", "no_leptons", "passes_pt", "values_of"]


def count(mask: ak.Array) -> np.ndarray:
    """How many objects pass in each event."""
    return ak.to_numpy(ak.sum(mask, axis=1))


def passes_pt(leptons: ak.Array, least: Sequence[float]) -> np.ndarray:
    """Whether the leading, second, ... lepton of each event is above its least pT [GeV].

    Parameters
    ----------
    leptons : ak.Array of records, shape (n_events, at least len(least))
        By falling pT.
    """
    good = np.ones(len(leptons), dtype=bool)
    for position, pt in enumerate(least):
        good &= ak.to_numpy(leptons["pt"][:, position]) > pt
    return good


def values_of(candidates: ak.Array, *path: str) -> Callable[[], np.ndarray]:
    """What makes a column from a field of the candidates: ``values_of(pairs, "l1", "pt")``."""
    return lambda: ak.to_numpy(candidates[path])


def needing(events: ak.Array, collection: str, name: str, make: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
    """`make`, but a branch that is not there is called by its name first."""

    def checked() -> np.ndarray:
        get(events, collection, name)
        return make()

    return checked


def no_leptons(n_events: int) -> ak.Array:
    """An empty list for each event, with the fields of a lepton."""
    nothing = ak.zip({name: np.zeros(0) for name in ("pt", "eta", "phi", "mass", "charge")})
    return ak.unflatten(nothing, np.zeros(n_events, dtype=np.int64))

"""A simulation that is wrong in a known way: background events, smoothly bent."""

from __future__ import annotations

import pandas as pd

from cmslabs.search.estimate import Columns

__all__ = ["distorted"]

#: Each feature moves by so much of its spread in the middle of the contexts, and so much more per spread of these.
SHIFT, DRIFT = 0.15, 0.05
#: Every context's distance from its smallest value is stretched by this factor.
STRETCH = 1.05


def distorted(events: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """The morphed option for the simulation: the same generator, bent by a map that is smooth in features and context.

    Features are shifted by a share of their spread, every second one downwards, more so at a larger context; contexts
    are stretched.  So the right answer exists: the inverse map, the same in control and signal region.

    Examples
    --------
    >>> events = pd.DataFrame({"x": [0.0, 1.0], "ht": [800.0, 1000.0]})
    >>> distorted(events, Columns(("x",), ("ht",))).round(3).to_dict("list")
    {'x': [0.05, 1.1], 'ht': [800.0, 1010.0]}
    """
    bent = events.copy()
    contexts = events[list(columns.context)]
    level = ((contexts - contexts.mean()) / contexts.std(ddof=0)).mean(axis=1)
    for number, name in enumerate(columns.features):
        spread = events[name].std(ddof=0)
        bent[name] = events[name] + (-1) ** number * spread * (SHIFT + DRIFT * level)
    for name in columns.context:
        low = events[name].min()
        bent[name] = low + STRETCH * (events[name] - low)
    return bent

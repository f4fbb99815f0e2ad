"""The background extrapolation in two Gaussian dimensions: everything is known, and it trains in seconds.

The context (m1, m2) is normal, wider in the simulation than in the data; the one feature x drifts with it.  The signal
sits far out in both.  Contexts and drift are those of the toy of arXiv:2311.12924; that the simulation's x is shifted
and too wide is ours: without it, context weights would correct everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cmslabs.search.estimate import Columns
from cmslabs.search.problem import Sample
from cmslabs.search.regions import Regions

__all__ = ["SIMULATION_SHIFT", "SIMULATION_WIDTH", "ToyProblem", "toy_events"]

#: Widths of the context around -1: data and simulation.
WIDTHS = {"background": 2.0, "simulation": 2.8}
#: By how much the simulation's x lies too high, and how wide it is there, in units of the truth.
SIMULATION_SHIFT, SIMULATION_WIDTH = 0.2, 1.1
#: Centre and width of the signal's context, and how far its x lies above the background's.
SIGNAL, SIGNAL_SHIFT = (2.8, 0.5), 2.0


def toy_events(kind: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw events.

    Parameters
    ----------
    kind : {"background", "simulation", "signal"}
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    pandas.DataFrame, shape (n, 3)
        ``m1``, ``m2``, ``x``: pure numbers.

    Examples
    --------
    >>> events = toy_events("background", 100_000, np.random.default_rng(0))
    >>> bool(abs(((events.m1 > 1) & (events.m2 > 1)).mean() - 0.0252) < 0.002)
    True
    """
    centre, width = SIGNAL if kind == "signal" else (-1.0, WIDTHS[kind])
    m = rng.normal(centre, width, size=(n, 2))
    shift = {"background": 0.0, "simulation": SIMULATION_SHIFT, "signal": SIGNAL_SHIFT}[kind]
    spread = SIMULATION_WIDTH if kind == "simulation" else 1.0
    x = rng.normal(0.5 * m.sum(axis=1) / np.sqrt(2) + shift, spread)
    return pd.DataFrame({"m1": m[:, 0], "m2": m[:, 1], "x": x})


@dataclass(frozen=True)
class ToyProblem:
    """The toy as a search: signal region m1 > 1 and m2 > 1.

    Attributes
    ----------
    events : int
        Background events; 2.5 % of them lie in the signal region.  Simulation has as many.
    signal : int
        Signal events that can be injected, and as many to judge with.
    """

    events: int = 100_000
    signal: int = 4000

    columns = Columns(("x",), ("m1", "m2"))
    regions = Regions({"m1": (1.0, None), "m2": (1.0, None)})

    def draw(self, seed: int) -> Sample:
        """New events for every seed."""
        rng = np.random.default_rng([seed, 65])
        data, ideal = (toy_events("background", self.events, rng) for _ in range(2))
        test = toy_events("background", 4 * self.events, rng)
        simulation = toy_events("simulation", self.events, rng)
        signal, test_signal = (toy_events("signal", self.signal, rng) for _ in range(2))
        inside = self.regions.in_signal
        return Sample(
            data, simulation, ideal[inside(ideal)], test[inside(test)], signal, test_signal[inside(test_signal)]
        )

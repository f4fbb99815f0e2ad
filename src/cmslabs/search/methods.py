"""Every method of a scan behind one call: from a control region to an estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.search.estimate import Columns, ControlRegion, Estimate
from cmslabs.search.generate import Generate
from cmslabs.search.morph import Morph
from cmslabs.search.problem import Injected, Sample
from cmslabs.search.regions import Regions
from cmslabs.search.reweight import ContextWeights, Reweight
from cmslabs.search.sidebands import Cathode, Cwola

__all__ = ["Uncorrected", "estimate_all"]


class Uncorrected:
    """The simulation as it is, scaled to the control region's data: the trivial baseline."""

    name = "simulation"

    def fit(self, control: ControlRegion) -> Uncorrected:
        """Compare the numbers of events in the control region."""
        self.scale_ = len(control.data) / len(control.needed_simulation(self.name))
        return self

    def estimate(self, simulation: pd.DataFrame) -> Estimate:
        """The signal region's simulation, every event with the same weight."""
        return Estimate(simulation, np.full(len(simulation), self.scale_))


def estimate_all(
    names: list[str],
    columns: Columns,
    regions: Regions,
    control: ControlRegion,
    simulation: pd.DataFrame | None,
    random_state: int,
    ratio: Mapping[str, Any],
    flow: Mapping[str, Any],
    tick: Callable[[str], None] = lambda name: None,
) -> dict[str, Estimate]:
    """Estimates of the methods that learn from data, by name; generate and morph share their context weights.

    Parameters
    ----------
    names : list of str
        Some of `cmslabs.search.scan_config.METHODS`, without "supervised" and "ideal".
    columns, regions, control
        The search.
    simulation : DataFrame or None
        Of the signal region.
    random_state : int
    ratio, flow : mapping
        Parameters of `DensityRatio` and `ConditionalFlow`.
    tick : callable
        Called with the name of each method before it is fitted.
    """
    contexts = None
    if {"context", "generate", "morph"} & set(names):
        tick("context")
        contexts = ContextWeights(columns, random_state, **ratio).fit(control)
    make: dict[str, Callable[[], Any]] = {
        "simulation": Uncorrected,
        "reweight": lambda: Reweight(columns, random_state, **ratio),
        "generate": lambda: Generate(columns, random_state, contexts, dict(flow)),
        "morph": lambda: Morph(columns, random_state, contexts, dict(flow)),
        "cwola": lambda: Cwola(columns, regions, random_state),
        "cathode": lambda: Cathode(columns, regions, random_state, dict(flow)),
    }
    found = {}
    for name in names:
        tick(name)
        method = contexts if name == "context" else make[name]().fit(control)
        found[name] = method.estimate(simulation)
    return found


def ideal_estimate(sample: Sample, injected: Injected) -> Estimate:
    """True background, scaled to the number that the data hold."""
    return Estimate(sample.ideal, np.full(len(sample.ideal), injected.n_background / len(sample.ideal)))

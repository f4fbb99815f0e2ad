"""A search to be tried many times: where its events come from, and how a signal is hidden among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError, DataError
from cmslabs.search.estimate import Columns, ControlRegion
from cmslabs.search.regions import Regions

__all__ = ["Injected", "Problem", "Sample", "check_injection", "control_region", "inject"]


@dataclass(frozen=True)
class Sample:
    """One throw of everything that a search needs; all parts are disjoint.

    Attributes
    ----------
    data : DataFrame
        Background of both regions, into which signal is injected.
    simulation : DataFrame or None
        Of both regions.
    ideal, test : DataFrame
        True background of the signal region: the reference that nobody has, and events to judge with.
    signal, test_signal : DataFrame
        Of all regions, to be injected; of the signal region, to judge with.
    """

    data: pd.DataFrame
    simulation: pd.DataFrame | None
    ideal: pd.DataFrame
    test: pd.DataFrame
    signal: pd.DataFrame
    test_signal: pd.DataFrame


class Problem(Protocol):
    """What `cmslabs.search.scan` needs to know of a search."""

    columns: Columns
    regions: Regions

    def draw(self, seed: int) -> Sample:
        """The events of one try."""
        ...


@dataclass(frozen=True)
class Injected:
    """Data with a hidden signal.

    Attributes
    ----------
    signal_region, control : DataFrame
        Data of the two regions, with the column ``label`` (1 for signal), which only the bound may read.
    n_signal, n_background : int
        Events of either kind in the signal region.
    n_control : int
        Signal events in the control region.
    """

    signal_region: pd.DataFrame
    control: pd.DataFrame
    n_signal: int
    n_background: int
    n_control: int

    @property
    def s_over_b(self) -> float:
        """In the signal region."""
        return self.n_signal / self.n_background

    @property
    def s_over_sqrt_b(self) -> float:
        """In the signal region."""
        return float(self.n_signal / np.sqrt(self.n_background))

    @property
    def contamination(self) -> float:
        """Share of the control region's events that are signal."""
        return self.n_control / len(self.control)


def inject(sample: Sample, regions: Regions, s_over_b: float, rng: np.random.Generator) -> Injected:
    """Hide signal events in the data.

    The number is a Poisson number over *all* regions, with the mean that puts `s_over_b` times the background into the
    signal region.  What lands beside it contaminates the control region, as it would in nature.

    Parameters
    ----------
    sample : Sample
    regions : Regions
    s_over_b : float
        Expected signal over background in the signal region, after the selection.
    rng : numpy.random.Generator

    Raises
    ------
    ConfigError
        If it is negative, or needs more signal events than there are.
    DataError
        If a region is empty, or no signal lands in the signal region.
    """
    if not np.isfinite(s_over_b) or s_over_b < 0:
        raise ConfigError(f"a signal over background of {s_over_b!r} is not possible.", where="injections")
    inside, beside = regions.split(sample.data, "the data")
    chosen = sample.signal.iloc[:0]
    if s_over_b > 0:
        n = int(rng.poisson(_mean_signal(sample, regions, s_over_b, len(inside))))
        if n > len(sample.signal):
            raise _too_few(s_over_b, n, sample)
        chosen = sample.signal.iloc[rng.permutation(len(sample.signal))[:n]]
    hit, missed = regions.in_signal(chosen), regions.in_control(chosen)
    parts = [
        pd.concat([background.assign(label=0), signal.assign(label=1)], ignore_index=True)
        for background, signal in ((inside, chosen[hit]), (beside, chosen[missed]))
    ]
    return Injected(*parts, int(hit.sum()), len(inside), int(missed.sum()))


def check_injection(sample: Sample, regions: Regions, s_over_b: float) -> None:
    """Whether there is enough signal for this injection, a large Poisson number included, before anything is trained.

    Raises
    ------
    ConfigError, DataError
        As `inject`.
    """
    if s_over_b > 0:
        mean = _mean_signal(sample, regions, s_over_b, len(regions.split(sample.data, "the data")[0]))
        if (wanted := int(mean + 5 * np.sqrt(mean))) > len(sample.signal):
            raise _too_few(s_over_b, wanted, sample)


def _mean_signal(sample: Sample, regions: Regions, s_over_b: float, n_background: int) -> float:
    share = regions.in_signal(sample.signal).mean() if len(sample.signal) else 0.0
    if share == 0:
        raise DataError(f"none of the {len(sample.signal)} signal events lies in the signal region.")
    return s_over_b * n_background / share


def _too_few(s_over_b: float, wanted: int, sample: Sample) -> ConfigError:
    return ConfigError(
        f"S/B = {s_over_b:g} needs {wanted} signal events, but there are {len(sample.signal)}.",
        where="injections",
        remedy="Inject less, or simulate more signal.",
    )


def control_region(injected: Injected, sample: Sample, regions: Regions) -> tuple[ControlRegion, pd.DataFrame | None]:
    """What methods may learn from, and the signal region's simulation that they estimate with (None without any)."""
    if sample.simulation is None:
        return ControlRegion(injected.control), None
    inside, beside = regions.split(sample.simulation, "the simulation")
    return ControlRegion(injected.control, beside), inside

"""What every method gives: weighted events that should look like the background of the signal region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cmslabs.errors import DataError
from cmslabs.search.scaler import FeatureScaler

__all__ = ["Columns", "ControlRegion", "Estimate", "bounded_weights"]

#: A log ratio beyond this is set to it: no event weighs more than 400 times its share, and none is thrown away.
LARGEST_LOG_WEIGHT = 6.0


@dataclass(frozen=True)
class Columns:
    """Which columns a method sees, and on which scale.

    Attributes
    ----------
    features, context : tuple of str
    log_context : bool
        Whether the context's logarithm is scaled.
    """

    features: tuple[str, ...]
    context: tuple[str, ...]
    log_context: bool = False

    @property
    def all(self) -> tuple[str, ...]:
        """Features and context."""
        return (*self.features, *self.context)

    def scaler(self, simulation: pd.DataFrame, columns: Sequence[str] | None = None) -> FeatureScaler:
        """The scale of these columns, measured on simulation."""
        wanted = self.all if columns is None else tuple(columns)
        logarithmic = [name for name in wanted if name in self.context] if self.log_context else []
        return FeatureScaler.of(simulation, wanted, logarithmic)


@dataclass(frozen=True)
class ControlRegion:
    """Events beside the signal region.

    Attributes
    ----------
    data : DataFrame
    simulation : DataFrame or None
        Methods that need none say so by working without.
    """

    data: pd.DataFrame
    simulation: pd.DataFrame | None = None

    def needed_simulation(self, method: str) -> pd.DataFrame:
        """The simulation, or an error that says who needs it."""
        if self.simulation is None or not len(self.simulation):
            raise DataError(f"the method '{method}' needs simulated events of the control region.")
        return self.simulation


@dataclass(frozen=True)
class Estimate:
    """Weighted events of the signal region.

    Attributes
    ----------
    table : DataFrame
        Features and context.
    weights : ndarray, shape (n_events,)
        Their sum is the expected number of background events.
    clipped : float
        Share of the events whose weight was bounded.
    """

    table: pd.DataFrame
    weights: np.ndarray
    clipped: float = 0.0

    @property
    def expected(self) -> float:
        """Expected background events."""
        return float(self.weights.sum())

    @property
    def effective(self) -> float:
        """So many events of equal weight would fluctuate as much: (sum w)**2 / sum w**2."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())


def bounded_weights(log_ratio: np.ndarray, log_share: float) -> tuple[np.ndarray, float]:
    """Weights from log density ratios, bounded, and the share of them that was.

    Parameters
    ----------
    log_ratio : ndarray, shape (n_events,)
        Of the densities.
    log_share : float
        Log of the ratio of the samples' sizes: it makes yields of them.

    Raises
    ------
    DataError
        If all weights are equal, because the classifier has learnt nothing, or because all of them are bounded.
    """
    bounded = np.clip(log_ratio, -LARGEST_LOG_WEIGHT, LARGEST_LOG_WEIGHT)
    if len(bounded) > 1 and (bounded != log_ratio).all():
        raise DataError(
            f"all {len(bounded)} weights lie beyond the bound of e^{LARGEST_LOG_WEIGHT:g}: data and simulation do not "
            "overlap.",
            remedy="Compare their columns, and the units.",
        )
    if len(bounded) > 1 and np.ptp(bounded) < 1e-9:
        raise DataError(
            "all weights are equal: the classifier between data and simulation has learnt nothing.",
            remedy="Give more events or epochs, or a smaller learning rate; identical samples need no weights.",
        )
    return np.exp(bounded + log_share), float((bounded != log_ratio).mean())

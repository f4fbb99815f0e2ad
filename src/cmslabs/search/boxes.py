"""A sealed box, searched with all that the course has taught: a direction in the detector, and a scan of mass windows.

What was decided before any box was opened stands here as constants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError, DataError
from cmslabs.features.dijets import DETECTOR_FEATURES, detector_features
from cmslabs.search.tables import columns_of
from cmslabs.search.windows import WindowScan, make_mass_windows, scan_windows

__all__ = ["EDGES", "BoxSearch", "direction_p", "evidence", "search_box"]

#: Bins of the mass spectrum [GeV]; below, the trigger bends it.
EDGES = np.arange(2600.0, 6001.0, 100.0)
#: Centres of the first and last window [GeV]: where a W' of a box may be, and no wider.
CENTRES = (3000.0, 4300.0)
EFFICIENCY = 0.02
#: Share of events, those with the largest missing momentum, whose directions are looked at.
HIGHEST_MET = 0.03
TREES = {"folds": 5, "members": 3}
MAX_TOYS = 500


@dataclass(frozen=True)
class BoxSearch:
    """Result of `search_box`.

    Attributes
    ----------
    p_direction : float
        Probability that the events with the most missing momentum point in one direction by chance.
    scan : WindowScan
    """

    p_direction: float
    scan: WindowScan

    @property
    def p_window(self) -> float:
        """Of the best window, all windows counted."""
        return self.scan.p

    @property
    def signal(self) -> tuple[float, float]:
        """Events of the best window's bump behind the cut, and their uncertainty."""
        hunt = self.scan.hunts[self.scan.best]
        return hunt.signal_yield, hunt.signal_yield_error

    def probabilities(self) -> dict[str, float]:
        """What to believe of the box: the probability of each kind that it may hold.

        All kinds are as likely before it is opened.  For what a p-value says against "nothing", see `evidence`.
        """
        odds = {"nothing": 1.0, "wprime": evidence(self.p_window), "hot-cell": evidence(self.p_direction)}
        return {kind: value / sum(odds.values()) for kind, value in odds.items()}

    @property
    def mass(self) -> float:
        """Of the best window's bump [GeV]."""
        return float(self.scan.table["mass"].iloc[self.scan.best])

    @property
    def mass_error(self) -> float:
        """Width of that bump over the root of its events [GeV]: what its centre is known to."""
        hunt = self.scan.hunts[self.scan.best]
        return float(max(hunt.width, 1.0) / np.sqrt(max(hunt.signal_yield, 1.0)))


def evidence(p: float) -> float:
    """How many times likelier data with this p-value are if there is something.

    The calibrator (1 - p + p log p) / (p log(p)**2): the mean of the bets e p**(e - 1), e from 0 to 1.
    For a uniform p its expectation is 1, so that nobody who bets like this wins against "nothing" in the long run
    (V. Vovk, R. Wang, doi:10.1214/20-AOS2020).

    Examples
    --------
    >>> [round(evidence(p), 2) for p in (1.0, 0.5, 0.05, 1e-4)]
    [0.5, 0.64, 1.78, 117.76]
    """
    if not 0 <= p <= 1:
        raise DataError(f"{p!r} is no p-value.")
    p = max(p, 1e-300)
    if p > 1 - 1e-4:
        return 0.5
    return float((1 - p + p * np.log(p)) / (p * np.log(p) ** 2))


def direction_p(table: pd.DataFrame, share: float = HIGHEST_MET) -> float:
    """Do the events with the most missing momentum favour one azimuth?

    Collisions know no azimuth; a detector does.  Rayleigh's test: the mean vector of the leading jets' azimuths has the
    length R, and without a favoured direction P(n R**2 > z) is about
    exp(sqrt(1 + 4 n + 4 (n**2 - (n R)**2)) - (1 + 2 n)) (J. H. Zar, *Biostatistical Analysis*, 1999, eq. 27.4).

    Parameters
    ----------
    table : DataFrame
        With ``met``, ``pxj1`` and ``pyj1`` [GeV].
    share : float
        Of the events.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> phi = rng.uniform(-np.pi, np.pi, 20_000)
    >>> table = pd.DataFrame({"met": rng.exponential(30.0, 20_000), "pxj1": np.cos(phi), "pyj1": np.sin(phi)})
    >>> even = direction_p(table)
    >>> hot = table.assign(met=table["met"] + 200.0 * ((phi > 1.0) & (phi < 1.1)))
    >>> bool(even > 0.01 > 1e-9 > direction_p(hot))
    True
    """
    if not 0 < share <= 1:
        raise ConfigError(f"a share of {share!r} is not possible.")
    met, px, py = columns_of(table, ["met", "pxj1", "pyj1"]).T
    n = round(share * len(table))
    if n < 10:
        raise DataError(f"{share:g} of {len(table)} events are too few for a direction.")
    rows = np.argsort(met)[-n:]
    phi = np.arctan2(py[rows], px[rows])
    length = float(np.hypot(np.cos(phi).sum(), np.sin(phi).sum()))
    return float(min(1.0, np.exp(np.sqrt(1 + 4 * n + 4 * (n**2 - length**2)) - (1 + 2 * n))))


def search_box(
    table: pd.DataFrame, random_state: int = 0, max_toys: int = MAX_TOYS, tick: Callable[[int], None] | None = None
) -> BoxSearch:
    """Search one box.

    Parameters
    ----------
    table : DataFrame
        As `cmslabs.simulation.boxes.read_box` gives it.
    random_state : int
    max_toys : int
        Of each window's bump hunt.
    tick : callable, optional
        Called with the number of finished windows.

    Returns
    -------
    BoxSearch
    """
    events = detector_features(table).assign(mjj=table["mjj"].to_numpy(dtype=float))
    scan = scan_windows(
        events,
        list(DETECTOR_FEATURES),
        make_mass_windows(*CENTRES),
        EDGES,
        efficiency=EFFICIENCY,
        random_state=random_state,
        max_toys=max_toys,
        tick=tick,
        **TREES,
    )
    return BoxSearch(direction_p(table), scan)

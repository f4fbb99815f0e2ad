"""The events at the top of a list, one display below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from cmslabs.errors import DataError
from cmslabs.plotting.events import plot_event
from cmslabs.plotting.style import STYLE, WIDTH

__all__ = ["plot_top_events"]

#: More displays than this are no figure any more.
MOST = 6


def plot_top_events(
    events: Sequence[Any],
    titles: Sequence[str],
    *,
    simulation: bool,
    jets: Sequence[Any] | None = None,
    radius: float = 1.0,
    eta_max: float = 2.5,
) -> list[Axes]:
    """Show several events in one figure, with the same axes and one legend below all.

    Parameters
    ----------
    events : sequence
        One to six events, each as `cmslabs.plotting.events.plot_event` takes it: records with pt [GeV], eta, phi
        [rad], or a mapping of names to such records, for example ``{"Jet 1": e.j1, "Jet 2": e.j2}``.
    titles : sequence of str
        Printed above each display, for example its rank, event number and score.
    simulation : bool
        Whether the events are simulated; printed above each display.
    jets : sequence, optional
        The clustered jets of each event.
    radius : float
        Radius of their circles.
    eta_max : float
        Range of the eta axis.

    Returns
    -------
    list of matplotlib.axes.Axes
        The area of a marker is proportional to pT within its display.

    Raises
    ------
    DataError
        If there is no event, there are more than six, or not one title for each; and as `plot_event`.

    Examples
    --------
    >>> import awkward as ak
    >>> event = ak.Array([{"pt": 60.0, "eta": 0.3, "phi": 3.0}, {"pt": 45.0, "eta": -1.0, "phi": -0.2}])
    >>> axes = plot_top_events([event, event], ["1: event 7", "2: event 3"], simulation=True)
    >>> [ax.texts[1].get_text() for ax in axes]
    ['1: event 7', '2: event 3']
    """
    import matplotlib.pyplot as plt

    if not 1 <= len(events) <= MOST:
        raise DataError(f"{len(events)} displays are no figure.", remedy=f"Choose 1 to {MOST} events.")
    if len(titles) != len(events) or (jets is not None and len(jets) != len(events)):
        raise DataError(f"{len(events)} events need as many titles, and as many lists of jets if there are any.")
    with mpl.rc_context(STYLE):
        size = (WIDTH, 0.6 + 2.9 * len(events))
        figure, grid = plt.subplots(len(events), 1, figsize=size, sharex=True, squeeze=False)
        axes = list(grid[:, 0])
        for number, (ax, event) in enumerate(zip(axes, events, strict=True)):
            own_jets = None if jets is None else jets[number]
            circles = {"jets": own_jets, "radius": radius, "eta_max": eta_max}
            plot_event(event, simulation=simulation, source=titles[number], ax=ax, **circles)
            if ax.get_legend() is not None:
                ax.get_legend().remove()
            ax.label_outer()
        entries = {}
        for ax in axes:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                # The pT of a jet stands in its name: one entry for each number, not for each event.
                entries.setdefault(label.partition(":")[0], handle)
        if entries:
            place = {"loc": "outside lower center", "ncols": 3, "frameon": False}
            figure.legend(entries.values(), entries.keys(), fontsize=STYLE["legend.fontsize"], **place)
    return axes

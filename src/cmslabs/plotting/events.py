"""One event or one jet at a time: the detector's cylinder unrolled into the plane of eta and phi."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

from cmslabs.errors import DataError, MissingBranchError
from cmslabs.plotting.style import COLORS, MARKERS, STYLE, label_axes, new_figure

__all__ = ["plot_event", "plot_jet"]

#: Marker area [points squared] of the hardest object on the plot, and of the softest at least.
LARGEST, SMALLEST = 400.0, 8.0


def plot_event(
    objects: Any,
    *,
    simulation: bool,
    jets: Any = None,
    radius: float = 1.0,
    n_jets: int = 2,
    eta_max: float | None = None,
    source: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show where an event's particles or objects went; a marker's area is proportional to its pT.

    Parameters
    ----------
    objects : ak.Array of records, or mapping of name to such arrays
        One event: records with ``pt`` [GeV], ``eta``, ``phi`` [rad], for example ``events.particles[0]`` or
        ``{"Muons": events.Muon[0], "Jets": events.Jet[0]}``.  A mapping gives each collection its own colour
        and marker, and a legend.
    simulation : bool
        Whether the event is simulated; printed above the plot.
    jets : ak.Array of records, optional
        The event's clustered jets by falling pT: a circle each, and their constituents, if they have any,
        in the jet's colour.
    radius : float
        Radius of the circles.
    n_jets : int
        Show the first so many jets.
    eta_max : float, optional
        Range of the eta axis; by default as far as the objects reach, at least 2.5.
    source : str, optional
        The data set, printed above the plot.
    ax : matplotlib.axes.Axes, optional
        Draw here; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        phi runs from -pi to pi: what leaves at the top comes in at the bottom, circles too.

    Raises
    ------
    MissingBranchError
        If a collection lacks pt, eta or phi.
    DataError
        If a collection holds several events or a value that is not finite.

    Examples
    --------
    >>> import awkward as ak
    >>> event = ak.Array([{"pt": 60.0, "eta": 0.3, "phi": 3.0}, {"pt": 45.0, "eta": -1.0, "phi": -0.2}])
    >>> ax = plot_event({"Muons": event}, simulation=True)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('$\\\\eta$', '$\\\\phi$ [rad]')
    """
    named = objects if isinstance(objects, Mapping) else {None: objects}
    columns = {name: _columns(one, name) for name, one in named.items()}
    chosen = [] if jets is None else list(jets[:n_jets])
    circles = _columns(jets[:n_jets], "jets") if chosen else np.empty((3, 0))
    pt_max = max([column[0].max(initial=0) for column in columns.values()], default=0)
    own = ax is None
    ax = new_figure(height=4.8)[1] if own else ax

    for index, (name, column) in enumerate(columns.items()):
        plain = COLORS[3] if chosen else COLORS[index % len(COLORS)]
        _scatter(ax, column, pt_max, color=plain, marker=MARKERS[index % len(MARKERS)], label=name)
    for index, jet in enumerate(chosen):
        color = COLORS[(0, 2, 4, 6, 8)[index % 5]]
        if "constituents" in ak.fields(jet):
            inside = _columns(jet.constituents, f"constituents of jet {index + 1}")
            _scatter(ax, inside, pt_max, color=color, marker=MARKERS[index % len(MARKERS)], label=None)
        _circle(
            ax, circles[1, index], circles[2, index], radius, color, f"Jet {index + 1}: {circles[0, index]:.0f} GeV"
        )

    reach = max((np.abs(column[1]).max(initial=0) for column in [*columns.values(), circles]), default=0)
    eta_max = max(2.5, 1.1 * reach) if eta_max is None else eta_max
    ax.set_xlim(-eta_max, eta_max)
    ax.set_ylim(-np.pi, np.pi)
    ax.set_yticks([-np.pi, -np.pi / 2, 0, np.pi / 2, np.pi], [r"$-\pi$", r"$-\pi/2$", "0", r"$\pi/2$", r"$\pi$"])
    if ax.get_legend_handles_labels()[1]:
        # Below the plot, where it hides no particle; the caller's axes may have neighbours there.
        place = {"loc": "outside lower center", "ncols": 3} if own else {"loc": "best"}
        (ax.figure if own else ax).legend(**place, fontsize=STYLE["legend.fontsize"], frameon=False)
    return label_axes(ax, simulation, xlabel=r"$\eta$", ylabel=r"$\phi$", yunit="rad", source=source)


def plot_jet(
    constituents: Any,
    *,
    simulation: bool,
    axes: Sequence[tuple[float, float]] | None = None,
    centre: tuple[float, float] | None = None,
    radius: float = 1.0,
    pt_max: float | None = None,
    source: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show one jet from the inside: where its constituents lie around its axis; area is proportional to pT.

    Parameters
    ----------
    constituents : ak.Array of records, or mapping of name to such arrays
        One jet: records with ``pt`` [GeV], ``eta``, ``phi`` [rad], for example ``events.j1[0]``.  A mapping, such
        as ``{"kept": ..., "dropped": ...}``, gives each part its own colour and marker.
    simulation : bool
        Whether the jet is simulated; printed above the plot.
    axes : sequence of (eta, phi), optional
        Axes inside the jet, drawn as crosses.  Constituents that are not a mapping then take the colour and the
        marker of the nearest one.
    centre : (eta, phi), optional
        What lies in the middle; by default the direction of the sum of all constituents.
    radius : float
        Radius of the dashed circle around the middle, and, with a tenth more, half the width of the plot.
    pt_max : float, optional
        The pT [GeV] that has the largest area: the same number makes several plots comparable.  By default that of
        the hardest constituent.
    source, ax
        As in `plot_event`.

    Returns
    -------
    matplotlib.axes.Axes
        Differences to the centre; those in phi are the short way round.

    Raises
    ------
    MissingBranchError
        If pt, eta or phi is missing.
    DataError
        If there are several jets, no constituent, or a value that is not finite.

    Examples
    --------
    >>> import awkward as ak
    >>> jet = ak.Array([{"pt": 60.0, "eta": 0.3, "phi": 3.1}, {"pt": 60.0, "eta": 0.5, "phi": -3.1}])
    >>> ax = plot_jet(jet, simulation=True, axes=[(0.3, 3.1), (0.5, -3.1)])
    >>> [[round(float(number), 2) for number in marker.get_offsets()[0]] for marker in ax.collections[:2]]
    [[-0.1, -0.04], [0.1, 0.04]]
    """
    split = isinstance(constituents, Mapping)
    columns = {name: _columns(one, name) for name, one in (constituents if split else {None: constituents}).items()}
    everything = np.concatenate(list(columns.values()), axis=1)
    if not everything.size:
        raise DataError("the jet has no constituent.", remedy="Choose one that has: ak.num(jets) > 0.")
    centre = _direction(everything) if centre is None else centre
    crosses = np.empty((2, 0)) if axes is None else _around(np.transpose(np.atleast_2d(axes)), centre)
    pt_max = everything[0].max() if pt_max is None else pt_max
    columns = {name: np.concatenate([one[:1], _around(one[1:], centre)]) for name, one in columns.items()}
    if not split and crosses.size:
        distance = np.hypot(*(columns[None][1:, :, np.newaxis] - crosses[:, np.newaxis]))
        columns = {(None, n): columns[None][:, distance.argmin(axis=1) == n] for n in range(crosses.shape[1])}
    ax = new_figure(height=5.6)[1] if ax is None else ax
    for index, (name, column) in enumerate(columns.items()):
        look = {"color": COLORS[(0, 2, 4, 6, 8)[index % 5]], "marker": MARKERS[index % len(MARKERS)]}
        _scatter(ax, column, pt_max, label=name if split else None, **look)
    ax.plot(*crosses, linestyle="none", marker="+", color="black", markersize=16, markeredgewidth=2)
    ax.add_patch(Ellipse((0, 0), 2 * radius, 2 * radius, fill=False, edgecolor=COLORS[8], linestyle="--"))
    ax.set(xlim=(-1.1 * radius, 1.1 * radius), ylim=(-1.1 * radius, 1.1 * radius), aspect="equal")
    if split:
        ax.legend(loc="best", fontsize=STYLE["legend.fontsize"])
    return label_axes(ax, simulation, xlabel=r"$\Delta\eta$", ylabel=r"$\Delta\phi$", yunit="rad", source=source)


def _direction(columns: np.ndarray) -> tuple[float, float]:
    """eta and phi of the sum of massless particles."""
    pt, eta, phi = columns
    px, py, pz = (pt * np.cos(phi)).sum(), (pt * np.sin(phi)).sum(), (pt * np.sinh(eta)).sum()
    return float(np.arcsinh(pz / np.hypot(px, py))), float(np.arctan2(py, px))


def _around(places: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """eta and phi, shape (2, n), as differences to the centre."""
    turned = np.angle(np.exp(1j * (places[1] - centre[1])))
    return np.stack([places[0] - centre[0], turned])


def _columns(objects: Any, name: Any) -> np.ndarray:
    """pt, eta, phi of one collection, shape (3, n)."""
    what = "the objects" if name is None else f"'{name}'"
    fields = ak.fields(objects)
    missing = [field for field in ("pt", "eta", "phi") if field not in fields]
    if missing:
        raise MissingBranchError(
            f"{what} have no {missing[0]} (they have: {', '.join(fields) or 'no fields'}).",
            remedy="Give records with pt, eta and phi.",
        )
    if objects.ndim != 1:
        raise DataError(f"{what} hold more than one event.", remedy="Choose one: events.particles[0].")
    columns = np.array([np.asarray(objects[field], dtype=float) for field in ("pt", "eta", "phi")])
    if not np.isfinite(columns).all():
        raise DataError(f"{what} hold values that are not finite.", remedy="Look at pt, eta and phi of this event.")
    # Any turn of phi is the same direction; the plot has room for one.
    columns[2] = np.angle(np.exp(1j * columns[2]))
    return columns


def _scatter(ax: Axes, columns: np.ndarray, pt_max: float, *, color, marker: str, label: Any) -> None:
    pt, eta, phi = columns
    area = np.maximum(SMALLEST, LARGEST * pt / pt_max) if pt_max > 0 else SMALLEST
    ax.scatter(eta, phi, s=area, color=color, marker=marker, alpha=0.6, linewidth=0)
    if label is not None:
        ax.scatter([], [], s=50, color=color, marker=marker, label=label)


def _circle(ax: Axes, eta: float, phi: float, radius: float, color, label: str) -> None:
    """A circle, and its images above and below, of which the axes show what belongs there."""
    for turn in (-2 * np.pi, 0, 2 * np.pi):
        shape = {"fill": False, "edgecolor": color, "linewidth": 2, "label": label if turn == 0 else None}
        ax.add_patch(Ellipse((eta, phi + turn), 2 * radius, 2 * radius, **shape))

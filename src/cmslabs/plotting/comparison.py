"""Data and expectation: a stack of processes, its uncertainty, the data, and below them their ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cmslabs.errors import DataError
from cmslabs.plotting.binned import Spectrum
from cmslabs.plotting.decor import place_legend
from cmslabs.plotting.expected import Expected, expected_events, observed_events
from cmslabs.plotting.spectra import events_label
from cmslabs.plotting.style import COLORS, axis_label, label_axes, new_figure

__all__ = ["plot_comparison", "poisson_interval"]

#: How far the ratio panel may reach above and below 1, the smallest that holds most points is taken.
REACHES = (0.1, 0.2, 0.5, 1.0)
DASHES = ("--", ":", "-.")


def plot_comparison(
    histogram: Any,
    *,
    data: Sequence[str] | str,
    stack: Mapping[str, Sequence[str] | str],
    simulation: bool,
    xlabel: str,
    unit: str | None,
    systematics: Sequence[str] | None = None,
    overflow: str = "omit",
    data_label: str | None = None,
    lines: Mapping[str, np.ndarray] | None = None,
    ratio: tuple[float, float] | None = None,
    log: bool = False,
    note: str | None = None,
    source: str | None = None,
) -> tuple[Axes, Axes]:
    """Draw data over a stack of simulated processes, and below them the ratio.

    Parameters
    ----------
    histogram : hist.Hist
        With the axes ``dataset``, ``systematic`` and the variable, as a selection writes it.
    data : str or sequence of str
        Data sets that are drawn as points.
    stack : mapping of name to data sets
        Simulated processes, from the bottom to the top.
    simulation : bool
        Whether the *data* are simulated: True for pseudo-data.  Printed above the plot.
    xlabel, unit : str
        The variable and its unit.
    systematics : sequence of str, optional
        Which ones the band holds besides the statistics of the simulation; by default all of the histogram.
    overflow : "omit" or "add"
        Events beyond the axis: left out (their number stands above the legend), or in the first and last bin.
    data_label : str, optional
        By default "Data", or "Pseudo-data" if they are simulated.
    lines : mapping of name to array_like, shape (n_bins,), optional
        Other expectations for all processes together, dashed.
    ratio : tuple of float, optional
        Range of the panel; by default chosen from the points.  Points beyond it become triangles at its edge.
    log : bool
        Logarithmic y axis.
    note : str, optional
        Printed above the legend.
    source : str, optional
        The data set, printed above the plot.

    Returns
    -------
    axes, panel : matplotlib.axes.Axes
        Error bars are 68 % intervals of the counts (`poisson_interval`); an empty bin gets one where at least
        one event is expected.  The panel divides data, band and lines by the expectation.

    Raises
    ------
    ConfigError, DataError
        As in `cmslabs.plotting.expected.expected_events`, or if a line has another number of bins.

    Examples
    --------
    >>> import hist
    >>> h = (hist.Hist.new.StrCat(["data", "zz"], name="dataset").StrCat(["nominal"], name="systematic")
    ...      .Reg(2, 0, 10, name="x").Weight())
    >>> _ = h.fill(dataset="data", systematic="nominal", x=[1, 2, 7])
    >>> _ = h.fill(dataset="zz", systematic="nominal", x=[1, 7], weight=1.5)
    >>> ax, panel = plot_comparison(h, data="data", stack={"ZZ": "zz"}, simulation=True, xlabel="x", unit="GeV")
    >>> ax.get_ylabel(), panel.get_ylabel()
    ('Events / 5 GeV', 'Ratio')
    """
    expected = expected_events(histogram, stack, systematics=systematics, overflow=overflow)
    observed, outside = observed_events(histogram, data, overflow=overflow)
    others = _lines(lines, expected)
    width = observed.width
    scale = np.ones_like(observed.counts) if width is not None else 1 / observed.widths

    figure, ax, panel = new_figure(height=5.4, pulls=True)
    _draw_stack(ax, expected, scale)
    low, high = _band(expected)
    _draw_band(ax, expected.edges, low * scale, high * scale, "Uncertainty")
    for index, (name, values) in enumerate(others.items()):
        _draw_line(ax, expected.edges, values * scale, index, name)
    down, up = poisson_interval(observed)
    shown = (observed.counts != 0) | (expected.total >= 1)
    label = data_label or ("Pseudo-data" if simulation else "Data")
    _draw_points(ax, observed, observed.counts * scale, (down * scale, up * scale), shown, label)
    _draw_ratio(panel, observed, expected, others, (down, up), shown, ratio)

    tops = np.maximum.reduce([up * shown, high, *others.values()]) * scale
    _scale(ax, expected, observed, scale, log)
    label_axes(ax, simulation, ylabel=events_label(width, unit), source=source)
    panel.set_xlabel(axis_label(xlabel, unit))
    panel.set_xlim(expected.edges[0], expected.edges[-1])
    figure.align_ylabels([ax, panel])
    place_legend(ax, observed.centres, tops, _title(note, overflow, outside, expected.outside))
    return ax, panel


def poisson_interval(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Central 68.3 % interval for the mean of each count, shape (n_bins,) each.

    For unweighted counts the one of F. Garwood, Biometrika 28 (1936) 437, doi:10.1093/biomet/28.3-4.437; for
    weighted ones the sum of weights plus and minus the root of the sum of squared weights.

    Examples
    --------
    >>> low, high = poisson_interval(Spectrum(np.array([0.0, 1, 2]), np.array([0.0, 4]), np.array([0.0, 4])))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.0, 2.09], [1.84, 7.16])
    """
    from scipy.special import gammaincinv, ndtr

    n = spectrum.counts
    if not np.array_equal(n, spectrum.variances):
        error = np.sqrt(spectrum.variances)
        return n - error, n + error
    tail = float(ndtr(-1))
    return np.where(n > 0, gammaincinv(np.where(n > 0, n, 1), tail), 0.0), gammaincinv(n + 1, 1 - tail)


def _lines(lines: Mapping[str, np.ndarray] | None, expected: Expected) -> dict[str, np.ndarray]:
    found = {}
    for name, values in (lines or {}).items():
        found[name] = np.asarray(values, dtype=float)
        if found[name].shape != expected.variance.shape or not np.isfinite(found[name]).all():
            raise DataError(
                f"the line '{name}' has {found[name].size} numbers for {len(expected.variance)} bins.",
                remedy="Give one finite number of expected events for each bin.",
            )
    return found


def _band(expected: Expected) -> tuple[np.ndarray, np.ndarray]:
    down, up = expected.band
    return expected.total - down, expected.total + up


def _draw_stack(ax: Axes, expected: Expected, scale: np.ndarray) -> None:
    """One filled step per group, each on top of those before; the legend lists the topmost first."""
    steps, below = [], np.zeros_like(expected.variance)
    for index, (name, values) in enumerate(expected.groups.items()):
        style = {"facecolor": COLORS[index % len(COLORS)], "edgecolor": "black", "linewidth": 0.8}
        steps.append((below, below + values, name, style))
        below = below + values
    for bottom, top, name, style in reversed(steps):
        ax.stairs(top * scale, expected.edges, baseline=bottom * scale, fill=True, label=name, **style)


def _draw_band(ax: Axes, edges: np.ndarray, low: np.ndarray, high: np.ndarray, label: str | None = None) -> None:
    style = {"facecolor": "none", "edgecolor": "0.25", "hatch": "//////", "linewidth": 0}
    ax.stairs(high, edges, baseline=low, fill=True, label=label, **style)


def _draw_line(ax: Axes, edges: np.ndarray, values: np.ndarray, index: int, label: str | None = None) -> None:
    style = {"linestyle": DASHES[index % len(DASHES)], "linewidth": 2.2, "color": COLORS[(2, 4, 5)[index % 3]]}
    ax.stairs(values, edges, baseline=None, label=label, **style)


def _draw_points(ax: Axes, observed: Spectrum, heights, interval, shown, label: str | None) -> None:
    error = np.clip([heights - interval[0], interval[1] - heights], 0, None)[:, shown]
    style = {"fmt": "o", "color": "black", "markersize": 4, "elinewidth": 1.2}
    ax.errorbar(observed.centres[shown], heights[shown], yerr=error, label=label, zorder=4, **style)


def _draw_ratio(panel: Axes, observed, expected, others, interval, shown, wanted) -> None:
    """Everything over the expectation, where there is one."""
    there = expected.total > 0
    divide = np.where(there, 1 / np.where(there, expected.total, 1), np.nan)
    points = observed.counts * divide
    drawn = shown & there
    low, high = wanted or _reach(points[drawn])
    panel.axhline(1, color="black", linewidth=1)
    _draw_band(panel, expected.edges, *(edge * divide for edge in _band(expected)))
    for index, values in enumerate(others.values()):
        _draw_line(panel, expected.edges, values * divide, index)
    inside = drawn & (points >= low) & (points <= high)
    _draw_points(panel, observed, points, (interval[0] * divide, interval[1] * divide), inside, None)
    for mark, far, edge in (("^", drawn & (points > high), high), ("v", drawn & (points < low), low)):
        if far.any():  # An empty line that is not clipped would claim the figure's corner.
            x = observed.centres[far]
            panel.plot(x, np.full_like(x, edge), mark, color="black", markersize=6, clip_on=False)
    panel.set_ylim(low, high)
    panel.set_ylabel("Ratio", loc="center")


def _reach(points: np.ndarray) -> tuple[float, float]:
    """The smallest usual range around 1 that holds nine of ten points."""
    far = np.quantile(np.abs(points - 1), 0.9) if len(points) else 0.0
    reach = next((reach for reach in REACHES if far < reach), REACHES[-1])
    return 1 - reach, 1 + reach


def _scale(ax: Axes, expected: Expected, observed: Spectrum, scale: np.ndarray, log: bool) -> None:
    if not log or not (expected.total.max() > 0 or observed.counts.max() > 0):
        lowest = min(0, *((expected.total - expected.band[0]) * scale), *(observed.counts * scale))
        ax.set_ylim(bottom=1.1 * lowest)
        return
    heights = np.concatenate([expected.total * scale, observed.counts * scale])
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.3 * max(heights[heights > 0].min(), 1e-5 * heights.max()))


def _title(note: str | None, overflow: str, observed: float, expected: float) -> str | None:
    """What stands above the legend: the note, and what became of events beyond the axis."""
    words = [] if note is None else [note]
    if overflow == "add":
        words.append("End bins: and beyond")
    elif observed or expected >= 0.05:
        words.append(f"Beyond the axis: {observed:.0f}\n(expected {expected:.{1 if expected < 10 else 0}f})")
    return "\n".join(words) or None

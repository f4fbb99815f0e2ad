"""Spectra: how often each value occurs, with its statistical uncertainty; and a fit with its pulls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from cmslabs.errors import ConfigError
from cmslabs.plotting.binned import Spectrum, as_spectrum, bin_integrals
from cmslabs.plotting.style import COLORS, MARKERS, STYLE, axis_label, label_axes, new_figure

__all__ = ["draw_pulls", "draw_spectrum", "events_label", "plot_fit", "plot_spectrum"]


def plot_spectrum(
    data: Any,
    *,
    simulation: bool,
    xlabel: str,
    unit: str | None,
    bins: int | Sequence[float] | None = None,
    weights=None,
    kind: str = "points",
    log: bool = False,
    logx: bool = False,
    source: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one spectrum, or several over each other.

    Parameters
    ----------
    data : hist.Hist, array_like of values, or mapping of name to one of these
        A mapping draws one spectrum per entry, with a legend.
    simulation : bool
        Whether the events are simulated; printed above the plot.
    xlabel : str
        The quantity on the x axis.
    unit : str or None
        Its unit, for both axes; None or "1" for pure numbers.
    bins : int or sequence of float, optional
        For values: number of bins or edges.  Several spectra share the edges of the first one.
    weights : array_like or mapping, optional
        One weight per value; for a mapping of spectra a mapping with the same names.
    kind : str
        "points" with error bars (square root of the sum of squared weights), "steps", or "filled".
    log, logx : bool
        Logarithmic axes.
    source : str, optional
        The data set, printed above the plot.
    ax : matplotlib.axes.Axes, optional
        Draw here; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Where all bins are equally wide the y axis counts "Events / 2 GeV"; otherwise each bin is divided
        by its width: "Events / GeV".

    Raises
    ------
    ConfigError, DataError
        As in `cmslabs.plotting.binned.as_spectrum`, or for an unknown `kind`.

    Examples
    --------
    >>> ax = plot_spectrum([90.0, 91.0, 92.5], bins=[88, 90, 92, 94], simulation=True,
    ...                    xlabel="Dimuon mass", unit="GeV")
    >>> ax.get_ylabel()
    'Events / 2 GeV'
    """
    if kind not in ("points", "steps", "filled"):
        raise ConfigError(f"kind must be 'points', 'steps' or 'filled', not {kind!r}.")
    spectra = _all_spectra(data, bins, weights)
    width = _common_width(spectra)
    ax = new_figure()[1] if ax is None else ax
    for index, (name, spectrum) in enumerate(spectra.items()):
        draw_spectrum(ax, spectrum, kind, index, name, per_width=width is None)
    if isinstance(data, Mapping):
        ax.legend(fontsize=STYLE["legend.fontsize"], frameon=False)
    _scale(ax, list(spectra.values()), log, logx)
    return label_axes(ax, simulation, xlabel=xlabel, xunit=unit, ylabel=events_label(width, unit), source=source)


def plot_fit(
    data: Any,
    model: Callable[[np.ndarray], np.ndarray],
    *,
    simulation: bool,
    xlabel: str,
    unit: str | None,
    bins: int | Sequence[float] | None = None,
    components: Mapping[str, Callable[[np.ndarray], np.ndarray]] | None = None,
    fit_range: tuple[float, float] | None = None,
    note: str | None = None,
    log: bool = False,
    source: str | None = None,
) -> tuple[Axes, Axes]:
    """Draw data points, the fitted curve, and below them the pulls.

    Parameters
    ----------
    data : hist.Hist, Spectrum or array_like of values
        What was fitted.
    model : callable
        Density: expected events per unit of x at each x (an array in, an array out).
    simulation : bool
        Whether the data are simulated; printed above the plot.
    xlabel, unit, bins, log, source
        As in `plot_spectrum`; the bins must be equally wide.
    components : mapping of name to callable, optional
        Parts of the model, drawn dashed.
    fit_range : tuple of float, optional
        Where the fit was made: the curve is solid and pulls are shown only there.
    note : str, optional
        The result in words, printed in the plot, for example "m = 91.19 ± 0.02 GeV".

    Returns
    -------
    axes, panel : matplotlib.axes.Axes
        The upper plot and the panel with the pulls (n - expected) / sqrt(expected) of unweighted counts;
        weighted counts are divided by their own uncertainty.  The expected count is the model's integral
        over the bin.  If the model is right, two of three pulls lie between -1 and 1.

    Raises
    ------
    ConfigError
        If the bins differ in width, or as in `plot_spectrum`.

    Examples
    --------
    >>> axes, panel = plot_fit([1.0, 2.0, 2.5, 4.0], lambda x: np.ones_like(x), bins=[0, 2, 4],
    ...                        simulation=True, xlabel="x", unit="GeV")
    >>> panel.get_ylabel()
    'Pull'
    """
    spectrum = as_spectrum(data, bins)
    if spectrum.width is None:
        raise ConfigError("a fit is drawn on bins of equal width.", remedy="Histogram the values in equal bins.")
    low, high = fit_range or (spectrum.edges[0], spectrum.edges[-1])
    figure, ax, panel = new_figure(height=5.4, pulls=True)
    draw_spectrum(
        ax, spectrum, "points", 0, "Simulated events" if simulation else "Data", per_width=False, color="black"
    )

    x = np.linspace(low, high, 600)
    ax.plot(x, np.asarray(model(x)) * spectrum.width, color=COLORS[2], label="Fit")
    for index, (name, part) in enumerate((components or {}).items()):
        color, dashes = COLORS[(0, 4, 1, 5)[index % 4]], ("--", ":", "-.")[index % 3]
        ax.plot(x, np.asarray(part(x)) * spectrum.width, color=color, linestyle=dashes, label=name)
    handles, names = ax.get_legend_handles_labels()
    ax.legend(handles, names, title=note, title_fontsize=12, fontsize=STYLE["legend.fontsize"], frameon=False)
    _scale(ax, [spectrum], log, logx=False)

    inside = (spectrum.edges[:-1] >= low - 1e-9) & (spectrum.edges[1:] <= high + 1e-9)
    expected = bin_integrals(model, spectrum.edges)
    weighted = not np.allclose(spectrum.variances, spectrum.counts)
    variance = spectrum.variances if weighted else expected
    shown = inside & (variance > 0)
    draw_pulls(panel, spectrum.centres[shown], (spectrum.counts - expected)[shown] / np.sqrt(variance[shown]))
    label_axes(ax, simulation, ylabel=events_label(spectrum.width, unit), source=source)
    panel.set_xlabel(axis_label(xlabel, unit))
    figure.align_ylabels([ax, panel])
    return ax, panel


def _all_spectra(data: Any, bins, weights) -> dict[Any, Spectrum]:
    named = data if isinstance(data, Mapping) else {None: data}
    if not named:
        raise ConfigError("there is nothing to draw.", remedy="Give at least one spectrum.")
    spectra: dict[Any, Spectrum] = {}
    for name, values in named.items():
        weight = weights.get(name) if isinstance(weights, Mapping) else weights
        spectra[name] = as_spectrum(values, bins, weight)
        bins = spectra[name].edges if bins is not None else None
    return spectra


def _common_width(spectra: Mapping[Any, Spectrum]) -> float | None:
    """The width of all bins of all spectra; None if there is no such number."""
    widths = [spectrum.width for spectrum in spectra.values()]
    same = None not in widths and np.allclose(widths, widths[0], rtol=1e-6)
    return widths[0] if same else None


def draw_spectrum(ax: Axes, spectrum: Spectrum, kind: str, index: int, label, per_width: bool, color=None) -> None:
    """One spectrum with its own colour and marker."""
    color = color or COLORS[index % len(COLORS)]
    scale = 1 / spectrum.widths if per_width else np.ones_like(spectrum.counts)
    heights, errors = spectrum.counts * scale, np.sqrt(spectrum.variances) * scale
    if kind == "points":
        # An empty bin is no measurement of zero with zero uncertainty: it gets no point.
        filled = spectrum.variances > 0
        marker = MARKERS[index % len(MARKERS)]
        bars = {"xerr": spectrum.widths[filled] / 2, "yerr": errors[filled], "elinewidth": 1.2}
        ax.errorbar(spectrum.centres[filled], heights[filled], **bars, fmt=marker, color=color, label=label, ms=4)
        return
    style = {"fill": True, "alpha": 0.5, "color": color} if kind == "filled" else {"color": color, "linewidth": 2}
    ax.stairs(heights, spectrum.edges, baseline=None if kind == "steps" else 0, label=label, **style)


def _scale(ax: Axes, spectra: Sequence[Spectrum], log: bool, logx: bool) -> None:
    """Axis ranges: all bins, from zero on a linear axis, and room for the legend."""
    ax.set_xlim(min(spectrum.edges[0] for spectrum in spectra), max(spectrum.edges[-1] for spectrum in spectra))
    if logx:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    if log:
        ax.set_yscale("log")
        return
    negative = any((spectrum.counts < 0).any() for spectrum in spectra)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom if negative else 0, top * 1.1)


def draw_pulls(panel: Axes, x: np.ndarray, pulls: np.ndarray) -> None:
    """Pulls as points, with the band where two of three should be."""
    panel.axhspan(-1, 1, color=COLORS[3], alpha=0.35, linewidth=0)
    panel.axhline(0, color="black", linewidth=1)
    panel.plot(x, pulls, "o", color="black", markersize=4)
    reach = max(3.5, 1.15 * np.abs(pulls).max(initial=0))
    panel.set_ylim(-reach, reach)
    panel.set_ylabel("Pull", loc="center")


def events_label(width: float | None, unit: str | None) -> str:
    """What the y axis counts: "Events / 2 GeV", "Events / 0.05", "Events / GeV", "Events / bin width", "Events".

    The last one is for pure numbers in bins of width 1, such as counts of vertices.
    """
    pure = unit in (None, "", "1")
    if width is None:
        return "Events / bin width" if pure else f"Events / {unit}"
    if pure and abs(width - 1) < 1e-9:
        return "Events"
    return f"Events / {width:.3g}" if pure else f"Events / {width:.3g} {unit}"

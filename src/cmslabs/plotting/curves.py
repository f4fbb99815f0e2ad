"""Curves that judge a score: ROC, significance improvement, precision and recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cmslabs.errors import DataError
from cmslabs.plotting.style import COLORS, MARKERS, STYLE, label_axes, new_figure

__all__ = ["legend_below", "plot_pr", "plot_roc", "plot_sic"]

#: No curve is told by its colour alone.
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (2, 1)), (0, (4, 1, 1, 1)))
#: What a score without any knowledge does.
_CHANCE = {"color": COLORS[8], "linestyle": (0, (1, 1)), "linewidth": 1.5, "zorder": 1}
#: Inches that a row of the legend adds to a figure.
_ROW = 0.32


def plot_roc(
    curves: Mapping[str, Any],
    *,
    simulation: bool,
    log: bool = False,
    source: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw signal efficiency against background efficiency.

    Parameters
    ----------
    curves : mapping of name to curve
        A curve has attributes ``fpr`` and ``tpr``, as `cmslabs.evaluation.roc.roc_curve` gives it, or is a pair
        (fpr, tpr) of arrays.
    simulation : bool
        Whether the events are simulated; printed above the plot.
    log : bool
        Logarithmic background efficiency: for searches, which work where few background events pass.
    source : str, optional
        The data set, printed above the plot.
    ax : matplotlib.axes.Axes, optional
        Draw here; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The legend stands below the plot, where it hides no curve.  Dotted: a score that knows nothing.

    Raises
    ------
    DataError
        If there is no curve, or an efficiency is not finite.

    Examples
    --------
    >>> ax = plot_roc({"Sum": ([0, 0, 0.5, 1], [0, 0.5, 1, 1])}, simulation=True)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('Background efficiency', 'Signal efficiency')
    """
    found = _curves(curves, ("fpr", "tpr"))
    ax, own = _axes(ax, len(found) + 1)
    lowest = 0.0
    if log:
        positive = [fpr[fpr > 0].min(initial=1.0) for fpr, _ in found.values()]
        lowest = max(min(min(positive), 0.1), 1e-6)
        ax.set_xscale("log")
    for index, (name, (fpr, tpr)) in enumerate(found.items()):
        ax.plot(fpr, tpr, label=name, **_look(index))
    chance = np.geomspace(lowest, 1, 100) if log else np.array([0.0, 1.0])
    ax.plot(chance, chance, label="Knows nothing", **_CHANCE)
    ax.set(xlim=(lowest, 1), ylim=(0, 1.02))
    label_axes(ax, simulation, xlabel="Background efficiency", ylabel="Signal efficiency", source=source)
    legend_below(ax, own)
    return ax


def plot_sic(
    curves: Mapping[str, Any],
    *,
    simulation: bool,
    source: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the significance improvement against the signal efficiency; a marker shows the largest.

    Parameters
    ----------
    curves : mapping of name to curve
        A curve has attributes ``tpr`` and ``sic``, as `cmslabs.evaluation.sic.sic_curve` gives it (without the points
        that too few background events pass), or is a pair (tpr, sic) of arrays.
    simulation, source, ax
        As in `plot_roc`.

    Returns
    -------
    matplotlib.axes.Axes
        Solid and thin: no improvement.  Dotted: a score that knows nothing, sqrt(signal efficiency).

    Raises
    ------
    DataError
        As `plot_roc`.

    Examples
    --------
    >>> ax = plot_sic({"Sum": ([0.2, 0.5, 1], [1.5, 2.0, 1.0])}, simulation=True)
    >>> ax.get_ylabel()
    'Significance improvement'
    """
    found = _curves(curves, ("tpr", "sic"))
    ax, own = _axes(ax, len(found) + 1)
    for index, (name, (tpr, sic)) in enumerate(found.items()):
        best = {"marker": MARKERS[index % len(MARKERS)], "markersize": 8, "markevery": [int(np.argmax(sic))]}
        ax.plot(tpr, sic, label=name, **_look(index), **best)
    grid = np.linspace(0, 1, 200)
    ax.plot(grid, np.sqrt(grid), label="Knows nothing", **_CHANCE)
    ax.axhline(1, color=COLORS[8], linewidth=0.8, zorder=1)
    ax.set(xlim=(0, 1), ylim=(0, 1.08 * max(1.1, *(sic.max() for _, sic in found.values()))))
    label_axes(ax, simulation, xlabel="Signal efficiency", ylabel="Significance improvement", source=source)
    legend_below(ax, own)
    return ax


def plot_pr(
    curves: Mapping[str, Any],
    *,
    simulation: bool,
    prevalence: float | None = None,
    source: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw precision, the share of signal in what passes, against recall, the signal efficiency.

    Parameters
    ----------
    curves : mapping of name to curve
        A curve has attributes ``recall`` and ``precision``, as `cmslabs.evaluation.precision.pr_curve` gives it, or is
        a pair (recall, precision) of arrays.
    prevalence : float, optional
        Share of signal in the sample, drawn dotted; by default that of the first curve, if it has this attribute.
    simulation, source, ax
        As in `plot_roc`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        As `plot_roc`.

    Examples
    --------
    >>> ax = plot_pr({"Sum": ([0.5, 1], [1.0, 0.6])}, simulation=True, prevalence=0.4)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('Recall (signal efficiency)', 'Precision')
    """
    found = _curves(curves, ("recall", "precision"))
    if prevalence is None:
        prevalence = getattr(next(iter(curves.values())), "prevalence", None)
    ax, own = _axes(ax, len(found) + 1)
    for index, (name, (recall, precision)) in enumerate(found.items()):
        ax.plot(recall, precision, label=name, **_look(index))
    if prevalence is not None:
        ax.axhline(prevalence, label="Knows nothing", **_CHANCE)
    ax.set(xlim=(0, 1), ylim=(0, 1.04))
    label_axes(ax, simulation, xlabel="Recall (signal efficiency)", ylabel="Precision", source=source)
    legend_below(ax, own)
    return ax


def legend_below(ax: Axes, own: bool, columns: int = 2) -> None:
    """A legend below the plot; on axes that the caller gave it belongs to these axes."""
    style = {"fontsize": STYLE["legend.fontsize"], "frameon": False, "ncols": columns}
    if own:
        ax.figure.legend(loc="outside lower center", **style)
    else:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), **style)


def _look(index: int) -> dict[str, Any]:
    """Colour and dashes of a curve."""
    return {"color": COLORS[index % len(COLORS)], "linestyle": LINES[index % len(LINES)]}


def _axes(ax: Axes | None, entries: int) -> tuple[Axes, bool]:
    """The caller's axes, or those of a new figure with room for a legend below them."""
    if ax is not None:
        return ax, False
    return new_figure(height=4.2 + _ROW * -(-entries // 2))[1], True


def _curves(curves: Mapping[str, Any], names: tuple[str, str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Two finite arrays of one length for each name."""
    if not isinstance(curves, Mapping) or not curves:
        raise DataError("there is no curve to draw.", remedy='Give a mapping of names to curves: {"PCA": curve}.')
    found = {}
    for name, curve in curves.items():
        pair = [getattr(curve, one) for one in names] if all(hasattr(curve, one) for one in names) else curve
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DataError(f"'{name}' has no {names[0]} and {names[1]}.", remedy="Give a curve, or a pair of arrays.")
        x, y = (np.asarray(values, dtype=float) for values in pair)
        if x.ndim != 1 or x.shape != y.shape or not len(x) or not np.isfinite([x, y]).all():
            raise DataError(f"'{name}' must be two lists of finite numbers with the same length.")
        found[str(name)] = (x, y)
    return found

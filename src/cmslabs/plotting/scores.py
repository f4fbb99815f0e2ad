"""Scores: their distributions, their curves, and where in a map of the events they are high."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cmslabs.errors import DataError
from cmslabs.plotting.curves import LINES, legend_below, plot_pr, plot_roc, plot_sic
from cmslabs.plotting.style import COLORS, STYLE, label_axes, new_figure

__all__ = ["plot_embedding", "plot_pr", "plot_roc", "plot_scores", "plot_sic"]


def plot_scores(
    scores: Mapping[str, Any],
    *,
    simulation: bool,
    weights: Mapping[str, Any] | None = None,
    xlabel: str = "Anomaly score",
    unit: str | None = None,
    bins: int = 50,
    limits: tuple[float, float] | None = None,
    threshold: float | None = None,
    log: bool = False,
    source: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how a score, or any other number, is distributed in several samples; each sample adds up to 1.

    Parameters
    ----------
    scores : mapping of name to array_like
        The first one, usually the background, is filled.
    simulation : bool
        Whether the events are simulated; printed above the plot.
    weights : mapping of name to array_like, optional
        One weight per event, with the same names.
    xlabel, unit : str
        What is drawn.
    bins : int
        Number of bins.
    limits : tuple of float, optional
        Range of the axis; by default 99.8 % of all events.  What lies outside is counted in the first and last bin.
    threshold : float, optional
        Drawn as a vertical line.
    log : bool
        Logarithmic y axis.
    source, ax
        As in `plot_roc`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        If a sample is empty or holds a value that is not finite.

    Examples
    --------
    >>> ax = plot_scores({"QCD": [0.1, 0.2, 0.4], "W'": [0.5, 0.9]}, bins=4, simulation=True)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('Anomaly score', 'Share of events / bin')
    """
    samples = {name: _finite(values, name) for name, values in scores.items()}
    if not samples:
        raise DataError("there is no sample to draw.", remedy='Give a mapping: {"Background": scores}.')
    edges = _edges(np.concatenate(list(samples.values())), bins, limits)
    own = ax is None
    rows = -(-(len(samples) + (threshold is not None)) // 2)
    ax = new_figure(height=4.2 + 0.32 * rows)[1] if own else ax
    for index, (name, values) in enumerate(samples.items()):
        weight = None if weights is None else _finite(weights[name], f"weights of {name}")
        counts, _ = np.histogram(values.clip(edges[0], edges[-1]), edges, weights=weight)
        color = COLORS[index % len(COLORS)]
        look = {"fill": True, "alpha": 0.45} if index == 0 else {"linestyle": LINES[(index - 1) % len(LINES)]}
        ax.stairs(counts / counts.sum(), edges, color=color, linewidth=2, label=name, **look)
    if threshold is not None:
        ax.axvline(threshold, color="black", linestyle=":", label="Threshold")
    if log:
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    ax.set_xlim(edges[0], edges[-1])
    label_axes(ax, simulation, xlabel=xlabel, xunit=unit, ylabel="Share of events / bin", source=source)
    legend_below(ax, own)
    return ax


def plot_embedding(
    points: Any,
    scores: Any,
    *,
    simulation: bool,
    marked: Any = None,
    marked_name: str = "Signal",
    xlabel: str = "Component 1",
    ylabel: str = "Component 2",
    score_label: str = "Anomaly score",
    source: str | None = None,
) -> Axes:
    """Draw events as points in a plane, coloured by their score; high scores lie on top.

    Parameters
    ----------
    points : array_like, shape (n_events, 2)
        As `cmslabs.evaluation.embedding.embed` gives them.
    scores : array_like, shape (n_events,)
        High is drawn bright.  The colours span 98 % of the events; what lies outside has the last colour.
    simulation : bool
        Whether the events are simulated; printed above the plot.
    marked : array_like of bool, shape (n_events,), optional
        Events that get a ring around their point, such as the true signal.
    marked_name : str
        Its name in the legend.
    xlabel, ylabel, score_label : str
    source : str, optional
        The data set, printed above the plot.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        If the shapes do not fit or a value is not finite.

    Examples
    --------
    >>> ax = plot_embedding([[0, 0], [1, 2], [2, 1]], [0.1, 0.2, 0.9], simulation=True)
    >>> ax.get_xlabel()
    'Component 1'
    """
    points, scores = np.asarray(points, dtype=float), _finite(scores, "scores")
    if points.shape != (len(scores), 2) or not np.isfinite(points).all():
        raise DataError(
            f"{len(scores)} scores need {len(scores)} finite points in a plane, not an array of shape {points.shape}."
        )
    ringed = np.zeros(len(scores), dtype=bool) if marked is None else np.asarray(marked)
    if ringed.shape != scores.shape or ringed.dtype.kind not in "biu":
        raise DataError(f"which events are marked must be {len(scores)} times true or false.")
    ringed = ringed.astype(bool)
    figure, ax, _ = new_figure(height=5.0 + 0.32 * bool(ringed.any()))
    order = np.argsort(scores, kind="stable")
    low, high = np.quantile(scores, [0.01, 0.99])
    size = float(np.clip(20_000 / len(scores), 6, 30))
    look = {"c": scores[order], "cmap": "cividis", "vmin": low, "vmax": high if high > low else low + 1}
    dots = ax.scatter(*points[order].T, s=size, linewidth=0, **look)
    if ringed.any():
        ring = {"facecolor": "none", "edgecolor": COLORS[2], "linewidth": 1.0}
        ax.scatter(*points[ringed].T, s=2.5 * size, label=marked_name, **ring)
        legend_below(ax, own=True)
    bar = figure.colorbar(dots, ax=ax, extend="both", pad=0.02)
    bar.set_label(score_label, fontsize=STYLE["axes.labelsize"])
    bar.ax.tick_params(labelsize=STYLE["ytick.labelsize"])
    return label_axes(ax, simulation, xlabel=xlabel, ylabel=ylabel, source=source)


def _finite(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise DataError(
            f"'{name}' must be a list of finite numbers, not {array.size} with {np.isfinite(array).sum()} finite."
        )
    return array


def _edges(values: np.ndarray, bins: int, limits: tuple[float, float] | None) -> np.ndarray:
    low, high = np.quantile(values, [0.001, 0.999]) if limits is None else limits
    if not low < high:
        if limits is not None:
            raise DataError(f"the limits must rise, not run from {low:g} to {high:g}.")
        low, high = low - 0.5, high + 0.5  # One value only.
    return np.linspace(low, high, bins + 1)

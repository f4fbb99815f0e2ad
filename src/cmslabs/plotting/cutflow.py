"""A cutflow as a picture: what each cut leaves, and what it takes away in its place and as the last one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from cmslabs.errors import DataError
from cmslabs.plotting.style import COLORS, MARKERS, WIDTH, label_axes, new_figure

__all__ = ["plot_cutflow", "plot_n_minus_1", "removed"]

#: Longer names of cuts are broken into lines.
NAME_WIDTH = 16
#: Shares that span more than this factor are drawn on a logarithmic axis.
STEEP = 20.0


def plot_cutflow(
    cuts: Sequence[str],
    left: Mapping[str, Sequence[float]],
    *,
    simulation: bool,
    errors: Mapping[str, Sequence[float]] | None = None,
    relative: bool = True,
    log: bool | None = None,
    source: str | None = None,
) -> Axes:
    """Draw how many events are left after each cut, from top to bottom.

    Parameters
    ----------
    cuts : sequence of str, length n
        In their order; the first may stand for "all events".
    left : mapping of name to sequence of float, length n
        For each data set the events (or the sum of their weights) that are left after each cut.
    simulation : bool
        Whether the events are simulated; printed above the plot.
    errors : mapping of name to sequence of float, optional
        Statistical errors of `left`.
    relative : bool
        Divide by the first number of each data set.
    log : bool, optional
        Logarithmic axis; by default where the numbers span more than a factor of 20.
    source : str, optional
        The data set, printed above the plot.

    Returns
    -------
    matplotlib.axes.Axes
        On a logarithmic axis a data set ends where nothing of it is left.

    Raises
    ------
    DataError
        If a data set has another number of entries than there are cuts, or begins with nothing although
        shares are asked for.

    Examples
    --------
    >>> ax = plot_cutflow(["all", "two muons"], {"Z": [200, 50]}, simulation=True)
    >>> ax.get_xlabel(), [label.get_text() for label in ax.get_yticklabels()]
    ('Share of events left', ['all', 'two muons'])
    """
    named = {name: _numbers(values, len(cuts), name) for name, values in left.items()}
    if not named:
        raise DataError("there is no cutflow to draw.", remedy="Give at least one data set.")
    ax = _rows(cuts)
    starts = {name: _start(values, name) if relative else 1.0 for name, values in named.items()}
    _share_axis(ax, np.concatenate([values / starts[name] for name, values in named.items()]), log)
    for index, (name, values) in enumerate(named.items()):
        error = _numbers((errors or {}).get(name, np.zeros(len(cuts))), len(cuts), name)
        there = values > 0 if ax.get_xscale() == "log" else np.ones(len(cuts), dtype=bool)
        row = np.arange(len(cuts)) + _offset(index, len(named))
        style = {"color": COLORS[index % len(COLORS)], "marker": MARKERS[index % len(MARKERS)], "label": name}
        style |= {"linewidth": 1.2, "markersize": 7, "elinewidth": 1.5, "xerr": error[there] / starts[name]}
        ax.errorbar(values[there] / starts[name], row[there], **style)
    if len(named) > 1:
        _legend_below(ax)
    return label_axes(ax, simulation, xlabel="Share of events left" if relative else "Events left", source=source)


def removed(left: Sequence[float], without: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Share of events that each cut removes: in its place in the sequence, and as the last one of all.

    Parameters
    ----------
    left : sequence of float, length n + 1
        Events before the first cut, and after each of the n cuts.
    without : sequence of float, length n
        Events that pass all cuts but this one.

    Returns
    -------
    in_sequence, as_last : ndarray, shape (n,)
        NaN where there is nothing to remove.

    Examples
    --------
    >>> in_sequence, as_last = removed([100, 50, 45], without=[46, 50])
    >>> in_sequence.round(2).tolist(), as_last.round(2).tolist()
    ([0.5, 0.1], [0.02, 0.1])
    """
    without = np.asarray(without, dtype=float)
    left = _numbers(left, len(without) + 1, "left")
    with np.errstate(divide="ignore", invalid="ignore"):
        in_sequence, as_last = 1 - left[1:] / left[:-1], 1 - left[-1] / without
    return np.where(left[:-1] > 0, in_sequence, np.nan), np.where(without > 0, as_last, np.nan)


def plot_n_minus_1(
    cuts: Sequence[str],
    left: Sequence[float],
    without: Sequence[float],
    *,
    simulation: bool,
    source: str | None = None,
) -> Axes:
    """Draw the share of events that each cut removes, in its place in the sequence and as the last one (N-1).

    A cut far to the right in its place and far to the left as the last one repeats what others do, too.

    Parameters
    ----------
    cuts : sequence of str, length n
        Without "all events".
    left, without
        As in `removed`.
    simulation, source
        As in `plot_cutflow`.

    Raises
    ------
    DataError
        If the numbers do not fit the cuts.

    Examples
    --------
    >>> ax = plot_n_minus_1(["trigger", "20 GeV"], [100, 50, 45], [46, 50], simulation=True)
    >>> [text.get_text() for text in ax.figure.legends[0].get_texts()]
    ['in its place', 'as the last cut (N-1)']
    """
    in_sequence, as_last = removed(left, _numbers(without, len(cuts), "without"))
    ax = _rows(cuts)
    row = np.arange(len(cuts))
    ax.hlines(row, 100 * in_sequence, 100 * as_last, color=COLORS[3], linewidth=2, zorder=1)
    ax.plot(100 * in_sequence, row, "o", color=COLORS[0], markersize=8, label="in its place")
    hollow = {"markerfacecolor": "none", "markeredgewidth": 2.2, "markersize": 12}
    ax.plot(100 * as_last, row, "D", color=COLORS[2], label="as the last cut (N-1)", **hollow)
    ax.set_xlim(-3, max(10.0, 1.08 * 100 * np.nanmax(np.append([in_sequence, as_last], 0.0))))
    ax.grid(axis="x", color="0.85")
    _legend_below(ax)
    return label_axes(ax, simulation, xlabel="Removed by the cut [%]", source=source)


def _start(values: np.ndarray, name: str) -> float:
    """What the shares of a data set are shares of."""
    if values[0] <= 0:
        raise DataError(f"'{name}' begins with {values[0]:g} events.", remedy="Draw it with relative=False.")
    return float(values[0])


def _rows(cuts: Sequence[str]) -> Axes:
    """Axes with one row per cut, the first on top."""
    names = [_broken(name) for name in cuts]
    lines = sum(name.count("\n") + 1 for name in names)
    _, ax, _ = new_figure(height=1.6 + 0.3 * len(names) + 0.14 * lines)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", which="minor", left=False, right=False)
    ax.tick_params(axis="y", which="major", right=False, length=0)
    return ax


def _broken(name: str) -> str:
    """The name in lines of at most `NAME_WIDTH` letters, where it has spaces."""
    import textwrap

    return "\n".join(textwrap.wrap(name, NAME_WIDTH, break_long_words=False)) or name


def _offset(index: int, count: int) -> float:
    """Data sets of one cut stand a little below each other."""
    return 0.0 if count == 1 else 0.18 * (index - (count - 1) / 2) * min(1.0, 4 / count)


def _share_axis(ax: Axes, values: np.ndarray, log: bool | None) -> None:
    positive = values[values > 0]
    if log or (log is None and len(positive) and positive.max() > STEEP * positive.min()):
        ax.set_xscale("log")
        ax.set_xlim(0.6 * positive.min(initial=1.0), 1.6 * positive.max(initial=1.0))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_xlim(min(0.0, 1.08 * values.min()), 1.08 * max(values.max(), 0.0) or 1.0)
    ax.grid(axis="x", color="0.85")


def _legend_below(ax: Axes) -> None:
    """Outside of the plot, where it hides nothing however many rows there are."""
    handles, names = ax.get_legend_handles_labels()
    widest = max(len(name) for name in names)
    columns = max(1, min(len(names), int(9.0 * WIDTH / (widest + 6))))
    ax.figure.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=13, frameon=False)


def _numbers(values: Sequence[float], length: int, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.shape != (length,) or not np.isfinite(array).all():
        raise DataError(
            f"'{name}' has {array.size} numbers, {np.isfinite(array).sum()} of them finite, for {length} rows.",
            remedy="Give one finite number of events for each row.",
        )
    return array

"""Figures of the studies that ask whether a tail is real: what was found, and what nothing looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cmslabs.errors import DataError
from cmslabs.plotting.curves import legend_below
from cmslabs.plotting.style import COLORS, MARKERS, STYLE, axis_label, label_axes, new_figure

__all__ = [
    "plot_certificates",
    "plot_distances",
    "plot_permutations",
    "plot_sculpting",
    "plot_stability",
    "plot_tail_hunt",
    "plot_tails",
]

#: Inches that a line of names adds to a figure.
_LINE = 0.34
_POINT = {"fmt": "o", "color": "black", "markersize": 6, "elinewidth": 1.6}


def plot_tails(result: Any, *, simulation: bool, source: str | None = None) -> Axes:
    """Draw test events over expected ones, for each tail that may be used.

    Parameters
    ----------
    result : cmslabs.evaluation.validation.tails.Tails
    simulation : bool
        Whether the events are simulated; printed above the plot.
    source : str, optional
        The data set, printed above the plot.

    Returns
    -------
    matplotlib.axes.Axes
        The band holds 68 % of all counts if validation and test events are alike: validation has a fluctuation, too.

    Raises
    ------
    DataError
        If no tail may be used.
    """
    tails = [tail for tail in result.tails if tail.refused is None]
    if not tails:
        raise DataError("there is no tail to draw.", remedy=" ".join(tail.refused for tail in result.tails))
    ax = new_figure()[1]
    places = np.arange(len(tails))
    ratio = np.array([tail.n_test / tail.expected for tail in tails])
    # Both counts fluctuate: the relative variance is the sum of the two.
    spread = np.array([np.sqrt(1 / tail.n_validation + 1 / tail.expected) for tail in tails])
    ax.bar(places, 2 * spread, bottom=1 - spread, width=0.5, color=COLORS[9], label="Expected, 68 %")
    ax.axhline(1, color=COLORS[8], linewidth=1)
    ax.plot(places, ratio, "o", color="black", markersize=7, label="Test events")
    for place, value, tail in zip(places, ratio, tails, strict=True):
        ax.annotate(f"{tail.n_test}", (place, value), (9, 0), textcoords="offset points", va="center", fontsize=13)
    reach = 1.4 * max(np.abs(ratio - 1).max(), spread.max())
    ax.set(xlim=(-0.6, len(tails) - 0.4), ylim=(1 - reach, 1 + 2.2 * reach))
    ax.set_xticks(places, [f"{100 * tail.fraction:g} %" for tail in tails])
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)
    label_axes(ax, simulation, xlabel="Tail of the validation events", ylabel="Test events / expected", source=source)
    _legend(ax, f"p = {result.p_value:.2g}: {result.verdict}")
    return ax


def plot_distances(
    result: Any, *, simulation: bool, null: str | None = None, most: int = 15, source: str | None = None
) -> Axes:
    """Draw the Kolmogorov-Smirnov distance of the tail in each feature, and what a null gives.

    Parameters
    ----------
    result : cmslabs.evaluation.validation.ks_result.KSResult
    simulation, source
        As in `plot_tails`.
    null : {"random", "mass", "pseudo"}, optional
        Which bands are drawn; by default of all nulls that the result has.
    most : int
        Features, those with the largest distances.

    Returns
    -------
    matplotlib.axes.Axes
        A bar holds 95 % of the distances of a null, its line is the median.

    Raises
    ------
    DataError
        If the result has no such null.
    """
    names = {"random": "Random events", "mass": "Random, with its masses", "pseudo": "Tail of pseudo-data"}
    shown = [name for name in names if name in result.references and null in (None, name)]
    if not shown:
        raise DataError(f"there is no null '{null}'.", remedy=f"There are: {', '.join(result.references)}.")
    order = np.argsort(-np.asarray(result.distance), kind="stable")[:most][::-1]
    places = np.arange(len(order), dtype=float)
    ax = new_figure(height=1.8 + _LINE * (len(order) + len(shown)))[1]
    height = 0.8 / len(shown)
    for number, name in enumerate(shown):
        low, middle, high = np.quantile(result.references[name].drawn[:, order], [0.025, 0.5, 0.975], axis=0)
        at = places + 0.4 - (number + 0.5) * height
        ax.barh(at, high - low, left=low, height=0.9 * height, color=COLORS[(9, 1, 0)[number]], label=names[name])
        ax.vlines(middle, at - 0.45 * height, at + 0.45 * height, color=COLORS[8], linewidth=1.5)
    ax.plot(np.asarray(result.distance)[order], places, "D", color="black", markersize=7, label="Tail")
    ax.set_yticks(places, [result.features[position] for position in order])
    ax.tick_params(axis="y", which="minor", left=False, right=False)
    ax.set(xlim=(0, 1.02), ylim=(-0.6, len(order) - 0.4))
    label_axes(ax, simulation, xlabel="Kolmogorov-Smirnov distance from the rest", source=source)
    legend_below(ax, True, columns=1)
    return ax


def plot_sculpting(
    result: Any,
    *,
    simulation: bool,
    fraction: float | None = None,
    xlabel: str = "Dijet mass",
    unit: str | None = "GeV",
    source: str | None = None,
) -> tuple[Axes, Axes]:
    """Draw the mass spectrum of passing and of failing events, and below it their ratio.

    Parameters
    ----------
    result : cmslabs.evaluation.validation.sculpting.Sculpting
    simulation, source
        As in `plot_tails`.
    fraction : float, optional
        Which threshold; by default the tightest.
    xlabel, unit : str
        The mass and its unit.

    Returns
    -------
    axes, panel : matplotlib.axes.Axes
        Both shapes are normalised.  The bins are those of the test: about equally many events in each.

    Raises
    ------
    DataError
        If there is no such threshold.
    """
    known = {cut.fraction: cut for cut in result.cuts}
    wanted = min(known) if fraction is None else fraction
    if wanted not in known:
        raise DataError(f"there is no threshold at {wanted!r}.", remedy=f"There are: {', '.join(map(str, known))}.")
    cut = known[wanted]
    widths, middle = np.diff(cut.edges), (cut.edges[1:] + cut.edges[:-1]) / 2
    _, ax, panel = new_figure(height=5.4, pulls=True)
    fail, passing = (part / part.sum() / widths for part in (cut.failing, cut.passing))
    error = np.sqrt(cut.passing) / cut.passing.sum() / widths
    ax.stairs(fail, cut.edges, color=COLORS[0], linewidth=2.2, label="Fails")
    ax.errorbar(middle, passing, yerr=error, label=f"Passes ({100 * cut.fraction:g} %)", **_POINT)
    ax.set_yscale("log")
    ax.set_ylim(0.4 * fail.min(), 6 * max(fail.max(), passing.max()))
    panel.axhline(1, color=COLORS[0], linewidth=1.5)
    ratio = cut.ratio
    panel.errorbar(middle, ratio, yerr=ratio / np.sqrt(np.maximum(cut.passing, 1)), **_POINT)
    reach = 1.2 * max(0.2, float(np.nanmax(np.abs(ratio - 1))))
    panel.set_ylim(max(0.0, 1 - reach), 1 + reach)
    panel.set_ylabel("Ratio", loc="center")
    panel.set_xlabel(axis_label(xlabel, unit))
    panel.set_xlim(cut.edges[0], cut.edges[-1])
    label_axes(ax, simulation, ylabel="Share of events" + (f" / {unit}" if unit else ""), source=source)
    words = f"{result.verdict[0].upper()}{result.verdict[1:]}, p = {result.p_value:.2g}"
    _legend(ax, words)
    return ax, panel


def plot_permutations(result: Any, *, simulation: bool, source: str | None = None) -> Axes:
    """Draw the statistic of the table, and of tables with shuffled columns.

    Parameters
    ----------
    result : cmslabs.evaluation.validation.permutation.PermutationControl
    simulation, source
        As in `plot_tails`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_figure()[1]
    _draw_null(ax, np.asarray(result.permuted), result.observed, "Shuffled columns", "Table as it is")
    name = result.statistic[0].upper() + result.statistic[1:]
    label_axes(ax, simulation, xlabel=f"{name} of the scores", ylabel="Trainings", source=source)
    _legend(ax, f"p = {result.p_value:.2g}: {result.verdict}")
    return ax


def plot_stability(result: Any, *, simulation: bool, source: str | None = None) -> Axes:
    """Draw how much the tails of two trainings share: other seeds, other samples, and without training.

    Parameters
    ----------
    result : cmslabs.evaluation.validation.stability.Stability
    simulation, source
        As in `plot_tails`.

    Returns
    -------
    matplotlib.axes.Axes
        One small point for each pair; the large one is the mean with its 95 % interval.  Dotted: tails at random.
    """
    groups = {"Other seeds": result.training, "Other samples": result.sampling}
    groups |= {"Other samples,\nno training": result.reference}
    found = {name: one for name, one in groups.items() if one is not None}
    ax = new_figure()[1]
    for place, one in enumerate(found.values()):
        spread = np.linspace(-0.18, 0.18, len(one.jaccard))
        style = {"color": COLORS[place], "marker": MARKERS[place], "linestyle": "none", "markersize": 6, "alpha": 0.7}
        ax.plot(place + spread, one.jaccard, **style)
        ends = np.clip([one.mean_jaccard - one.jaccard_low, one.jaccard_high - one.mean_jaccard], 0, None)
        ax.errorbar(place + 0.3, one.mean_jaccard, yerr=ends[:, None], **_POINT)
    ax.axhline(result.chance, color=COLORS[8], linestyle=":", linewidth=1.8, label="Random tails")
    ax.axhline(result.least, color=COLORS[2], linestyle="--", linewidth=1.5, label="Asked for")
    ax.set_xticks(range(len(found)), list(found))
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)
    ax.set(xlim=(-0.5, len(found) - 0.4), ylim=(-0.02, 1.04))
    label = f"Jaccard index of {100 * result.fraction:g} % tails"
    label_axes(ax, simulation, ylabel=label, source=source)
    legend_below(ax, True)
    return ax


def plot_tail_hunt(result: Any, *, simulation: bool, source: str | None = None) -> Axes:
    """Draw the largest local significance behind a selection, and that of toys with and without the selection's shape.

    Parameters
    ----------
    result : cmslabs.evaluation.validation.hunt.TailHunt
    simulation, source
        As in `plot_tails`.

    Returns
    -------
    matplotlib.axes.Axes
        Dashed: toys from the smooth function that fitted the tail; filled: toys from the spectrum before the selection
        times the share that passes.
    """
    ax = new_figure()[1]
    own, redone = np.asarray(result.behind.toys.largest), np.asarray(result.toys.largest)
    observed = result.behind.local_significance
    bins = np.linspace(0, 1.05 * max(own.max(), redone.max(), observed), 31)
    for values, style in (
        (redone, {"fill": True, "color": COLORS[9], "label": "Toys behind the selection"}),
        (own, {"color": COLORS[2], "linestyle": "--", "linewidth": 2, "label": "Toys of the smooth fit"}),
    ):
        ax.stairs(np.histogram(values, bins)[0] / len(values), bins, **style)
    ax.axvline(observed, color="black", linewidth=2.5, label="Observed")
    ax.set_xlim(0, bins[-1])
    ax.set_ylim(0, 1.7 * ax.get_ylim()[1])
    label_axes(ax, simulation, xlabel="Largest local significance [σ]", ylabel="Share of toys", source=source)
    bound = "≤ " if result.is_bound else "= "
    words = f"Fit alone: p = {result.behind.global_p:.2g}\nBehind the selection: p {bound}{result.p_value:.2g}"
    _legend(ax, words)
    return ax


def plot_certificates(certificates: Mapping[str, Any], *, simulation: bool, source: str | None = None) -> Axes:
    """Draw the false-alarm rates of several estimators, with thresholds from validation and from training events.

    Parameters
    ----------
    certificates : mapping of name to certificate
        As `cmslabs.evaluation.validation.certificate.null_certificate` gives them, or their ``to_dict()``.
    simulation, source
        As in `plot_tails`.

    Returns
    -------
    matplotlib.axes.Axes
        With 95 % intervals; dashed: what was claimed.

    Raises
    ------
    DataError
        If there is none.
    """
    if not certificates:
        raise DataError("there is no certificate to draw.", remedy="Give a mapping of names to certificates.")
    found = {name: one if isinstance(one, Mapping) else one.to_dict() for name, one in certificates.items()}
    ax = new_figure(height=2.2 + 1.3 * _LINE * len(found))[1]
    places = np.arange(len(found))[::-1]
    for number, (key, label) in enumerate(
        {"held_out": "From validation events", "in_sample": "From training events"}.items()
    ):
        rows = [one["false_alarms"][key] for one in found.values()]
        rate = np.array([row["rate"] for row in rows])
        ends = np.clip([rate - [row["low"] for row in rows], [row["high"] for row in rows] - rate], 0, None)
        style = {"fmt": MARKERS[number], "color": COLORS[(0, 2)[number]], "markersize": 7, "elinewidth": 1.8}
        ax.errorbar(rate, places + 0.15 - 0.3 * number, xerr=ends, label=f"Threshold: {label.lower()}", **style)
    claimed = next(iter(found.values()))["alpha"]
    ax.axvline(claimed, color=COLORS[8], linestyle="--", linewidth=1.5, label="Claimed")
    ax.set_yticks(places, list(found))
    ax.tick_params(axis="y", which="minor", left=False, right=False)
    ax.set_ylim(-0.6, len(found) - 0.4)
    ax.set_xlim(left=0)
    label_axes(ax, simulation, xlabel="False alarms per null", source=source)
    legend_below(ax, True, columns=1)
    return ax


def _draw_null(ax: Axes, drawn: np.ndarray, observed: float, null: str, data: str) -> None:
    """A histogram of what nothing gives, a line for the data, and room for a legend above both."""
    low, high = min(drawn.min(), observed), max(drawn.max(), observed)
    margin = 0.05 * (high - low) or 1.0
    counts, bins = np.histogram(drawn, np.linspace(low - margin, high + margin, 31))
    ax.stairs(counts, bins, fill=True, color=COLORS[9], label=null)
    ax.axvline(observed, ymax=0.62, color="black", linewidth=2.5, label=data)
    ax.set_xlim(bins[0], bins[-1])
    ax.set_ylim(0, 1.7 * counts.max())


def _legend(ax: Axes, title: str) -> None:
    """In the upper right corner, where every figure here has left room; lines that cross it end at a white box."""
    legend = ax.legend(loc="upper right", title=title, title_fontsize=13, fontsize=STYLE["legend.fontsize"])
    legend.set_frame_on(True)
    legend.get_frame().set(facecolor="white", edgecolor="none", alpha=1.0)

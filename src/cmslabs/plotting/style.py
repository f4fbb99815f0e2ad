"""The house style: readable on a phone, safe for colour-blind eyes, and honest about simulation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLORS", "MARKERS", "STYLE", "WIDTH", "axis_label", "label_axes", "new_figure", "use_style"]

#: Ten colours that stay apart for colour-blind readers and in print: M. A. Petroff, "Accessible color
#: sequences for data visualization", arXiv:2107.02270 (the sequence that CMS recommends, too).
COLORS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)

#: One marker per colour, so that no curve is told by its colour alone.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")

#: Width of every figure in inches.  Scaled to a phone's 390 pixels, the tick labels are 11 pixels high.
WIDTH = 6.4

#: The settings, as matplotlib names them.
STYLE: Mapping[str, object] = MappingProxyType(
    {
        "axes.axisbelow": True,
        "axes.formatter.limits": (-4, 5),
        "axes.formatter.use_mathtext": True,
        "axes.labelsize": 15,
        "axes.linewidth": 1.2,
        "axes.prop_cycle": mpl.cycler(color=COLORS),
        "axes.titlesize": 15,
        "errorbar.capsize": 0,
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "figure.figsize": (WIDTH, 4.4),
        "font.family": "sans-serif",
        # matplotlib brings DejaVu along: the same letters, and no missing-font warning, on every machine.
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 14,
        "image.cmap": "cividis",
        "legend.fontsize": 13,
        "legend.frameon": False,
        "lines.linewidth": 2.0,
        "lines.markersize": 5,
        "savefig.dpi": 150,
        "svg.hashsalt": "cmslabs",
        "xaxis.labellocation": "right",
        "xtick.direction": "in",
        "xtick.labelsize": 13,
        "xtick.minor.visible": True,
        "xtick.top": True,
        "yaxis.labellocation": "top",
        "ytick.direction": "in",
        "ytick.labelsize": 13,
        "ytick.minor.visible": True,
        "ytick.right": True,
    }
)


def use_style() -> None:
    """Make the house style the default of all figures from now on.

    Examples
    --------
    >>> use_style()
    >>> import matplotlib
    >>> matplotlib.rcParams["figure.figsize"][0] == WIDTH
    True
    """
    mpl.rcParams.update(STYLE)


def new_figure(height: float = 4.4, *, pulls: bool = False) -> tuple[Figure, Axes, Axes | None]:
    """A figure in the house style, whatever style is set: one pair of axes, and a low panel below if `pulls`.

    Parameters
    ----------
    height : float
        Inches; the width is always `WIDTH`.
    pulls : bool
        Whether to add a panel a third as high that shares the x axis.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    panel : matplotlib.axes.Axes or None
    """
    import matplotlib.pyplot as plt

    with mpl.rc_context(STYLE):
        if not pulls:
            figure, axes = plt.subplots(figsize=(WIDTH, height))
            return figure, axes, None
        figure, (axes, panel) = plt.subplots(
            2, 1, figsize=(WIDTH, height), sharex=True, gridspec_kw={"height_ratios": [3, 1]}
        )
        return figure, axes, panel


def axis_label(name: str, unit: str | None) -> str:
    """What stands on an axis: the quantity, and its unit in brackets.

    Examples
    --------
    >>> axis_label("Dimuon mass", "GeV")
    'Dimuon mass [GeV]'
    >>> axis_label("tau21", "1")
    'tau21'
    """
    return name if unit in (None, "", "1") else f"{name} [{unit}]"


def label_axes(
    ax: Axes,
    simulation: bool,
    *,
    xlabel: str | None = None,
    xunit: str | None = None,
    ylabel: str | None = None,
    yunit: str | None = None,
    source: str | None = None,
) -> Axes:
    """Say on the plot what is on its axes, and whether what it shows happened.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    simulation : bool
        True prints **Simulation** above the plot; False prints **Data**.
    xlabel, ylabel : str, optional
        The quantities.
    xunit, yunit : str, optional
        Their units; None or "1" for pure numbers.
    source : str, optional
        Printed at the right above the plot: the data set, for example "CMS Open Data 2011".  These plots
        are this course's, not the collaboration's: its name alone is no label here.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.

    Raises
    ------
    TypeError
        If `simulation` is not a bool: a name or a count there would silently mean "Simulation".

    Examples
    --------
    >>> _, ax, _ = new_figure()
    >>> _ = label_axes(ax, simulation=True, xlabel="Dimuon mass", xunit="GeV")
    >>> ax.get_xlabel(), ax.texts[0].get_text()
    ('Dimuon mass [GeV]', 'Simulation')
    """
    if not isinstance(simulation, bool | np.bool_):
        raise TypeError(f"simulation must be True or False, not {simulation!r}")
    if xlabel is not None:
        ax.set_xlabel(axis_label(xlabel, xunit))
    if ylabel is not None:
        ax.set_ylabel(axis_label(ylabel, yunit))
    text = "Simulation" if simulation else "Data"
    place = {"transform": ax.transAxes, "va": "bottom", "fontsize": 14}
    ax.text(0.0, 1.015, text, ha="left", fontweight="bold", fontstyle="italic" if simulation else "normal", **place)
    if source is not None:
        ax.text(1.0, 1.015, source, ha="right", **place)
    return ax

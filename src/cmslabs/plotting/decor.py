"""What the plots of a search share: legends that hide nothing, bands, hatched ranges, lines of significance."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cmslabs.plotting.style import COLORS, STYLE

__all__ = ["SMALLEST_P", "draw_band", "draw_blind", "draw_sigmas", "in_words", "p_of", "place_legend"]

#: A p-value smaller than this is drawn here, as a triangle: beyond, no number means anything.
SMALLEST_P = 1e-100
#: The light blue of the house and a tint of its orange: apart for every viewer, and the lines stay readable on both.
INNER, OUTER = COLORS[9], "#fbe3b5"


def place_legend(ax: Axes, x: np.ndarray, reach: np.ndarray, title: str | None = None, below: bool = False) -> None:
    """A legend in the upper (or lower) corner that needs less room, and so much room that it hides nothing.

    Parameters
    ----------
    x, reach : ndarray, shape (n,)
        How high (or low) the drawing goes at each x.
    """
    side = "lower" if below else "upper"
    legend = ax.legend(loc=f"{side} right", title=title, title_fontsize=13, fontsize=STYLE["legend.fontsize"])
    legend.get_frame().set(facecolor="white", edgecolor="none", alpha=1.0)
    legend.set_frame_on(below)  # Lines that cross the whole plot end at a white box.
    ax.figure.canvas.draw()
    box = legend.get_window_extent().transformed(ax.transAxes.inverted())
    scale = ax.yaxis.get_transform()
    ends = scale.transform(ax.get_ylim())[:: -1 if below else 1]
    left, right = ax.get_xlim()
    place = (x - left) / (right - left)
    height = (scale.transform(reach) - ends[0]) / (ends[1] - ends[0])
    room = 1 - ((box.y1 if below else 1 - box.y0) + 0.03)
    step = (x[1:] - x[:-1]).max(initial=0) / (right - left)
    needed = {}
    for corner, under in {"right": place > box.x0 - step, "left": place < 1 - box.x0 + step}.items():
        needed[corner] = max(height[under].max(initial=0) / max(room, 0.2), height.max(initial=0) / 0.97, 0.1)
    corner = min(needed, key=needed.get)
    legend.set_loc(f"{side} {corner}")
    far = scale.inverted().transform(ends[0] + needed[corner] * (ends[1] - ends[0]))
    ax.set_ylim(**{"bottom" if below else "top": float(far)})


def draw_band(ax: Axes, x: np.ndarray, quantiles: np.ndarray, what: str) -> None:
    """What is expected without a signal: 95 and 68 % bands and the median."""
    ax.fill_between(x, quantiles[0], quantiles[4], color=OUTER, linewidth=0, label=f"{what}, 95 %")
    ax.fill_between(x, quantiles[1], quantiles[3], color=INNER, linewidth=0, label=f"{what}, 68 %")
    ax.plot(x, quantiles[2], color=COLORS[4], linestyle=":", linewidth=2, label=f"{what}, median")


def draw_blind(ax: Axes, blind: tuple[float, float], hide: bool) -> None:
    """A hatched range; with `hide` it covers the lines below it."""
    look = {"facecolor": "white", "zorder": 3} if hide else {"facecolor": "none"}
    ax.axvspan(*blind, edgecolor=COLORS[8], hatch="///", linewidth=0, label="Blinded", **look)


def draw_sigmas(ax: Axes) -> None:
    """Lines at whole standard deviations, their names beside the plot, none on another; 5, 3 and 1 come first."""
    bottom, top = np.log(ax.get_ylim())
    taken: list[float] = []
    for sigma in (5, 3, 1, 2, 4, 10, 15, 20):
        place = (np.log(p_of(sigma)) - bottom) / (top - bottom)
        if place > 0 and all(abs(place - other) > 0.055 for other in taken):
            taken.append(place)
            ax.axhline(p_of(sigma), color=COLORS[8], linestyle="--", linewidth=1, zorder=1)
            ax.text(1.01, place, f"{sigma}σ", transform=ax.transAxes, ha="left", va="center", fontsize=13)


def p_of(sigma: float) -> float:
    """One-sided tail of a normal distribution."""
    from scipy.special import ndtr

    return float(ndtr(-sigma))


def in_words(p: float) -> str:
    """A p-value and its significance."""
    from scipy.special import ndtri

    if p < SMALLEST_P:
        return "Global p: below 1e-100"
    return f"Global p = {p:.2g}" + (f" ({float(-ndtri(p)):.1f}σ)" if p < 0.5 else "")

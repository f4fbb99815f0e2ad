"""Pictures of a bump hunt: a spectrum over its smooth background, local p-values, and upper limits."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cmslabs.errors import ConfigError, DataError
from cmslabs.plotting.binned import Spectrum
from cmslabs.plotting.spectra import draw_pulls, draw_spectrum, events_label
from cmslabs.plotting.style import COLORS, STYLE, axis_label, label_axes, new_figure

__all__ = ["plot_bump", "plot_limits", "plot_local_p"]

#: A spectrum that spans more than this factor is drawn on a logarithmic axis.
STEEP = 50.0
#: A p-value smaller than this is drawn here: floating-point numbers end soon after.
SMALLEST_P = 1e-300
_INNER, _OUTER = COLORS[9], "#fbe3b5"  # Light blue and light orange: apart in brightness and for every viewer.


def plot_bump(
    spectrum: Spectrum,
    background: np.ndarray,
    *,
    simulation: bool,
    xlabel: str,
    unit: str | None,
    background_error: np.ndarray | None = None,
    signal: np.ndarray | None = None,
    blind: tuple[float, float] | None = None,
    log: bool | None = None,
    note: str | None = None,
    source: str | None = None,
) -> tuple[Axes, Axes]:
    """Draw a spectrum over its smooth background, and below it bin by bin how far they are apart.

    Parameters
    ----------
    spectrum : Spectrum
        Counts; the bins may differ in width.
    background : array_like, shape (n_bins,)
        Expected background events in each bin.
    simulation : bool
        Whether the events are simulated; printed above the plot.
    xlabel, unit : str
        The quantity and its unit.
    background_error : array_like, shape (n_bins,), optional
        Uncertainty of `background`, drawn as a band.
    signal : array_like, shape (n_bins,), optional
        Expected events of a signal, drawn on top of the background, and alone in the panel.
    blind : tuple of float, optional
        Bins that overlap this range are not drawn: it is hatched.
    log : bool, optional
        Logarithmic y axis; by default where the spectrum spans more than a factor of 50.
    note : str, optional
        The result in words, printed above the legend.
    source : str, optional
        The data set, printed above the plot.

    Returns
    -------
    axes, panel : matplotlib.axes.Axes
        The panel shows the signed root of the Poisson deviance of each bin, which is (n - b) / sqrt(b) where
        counts are large and stays fair where they are few; for weighted events (n - b) over their uncertainty.
        The uncertainty of the background is not part of it.

    Raises
    ------
    DataError
        If the arrays have other lengths than the spectrum has bins, or the background is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> edges, counts = np.array([100.0, 110.0, 130.0, 170.0]), np.array([50.0, 62.0, 20.0])
    >>> ax, panel = plot_bump(Spectrum(edges, counts, counts), [50.0, 40.0, 21.0], simulation=False,
    ...                       xlabel="Dijet mass", unit="GeV")
    >>> ax.get_ylabel(), panel.get_xlabel()
    ('Events / GeV', 'Dijet mass [GeV]')
    """
    background, error, signal = _arrays(spectrum, background, background_error, signal)
    shown = np.ones(len(background), dtype=bool) if blind is None else ~_overlap(spectrum.edges, blind)
    per_width = spectrum.width is None
    scale = 1 / spectrum.widths if per_width else np.ones_like(background)
    visible = Spectrum(spectrum.edges, np.where(shown, spectrum.counts, 0), np.where(shown, spectrum.variances, 0))

    figure, ax, panel = new_figure(height=5.4, pulls=True)
    draw_spectrum(ax, visible, "points", 0, "Simulated events" if simulation else "Data", per_width, color="black")
    ax.stairs(background * scale, spectrum.edges, baseline=None, color=COLORS[2], linewidth=2, label="Background fit")
    if error.any():
        band = {"baseline": (background - error).clip(0) * scale, "fill": True, "alpha": 0.25, "linewidth": 0}
        ax.stairs((background + error) * scale, spectrum.edges, color=COLORS[2], **band)
    pulls = _pulls(spectrum, background)[shown]
    draw_pulls(panel, spectrum.centres[shown], pulls)
    if signal.any():
        _draw_signal(ax, panel, spectrum, background, signal, scale)
    tops = (np.maximum(visible.counts + np.sqrt(visible.variances), background + error + signal)) * scale
    _scale(ax, visible, background * scale, scale, log)
    for axes in (ax, panel) if blind is not None else ():
        low, high = spectrum.edges[:-1][~shown], spectrum.edges[1:][~shown]
        if len(low):
            area = axes.axvspan(low[0], high[-1], facecolor="none", edgecolor=COLORS[8], hatch="///", linewidth=0)
            area.set_label("Blinded")
    ax.set_xlim(spectrum.edges[0], spectrum.edges[-1])
    label_axes(ax, simulation, ylabel=events_label(spectrum.width, unit), source=source)
    panel.set_xlabel(axis_label(xlabel, unit))
    figure.align_ylabels([ax, panel])
    _place_legend(ax, spectrum.centres, tops, note)
    return ax, panel


def _arrays(spectrum: Spectrum, *given) -> list[np.ndarray]:
    """One finite number per bin for each; zeros for what is not given."""
    arrays = []
    for values in given:
        array = np.zeros(len(spectrum.counts)) if values is None else np.asarray(values, dtype=float)
        if array.shape != spectrum.counts.shape or not np.isfinite(array).all():
            raise DataError(
                f"{array.size} numbers, {np.isfinite(array).sum()} finite, do not fit {len(spectrum.counts)} bins.",
                remedy="Give one expected number of events for each bin.",
            )
        arrays.append(array)
    if not (arrays[0] > 0).all():
        raise DataError("the background must be larger than 0 in every bin.", remedy="Fit it again, or leave bins out.")
    return arrays


def _overlap(edges: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    if not window[0] < window[1]:
        raise ConfigError(f"the blind range goes from a lower to a higher number, not {tuple(window)}.")
    return (edges[:-1] < window[1]) & (edges[1:] > window[0])


def _pulls(spectrum: Spectrum, expected: np.ndarray) -> np.ndarray:
    """Signed root of the deviance 2 (n ln(n / b) - n + b); for weighted events the usual pull."""
    n, difference = spectrum.counts, spectrum.counts - expected
    if not np.allclose(spectrum.variances, n):
        return difference / np.sqrt(np.where(spectrum.variances > 0, spectrum.variances, expected))
    deviance = 2 * (n * np.log(np.where(n > 0, n, 1) / expected) * (n > 0) - difference)
    return np.sign(difference) * np.sqrt(np.maximum(deviance, 0))


def _draw_signal(ax: Axes, panel: Axes, spectrum: Spectrum, background, signal, scale) -> None:
    """The signal on the background where it is more than a hundredth of its largest, and in units of the pulls."""
    there = np.abs(signal) > 0.01 * np.abs(signal).max()
    style = {"baseline": None, "color": COLORS[0], "linewidth": 2.5}
    ax.stairs(np.where(there, (background + signal) * scale, np.nan), spectrum.edges, label="With signal", **style)
    with_signal = Spectrum(spectrum.edges, background + signal, background + signal)
    panel.stairs(np.where(there, _pulls(with_signal, background), np.nan), spectrum.edges, **style)


def _scale(ax: Axes, spectrum: Spectrum, background: np.ndarray, scale: np.ndarray, log: bool | None) -> None:
    heights = (spectrum.counts * scale)[spectrum.counts > 0]
    if log or (log is None and len(heights) and heights.max() > STEEP * heights.min()):
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.3 * min(heights.min(initial=np.inf), background.max()))
    else:
        ax.set_ylim(bottom=min(0, 1.1 * heights.min(initial=0)))


def _place_legend(ax: Axes, x: np.ndarray, reach: np.ndarray, title: str | None = None, below: bool = False) -> None:
    """A legend in the upper (or lower) corner that needs less room, and so much room that it hides nothing.

    Parameters
    ----------
    x, reach : ndarray, shape (n,)
        How high (or low) the drawing goes at each x.
    """
    side = "lower" if below else "upper"
    legend = ax.legend(loc=f"{side} right", title=title, title_fontsize=12, fontsize=STYLE["legend.fontsize"])
    legend.set_frame_on(False)
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


def plot_local_p(
    mass: np.ndarray,
    local_p: np.ndarray,
    *,
    simulation: bool,
    xlabel: str,
    unit: str | None,
    global_p: float | None = None,
    expected: np.ndarray | None = None,
    source: str | None = None,
) -> Axes:
    """Draw the local p-value against the mass: the deeper, the less does it look like background.

    Parameters
    ----------
    mass : array_like, shape (n,)
        Rising.
    local_p : array_like, shape (n,)
        One-sided p-value of each mass, as if it were the only one that is looked at.
    simulation, xlabel, unit, source
        As in `plot_bump`.
    global_p : float, optional
        Probability that the smallest local p of a spectrum without a signal is as small as here or smaller.
    expected : array_like, shape (5,) or (5, n), optional
        What spectra without a signal give, for example for their smallest local p: quantiles at -2, -1, 0, 1
        and 2 standard deviations.

    Returns
    -------
    matplotlib.axes.Axes
        Dashed lines mark 1, 2, 3, 4 and 5 standard deviations; a lowest point that is far beyond has lines at
        10, 20 and 30.

    Raises
    ------
    DataError
        If the arrays do not fit together or a p-value is not between 0 and 1.

    Examples
    --------
    >>> ax = plot_local_p([100.0, 110.0, 120.0], [0.4, 0.01, 0.6], simulation=True, xlabel="Mass", unit="GeV")
    >>> ax.get_yscale(), [text.get_text() for text in ax.texts][:3]
    ('log', ['1σ', '2σ', '3σ'])
    """
    mass, local_p = _pair(mass, local_p)
    if not ((local_p >= 0) & (local_p <= 1)).all():
        raise DataError("a local p-value is not between 0 and 1.", remedy="Give probabilities, not significances.")
    drawn = local_p.clip(SMALLEST_P)
    ax = new_figure()[1]
    ax.set_yscale("log")
    lowest = drawn
    if expected is not None:
        band = np.broadcast_to(np.asarray(expected, dtype=float).reshape(5, -1), (5, len(mass))).clip(SMALLEST_P)
        _draw_band(ax, mass, np.sort(band, axis=0))
        lowest = np.minimum(drawn, band.min(axis=0))
    ax.plot(mass, drawn, color="black", linewidth=2, label="Observed")
    ax.set_xlim(mass[0], mass[-1])
    ax.set_ylim(lowest.min() / 3, 1.5)
    _draw_sigmas(ax, min(lowest.min(), _p_of(3.1)))
    said = None if global_p is None else _in_words(global_p)
    label_axes(ax, simulation, xlabel=xlabel, xunit=unit, ylabel="Local p-value", source=source)
    _place_legend(ax, mass, np.minimum(lowest, _p_of(3.1)), said, below=True)
    return ax


def _draw_sigmas(ax: Axes, lowest: float) -> None:
    """Lines at whole standard deviations down to the lowest p, their names beside the plot."""
    near = lowest > _p_of(8.0)
    for sigma in (1, 2, 3, 4, 5) if near else (1, 3, 5, 10, 20, 30):
        p = _p_of(sigma)
        if p >= lowest / 3:
            ax.axhline(p, color=COLORS[8], linestyle="--", linewidth=1, zorder=1)
            place = {"transform": ax.get_yaxis_transform(), "ha": "left", "va": "center", "fontsize": 12}
            ax.text(1.01, p, f"{sigma}σ", **place)


def _p_of(sigma: float) -> float:
    """One-sided tail of a normal distribution."""
    from scipy.special import ndtr

    return float(ndtr(-sigma))


def _in_words(p: float) -> str:
    """A p-value and its significance."""
    from scipy.special import ndtri

    if p <= SMALLEST_P:
        return "Global p: too small for a number"
    return f"Global p = {p:.2g} ({float(-ndtri(p)):.1f}σ)"


def plot_limits(
    mass: np.ndarray,
    observed: np.ndarray,
    expected: np.ndarray,
    *,
    simulation: bool,
    xlabel: str,
    unit: str | None,
    source: str | None = None,
) -> Axes:
    """Draw upper limits on a signal's yield, and the band in which they should lie without a signal.

    Parameters
    ----------
    mass : array_like, shape (n,)
        Rising.
    observed : array_like, shape (n,)
        Upper limits at 95 % confidence [events].
    expected : array_like, shape (5, n)
        Limits of spectra without a signal: -2, -1, 0, 1 and 2 standard deviations.
    simulation, xlabel, unit, source
        As in `plot_bump`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        If the arrays do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> expected = np.array([[5.0, 4.0], [7.0, 6.0], [10.0, 8.0], [14.0, 11.0], [19.0, 15.0]])
    >>> ax = plot_limits([1000.0, 2000.0], [9.0, 9.5], expected, simulation=True, xlabel="Dijet mass", unit="GeV")
    >>> ax.get_ylabel()
    'Upper limit on signal events (95 % CL)'
    """
    mass, observed = _pair(mass, observed)
    expected = np.asarray(expected, dtype=float)
    if expected.shape != (5, len(mass)) or not np.isfinite(expected).all():
        raise DataError(f"the expected limits must be 5 x {len(mass)} finite numbers, not {expected.shape}.")
    ax = new_figure()[1]
    _draw_band(ax, mass, expected)
    ax.plot(mass, observed, color="black", linewidth=2, label="Observed")
    ax.set_xlim(mass[0], mass[-1])
    every = np.concatenate([observed[None], expected])
    if every.max() > STEEP * every[every > 0].min():
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.5 * every[every > 0].min())
    else:
        ax.set_ylim(bottom=0)
    label_axes(
        ax, simulation, xlabel=xlabel, xunit=unit, ylabel="Upper limit on signal events (95 % CL)", source=source
    )
    _place_legend(ax, mass, every.max(axis=0))
    return ax


def _pair(mass, values) -> tuple[np.ndarray, np.ndarray]:
    mass, values = np.asarray(mass, dtype=float), np.asarray(values, dtype=float)
    if mass.ndim != 1 or mass.shape != values.shape or len(mass) < 2 or not np.isfinite([mass, values]).all():
        raise DataError("there must be as many finite numbers as masses, and at least two.")
    if (np.diff(mass) <= 0).any():
        raise DataError("the masses must rise.", remedy="Take one width, or the best one, for each mass.")
    return mass, values


def _draw_band(ax: Axes, x: np.ndarray, quantiles: np.ndarray) -> None:
    """What is expected without a signal: 95 and 68 % bands and the median."""
    ax.fill_between(x, quantiles[0], quantiles[4], color=_OUTER, linewidth=0, label="Expected, 95 %")
    ax.fill_between(x, quantiles[1], quantiles[3], color=_INNER, linewidth=0, label="Expected, 68 %")
    ax.plot(x, quantiles[2], color=COLORS[8], linestyle="--", linewidth=1.5, label="Expected, median")

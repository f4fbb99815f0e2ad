"""Pictures of a bump hunt: a spectrum over its smooth background, local p-values, and upper limits."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cmslabs.errors import ConfigError, DataError
from cmslabs.plotting.binned import Spectrum
from cmslabs.plotting.decor import SMALLEST_P, draw_band, draw_blind, draw_sigmas, in_words, p_of, place_legend
from cmslabs.plotting.spectra import draw_pulls, draw_spectrum, events_label
from cmslabs.plotting.style import COLORS, axis_label, label_axes, new_figure

__all__ = ["plot_bump", "plot_limits", "plot_local_p"]

#: A spectrum that spans more than this factor is drawn on a logarithmic axis.
STEEP = 50.0


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
    if not shown.all():
        for axes in (ax, panel):
            draw_blind(axes, (spectrum.edges[:-1][~shown][0], spectrum.edges[1:][~shown][-1]), hide=False)
    ax.set_xlim(spectrum.edges[0], spectrum.edges[-1])
    label_axes(ax, simulation, ylabel=events_label(spectrum.width, unit), source=source)
    panel.set_xlabel(axis_label(xlabel, unit))
    figure.align_ylabels([ax, panel])
    place_legend(ax, spectrum.centres, tops, note)
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


def plot_local_p(
    mass: np.ndarray,
    local_p: np.ndarray,
    *,
    simulation: bool,
    xlabel: str,
    unit: str | None,
    global_p: float | None = None,
    expected: np.ndarray | None = None,
    blind: tuple[float, float] | None = None,
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
    blind : tuple of float, optional
        Masses that were not looked at: hatched.

    Returns
    -------
    matplotlib.axes.Axes
        Dashed lines mark 1, 2, 3, 4, 5, 10, 15 and 20 standard deviations, as far as the axis goes and where there
        is room.  What lies below 1e-100 is drawn there.

    Raises
    ------
    DataError
        If the arrays do not fit together or a p-value is not between 0 and 1.

    Examples
    --------
    >>> ax = plot_local_p([100.0, 110.0, 120.0], [0.4, 0.01, 0.6], simulation=True, xlabel="Mass", unit="GeV")
    >>> ax.get_yscale(), [text.get_text() for text in ax.texts]
    ('log', ['Simulation', '3σ', '1σ', '2σ'])
    """
    mass, local_p = _pair(mass, local_p)
    if not ((local_p >= 0) & (local_p <= 1)).all():
        raise DataError("a local p-value is not between 0 and 1.", remedy="Give probabilities, not significances.")
    drawn = local_p.clip(SMALLEST_P)
    ax = new_figure()[1]
    ax.set_yscale("log")
    lowest = drawn
    if expected is not None:
        band = np.asarray(expected, dtype=float).reshape(5, -1)
        what = "Lowest expected" if band.shape[1] == 1 else "Expected"
        band = np.sort(np.broadcast_to(band, (5, len(mass))).clip(SMALLEST_P), axis=0)
        draw_band(ax, mass, band, what)
        lowest = np.minimum(drawn, band[0])
    ax.plot(mass, drawn, color="black", linewidth=2, label="Observed")
    beyond = local_p < SMALLEST_P
    ax.plot(mass[beyond], drawn[beyond], "v", color="black", markersize=6)
    if blind is not None:
        draw_blind(ax, blind, hide=True)
    ax.set_xlim(mass[0], mass[-1])
    ax.set_ylim(min(lowest.min(), p_of(3.1)), 1.5)
    label_axes(ax, simulation, xlabel=xlabel, xunit=unit, ylabel="Local p-value", source=source)
    place_legend(ax, mass, lowest, None if global_p is None else in_words(global_p), below=True)
    ax.set_ylim(bottom=min(ax.get_ylim()[0], p_of(3.2)))
    draw_sigmas(ax)
    return ax


def plot_limits(
    mass: np.ndarray,
    observed: np.ndarray,
    expected: np.ndarray,
    *,
    simulation: bool,
    xlabel: str,
    unit: str | None,
    blind: tuple[float, float] | None = None,
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
    simulation, xlabel, unit, blind, source
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
    'Signal events (95 % CL limit)'
    """
    mass, observed = _pair(mass, observed)
    expected = np.asarray(expected, dtype=float)
    if expected.shape != (5, len(mass)) or not np.isfinite(expected).all():
        raise DataError(f"the expected limits must be 5 x {len(mass)} finite numbers, not {expected.shape}.")
    ax = new_figure()[1]
    draw_band(ax, mass, expected, "Expected")
    ax.plot(mass, observed, color="black", linewidth=2, label="Observed")
    if blind is not None:
        draw_blind(ax, blind, hide=True)
    ax.set_xlim(mass[0], mass[-1])
    every = np.concatenate([observed[None], expected])
    if every.max() > STEEP * every[every > 0].min():
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.5 * every[every > 0].min())
    else:
        ax.set_ylim(bottom=0)
    label_axes(ax, simulation, xlabel=xlabel, xunit=unit, ylabel="Signal events (95 % CL limit)", source=source)
    place_legend(ax, mass, every.max(axis=0))
    return ax


def _pair(mass, values) -> tuple[np.ndarray, np.ndarray]:
    mass, values = np.asarray(mass, dtype=float), np.asarray(values, dtype=float)
    if mass.ndim != 1 or mass.shape != values.shape or len(mass) < 2 or not np.isfinite([mass, values]).all():
        raise DataError("there must be as many finite numbers as masses, and at least two.")
    if (np.diff(mass) <= 0).any():
        raise DataError("the masses must rise.", remedy="Take one width, or the best one, for each mass.")
    return mass, values

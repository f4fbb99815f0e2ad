"""The sliding scan: a test statistic for every mass and width, for many spectra at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cmslabs.evaluation.choice import Choice, Ladder, choose
from cmslabs.evaluation.families import Shape
from cmslabs.evaluation.fits import fit_background, fit_signal
from cmslabs.evaluation.significance import z_bi
from cmslabs.evaluation.windows import Windows

__all__ = ["Analysis", "Scan", "scan_spectra"]

#: Where no smooth function fits better than this, the best window is left out and the function chosen again.
_BAD_FIT = 0.01
#: Problems (spectrum times window) that are solved together: bounds the memory.
_BLOCK = 20_000
#: How far around the best window bins are left out, in standard deviations of the signal.
_MASK_REACH = 3.0


@dataclass(frozen=True)
class Analysis:
    """Everything that is decided before a spectrum is seen, and repeated for every toy experiment.

    Attributes
    ----------
    ladders : tuple of Ladder
        Families and numbers of parameters that may be chosen.
    windows : Windows
    used : ndarray of bool, shape (n_bins,)
        False in blinded bins.
    edges : ndarray, shape (n_bins + 1,)
    statistic : {"template", "window"}
    """

    ladders: tuple[Ladder, ...]
    windows: Windows
    used: np.ndarray
    edges: np.ndarray
    statistic: str


@dataclass(frozen=True)
class Scan:
    """Results for many spectra.

    Attributes
    ----------
    choice : Choice
        The function of each spectrum, its fit without a signal (without the best window where that was needed).
    masked : ndarray of bool, shape (n_spectra, n_bins)
        Bins that this choice left out.
    z : ndarray, shape (n_spectra, n_windows)
        Local significance of an excess, 0 where there is none.
    signal : ndarray, shape (n_spectra, n_windows)
        Fitted yield, or count minus prediction [events]; 0 where there is no excess.
    """

    choice: Choice
    masked: np.ndarray
    z: np.ndarray
    signal: np.ndarray

    @property
    def largest(self) -> np.ndarray:
        """Largest local significance of each spectrum."""
        return self.z.max(axis=1)


def scan_spectra(analysis: Analysis, counts: np.ndarray) -> Scan:
    """Choose the function of each spectrum, then scan it.

    A large peak spoils the choice: smooth functions with many parameters would be chosen because they follow it a
    little.  Where nothing smooth fits (p < 0.01), the best window is left out and the choice made again.

    Parameters
    ----------
    analysis : Analysis
    counts : ndarray, shape (n_spectra, n_bins)
    """
    counts = np.atleast_2d(np.asarray(counts, dtype=float))
    used = np.broadcast_to(analysis.used, counts.shape)
    choice = choose(analysis.ladders, counts, used)
    masked = ~used
    bad = np.flatnonzero(choice.p_value < _BAD_FIT)
    if len(bad):
        # Located with templates in any case: a count is misled by a peak that its sidebands contain.
        located, _ = _scan_chosen(analysis, counts[bad], _subset(choice, bad), masked[bad], _template_scan)
        masked = masked.copy()
        masked[bad] |= _around(analysis, located.argmax(axis=1))
        choice = _replace(choice, bad, choose(analysis.ladders, counts[bad], ~masked[bad]))
    statistic = _template_scan if analysis.statistic == "template" else _window_scan
    z, signal = _scan_chosen(analysis, counts, choice, masked, statistic)
    return Scan(choice, masked, z, signal)


def _around(analysis: Analysis, windows: np.ndarray) -> np.ndarray:
    """Bins within three standard deviations of each window's signal."""
    n_widths = analysis.windows.shape[1]
    mass = analysis.windows.masses[windows // n_widths]
    width = analysis.windows.widths.ravel()[windows]
    middle = (analysis.edges[:-1] + analysis.edges[1:]) / 2
    return np.abs(middle - mass[:, None]) <= _MASK_REACH * width[:, None]


def _replace(choice: Choice, at: np.ndarray, new: Choice) -> Choice:
    merged = {}
    for name in ("index", "background", "deviance", "p_value"):
        merged[name] = getattr(choice, name).copy()
        merged[name][at] = getattr(new, name)
    criterion = choice.criterion.copy()
    criterion[:, at] = new.criterion
    return Choice(choice.shapes, **merged, criterion=criterion)


def _subset(choice: Choice, at: np.ndarray) -> Choice:
    arrays = (choice.index, choice.background, choice.deviance, choice.p_value)
    return Choice(choice.shapes, *(array[at] for array in arrays), criterion=choice.criterion[:, at])


def _scan_chosen(
    analysis: Analysis, counts: np.ndarray, choice: Choice, masked: np.ndarray, statistic: Callable
) -> tuple[np.ndarray, np.ndarray]:
    """Scan every spectrum with its own function; those with the same one together."""
    n_windows = len(analysis.windows.templates)
    z, signal = np.zeros((len(counts), n_windows)), np.zeros((len(counts), n_windows))
    block = max(1, _BLOCK // n_windows)
    for number in np.unique(choice.index):
        members = np.flatnonzero(choice.index == number)
        for first in range(0, len(members), block):
            some = members[first : first + block]
            z[some], signal[some] = statistic(choice.shapes[number], analysis, counts[some], masked[some])
    return z, signal


def _template_scan(
    shape: Shape, analysis: Analysis, counts: np.ndarray, masked: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Square root of the likelihood ratio between background alone and background plus a Gaussian signal.

    Bins that the choice of the function left out hold a peak.  Signals there are fitted to all bins; signals beside
    it without those bins, because their model does not know the peak.
    """
    windows = analysis.windows
    z, signal = np.zeros((len(counts), len(windows.templates))), np.zeros((len(counts), len(windows.templates)))
    left_out = masked & analysis.used
    centre = np.searchsorted(analysis.edges, np.repeat(windows.masses, windows.shape[1])) - 1
    beside = left_out.any(axis=1)[:, None] & ~left_out[:, centre]
    _likelihood_ratios(
        shape, windows.templates, counts, np.broadcast_to(analysis.used, counts.shape), ~beside, z, signal
    )
    _likelihood_ratios(shape, windows.templates, counts, ~masked, beside, z, signal)
    return z, signal


def _likelihood_ratios(shape: Shape, templates, counts, used, wanted, z, signal) -> None:
    """Fill `z` and `signal`, shape (n_spectra, n_windows), where `wanted`; `used` bins only."""
    some = np.flatnonzero(wanted.any(axis=1))
    if not len(some):
        return
    alone = fit_background(shape, counts[some], used[some])
    # Only where the likelihood rises with the yield is its best value positive.
    slope = ((counts[some] / np.maximum(alone.background, 1e-12) - 1) * used[some]) @ templates.T
    row, window = np.nonzero((slope > 0) & wanted[some])
    if not len(row):
        return
    both = fit_signal(shape, counts[some[row]], templates[window], alone.take(row), used[some[row]])
    gain = np.maximum(alone.nll[row] - both.nll, 0.0)
    z[some[row], window] = np.where(both.signal > 0, np.sqrt(2 * gain), 0.0)
    signal[some[row], window] = np.maximum(both.signal, 0.0)


def _window_scan(
    shape: Shape, analysis: Analysis, counts: np.ndarray, masked: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count in each window against the prediction of a fit to the rest, with the prediction's uncertainty.

    The rest is without the bins that the choice of the function left out: they hold a peak.
    """
    inside = analysis.windows.inside
    n_spectra, n_windows = len(counts), len(inside)
    row, window = np.divmod(np.arange(n_spectra * n_windows), n_windows)
    outside = ~masked[row] & ~inside[window]
    fits = fit_background(shape, counts[row], outside)
    mask = inside[window]
    predicted = np.sum(np.where(mask, fits.background, 0.0), axis=1)
    slope = np.where(mask, fits.background if shape.link == "log" else shape.scale, 0.0) @ shape.columns
    covariance = np.linalg.pinv(fits.information, hermitian=True)
    variance = np.einsum("fi,fij,fj->f", slope, covariance, slope)
    observed = np.sum(np.where(mask, counts[row], 0.0), axis=1)
    predicted = np.maximum(predicted, 1e-9)
    z = np.maximum(z_bi(observed, predicted, np.sqrt(np.maximum(variance, 0.0))), 0.0)
    z = np.where(observed > predicted, z, 0.0)
    excess = np.maximum(observed - predicted, 0.0)
    return z.reshape(n_spectra, n_windows), excess.reshape(n_spectra, n_windows)

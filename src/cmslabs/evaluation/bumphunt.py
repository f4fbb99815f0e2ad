"""Bump hunt: is there a window in which a spectrum lies too high, and how often would chance do the same?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError, DataError
from cmslabs.evaluation.checked import blinded_bins, checked_counts
from cmslabs.evaluation.choice import Ladder, build_ladders, choose, hopeful
from cmslabs.evaluation.families import Shape, get_families
from cmslabs.evaluation.limits import upper_limits
from cmslabs.evaluation.lookelsewhere import Toys, global_p, run_toys
from cmslabs.evaluation.minuit import fit_spectrum
from cmslabs.evaluation.scan import Analysis, Scan, scan_spectra
from cmslabs.evaluation.significance import z_to_p
from cmslabs.evaluation.windows import make_windows
from cmslabs.plotting.binned import Spectrum

__all__ = ["STATISTICS", "BumpHunt", "bump_hunt"]

#: How an excess is measured: by a fit of background and Gaussian signal, or by a count in a masked window.
STATISTICS = ("template", "window")
#: Fewer events than this make no spectrum.
_LEAST_EVENTS = 10


@dataclass(frozen=True)
class BumpHunt:
    """Result of `bump_hunt`.

    Attributes
    ----------
    spectrum : Spectrum
        What was searched.
    family, n_parameters : str, int
        The background function that the rule chose.
    background, background_error : ndarray, shape (n_bins,)
        Its fit [events per bin] and the fit's uncertainty.  Bins in `left_out` and blinded ones are predictions.
    left_out : ndarray of bool, shape (n_bins,)
        Bins around the best window that the fit did not use, because nothing smooth fitted all of them.
    gof_p : float
        Goodness of that fit: share of toys that are fitted as badly or worse.
    scan : pandas.DataFrame
        ``mass``, ``width`` [GeV], ``local_p``, ``local_z``, ``signal_yield`` [events] of every window.
    mass, width : float
        The best window: centre and standard deviation of the signal [GeV].
    local_p, local_significance : float
        Of that window, as if it had been the only one.
    global_p, global_p_error : float
        Probability of a window like this anywhere, and its error from the number of toys.
    global_method : {"toys", "gross-vitells"}
        How `global_p` was found: see `cmslabs.evaluation.lookelsewhere.global_p`.
    significance : float
        Of `global_p`.
    n_toys : int
    signal_yield, signal_yield_error : float
        Events, from a fit with iminuit.
    signal : ndarray, shape (n_bins,)
        The best signal's expected counts.
    statistic : {"template", "window"}
    blind : (float, float) or None
        Masses that were not used.
    seed : int
    toys : Toys
        The largest local significance of every toy.
    shape, theta
        The background function and its parameters, for `background_density`.
    analysis : Analysis
        What was decided before the spectrum was scanned.
    """

    spectrum: Spectrum
    family: str
    n_parameters: int
    background: np.ndarray
    background_error: np.ndarray
    left_out: np.ndarray
    gof_p: float
    scan: pd.DataFrame
    mass: float
    width: float
    local_p: float
    local_significance: float
    global_p: float
    global_p_error: float
    global_method: str
    significance: float
    n_toys: int
    signal_yield: float
    signal_yield_error: float
    signal: np.ndarray
    statistic: str
    blind: tuple[float, float] | None
    seed: int
    toys: Toys = field(repr=False)
    shape: Shape = field(repr=False)
    theta: np.ndarray = field(repr=False)
    analysis: Analysis = field(repr=False)

    @property
    def visible(self) -> np.ndarray:
        """The counts, shape (n_bins,), with zeros in blinded bins: what may be shown and added up."""
        return np.where(self.analysis.used, self.spectrum.counts, 0)

    @cached_property
    def limits(self) -> pd.DataFrame:
        """Upper limits (95 % CLs) on the yield at every mass, for the best window's width: see `upper_limits`.

        Columns ``mass``, ``width`` [GeV], ``observed`` and ``expected_m2`` to ``expected_p2`` [events].
        """
        windows = self.analysis.windows
        n_widths = windows.shape[1]
        column = int(self.scan["local_z"].argmax()) % n_widths
        counts, templates = np.asarray(self.spectrum.counts, dtype=float), windows.templates[column::n_widths]
        table = pd.DataFrame({"mass": windows.masses, "width": windows.widths[:, column]})
        # As in the scan: beside a peak that was left out, limits do without its bins.
        beside = ~self.left_out[np.searchsorted(self.spectrum.edges, windows.masses) - 1] & self.left_out.any()
        for rows, used in ((~beside, self.analysis.used), (beside, self.analysis.used & ~self.left_out)):
            if rows.any():
                for name, limit in upper_limits(self.shape, counts, templates[rows], used).items():
                    table.loc[rows, name] = limit
        return table

    def background_density(self, mass: np.ndarray) -> np.ndarray:
        """Expected background events per GeV."""
        return self.shape.density(self.theta, mass)

    def best_windows(self, n: int = 5) -> pd.DataFrame:
        """The `n` strongest windows that do not overlap a stronger one within two standard deviations."""
        ranked = self.scan.sort_values("local_z", ascending=False, kind="stable")
        kept: list[int] = []
        for label, row in ranked.iterrows():
            others = self.scan.loc[kept]
            apart = np.abs(others["mass"] - row["mass"]) > 2 * np.maximum(others["width"], row["width"])
            if apart.all():
                kept.append(label)
            if len(kept) == n:
                break
        return self.scan.loc[kept].reset_index(drop=True)

    def summary(self) -> dict[str, Any]:
        """The result as plain JSON."""
        result = {
            name: getattr(self, name)
            for name in (
                *("mass", "width", "local_p", "local_significance", "global_p", "global_p_error", "global_method"),
                *("significance", "family", "n_parameters", "gof_p", "n_toys", "signal_yield", "signal_yield_error"),
                *("statistic", "seed"),
            )
        }
        if not np.isfinite(self.global_p_error):
            result["global_p_error"] = None
        nearest = self.limits.iloc[(self.limits["mass"] - self.mass).abs().argmin()]
        result["upper_limit"], result["expected_limit"] = float(nearest["observed"]), float(nearest["expected"])
        result["blind"] = None if self.blind is None else self._prediction()
        return result

    def _prediction(self) -> dict[str, float]:
        """What the sidebands say about the blinded range."""
        hidden = blinded_bins(self.spectrum.edges, self.blind)
        low, high = self.spectrum.edges[:-1][hidden][0], self.spectrum.edges[1:][hidden][-1]
        return {"low": float(low), "high": float(high), "predicted": float(self.background[hidden].sum())}


def bump_hunt(
    spectrum: Spectrum,
    *,
    families: str | Sequence[str] = "auto",
    widths: Sequence[float] | None = None,
    statistic: str = "template",
    blind: tuple[float, float] | None = None,
    scan_range: tuple[float, float] | None = None,
    max_toys: int = 10_000,
    seed: int = 0,
    sqrt_s: float = 13_000.0,
    tick: Callable[[int], None] | None = None,
) -> BumpHunt:
    """Look for an excess over a smooth background.

    A rule chooses the background function (`cmslabs.evaluation.choice`).  A scan over masses and widths finds the
    window with the largest local significance.  Toy experiments, drawn from the background and treated in every step
    like the data, say how often such a window appears by chance.

    Parameters
    ----------
    spectrum : Spectrum
        Counts in bins of a mass [GeV].
    families : str or sequence of str
        Some of `cmslabs.evaluation.families.FAMILIES`, or "auto" for all.
    widths : sequence of float, optional
        Standard deviations of the signal in units of the bin width at its mass; default 1, 1.5, 2 and 3.
    statistic : {"template", "window"}
        A fit of background plus Gaussian signal, or the count in a window against a fit to everything else.
    blind : (float, float), optional
        Bins that overlap this range [GeV] are not used for anything; the background there is predicted.
    scan_range : (float, float), optional
        Look for signals there only [GeV]; the background is fitted everywhere.
    max_toys : int
        Toys stop where 100 of them have an excess like the data's.  Where `max_toys` are not enough for that, the
        asymptotic formula of Gross and Vitells extrapolates from them.
    seed : int
        Of the toys.
    sqrt_s : float
        Energy of the collisions [GeV], for the family "dijet".
    tick : callable, optional
        Called with the number of finished toys.

    Returns
    -------
    BumpHunt

    Raises
    ------
    DataError
        If the counts are not counts, or are too few.
    ConfigError
        If an option does not fit the spectrum.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.array([900, 735, 604, 492, 405, 331, 400, 222, 181, 149, 122, 99, 82, 67, 55], dtype=float)
    >>> found = bump_hunt(Spectrum(np.arange(1000.0, 1751.0, 50.0), counts, counts), families="exponential")
    >>> found.mass, found.local_significance > 5
    (1325.0, True)
    """
    counts, edges = checked_counts(spectrum), np.asarray(spectrum.edges, dtype=float)
    if statistic not in STATISTICS:
        raise ConfigError(f"there is no statistic '{statistic}'.", remedy=f"Use: {' or '.join(STATISTICS)}.")
    if max_toys < 1 or seed < 0:
        raise ConfigError("max_toys must be at least 1, and the seed not negative.")
    used = ~blinded_bins(edges, blind)
    members = get_families(families)
    if any(family.name == "dijet" for family in members) and not edges[-1] < sqrt_s < np.inf:
        raise ConfigError(
            f"the spectrum reaches {edges[-1]:g} GeV, but the collisions have sqrt(s) = {sqrt_s:g} GeV.",
            remedy="Give the energy of the collisions as sqrt_s, or leave out the family 'dijet'.",
        )
    if not counts[used].sum() >= _LEAST_EVENTS:
        raise DataError(
            f"{counts[used].sum():g} events are too few for a spectrum: at least {_LEAST_EVENTS} are needed.",
            remedy="Use a wider range, or blind less.",
        )
    windows = make_windows(edges, used, widths, scan_range)
    ladders = build_ladders(members, counts, edges, used, sqrt_s)
    analysis = Analysis(tuple(ladders), windows, used, edges, statistic)
    scan = scan_spectra(analysis, counts)
    # With the function of the sidebands known, correct it for wide bins there, and leave out hopeless families.
    analysis = Analysis(_settle(ladders, counts, ~scan.masked[0]), windows, used, edges, statistic)
    scan = scan_spectra(analysis, counts)
    toys = run_toys(analysis, scan.choice.background[0], seed, max_toys, float(scan.largest[0]), tick)
    return _report(spectrum, counts, analysis, scan, toys, blind, seed)


def _settle(ladders: list[Ladder], counts: np.ndarray, used: np.ndarray) -> tuple[Ladder, ...]:
    left = hopeful(ladders, choose(ladders, counts, used))
    settled = []
    for ladder in left:
        shapes = tuple(shape.curved(fit_spectrum(shape, counts, used).theta) for shape in ladder.shapes)
        settled.append(Ladder(ladder.family, shapes))
    return tuple(settled)


def _report(
    spectrum: Spectrum, counts: np.ndarray, analysis: Analysis, scan: Scan, toys: Toys, blind, seed: int
) -> BumpHunt:
    """Put the numbers together; those of the best window come from iminuit."""
    windows = analysis.windows
    best = int(scan.z[0].argmax())
    z = float(scan.z[0, best])
    mass, width = windows.place(best)
    shape = scan.choice.shapes[scan.choice.index[0]]
    sidebands = fit_spectrum(shape, counts, ~scan.masked[0])
    with_signal = fit_spectrum(shape, counts, analysis.used, windows.templates[best])
    anywhere = global_p(toys, z)
    table = pd.DataFrame(
        {
            "mass": np.repeat(windows.masses, windows.shape[1]),
            "width": windows.widths.ravel(),
            "local_p": z_to_p(scan.z[0]),
            "local_z": scan.z[0],
            "signal_yield": scan.signal[0],
        }
    )
    fit_p = scan.choice.p_value[0]
    return BumpHunt(
        spectrum=spectrum,
        family=shape.family.name,
        n_parameters=shape.n_parameters,
        background=sidebands.background,
        background_error=sidebands.background_error,
        left_out=scan.masked[0] & analysis.used,
        gof_p=float((np.sum(toys.fit_p <= fit_p) + 1) / (len(toys) + 1)),
        scan=table,
        mass=mass,
        width=width,
        local_p=float(z_to_p(z)),
        local_significance=z,
        global_p=anywhere.p,
        global_p_error=anywhere.error,
        global_method=anywhere.method,
        significance=anywhere.significance,
        n_toys=len(toys),
        signal_yield=with_signal.signal,
        signal_yield_error=with_signal.signal_error,
        signal=with_signal.signal * windows.templates[best],
        statistic=analysis.statistic,
        blind=None if blind is None else (float(blind[0]), float(blind[1])),
        seed=seed,
        toys=toys,
        shape=shape,
        theta=sidebands.theta,
        analysis=analysis,
    )

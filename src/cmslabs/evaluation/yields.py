"""How many signal events, at a mass and width that are known beforehand: an interval from the profile likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmslabs.errors import ConfigError
from cmslabs.evaluation.choice import build_ladders, choose
from cmslabs.evaluation.families import get_families
from cmslabs.evaluation.minuit import fit_spectrum
from cmslabs.evaluation.windows import gaussian_template
from cmslabs.plotting.binned import Spectrum

__all__ = ["signal_interval"]

#: The background function is chosen on the bins beyond so many standard deviations of the signal.
_SIDEBANDS = 3.0


def signal_interval(
    spectrum: Spectrum,
    mass: float,
    width: float,
    *,
    families: str | Sequence[str] = "auto",
    level: float = 0.683,
    sqrt_s: float = 13_000.0,
) -> tuple[float, float, float]:
    """Yield of a Gaussian signal and its confidence interval (iminuit's MINOS).

    Parameters
    ----------
    spectrum : Spectrum
        Counts in bins [GeV].
    mass, width : float
        Centre and standard deviation of the signal [GeV], fixed before looking.  At the best window of a scan the
        interval is too high: the scan has chosen an upward fluctuation.
    families : str or sequence of str
        Background functions, as in `cmslabs.evaluation.bumphunt.bump_hunt`; the choice is made in the sidebands.
    level : float
        Confidence level.
    sqrt_s : float
        Energy of the collisions [GeV].

    Returns
    -------
    best, low, high : float
        Events; may be negative, as an estimate without bias has to be.

    Raises
    ------
    ConfigError
        If the signal lies outside the spectrum, or too few bins are left beside it.
    DataError
        If the fit does not converge.
    """
    edges, counts = np.asarray(spectrum.edges, dtype=float), np.asarray(spectrum.counts, dtype=float)
    if not (edges[0] < mass < edges[-1] and width > 0):
        raise ConfigError(
            f"a signal at {mass:g} GeV with width {width:g} does not lie in the spectrum.",
            where=f"{edges[0]:g} to {edges[-1]:g} GeV",
        )
    middle = (edges[:-1] + edges[1:]) / 2
    sidebands = np.abs(middle - mass) > _SIDEBANDS * width
    ladders = build_ladders(get_families(families), counts, edges, sidebands, sqrt_s)
    choice = choose(ladders, counts, sidebands)
    shape = choice.shapes[choice.index[0]]
    fit = fit_spectrum(shape, counts, template=gaussian_template(edges, mass, width))
    fit.minuit.minos("signal", cl=level)
    error = fit.minuit.merrors["signal"]
    if error.is_valid:
        return fit.signal, fit.signal + error.lower, fit.signal + error.upper
    # At the edge of what the counts allow the likelihood ends before it has fallen far enough.
    low = fit.signal + error.lower if error.lower_valid else -np.inf
    high = fit.signal + error.upper if error.upper_valid else np.inf
    return fit.signal, float(low), float(high)

"""One spectrum, one function, fitted with iminuit: the numbers and intervals that a report quotes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from iminuit import Minuit

from cmslabs.errors import DataError
from cmslabs.evaluation.families import Shape
from cmslabs.evaluation.fits import fit_background

__all__ = ["MinuitFit", "fit_spectrum"]

_TINY = 1e-12


@dataclass(frozen=True)
class MinuitFit:
    """A binned likelihood fit.

    Attributes
    ----------
    theta : ndarray, shape (n_parameters,)
    background, background_error : ndarray, shape (n_bins,)
        Expected counts and the fit's uncertainty of them.
    signal, signal_error : float
        Yield [events] and the error from the curvature of the likelihood; 0 and 0 without a signal.
    nll : float
        At the minimum, up to a constant of the data.
    minuit : iminuit.Minuit
        For intervals (``minos``) and contours.
    """

    theta: np.ndarray
    background: np.ndarray
    background_error: np.ndarray
    signal: float
    signal_error: float
    nll: float
    minuit: Minuit


class _Likelihood:
    """Negative log-likelihood of Poisson counts and its gradient; the yield is the last parameter."""

    errordef = Minuit.LIKELIHOOD

    def __init__(self, shape: Shape, counts: np.ndarray, used: np.ndarray, template: np.ndarray | None):
        self.shape, self.counts, self.used, self.template = shape, counts, used, template
        self.reference = 0.0

    def parts(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        theta = np.asarray(parameters)[: self.shape.n_parameters]
        value = self.shape.columns @ theta
        background = self.shape.scale * (np.exp(np.clip(value, -300, 300)) if self.shape.link == "log" else value)
        signal = 0.0 if self.template is None else parameters[-1] * self.template
        return background, background + signal

    def __call__(self, parameters: np.ndarray) -> float:
        _, expected = self.parts(parameters)
        # Below zero the straight continuation of the logarithm leads Minuit back, without a step.
        floor = _TINY * self.shape.scale
        safe = np.maximum(expected, floor)
        log = np.log(safe) + np.minimum(expected - floor, 0.0) / floor
        return float(np.sum((expected - self.counts * log)[self.used])) - self.reference

    def slope(self, background: np.ndarray) -> np.ndarray:
        """Derivatives of the expected counts, shape (n_bins, n_free)."""
        factor = background if self.shape.link == "log" else self.shape.scale
        columns = factor[:, None] * self.shape.columns
        return columns if self.template is None else np.column_stack([columns, self.template])

    def gradient(self, parameters: np.ndarray) -> np.ndarray:
        background, expected = self.parts(parameters)
        floor = _TINY * self.shape.scale
        residual = np.where(self.used, 1 - self.counts / np.maximum(expected, floor), 0.0)
        return residual @ self.slope(background)


def fit_spectrum(
    shape: Shape, counts: np.ndarray, used: np.ndarray | None = None, template: np.ndarray | None = None
) -> MinuitFit:
    """Fit a background, or a background and a signal.

    Parameters
    ----------
    shape : Shape
    counts : ndarray, shape (n_bins,)
    used : ndarray of bool, shape (n_bins,), optional
        Bins that take part.
    template : ndarray, shape (n_bins,), optional
        Share of the signal in each bin; its yield is fitted, and may be negative.

    Raises
    ------
    DataError
        If the fit does not converge.
    """
    counts = np.asarray(counts, dtype=float)
    used = np.ones(len(counts), dtype=bool) if used is None else np.asarray(used, dtype=bool)
    start = fit_background(shape, counts, used)
    likelihood = _Likelihood(shape, counts, used, template)
    names = [f"p{i}" for i in range(shape.n_parameters)] + ([] if template is None else ["signal"])
    values = np.concatenate([start.theta[0], [] if template is None else [0.0]])
    # Only differences matter: near zero they keep their digits.
    likelihood.reference = likelihood(values)
    minuit = Minuit(likelihood, values, grad=likelihood.gradient, name=names)
    minuit.errors = np.maximum(1e-3 * np.abs(values), 1e-3)
    if template is not None:
        minuit.errors["signal"] = max(1.0, float(np.sqrt(counts[used].sum()) / 10))
    if shape.link == "linear":
        for name in names[: shape.n_parameters]:
            minuit.limits[name] = (0.0, None)
    minuit.strategy = 1
    minuit.migrad(ncall=20_000)
    if not minuit.valid:
        minuit.simplex().migrad(ncall=20_000)
    if not minuit.valid and not (minuit.fmin.edm < 1e-3 and np.isfinite(minuit.fval)):
        raise DataError(
            f"the fit of {shape.name} does not converge.",
            where=f"{int(used.sum())} bins, {int(counts[used].sum())} events",
            remedy="Use wider bins, a range without empty bins at its ends, or another family.",
        )
    minuit.hesse()
    return _result(likelihood, minuit)


def _result(likelihood: _Likelihood, minuit: Minuit) -> MinuitFit:
    values = np.array(minuit.values)
    size = likelihood.shape.n_parameters
    background, _ = likelihood.parts(values)
    covariance = np.zeros((len(values), len(values)))
    if minuit.covariance is not None:
        covariance = np.array(minuit.covariance)
    slope = likelihood.slope(background)[:, :size]
    variance = np.einsum("bi,ij,bj->b", slope, covariance[:size, :size], slope)
    has_signal = likelihood.template is not None
    return MinuitFit(
        theta=values[:size],
        background=background,
        background_error=np.sqrt(np.maximum(variance, 0.0)),
        signal=float(values[-1]) if has_signal else 0.0,
        signal_error=float(minuit.errors[-1]) if has_signal else 0.0,
        nll=float(minuit.fval + likelihood.reference),
        minuit=minuit,
    )

"""Poisson likelihood fits of many spectra at once.

A toy experiment repeats every fit of the analysis, and a scan has a hundred windows.  These problems are small and
alike, so that they are solved together: each Newton step is a few matrix products over all of them.
`cmslabs.evaluation.minuit` fits one spectrum with iminuit; the tests hold the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import xlogy

from cmslabs.evaluation.families import Shape

__all__ = ["Fits", "deviance", "fit_background", "fit_signal", "profile_background"]

#: Fits stop where the expected gain in the log-likelihood is below this.
_TOLERANCE, _MAX_STEPS, _MAX_HALVINGS = 1e-7, 60, 12
_TINY = 1e-12
#: Densities beyond exp(+-300) are no densities; with them products would overflow.
_LARGEST_LOG = 300.0


@dataclass(frozen=True)
class Fits:
    """Results of many fits.

    Attributes
    ----------
    theta : ndarray, shape (n_fits, n_parameters)
        Parameters of the background.
    signal : ndarray, shape (n_fits,)
        Signal yield [events]; zeros where none was fitted.
    background : ndarray, shape (n_fits, n_bins)
        Expected background.
    nll : ndarray, shape (n_fits,)
        Negative logarithm of the likelihood, up to a constant of the data.
    information : ndarray, shape (n_fits, n_free, n_free)
        Expected information (inverse covariance) of the free parameters; a fitted signal is the last one.
    converged : ndarray of bool, shape (n_fits,)
    """

    theta: np.ndarray
    signal: np.ndarray
    background: np.ndarray
    nll: np.ndarray
    information: np.ndarray
    converged: np.ndarray

    def take(self, index: np.ndarray) -> Fits:
        """Some of the fits, or some of them several times."""
        return Fits(*(getattr(self, entry.name)[index] for entry in fields(self)))


def deviance(counts: np.ndarray, expected: np.ndarray, used: np.ndarray | None = None) -> np.ndarray:
    """Likelihood-ratio chi-square of Poisson counts, summed over the last axis.

    S. Baker, R. D. Cousins, Nucl. Instrum. Meth. 221 (1984) 437, doi:10.1016/0167-5087(84)90016-4.

    Parameters
    ----------
    counts, expected : ndarray, shape (..., n_bins)
    used : ndarray of bool, optional
        Bins that count.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(deviance(np.array([10.0, 0.0]), np.array([10.0, 1.0]))), 3)
    2.0
    """
    terms = 2 * (expected - counts + xlogy(counts, counts / np.maximum(expected, _TINY)))
    return np.sum(terms if used is None else np.where(used, terms, 0.0), axis=-1)


def fit_background(shape: Shape, counts: np.ndarray, used: np.ndarray | None = None) -> Fits:
    """Fit a background alone.

    Parameters
    ----------
    shape : Shape
    counts : ndarray, shape (n_fits, n_bins)
    used : ndarray of bool, shape (n_bins,) or (n_fits, n_bins), optional
        Bins that take part; the others are predicted.
    """
    counts = np.atleast_2d(np.asarray(counts, dtype=float))
    used = _broadcast(used, counts)
    problem = _Problem(shape, counts, used, np.zeros_like(counts), free_signal=False)
    return _solve(problem, _start(shape, counts, used), np.zeros(len(counts)))


def fit_signal(shape: Shape, counts: np.ndarray, templates: np.ndarray, start: Fits, used=None) -> Fits:
    """Fit background and signal together; the yield may become negative as long as the sum stays positive.

    Parameters
    ----------
    shape : Shape
    counts, templates : ndarray, shape (n_fits, n_bins)
        Templates: fraction of the signal in each bin.
    start : Fits
        Background fits of the same spectra.
    """
    counts = np.asarray(counts, dtype=float)
    problem = _Problem(shape, counts, _broadcast(used, counts), templates, free_signal=True)
    return _solve(problem, start.theta, np.zeros(len(counts)))


def profile_background(shape: Shape, counts, templates, signal: np.ndarray, start: Fits, used=None) -> Fits:
    """Fit the background under a signal of fixed yield `signal`, shape (n_fits,)."""
    counts = np.asarray(counts, dtype=float)
    fixed = np.asarray(signal, dtype=float)[:, None] * templates
    problem = _Problem(shape, counts, _broadcast(used, counts), fixed, free_signal=False, fixed_signal=True)
    fits = _solve(problem, start.theta, np.ones(len(counts)))
    return Fits(fits.theta, np.asarray(signal, float), fits.background, fits.nll, fits.information, fits.converged)


def _broadcast(used: np.ndarray | None, counts: np.ndarray) -> np.ndarray:
    return np.ones(counts.shape) if used is None else np.broadcast_to(np.asarray(used, float), counts.shape)


def _start(shape: Shape, counts: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Parameters to begin with: weighted least squares on the logarithms, or a flat positive density."""
    if shape.link == "linear":
        per_width = (counts * used).sum(1) / np.maximum((shape.scale * used).sum(1), _TINY)
        return np.repeat(np.maximum(per_width, _TINY)[:, None], shape.n_parameters, axis=1)
    lifted = counts + 0.5
    target, weight = np.log(lifted / shape.scale), used * lifted
    a = shape.columns
    normal = np.einsum("fb,bi,bj->fij", weight, a, a, optimize=True)
    return _solve_linear(normal, (weight * target) @ a)


@dataclass
class _Problem:
    """The likelihood of many spectra; `signal` multiplies `templates` (free, fixed at one, or zero)."""

    shape: Shape
    counts: np.ndarray
    used: np.ndarray
    templates: np.ndarray
    free_signal: bool
    fixed_signal: bool = False

    def take(self, index: np.ndarray) -> _Problem:
        return _Problem(
            self.shape,
            self.counts[index],
            self.used[index],
            self.templates[index],
            self.free_signal,
            self.fixed_signal,
        )

    def background(self, theta: np.ndarray) -> np.ndarray:
        value = theta @ self.shape.columns.T
        if self.shape.link == "log":
            value = np.exp(np.clip(value, -_LARGEST_LOG, _LARGEST_LOG))
        return self.shape.scale * value

    def nll(self, background: np.ndarray, signal: np.ndarray) -> np.ndarray:
        """Infinite where a bin's expectation is not positive although it has events or a negative signal."""
        expected = background + signal[:, None] * self.templates
        bad = ((expected <= 0) & (self.used > 0)).any(axis=1)
        safe = np.maximum(expected, _TINY)
        value = np.sum(self.used * (safe - self.counts * np.log(safe)), axis=1)
        return np.where(bad, np.inf, value)

    def derivatives(self, background: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and expected information; with a linear link, of parameters on their own scale."""
        expected = np.maximum(background + signal[:, None] * self.templates, _TINY)
        weight = self.used / expected
        slope = background if self.shape.link == "log" else np.broadcast_to(self.shape.scale, background.shape)
        a = self.shape.columns
        residual = self.used - weight * self.counts
        gradient = (residual * slope) @ a
        products = (a[:, :, None] * a[:, None, :]).reshape(len(a), -1)
        information = ((weight * slope**2) @ products).reshape(-1, a.shape[1], a.shape[1])
        if not self.free_signal:
            return gradient, information
        size = a.shape[1]
        full = np.empty((len(gradient), size + 1, size + 1))
        full[:, :size, :size] = information
        full[:, :size, size] = full[:, size, :size] = (weight * slope * self.templates) @ a
        full[:, size, size] = np.sum(weight * self.templates**2, axis=1)
        last = np.sum(residual * self.templates, axis=1)
        return np.concatenate([gradient, last[:, None]], axis=1), full


def _solve_linear(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Solve many small symmetric systems, scaled to unit diagonal and slightly regularised."""
    diagonal = np.sqrt(np.maximum(np.einsum("fii->fi", matrix), 1e-300))
    scaled = matrix / diagonal[:, :, None] / diagonal[:, None, :]
    scaled = scaled + 1e-10 * np.eye(matrix.shape[1])
    return np.linalg.solve(scaled, (vector / diagonal)[:, :, None])[:, :, 0] / diagonal


def _solve(problem: _Problem, theta: np.ndarray, signal: np.ndarray) -> Fits:
    """Newton steps (Fisher scoring), each halved until the likelihood does not fall; finished fits rest."""
    theta, signal = theta.copy(), signal.copy()
    n_fits = len(theta)
    converged = np.zeros(n_fits, dtype=bool)
    active = np.arange(n_fits)
    nll = problem.nll(problem.background(theta), signal)
    for _ in range(_MAX_STEPS):
        part = problem if len(active) == n_fits else problem.take(active)
        step, gain = _newton_step(part, theta[active], signal[active])
        done = gain < _TOLERANCE
        converged[active[done]] = True
        going = ~done
        active, step = active[going], step[going]
        if not len(active):
            break
        part = part.take(np.flatnonzero(going))
        theta[active], signal[active], nll[active], moved = _search(
            part, theta[active], signal[active], nll[active], step
        )
        # Where no step helps any more, the numbers have no digits left.
        converged[active[~moved]] = True
        active = active[moved]
        if not len(active):
            break
    background = problem.background(theta)
    _, information = problem.derivatives(background, signal)
    return Fits(theta, signal, background, problem.nll(background, signal), information, converged)


def _newton_step(part: _Problem, theta: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction for all free parameters, and the gain in log-likelihood that it promises."""
    gradient, information = part.derivatives(part.background(theta), signal)
    if part.shape.link == "linear":
        # A coefficient at zero that wants to become negative stays where it is.
        held = (theta <= _TINY) & (gradient[:, : theta.shape[1]] > 0)
        held = np.concatenate([held, np.zeros((len(held), gradient.shape[1] - held.shape[1]), bool)], axis=1)
        gradient = np.where(held, 0.0, gradient)
        keep = ~held[:, :, None] & ~held[:, None, :]
        diagonal = np.einsum("fii->fi", information)[:, :, None] * np.eye(information.shape[1])
        information = np.where(keep, information, diagonal)
    step = -_solve_linear(information, gradient)
    return step, -0.5 * np.sum(step * gradient, axis=1)


def _search(part: _Problem, theta, signal, nll, step) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Go as far along `step` as the likelihood allows."""
    size = theta.shape[1]
    new_theta, new_signal, new_nll = theta.copy(), signal.copy(), nll.copy()
    waiting, length = np.arange(len(theta)), 1.0
    for _ in range(_MAX_HALVINGS):
        trial = theta[waiting] + length * step[waiting, :size]
        if part.shape.link == "linear":
            trial = np.maximum(trial, 0.1 * _TINY)
        trial_signal = signal[waiting] + (length * step[waiting, size] if part.free_signal else 0.0)
        sub = part if len(waiting) == len(theta) else part.take(waiting)
        value = sub.nll(sub.background(trial), trial_signal)
        better = value <= nll[waiting]
        good = waiting[better]
        new_theta[good], new_signal[good], new_nll[good] = trial[better], trial_signal[better], value[better]
        waiting, length = waiting[~better], length / 2
        if not len(waiting):
            break
    moved = np.ones(len(theta), dtype=bool)
    moved[waiting] = False
    return new_theta, new_signal, new_nll, moved

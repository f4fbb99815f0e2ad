"""What is inside a jet: how many prongs it has, and its mass without the soft radiation.

A jet from one quark or gluon has one core.  A heavy particle that decays into two quarks while it
flies fast enough leaves a single jet, too, but one with two cores and with a mass.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.errors import ConfigError
from cmslabs.features.clustering import load_fastjet
from cmslabs.features.particles import flatten_particles, momentum_array
from cmslabs.features.softdrop import compiled

__all__ = ["nsubjettiness", "soft_drop_mass", "tau_ratio"]

#: Jets per call of FastJet, which keeps all of a call's jets in memory.
BLOCK = 5000


def nsubjettiness(
    constituents: ak.Array, n: int = 4, r0: float = 1.0, beta: float = 1.0, axes: str = "OnePass_KT_Axes"
) -> np.ndarray:
    r"""N-subjettiness tau_1 ... tau_n: how far the constituents are from N axes.

    .. math:: \tau_N = \frac{\sum_i p_{T,i} \min_k (\Delta R_{ik})^\beta}{\sum_i p_{T,i} R_0^\beta}

    Near 0 means that N prongs describe the jet; so ``tau2 / tau1`` is small for two prongs.

    Parameters
    ----------
    constituents : ak.Array, shape (n_jets, var) or (n_events, var, var)
        Massless records ``pt`` [GeV], ``eta``, ``phi`` [rad].
    n : int
        Largest number of axes.
    r0 : float
        Normalising radius: the jet's radius.
    beta : float
        Angular exponent.
    axes : str
        FastJet's name of the way to find axes: by default exclusive kT axes, moved once to a nearby minimum.

    Returns
    -------
    ndarray, shape (n_jets, n), or ak.Array, shape (n_events, var, n)
        Pure numbers.  tau_N is exactly 0 for a jet of at most N constituents.

    Raises
    ------
    ConfigError
        If `n`, `r0` or `beta` is not positive.
    DataError, MissingBranchError
        If the constituents are not as described.
    MissingExtraError
        If fastjet is not installed.

    Notes
    -----
    J. Thaler, K. Van Tilburg, "Identifying boosted objects with N-subjettiness", JHEP 03 (2011) 015,
    doi:10.1007/JHEP03(2011)015; computed by fjcontrib through FastJet's Python binding.

    Examples
    --------
    >>> import awkward as ak
    >>> two_prongs = [{"pt": 50.0, "eta": 0.0, "phi": 0.0}, {"pt": 50.0, "eta": 0.4, "phi": 0.0}]
    >>> nsubjettiness(ak.Array([two_prongs]), n=2).round(3).tolist()
    [[0.2, 0.0]]
    """
    if n < 1 or r0 <= 0 or beta <= 0:
        raise ConfigError(f"cannot compute tau with n={n}, r0={r0}, beta={beta}.", remedy="All must be positive.")
    jets, shape = _jets(constituents)
    flat = flatten_particles(jets, unit="jet")
    fastjet = load_fastjet()
    definition = fastjet.JetDefinition(fastjet.kt_algorithm, r0)  # FastJet wants one; the taus do not use it.
    tau = np.zeros((len(jets), n))
    for start in range(0, len(jets), BLOCK):
        block = flat.block(start, min(start + BLOCK, len(jets)))
        sequence = fastjet.ClusterSequence(momentum_array(block), definition)
        found = sequence.njettiness("NormalizedMeasure", axes, list(range(1, n + 1)), beta, r0)
        tau[start : start + BLOCK] = ak.to_numpy(found)
    return _restore(tau, shape)


def soft_drop_mass(constituents: ak.Array, z_cut: float = 0.1, beta: float = 0.0, r0: float = 1.0) -> np.ndarray:
    r"""Jet mass after soft drop: soft, wide-angle radiation is taken off first.

    The jet is clustered again with Cambridge/Aachen and undone step by step.  The softer branch is
    dropped until the two branches satisfy

    .. math:: \frac{\min(p_{T1}, p_{T2})}{p_{T1} + p_{T2}} > z_\mathrm{cut} \left(\frac{\Delta R_{12}}{R_0}\right)^\beta

    Parameters
    ----------
    constituents : ak.Array, shape (n_jets, var) or (n_events, var, var)
        Massless records ``pt`` [GeV], ``eta``, ``phi`` [rad].
    z_cut, beta, r0 : float
        As above.

    Returns
    -------
    ndarray, shape (n_jets,), or ak.Array, shape (n_events, var)
        Mass in GeV.  It is exactly 0 where no splitting passes, so for every jet of one constituent or
        none: one massless particle is all that is left.  (NanoAOD writes -1 there.)

    Raises
    ------
    ConfigError
        If `z_cut` is not in [0, 0.5], or `beta` is not finite, or `r0` is not positive.
    DataError, MissingBranchError
        If the constituents are not as described.
    MissingExtraError
        If numba is not installed.

    Notes
    -----
    A. J. Larkoski, S. Marzani, G. Soyez, J. Thaler, "Soft drop", JHEP 05 (2014) 146,
    doi:10.1007/JHEP05(2014)146; with ``beta = 0`` the modified mass drop of M. Dasgupta et al.,
    JHEP 09 (2013) 029, doi:10.1007/JHEP09(2013)029.

    Examples
    --------
    >>> import awkward as ak
    >>> jet = [{"pt": 50.0, "eta": 0.0, "phi": 0.0}, {"pt": 50.0, "eta": 0.4, "phi": 0.0}]
    >>> soft = {"pt": 3.0, "eta": -0.5, "phi": 0.5}
    >>> soft_drop_mass(ak.Array([jet, [*jet, soft], [soft]])).round(3).tolist()
    [20.134, 20.134, 0.0]
    """
    if not (0 <= z_cut <= 0.5 and np.isfinite(beta) and r0 > 0):
        raise ConfigError(
            f"cannot groom with z_cut={z_cut}, beta={beta}, r0={r0}.",
            remedy="Use z_cut in [0, 0.5], a finite beta and r0 > 0.",
        )
    jets, shape = _jets(constituents)
    flat = flatten_particles(jets, unit="jet")
    build_trees, walk_trees = compiled()
    nodes = 2 * len(flat.pt)
    momenta, children, distances = np.zeros((nodes, 4)), np.zeros((nodes, 2), np.int64), np.zeros(nodes)
    build_trees(flat.pt, flat.eta, flat.phi, flat.offsets, momenta, children, distances)
    mass = np.zeros(len(jets))
    walk_trees(momenta, children, distances, flat.offsets, float(z_cut), float(beta), float(r0), mass)
    return _restore(mass, shape)


def tau_ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """``tau_(N+1) / tau_N``, defined for every jet.

    Where the denominator is 0 (a jet with at most N constituents) the ratio is 1: such a jet needs
    no further prong, and 1 is what a structureless jet tends to.  A NaN would travel into every
    later cut, training and plot.

    Parameters
    ----------
    numerator, denominator : array_like, same shape

    Returns
    -------
    ndarray
        Pure numbers.

    Examples
    --------
    >>> tau_ratio([0.1, 0.0], [0.4, 0.0]).tolist()
    [0.25, 1.0]
    """
    numerator, denominator = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    ratio = np.ones(np.broadcast_shapes(numerator.shape, denominator.shape))
    return np.divide(numerator, denominator, out=ratio, where=denominator > 0)


def _jets(constituents: ak.Array) -> tuple[ak.Array, np.ndarray | None]:
    """All jets in one list, and how many each event has (None if they came in one list)."""
    if constituents.ndim < 3:
        return constituents, None
    return ak.flatten(constituents, axis=1), ak.to_numpy(ak.num(constituents, axis=1))


def _restore(values: np.ndarray, shape: np.ndarray | None) -> np.ndarray | ak.Array:
    """One value (or row) per jet, put back into events."""
    return values if shape is None else ak.unflatten(values, shape)

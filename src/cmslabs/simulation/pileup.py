"""Pile-up, as far as it is simulated: the vertices that are counted, and the isolation of leptons.

The number of extra collisions in a crossing is Poisson around the number of true interactions.  Each of
them is found as a vertex with a fixed probability, and puts a few soft particles into a lepton's cone.
Charged ones are known to come from elsewhere and do not count; neutral ones are indistinguishable, and half of
the charged sum is subtracted for them (the delta-beta correction; CMS, JINST 13 (2018) P06015,
arXiv:1804.04528).  The subtraction is right on average, not in an event: the more pile-up, the worse is the
isolation.

The model is ours.  Two leptons of one event get independent pile-up even where their cones overlap, and jets,
missing momentum, tracks and the trigger know nothing of pile-up.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

__all__ = ["VERTEX_EFFICIENCY", "overlay", "primary_vertices"]

#: Probability that an extra collision is found as a vertex.
VERTEX_EFFICIENCY = 0.7
#: Particles per extra collision and unit of eta and phi, about those of an inelastic collision at 13 TeV
#: (charged: 6 per unit of eta), of which half as many are neutral; mean pT [GeV], exponential.
CHARGED_DENSITY, NEUTRAL_DENSITY, MEAN_PT = 0.8, 0.4, 0.5
#: Share of the charged pile-up that is subtracted.
DELTA_BETA = 0.5
#: Centre and width of the region where bunches collide: x, y, z [cm].
BEAM_SPOT, BEAM_WIDTH = (0.10, 0.10, 0.0), (0.002, 0.002, 3.6)


def primary_vertices(collisions: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Branches ``PV_...``: the number of vertices, and the position of the first [cm].

    Parameters
    ----------
    collisions : ndarray of int, shape (n_events,)
        Extra collisions.
    rng : numpy.random.Generator
    """
    vertices = (1 + rng.binomial(collisions, VERTEX_EFFICIENCY)).astype("i4")
    position = rng.normal(BEAM_SPOT, BEAM_WIDTH, (len(collisions), 3)).astype("f4")
    axes = {f"PV_{axis}": position[:, number] for number, axis in enumerate("xyz")}
    return {"PV_npvs": vertices, "PV_npvsGood": vertices, **axes}


def overlay(leptons: ak.Array, cone: float, collisions: np.ndarray, rng: np.random.Generator) -> ak.Array:
    """The leptons with the pile-up of their event in their isolation.

    Parameters
    ----------
    leptons : ak.Array, shape (n_events, var)
        With ``pt`` [GeV], ``pfRelIso04_all`` or ``pfRelIso03_all`` as it is without pile-up, and
        ``neutral``: the neutral part of it [GeV], which is taken away.
    cone : float
        Radius.
    collisions : ndarray of int, shape (n_events,)
        Extra collisions.
    rng : numpy.random.Generator

    Returns
    -------
    ak.Array
        Isolation is (charged + max(0, neutral + pile-up's neutral - 0.5 pile-up's charged)) / pt.
    """
    counts = ak.to_numpy(ak.num(leptons))
    flat = ak.flatten(leptons)
    name = f"pfRelIso{10 * cone:02.0f}_all"
    pt, alone, neutral = (ak.to_numpy(flat[field]).astype(np.float64) for field in ("pt", name, "neutral"))
    around = np.repeat(collisions, counts) * np.pi * cone**2
    charged_extra = _sum_of_pt(CHARGED_DENSITY * around, rng)
    neutral_extra = _sum_of_pt(NEUTRAL_DENSITY * around, rng)
    corrected = np.maximum(0.0, neutral + neutral_extra - DELTA_BETA * charged_extra)
    isolation = np.maximum(0.0, alone + (corrected - neutral) / pt).astype("f4")
    fields = {field: flat[field] for field in flat.fields if field != "neutral"}
    return ak.unflatten(ak.zip(fields | {name: isolation}), counts)


def _sum_of_pt(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scalar sum of pT [GeV] of a Poisson number of particles around `expected`, each exponential."""
    # A sum of n exponential numbers follows a gamma distribution of shape n; of none, it is zero.
    return MEAN_PT * rng.standard_gamma(rng.poisson(expected))

"""A jet's own frame: where its constituents lie when all jets look the same way.

Two jets of the same kind come at different places in the detector, turned and mirrored at random.  None of this says
anything about what they are, so it is taken out before one compares them: each jet is centred on its axis, rotated
until it is longest along the second coordinate, and mirrored until most of its momentum is up and on the right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import awkward as ak
import numpy as np

from cmslabs.features.compiling import compile_loop
from cmslabs.features.particles import FlatParticles, flatten_particles

__all__ = ["align", "aligned", "jet_frame"]


def jet_frame(jets: ak.Array, rotate: bool = True, flip: bool = True) -> ak.Array:
    r"""Constituents in the frame of their jet.

    The steps, in this order, all weighted with pT:

    1. *Centre.*  The origin is the jet's axis, the mean of :math:`\eta` and :math:`\phi`.  Differences of :math:`\phi`
       are taken the short way round: a jet at :math:`\phi = \pi` has constituents on both ends of the scale.
    2. *Rotate.*  The principal axis, along which the variance is largest, becomes the direction of ``y``.
    3. *Flip.*  Both coordinates get the sign with which more pT lies at positive values.

    Parameters
    ----------
    jets : ak.Array, shape (n_jets, var)
        Massless records ``pt`` [GeV], ``eta``, ``phi`` [rad]; entries with ``pt == 0`` are padding and are left out.
    rotate, flip : bool
        Whether to do steps 2 and 3.  Without the rotation ``x`` is along eta and ``y`` along phi.

    Returns
    -------
    ak.Array, shape (n_jets, var)
        Records ``x``, ``y`` (pure numbers, as eta and phi are) and ``pt`` [GeV], in the given order.

    Raises
    ------
    DataError, MissingBranchError
        If the constituents are not as described.
    MissingExtraError
        If numba is not installed (extra ``jets``).

    Notes
    -----
    Massless particles have their pseudorapidity as rapidity, and pT and differences of rapidity do not change under
    boosts along the beam; so nothing here does.  The axis is not exactly the direction of the jet's momentum, which
    moves with the mass; but about it the first moments are zero, so that the rotation is about the jet's middle.

    One direction stays open where nothing fixes it: a jet with the same pT on both sides is not flipped, and one
    that is as wide as it is long (a single constituent) is not rotated.

    J. Cogan et al., "Jet-images: computer vision inspired techniques for jet tagging", JHEP 02 (2015) 118,
    doi:10.1007/JHEP02(2015)118; L. de Oliveira et al., "Jet-images, deep learning edition", JHEP 07 (2016) 069,
    doi:10.1007/JHEP07(2016)069.

    Examples
    --------
    >>> import awkward as ak
    >>> jet = [{"pt": 60.0, "eta": 0.3, "phi": 3.1}, {"pt": 30.0, "eta": 0.3, "phi": 3.4 - 2 * 3.14159265}]
    >>> frame = jet_frame(ak.Array([jet]))
    >>> frame.x.to_list(), ak.to_numpy(frame.y).round(3).tolist()
    ([[0.0, 0.0]], [[0.1, -0.2]])
    """
    flat = flatten_particles(jets, unit="jet")
    x, y = aligned(flat, rotate, flip)
    return ak.unflatten(ak.zip({"x": x, "y": y, "pt": flat.pt}), flat.counts)


def aligned(flat: FlatParticles, rotate: bool = True, flip: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates ``x`` and ``y`` of the constituents in the frames of their jets, shape (n_particles,) each."""
    x, y = np.empty(len(flat.pt)), np.empty(len(flat.pt))
    _compiled()(flat.pt, flat.eta, flat.phi, flat.offsets, bool(rotate), bool(flip), x, y)
    return x, y


@lru_cache(maxsize=1)
def _compiled() -> Callable:
    return compile_loop(align)


def align(pt, eta, phi, offsets, rotate, flip, x, y):
    """The loop behind `jet_frame`: plain Python over NumPy arrays, which numba compiles.

    Parameters
    ----------
    pt, eta, phi : ndarray, shape (n_particles,)
        Massless constituents of all jets, GeV and rad.
    offsets : ndarray of int64, shape (n_jets + 1,)
        Jet ``j`` has the constituents ``offsets[j]:offsets[j + 1]``.
    rotate, flip : bool
    x, y : ndarray, shape (n_particles,), filled here
    """
    for jet in range(len(offsets) - 1):
        first, stop = offsets[jet], offsets[jet + 1]
        if first == stop:
            continue

        # Centre.  Around its hardest constituent a jet is far from the other end of the circle.
        hardest = first
        for i in range(first, stop):
            if pt[i] > pt[hardest]:
                hardest = i
        total, mean_x, mean_y = 0.0, 0.0, 0.0
        for i in range(first, stop):
            x[i] = eta[i] - eta[hardest]
            y[i] = phi[i] - phi[hardest]
            y[i] -= 2 * np.pi * np.round(y[i] / (2 * np.pi))
            total += pt[i]
            mean_x += pt[i] * x[i]
            mean_y += pt[i] * y[i]
        mean_x /= total
        mean_y /= total

        # Rotate.
        xx, xy, yy = 0.0, 0.0, 0.0
        for i in range(first, stop):
            x[i] -= mean_x
            y[i] -= mean_y
            xx += pt[i] * x[i] * x[i]
            xy += pt[i] * x[i] * y[i]
            yy += pt[i] * y[i] * y[i]
        cos, sin = 1.0, 0.0
        if rotate and (xy != 0.0 or xx != yy):
            # The angle from the direction of y to the principal axis.
            angle = 0.5 * np.arctan2(-2 * xy, yy - xx)
            cos, sin = np.cos(angle), np.sin(angle)

        # Turn back by that angle, and see where the pT is.
        right, up = 0.0, 0.0
        for i in range(first, stop):
            x[i], y[i] = cos * x[i] + sin * y[i], cos * y[i] - sin * x[i]
            # What lies on an axis does so exactly: rounding must not choose its side.
            if abs(x[i]) < 1e-9:
                x[i] = 0.0
            if abs(y[i]) < 1e-9:
                y[i] = 0.0
            right += pt[i] * np.sign(x[i])
            up += pt[i] * np.sign(y[i])

        # Flip.
        if flip and right < 0:
            for i in range(first, stop):
                x[i] = -x[i]
        if flip and up < 0:
            for i in range(first, stop):
                y[i] = -y[i]

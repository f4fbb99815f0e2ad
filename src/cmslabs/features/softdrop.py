"""Soft drop, compiled: a Cambridge/Aachen tree for every jet, then the walk down each tree.

The two loops are plain Python over NumPy arrays.  `compiled` hands them to numba; called without it
they give the same numbers far more slowly, and the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from cmslabs.features.compiling import compile_loop

__all__ = ["build_trees", "compiled", "walk_trees"]


@lru_cache(maxsize=1)
def compiled() -> tuple[Callable, Callable]:
    """`build_trees` and `walk_trees` as machine code.

    Raises
    ------
    MissingExtraError
        If numba is not installed (extra ``jets``).
    """
    return compile_loop(build_trees), compile_loop(walk_trees)


def build_trees(pt, eta, phi, offsets, momenta, children, distances):
    """Cluster each jet with the Cambridge/Aachen algorithm: always merge the two closest pieces.

    Parameters
    ----------
    pt, eta, phi : ndarray, shape (n_particles,)
        Massless constituents of all jets, GeV and rad.
    offsets : ndarray of int64, shape (n_jets + 1,)
        Jet ``j`` has the constituents ``offsets[j]:offsets[j + 1]``.
    momenta : ndarray, shape (2 * n_particles, 4), filled here
        px, py, pz, E of the nodes.  Jet ``j``'s nodes start at ``2 * offsets[j]``: its n constituents, then
        n - 1 merged pieces in the order in which they arose; the last is the whole jet.  They are given in
        the frame, moving along the beam, in which the jet's first constituent has eta = 0.
    children : ndarray of int64, shape (2 * n_particles, 2), filled here
        The two nodes that were merged; untouched for constituents.
    distances : ndarray, shape (2 * n_particles,), filled here
        Squared distance of the two children in rapidity and azimuth; untouched for constituents.
    """
    for jet in range(len(offsets) - 1):
        first, n = offsets[jet], offsets[jet + 1] - offsets[jet]
        base = 2 * first
        rapidity, azimuth, node = np.empty(n), np.empty(n), np.empty(n, np.int64)
        for i in range(n):
            # Soft drop does not change under boosts along the beam, but far forward E - pz loses its digits.
            y = eta[first + i] - eta[first]
            px, py = pt[first + i] * np.cos(phi[first + i]), pt[first + i] * np.sin(phi[first + i])
            momenta[base + i, 0], momenta[base + i, 1] = px, py
            momenta[base + i, 2], momenta[base + i, 3] = pt[first + i] * np.sinh(y), pt[first + i] * np.cosh(y)
            rapidity[i], azimuth[i], node[i] = y, np.arctan2(py, px), base + i

        # Each active piece remembers its nearest neighbour; only those whose neighbour vanished search again.
        nearest, neighbour, stale = np.empty(n), np.zeros(n, np.int64), np.ones(n, np.bool_)
        for merged in range(base + n, base + 2 * n - 1):
            active = base + 2 * n - merged
            for k in range(active):
                if not stale[k]:
                    continue
                stale[k], nearest[k] = False, np.inf
                for other in range(active):
                    if other == k:
                        continue
                    dphi = abs(azimuth[k] - azimuth[other])
                    dphi = min(dphi, 2 * np.pi - dphi)
                    d2 = (rapidity[k] - rapidity[other]) ** 2 + dphi * dphi
                    if d2 < nearest[k]:
                        nearest[k], neighbour[k] = d2, other
                    if d2 < nearest[other]:
                        nearest[other], neighbour[other] = d2, k
            a = np.argmin(nearest[:active])
            b = neighbour[a]

            children[merged, 0], children[merged, 1], distances[merged] = node[a], node[b], nearest[a]
            for component in range(4):
                momenta[merged, component] = momenta[node[a], component] + momenta[node[b], component]
            px, py, pz, energy = momenta[merged]
            pt2 = px * px + py * py
            m2 = max((energy + pz) * (energy - pz) - pt2, 0.0)
            y = np.log((energy + abs(pz)) / np.sqrt(pt2 + m2))

            # The new piece takes the place of `a`, the last active piece the place of `b`.
            last = active - 1
            for k in range(active):
                if neighbour[k] == a or neighbour[k] == b:
                    stale[k] = True
                elif neighbour[k] == last:
                    neighbour[k] = b
            rapidity[b], azimuth[b], node[b] = rapidity[last], azimuth[last], node[last]
            nearest[b], neighbour[b], stale[b] = nearest[last], neighbour[last], stale[last]
            if a == last:
                a = b
            rapidity[a], azimuth[a], node[a], stale[a] = (y if pz > 0 else -y), np.arctan2(py, px), merged, True


def walk_trees(momenta, children, distances, offsets, z_cut, beta, r0, mass):
    """Go down each tree along the harder branch until a splitting is balanced enough, and take the mass there.

    Parameters
    ----------
    momenta, children, distances, offsets
        As `build_trees` leaves them.
    z_cut, beta, r0 : float
        A splitting passes if ``min(pt1, pt2) / (pt1 + pt2) > z_cut * (dR / r0)**beta``.
    mass : ndarray, shape (n_jets,), filled here
        Groomed mass in GeV; 0 where no splitting passes.
    """
    for jet in range(len(offsets) - 1):
        n = offsets[jet + 1] - offsets[jet]
        first_merged = 2 * offsets[jet] + n
        here = first_merged + n - 2
        mass[jet] = 0.0
        while n > 1 and here >= first_merged:
            a, b = children[here]
            pt_a = np.hypot(momenta[a, 0], momenta[a, 1])
            pt_b = np.hypot(momenta[b, 0], momenta[b, 1])
            if min(pt_a, pt_b) > z_cut * (distances[here] / r0**2) ** (beta / 2) * (pt_a + pt_b):
                px, py, pz, energy = momenta[here]
                mass[jet] = np.sqrt(max((energy + pz) * (energy - pz) - px * px - py * py, 0.0))
                break
            here = a if pt_a >= pt_b else b

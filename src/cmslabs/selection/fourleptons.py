"""Two Z candidates from four or more leptons.

Events with the same number of leptons are a table, one row per event: all their pairs, and all ways to
take two pairs without a common lepton, are then columns, and numpy compares them in one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import awkward as ak
import numpy as np

from cmslabs.errors import DataError
from cmslabs.objects.leptons import by_falling_pt
from cmslabs.selection.analysis import FourLeptonCuts, ZCuts
from cmslabs.selection.momenta import COORDINATES, Momenta, flat_column, mass_of, momenta, transverse
from cmslabs.selection.sparse import per_event

__all__ = ["ELECTRON", "FLAVOURS", "MUON", "enough_for_four", "four_leptons", "leptons_together"]

#: Name -> code of a four-lepton candidate's flavour.
FLAVOURS = {"4mu": 0, "2e2mu": 1, "4e": 2}
#: Field ``flavour`` of a lepton, as in its pdgId.
MUON, ELECTRON = 13, 11
#: More leptons than this in an event are an accident, and all ways to pair them would fill the memory.
MOST = 40
#: Candidates that are compared at a time.
BLOCK = 1_000_000
_FIELDS = (*COORDINATES, "charge")


def four_leptons(
    muons: ak.Array, electrons: ak.Array | None = None, z: ZCuts | None = None, cuts: FourLeptonCuts | None = None
) -> ak.Array:
    """Two Z candidates (opposite charge, same flavour, mass in the range) without a common lepton.

    Of all ways to form them the one is taken whose Z1 is nearest to the nominal mass; if several share
    that Z1, the one whose Z2 is nearest.

    Parameters
    ----------
    muons, electrons : ak.Array of records, shape (n_events, var)
        Selected leptons, by falling pT; no electrons means that only 4mu is looked for.
    z : ZCuts, optional
    cuts : FourLeptonCuts, optional
        Without them every flavour and mass is given.

    Returns
    -------
    ak.Array of records or None, shape (n_events,)
        m4l, pt4l [GeV], flavour (code in `FLAVOURS`), z1 and z2 (mass, pt [GeV], flavour 13 or 11),
        leptons (the four, by falling pT); None where there is no candidate or it fails the cuts.

    Notes
    -----
    First all candidates, then the choice, as in CMS's H -> ZZ -> 4l (arXiv:1706.09936): a pair at the Z
    mass whose partners make no second candidate does not spoil an event that can be paired otherwise.
    (There, Z2 is chosen by the pT of its leptons.)
    """
    z, cuts = ZCuts() if z is None else z, FourLeptonCuts(min_mass=0.0) if cuts is None else cuts
    n_mu = ak.to_numpy(ak.num(muons))
    n_e = 0 if electrons is None else ak.to_numpy(ak.num(electrons))
    rows = np.flatnonzero(enough_for_four(n_mu, n_e, cuts.flavours))
    leptons = _merged(muons[rows], None if electrons is None else electrons[rows])
    p4 = momenta(*(flat_column(leptons, name) for name in COORDINATES))
    flavour = flat_column(leptons, "flavour")
    event, chosen = _choose(leptons, p4, z, [FLAVOURS[name] for name in cuts.flavours])
    z1, z2 = (_boson(p4, flavour, chosen[:, pair]) for pair in (slice(0, 2), slice(2, 4)))
    total = p4.total(*chosen.T)
    pt = flat_column(leptons, "pt")[chosen]
    four = np.take_along_axis(chosen, np.argsort(-pt, axis=1, kind="stable"), axis=1)
    record = {
        "m4l": mass_of(total),
        "pt4l": transverse(total),
        "flavour": _code(flavour[chosen[:, 0]], flavour[chosen[:, 2]]),
        "z1": z1,
        "z2": z2,
        "leptons": ak.unflatten(ak.flatten(leptons)[four.ravel()], np.full(len(four), 4)),
    }
    return per_event(record, rows[event], record["m4l"] > cuts.min_mass, len(muons))


def enough_for_four(n_muons: np.ndarray, n_electrons: np.ndarray | int, flavours: Sequence[str]) -> np.ndarray:
    """Events with enough leptons for one of the flavours; counting is cheap and comes before pairing.

    Examples
    --------
    >>> enough_for_four(np.array([4, 2, 2]), np.array([0, 2, 1]), ["4mu", "2e2mu"]).tolist()
    [True, True, False]
    """
    n_electrons = np.broadcast_to(n_electrons, np.shape(n_muons))
    enough = {"4mu": n_muons >= 4, "2e2mu": (n_muons >= 2) & (n_electrons >= 2), "4e": n_electrons >= 4}
    return np.any([enough[name] for name in flavours], axis=0)


def leptons_together(muons: ak.Array, electrons: ak.Array | None = None) -> ak.Array:
    """Muons and electrons in one list per event, by falling pT, with ``flavour`` 13 or 11."""
    return by_falling_pt(_merged(muons, electrons))


def _merged(muons: ak.Array, electrons: ak.Array | None) -> ak.Array:
    """Each event's muons and then its electrons."""
    parts = [(muons, MUON)] if electrons is None else [(muons, MUON), (electrons, ELECTRON)]
    counts = [ak.to_numpy(ak.num(leptons)) for leptons, _ in parts]
    columns = {name: np.concatenate([flat_column(leptons, name) for leptons, _ in parts]) for name in _FIELDS}
    columns["flavour"] = np.repeat([flavour for _, flavour in parts], [count.sum() for count in counts])
    if electrons is not None:
        event = np.concatenate([np.repeat(np.arange(len(count)), count) for count in counts])
        order = np.argsort(event, kind="stable")
        columns = {name: values[order] for name, values in columns.items()}
    return ak.unflatten(ak.zip(columns), sum(counts))


@lru_cache(maxsize=64)
def _ways(n: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of n leptons, shape (2, n_pairs); all two pairs without a common lepton, shape (2, n_ways)."""
    pairs = np.stack(np.triu_indices(n, 1))
    a, b = np.triu_indices(pairs.shape[1], 1)
    apart = np.all([pairs[k][a] != pairs[m][b] for k in (0, 1) for m in (0, 1)], axis=0)
    return pairs, np.stack([a[apart], b[apart]])


def _choose(leptons: ak.Array, p4: Momenta, z: ZCuts, codes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The events with a candidate, and its leptons: those of Z1, then those of Z2, shape (n, 4), as flat indices."""
    charge, flavour = flat_column(leptons, "charge"), flat_column(leptons, "flavour")
    counts = ak.to_numpy(ak.num(leptons))
    starts = np.cumsum(counts) - counts
    if len(counts) and counts.max() > MOST:
        raise DataError(
            f"an event has {counts.max()} selected leptons: too many to try all pairs of pairs.",
            remedy="Ask for more of a lepton: pT, identification, isolation.",
        )
    wanted = np.isin(list(FLAVOURS.values()), codes)
    events, found = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 4), dtype=np.int64)]
    for n in np.unique(counts):
        pairs, ways = _ways(int(n))
        same_length = np.flatnonzero(counts == n)
        for event in np.array_split(same_length, 1 + same_length.size * ways.shape[1] // BLOCK):
            # One row per lepton, one column per event: numpy takes whole rows several times faster.
            table = starts[event] + np.arange(n)[:, np.newaxis]
            (q1, q2), (f1, f2) = charge[table][pairs], flavour[table][pairs]
            mass = mass_of(p4.total(table).total(*pairs))
            good = (q1 == -q2) & (f1 == f2) & (mass > z.mass[0]) & (mass < z.mass[1])
            distance = np.where(good, abs(mass - z.nominal), np.inf)
            there, nearest = _nearest(distance, ways, wanted[_code(*f1[ways])])
            legs = pairs[:, nearest[:, there]]  # Shape (2 leptons, 2 bosons, n_events).
            found.append(starts[event[there], np.newaxis] + legs.T.reshape(-1, 4))
            events.append(event[there])
    order = np.argsort(np.concatenate(events))
    return np.concatenate(events)[order], np.concatenate(found)[order]


def _nearest(distance: np.ndarray, ways: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which events have two good pairs, and of every event the pairs that make Z1 and Z2, shape (2, n_events).

    Parameters
    ----------
    distance : ndarray, shape (n_pairs, n_events)
        From the nominal mass [GeV]; infinite for a pair that is no Z candidate.
    ways : ndarray of int, shape (2, n_ways)
    wanted : ndarray of bool, shape (n_ways, n_events)
        Whether the two pairs together have a flavour that is asked for.
    """
    of_a, of_b = distance[ways]
    far = np.where(wanted, np.maximum(of_a, of_b), np.inf)
    near = np.where(np.isfinite(far), np.minimum(of_a, of_b), np.inf)
    best = near.min(axis=0)
    # Of the ways with this Z1 (the others count as infinitely far) the one with the nearest Z2.
    a, b = ways[:, np.where(near == best, far, np.inf).argmin(axis=0)]
    event = np.arange(len(best))
    swap = distance[b, event] < distance[a, event]
    return np.isfinite(best), np.where(swap, (b, a), (a, b))


def _boson(p4: Momenta, flavour: np.ndarray, legs: np.ndarray) -> ak.Array:
    total = p4.total(*legs.T)
    return ak.zip({"mass": mass_of(total), "pt": transverse(total), "flavour": flavour[legs[:, 0]]})


def _code(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The code in `FLAVOURS` from the flavours of both Z."""
    return (first == ELECTRON).astype(np.int8) + (second == ELECTRON)

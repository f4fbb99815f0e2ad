"""From leptons and jets to candidates: a pair of muons, Z bosons, four leptons, a dijet.

All work on the selected objects of `cmslabs.objects`: jagged records with pt, mass [GeV], eta, phi
[rad] and charge, each event's by falling pT.  Inside, the objects of all events stand in one flat
array (`Flat`), and pairs are index arrays into it: numpy then does in one step what would be a loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import awkward as ak
import numpy as np

from cmslabs.objects.leptons import by_falling_pt
from cmslabs.selection.analysis import DijetCuts, DimuonCuts, FourLeptonCuts, ZCuts

__all__ = [
    "FLAVOURS",
    "MUON",
    "charge_passes",
    "dijet",
    "dimuon",
    "enough_for_four",
    "four_leptons",
    "leptons_together",
    "z_candidates",
]

#: Name -> code of a four-lepton candidate's flavour.
FLAVOURS = {"4mu": 0, "2e2mu": 1, "4e": 2}
#: Field ``flavour`` of a lepton, as in its pdgId.
MUON, ELECTRON = 13, 11


class Flat(NamedTuple):
    """The objects of all events in one row: how many each event has, and Cartesian momenta [GeV]."""

    counts: np.ndarray
    px: np.ndarray
    py: np.ndarray
    pz: np.ndarray
    energy: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Index of each event's first object."""
        return np.cumsum(self.counts) - self.counts


def dimuon(muons: ak.Array, cuts: DimuonCuts | None = None) -> ak.Array:
    """The pair of the two leading muons.

    Parameters
    ----------
    muons : ak.Array of records, shape (n_events, var)
    cuts : DimuonCuts, optional
        Without them the pair is given whatever its charges and mass.

    Returns
    -------
    ak.Array of records or None, shape (n_events,)
        mass, pt [GeV], rapidity, phi [rad], charge (of the pair), l1, l2; None where there are no two
        muons or the pair fails the cuts.

    Examples
    --------
    >>> muons = [{"pt": 40.0, "eta": 0.0, "phi": phi, "mass": 0.106, "charge": q} for phi, q in ((0.0, 1), (3.0, -1))]
    >>> ak.round(dimuon(ak.Array([muons, muons[:1]]))["mass"], 1).to_list()
    [79.8, None]
    """
    rows = np.flatnonzero(ak.to_numpy(ak.num(muons)) >= 2)
    pairs = muons[rows]
    flat = _flatten(pairs)
    p4 = _sum(flat, flat.starts, flat.starts + 1)
    l1, l2 = pairs[:, 0], pairs[:, 1]
    record = {
        "mass": _mass(*p4),
        "pt": np.hypot(p4[0], p4[1]),
        "rapidity": np.arctanh(p4[2] / p4[3]),
        "phi": np.arctan2(p4[1], p4[0]),
        "charge": ak.to_numpy(l1["charge"]) + ak.to_numpy(l2["charge"]),
        "l1": l1,
        "l2": l2,
    }
    good = np.ones(len(rows), dtype=bool)
    if cuts is not None:
        good = charge_passes(record["charge"], cuts.charge) & _inside(record["mass"], cuts.mass)
    return _spread(record, rows, good, len(muons))


def charge_passes(charge: np.ndarray, wanted: str) -> np.ndarray:
    """Whether the sum of two unit charges is what `DimuonCuts.charge` asks for."""
    return {"opposite": charge == 0, "same": charge != 0, "any": np.ones(len(charge), dtype=bool)}[wanted]


def z_candidates(leptons: ak.Array, cuts: ZCuts | None = None) -> ak.Array:
    """All pairs of opposite charge and same flavour with a mass in the range, the one nearest to the Z's first.

    Parameters
    ----------
    leptons : ak.Array of records, shape (n_events, var)
        With a field ``flavour`` (13, 11) if there are muons and electrons, see `leptons_together`.
    cuts : ZCuts, optional

    Returns
    -------
    ak.Array of records, shape (n_events, var)
        mass, pt [GeV], flavour, i1, i2: the positions of the two leptons in the event.

    Examples
    --------
    >>> phis = ((40.0, 0.0, 1), (38.0, 3.0, -1), (20.0, 1.5, 1))
    >>> muons = [{"pt": pt, "eta": 0.0, "phi": phi, "mass": 0.106, "charge": q} for pt, phi, q in phis]
    >>> z_candidates(ak.Array([muons]))[["i1", "i2"]].to_list()
    [[{'i1': 0, 'i2': 1}, {'i1': 1, 'i2': 2}]]
    """
    flat = _flatten(leptons)
    z = _z_pairs(flat, leptons, ZCuts() if cuts is None else cuts)
    starts = flat.starts[z["event"]]
    record = {name: z[name] for name in ("mass", "pt", "flavour")}
    record |= {"i1": z["first"] - starts, "i2": z["second"] - starts}
    return ak.unflatten(ak.zip(record), np.bincount(z["event"], minlength=len(leptons)))


def leptons_together(muons: ak.Array, electrons: ak.Array | None = None) -> ak.Array:
    """Muons and electrons in one list per event, by falling pT, with ``flavour`` 13 or 11."""
    parts = []
    for leptons, flavour in ((muons, MUON), (electrons, ELECTRON)):
        if leptons is not None:
            fields = {name: leptons[name] for name in ("pt", "eta", "phi", "mass", "charge")}
            fields["flavour"] = ak.full_like(leptons["charge"], flavour)
            parts.append(ak.zip(fields))
    return by_falling_pt(ak.concatenate(parts, axis=1))


def four_leptons(
    muons: ak.Array, electrons: ak.Array | None = None, z: ZCuts | None = None, cuts: FourLeptonCuts | None = None
) -> ak.Array:
    """Two Z candidates without a common lepton.

    Of all ways to form them the one is taken whose Z1 is nearest to the nominal mass; if several share
    it, the one whose Z2 is.  (Candidates before choice, as in CMS's H -> ZZ -> 4l, arXiv:1706.09936: a
    lone pair at the Z mass does not spoil an event whose leptons can be paired otherwise.)

    Parameters
    ----------
    muons, electrons : ak.Array of records, shape (n_events, var)
        Selected leptons; no electrons means that only 4mu is looked for.
    z : ZCuts, optional
    cuts : FourLeptonCuts, optional
        Without them every flavour and mass is given.

    Returns
    -------
    ak.Array of records or None, shape (n_events,)
        m4l, pt4l [GeV], flavour (code in `FLAVOURS`), z1 and z2 (mass, pt [GeV], flavour 13 or 11),
        leptons (the four, by falling pT); None where there is no candidate or it fails the cuts.
    """
    z, cuts = ZCuts() if z is None else z, FourLeptonCuts(min_mass=0.0) if cuts is None else cuts
    n_mu = ak.to_numpy(ak.num(muons))
    n_e = 0 if electrons is None else ak.to_numpy(ak.num(electrons))
    rows = np.flatnonzero(enough_for_four(n_mu, n_e, cuts.flavours))
    leptons = leptons_together(muons[rows], None if electrons is None else electrons[rows])
    flat = _flatten(leptons)
    pairs = _z_pairs(flat, leptons, z)
    first, second = _best_two(pairs, len(rows), cuts.flavours)
    event = pairs["event"][first]
    four = np.sort(np.stack([pairs[name][k] for k in (first, second) for name in ("first", "second")], axis=1), axis=1)
    p4 = _sum(flat, *four.T)
    record = {
        "m4l": _mass(*p4),
        "pt4l": np.hypot(p4[0], p4[1]),
        "flavour": _four_flavour(pairs["flavour"][first], pairs["flavour"][second]),
        "z1": ak.zip({name: pairs[name][first] for name in ("mass", "pt", "flavour")}),
        "z2": ak.zip({name: pairs[name][second] for name in ("mass", "pt", "flavour")}),
        "leptons": ak.unflatten(ak.flatten(leptons)[four.ravel()], np.full(len(four), 4)),
    }
    return _spread(record, rows[event], record["m4l"] > cuts.min_mass, len(muons))


def enough_for_four(n_muons: np.ndarray, n_electrons: np.ndarray | int, flavours: Sequence[str]) -> np.ndarray:
    """Events with enough leptons for one of the flavours; counting is cheap and comes before pairing."""
    enough = {
        "4mu": n_muons >= 4,
        "2e2mu": (n_muons >= 2) & (n_electrons >= 2),
        "4e": (n_muons >= 0) & (n_electrons >= 4),
    }
    return np.any([enough[name] for name in flavours], axis=0)


def dijet(jets: ak.Array, cuts: DijetCuts | None = None) -> ak.Array:
    """The two leading (fat) jets; their masses are part of the dijet mass.

    Returns
    -------
    ak.Array of records or None, shape (n_events,)
        mjj [GeV], delta_eta (absolute), j1, j2; None where there are no two jets or they fail the cuts.
    """
    rows = np.flatnonzero(ak.to_numpy(ak.num(jets)) >= 2)
    two = jets[rows]
    flat = _flatten(two)
    j1, j2 = two[:, 0], two[:, 1]
    record = {
        "mjj": _mass(*_sum(flat, flat.starts, flat.starts + 1)),
        "delta_eta": abs(_numbers(j1["eta"]) - _numbers(j2["eta"])),
        "j1": j1,
        "j2": j2,
    }
    good = np.ones(len(rows), dtype=bool)
    if cuts is not None and cuts.delta_eta is not None:
        good &= record["delta_eta"] < cuts.delta_eta
    if cuts is not None and cuts.min_mass is not None:
        good &= record["mjj"] > cuts.min_mass
    return _spread(record, rows, good, len(jets))


def _flatten(objects: ak.Array) -> Flat:
    """Momenta of all objects in double precision, from pt, eta, phi and mass."""
    pt, eta, phi, mass = (_numbers(ak.flatten(objects[name])) for name in ("pt", "eta", "phi", "mass"))
    pz = pt * np.sinh(eta)
    return Flat(ak.to_numpy(ak.num(objects)), pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2))


def _numbers(array: ak.Array) -> np.ndarray:
    return ak.to_numpy(array).astype(np.float64)


def _sum(flat: Flat, *chosen: np.ndarray) -> tuple[np.ndarray, ...]:
    """px, py, pz and energy [GeV] of the objects at each of the index arrays together."""
    return tuple(sum(component[index] for index in chosen) for component in flat[1:])


def _mass(px: np.ndarray, py: np.ndarray, pz: np.ndarray, energy: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))


def _inside(mass: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (mass > limits[0]) & (mass < limits[1])


def _pairs_within(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs inside each list: the list, and both members as indices into the row of all members.

    Pair number k of a list is (0, 1), (0, 2), (1, 2), (0, 3), ...: the same for every length.
    """
    n_pairs = counts * (counts - 1) // 2
    owner = np.repeat(np.arange(len(counts)), n_pairs)
    k = np.arange(len(owner)) - np.repeat(np.cumsum(n_pairs) - n_pairs, n_pairs)
    later, earlier = np.tril_indices(counts.max(initial=0), -1)
    starts = (np.cumsum(counts) - counts)[owner]
    return owner, starts + earlier[k], starts + later[k]


def _z_pairs(flat: Flat, leptons: ak.Array, cuts: ZCuts) -> dict[str, np.ndarray]:
    """Every Z candidate of every event, nearest to the nominal mass first in each event."""
    event, first, second = _pairs_within(flat.counts)
    charge = ak.to_numpy(ak.flatten(leptons["charge"]))
    flavour = np.full(len(charge), MUON)
    if "flavour" in leptons.fields:
        flavour = ak.to_numpy(ak.flatten(leptons["flavour"]))
    match = (charge[first] == -charge[second]) & (flavour[first] == flavour[second])
    event, first, second = event[match], first[match], second[match]
    px, py, pz, energy = _sum(flat, first, second)
    mass = _mass(px, py, pz, energy)
    distance = abs(mass - cuts.nominal)
    order = np.lexsort((distance, event))
    order = order[_inside(mass, cuts.mass)[order]]
    found = {
        "event": event,
        "first": first,
        "second": second,
        "mass": mass,
        "pt": np.hypot(px, py),
        "flavour": flavour[first],
    }
    return {name: values[order] for name, values in found.items()}


def _best_two(z: Mapping[str, np.ndarray], n_events: int, flavours: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Per event with two disjoint candidates the best two; as candidates are in order, that is the first pair."""
    event, a, b = _pairs_within(np.bincount(z["event"], minlength=n_events))
    good = np.isin(_four_flavour(z["flavour"][a], z["flavour"][b]), [FLAVOURS[name] for name in flavours])
    for mine in ("first", "second"):
        for other in ("first", "second"):
            good &= z[mine][a] != z[other][b]
    event, a, b = event[good], a[good], b[good]
    order = np.lexsort((b, a, event))
    best = order[np.diff(event[order], prepend=-1) > 0]
    return a[best], b[best]


def _four_flavour(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The code in `FLAVOURS` from the flavours of both Z."""
    return (first == ELECTRON).astype(np.int8) + (second == ELECTRON)


def _spread(record: dict, rows: np.ndarray, good: np.ndarray, n_events: int) -> ak.Array:
    """One entry per event: the candidate of the events in `rows` that are good, None in all others."""
    index = np.full(n_events, -1)
    index[rows[good]] = np.flatnonzero(good)
    content = ak.to_layout(ak.zip(record, depth_limit=1))
    return ak.Array(ak.contents.IndexedOptionArray(ak.index.Index64(index), content))

"""From two leptons or jets to candidates: a pair of muons, Z bosons, a dijet.

All work on the selected objects of `cmslabs.objects`: jagged records with pt, mass [GeV], eta, phi
[rad] and charge, each event's by falling pT.  Four leptons stand in `cmslabs.selection.fourleptons`.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.selection.analysis import DijetCuts, DimuonCuts, ZCuts
from cmslabs.selection.fourleptons import FLAVOURS, four_leptons, leptons_together
from cmslabs.selection.momenta import COORDINATES, Momenta, flat_column, mass_of, momenta, transverse
from cmslabs.selection.sparse import per_event

__all__ = [
    "FLAVOURS",
    "charge_passes",
    "dijet",
    "dimuon",
    "four_leptons",
    "leptons_together",
    "z_candidates",
]


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
    rows, l1, l2, total = _leading_two(muons)
    pair = {
        "mass": mass_of(total),
        "pt": transverse(total),
        "rapidity": np.arctanh(total.pz / total.energy),
        "phi": np.arctan2(total.py, total.px),
        "charge": ak.to_numpy(l1["charge"]) + ak.to_numpy(l2["charge"]),
        "l1": l1,
        "l2": l2,
    }
    good = np.ones(len(rows), dtype=bool)
    if cuts is not None:
        good = (
            charge_passes(pair["charge"], cuts.charge) & (pair["mass"] > cuts.mass[0]) & (pair["mass"] < cuts.mass[1])
        )
    return per_event(pair, rows, good, len(muons))


def charge_passes(charge: np.ndarray, wanted: str) -> np.ndarray:
    """Whether the charge of a pair is what `DimuonCuts.charge` asks for.

    Examples
    --------
    >>> charge_passes(np.array([0, 2, -2]), "same").tolist()
    [False, True, True]
    """
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
        mass, pt [GeV], i1, i2: the positions of the two leptons in the event.

    Examples
    --------
    >>> phis = ((40.0, 0.0, 1), (38.0, 3.0, -1), (20.0, 1.5, 1))
    >>> muons = [{"pt": pt, "eta": 0.0, "phi": phi, "mass": 0.106, "charge": q} for pt, phi, q in phis]
    >>> z_candidates(ak.Array([muons]))[["i1", "i2"]].to_list()
    [[{'i1': 0, 'i2': 1}, {'i1': 1, 'i2': 2}]]
    """
    cuts = ZCuts() if cuts is None else cuts
    i1, i2 = ak.unzip(ak.argcombinations(leptons, 2))
    a, b = leptons[i1], leptons[i2]
    match = a["charge"] == -b["charge"]
    if "flavour" in leptons.fields:
        match = match & (a["flavour"] == b["flavour"])
    i1, i2, a, b = i1[match], i2[match], a[match], b[match]
    first, second = (momenta(*(flat_column(lepton, name) for name in COORDINATES)) for lepton in (a, b))
    total = first.plus(second)
    counts = ak.num(i1)
    z = ak.zip({"mass": ak.unflatten(mass_of(total), counts), "pt": ak.unflatten(transverse(total), counts)})
    z = ak.with_field(ak.with_field(z, i1, "i1"), i2, "i2")
    z = z[(z["mass"] > cuts.mass[0]) & (z["mass"] < cuts.mass[1])]
    return z[ak.argsort(abs(z["mass"] - cuts.nominal), axis=1, stable=True)]


def dijet(jets: ak.Array, cuts: DijetCuts | None = None) -> ak.Array:
    """The two leading (fat) jets; their masses are part of the dijet mass.

    Returns
    -------
    ak.Array of records or None, shape (n_events,)
        mjj [GeV], delta_eta (absolute), j1, j2; None where there are no two jets or they fail the cuts.

    Examples
    --------
    >>> jets = [{"pt": 300.0, "eta": eta, "phi": phi, "mass": 90.0} for eta, phi in ((0.0, 0.0), (0.5, 3.0))]
    >>> pair = dijet(ak.Array([jets]))[0]
    >>> float(pair["mjj"].round(1)), float(pair["delta_eta"])
    (643.2, 0.5)
    """
    rows, j1, j2, total = _leading_two(jets)
    delta_eta = abs(ak.to_numpy(j1["eta"]).astype(np.float64) - ak.to_numpy(j2["eta"]))
    pair = {"mjj": mass_of(total), "delta_eta": delta_eta, "j1": j1, "j2": j2}
    good = np.ones(len(rows), dtype=bool)
    if cuts is not None and cuts.delta_eta is not None:
        good &= pair["delta_eta"] < cuts.delta_eta
    if cuts is not None and cuts.min_mass is not None:
        good &= pair["mjj"] > cuts.min_mass
    return per_event(pair, rows, good, len(jets))


def _leading_two(objects: ak.Array) -> tuple[np.ndarray, ak.Array, ak.Array, Momenta]:
    """Events with two objects, the leading one and the second one of each, and the momentum of both."""
    rows = np.flatnonzero(ak.to_numpy(ak.num(objects)) >= 2)
    two = objects[rows]
    both = [two[:, position] for position in (0, 1)]
    first, second = (momenta(*(ak.to_numpy(one[name]) for name in COORDINATES)) for one in both)
    return rows, *both, first.plus(second)

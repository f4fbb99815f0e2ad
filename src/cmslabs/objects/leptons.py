"""Muons and electrons: which of a detector's candidates are taken for real, isolated leptons.

A `mask` says for every candidate whether it passes; `pick` takes those, by falling pT.  Comparisons
with NaN are false, so a candidate with an undefined pT never passes.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.objects.access import flat, objects
from cmslabs.objects.cuts import ElectronCuts, MuonCuts

__all__ = [
    "NEEDED",
    "by_falling_pt",
    "electron_mask",
    "good_electrons",
    "good_muons",
    "muon_mask",
    "passing",
    "pick",
    "scale_muons",
]

#: What a lepton must have, and what else selected ones keep where the file has it.
NEEDED = ("pt", "eta", "phi", "mass", "charge")
_KEPT = (*NEEDED, "pfRelIso04_all", "pfRelIso03_all", "sip3d")


def muon_mask(events: ak.Array, cuts: MuonCuts | None = None, scale: float = 1.0) -> ak.Array:
    """Which muons pass the cuts.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
    cuts : MuonCuts, optional
        Default: those of the course.
    scale : float
        Factor on every pT, see `scale_muons`.

    Returns
    -------
    ak.Array of bool, shape (n_events, var)

    Raises
    ------
    MissingBranchError
        If a branch that a cut needs is not there: a cut that cannot be made is never passed.

    Examples
    --------
    >>> muons = [{"pt": pt, "eta": 0.5, "mediumId": True, "pfRelIso04_all": 0.1} for pt in (40.0, 3.0)]
    >>> muon_mask(ak.Array([{"Muon": muons}])).to_list()
    [[True, False]]
    """
    cuts = MuonCuts() if cuts is None else cuts
    pt = flat(events, "Muon", "pt")
    mask = ((pt if scale == 1.0 else pt * scale) > cuts.pt) & (abs(flat(events, "Muon", "eta")) < cuts.eta)
    if cuts.id is not None:
        mask &= flat(events, "Muon", cuts.id) != 0
    if cuts.isolation is not None:
        mask &= flat(events, "Muon", "pfRelIso04_all") < cuts.isolation
    if cuts.sip3d is not None:
        mask &= flat(events, "Muon", "sip3d") < cuts.sip3d
    return ak.unflatten(mask, ak.num(objects(events, "Muon")))


def electron_mask(events: ak.Array, cuts: ElectronCuts | None = None) -> ak.Array:
    """Which electrons pass the cuts; arguments, result and errors as for `muon_mask`.

    Examples
    --------
    >>> electrons = [{"pt": 40.0, "eta": 0.5, "cutBased": working_point} for working_point in (4, 2)]
    >>> electron_mask(ak.Array([{"Electron": electrons}])).to_list()
    [[True, False]]
    """
    cuts = ElectronCuts() if cuts is None else cuts
    mask = (flat(events, "Electron", "pt") > cuts.pt) & (abs(flat(events, "Electron", "eta")) < cuts.eta)
    if cuts.cut_based > 0:
        mask &= flat(events, "Electron", "cutBased") >= cuts.cut_based
    if cuts.sip3d is not None:
        mask &= flat(events, "Electron", "sip3d") < cuts.sip3d
    return ak.unflatten(mask, ak.num(objects(events, "Electron")))


def good_muons(events: ak.Array, cuts: MuonCuts | None = None, scale: float = 1.0) -> ak.Array:
    """The muons that pass the cuts, by falling pT.

    Returns
    -------
    ak.Array of records, shape (n_events, var)
        pt, mass [GeV], eta, phi [rad], charge, and where the file has them pfRelIso04_all and sip3d.
        With a `scale` the pT are the scaled ones.
    """
    muons = scale_muons(objects(events, "Muon", *NEEDED), scale)
    return pick(muons, muon_mask(events, cuts, scale))


def good_electrons(events: ak.Array, cuts: ElectronCuts | None = None) -> ak.Array:
    """The electrons that pass the cuts, by falling pT; fields as for `good_muons`."""
    return pick(objects(events, "Electron", *NEEDED), electron_mask(events, cuts))


def scale_muons(muons: ak.Array, factor: float) -> ak.Array:
    """The muons as a momentum scale that is off by `factor` would have shown them.

    This moves the objects and not a weight: it comes before the cuts, since a muon may cross a threshold.
    The mass stays, and so does the order; `pick` renews it.

    Examples
    --------
    >>> scale_muons(ak.Array([[{"pt": 50.0, "eta": 1.0}]]), 1.002)["pt"].to_list()
    [[50.1]]
    """
    return muons if factor == 1.0 else ak.with_field(muons, muons["pt"] * factor, "pt")


def pick(leptons: ak.Array, mask: ak.Array) -> ak.Array:
    """The objects that pass, by falling pT; only kinematics, charge, isolation and impact parameter are kept.

    Fields are lazy where the events are: one that nobody looks at is not read.
    """
    leptons = leptons[[name for name in _KEPT if name in leptons.fields]]
    return by_falling_pt(passing(leptons, mask))


def passing(candidates: ak.Array, mask: ak.Array) -> ak.Array:
    """``candidates[mask]`` for jagged arrays, by way of flat ones, which is faster."""
    chosen = ak.flatten(candidates)[ak.to_numpy(ak.flatten(mask))]
    return ak.unflatten(chosen, ak.to_numpy(ak.sum(mask, axis=1)))


def by_falling_pt(candidates: ak.Array) -> ak.Array:
    """Sort each event's objects; NanoAOD has them in order nearly always, and looking is faster than sorting."""
    pt = ak.to_numpy(ak.flatten(candidates["pt"]))
    rises = np.flatnonzero(~(pt[1:] <= pt[:-1])) + 1
    ends = np.cumsum(ak.to_numpy(ak.num(candidates)))
    if np.isin(rises, ends).all():  # Only from one event to the next.
        return candidates
    return candidates[ak.argsort(candidates["pt"], axis=1, ascending=False, stable=True)]

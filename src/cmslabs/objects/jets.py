"""Jets and fat jets: identified, inside the tracker, and not one of the selected leptons.

An isolated electron or muon leaves energy, and the clustering makes a jet of it: whoever counts jets
takes those away that lie on a selected lepton.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.data.nanoaod_names import remark
from cmslabs.errors import MissingBranchError
from cmslabs.objects.access import flat, has, objects, source_of
from cmslabs.objects.cuts import FatJetCuts, JetCuts
from cmslabs.objects.leptons import by_falling_pt, passing

__all__ = ["far_from", "good_fat_jets", "good_jets", "jet_mask", "pick_jets"]

_KEPT = ("pt", "eta", "phi", "mass", "msoftdrop", "tau1", "tau2", "tau3", "tau4")


def jet_mask(events: ak.Array, cuts: JetCuts, collection: str = "Jet") -> ak.Array:
    """Which jets pass pT, eta and identification.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
    cuts : JetCuts
        `jet_id` are bits, and all of them must be set in ``jetId``.
    collection : "Jet" or "FatJet"

    Returns
    -------
    ak.Array of bool, shape (n_events, var)

    Raises
    ------
    MissingBranchError
        If a branch is not there; version 15 of NanoAOD stores no ``jetId``.

    Examples
    --------
    >>> jets = [{"pt": 50.0, "eta": 0.0, "jetId": bits} for bits in (6, 1)]
    >>> jet_mask(ak.Array([{"Jet": jets}]), JetCuts(jet_id=2)).to_list()
    [[True, False]]
    """
    mask = (flat(events, collection, "pt") > cuts.pt) & (abs(flat(events, collection, "eta")) < cuts.eta)
    if cuts.jet_id:
        mask &= (_jet_id(events, collection) & cuts.jet_id) == cuts.jet_id
    return ak.unflatten(mask, ak.num(objects(events, collection)))


def good_jets(events: ak.Array, cuts: JetCuts | None = None, leptons: ak.Array | None = None) -> ak.Array:
    """The AK4 jets that pass the cuts and lie on none of the leptons, by falling pT.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
    cuts : JetCuts, optional
    leptons : ak.Array of records with eta and phi, shape (n_events, var), optional
        Selected leptons; without them no jet is taken away.

    Returns
    -------
    ak.Array of records, shape (n_events, var)
        pt, mass [GeV], eta, phi [rad].
    """
    return _good(events, "Jet", JetCuts() if cuts is None else cuts, leptons)


def good_fat_jets(events: ak.Array, cuts: FatJetCuts | None = None, leptons: ak.Array | None = None) -> ak.Array:
    """The AK8 jets, as `good_jets`; also msoftdrop [GeV] and tau1 to tau4 where the file has them."""
    return _good(events, "FatJet", FatJetCuts() if cuts is None else cuts, leptons)


def far_from(jets: ak.Array, leptons: ak.Array, distance: float) -> ak.Array:
    """Which jets have no lepton within Delta R = sqrt(d_eta^2 + d_phi^2) < `distance`.

    Examples
    --------
    >>> jets = ak.Array([[{"eta": 0.0, "phi": 3.1}, {"eta": 2.0, "phi": 0.0}]])
    >>> far_from(jets, ak.Array([[{"eta": 0.1, "phi": -3.1}]]), 0.4).to_list()
    [[False, True]]
    """
    jet, lepton = ak.unzip(ak.cartesian([jets[["eta", "phi"]], leptons[["eta", "phi"]]], nested=True))
    d_phi = (jet["phi"] - lepton["phi"] + np.pi) % (2 * np.pi) - np.pi
    near = (jet["eta"] - lepton["eta"]) ** 2 + d_phi**2 < distance**2
    return ~ak.any(near, axis=-1)


def pick_jets(jets: ak.Array, mask: ak.Array, leptons: ak.Array | None, distance: float | None) -> ak.Array:
    """The jets that pass and are `far_from` the leptons (all, where there are none or no distance), by falling pT."""
    jets = jets[[name for name in _KEPT if name in jets.fields]]
    jets = passing(jets, mask)
    if leptons is not None and distance is not None:
        jets = jets[far_from(jets, leptons, distance)]
    return by_falling_pt(jets)


def _good(events: ak.Array, collection: str, cuts: JetCuts, leptons: ak.Array | None) -> ak.Array:
    return pick_jets(
        objects(events, collection, "pt", "eta", "phi"),
        jet_mask(events, cuts, collection),
        leptons,
        cuts.lepton_distance,
    )


def _jet_id(events: ak.Array, collection: str) -> np.ndarray:
    if not has(events, collection, "jetId"):
        key = {"Jet": "jets", "FatJet": "fat_jets"}[collection]
        raise MissingBranchError(
            f"there is no branch '{collection}_jetId'.",
            where=f"{source_of(events)}, Events",
            remedy=f"{remark('Jet.jetId')} Or ask for no identification: {key}.jet_id=0.",
        )
    return flat(events, collection, "jetId")

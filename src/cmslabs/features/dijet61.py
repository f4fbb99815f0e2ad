"""The 61 dijet observables of NanoAOD-like events, vectorised.

Events are what `cmslabs.data.nanoaod.read_nanoaod` gives, or simulated ones in the same layout: ``FatJet`` (AK8
jets), ``Jet`` (AK4 jets), ``MET``, ``PV``, and the particles of the AK8 jets where the file has them.
"""

from __future__ import annotations

from collections.abc import Iterable

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.features.dijet_config import DijetConfig, config_of
from cmslabs.features.dijet_inputs import check_inputs
from cmslabs.features.dijet_kinematics import delta_phi, derive
from cmslabs.features.leading_jets import (
    Candidates,
    Jets,
    LeadingJets,
    leading_candidates,
    nearby_jets,
    pick_leading,
)
from cmslabs.features.observable_table import ENERGY_FRACTIONS
from cmslabs.features.observables import base_observables, observable_names
from cmslabs.objects.access import has

__all__ = ["dijet_identity", "dijet_observables"]

OF_CANDIDATES = ("width", "ptd", "leading_fraction")
#: Radius of the AK8 jets.
RADIUS = 0.8
OF_JETS = ("ht", "n_jets", "min_dphi_met", "third_jet_pt")


def dijet_observables(
    events: ak.Array, names: str | Iterable[str] = "dijet61", config: DijetConfig | None = None
) -> pd.DataFrame:
    """Observables of the two hardest AK8 jets; one row for each event that has two.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
    names : str or iterable of str
        A set (``"dijet61"``, ``"dijet_nanoaod"``, ``"dijet_flow"``) or names of the catalogue
        `cmslabs.features.observables.CATALOGUE`, which gives units, ranges and formulas.
    config : DijetConfig, optional
        Selection and sources; by default those that belong to the set.

    Returns
    -------
    pandas.DataFrame, shape (n_dijets, n_names)
        float64, columns in the order of `names`.  The index, called ``position``, is the place in `events`: events
        without two jets have no row.  NaN where an AK8 jet has no matched AK4 jet or no candidates.

    Raises
    ------
    ConfigError
        If a name is unknown.
    MissingBranchError
        If a branch is not there; the observables that need it are named.

    Examples
    --------
    >>> import awkward as ak
    >>> hard = {"pt": 900.0, "eta": 0.5, "phi": 3.1, "mass": 80.0}
    >>> soft = {"pt": 600.0, "eta": -0.5, "phi": 0.0, "mass": 40.0}
    >>> events = ak.Array([{"FatJet": [hard]}, {"FatJet": [soft, hard]}])
    >>> dijet_observables(events, ["pt_j1", "mjj", "pt_asymmetry"]).round(2).to_dict("index")
    {1: {'pt_j1': 900.0, 'mjj': 1661.4, 'pt_asymmetry': 0.2}}
    """
    if config is None:
        config = config_of(names) if isinstance(names, str) else DijetConfig()
    names = observable_names(names)
    check_inputs(events, names, config)
    leading = pick_leading(events, config)
    base = base_observables(names)
    values = _measured(events, base, leading, config)
    index = pd.Index(leading.events, name="position")
    return pd.DataFrame(derive(values, names), index=index)


def dijet_identity(events: ak.Array, config: DijetConfig | None = None) -> pd.DataFrame:
    """What identifies the dijets and is no observable: for cleaning, and for whoever looks an event up.

    Returns
    -------
    pandas.DataFrame, shape (n_dijets, var)
        Those of ``run``, ``luminosityBlock``, ``event``, ``label`` and ``process`` that the events have, and
        ``jet_id_j1``, ``jet_id_j2`` (bits of ``FatJet_jetId``) if they have that.  Index as in `dijet_observables`.
    """
    config = DijetConfig() if config is None else config
    leading = pick_leading(events, config)
    columns = {
        name: ak.to_numpy(events[name])[leading.events]
        for name in ("run", "luminosityBlock", "event", "label", "process")
        if has(events, name)
    }
    if has(events, "FatJet", "jetId"):
        bits = leading.read(events, "jetId").astype(np.int64)
        columns |= {"jet_id_j1": bits[:, 0], "jet_id_j2": bits[:, 1]}
    return pd.DataFrame(columns, index=pd.Index(leading.events, name="position"))


def _measured(
    events: ak.Array, base: tuple[str, ...], leading: LeadingJets, config: DijetConfig
) -> dict[str, np.ndarray]:
    """The observables that are no functions of others, in the order of `base`."""
    kinds = {name.removesuffix("_j1").removesuffix("_j2") for name in base}
    candidates = leading_candidates(events, leading, config) if _want_candidates(kinds, config) else None
    jets = _jets(events, leading, kinds, config)
    pairs: dict[str, np.ndarray] = {}
    for kind in kinds - {*OF_JETS, "met", "n_pv"}:
        pairs[kind] = _per_jet(kind, events, leading, candidates, jets, config)
    values = _of_event(kinds, events, leading, jets, config)
    for name in base:
        kind, _, jet = name.rpartition("_")
        if jet in ("j1", "j2"):
            values[name] = pairs[kind][:, int(jet[1]) - 1]
    return {name: values[name] for name in base}


def _want_candidates(kinds: set[str], config: DijetConfig) -> bool:
    counted = "n_constituents" in kinds and config.n_constituents == "candidates"
    return counted or not kinds.isdisjoint(OF_CANDIDATES)


def _jets(events: ak.Array, leading: LeadingJets, kinds: set[str], config: DijetConfig) -> Jets | None:
    proxies = (config.energy_fractions == "matched_jet" and not kinds.isdisjoint(ENERGY_FRACTIONS)) or (
        config.n_constituents == "matched_jet" and "n_constituents" in kinds
    )
    if not proxies and kinds.isdisjoint(OF_JETS):
        return None
    return nearby_jets(events, leading, with_distance=proxies or "third_jet_pt" in kinds)


def _per_jet(
    kind: str,
    events: ak.Array,
    leading: LeadingJets,
    candidates: Candidates | None,
    jets: Jets | None,
    config: DijetConfig,
) -> np.ndarray:
    """One observable of both jets, shape (n, 2)."""
    if kind in OF_CANDIDATES:
        return _of_candidates(kind, events, leading, candidates)
    if kind in ENERGY_FRACTIONS and config.energy_fractions == "matched_jet":
        return jets.matched(events, kind, config.match_distance)
    if kind == "n_constituents":
        if config.n_constituents == "candidates":
            return candidates.sum(np.ones(len(candidates.pt)))
        if config.n_constituents == "matched_jet":
            return jets.matched(events, "nConstituents", config.match_distance)
        return leading.read(events, "nConstituents")
    return leading.read(events, kind)


def _of_candidates(kind: str, events: ak.Array, leading: LeadingJets, candidates: Candidates) -> np.ndarray:
    """Girth, pT dispersion and leading fraction; NaN for a jet without candidates."""
    total = candidates.sum(candidates.pt)
    if kind == "width":
        eta, phi = (leading.read(events, name).reshape(-1)[candidates.jet] for name in ("eta", "phi"))
        distance = np.hypot(candidates.eta - eta, delta_phi(candidates.phi, phi))
        above = candidates.sum(candidates.pt * distance)
    elif kind == "ptd":
        above = np.sqrt(candidates.sum(candidates.pt**2))
    else:
        above = candidates.max(candidates.pt)
    return np.divide(above, total, out=np.full_like(total, np.nan), where=total > 0)


def _of_event(
    kinds: set[str], events: ak.Array, leading: LeadingJets, jets: Jets | None, config: DijetConfig
) -> dict[str, np.ndarray]:
    """The observables that are measured once per event."""
    values: dict[str, np.ndarray] = {}
    if "met" in kinds:
        values["met"] = _scalar(events, config.met, "pt", leading)
    if "n_pv" in kinds:
        values["n_pv"] = _scalar(events, "PV", "npvs", leading)
    if jets is None:
        return values
    counted = (jets.pt > config.jet_pt) & (np.abs(jets.eta) < config.jet_eta)
    values["ht"] = np.bincount(jets.dijet[counted], weights=jets.pt[counted], minlength=jets.n).astype(np.float64)
    values["n_jets"] = np.bincount(jets.dijet[counted], minlength=jets.n).astype(np.float64)
    values["third_jet_pt"] = jets.largest(jets.pt, counted & (jets.distance > RADIUS).all(axis=1), 0.0)
    if "min_dphi_met" in kinds:
        met_phi = _scalar(events, config.met, "phi", leading)
        distance = delta_phi(jets.phi, met_phi[jets.dijet])
        values["min_dphi_met"] = -jets.largest(-distance, counted, -np.pi)
    return values


def _scalar(events: ak.Array, collection: str, field: str, leading: LeadingJets) -> np.ndarray:
    return ak.to_numpy(events[collection][field]).astype(np.float64)[leading.events]

"""Two fat jets: the two leading ones that are no leptons."""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.features.substructure import tau_ratio
from cmslabs.objects.access import objects
from cmslabs.objects.jets import good_jets, jet_mask, pick_jets
from cmslabs.objects.leptons import good_electrons, good_muons
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.candidates import dijet, leptons_together
from cmslabs.selection.channels.aligned import count, needing, no_leptons, values_of
from cmslabs.selection.channels.selected import EVENT_UNITS, Channel, Columns, Selected, event_columns
from cmslabs.selection.momenta import COORDINATES
from cmslabs.selection.sparse import mask_for

__all__ = ["DIJET"]

_PAIR = {"mjj": "GeV", "delta_eta": "1"}
_JET = {"pt": "GeV", "eta": "1", "phi": "rad", "mass": "GeV", "msoftdrop": "GeV", "tau21": "1"}
UNITS = _PAIR | {f"j{k}_{name}": unit for k in (1, 2) for name, unit in _JET.items()} | EVENT_UNITS


def _apply(events: ak.Array, analysis: Analysis, muon_scale: float = 1.0) -> Selected:
    """Cuts: "two fat jets", and where they are asked for "delta eta" and "dijet mass".

    `Analysis.lepton_pt` says nothing here: leptons are only what a jet must not be.
    """
    good = jet_mask(events, analysis.fat_jets, "FatJet")
    rows = np.flatnonzero(count(good) >= 2)
    leptons = _leptons(events[rows], analysis, muon_scale)
    jets = pick_jets(
        objects(events, "FatJet", *COORDINATES)[rows], good[rows], leptons, analysis.fat_jets.lepton_distance
    )
    pair = dijet(jets)
    there = ~ak.to_numpy(ak.is_none(pair))
    rows, pair = rows[there], ak.drop_none(pair)

    wanted, n = analysis.dijet, len(events)
    cuts = {"two fat jets": mask_for(rows, np.ones(len(rows), dtype=bool), n)}
    if wanted.delta_eta is not None:
        cuts["delta eta"] = mask_for(rows, ak.to_numpy(pair["delta_eta"]) < wanted.delta_eta, n)
    if wanted.min_mass is not None:
        cuts["dijet mass"] = mask_for(rows, ak.to_numpy(pair["mjj"]) > wanted.min_mass, n)

    makers = {name: values_of(pair, name) for name in _PAIR}
    for k in (1, 2):
        jet = f"j{k}"
        makers |= {f"{jet}_{name}": values_of(pair, jet, name) for name in ("pt", "eta", "phi", "mass")}
        makers[f"{jet}_msoftdrop"] = needing(events, "FatJet", "msoftdrop", values_of(pair, jet, "msoftdrop"))
        makers[f"{jet}_tau21"] = _tau21(events, pair, jet)
    makers |= event_columns(
        events, rows, lambda: good_jets(events[rows], analysis.jets, None if leptons is None else leptons[there])
    )
    columns = Columns(n, rows, makers, UNITS, analysis.missing.columns)
    return Selected(cuts, columns, UNITS, no_leptons(n))


def _leptons(events: ak.Array, analysis: Analysis, muon_scale: float) -> ak.Array | None:
    """The leptons that jets have to keep away from; None where nothing asks for it."""
    if analysis.fat_jets.lepton_distance is None and analysis.jets.lepton_distance is None:
        return None
    return leptons_together(good_muons(events, analysis.muons, muon_scale), good_electrons(events, analysis.electrons))


def _tau21(events: ak.Array, pair: ak.Array, jet: str):
    def ratio() -> np.ndarray:
        return tau_ratio(ak.to_numpy(pair[jet, "tau2"]), ak.to_numpy(pair[jet, "tau1"]))

    return needing(events, "FatJet", "tau1", needing(events, "FatJet", "tau2", ratio))


DIJET = Channel("dijet", UNITS, _apply, n_leptons=None)

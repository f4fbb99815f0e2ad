"""Two muons: the pair of the two leading ones."""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.objects.access import objects
from cmslabs.objects.jets import good_jets
from cmslabs.objects.leptons import NEEDED, muon_mask, pick, scale_muons
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.candidates import charge_passes, dimuon
from cmslabs.selection.channels.aligned import count, needing, passes_pt, values_of
from cmslabs.selection.channels.selected import EVENT_UNITS, Channel, Columns, Selected, event_columns
from cmslabs.selection.sparse import lists_for, mask_for

__all__ = ["DIMUON"]

_PAIR = {"mass": "GeV", "pt": "GeV", "y": "1", "phi": "rad"}
_MUON = {"pt": "GeV", "eta": "1", "phi": "rad", "iso": "1"}
UNITS = _PAIR | {f"mu{k}_{name}": unit for k in (1, 2) for name, unit in _MUON.items()} | EVENT_UNITS
_FIELDS = {"y": "rapidity"}


def _apply(events: ak.Array, analysis: Analysis, muon_scale: float = 1.0) -> Selected:
    """Cuts: "two muons", "lepton pT" of both, "opposite charge" ("same charge", or none), "mass"."""
    good = muon_mask(events, analysis.muons, muon_scale)
    two = count(good) >= 2
    rows = np.flatnonzero(two)
    muons = pick(scale_muons(objects(events, "Muon", *NEEDED)[rows], muon_scale), good[rows])
    pair = ak.drop_none(dimuon(muons))
    charge, mass = ak.to_numpy(pair["charge"]), ak.to_numpy(pair["mass"])

    wanted, n = analysis.dimuon, len(events)
    cuts = {"two muons": two, "lepton pT": mask_for(rows, passes_pt(muons, analysis.lepton_pt), n)}
    if wanted.charge != "any":
        cuts[f"{wanted.charge} charge"] = mask_for(rows, charge_passes(charge, wanted.charge), n)
    cuts["mass"] = mask_for(rows, (mass > wanted.mass[0]) & (mass < wanted.mass[1]), n)

    makers = {name: values_of(pair, _FIELDS.get(name, name)) for name in _PAIR}
    makers |= {f"mu{k}_{name}": values_of(pair, f"l{k}", name) for k in (1, 2) for name in ("pt", "eta", "phi")}
    for k in (1, 2):
        iso = values_of(pair, f"l{k}", "pfRelIso04_all")
        makers[f"mu{k}_iso"] = needing(events, "Muon", "pfRelIso04_all", iso)
    makers |= event_columns(events, rows, lambda: good_jets(events[rows], analysis.jets, muons))
    columns = Columns(n, rows, makers, UNITS, analysis.missing.columns)
    return Selected(cuts, columns, UNITS, lists_for(rows, muons[:, :2], n))


DIMUON = Channel("dimuon", UNITS, _apply, n_leptons=2)

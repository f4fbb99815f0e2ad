"""Four leptons: two Z candidates."""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.objects.access import objects
from cmslabs.objects.jets import good_jets
from cmslabs.objects.leptons import NEEDED, electron_mask, muon_mask, passing, pick, scale_muons
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.channels.aligned import count, passes_pt, values_of
from cmslabs.selection.channels.selected import EVENT_UNITS, Channel, Columns, Selected, event_columns
from cmslabs.selection.fourleptons import MUON, enough_for_four, four_leptons, leptons_together
from cmslabs.selection.sparse import lists_for, mask_for

__all__ = ["FOUR_LEPTON"]

_FOUR = {"m4l": "GeV", "pt4l": "GeV", "flavour": "1"}
_Z = {f"{z}_{name}": "GeV" for z in ("z1", "z2") for name in ("mass", "pt")}
_LEPTON = {f"l{k}_{name}": unit for name, unit in (("pt", "GeV"), ("eta", "1")) for k in (1, 2, 3, 4)}
UNITS = _FOUR | _Z | _LEPTON | EVENT_UNITS


def _apply(events: ak.Array, analysis: Analysis, muon_scale: float = 1.0) -> Selected:
    """Cuts: "four leptons" (of the flavours asked for), "two Z candidates", "lepton pT", "four-lepton mass".

    Electrons are looked at only if a flavour with electrons is asked for.
    """
    wanted, n = analysis.four_lepton, len(events)
    good_mu = muon_mask(events, analysis.muons, muon_scale)
    good_e = None if set(wanted.flavours) <= {"4mu"} else electron_mask(events, analysis.electrons)
    enough = enough_for_four(count(good_mu), 0 if good_e is None else count(good_e), wanted.flavours)
    rows = np.flatnonzero(enough)
    muons = pick(scale_muons(objects(events, "Muon", *NEEDED)[rows], muon_scale), good_mu[rows])
    electrons = None if good_e is None else pick(objects(events, "Electron", *NEEDED)[rows], good_e[rows])

    # The mass is a cut of its own, so that it can be left out.
    four = four_leptons(muons, electrons, analysis.z, wanted.model_copy(update={"min_mass": 0.0}))
    there = ~ak.to_numpy(ak.is_none(four))
    rows, four = rows[there], ak.drop_none(four)
    cuts = {
        "four leptons": enough,
        "two Z candidates": mask_for(rows, np.ones(len(rows), dtype=bool), n),
        "lepton pT": mask_for(rows, passes_pt(four["leptons"], analysis.lepton_pt), n),
        "four-lepton mass": mask_for(rows, ak.to_numpy(four["m4l"]) > wanted.min_mass, n),
    }

    makers = {name: values_of(four, name) for name in _FOUR}
    makers |= {name: values_of(four, *name.split("_")) for name in _Z}
    makers |= {name: _of_lepton(four, name) for name in _LEPTON}
    makers |= event_columns(events, rows, lambda: _jets(events[rows], analysis, muons, electrons, there))
    columns = Columns(n, rows, makers, UNITS, analysis.missing.columns)
    leptons = four["leptons"]
    return Selected(cuts, columns, UNITS, lists_for(rows, passing(leptons, leptons["flavour"] == MUON), n))


def _of_lepton(four: ak.Array, column: str):
    """What makes ``l3_eta``: eta of the third lepton."""
    lepton, name = column.split("_")
    return lambda: ak.to_numpy(four["leptons", name][:, int(lepton[1:]) - 1])


def _jets(events: ak.Array, analysis: Analysis, muons: ak.Array, electrons: ak.Array | None, there: np.ndarray):
    """Jets that are none of the selected leptons, in events with a candidate."""
    leptons = leptons_together(muons[there], None if electrons is None else electrons[there])
    return good_jets(events, analysis.jets, leptons)


FOUR_LEPTON = Channel("four-lepton", UNITS, _apply, n_leptons=4)

"""One table of what changed between NanoAOD versions 5 and 15.

The names of version 9 (the Run 2 legacy format of the CMS open data) are the canonical ones: whatever
the version of a file, `read_nanoaod` gives these.  Three kinds of rows:

- ``renamed``: the same quantity under another name; the reader renames it.
- ``changed``: the name or the content changed so that the numbers are not the same quantity; nothing is
  renamed, and who asks in vain is told the row's remark.
- ``gone``: no longer stored.

Versions 10, 11, 13 and 14 were seen in CMS's code and in other people's lists only, not in a file: where a
source compares versions 9 and 12, the change is booked on version 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

__all__ = ["FIRST", "LAST", "MARKERS", "TABLE", "Row", "canonical_names", "find_version", "remark"]

FIRST, LAST = 5, 15


class Row(NamedTuple):
    """One difference: `names` maps the (first, last) version to the name in the file; None where there is none."""

    canonical: str
    kind: Literal["renamed", "changed", "gone"]
    names: dict[tuple[int, int], str | None]
    source: str
    remark: str


_CROWN = "list of differences in the documentation of the CROWN framework (KIT-CMS/CROWN), 'NanoAOD versions'"
_V9 = "github.com/cms-nanoAOD/cmssw/issues/555 (features for version 9)"
_MET = f"github.com/cms-sw/cmssw/pull/44038 and its backport 44495 to CMSSW 14_0; {_CROWN}"
_RHO = f"cms-sw/cmssw PhysicsTools/NanoAOD/python/V10/globals_cff.py; {_CROWN}"
_RUNS = (
    "Runs tree of the version 6 sample of scikit-hep/coffea; production script of "
    "singh-ramanpreet/VVjjSemileptonic-Selection (version 6 with, version 7 without underscore)"
)
_MET_TEXT = "the type-1 corrected particle-flow MET; it lost its short name when PuppiMET became the default"
_RHO_TEXT = "scalars became one record"
_RUNS_TEXT = "the trailing underscore kept the names of old tools apart"

TABLE: tuple[Row, ...] = (
    Row("MET", "renamed", {(5, 13): "MET", (14, 15): "PFMET"}, _MET, _MET_TEXT),
    Row("RawMET", "renamed", {(5, 13): "RawMET", (14, 15): "RawPFMET"}, _MET, _MET_TEXT),
    Row("TkMET", "renamed", {(5, 13): "TkMET", (14, 15): "TrkMET"}, _MET, "MET of tracks only"),
    *(
        Row(name, "renamed", {(5, 9): name, (10, 15): f"Rho.{name}"}, _RHO, _RHO_TEXT)
        for name in (
            "fixedGridRhoFastjetAll",
            "fixedGridRhoFastjetCentral",
            "fixedGridRhoFastjetCentralCalo",
            "fixedGridRhoFastjetCentralChargedPileUp",
            "fixedGridRhoFastjetCentralNeutral",
        )
    ),
    *(
        Row(f"Runs.{name}", "renamed", {(5, 5): name, (6, 6): name + "_", (7, 15): name}, _RUNS, _RUNS_TEXT)
        for name in ("genEventCount", "genEventSumw", "genEventSumw2", "LHEScaleSumw", "LHEPdfSumw")
    ),
    Row(
        "Jet.jetId",
        "changed",
        {(5, 14): "Jet_jetId", (15, 15): None},
        "github.com/cms-sw/cmssw/pull/46085; github.com/CJLST/ZZAnalysis/pull/287",
        "bit 1 is tight, bit 2 tight with lepton veto; 8-bit from version 12 on, wrong in versions 12 and 13, and not "
        "stored in version 15: recompute it from the jet's energy fractions and multiplicities",
    ),
    Row(
        "FatJet.jetId",
        "changed",
        {(5, 14): "FatJet_jetId", (15, 15): None},
        f"github.com/cms-sw/cmssw/pull/46085; {_CROWN}",
        "as for Jet.jetId",
    ),
    Row(
        "Jet.puId",
        "changed",
        {(5, 14): "Jet_puId", (15, 15): None},
        f"github.com/PocketCoffea/PocketCoffea/pull/457; {_CROWN}; the version 12 sample of scikit-hep/coffea has none",
        "an identification of pile-up jets for CHS jets; the PUPPI jets of Run 3 have none, version 15 of Run 2 stores "
        "the discriminant instead",
    ),
    Row(
        "Electron.mvaFall17V2Iso",
        "changed",
        {(5, 9): "Electron_mvaFall17V2Iso", (10, 15): "Electron_mvaIso"},
        f"github.com/cms-sw/cmssw/pull/38355; {_CROWN}",
        "the generic name Electron.mvaIso stands for another training in each period",
    ),
    Row(
        "Electron.cutBased_Fall17_V1",
        "gone",
        {(5, 8): "Electron_cutBased_Fall17_V1", (9, 15): None},
        "github.com/cms-sw/cmssw/pull/33701",
        "never recommended for Run 2; use Electron.cutBased (8-bit from version 12 on)",
    ),
    Row(
        "Muon.mvaId",
        "changed",
        {(5, 11): "Muon_mvaId", (12, 15): "Muon_mvaMuID_WP"},
        "github.com/cms-sw/cmssw/pull/39355 and 41903",
        "an older classifier with other working points; Muon.mediumId and Muon.tightId exist in every version",
    ),
    Row(
        "Muon.mvaTTH",
        "changed",
        {(5, 14): "Muon_mvaTTH", (15, 15): "Muon_promptMVA"},
        f"github.com/cms-sw/cmssw/pull/44503; {_CROWN}",
        "renamed to promptMVA with a new training for Run 3",
    ),
    Row(
        "FatJet.particleNet_mass",
        "changed",
        {(5, 8): None, (9, 9): "FatJet_particleNet_mass", (10, 15): "FatJet_particleNetLegacy_mass"},
        f"{_V9}; {_CROWN}",
        "from version 12 on the names particleNet_* stand for a newer tagger, the old one is particleNetLegacy_*",
    ),
    Row("ChsMET", "gone", {(5, 14): "ChsMET", (15, 15): None}, _CROWN, "use MET or PuppiMET"),
)

#: Branches that prove a version: (version, any of these, source).
MARKERS: tuple[tuple[int, tuple[str, ...], str], ...] = (
    (15, ("Muon_promptMVA", "Electron_promptMVA"), "github.com/cms-sw/cmssw/pull/44503"),
    (14, ("PFMET_pt",), "github.com/cms-sw/cmssw/pull/44495"),
    (12, ("Jet_btagPNetB",), "github.com/cms-sw/cmssw/pull/40745"),
    (10, ("Rho_fixedGridRhoFastjetAll",), _RHO),
    (9, ("SV_charge", "FatJet_nConstituents", "LowPtElectron_pt", "boostedTau_pt"), _V9),
    (8, ("DeepMETResponseTune_pt", "GenVtx_x"), "github.com/cms-nanoAOD/cmssw/issues/533"),
    (6, ("FsrPhoton_pt",), "github.com/cms-sw/cmssw/pull/28122"),
)


def find_version(branches: Iterable[str], runs: Iterable[str] = ()) -> int:
    """The oldest NanoAOD version that the branches allow; 5 where nothing proves a newer one.

    A skim that dropped the telling branches looks older than it is.

    Examples
    --------
    >>> find_version(["Muon_pt", "PFMET_pt"]), find_version(["Muon_pt", "MET_pt"])
    (14, 5)
    """
    known = set(branches)
    found = next((version for version, proofs, _ in MARKERS if known.intersection(proofs)), FIRST)
    if found == 6 and "genEventSumw" in set(runs):
        return 7
    return found


def canonical_names(version_names: Iterable[str]) -> dict[str, str]:
    """Which of these names (``PFMET``, ``Rho.fixedGridRhoFastjetAll``) have a canonical one.

    Examples
    --------
    >>> canonical_names(["PFMET", "MET", "Muon"])
    {'PFMET': 'MET'}
    """
    renamed = {
        name: row.canonical
        for row in TABLE
        if row.kind == "renamed"
        for name in row.names.values()
        if name not in (None, row.canonical)
    }
    return {name: renamed[name] for name in version_names if name in renamed}


def remark(name: str) -> str | None:
    """What the table says about a canonical name such as ``Jet.jetId``; None where it says nothing."""
    return next((f"{row.canonical}: {row.remark}." for row in TABLE if row.canonical == name), None)

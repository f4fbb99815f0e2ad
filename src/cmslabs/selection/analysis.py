"""One analysis is one YAML file: what is selected, weighted, varied, drawn and written.

What the file does not say is taken from the defaults here and in `cmslabs.objects.cuts`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmslabs.config import StrictModel, bundled_names, config_path, load_config
from cmslabs.objects.cuts import ElectronCuts, FatJetCuts, JetCuts, MuonCuts

__all__ = [
    "FILTERS_2016",
    "Analysis",
    "DijetCuts",
    "DimuonCuts",
    "FourLeptonCuts",
    "Histogram",
    "MissingPolicy",
    "Systematics",
    "ZCuts",
    "bundled_analyses",
    "load_analysis",
]

Policy = Literal["error", "skip"]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Mass = Annotated[float, Field(ge=0)]

#: Recommended for UL2016, data and simulation.  BadChargedCandidate and ecalBadCalib are not, for 2016.
FILTERS_2016 = (
    "goodVertices",
    "globalSuperTightHalo2016Filter",
    "HBHENoiseFilter",
    "HBHENoiseIsoFilter",
    "EcalDeadCellTriggerPrimitiveFilter",
    "BadPFMuonFilter",
    "BadPFMuonDzFilter",
    "eeBadScFilter",
)
_DOUBLE_MUON_DZ = (
    "Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ",
    "Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL_DZ",
    "TripleMu_12_10_5",
)
_DOUBLE_MUON = ("Mu17_TrkIsoVVL_Mu8_TrkIsoVVL", "Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL", *_DOUBLE_MUON_DZ)


class MissingPolicy(StrictModel):
    """What happens when a file lacks a filter, a trigger path or the branches of a weight.

    ``error`` stops and names it.  ``skip`` goes on without it and writes that into the run report; an
    event never passes because something was not there: if no trigger path at all is left, that is an error.
    """

    filters: Policy = "error"
    triggers: Policy = "error"
    weights: Policy = "error"
    columns: Policy = "error"


class DimuonCuts(StrictModel):
    """The pair of the two leading muons: charges and mass range [GeV]."""

    charge: Literal["opposite", "same", "any"] = "opposite"
    mass: tuple[Mass, Mass] = (12.0, 120.0)


class ZCuts(StrictModel):
    """A Z candidate: opposite charge, same flavour, mass in the range; the pair nearest `nominal` [GeV] is first."""

    mass: tuple[Mass, Mass] = (12.0, 120.0)
    nominal: Annotated[float, Field(gt=0)] = 91.1876


class FourLeptonCuts(StrictModel):
    """Two Z candidates without a common lepton: mass above `min_mass` [GeV]; which flavours are asked for."""

    min_mass: Mass = 70.0
    flavours: tuple[Literal["4mu", "2e2mu", "4e"], ...] = ("4mu", "2e2mu", "4e")


class DijetCuts(StrictModel):
    """The two leading fat jets: abs(delta eta) below, mass above [GeV]; None asks for nothing."""

    delta_eta: Annotated[float, Field(gt=0)] | None = None
    min_mass: Mass | None = None


class Systematics(StrictModel):
    """Variations that move objects, not weights.

    Attributes
    ----------
    muon_scale : float or None
        Relative shift of every muon's pT, up and down; the selection runs again for each.
    """

    muon_scale: Fraction | None = 0.002


class Histogram(StrictModel):
    """One histogram: a column of the channel, regular bins or edges, and the axis label with its unit."""

    variable: str
    bins: Annotated[int, Field(ge=1)] | None = None
    range: tuple[float, float] | None = None
    edges: tuple[float, ...] | None = None
    label: str = ""

    @model_validator(mode="after")
    def _one_binning(self) -> Histogram:
        if (self.edges is None) == (self.bins is None or self.range is None):
            raise ValueError("give either bins and range, or edges")
        edges = self.edges or self.range
        if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
            raise ValueError("edges and ranges must rise")
        return self


class Analysis(StrictModel):
    """One analysis file.

    Attributes
    ----------
    name, title : str
    channel : "dimuon", "four-lepton" or "dijet"
        What is built from the objects; it decides which columns there are (`cmslabs.selection.channels`).
    missing : MissingPolicy
    filters : tuple of str
        Names in ``Flag``.
    triggers : dict
        Primary dataset -> era -> paths in ``HLT``; the era ``default`` stands for all that are not named.
        The order of the primary datasets is their priority: an event that the first one's paths fire is taken
        from the first one's files only, so that no event is counted twice.
    lepton_pt : tuple of float
        Least pT [GeV] of the leading, second, ... selected lepton: above the triggers' plateau.
    muons, electrons, jets, fat_jets
        Cuts on objects.
    dimuon, z, four_lepton, dijet
        Cuts on candidates; only those of the channel are used.
    weights : tuple of str
        Which event weights simulation gets.
    systematics : Systematics
    histograms : dict
        Name -> `Histogram`.
    table : tuple of str
        Columns of the channel that the table gets besides run, luminosityBlock, event and the weights;
        empty for all.
    """

    name: str
    title: str
    channel: Literal["dimuon", "four-lepton", "dijet"]
    missing: MissingPolicy = MissingPolicy()
    filters: tuple[str, ...] = FILTERS_2016
    triggers: dict[str, dict[str, tuple[str, ...]]] = Field(
        default_factory=lambda: {"DoubleMuon": {"default": _DOUBLE_MUON, "Run2016H": _DOUBLE_MUON_DZ}}
    )
    lepton_pt: tuple[Mass, ...] = (20.0, 10.0)
    muons: MuonCuts = MuonCuts()
    electrons: ElectronCuts = ElectronCuts()
    jets: JetCuts = JetCuts()
    fat_jets: FatJetCuts = FatJetCuts()
    dimuon: DimuonCuts = DimuonCuts()
    z: ZCuts = ZCuts()
    four_lepton: FourLeptonCuts = FourLeptonCuts()
    dijet: DijetCuts = DijetCuts()
    weights: tuple[Literal["genWeight", "pileup", "prefiring", "muon"], ...] = (
        "genWeight",
        "pileup",
        "prefiring",
        "muon",
    )
    systematics: Systematics = Systematics()
    histograms: dict[str, Histogram] = Field(default_factory=dict)
    table: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete_triggers(self) -> Analysis:
        for primary, eras in self.triggers.items():
            if "default" not in eras:
                raise ValueError(f"triggers.{primary} has no 'default' era")
            if not all(eras.values()):
                raise ValueError(f"triggers.{primary} has an era without paths")
        return self


def bundled_analyses() -> list[str]:
    """Names of the analyses that come with the package."""
    return bundled_names("cmslabs.selection", "analyses")


def load_analysis(source: str | os.PathLike, overrides: Sequence[str] = ()) -> Analysis:
    """Read an analysis file, or a bundled one by its name.

    Parameters
    ----------
    source : path-like or str
        ``"my-analysis.yaml"``, or a name from `bundled_analyses`.
    overrides : sequence of str
        ``"muons.pt=10"``.

    Raises
    ------
    ConfigError
        With one line per mistake.

    Examples
    --------
    >>> load_analysis("dimuon").muons.pt
    5.0
    """
    return load_config(config_path(source, "analysis", "cmslabs.selection", "analyses"), Analysis, overrides)

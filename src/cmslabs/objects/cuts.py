"""What a muon, an electron or a jet has to be: the cuts, with the course's defaults.

The same models are sections of an analysis file, so that a default stands in one place only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cmslabs.config import StrictModel

__all__ = ["ElectronCuts", "FatJetCuts", "JetCuts", "MuonCuts"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class MuonCuts(StrictModel):
    """Cuts on one muon.

    Attributes
    ----------
    pt, eta : float
        pT above [GeV]; abs(eta) below.
    id : str or None
        Identification: a boolean branch of ``Muon``.
    isolation : float or None
        ``pfRelIso04_all`` below.
    sip3d : float or None
        Significance of the impact parameter below; an option of the four-lepton analysis (4).
    """

    pt: NotNegative = 5.0
    eta: Positive = 2.4
    id: Literal["looseId", "mediumId", "tightId"] | None = "mediumId"
    isolation: Positive | None = 0.25
    sip3d: Positive | None = None


class ElectronCuts(StrictModel):
    """Cuts on one electron: pT above [GeV], abs(eta) below, ``cutBased`` at least (3 is medium), SIP3D below."""

    pt: NotNegative = 7.0
    eta: Positive = 2.5
    cut_based: Annotated[int, Field(ge=0, le=4)] = 3
    sip3d: Positive | None = None


class JetCuts(StrictModel):
    """Cuts on one AK4 jet.

    Attributes
    ----------
    pt, eta : float
        pT above [GeV]; abs(eta) below.
    jet_id : int
        Bits of ``jetId`` that must be set: 2 is tight, 6 tight with lepton veto; 0 asks for nothing.
    lepton_distance : float or None
        A jet nearer than this to a selected lepton (Delta R) is that lepton, and is dropped.
    """

    pt: NotNegative = 30.0
    eta: Positive = 2.4
    jet_id: Annotated[int, Field(ge=0, le=7)] = 2
    lepton_distance: Positive | None = 0.4


class FatJetCuts(JetCuts):
    """Cuts on one AK8 jet; meaning as in `JetCuts`."""

    pt: NotNegative = 200.0
    lepton_distance: Positive | None = 0.8

"""What a dijet is, where its observables are read from, and which stand-ins are allowed: one model, one YAML file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cmslabs.config import StrictModel
from cmslabs.errors import ConfigError
from cmslabs.features.observables import SETS

__all__ = ["DijetConfig", "config_of"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class DijetConfig(StrictModel):
    """Selection and sources of the dijet observables.

    Attributes
    ----------
    fat_jet_pt, fat_jet_eta : float
        A dijet is the two hardest AK8 jets (collection ``FatJet``) with pT above [GeV] and abs(eta) below.
    jet_pt, jet_eta : float
        The AK4 jets (``Jet``) that count for ``ht``, ``n_jets``, ``min_dphi_met``, ``third_jet_pt``: as above.
    energy_fractions : "fat_jet" or "matched_jet"
        Whose ``chHEF``, ``neHEF``, ``chEmEF``, ``neEmEF``, ``muEF``: the AK8 jet's own (our simulation, NanoAOD from
        version 14 on), or, as a stand-in, those of the hardest AK4 jet within `match_distance` of its axis.  An AK8 jet
        without such a neighbour gets NaN, and cleaning counts and drops the event.
    n_constituents : "fat_jet", "matched_jet" or "candidates"
        ``FatJet_nConstituents`` (from version 9 on); that of the same AK4 jet; or the number of candidates.
    match_distance : float
        Largest distance in the eta-phi plane.
    met : "MET" or "PuppiMET"
        Collection of the missing momentum.
    puppi_weights : bool
        Whether candidates of a separate list (PFNano) count with their weight ``puppiWeight``, as in CMS's AK8 jets.
        Where jets hold their constituents themselves (our simulation) there is no weight.
    """

    fat_jet_pt: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 200.0
    fat_jet_eta: Positive = 2.5
    jet_pt: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
    jet_eta: Positive = 2.5
    energy_fractions: Literal["fat_jet", "matched_jet"] = "fat_jet"
    n_constituents: Literal["fat_jet", "matched_jet", "candidates"] = "fat_jet"
    match_distance: Positive = 0.8
    met: Literal["MET", "PuppiMET"] = "MET"
    puppi_weights: bool = True


def config_of(chosen: str) -> DijetConfig:
    """The configuration that belongs to a set where none is given.

    In ``dijet_nanoaod`` the energy fractions are those of the matched AK4 jet, also where AK8 jets have their own,
    so that a simulated and a real column mean the same.

    Raises
    ------
    ConfigError
        If there is no such set.

    Examples
    --------
    >>> config_of("dijet61").energy_fractions, config_of("dijet_nanoaod").energy_fractions
    ('fat_jet', 'matched_jet')
    """
    if chosen not in SETS:
        raise ConfigError(f"there is no set '{chosen}'.", remedy=f"Choose from: {', '.join(SETS)}.")
    return DijetConfig(energy_fractions="matched_jet" if chosen == "dijet_nanoaod" else "fat_jet")

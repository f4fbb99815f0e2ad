"""The rows of the catalogue of dijet observables: 22 for each of two jets, 17 for the event.

Text only: what is computed stands in `cmslabs.features.dijet61`, how the rows are used in
`cmslabs.features.observables`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

__all__ = [
    "AK4",
    "CANDIDATES",
    "DERIVED",
    "ENERGY_FRACTIONS",
    "EVENT",
    "FAT_JET",
    "JET",
    "MATCHED",
    "MET",
    "ROWS",
    "VERTEX",
    "Observable",
]

#: Where an observable comes from in CMS's UL2016 NanoAODv9 files.
FAT_JET = "FatJet branch"
MATCHED = "matched AK4 jet (proxy)"
CANDIDATES = "particle-flow candidates (not in NanoAODv9)"
AK4 = "AK4 jets"
MET = "MET branch"
VERTEX = "PV branch"
DERIVED = "function of others"

FLOW = Literal["feature", "integer", "atom", "context", "function", "constant", "left out"]


@dataclass(frozen=True)
class Observable:
    """One of the 61 observables.

    Attributes
    ----------
    name : str
        Column; ``_j1`` is the jet of larger pT.
    unit : str
        ``"1"`` for a pure number.
    low, high : float
        Values outside are impossible or a sign of a bad measurement; cleaning drops the event.
    meaning, formula, reference : str
        For people; the formula in plain text.
    source : str
        Where it comes from in CMS's UL2016 NanoAODv9.
    branches : tuple of str
        Branches of NanoAOD that it is read from (``FatJet_pt``); empty where it is a function of other observables.
    inputs : tuple of str
        Other observables that it is a function of; empty where it is measured on its own.
    integer : bool
        Whether the values lie on a lattice (whole numbers; areas: multiples of a ghost's): they have no density.
    atom : float or None
        A single value that many events have exactly.
    flow : str
        What the set ``dijet_flow`` does with it: ``"feature"``; ``"integer"`` and ``"atom"``, features that have to
        be dequantised; ``"context"``; ``"function"`` of features and context, left out; ``"left out"`` for another
        reason, which `why` gives.
    why : str
        Reason of ``"left out"``.
    """

    name: str
    unit: str
    low: float
    high: float
    meaning: str
    formula: str
    reference: str
    source: str
    branches: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    integer: bool = False
    atom: float | None = None
    flow: FLOW = "feature"
    why: str = ""

    @property
    def derived(self) -> bool:
        """Whether it is a function of other observables of the catalogue."""
        return bool(self.inputs)


#: Largest momentum of a jet: half the energy of the collision [GeV].
BEAM = 6500.0
ANTI_KT = "anti-kT: arXiv:0802.1189; particle flow: arXiv:1706.04965"
PARTICLE_FLOW = "particle flow: arXiv:1706.04965"
#: Energy fractions by NanoAOD's names: hadrons, electrons or photons, muons.
ENERGY_FRACTIONS = ("chHEF", "neHEF", "chEmEF", "neEmEF", "muEF")
TAU = "N-subjettiness: arXiv:1011.2268"
KINEMATICS = "kinematics: PDG, Review of Particle Physics"
ANGULAR = "CMS dijet angular distributions: arXiv:1803.08030"
LATTICE = "counts of ghosts, a lattice"
RARE = "zero in most jets, and then no density"
SUM_RULE = "the five fractions of a simulated jet sum to 1"
AZIMUTH = "uniform by symmetry; only the difference of the two says something"


def _jet(name, unit, low, high, meaning, formula, reference, source=FAT_JET, branch=None, **more) -> Observable:
    branches = (f"FatJet_{branch}",) if branch else ()
    return Observable(name, unit, low, high, meaning, formula, reference, source, branches, **more)


def _fraction(name: str, meaning: str, **more) -> Observable:
    text = f"energy of {meaning} / energy of the jet, before corrections"
    return _jet(name, "1", 0.0, 1.0, f"energy fraction of {meaning}", text, PARTICLE_FLOW, MATCHED, name, **more)


def _tau(n: int, **more) -> Observable:
    text = f"sum pT_i min(dR_i1 ... dR_i{n}) / (sum pT_i R0), R0 = 0.8, beta = 1, one-pass kT axes"
    return _jet(f"tau{n}", "1", 0.0, 1.5, f"N-subjettiness with {n} axes", text, TAU, branch=f"tau{n}", **more)


def _ratio(upper: int, lower: int) -> Observable:
    text = f"tau{upper} / tau{lower}; 1 where tau{lower} = 0"
    pair = (f"tau{upper}", f"tau{lower}")
    meaning = f"{upper} prongs rather than {lower}: small"
    return _jet(f"tau{upper}{lower}", "1", 0.0, 2.0, meaning, text, TAU, DERIVED, inputs=pair)


#: Twenty-two for one jet; names without the jet's number.
JET: tuple[Observable, ...] = (
    _jet("pt", "GeV", 0.0, BEAM, "transverse momentum", "pT", ANTI_KT, branch="pt", flow="function"),
    _jet("eta", "1", -5.2, 5.2, "pseudorapidity", "eta", ANTI_KT, branch="eta", flow="function"),
    _jet("phi", "rad", -math.pi, math.pi, "azimuth", "phi", ANTI_KT, branch="phi", flow="left out", why=AZIMUTH),
    _jet("mass", "GeV", 0.0, BEAM, "mass", "sqrt(E^2 - p^2)", ANTI_KT, branch="mass"),
    _jet(
        "mass_over_pt", "1", 0.0, 2.0, "mass in units of pT", "mass / pT", KINEMATICS, DERIVED, inputs=("mass", "pt"),
        flow="function",
    ),
    _jet(
        "area", "1", 0.0, 5.0, "area in the eta-phi plane", "number of ghosts in the jet / ghosts per unit of area",
        "arXiv:0802.1188", branch="area", integer=True, flow="left out", why=LATTICE,
    ),
    _jet(
        "n_constituents", "1", 1.0, 1000.0, "number of particles", "count", PARTICLE_FLOW, branch="nConstituents",
        integer=True, flow="integer",
    ),
    _fraction("chHEF", "charged hadrons"),
    _fraction("neHEF", "neutral hadrons", atom=0.0, flow="left out", why=SUM_RULE),
    _fraction("chEmEF", "electrons", atom=0.0, flow="left out", why=RARE),
    _fraction("neEmEF", "photons"),
    _fraction("muEF", "muons", atom=0.0, flow="left out", why=RARE),
    _tau(1),
    _tau(2, flow="function"),
    _tau(3, flow="function"),
    _tau(4),
    _ratio(2, 1),
    _ratio(3, 2),
    _jet(
        "msoftdrop", "GeV", -1.0, BEAM, "mass after soft drop",
        "soft drop, z_cut = 0.1, beta = 0; -1 if nothing is left", "soft drop: arXiv:1402.2657",
        branch="msoftdrop", atom=-1.0, flow="atom",
    ),
    _jet(
        "width", "1", 0.0, 1.0, "girth", "sum pT_i dR(i, jet) / sum pT_i", "girth: arXiv:1106.3076", CANDIDATES,
        "constituents",
    ),
    _jet(
        "ptd", "1", 0.0, 1.0, "how unevenly pT is shared", "sqrt(sum pT_i^2) / sum pT_i",
        "pT D: CMS-PAS-JME-13-002", CANDIDATES, "constituents",
    ),
    _jet(
        "leading_fraction", "1", 0.0, 1.0, "share of the hardest particle", "max pT_i / sum pT_i",
        "CMS-PAS-JME-13-002", CANDIDATES, "constituents",
    ),
)  # fmt: skip

MOMENTA = ("pt_j1", "eta_j1", "phi_j1", "mass_j1", "pt_j2", "eta_j2", "phi_j2", "mass_j2")
RAPIDITIES = ("pt_j1", "eta_j1", "mass_j1", "pt_j2", "eta_j2", "mass_j2")
JETS_READ = ("Jet_pt", "Jet_eta", "Jet_phi")


def _pair(name, unit, low, high, meaning, formula, inputs, reference=KINEMATICS, **more) -> Observable:
    return Observable(name, unit, low, high, meaning, formula, reference, DERIVED, (), inputs, **more)


def _read(name, unit, low, high, meaning, formula, source, branches, **more) -> Observable:
    return Observable(name, unit, low, high, meaning, formula, "definition of this course", source, branches, **more)


#: Seventeen for the event.
EVENT: tuple[Observable, ...] = (
    _pair("mjj", "GeV", 0.0, 2 * BEAM, "mass of the two jets", "mass of p1 + p2", MOMENTA, flow="context"),
    _pair("delta_eta", "1", 0.0, 10.4, "distance in pseudorapidity", "abs(eta1 - eta2)", ("eta_j1", "eta_j2"),
          flow="function"),
    _pair("delta_phi", "rad", 0.0, math.pi, "distance in azimuth", "abs(phi1 - phi2), at most pi",
          ("phi_j1", "phi_j2")),
    _pair("delta_r", "1", 0.0, 11.0, "distance in the plane", "sqrt(delta_eta^2 + delta_phi^2)",
          ("eta_j1", "eta_j2", "phi_j1", "phi_j2"), flow="function"),
    _pair("pt_jj", "GeV", 0.0, 2 * BEAM, "pT of the two jets together", "abs(pT1 + pT2), vectors",
          ("pt_j1", "pt_j2", "phi_j1", "phi_j2"), flow="function"),
    _pair("y_boost", "1", -5.2, 5.2, "rapidity of the pair", "(y1 + y2) / 2", RAPIDITIES, ANGULAR),
    _pair("y_star", "1", -5.2, 5.2, "rapidity in the pair's frame", "(y1 - y2) / 2", RAPIDITIES, ANGULAR),
    _pair("chi", "1", 1.0, 4.0e4, "flat for Rutherford scattering", "exp(2 abs(y_star))", RAPIDITIES, ANGULAR,
          flow="function"),
    _pair("pt_asymmetry", "1", 0.0, 1.0, "imbalance of pT", "(pT1 - pT2) / (pT1 + pT2)", ("pt_j1", "pt_j2")),
    _pair("mass_asymmetry", "1", 0.0, 1.0, "imbalance of the masses", "abs(m1 - m2) / (m1 + m2); 0 if both are 0",
          ("mass_j1", "mass_j2"), flow="function"),
    _read("ht", "GeV", 0.0, 4 * BEAM, "scalar sum of the jets", "sum of pT of AK4 jets, pT > 30 GeV, abs(eta) < 2.5",
          AK4, JETS_READ[:2]),
    _read("n_jets", "1", 0.0, 100.0, "number of jets", "AK4 jets with pT > 30 GeV, abs(eta) < 2.5", AK4,
          JETS_READ[:2], integer=True, flow="integer"),
    _read("met", "GeV", 0.0, 2 * BEAM, "missing transverse momentum", "abs(- sum of pT of all particles)", MET,
          ("MET_pt",)),
    _pair("met_over_sqrt_ht", "sqrt(GeV)", 0.0, 200.0, "MET in units of its resolution, roughly",
          "met / sqrt(ht); not NanoAOD's MET_significance; 0 if ht = 0", ("met", "ht"), "definition of this course",
          flow="function"),
    _read("min_dphi_met", "rad", 0.0, math.pi, "how well a mismeasured jet explains MET",
          "least abs(phi - phi of MET) of AK4 jets, pT > 30 GeV, abs(eta) < 2.5; pi without jets", MET,
          ("MET_phi", *JETS_READ)),
    _read("third_jet_pt", "GeV", 0.0, BEAM, "radiation beside the two jets",
          "hardest AK4 jet with pT > 30 GeV, abs(eta) < 2.5, dR > 0.8 from both; 0 if there is none", AK4, JETS_READ,
          atom=0.0, flow="atom"),
    _read("n_pv", "1", 0.0, 200.0, "collisions seen in the crossing", "number of reconstructed vertices", VERTEX,
          ("PV_npvs",), integer=True, flow="left out", why="says nothing about the hard collision"),
)  # fmt: skip


def _of(observable: Observable, jet: str) -> Observable:
    inputs = tuple(f"{name}_{jet}" for name in observable.inputs)
    number = {"j1": "harder", "j2": "softer"}[jet]
    meaning = f"{observable.meaning} of the {number} jet"
    return replace(observable, name=f"{observable.name}_{jet}", inputs=inputs, meaning=meaning)


#: All 61, in the order of the columns.
ROWS: tuple[Observable, ...] = (*(_of(one, jet) for jet in ("j1", "j2") for one in JET), *EVENT)

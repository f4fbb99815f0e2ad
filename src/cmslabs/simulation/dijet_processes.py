"""Dijet processes in the style of the LHC Olympics.

Background and signals of G. Kasieczka et al., "The LHC Olympics 2020", arXiv:2101.08320
(doi:10.1088/1361-6633/ac36b9), and two resonances more: proton-proton collisions at 13 TeV, no pile-up,
and multi-parton interactions (MPI) off, as in the original.  Turning MPI on gives the domain shift.
"""

from __future__ import annotations

from cmslabs.errors import SimulationError
from cmslabs.simulation.process import Process

__all__ = ["DIJET_TRIGGER", "GRAVITON_WW", "QCD_DIJETS", "ZPRIME_TT", "wprime"]

#: The trigger of the LHC Olympics: leading anti-kT R = 1.0 jet with pT > 1200 GeV, abs(eta) < 2.5.
DIJET_TRIGGER = {"jet_pt": 1200.0, "jet_eta": 2.5}
HADRONIC_W = ("24:onMode = off", "24:onIfAny = 1 2 3 4 5")


def _window(mass: float) -> tuple[str, ...]:
    """Keep the far tails of a resonance out: parton luminosity would make the low one a continuum."""
    return (f"PhaseSpace:mHatMin = {0.75 * mass:g}", f"PhaseSpace:mHatMax = {1.25 * mass:g}")


def wprime(mass: float = 3500.0, mass_x: float = 500.0, mass_y: float = 100.0, prongs: int = 2) -> Process:
    """A narrow W' -> X Y whose daughters decay to quarks: the signal of the LHC Olympics.

    X is a charged, Y a neutral scalar without colour.  With two prongs X -> q qbar' and Y -> q qbar;
    with three X -> u u d and Y -> u d d or its mirror image, which Pythia joins by colour junctions.

    Parameters
    ----------
    mass, mass_x, mass_y : float
        Masses [GeV].  Widths are 1 % of each.
    prongs : {2, 3}
        Quarks per daughter.

    Raises
    ------
    SimulationError
        If the daughters are too heavy for the W', or `prongs` is something else.
    """
    if prongs not in (2, 3):
        raise SimulationError(f"{prongs} prongs are not possible.", where="prongs", remedy="Choose 2 or 3.")
    if min(mass_x, mass_y) < 10 or 1.1 * (mass_x + mass_y) > 0.75 * mass:
        raise SimulationError(
            f"a W' of {mass:g} GeV cannot decay to {mass_x:g} and {mass_y:g} GeV with room for its width.",
            where="masses",
            remedy="Choose daughters of at least 10 GeV that weigh less than two thirds of it together.",
        )
    if prongs == 2:
        decays = (
            "9000001:oneChannel = 1 0.5 101 2 -1",
            "9000001:addChannel = 1 0.5 101 4 -3",
            "9000002:oneChannel = 1 0.25 101 1 -1",
            "9000002:addChannel = 1 0.25 101 2 -2",
            "9000002:addChannel = 1 0.25 101 3 -3",
            "9000002:addChannel = 1 0.25 101 4 -4",
        )
    else:
        decays = (
            "9000001:oneChannel = 1 1.0 101 2 2 1",
            "9000002:oneChannel = 1 0.5 101 2 1 1",
            "9000002:addChannel = 1 0.5 101 -2 -1 -1",
        )
    return Process(
        name=f"wprime-{prongs}prong",
        title=f"W' ({mass:g} GeV) -> X ({mass_x:g}) Y ({mass_y:g}), {prongs} quarks each",
        kind="dijet",
        settings=(
            "NewGaugeBoson:ffbar2Wprime = on",
            f"34:m0 = {mass:g}",
            f"34:mWidth = {0.01 * mass:g}",
            "34:doForceWidth = on",
            *_window(mass),
            # id:new = name antiname spin charge colour m0 width mMin mMax tau0
            f"9000001:new = X+ X- 1 3 0 {mass_x:g} {0.01 * mass_x:g} {0.92 * mass_x:g} {1.08 * mass_x:g} 0.",
            "9000001:isResonance = true",
            "9000001:doForceWidth = true",
            f"9000002:new = Y void 1 0 0 {mass_y:g} {0.01 * mass_y:g} {0.9 * mass_y:g} {1.1 * mass_y:g} 0.",
            "9000002:isResonance = true",
            "9000002:doForceWidth = true",
            "34:oneChannel = 1 1.0 100 9000001 9000002",
            *decays,
        ),
        mpi=False,
        label=1,
        selection=DIJET_TRIGGER,
    )


QCD_DIJETS = Process(
    name="qcd-dijets",
    title="QCD jets, pT(hat) > 1000 GeV",
    kind="dijet",
    # No cut on mHat: it would fill the signal region cheaply and sculpt jet mass and tau21 in it.
    settings=("HardQCD:all = on", "PhaseSpace:pTHatMin = 1000."),
    mpi=False,
    selection=DIJET_TRIGGER,
    # To show what that would do.
    variants={"mhat": ("PhaseSpace:mHatMin = 3200.",)},
)

ZPRIME_TT = Process(
    name="zprime-tt",
    title="Z' (3500 GeV) -> t tbar",
    kind="dijet",
    settings=(
        "NewGaugeBoson:ffbar2gmZZprime = on",
        "Zprime:gmZmode = 3",
        "32:m0 = 3500.",
        "32:onMode = off",
        "32:onIfAny = 6",
        *_window(3500.0),
    ),
    mpi=False,
    label=1,
    selection=DIJET_TRIGGER,
    variants={"hadronic": HADRONIC_W},
)

GRAVITON_WW = Process(
    name="graviton-ww",
    title="Randall-Sundrum graviton (3500 GeV) -> W W",
    kind="dijet",
    settings=(
        "ExtraDimensionsG*:all = on",
        "5100039:m0 = 3500.",
        "5100039:onMode = off",
        "5100039:onIfAny = 24",
        *_window(3500.0),
    ),
    mpi=False,
    label=1,
    selection=DIJET_TRIGGER,
    variants={"hadronic": HADRONIC_W},
)

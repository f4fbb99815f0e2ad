"""Processes of the search without a resonance: softer jets in two showers, dark showers that take energy away.

After K. Bai, R. Mastandrea, B. Nachman, "Non-resonant anomaly detection with background extrapolation",
arXiv:2311.12924.  The generators behind the paper's samples are not stated; these settings are ours.
"""

from __future__ import annotations

from cmslabs.errors import SimulationError
from cmslabs.simulation.process import Process

__all__ = ["EXTRAPOLATION_SELECTION", "EXTRAPOLATION_SIGNALS", "QCD_EXTRAPOLATION", "hidden_valley"]

#: Two jets, the leading one central and above 200 GeV, and enough energy that the control region lies beside the signal
#: region and not far below it.
EXTRAPOLATION_SELECTION = {"jet_pt": 200.0, "jet_eta": 2.5, "ht": 700.0}

QCD_EXTRAPOLATION = Process(
    name="qcd-extrapolation",
    title="QCD jets, pT(hat) > 350 GeV, HT > 700 GeV",
    kind="dijet",
    # Pythia's default tune, Monash, plays the data; A14, whose shower has a smaller coupling, the simulation.
    settings=("HardQCD:all = on", "PhaseSpace:pTHatMin = 350."),
    mpi=False,
    selection=EXTRAPOLATION_SELECTION,
    variants={"a14": ("Tune:pp = 21",)},
)


def hidden_valley(mass: float = 2000.0, r_inv: float = 1 / 3) -> Process:
    """A leptophobic Z' whose dark quarks shower: part of each jet turns into dark mesons that no detector sees.

    Parameters
    ----------
    mass : float
        Of the Z' [GeV]; its width is 20 GeV.
    r_inv : float
        Share of the dark mesons that stay invisible.

    Raises
    ------
    SimulationError
        If the mass leaves no room for two dark mesons of 500 GeV, or the share is none.
    """
    if not mass >= 1500 or not 0 <= r_inv <= 1:
        raise SimulationError(
            f"a Z' of {mass:g} GeV with an invisible share of {r_inv:g} is not possible.",
            where="hidden_valley",
            remedy="Choose a mass from 1500 GeV on, and a share from 0 to 1.",
        )
    mesons = (4900111, 4900113, 4900211, 4900213)
    decays = [
        line
        for meson in mesons
        for line in (
            f"{meson}:m0 = 500.",
            f"{meson}:mayDecay = on",
            # The last two numbers after the matrix element are the daughters: 51 is a stable particle without charge.
            f"{meson}:oneChannel = 1 {r_inv:.6f} 0 51 -51",
            f"{meson}:addChannel = 1 {1 - r_inv:.6f} 91 1 -1",
        )
    ]
    return Process(
        name=f"hidden-valley-{mass / 1000:g}tev",
        title=f"Z' ({mass:g} GeV) -> dark quarks, invisible share {r_inv:.2f}",
        kind="dijet",
        settings=(
            "HiddenValley:ffbar2Zv = on",
            "HiddenValley:Ngauge = 3",
            "HiddenValley:nFlav = 3",
            "HiddenValley:spinFv = 0",
            "HiddenValley:FSR = on",
            "HiddenValley:fragment = on",
            "HiddenValley:alphaOrder = 1",
            "HiddenValley:Lambda = 500.",
            "HiddenValley:pTminFSR = 550.",
            "HiddenValley:probVector = 0.75",
            f"4900023:m0 = {mass:g}",
            f"4900023:mMin = {mass - 200:g}",
            f"4900023:mMax = {mass + 200:g}",
            "4900023:mWidth = 20.",
            "4900023:doForceWidth = on",
            "4900023:onMode = off",
            "4900023:onIfAny = 4900101",
            "4900101:m0 = 250.",
            "51:m0 = 0.",
            "51:mayDecay = off",
            *decays,
        ),
        mpi=False,
        label=1,
        selection=EXTRAPOLATION_SELECTION,
    )


EXTRAPOLATION_SIGNALS = tuple(hidden_valley(mass) for mass in (2000.0, 3000.0, 4000.0))

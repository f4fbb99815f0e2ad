"""Processes with leptons: what the NanoAOD-like files hold.

Multi-parton interactions stay on: a lepton's isolation means nothing without the event around it.
"""

from __future__ import annotations

from cmslabs.simulation.process import Process

__all__ = ["DRELL_YAN", "HIGGS_4L", "JPSI", "TTBAR", "UPSILON", "ZZ_4L"]

TWO_MUONS = {"leptons": 2, "muons": 2, "muon_pt": 3.0, "electron_pt": 5.0}
FOUR_LEPTONS = {"leptons": 4, "muons": 0, "muon_pt": 3.0, "electron_pt": 5.0}
ONE_LEPTON = {"leptons": 1, "muons": 0, "muon_pt": 10.0, "electron_pt": 10.0}

LEPTONIC_Z = ("23:onMode = off", "23:onIfAny = 11 13")
MUONIC_Z = ("23:onMode = off", "23:onIfAny = 13")
#: Probabilities of decays to two muons (S. Navas et al., Particle Data Group, Phys. Rev. D 110 (2024) 030001).
MUONIC = {443: 0.05961, 553: 0.0248, 100553: 0.0193, 200553: 0.0218}


DRELL_YAN = Process(
    name="drell-yan",
    title="Drell-Yan: gamma*/Z -> mu mu, m > 10 GeV",
    kind="lepton",
    settings=("WeakSingleBoson:ffbar2gmZ = on", "PhaseSpace:mHatMin = 10.", *MUONIC_Z),
    mpi=True,
    selection=TWO_MUONS,
    variants={
        "z-peak": ("PhaseSpace:mHatMin = 60.", "PhaseSpace:mHatMax = 120."),
        # The continuum under the quarkonia.  Two soft muons are seen only if the pair recoils against a jet.
        "low-mass": (
            "WeakSingleBoson:ffbar2gmZ = off",
            "WeakBosonAndParton:qqbar2gmZg = on",
            "WeakBosonAndParton:qg2gmZq = on",
            "PhaseSpace:mHatMin = 4.",
            "PhaseSpace:pTHatMin = 6.",
            "23:mMin = 2.",
            "23:mMax = 10.",
        ),
    },
)

ZZ_4L = Process(
    name="zz-4l",
    title="Z Z -> four electrons or muons",
    kind="lepton",
    settings=("WeakDoubleBoson:ffbar2gmZgmZ = on", *LEPTONIC_Z),
    mpi=True,
    selection=FOUR_LEPTONS,
    variants={"muons": MUONIC_Z},
)

HIGGS_4L = Process(
    name="higgs-4l",
    title="gg -> H (125 GeV) -> Z Z* -> four electrons or muons",
    kind="lepton",
    settings=("HiggsSM:gg2H = on", "25:m0 = 125.", "25:onMode = off", "25:onIfMatch = 23 23", *LEPTONIC_Z),
    mpi=True,
    selection=FOUR_LEPTONS,
    variants={"muons": MUONIC_Z},
)

TTBAR = Process(
    name="ttbar",
    title="Top-quark pairs, all decays",
    kind="lepton",
    settings=("Top:gg2ttbar = on", "Top:qqbar2ttbar = on"),
    mpi=True,
    selection=ONE_LEPTON,
    variants={"dilepton": ("24:onMode = off", "24:onIfAny = 11 13")},
)

JPSI = Process(
    name="jpsi",
    title="J/psi -> mu mu, pT(hat) > 8 GeV",
    kind="lepton",
    settings=("Charmonium:all = on", "PhaseSpace:pTHatMin = 8.", "443:onMode = off", "443:onIfMatch = 13 -13"),
    mpi=True,
    selection=TWO_MUONS,
    branching_ratio=MUONIC[443],
)


def _to_muons(state: int) -> tuple[str, str]:
    """Force an Upsilon to muons as often as Upsilon(1S), times the ratio of both probabilities; else to neutrinos.

    So the three states keep their true proportions, and all share the branching ratio of the first.
    """
    share = MUONIC[state] / MUONIC[553]
    return f"{state}:oneChannel = 1 {share:.4f} 0 13 -13", f"{state}:addChannel = 1 {1 - share:.4f} 0 12 -12"


UPSILON = Process(
    name="upsilon",
    title="Upsilon(1S, 2S, 3S) -> mu mu, pT(hat) > 4 GeV",
    kind="lepton",
    settings=(
        "Bottomonium:all = on",
        "PhaseSpace:pTHatMin = 4.",
        "553:onMode = off",
        "553:onIfMatch = 13 -13",
        *(line for state in (100553, 200553) for line in _to_muons(state)),
    ),
    mpi=True,
    selection=TWO_MUONS,
    branching_ratio=MUONIC[553],
    variants={"hard": ("PhaseSpace:pTHatMin = 12.",)},
)

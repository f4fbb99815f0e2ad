"""The processes that can be simulated, by name."""

from __future__ import annotations

from cmslabs.errors import SimulationError, close_names
from cmslabs.simulation.dijet_processes import GRAVITON_WW, QCD_DIJETS, ZPRIME_TT, wprime
from cmslabs.simulation.extrapolation_processes import EXTRAPOLATION_SIGNALS, QCD_EXTRAPOLATION, hidden_valley
from cmslabs.simulation.lepton_processes import DRELL_YAN, HIGGS_4L, JPSI, TTBAR, UPSILON, ZZ_4L
from cmslabs.simulation.process import Process

__all__ = ["PROCESSES", "Process", "get_process", "hidden_valley", "wprime"]

#: Everything that `cmslabs simulate` knows, by name.
PROCESSES: dict[str, Process] = {
    process.name: process
    for process in (
        QCD_DIJETS,
        wprime(prongs=2),
        wprime(prongs=3),
        ZPRIME_TT,
        GRAVITON_WW,
        QCD_EXTRAPOLATION,
        *EXTRAPOLATION_SIGNALS,
        DRELL_YAN,
        ZZ_4L,
        HIGGS_4L,
        TTBAR,
        JPSI,
        UPSILON,
    )
}


def get_process(name: str) -> Process:
    """The process with this name.

    Raises
    ------
    SimulationError
        If there is none; the message names those that sound alike.
    """
    if name in PROCESSES:
        return PROCESSES[name]
    close = close_names(name, PROCESSES, n=2)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(PROCESSES)}."
    raise SimulationError(f"there is no process {name!r}.", remedy=hint)

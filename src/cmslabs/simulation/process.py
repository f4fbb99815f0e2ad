"""What a process is: Pythia settings and the events that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cmslabs.errors import SimulationError
from cmslabs.simulation.hot_cell import HotCell

__all__ = ["COMMON", "Process"]

#: Settings of every process.  Quiet: progress is shown by us, errors are raised by us.
COMMON = ("Beams:idA = 2212", "Beams:idB = 2212", "Beams:eCM = 13000.", "Print:quiet = on")


@dataclass(frozen=True)
class Process:
    """One process and the events that are kept.

    Attributes
    ----------
    name : str
        The name on the command line.
    title : str
        One line for people.
    kind : {"dijet", "lepton"}
        Which detector output is written: a list of particles, or NanoAOD-like objects.
    settings : tuple of str
        Lines for ``Pythia.readString``, beyond those common to all.
    mpi : bool
        Whether multi-parton interactions are on unless the caller says otherwise.
    label : int
        1 for signals of the LHC Olympics kind, else 0.
    selection : mapping
        Dijets: `jet_pt` [GeV] and `jet_eta`, the cuts on the leading R = 1.0 jet; `ht` [GeV], if the scalar sum of
        the jets is cut on too and wanted in the table.
        Leptons: `leptons`, `muons` (least numbers), `muon_pt`, `electron_pt` [GeV].
    variants : mapping
        Further settings by name, for example Z bosons that decay to muons only.
    branching_ratio : float
        Probability of a decay of hadrons that the settings force.  Pythia's cross-section does not know that it
        is forced: those of our records are multiplied by this number.
    hot_cell : HotCell or None
        Dijets: a calorimeter cell that fires in every event, as a fault of the detector.
    """

    name: str
    title: str
    kind: Literal["dijet", "lepton"]
    settings: tuple[str, ...]
    mpi: bool
    label: int = 0
    selection: Mapping[str, float] = field(default_factory=dict)
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    branching_ratio: float = 1.0
    hot_cell: HotCell | None = None

    def lines(self, mpi: bool | None = None, variant: str | None = None) -> tuple[str, ...]:
        """All settings for Pythia, in the order in which they are to be read.

        Raises
        ------
        SimulationError
            If the process has no such variant.

        Examples
        --------
        >>> process = Process("jets", "QCD jets", "dijet", ("HardQCD:all = on",), mpi=False)
        >>> process.lines()[-1], process.lines(mpi=True)[-1]
        ('PartonLevel:MPI = off', 'PartonLevel:MPI = on')
        """
        if variant is not None and variant not in self.variants:
            known = ", ".join(sorted(self.variants)) or "none"
            raise SimulationError(
                f"there is no variant {variant!r}.", where=self.name, remedy=f"Variants of this process: {known}."
            )
        extra = () if variant is None else tuple(self.variants[variant])
        on = self.mpi if mpi is None else mpi
        return (*COMMON, *self.settings, *extra, f"PartonLevel:MPI = {'on' if on else 'off'}")

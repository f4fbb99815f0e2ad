"""Pseudo-data: simulated events in nature's proportions, treated as if a detector had recorded them.

As many collisions are simulated as the luminosity asks for, a Poisson number for each process, in the
world of `cmslabs.simulation.worlds.PSEUDO_DATA`.  The run has luminosity sections; in some of them a
quarter of the muon chambers was off, and the list of certified sections leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from cmslabs.errors import SimulationError
from cmslabs.simulation.chunkfile import read_events_of_chunk, read_record
from cmslabs.simulation.production import summarise
from cmslabs.simulation.sample_files import PRECISION, Part, provenance
from cmslabs.simulation.worlds import get_world
from cmslabs.simulation.writers import branch_units, write_nanoaod

__all__ = ["DataTaking", "collect_collisions", "draw_collisions", "lose_muons", "make_pseudo_data"]

#: Events know nothing of their generator.
GENERATOR = ("genWeight", "GenPart", "Pileup_nTrueInt", "L1PreFiringWeight_Nom", "L1PreFiringWeight_Up")
GENERATOR += ("L1PreFiringWeight_Dn",)
#: In sections that are not certified, muons between these azimuths [rad] are lost.
DEAD_PHI = (0.0, np.pi / 2)


@dataclass(frozen=True)
class DataTaking:
    """One run.

    Attributes
    ----------
    run : int
        Its number; CMS has no run below 100 000.
    luminosity_fb : float
        Integrated luminosity [1/fb] of the certified sections.
    sections : int
        Luminosity sections; all of the same luminosity.
    uncertified : tuple of (int, int)
        First and last section of each range that is not certified.
    """

    run: int
    luminosity_fb: float
    sections: int = 60
    uncertified: tuple[tuple[int, int], ...] = ((21, 26), (45, 48))

    @property
    def delivered_pb(self) -> float:
        """Luminosity of all sections [1/pb]."""
        bad = sum(last - first + 1 for first, last in self.uncertified)
        return 1000.0 * self.luminosity_fb * self.sections / (self.sections - bad)

    @property
    def certified(self) -> list[list[int]]:
        """Ranges of certified sections, as in CMS's golden JSON.

        Examples
        --------
        >>> DataTaking(run=2, luminosity_fb=0.01).certified
        [[1, 20], [27, 44], [49, 60]]
        """
        starts = [1, *(last + 1 for _, last in self.uncertified)]
        stops = [*(first - 1 for first, _ in self.uncertified), self.sections]
        return [[start, stop] for start, stop in zip(starts, stops, strict=True) if start <= stop]

    def is_certified(self, section: np.ndarray) -> np.ndarray:
        """Whether each luminosity section is certified."""
        return np.any([(section >= start) & (section <= stop) for start, stop in self.certified], axis=0)


def make_pseudo_data(chunks: dict[Part, list[Path]], taking: DataTaking, path: Path) -> int:
    """Write a NanoAOD-like file of pseudo-data; return its number of events.

    Parameters
    ----------
    chunks : dict
        Files of the chunks of each part: at least as many collisions as the luminosity needs.
    taking : DataTaking
    path : Path
        File to write.

    Raises
    ------
    SimulationError
        If a part has too few collisions.
    """
    parts = tuple(chunks)
    rng = np.random.default_rng([taking.run, *(part.seed for part in parts)])
    drawn = draw_collisions(chunks, taking, rng)
    recorded = {part: collect_collisions(part, paths, drawn[part.name]["collisions"]) for part, paths in chunks.items()}
    for part, events in recorded.items():
        drawn[part.name]["recorded"] = len(events)
    events = ak.concatenate(list(recorded.values()))
    events = events[rng.permutation(len(events))]
    section = np.sort(rng.integers(1, taking.sections + 1, len(events)))
    events = _as_data(events, taking, section)
    events = lose_muons(events, ~taking.is_certified(section), parts[0].recipe.process.selection)
    record = provenance(
        chunks,
        branch_units(events),
        {
            "precision": PRECISION,
            "pseudo_data": asdict(taking) | {"delivered_pb": taking.delivered_pb, "drawn": drawn},
            # The answers: read them last.
            "world": get_world(parts[0].world).record(),
        },
    )
    runs = {"run": np.array([taking.run], dtype=np.uint32)}
    return write_nanoaod(path, [events], runs, record, precision=PRECISION, compression=uproot.LZMA(9))


def draw_collisions(
    chunks: dict[Part, list[Path]], taking: DataTaking, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Per part: the expected number of collisions, luminosity times cross-section, and a Poisson number around it."""
    drawn = {}
    for part, paths in chunks.items():
        expected = taking.delivered_pb * summarise(paths)["sigma_pb"]
        drawn[part.name] = {"expected": expected, "collisions": int(rng.poisson(expected))}
    return drawn


def collect_collisions(part: Part, paths: list[Path], n_collisions: int) -> ak.Array:
    """What was recorded of the first `n_collisions` collisions of a part.

    Raises
    ------
    SimulationError
        If fewer were simulated.
    """
    blocks, before = [], 0
    for path in paths:
        record = read_record(path)
        kept = before + np.array(record["tries"]) < n_collisions
        blocks.append(read_events_of_chunk(path)[kept])
        before += record["tried"]
    if before < n_collisions:
        raise SimulationError(
            f"{n_collisions} collisions are needed, {before} were simulated.",
            where=part.name,
            remedy="Ask for more events of this part, or for less luminosity.",
        )
    return ak.concatenate(blocks)


def _as_data(events: ak.Array, taking: DataTaking, section: np.ndarray) -> ak.Array:
    """The events with run, section and event number, without anything that a detector cannot know."""
    columns = {
        "run": np.full(len(events), taking.run, dtype=np.uint32),
        "luminosityBlock": section.astype(np.uint32),
        "event": np.arange(1, len(events) + 1, dtype=np.uint64),
    }
    for name in events.fields:
        if name in GENERATOR:
            continue
        fields = [field for field in events[name].fields if not field.startswith("genPart")]
        columns[name] = events[name][fields] if fields else events[name]
    return ak.zip(columns, depth_limit=1)


def lose_muons(events: ak.Array, bad: np.ndarray, selection: Mapping[str, float]) -> ak.Array:
    """Take the muons of the dead quarter out of the `bad` events, and drop those that then lack leptons.

    Trigger bits, jets and missing momentum stay as they were.
    """
    dead = (events.Muon.phi > DEAD_PHI[0]) & (events.Muon.phi < DEAD_PHI[1])
    muons = events.Muon[~(dead & bad)]
    n_muons, n_electrons = ak.to_numpy(ak.num(muons)), ak.to_numpy(ak.num(events.Electron))
    enough = (n_muons >= selection["muons"]) & (n_muons + n_electrons >= selection["leptons"])
    fields = {name: muons if name == "Muon" else events[name] for name in events.fields}
    return ak.zip(fields, depth_limit=1)[enough]

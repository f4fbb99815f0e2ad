"""How the bundled samples are written: rounded, mixed, with their composition in the provenance."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd
import uproot

from cmslabs.data.tables import write_events, write_table
from cmslabs.features.dijets import DIJET_COLUMNS
from cmslabs.io import Provenance, versions
from cmslabs.simulation.chunkfile import read_events_of_chunk
from cmslabs.simulation.processes import get_process
from cmslabs.simulation.production import Recipe, summarise
from cmslabs.simulation.worlds import SIMULATION
from cmslabs.simulation.writers import branch_units, round_floats, write_nanoaod

__all__ = [
    "PRECISION",
    "Part",
    "constituent_events",
    "feature_frame",
    "make_dijets",
    "make_leptons",
    "mixing_order",
    "provenance",
    "runs_by_process",
]

SCRIPT = "data_scripts/make_samples.py"
PACKAGES = ("pythia8mc", "fastjet", "numpy", "awkward", "uproot", "pyarrow")
#: Mantissa bits of the features' float32: a relative rounding of at most 6e-5.
FEATURE_BITS = 13


#: Mantissa bits in the NanoAOD-like samples.
PRECISION = {
    "": 11,
    "Muon": 12,
    "Electron": 12,
    "GenPart": 9,
    "Jet": 10,
    "FatJet": 10,
    "MET": 9,
    "PV": 8,
    **{f"{lepton}_{name}": 8 for lepton in ("Muon", "Electron") for name in ("dxy", "dz", "sip3d")},
    "Muon_pfRelIso04_all": 8,
    "Muon_mass": 23,
    "Electron_mass": 23,
    "Electron_pfRelIso03_all": 8,
}


@dataclass(frozen=True)
class Part:
    """One process of a sample.

    Attributes
    ----------
    process, variant : str
    events : int
        Events in the sample.
    seed : int
        Seed of the whole part; its chunks have theirs from it.
    constituents : int
        Of how many events, the first ones, the constituents are kept.
    world : str
        A name of `cmslabs.simulation.worlds.WORLDS`.
    objects : bool
        Dijets: jets, MET and vertices with NanoAOD's names instead of constituents.
    """

    process: str
    events: int
    seed: int
    variant: str | None = None
    constituents: int = 0
    world: str = SIMULATION.name
    objects: bool = False

    @property
    def name(self) -> str:
        """Process and variant in one word."""
        return self.process if self.variant is None else f"{self.process}-{self.variant}"

    @property
    def recipe(self) -> Recipe:
        """How its events are generated."""
        process = get_process(self.process)
        of_dijets = ("objects",) if self.objects else ("constituents",)
        content = of_dijets if process.kind == "dijet" else ()
        return Recipe(process, variant=self.variant, content=content, world=self.world)


def make_dijets(chunks: dict[Part, list[Path]], features: Path, constituents: Path) -> tuple[int, int]:
    """Write the table of features and the smaller set of constituents; return their numbers of events.

    Parameters
    ----------
    chunks : dict
        Files of the chunks of each part; the parts stand in the table one after the other.
    features, constituents : Path
        Files to write.
    """
    frames, jets, first = [], [], 0
    for part, paths in chunks.items():
        events = ak.concatenate([read_events_of_chunk(path) for path in paths])
        number = np.arange(first, first + len(events))
        frames.append(feature_frame(events, part, number))
        jets.append(constituent_events(events[: part.constituents], part, number[: part.constituents]))
        first += len(events)
    table, jagged = pd.concat(frames, ignore_index=True), ak.concatenate(jets)
    units = DIJET_COLUMNS | {"met": "GeV", "process": "", "label": "1"}
    write_table(features, table, provenance(chunks, units, {"mantissa_bits": FEATURE_BITS}))
    particle = {f"{jet}.{name}": unit for jet in ("j1", "j2") for name, unit in UNITS.items()}
    note = {"constituents": "the 100 hardest of each jet, rounded to float16; events of the features sample"}
    write_events(constituents, jagged, provenance(chunks, {"event": "1", "label": "1", **particle}, note))
    return len(table), len(jagged)


UNITS = {"pt": "GeV", "eta": "1", "phi": "rad"}


def feature_frame(events: ak.Array, part: Part, number: np.ndarray) -> pd.DataFrame:
    """Rows of the features sample: the dijet table, MET, the process and the label, rounded."""
    columns: dict[str, Any] = {"event": number.astype(np.int32)}
    for name in events.table.fields:
        values = ak.to_numpy(events.table[name])
        whole = name.startswith("nconst")
        columns[name] = values.astype(np.int16) if whole else round_floats(values, FEATURE_BITS)
    frame = pd.DataFrame(columns)
    frame["process"] = part.name
    frame["label"] = np.int8(get_process(part.process).label)
    return frame


def constituent_events(events: ak.Array, part: Part, number: np.ndarray) -> ak.Array:
    """Events of the constituents sample: ``j1`` and ``j2`` as float16."""
    fields = {"event": number.astype(np.int32), "process": np.full(len(events), part.name)}
    fields["label"] = np.full(len(events), get_process(part.process).label, dtype=np.int8)
    for jet in ("j1", "j2"):
        fields[jet] = ak.zip({name: ak.values_astype(events[jet][name], "float16") for name in UNITS})
    return ak.zip(fields, depth_limit=1)


def make_leptons(chunks: dict[Part, list[Path]], path: Path) -> int:
    """Write a NanoAOD-like file with the parts well mixed; return its number of events.

    The branch ``simProcess`` numbers the parts from 0, in the order of the provenance's ``simProcess``.
    """
    parts = []
    for code, paths in enumerate(chunks.values()):
        events = ak.concatenate([read_events_of_chunk(one) for one in paths])
        parts.append(ak.with_field(events, np.full(len(events), code, dtype=np.uint8), "simProcess"))
    events = ak.concatenate(parts)
    events = events[mixing_order(tuple(chunks))]
    number = np.arange(len(events))
    events = ak.zip(
        {
            "run": np.ones(len(events), dtype=np.uint32),
            "luminosityBlock": (1 + number // 1000).astype(np.uint32),
            "event": (1 + number).astype(np.uint64),
            **{name: events[name] for name in events.fields},
        },
        depth_limit=1,
    )
    record = provenance(
        chunks, branch_units(events), {"precision": PRECISION, "simProcess": [part.name for part in chunks]}
    )
    tried = [record.details["composition"][part.name]["tried"] for part in chunks]
    runs = runs_by_process(tried)
    return write_nanoaod(path, [events], runs, record, precision=PRECISION, compression=uproot.LZMA(9))


def runs_by_process(tried: list[int]) -> dict[str, np.ndarray]:
    """Branches of the tree ``Runs``: one row per process, with its number and what was generated for it.

    Parameters
    ----------
    tried : list of int
        Generated events of each process; all have weight 1.
    """
    return {
        "run": np.ones(len(tried), dtype=np.uint32),
        "simProcess": np.arange(len(tried), dtype=np.uint8),
        "genEventCount": np.array(tried, dtype=np.int64),
        "genEventSumw": np.array(tried, dtype=np.float64),
        "genEventSumw2": np.array(tried, dtype=np.float64),
    }


def mixing_order(parts: tuple[Part, ...]) -> np.ndarray:
    """The order in which the events of the parts, one after the other, stand in the mixed file."""
    total = sum(part.events for part in parts)
    return np.random.default_rng([part.seed for part in parts]).permutation(total)


def provenance(chunks: dict[Part, list[Path]], units: dict[str, str], details: dict[str, Any]) -> Provenance:
    """Provenance of a sample: its composition with settings, efficiencies and cross-sections."""
    composition = {
        part.name: {
            "seed": part.seed,
            "settings": list(part.recipe.lines),
            "selection": dict(part.recipe.process.selection),
        }
        | summarise(paths)
        for part, paths in chunks.items()
    }
    return Provenance(
        source="simulation",
        simulation=True,
        script=SCRIPT,
        versions=versions(*PACKAGES),
        units=units,
        details=details
        | {
            "composition": composition,
            "detector": "light, Delphes-like, not validated against Delphes",
            # Bytes are reproducible there; elsewhere the last bit of a logarithm may differ.
            "platform": f"{platform.system()} {platform.machine()}",
        },
    )

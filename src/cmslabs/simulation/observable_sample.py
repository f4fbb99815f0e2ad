"""The bundled sample of the 61 dijet observables: the first events of the dijet sample, described more fully."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.data.tables import write_table
from cmslabs.features.dijet61 import dijet_identity, dijet_observables
from cmslabs.features.dijet_kinematics import derive
from cmslabs.features.observables import CATALOGUE, base_observables
from cmslabs.simulation.chunkfile import read_events_of_chunk
from cmslabs.simulation.processes import get_process
from cmslabs.simulation.sample_files import Part, provenance
from cmslabs.simulation.writers import round_floats

__all__ = ["make_observables", "observable_frame"]

#: Mantissa bits of float32: of measured observables (relative rounding of 5e-4), of angles, of functions of others.
BITS, ANGLE_BITS, DERIVED_BITS = 10, 12, 11
ANGLES = ("phi_j1", "phi_j2", "delta_phi", "min_dphi_met")
COUNTS = ("n_constituents_j1", "n_constituents_j2", "n_jets", "n_pv")


def observable_frame(events: ak.Array, part: Part, number: np.ndarray) -> pd.DataFrame:
    """Rows of the sample: number of the event, process, label, jet identification, and the 61 observables.

    Measured observables are rounded first, and functions of others computed from what was rounded: in the file
    tau21 is tau2 / tau1 to the last digit that is kept.

    Parameters
    ----------
    events : ak.Array, shape (n,)
        With the objects of `cmslabs.simulation.jet_objects.object_events`.
    part : Part
    number : ndarray of int, shape (n,)
        Numbers of the events.

    Returns
    -------
    pandas.DataFrame
        float32, counts int16.  Events without two AK8 jets of 200 GeV have no row.
    """
    table, identity = dijet_observables(events), dijet_identity(events)
    measured = {
        name: table[name].to_numpy() if name in COUNTS else round_floats(table[name].to_numpy(), _bits(name))
        for name in base_observables()
    }
    columns = {}
    for name, values in derive(measured, CATALOGUE).items():
        columns[name] = values.astype(np.int16) if name in COUNTS else round_floats(values, _bits(name))
    first = {
        "event": number[table.index].astype(np.int32),
        "process": np.full(len(table), part.name, dtype=object),
        "label": np.full(len(table), get_process(part.process).label, dtype=np.int8),
        **{name: identity[name].to_numpy().astype(np.int8) for name in ("jet_id_j1", "jet_id_j2")},
    }
    return pd.DataFrame(first | columns)


def _bits(name: str) -> int:
    if name in ANGLES:
        return ANGLE_BITS
    return DERIVED_BITS if CATALOGUE[name].derived else BITS


def make_observables(chunks: dict[Part, list[Path]], path: Path, dijets: Sequence[Part]) -> int:
    """Write the table; return its number of rows.

    Parameters
    ----------
    chunks : dict
        Files of the chunks of each part.
    path : Path
        File to write.
    dijets : sequence of Part
        Parts of the dijet sample with the same processes and seeds: the events here have their numbers.
    """
    starts = dict(zip((part.name for part in dijets), np.cumsum([0, *(part.events for part in dijets)]), strict=False))
    frames = []
    for part, paths in chunks.items():
        first = starts[part.name]
        for one in paths:
            events = read_events_of_chunk(one)
            frames.append(observable_frame(events, part, first + np.arange(len(events))))
            first += len(events)
    table = pd.concat(frames, ignore_index=True)
    plain = dict.fromkeys(("event", "label", "jet_id_j1", "jet_id_j2"), "1") | {"process": ""}
    units = plain | {name: row.unit for name, row in CATALOGUE.items()}
    note = {
        "mantissa_bits": {"measured": BITS, "angles": ANGLE_BITS, "functions": DERIVED_BITS},
        "jets": "AK8 (R = 0.8), pT > 200 GeV, abs(eta) < 2.5; AK4 jets, pT > 30 GeV, abs(eta) < 2.5",
    }
    write_table(path, table, provenance(chunks, units, note), compact=True)
    return len(table)

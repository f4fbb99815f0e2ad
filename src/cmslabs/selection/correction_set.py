"""The corrections of the bundled samples, measured on them: pile-up weights and muon scale factors.

The pseudo-data stand for data, so that every number here can be compared with what the two worlds were made with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import awkward as ak
import numpy as np

from cmslabs.data.fileset import Fileset, load_fileset
from cmslabs.data.nanoaod import open_nanoaod
from cmslabs.errors import ConfigError
from cmslabs.io import Provenance, sha256
from cmslabs.objects.golden import GoldenRuns
from cmslabs.objects.quality import event_filters, trigger
from cmslabs.selection.analysis import Analysis, load_analysis
from cmslabs.selection.correction_json import correction_set, write_set
from cmslabs.selection.efficiency import (
    ABSETA_EDGES,
    PT_EDGES,
    ScaleFactors,
    find_probes,
    measure_efficiency,
    scale_factors,
)
from cmslabs.selection.pileup import CROSS_SECTION_ERROR, pileup_ratio
from cmslabs.simulation.worlds import PSEUDO_DATA, SIMULATION, World

__all__ = ["MUON_CUTS", "NAME", "make_corrections", "measure", "pileup_weights"]

NAME = "samples-corrections.json.gz"
#: Correction -> (identification, isolation or None): what is measured, named as CMS does.
MUON_CUTS = {
    "NUM_MediumID_DEN_TrackerMuons": ("mediumId", None),
    "NUM_LooseRelIso_DEN_MediumID": ("mediumId", 0.25),
    "NUM_TightRelIso_DEN_MediumID": ("mediumId", 0.15),
}
FILESET = "samples-dimuon"
_COLLECTIONS = ("Muon", "HLT", "Flag", "Pileup")


def pileup_weights(data: World = PSEUDO_DATA, simulation: World = SIMULATION) -> dict[str, np.ndarray]:
    """Weights by the number of true interactions: nominal, up and down; shape (n_bins,).

    In CMS the profile of data is the measured luminosity of each section times the inelastic
    cross-section; here it is what the world of the pseudo-data was made with.  Up and down are that
    cross-section times 1 +- 4.6 %, which scales every number of interactions, hence mean and width.
    """
    profiles = {
        name: replace(data, pileup=tuple(factor * value for value in data.pileup)).pileup_profile()
        for name, factor in (("nominal", 1.0), ("up", 1 + CROSS_SECTION_ERROR), ("down", 1 - CROSS_SECTION_ERROR))
    }
    return {name: pileup_ratio(profile, simulation.pileup_profile()) for name, profile in profiles.items()}


def measure(data: ak.Array, simulation: ak.Array, weights: Mapping[str, np.ndarray]) -> dict[str, ScaleFactors]:
    """Scale factors of muons for the cuts of `MUON_CUTS`.

    Parameters
    ----------
    data, simulation : ak.Array
        Events that passed triggers and filters.
    weights : mapping
        From `pileup_weights`.  The simulation gets the nominal ones before anything is measured: else its
        isolation would be too good, the scale factor would repair that, and pile-up would be corrected twice.
    """
    n_true = ak.to_numpy(simulation["Pileup", "nTrueInt"]).astype(int)
    weight = weights["nominal"][np.clip(n_true, 0, len(weights["nominal"]) - 1)]
    return {
        name: scale_factors(
            measure_efficiency(find_probes(data, *cuts)),
            measure_efficiency(find_probes(simulation, *cuts, weight)),
        )
        for name, cuts in MUON_CUTS.items()
    }


def make_corrections(out: str | os.PathLike | None = None) -> list[str]:
    """Measure the corrections on the bundled samples and write them; lines that say what was found.

    Parameters
    ----------
    out : path-like, optional
        The file to write; by default the package's own.
    """
    fileset, analysis = load_fileset(FILESET), load_analysis("dimuon")
    data_files = _files(fileset, "data")
    simulation_files = _files(fileset, "simulation")
    data, simulation = (_events(paths, analysis) for paths in (data_files, simulation_files))
    if fileset.golden_json not in (None, "none"):
        data = data[GoldenRuns.read(fileset.golden_json).mask(data["run"], data["luminosityBlock"])]
    weights = pileup_weights()
    factors = measure(data, simulation, weights)
    record = Provenance(
        source="simulation",
        simulation=True,
        script="data_scripts/make_corrections.py",
        units={"NumTrueInteractions": "1", "abseta": "1", "pt": "GeV", "weight": "1"},
        details={
            "data": {path.name: sha256(path) for path in data_files},
            "simulation": {path.name: sha256(path) for path in simulation_files},
            "worlds": {"data": PSEUDO_DATA.record(), "simulation": SIMULATION.record()},
            "cross_section_error": CROSS_SECTION_ERROR,
            "triggers": list(_paths(analysis)),
            "note": "pseudo-data over simulation, both ours: not for data of CMS",
        },
    )
    path = Path(str(files("cmslabs.data") / "filesets" / NAME)) if out is None else Path(out)
    write_set(path, correction_set(weights, factors, record))
    return [f"{path.name}: {len(data)} events of pseudo-data, {len(simulation)} simulated", *_report(factors)]


def _files(fileset: Fileset, kind: str) -> list[Path]:
    """The files of one kind, each once."""
    paths = [file.path for one in fileset.datasets.values() if one.kind == kind and one.public for file in one.files]
    if not paths:
        raise ConfigError(f"there is no {kind}.", where=fileset.name, remedy="Make the samples first: make samples")
    return [Path(path) for path in dict.fromkeys(paths)]


def _paths(analysis: Analysis) -> Sequence[str]:
    return analysis.triggers["DoubleMuon"]["default"]


def _events(paths: Sequence[Path], analysis: Analysis) -> ak.Array:
    """Events of some files that pass the analysis' triggers and filters."""
    parts = []
    for path in paths:
        file = open_nanoaod(path)
        events = file.read([name for name in _COLLECTIONS if name in file.collections])
        good = trigger(events, _paths(analysis)).mask & event_filters(events, analysis.filters).mask
        parts.append(events[good])
    return parts[0] if len(parts) == 1 else ak.concatenate(parts)


def _report(factors: Mapping[str, ScaleFactors]) -> list[str]:
    """One line per bin: scale factor, statistical error, systematic error."""
    lines = []
    for name, one in factors.items():
        lines.append(name)
        for i, j in np.ndindex(one.value.shape):
            where = f"abs(eta) {ABSETA_EDGES[i]:g}-{ABSETA_EDGES[i + 1]:g}, pT {PT_EDGES[j]:g}-{PT_EDGES[j + 1]:g} GeV"
            lines.append(f"  {where}: {one.value[i, j]:.4f} +- {one.stat[i, j]:.4f} +- {one.syst[i, j]:.4f}")
    return lines

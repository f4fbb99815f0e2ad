"""From the detector to dijet events: trigger, the two leading jets, their numbers and constituents."""

from __future__ import annotations

from collections.abc import Mapping

import awkward as ak
import numpy as np

from cmslabs.features.clustering import cluster_jets
from cmslabs.features.dijets import dijet_table
from cmslabs.simulation.detector import Observed, observe
from cmslabs.simulation.hot_cell import HotCell
from cmslabs.simulation.jet_objects import object_events
from cmslabs.simulation.pythia import Batch, Species

__all__ = ["N_CONSTITUENTS", "dijet_events", "passes_trigger", "scalar_sum"]

RADIUS, MIN_PT = 1.0, 20.0
#: Jets of the scalar sum HT: harder than this [GeV], and central.
HT_JET_PT, HT_JET_ETA = 50.0, 2.5
#: Constituents kept per jet, the hardest ones.
N_CONSTITUENTS = 100


def dijet_events(
    batch: Batch,
    species: Species,
    selection: Mapping[str, float],
    rng: np.random.Generator,
    content: tuple[str, ...],
    hot_cell: HotCell | None = None,
) -> tuple[ak.Array, np.ndarray]:
    """Measure a batch, keep what the trigger takes, and describe it.

    Parameters
    ----------
    batch : Batch
    species : Species
    selection : mapping
        ``jet_pt`` [GeV], ``jet_eta``; ``ht`` [GeV] where the scalar sum of the jets is cut on too.
    rng : numpy.random.Generator
    content : tuple of str
        ``"features"`` always; ``"constituents"``, ``"particles"`` and ``"objects"`` where they are wanted.
    hot_cell : HotCell, optional
        Fires in every event, before the trigger: noise makes it fire as particles do.

    Returns
    -------
    events : ak.Array
        ``table``: the columns of `cmslabs.features.dijets.dijet_table` (without ``event``), ``met`` [GeV], and
        ``ht`` [GeV] if the selection has it;
        ``j1``, ``j2``: constituents; ``particles``; ``FatJet``, ``Jet``, ``MET``, ``PV`` as in
        `cmslabs.simulation.jet_objects.object_events`, whose randomness is a stream of its own.
    index : ndarray of int64
        Position of each kept event in the batch.
    """
    observed = observe(batch, species, rng)
    if hot_cell is not None:
        observed = hot_cell.fire(observed, rng)
    jets = cluster_jets(observed.particles, RADIUS, MIN_PT)
    good = passes_trigger(jets, selection)
    jets, observed = jets[good], observed.select(good)
    events = _describe(jets, observed, content, with_ht="ht" in selection)
    if "objects" in content:
        objects = object_events(observed, rng.spawn(1)[0])
        fields = {part: source[part] for source in (events, objects) for part in source.fields}
        events = ak.zip(fields, depth_limit=1)
    return events, np.flatnonzero(good)


def passes_trigger(jets: ak.Array, selection: Mapping[str, float]) -> np.ndarray:
    """Whether the leading jet is hard and central enough, there is a second jet, and HT suffices if it is cut on."""
    leading = ak.pad_none(jets, 1, axis=1)[:, 0]
    pt, eta = ak.fill_none(leading.pt, 0.0), ak.fill_none(leading.eta, np.inf)
    good = (pt > selection["jet_pt"]) & (np.abs(eta) < selection["jet_eta"]) & (ak.num(jets) > 1)
    if "ht" in selection:
        good = good & (scalar_sum(jets) > selection["ht"])
    return ak.to_numpy(good)


def scalar_sum(jets: ak.Array) -> np.ndarray:
    """HT [GeV], shape (n_events,): the sum of the pT of all jets with pT > 50 GeV and abs(eta) < 2.5."""
    counted = (jets.pt > HT_JET_PT) & (np.abs(jets.eta) < HT_JET_ETA)
    return ak.to_numpy(ak.sum(jets.pt[counted], axis=1))


def _describe(jets: ak.Array, observed: Observed, content: tuple[str, ...], with_ht: bool = False) -> ak.Array:
    particles = observed.particles[["pt", "eta", "phi"]]
    table = dijet_table(ak.zip({"particles": particles}, depth_limit=1), jets=jets).drop(columns="event")
    columns = {name: table[name].to_numpy() for name in table.columns} | {"met": observed.met_pt}
    if with_ht:
        columns["ht"] = scalar_sum(jets)
    events = {"table": ak.zip(columns)}
    if "constituents" in content:
        for number, name in enumerate(("j1", "j2")):
            hardest = jets.constituents[:, number, :N_CONSTITUENTS]
            events[name] = ak.zip({field: ak.values_astype(hardest[field], "float32") for field in hardest.fields})
    if "particles" in content:
        events["particles"] = particles
    return ak.zip(events, depth_limit=1)

"""From the detector to events with NanoAOD's names: leptons, jets, triggers, filters.

The same processor runs on these events and on CMS's UL2016 NanoAODv9.  What this simulation does not
have is there with a value that says so: every filter passed.  Pile-up reaches vertices and isolation only.
"""

from __future__ import annotations

from collections.abc import Mapping

import awkward as ak
import numpy as np

from cmslabs.features.clustering import cluster_jets
from cmslabs.features.substructure import nsubjettiness, soft_drop_mass
from cmslabs.simulation.detector import Observed, observe
from cmslabs.simulation.leptons import ISOLATION_CONE, candidates, electrons, enough_leptons, muons, true_leptons
from cmslabs.simulation.pileup import overlay, primary_vertices
from cmslabs.simulation.pythia import Batch, Species
from cmslabs.simulation.tracker import ELECTRON, MUON
from cmslabs.simulation.trigger import trigger_bits
from cmslabs.simulation.truth import generated_particles, match_leptons
from cmslabs.simulation.worlds import SIMULATION, World

__all__ = ["FILTERS", "nano_events"]

#: The filters that CMS recommends for UL2016.
FILTERS = (
    "goodVertices",
    "globalSuperTightHalo2016Filter",
    "HBHENoiseFilter",
    "HBHENoiseIsoFilter",
    "EcalDeadCellTriggerPrimitiveFilter",
    "BadPFMuonFilter",
    "BadPFMuonDzFilter",
    "eeBadScFilter",
)
JET_PT, FAT_JET_PT, JET_ETA = 15.0, 170.0, 2.5
#: Relative uncertainty of the probability of prefiring.
PREFIRING_ERROR = 0.2


def nano_events(
    batch: Batch,
    species: Species,
    selection: Mapping[str, float],
    rng: np.random.Generator,
    world: World = SIMULATION,
) -> tuple[ak.Array, np.ndarray]:
    """Measure a batch and keep the events with enough leptons.

    Parameters
    ----------
    batch : Batch
    species : Species
    selection : mapping
        ``leptons``, ``muons``: least numbers; ``muon_pt``, ``electron_pt`` [GeV].
    rng : numpy.random.Generator
        Pile-up and prefiring have a stream of their own, spawned from it.
    world : World
        What the detector is like, and which events are kept.

    Returns
    -------
    events : ak.Array
        One record per kept event, fields named as NanoAOD's branches or collections.
    index : ndarray of int64
        Position of each kept event in the batch.
    """
    near = true_leptons(batch, selection)
    index = np.flatnonzero(near)
    batch = batch.select(near)
    observed = observe(batch, species, rng, world.muon_scale)
    muon = candidates(observed, MUON, selection["muon_pt"])
    electron = candidates(observed, ELECTRON, selection["electron_pt"])
    good = enough_leptons(muon, electron, selection)
    # Rows of the leptons point into the batch, so that the batch itself stays as it is.
    muon = muons(muon[good], observed.select(good), batch, rng, world)
    electron = electrons(electron[good], observed.select(good), batch, rng)
    leptons = ak.concatenate([part[["pt", "eta", "phi"]] for part in (muon, electron)], axis=1)
    particles, place = generated_particles(batch)
    particles = particles[good]
    events = {
        "Muon": match_leptons(muon, place, particles),
        "Electron": match_leptons(electron, place, particles),
        **_jets(observed.select(good), leptons),
        "GenPart": particles,
        "MET_pt": observed.met_pt[good].astype("f4"),
        "MET_phi": observed.met_phi[good].astype("f4"),
        "MET_sumEt": observed.sum_et[good].astype("f4"),
        **_constants(int(good.sum())),
        "Pileup_nTrueInt": world.draw_pileup(int(good.sum()), rng),
    }
    # Online isolation comes from tracks of the muons' vertex: the trigger does not see pile-up.
    events |= trigger_bits(events["Muon"], events["Jet"], events["FatJet"], rng)
    events |= _pileup(events, rng.spawn(1)[0])
    events |= _prefiring(events["Jet"], world)
    kept = _recorded(events, world, rng.spawn(1)[0])
    return ak.zip(events, depth_limit=1)[kept], index[good][kept]


def _pileup(events: dict[str, ak.Array], rng: np.random.Generator) -> dict[str, ak.Array]:
    """Vertices, and leptons whose isolation has the pile-up in it."""
    collisions = rng.poisson(events["Pileup_nTrueInt"])
    leptons = {
        name: overlay(events[name], ISOLATION_CONE[kind], collisions, rng)
        for name, kind in (("Muon", MUON), ("Electron", ELECTRON))
    }
    return leptons | primary_vertices(collisions, rng)


def _prefiring(jets: ak.Array, world: World) -> dict[str, np.ndarray]:
    """Probability that no jet prefires, nominal and with the probability per jet 20 % higher and lower.

    Leptons that were clustered as jets do not count.
    """
    jets = jets[(jets.jetId & 4) > 0]
    flat = world.prefiring_probability(ak.to_numpy(ak.flatten(jets.pt)), ak.to_numpy(ak.flatten(jets.eta)))
    probability = ak.unflatten(flat, ak.num(jets))
    factors = {"Nom": 1.0, "Up": 1.0 + PREFIRING_ERROR, "Dn": 1.0 - PREFIRING_ERROR}
    return {
        f"L1PreFiringWeight_{name}": ak.to_numpy(ak.prod(1.0 - factor * probability, axis=1)).astype("f4")
        for name, factor in factors.items()
    }


def _recorded(events: dict[str, ak.Array], world: World, rng: np.random.Generator) -> np.ndarray:
    """Which events this world's experiment has on disk."""
    weight = events["L1PreFiringWeight_Nom"]
    kept = rng.random(len(weight)) < weight if world.loses_prefired else np.ones(len(weight), dtype=bool)
    return kept & np.any([events[path] for path in world.recorded], axis=0) if world.recorded else kept


def _jets(observed: Observed, leptons: ak.Array) -> dict[str, ak.Array]:
    """AK4 jets, and AK8 jets with substructure (R0 = 0.8, as in CMS)."""
    jets = _inside(cluster_jets(observed.particles, radius=0.4, min_pt=JET_PT))
    fat = _inside(cluster_jets(observed.particles, radius=0.8, min_pt=FAT_JET_PT))
    counts = ak.num(fat)
    inside = ak.flatten(fat.constituents, axis=1)
    tau = nsubjettiness(inside, n=4, r0=0.8) if len(inside) else np.zeros((0, 4))
    groomed = soft_drop_mass(inside, r0=0.8) if len(inside) else np.zeros(0)
    extra = {f"tau{n}": tau[:, n - 1] for n in (1, 2, 3, 4)}
    # NanoAOD writes -1 where nothing is left after grooming.
    extra["msoftdrop"] = np.where(groomed > 0, groomed, -1.0)
    fat_fields = {name: ak.unflatten(values.astype("f4"), counts) for name, values in extra.items()}
    return {"Jet": _describe(jets, {}, leptons, 0.4), "FatJet": _describe(fat, fat_fields, leptons, 0.8)}


def _inside(jets: ak.Array) -> ak.Array:
    return jets[np.abs(jets.eta) < JET_ETA]


def _describe(jets: ak.Array, extra: dict[str, ak.Array], leptons: ak.Array, radius: float) -> ak.Array:
    fields = {name: ak.values_astype(jets[name], "float32") for name in ("pt", "eta", "phi", "mass")}
    fields |= extra
    fields["nConstituents"] = ak.values_astype(ak.num(jets.constituents, axis=2), "uint8")
    fields["jetId"] = _jet_id(fields, leptons, radius)
    return ak.zip(fields)


def _jet_id(fields: dict[str, ak.Array], leptons: ak.Array, radius: float) -> ak.Array:
    """2 for tight (more than one constituent), 4 more where leptons carry less than 80 % of the pT.

    An isolated lepton is a jet, too, for the clustering: the veto finds it.
    """
    jets = ak.zip({name: fields[name] for name in ("pt", "eta", "phi")})
    jet, lepton = ak.unzip(ak.cartesian([jets, leptons], nested=True))
    dphi = (jet.phi - lepton.phi + np.pi) % (2 * np.pi) - np.pi
    near = (jet.eta - lepton.eta) ** 2 + dphi**2 < radius**2
    veto = ak.sum(ak.where(near, lepton.pt, 0.0), axis=-1) < 0.8 * jets.pt
    tight = fields["nConstituents"] > 1
    return ak.values_astype(tight * (2 + 4 * veto), "int32")


def _constants(n_events: int) -> dict[str, np.ndarray]:
    """Branches that a processor asks for and that carry no physics here."""
    return {
        "genWeight": np.ones(n_events, dtype="f4"),
        **{f"Flag_{name}": np.ones(n_events, dtype=bool) for name in FILTERS},
    }

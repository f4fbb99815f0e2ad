"""Dijet events with NanoAOD's objects: AK8 and AK4 jets with energy fractions, MET, vertices.

The same observables come from these events and from CMS's, see `cmslabs.features.dijet61`.  AK8 jets know more
here than in NanoAODv9: their own energy fractions, and the particles inside.

Jets know nothing of pile-up: the number of vertices is drawn beside them and says nothing about them.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from cmslabs.features.clustering import cluster_jets
from cmslabs.features.substructure import nsubjettiness, soft_drop_mass
from cmslabs.simulation.detector import Observed
from cmslabs.simulation.pileup import primary_vertices
from cmslabs.simulation.tracker import CHARGED_HADRON, ELECTRON, MUON, NEUTRAL_HADRON, PHOTON
from cmslabs.simulation.worlds import SIMULATION, World

__all__ = ["COLLECTIONS", "GHOST_AREA", "jet_areas", "numbered_objects", "object_events", "object_units"]

JET_PT, FAT_JET_PT, JET_ETA = 15.0, 170.0, 2.5
#: NanoAOD's name of an energy fraction -> the kind of particle.
FRACTIONS = {
    "chHEF": CHARGED_HADRON,
    "neHEF": NEUTRAL_HADRON,
    "chEmEF": ELECTRON,
    "neEmEF": PHOTON,
    "muEF": MUON,
}
#: Area of the eta-phi plane that one ghost stands for, as in CMS, and its pT [GeV].
GHOST_AREA, GHOST_PT = 0.01, 1e-30
#: Collections of an event.
COLLECTIONS = ("FatJet", "Jet", "MET", "PV")


def object_events(observed: Observed, rng: np.random.Generator, world: World = SIMULATION) -> ak.Array:
    """Describe events by NanoAOD's objects.

    Parameters
    ----------
    observed : Observed
        What the detector saw.
    rng : numpy.random.Generator
        For the vertices and the ghosts.
    world : World
        Decides on the pile-up.

    Returns
    -------
    ak.Array, shape (n_events,)
        ``FatJet``: anti-kT, R = 0.8, pT > 170 GeV, with ``constituents`` (pt, eta, phi); ``Jet``: R = 0.4,
        pT > 15 GeV; both abs(eta) < 2.5, with energy fractions, ``nConstituents`` and ``jetId``.  ``MET``: pt, phi,
        sumEt.  ``PV``: npvs.  GeV, rad, float32.
    """
    particles = observed.particles[["pt", "eta", "phi", "kind"]]
    fat = _inside(cluster_jets(particles, radius=0.8, min_pt=FAT_JET_PT, carry=["kind"]))
    jets = _inside(cluster_jets(particles, radius=0.4, min_pt=JET_PT, carry=["kind"]))
    pileup = rng.poisson(world.draw_pileup(len(particles), rng))
    vertices = primary_vertices(pileup, rng)
    area = jet_areas(particles[["pt", "eta", "phi"]], fat, 0.8, rng)
    met = {"pt": observed.met_pt, "phi": observed.met_phi, "sumEt": observed.sum_et}
    return ak.zip(
        {
            "FatJet": _fat_jets(fat, area),
            "Jet": _jets(jets),
            "MET": ak.zip({name: values.astype("f4") for name, values in met.items()}),
            "PV": ak.zip({"npvs": vertices["PV_npvs"]}),
        },
        depth_limit=1,
    )


def numbered_objects(events: ak.Array, start: int, label: int) -> ak.Array:
    """The objects of events alone, with run 1, event numbers from `start`, and the label of their process."""
    n = len(events)
    numbers = {
        "run": np.ones(n, dtype=np.uint32),
        "luminosityBlock": np.ones(n, dtype=np.uint32),
        "event": np.arange(start, start + n, dtype=np.uint64),
        "label": np.full(n, label, dtype=np.int8),
    }
    return ak.zip(numbers | {name: events[name] for name in COLLECTIONS}, depth_limit=1)


def object_units() -> dict[str, str]:
    """Unit of each field that `numbered_objects` gives, by its dotted name."""
    units = {"pt": "GeV", "mass": "GeV", "msoftdrop": "GeV", "sumEt": "GeV", "phi": "rad"}
    of_jet = ("pt", "eta", "phi", "mass", *FRACTIONS, "nConstituents", "jetId")
    of_fat_jet = (*of_jet, "tau1", "tau2", "tau3", "tau4", "msoftdrop", "area")
    fields = {"FatJet": of_fat_jet, "Jet": of_jet, "MET": ("pt", "phi", "sumEt"), "PV": ("npvs",)}
    fields["FatJet.constituents"] = ("pt", "eta", "phi")
    names = [f"{collection}.{field}" for collection, inside in fields.items() for field in inside]
    plain = dict.fromkeys(("run", "luminosityBlock", "event", "label"), "1")
    return plain | {name: units.get(name.rpartition(".")[2], "1") for name in names}


def _inside(jets: ak.Array) -> ak.Array:
    return jets[np.abs(jets.eta) < JET_ETA]


def _jets(jets: ak.Array) -> ak.Array:
    """Fields of AK4 jets."""
    fields = {name: ak.values_astype(jets[name], "float32") for name in ("pt", "eta", "phi", "mass")}
    fields |= _fractions(jets)
    fields["nConstituents"] = ak.values_astype(ak.num(jets.constituents, axis=2), "int32")
    fields["jetId"] = _jet_id(fields)
    return ak.zip(fields)


def _fat_jets(jets: ak.Array, area: ak.Array) -> ak.Array:
    """Fields of AK8 jets: those of AK4 jets, area, substructure (R0 = 0.8, as in CMS), and the particles inside."""
    described = _jets(jets)
    counts = ak.num(jets)
    inside = ak.flatten(jets.constituents, axis=1)
    tau = nsubjettiness(inside, n=4, r0=0.8) if len(inside) else np.zeros((0, 4))
    groomed = soft_drop_mass(inside, r0=0.8) if len(inside) else np.zeros(0)
    flat = {f"tau{n}": tau[:, n - 1] for n in (1, 2, 3, 4)}
    # NanoAOD writes -1 where nothing is left after grooming.
    flat["msoftdrop"] = np.where(groomed > 0, groomed, -1.0)
    fields = {name: described[name] for name in described.fields}
    fields |= {name: ak.unflatten(values.astype("f4"), counts) for name, values in flat.items()}
    fields["area"] = ak.values_astype(area, "float32")
    members = {name: ak.values_astype(jets.constituents[name], "float32") for name in ("pt", "eta", "phi")}
    fields["constituents"] = ak.zip(members)
    return ak.zip(fields, depth_limit=2)


def _fractions(jets: ak.Array) -> dict[str, ak.Array]:
    """Shares of the kinds of particles in the jet's energy; they sum to 1."""
    inside = jets.constituents
    energy = inside.pt * np.cosh(inside.eta)
    total = ak.sum(energy, axis=2)
    return {
        name: ak.values_astype(ak.sum(ak.where(inside.kind == kind, energy, 0.0), axis=2) / total, "float32")
        for name, kind in FRACTIONS.items()
    }


def _jet_id(fields: dict[str, ak.Array]) -> ak.Array:
    """CMS's tight identification of 2016 (bit 2), and with the veto of leptons (bit 4 more).

    Tight: more than one particle, a charged hadron, neutral hadrons and photons below 90 % each.  Veto: muons and
    electrons below 80 % each.  All our jets lie in the tracker, where this is the definition.
    """
    tight = (fields["nConstituents"] > 1) & (fields["chHEF"] > 0)
    tight = tight & (fields["neHEF"] < 0.9) & (fields["neEmEF"] < 0.9)
    veto = (fields["muEF"] < 0.8) & (fields["chEmEF"] < 0.8)
    return ak.values_astype(ak.values_astype(tight, "int32") * (2 + 4 * ak.values_astype(veto, "int32")), "int32")


def jet_areas(particles: ak.Array, jets: ak.Array, radius: float, rng: np.random.Generator) -> ak.Array:
    """Area of anti-kT jets in the eta-phi plane: ghosts of no momentum are clustered along and counted.

    Parameters
    ----------
    particles : ak.Array, shape (n_events, var)
        ``pt`` [GeV], ``eta``, ``phi`` [rad].
    jets : ak.Array, shape (n_events, var)
        The jets of these particles; ghosts are laid around them only.
    radius : float
        With which they were made.
    rng : numpy.random.Generator
        Places each ghost within its cell.

    Returns
    -------
    ak.Array, shape (n_events, var)
        Multiples of `GHOST_AREA`, near pi R^2 for an isolated jet.

    Notes
    -----
    M. Cacciari, G. P. Salam, G. Soyez, "The catchment area of jets", JHEP 04 (2008) 005, arXiv:0802.1188.
    """
    if ak.count(jets.pt, axis=None) == 0:
        return ak.values_astype(jets.pt, "float64")
    ghosts = _ghosts(jets, 1.4 * radius, rng)
    both = ak.concatenate([particles[["pt", "eta", "phi"]], ghosts], axis=1)
    again = cluster_jets(both, radius, min_pt=0.5 * float(ak.min(jets.pt, axis=None)))
    area = GHOST_AREA * ak.sum(again.constituents.pt < 2 * GHOST_PT, axis=2)
    # The same jets, and perhaps more: each takes the area of the one with its axis.
    return ak.drop_none(area[ak.argmin(_distance2(jets, again), axis=2)])


def _distance2(jets: ak.Array, others: ak.Array) -> ak.Array:
    one, other = ak.unzip(ak.cartesian([jets[["eta", "phi"]], others[["eta", "phi"]]], nested=True))
    phi = (one.phi - other.phi + np.pi) % (2 * np.pi) - np.pi
    return (one.eta - other.eta) ** 2 + phi**2


def _ghosts(jets: ak.Array, reach: float, rng: np.random.Generator) -> ak.Array:
    """One ghost in each cell of a common grid that lies within reach of a jet, at a random place in the cell."""
    step = np.sqrt(GHOST_AREA)
    n_phi = round(2 * np.pi / step)
    d_phi = 2 * np.pi / n_phi
    step = GHOST_AREA / d_phi
    half = int(np.ceil(reach / min(step, d_phi)))
    offset_eta, offset_phi = (o.ravel() for o in np.meshgrid(np.arange(-half, half + 1), np.arange(-half, half + 1)))
    counts = ak.to_numpy(ak.num(jets))
    event = np.repeat(np.arange(len(jets)), counts)
    eta, phi = (ak.to_numpy(ak.flatten(jets[name])) for name in ("eta", "phi"))
    cell_eta = np.floor(eta / step).astype(np.int64)[:, None] + offset_eta
    cell_phi = np.floor(phi / d_phi).astype(np.int64)[:, None] + offset_phi
    near = np.hypot((cell_eta + 0.5) * step - eta[:, None], (cell_phi + 0.5) * d_phi - phi[:, None]) < reach
    cells = np.stack([np.repeat(event, near.sum(axis=1)), cell_eta[near], cell_phi[near] % n_phi], axis=1)
    # Two jets that are near each other share ghosts.
    cells = np.unique(cells, axis=0)
    place = rng.random((len(cells), 2))
    columns = {
        "pt": np.full(len(cells), GHOST_PT),
        "eta": (cells[:, 1] + place[:, 0]) * step,
        "phi": (cells[:, 2] + place[:, 1]) * d_phi - (cells[:, 2] >= n_phi / 2) * 2 * np.pi,
    }
    return ak.unflatten(ak.zip(columns), np.bincount(cells[:, 0], minlength=len(jets)))

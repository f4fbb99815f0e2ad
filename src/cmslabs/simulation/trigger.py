"""Triggers of 2016, imitated: thresholds on what an online reconstruction would have measured."""

from __future__ import annotations

import awkward as ak
import numpy as np

__all__ = ["DOUBLE_MUON", "HADRONIC", "TRIPLE_MUON", "trigger_bits"]

#: Two isolated muons; the paths with DZ ask for one common vertex, too.
DOUBLE_MUON = (
    "Mu17_TrkIsoVVL_Mu8_TrkIsoVVL",
    "Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ",
    "Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL",
    "Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL_DZ",
)
TRIPLE_MUON = "TripleMu_12_10_5"
#: Path -> (what is compared, threshold in GeV).
HADRONIC = {
    "PFHT800": ("ht", 800.0),
    "PFHT900": ("ht", 900.0),
    "PFJet450": ("jet", 450.0),
    "AK8PFJet450": ("fat", 450.0),
}
#: Online pT resolution, efficiency per muon, loosest isolation, and largest distance along the beam [cm].
ONLINE_RESOLUTION = {"muon": 0.02, "jet": 0.08}
MUON_EFFICIENCY = 0.97
LOOSE_ISOLATION = 0.4
SAME_VERTEX = 0.2
HT_JET_PT = 30.0


def trigger_bits(muon: ak.Array, jet: ak.Array, fat_jet: ak.Array, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One boolean per event and path, named ``HLT_...`` as in NanoAOD.

    Each muon is seen online with 97 % probability and its pT with a resolution of 2 %; jets' pT with 8 %.
    So a threshold is a turn-on curve offline, and analyses cut above it.

    Parameters
    ----------
    muon, jet, fat_jet : ak.Array, shape (n_events, var)
        Records with ``pt`` [GeV]; muons with ``pfRelIso04_all`` and ``dz`` [cm].
    rng : numpy.random.Generator
    """
    seen = ak.unflatten(rng.random(int(ak.sum(ak.num(muon)))) < MUON_EFFICIENCY, ak.num(muon))
    online = _smear(muon.pt, ONLINE_RESOLUTION["muon"], rng)
    isolated = seen & (muon.pfRelIso04_all < LOOSE_ISOLATION)

    pairs = _two_legs(online[isolated], muon.dz[isolated])
    close = ak.to_numpy(ak.any(pairs & _near(muon.dz[isolated]), axis=1))
    double = ak.to_numpy(ak.any(pairs, axis=1))
    bits = {f"HLT_{path}": close if path.endswith("_DZ") else double for path in DOUBLE_MUON}

    ranked = ak.sort(online[seen], ascending=False)
    legs = ak.to_numpy(ak.fill_none(ak.pad_none(ranked, 3, clip=True), 0.0))
    bits[f"HLT_{TRIPLE_MUON}"] = (legs > np.array([12.0, 10.0, 5.0])).all(axis=1)

    hard = _smear(jet.pt, ONLINE_RESOLUTION["jet"], rng)
    fat = _smear(fat_jet.pt, ONLINE_RESOLUTION["jet"], rng)
    quantities = {
        "ht": ak.sum(hard[hard > HT_JET_PT], axis=1),
        "jet": ak.fill_none(ak.max(hard, axis=1), 0.0),
        "fat": ak.fill_none(ak.max(fat, axis=1), 0.0),
    }
    bits |= {f"HLT_{path}": ak.to_numpy(quantities[name] > cut) for path, (name, cut) in HADRONIC.items()}
    return bits


def _smear(pt: ak.Array, resolution: float, rng: np.random.Generator) -> ak.Array:
    counts = ak.num(pt)
    return pt * ak.unflatten(1 + resolution * rng.standard_normal(int(ak.sum(counts))), counts)


def _two_legs(pt: ak.Array, dz: ak.Array) -> ak.Array:
    """Pairs of which one leg passes 17 and the other 8 GeV."""
    first, second = ak.unzip(ak.combinations(pt, 2))
    return (np.maximum(first, second) > 17.0) & (np.minimum(first, second) > 8.0)


def _near(dz: ak.Array) -> ak.Array:
    first, second = ak.unzip(ak.combinations(dz, 2))
    return np.abs(first - second) < SAME_VERTEX

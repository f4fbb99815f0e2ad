"""The dimuon analysis without any of our code: uproot, and a loop over events."""

from __future__ import annotations

import math
from bisect import bisect_right

import uproot
from correction_makers import ETA_EDGES, PT_EDGES, pileup_weight, scale_factor

FILTERS = [
    *("goodVertices", "globalSuperTightHalo2016Filter", "HBHENoiseFilter", "HBHENoiseIsoFilter"),
    *("EcalDeadCellTriggerPrimitiveFilter", "BadPFMuonFilter", "BadPFMuonDzFilter", "eeBadScFilter"),
]
PATHS = [
    *("Mu17_TrkIsoVVL_Mu8_TrkIsoVVL", "Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL", "Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ"),
    *("Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL_DZ", "TripleMu_12_10_5"),
]
MUON = ("pt", "eta", "phi", "mass", "charge", "mediumId", "pfRelIso04_all")
CUTS = ("event filters", "trigger", "two muons", "lepton pT", "opposite charge", "mass")


def read(path):
    """One dict for each event; branches that the file does not have are left out."""
    names = [f"Muon_{name}" for name in MUON] + [f"Flag_{name}" for name in FILTERS] + [f"HLT_{name}" for name in PATHS]
    names += ["run", "luminosityBlock", "event", "PV_npvs", "genWeight", "Pileup_nTrueInt"]
    names += [f"L1PreFiringWeight_{name}" for name in ("Nom", "Up", "Dn")]
    with uproot.open(path) as file:
        there = {branch.name for branch in file["Events"].branches}
        arrays = file["Events"].arrays([name for name in names if name in there], how=dict)
    columns = {name: values.to_list() for name, values in arrays.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def momentum(muon):
    px, py = muon["pt"] * math.cos(muon["phi"]), muon["pt"] * math.sin(muon["phi"])
    pz = muon["pt"] * math.sinh(muon["eta"])
    return math.sqrt(px * px + py * py + pz * pz + muon["mass"] ** 2), px, py, pz


def select(event, pt_factor=1.0):
    """Decision of every cut on one event, and its pair (or None)."""
    muons = [
        {name: event[f"Muon_{name}"][i] for name in MUON} | {"pt": event["Muon_pt"][i] * pt_factor}
        for i in range(len(event["Muon_pt"]))
    ]
    good = [m for m in muons if m["pt"] > 5 and abs(m["eta"]) < 2.4 and m["mediumId"] and m["pfRelIso04_all"] < 0.25]
    pair = sorted(good, key=lambda m: -m["pt"])[:2]
    decisions = dict.fromkeys(CUTS, False)
    decisions["event filters"] = all(event.get(f"Flag_{name}", True) for name in FILTERS)
    decisions["trigger"] = any(event.get(f"HLT_{name}", False) for name in PATHS)
    if len(pair) < 2:
        return decisions, None
    energy, px, py, pz = (a + b for a, b in zip(*map(momentum, pair), strict=True))
    mass = math.sqrt(max(0.0, energy**2 - px**2 - py**2 - pz**2))
    decisions["two muons"] = True
    decisions["lepton pT"] = pair[0]["pt"] > 20 and pair[1]["pt"] > 10
    decisions["opposite charge"] = pair[0]["charge"] + pair[1]["charge"] == 0
    decisions["mass"] = 12 < mass < 120
    return decisions, {"mass": mass, "pt": math.hypot(px, py), "muons": pair}


def muon_factor(muon, key):
    """Scale factor; below the first bin it has twice the uncertainty."""
    i = bisect_right(ETA_EDGES, abs(muon["eta"])) - 1
    j = min(max(bisect_right(PT_EDGES, muon["pt"]) - 1, 0), len(PT_EDGES) - 2)
    nominal, value = scale_factor(i, j, "nominal"), scale_factor(i, j, key)
    return nominal + 2 * (value - nominal) if muon["pt"] < PT_EDGES[0] else value


def weights(event, pair):
    """Full weights of one selected event, by systematic."""
    n_true = int(event["Pileup_nTrueInt"])
    factors = {"gen": {"": event["genWeight"]}}
    factors["pileup"] = {k: pileup_weight(n_true, key) for k, key in (("", "nominal"), ("Up", "up"), ("Down", "down"))}
    factors["prefiring"] = {
        k: event[f"L1PreFiringWeight_{key}"] for k, key in (("", "Nom"), ("Up", "Up"), ("Down", "Dn"))
    }
    for name in ("muonId", "muonIso"):
        factors[name] = {
            k: math.prod(muon_factor(muon, key) for muon in pair["muons"])
            for k, key in (("", "nominal"), ("Up", "systup"), ("Down", "systdown"))
        }
    found = {"nominal": math.prod(variants[""] for variants in factors.values())}
    for name in ("pileup", "prefiring", "muonId", "muonIso"):
        for label in ("Up", "Down"):
            chosen = [variants[label if other == name else ""] for other, variants in factors.items()]
            found[name + label] = math.prod(chosen)
    return found

"""The selections once more, as loops in plain Python over what uproot reads: slow, and hard to get wrong.

Nothing here is shared with the package but the numbers of the cuts.
"""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np
import uproot

MUON_FIELDS = ("pt", "eta", "phi", "mass", "charge", "mediumId", "pfRelIso04_all", "sip3d")
ELECTRON_FIELDS = ("pt", "eta", "phi", "mass", "charge", "cutBased", "sip3d")
JET_FIELDS = ("pt", "eta", "phi", "mass", "jetId")
FAT_JET_FIELDS = (*JET_FIELDS, "msoftdrop", "tau1", "tau2")
COLLECTIONS = {"Muon": MUON_FIELDS, "Electron": ELECTRON_FIELDS, "Jet": JET_FIELDS, "FatJet": FAT_JET_FIELDS}


def read(path, start=0, stop=None):
    """One dict per event: collection -> list of objects (dicts), and the numbers of the event."""
    tree = uproot.open(path)["Events"]
    there = set(tree.keys())
    wanted = [f"{name}_{field}" for name, fields in COLLECTIONS.items() for field in fields]
    wanted += ["MET_pt", "PV_npvs"]
    lists = {name: tree[name].array(entry_start=start, entry_stop=stop).to_list() for name in wanted if name in there}
    events = []
    for i in range(len(lists["MET_pt"])):
        event = {"met": lists["MET_pt"][i], "npvs": lists["PV_npvs"][i]}
        for name, fields in COLLECTIONS.items():
            mine = {field: lists[f"{name}_{field}"][i] for field in fields if f"{name}_{field}" in lists}
            event[name] = [dict(zip(mine, values, strict=True)) for values in zip(*mine.values(), strict=True)]
        events.append(event)
    return events


def is_muon(muon, cuts):
    if not muon["pt"] > cuts.pt or not abs(muon["eta"]) < cuts.eta:
        return False
    if cuts.id is not None and not muon[cuts.id]:
        return False
    if cuts.isolation is not None and not muon["pfRelIso04_all"] < cuts.isolation:
        return False
    return cuts.sip3d is None or muon["sip3d"] < cuts.sip3d


def is_electron(electron, cuts):
    if not electron["pt"] > cuts.pt or not abs(electron["eta"]) < cuts.eta:
        return False
    if electron["cutBased"] < cuts.cut_based:
        return False
    return cuts.sip3d is None or electron["sip3d"] < cuts.sip3d


def is_jet(jet, cuts, leptons):
    if not jet["pt"] > cuts.pt or not abs(jet["eta"]) < cuts.eta:
        return False
    for bit in (1, 2, 4):
        if cuts.jet_id & bit and not jet["jetId"] & bit:
            return False
    if cuts.lepton_distance is None:
        return True
    return all(delta_r(jet, lepton) >= cuts.lepton_distance for lepton in leptons)


def delta_r(one, other):
    distance = abs(one["phi"] - other["phi"])
    while distance > math.pi:
        distance = abs(distance - 2 * math.pi)
    return math.hypot(one["eta"] - other["eta"], distance)


def by_pt(objects):
    return sorted(objects, key=lambda particle: -particle["pt"])


def muons_of(event, analysis, scale=1.0):
    # NanoAOD's numbers are single precision, and so is a scaled pT.
    scaled = [{**muon, "pt": float(np.float32(muon["pt"]) * np.float32(scale))} for muon in event["Muon"]]
    return by_pt([{**muon, "flavour": 13} for muon in scaled if is_muon(muon, analysis.muons)])


def electrons_of(event, analysis):
    good = [electron for electron in event["Electron"] if is_electron(electron, analysis.electrons)]
    return by_pt([{**electron, "flavour": 11} for electron in good])


def total(particles):
    """(E, px, py, pz) of them together."""
    sums = [0.0, 0.0, 0.0, 0.0]
    for particle in particles:
        pt, eta, phi, mass = (particle[name] for name in ("pt", "eta", "phi", "mass"))
        px, py, pz = pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)
        energy = math.sqrt(px * px + py * py + pz * pz + mass * mass)
        sums = [a + b for a, b in zip(sums, (energy, px, py, pz), strict=True)]
    return sums


def mass(particles):
    energy, px, py, pz = total(particles)
    return math.sqrt(max(energy * energy - px * px - py * py - pz * pz, 0.0))


def pt(particles):
    _, px, py, _ = total(particles)
    return math.hypot(px, py)


def above(leptons, thresholds):
    return all(lepton["pt"] > least for lepton, least in zip(leptons, thresholds, strict=False))


def common(event, analysis, leptons):
    jets = [jet for jet in event["Jet"] if is_jet(jet, analysis.jets, leptons)]
    return {"n_jets": len(jets), "met": event["met"], "npvs": event["npvs"]}


def dimuon(event, analysis, scale=1.0):
    """Cut -> whether the event passes it, and the columns; ({}, {}) of a failed candidate are left out."""
    muons = muons_of(event, analysis, scale)
    names = ["two muons", "lepton pT", "mass"]
    charge_cut = f"{analysis.dimuon.charge} charge"
    if analysis.dimuon.charge != "any":
        names.insert(2, charge_cut)
    if len(muons) < 2:
        return dict.fromkeys(names, False), None
    pair = muons[:2]
    low, high = analysis.dimuon.mass
    cuts = {
        "two muons": True,
        "lepton pT": above(pair, analysis.lepton_pt),
        "opposite charge": pair[0]["charge"] * pair[1]["charge"] < 0,
        "same charge": pair[0]["charge"] * pair[1]["charge"] > 0,
        "mass": low < mass(pair) < high,
    }
    energy, px, py, pz = total(pair)
    columns = {
        "mass": mass(pair),
        "pt": pt(pair),
        "y": 0.5 * math.log((energy + pz) / (energy - pz)),
        "phi": math.atan2(py, px),
        **common(event, analysis, muons),
    }
    for k, muon in enumerate(pair, start=1):
        columns |= {f"mu{k}_{name}": muon[name] for name in ("pt", "eta", "phi")}
        columns[f"mu{k}_iso"] = muon["pfRelIso04_all"]
    return {name: cuts[name] for name in names}, columns


def z_pairs(leptons, z):
    """All (distance, mass, i, j)."""
    found = []
    for i, j in combinations(range(len(leptons)), 2):
        if leptons[i]["flavour"] == leptons[j]["flavour"] and leptons[i]["charge"] * leptons[j]["charge"] < 0:
            m = mass([leptons[i], leptons[j]])
            if z.mass[0] < m < z.mass[1]:
                found.append((abs(m - z.nominal), m, i, j))
    return found


def best_four(leptons, analysis):
    """The indices of Z1's and Z2's leptons: every ordered pair of pairs is tried."""
    best = None
    for one, other in permutations(z_pairs(leptons, analysis.z), 2):
        if {one[2], one[3]} & {other[2], other[3]} or one[0] > other[0]:
            continue
        flavours = sorted(leptons[pair[2]]["flavour"] for pair in (one, other))
        name = {(13, 13): "4mu", (11, 13): "2e2mu", (11, 11): "4e"}[tuple(flavours)]
        if name in analysis.four_lepton.flavours and (best is None or (one[0], other[0]) < best[0]):
            best = ((one[0], other[0]), one[2:], other[2:], name)
    return best


def four_lepton(event, analysis, scale=1.0):
    muons, electrons = muons_of(event, analysis, scale), electrons_of(event, analysis)
    flavours = analysis.four_lepton.flavours
    if flavours == ("4mu",):
        electrons = []
    enough = {
        "4mu": len(muons) >= 4,
        "2e2mu": len(muons) >= 2 and len(electrons) >= 2,
        "4e": len(electrons) >= 4,
    }
    names = ("four leptons", "two Z candidates", "lepton pT", "four-lepton mass")
    cuts = dict.fromkeys(names, False) | {"four leptons": any(enough[name] for name in flavours)}
    leptons = muons + electrons
    best = best_four(leptons, analysis)
    if best is None:
        return cuts, None
    _, one, other, name = best
    z1, z2 = ([leptons[i] for i in pair] for pair in (one, other))
    four = by_pt(z1 + z2)
    cuts["two Z candidates"] = True
    cuts["lepton pT"] = above(four, analysis.lepton_pt)
    cuts["four-lepton mass"] = mass(four) > analysis.four_lepton.min_mass
    columns = {
        "m4l": mass(four),
        "pt4l": pt(four),
        "flavour": ("4mu", "2e2mu", "4e").index(name),
        "z1_mass": mass(z1),
        "z1_pt": pt(z1),
        "z2_mass": mass(z2),
        "z2_pt": pt(z2),
        **common(event, analysis, leptons),
    }
    for k, lepton in enumerate(four, start=1):
        columns |= {f"l{k}_pt": lepton["pt"], f"l{k}_eta": lepton["eta"]}
    return cuts, columns


def dijet(event, analysis, scale=1.0):
    leptons = muons_of(event, analysis, scale) + electrons_of(event, analysis)
    jets = by_pt([jet for jet in event["FatJet"] if is_jet(jet, analysis.fat_jets, leptons)])
    wanted = analysis.dijet
    names = ["two fat jets"]
    names += ["delta eta"] if wanted.delta_eta is not None else []
    names += ["dijet mass"] if wanted.min_mass is not None else []
    if len(jets) < 2:
        return dict.fromkeys(names, False), None
    pair = jets[:2]
    delta_eta = abs(pair[0]["eta"] - pair[1]["eta"])
    cuts = {
        "two fat jets": True,
        "delta eta": wanted.delta_eta is None or delta_eta < wanted.delta_eta,
        "dijet mass": wanted.min_mass is None or mass(pair) > wanted.min_mass,
    }
    columns = {"mjj": mass(pair), "delta_eta": delta_eta, **common(event, analysis, leptons)}
    for k, jet in enumerate(pair, start=1):
        columns |= {f"j{k}_{name}": jet[name] for name in ("pt", "eta", "phi", "mass")}
        columns[f"j{k}_msoftdrop"] = jet.get("msoftdrop", math.nan)
        columns[f"j{k}_tau21"] = jet["tau2"] / jet["tau1"] if jet["tau1"] > 0 else 1.0
    return {name: cuts[name] for name in names}, columns


SELECT = {"dimuon": dimuon, "four-lepton": four_lepton, "dijet": dijet}


def cutflow(cuts_of_events):
    """Cut -> events that pass it and all before it."""
    counts = {}
    for cuts in cuts_of_events:
        passes = True
        for name, good in cuts.items():
            passes = passes and bool(good)
            counts[name] = counts.get(name, 0) + passes
    return counts

"""Toy events in NanoAOD layout: from lists of dicts, or drawn by hypothesis."""

from __future__ import annotations

import math

import awkward as ak
import numpy as np
from hypothesis import strategies as st

MUON = {"pt": "f4", "eta": "f4", "phi": "f4", "mass": "f4", "charge": "i4"}
MUON |= {"mediumId": "?", "tightId": "?", "pfRelIso04_all": "f4", "sip3d": "f4"}
ELECTRON = {"pt": "f4", "eta": "f4", "phi": "f4", "mass": "f4", "charge": "i4", "cutBased": "i4", "sip3d": "f4"}
JET = {"pt": "f4", "eta": "f4", "phi": "f4", "mass": "f4", "jetId": "i4"}
FAT_JET = JET | {"msoftdrop": "f4", "tau1": "f4", "tau2": "f4"}
FIELDS = {"Muon": MUON, "Electron": ELECTRON, "Jet": JET, "FatJet": FAT_JET}
GOOD = {
    "Muon": {"mass": 0.10566, "mediumId": True, "tightId": True, "pfRelIso04_all": 0.05, "sip3d": 1.0},
    "Electron": {"mass": 0.000511, "cutBased": 4, "sip3d": 1.0},
    "Jet": {"mass": 8.0, "jetId": 6},
    "FatJet": {"mass": 60.0, "jetId": 6, "msoftdrop": 40.0, "tau1": 0.4, "tau2": 0.1},
}


def records(events, collection, double=False):
    """Jagged records of one collection; what an object does not say is good enough."""
    objects = [[GOOD[collection] | one for one in event.get(collection, ())] for event in events]
    flat = [one for event in objects for one in event]
    kinds = FIELDS[collection]
    columns = {}
    for name, kind in kinds.items():
        kind = "f8" if double and kind == "f4" else kind
        columns[name] = np.array([one[name] for one in flat], dtype=kind)
    return ak.unflatten(ak.zip(columns), np.array([len(event) for event in objects], dtype=np.int64))


def nano(events):
    """Events as a reader gives them."""
    content = {name: records(events, name) for name in FIELDS}
    content["MET"] = ak.zip({"pt": np.array([event.get("met", 20.0) for event in events], dtype="f4")})
    content["PV"] = ak.zip({"npvs": np.array([event.get("npvs", 15) for event in events], dtype="i4")})
    return ak.zip(content, depth_limit=1)


def lists(events):
    """The same events for the loops: numbers as single precision keeps them."""
    made = []
    for event in events:
        plain = {"met": float(np.float32(event.get("met", 20.0))), "npvs": event.get("npvs", 15)}
        for collection, kinds in FIELDS.items():
            plain[collection] = [
                {name: np.array(one[name], dtype=kind).item() for name, kind in kinds.items()}
                for one in (GOOD[collection] | given for given in event.get(collection, ()))
            ]
        made.append(plain)
    return made


def _numbers(low, high):
    return st.floats(low, high, allow_nan=False, width=32)


def _angles(low, high):
    """Multiples of 1/64, so that no angle and no distance lies within a rounding of a threshold such as 0.8 or 2.4."""
    return st.integers(int(64 * low), int(64 * high)).map(lambda steps: steps / 64)


def leptons(most, quality):
    """Leptons with pT around the thresholds, some of them bad; no two of the same pT."""
    one = st.fixed_dictionaries(
        {
            "pt": _numbers(3.0, 90.0),
            "eta": _angles(-2.75, 2.75),
            "phi": _angles(-3.140625, 3.140625),
            "charge": st.sampled_from([-1, 1]),
            **quality,
        }
    )
    return st.lists(one, max_size=most, unique_by=lambda lepton: lepton["pt"])


MOSTLY = st.sampled_from([True, True, True, True, False])
MUONS = leptons(6, {"mediumId": MOSTLY, "pfRelIso04_all": st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.6])})
ELECTRONS = leptons(4, {"cutBased": st.sampled_from([2, 3, 4, 4]), "sip3d": st.sampled_from([0.5, 1.0, 4.0])})
JETS = st.lists(
    st.fixed_dictionaries(
        {
            "pt": _numbers(10.0, 600.0),
            "eta": _angles(-3.0, 3.0),
            "phi": _angles(-3.140625, 3.140625),
            "mass": _numbers(0.0, 120.0),
            "jetId": st.sampled_from([0, 1, 2, 6, 6, 6]),
        }
    ),
    max_size=4,
    unique_by=lambda jet: jet["pt"],
)
EVENT = st.fixed_dictionaries({"Muon": MUONS, "Electron": ELECTRONS, "Jet": JETS, "FatJet": JETS})
EVENTS = st.lists(EVENT, min_size=1, max_size=8)


def rotated(event, angle):
    """The event turned about the beam."""
    turn = {
        name: [{**one, "phi": math.remainder(one["phi"] + angle, 2 * math.pi)} for one in event[name]]
        for name in FIELDS
        if name in event
    }
    return {**event, **turn}

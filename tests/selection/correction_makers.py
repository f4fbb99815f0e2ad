"""Small correction files in exactly the structure of the official ones (LUM and MUO of jsonpog-integration, UL2016)."""

from __future__ import annotations

import gzip
import json

PILEUP = "Collisions16_UltraLegacy_goldenJSON"
MEDIUM, LOOSE_ISO = "NUM_MediumID_DEN_TrackerMuons", "NUM_LooseRelIso_DEN_MediumID"
ETA_EDGES, PT_EDGES = [0.0, 0.9, 1.2, 2.1, 2.4], [15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 120.0]


def pileup_weight(n, key):
    """The numbers in the file of `pileup_correction`, for the oracles."""
    return round(0.5 + 0.01 * n + {"nominal": 0.0, "up": 0.0005 * (n - 50), "down": -0.0005 * (n - 50)}[key], 6)


def pileup_correction(name=PILEUP, n_bins=99):
    content = [
        {
            "key": key,
            "value": {
                "nodetype": "binning",
                "input": "NumTrueInteractions",
                "edges": [float(edge) for edge in range(n_bins + 1)],
                "content": [pileup_weight(n, key) for n in range(n_bins)],
                "flow": "clamp",
            },
        }
        for key in ("nominal", "up", "down")
    ]
    return {
        "name": name,
        "description": "These are the 2016 weights for the UL samples",
        "version": 0,
        "inputs": [
            {"name": "NumTrueInteractions", "type": "real", "description": "Number of true interactions"},
            {"name": "weights", "type": "string", "description": "nominal, up, or down"},
        ],
        "output": {"name": "weight", "type": "real", "description": "Event weight for pileup reweighting"},
        "data": {"nodetype": "category", "input": "weights", "content": content},
    }


def scale_factor(i, j, key):
    """The numbers in the files of `muon_correction`: bin i of abs(eta) and j of pT."""
    nominal, error = 0.95 + 0.01 * i - 0.002 * j, 0.003 + 0.001 * i + 0.0005 * j
    values = {"nominal": nominal, "stat": 0.6 * error, "syst": 0.8 * error}
    values |= {"systup": nominal + error, "systdown": nominal - error}
    return round(values[key], 6)


KEYS = ("nominal", "stat", "syst", "systup", "systdown")


def muon_correction(name=MEDIUM, older=False, last_pt=120.0, years=("2016postVFP_UL",), angle="abseta"):
    """Newer files take (abseta, pt, scale_factors), older ones (year, abseta, pt, ValType) and call nominal "sf".

    With ``angle="eta"`` the bins are those of abs(eta), with their mirror images before them.
    """
    kind = "ValType" if older else "scale_factors"
    pt_edges = [*PT_EDGES[:-1], last_pt]

    def leaf(i, j):
        content = [
            {"key": "sf" if older and key == "nominal" else key, "value": scale_factor(i, j, key)} for key in KEYS
        ]
        return {"nodetype": "category", "input": kind, "content": content}

    def rows(i):
        content = [leaf(i, j) for j in range(len(pt_edges) - 1)]
        return {"nodetype": "binning", "input": "pt", "edges": pt_edges, "content": content, "flow": "error"}

    content, eta_edges = [rows(i) for i in range(len(ETA_EDGES) - 1)], ETA_EDGES
    if angle == "eta":
        content, eta_edges = content[::-1] + content, [-edge for edge in ETA_EDGES[:0:-1]] + ETA_EDGES
    data = {"nodetype": "binning", "input": angle, "edges": eta_edges, "content": content, "flow": "error"}
    inputs = [
        {"name": angle, "type": "real", "description": "Probe abseta"},
        {"name": "pt", "type": "real", "description": "Probe pt"},
        {"name": kind, "type": "string", "description": "Choose nominal scale factor or one of the uncertainties"},
    ]
    if older:
        inputs.insert(0, {"name": "year", "type": "string", "description": "year/scenario"})
        content = [{"key": year, "value": data} for year in years]
        data = {"nodetype": "category", "input": "year", "content": content}
    output = {"name": "weight", "type": "real", "description": "Output scale factor (nominal) or uncertainty"}
    return {"name": name, "description": name, "version": 1, "inputs": inputs, "output": output, "data": data}


def write(path, *corrections, **extra):
    """Write a set; packed if the name says so."""
    text = json.dumps({"schema_version": 2, "description": "a test", "corrections": list(corrections)} | extra)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def official(folder, **options):
    """A folder with a file of pile-up and a file of muons, as a user has them."""
    folder.mkdir(exist_ok=True)
    write(folder / "puWeights.json.gz", pileup_correction())
    write(folder / "muon_Z.json.gz", muon_correction(MEDIUM, **options), muon_correction(LOOSE_ISO, **options))
    return folder

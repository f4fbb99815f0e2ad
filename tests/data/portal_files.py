"""Small records and file indexes in the portal's format, of data sets that do not exist."""

from __future__ import annotations

import json
from pathlib import Path

DATA = "/TwoMuons/Run2016H-UL2016_NanoAODv9-v1/NANOAOD"
DATA_FOLDER = "/eos/opendata/cms/Run2016H/TwoMuons/NANOAOD/UL2016_NanoAODv9-v1/"
MC = "/FourLeptons_13TeV/RunIISummer20UL16NanoAODv9-106X_v17-v1/NANOAODSIM"
MC_FOLDER = "/eos/opendata/cms/mc/RunIISummer20UL16NanoAODv9/FourLeptons_13TeV/NANOAODSIM/106X_v17-v1/"
GOLDEN = {"281613": [[1, 20]], "284044": [[1, 30], [40, 50]]}


def entry(folder: str = DATA_FOLDER, name: str = "0A.root", volume: str = "70000", **other) -> dict:
    """One entry as the portal writes it; ``key=None`` takes a key away."""
    made = {
        "checksum": "adler32:12e45678",
        "filename": name,
        "size": 1234,
        "uri": f"root://eospublic.cern.ch/{folder}{volume}/{name}",
    } | other
    return {key: value for key, value in made.items() if value is not None}


def write_index(path: Path, *entries: dict) -> Path:
    path.write_text(json.dumps(list(entries), indent=2))
    return path


def record(number: int = 91, title: str = DATA, entries: tuple = (), **other) -> dict:
    """What the portal answers; `other` goes into the metadata."""
    metadata = {
        "recid": str(number),
        "title": title,
        "doi": "10.7483/OPENDATA.CMS.TEST.0091",
        "abstract": {"description": "<p>Toy. Run period from run number 281613 to 284044.</p>"},
        "distribution": {"number_events": 5000, "number_files": len(entries), "size": 2468, "formats": ["nanoaod"]},
        "files": [],
    } | other
    if entries:
        metadata["_file_indices"] = [{"key": "a_file_index.json", "files": list(entries)}]
    return {"id": str(number), "created": "2024-01-01", "metadata": metadata}


FILESET = {
    "name": "toy-2016",
    "version": 1,
    "luminosity_fb": 16.0,
    "golden_json": "toy_golden.txt",
    "golden_json_record": 14220,
    "eras": {
        "Run2016F": {"public": False},
        "Run2016G": {"luminosity_fb": 7.0},
        "Run2016H": {"luminosity_fb": 9.0, "runs": [281613, 284044]},
    },
    "datasets": {
        "muons-f": {"kind": "data", "primary": "TwoMuons", "era": "Run2016F", "public": False},
        "muons-g": {"kind": "data", "primary": "TwoMuons", "era": "Run2016G"},
        "muons-h": {
            "kind": "data",
            "primary": "TwoMuons",
            "era": "Run2016H",
            "name": DATA,
            "record": 91,
            "n_events": 5000,
            "source_seen": "this test",
        },
        "four": {
            "kind": "simulation",
            "name": MC,
            "record": 92,
            "source_seen": "this test",
            "cross_section": {"pb": 1.5e-5, "order": "LO", "source": "this test"},
        },
        "four-too": {
            "kind": "simulation",
            "record": 93,
            "source_seen": "this test",
            "excludes": ["four"],
        },
    },
}

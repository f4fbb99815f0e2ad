"""Compute the data of the page's slider: the dimuon spectrum of the bundled sample after each muon pT cut.

Writes book/_static/dimuon-pt-slider.json.  A test computes it again and compares.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import awkward as ak
import numpy as np

from cmslabs.data.download import dataset_path
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.io import atomic_write, sha256

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "book" / "_static" / "dimuon-pt-slider.json"
SAMPLE = "sim-dimuon"

#: Logarithmic bins from below the J/psi to above the Z [GeV].
MASS_EDGES = np.geomspace(2.0, 120.0, 181)
#: The slider's positions [GeV]; no muon of the sample has less than the first.
CUTS = np.arange(3.0, 41.0, 1.0)
#: Where we count for the spoken summary [GeV].
WINDOWS = {"J/psi": (2.9, 3.3), "Upsilon": (9.0, 10.6), "Z boson": (81.0, 101.0)}


def opposite_pairs(muons: ak.Array) -> tuple[np.ndarray, np.ndarray]:
    """Mass and smaller pT [GeV] of the two leading muons where their charges are opposite."""
    # The file holds 32-bit numbers; sums of four-vectors at low mass need more.
    muons = ak.values_astype(muons, np.float64)
    muons = muons[ak.argsort(muons.pt, axis=1, ascending=False)]
    muons = muons[ak.num(muons) >= 2]
    first, second = muons[:, 0], muons[:, 1]
    opposite = first.charge * second.charge < 0
    mass = ak.to_numpy((first + second).mass[opposite])
    return mass, ak.to_numpy(np.minimum(first.pt, second.pt)[opposite])


def slider_data(muons: ak.Array) -> dict:
    """Counts per mass bin, and in the named windows, for every cut."""
    mass, smaller_pt = opposite_pairs(muons)
    passing = [mass[smaller_pt > cut] for cut in CUTS]
    windows = [
        {
            "name": name,
            "low_gev": low,
            "high_gev": high,
            "pairs": [int(np.count_nonzero((m > low) & (m < high))) for m in passing],
        }
        for name, (low, high) in WINDOWS.items()
    ]
    return {
        "simulation": True,
        "mass_edges_gev": [round(float(edge), 5) for edge in MASS_EDGES],
        "cuts_gev": CUTS.tolist(),
        "counts": [np.histogram(m, MASS_EDGES)[0].tolist() for m in passing],
        "pairs": [len(m) for m in passing],
        "windows": windows,
    }


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    path = dataset_path(SAMPLE)
    data = slider_data(read_nanoaod(path, collections=["Muon"]).Muon)
    data["provenance"] = {
        "sample": SAMPLE,
        "sample_sha256": sha256(path),
        "script": "data_scripts/make_slider_data.py",
        "selection": "the two muons with the highest pT, opposite charges, both above the cut",
    }
    # One line per list: as small as JSON gets, and a change of the sample is still readable in a diff.
    lines = (f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in data.items())
    with atomic_write(arguments.out) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(arguments.out)


if __name__ == "__main__":
    main()

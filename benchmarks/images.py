"""How fast constituents become jet images, against four other ways of doing the same.

    python benchmarks/images.py [--energyflow PYTHON]

All work on the same toy jets of 100 constituents, 33 x 33 pixels, and take the same three steps: centre, rotate, flip.
Every ratio comes from one run on one machine, on one core; each time is the best of three.  ``--energyflow`` is the
Python of an environment that has EnergyFlow (https://energyflow.network): it does not fit into ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import boost_histogram as bh
import numpy as np
from record import save_result

from cmslabs.features.images import jet_images
from cmslabs.features.particles import FlatParticles, flatten_particles

SEED, N_JETS, N_CONSTITUENTS, N_PIXELS, HALF_WIDTH, REPEATS = 1, 5000, 100, 33, 1.1, 3
EDGES = np.linspace(-HALF_WIDTH, HALF_WIDTH, N_PIXELS + 1)


def toy_jets(n_jets: int, seed: int) -> ak.Array:
    """Jets of `N_CONSTITUENTS` constituents anywhere in the detector, also at the seam of phi."""
    rng = np.random.default_rng(seed)
    n = n_jets * N_CONSTITUENTS
    axis_eta, axis_phi = (np.repeat(rng.uniform(-w, w, n_jets), N_CONSTITUENTS) for w in (2.0, np.pi))
    angle, radius = rng.uniform(0, 2 * np.pi, n), rng.exponential(0.15, n)
    phi = np.angle(np.exp(1j * (axis_phi + radius * np.sin(angle))))
    columns = {"pt": rng.exponential(12.0, n) + 0.1, "eta": axis_eta + radius * np.cos(angle), "phi": phi}
    return ak.unflatten(ak.zip(columns), N_CONSTITUENTS)


def ours(jets: ak.Array) -> np.ndarray:
    """One call."""
    return jet_images(jets, n_pixels=N_PIXELS, half_width=HALF_WIDTH)


def one_by_one(jets: ak.Array) -> np.ndarray:
    """The rival: the obvious loop over jets, with NumPy's eigenvectors and `numpy.histogram2d`."""
    flat = flatten_particles(jets, "jet")
    images = np.zeros((len(jets), N_PIXELS, N_PIXELS), dtype=np.float32)
    for i, (first, stop) in enumerate(zip(flat.offsets[:-1], flat.offsets[1:], strict=True)):
        pt, eta, phi = flat.pt[first:stop], flat.eta[first:stop], flat.phi[first:stop]
        phi = phi - phi[np.argmax(pt)]
        points = np.stack([eta, phi - 2 * np.pi * np.round(phi / (2 * np.pi))])
        points -= (points @ pt / pt.sum())[:, None]
        _, vectors = np.linalg.eigh((points * pt) @ points.T)
        along = vectors[:, 1]
        points = np.stack([[along[1], -along[0]], along]) @ points
        for coordinate in points:
            if pt @ np.sign(coordinate) < 0:
                coordinate *= -1
        image, _, _ = np.histogram2d(points[1], points[0], [EDGES, EDGES], weights=pt)
        images[i] = image / image.sum()
    return images


def numpy_frame(flat: FlatParticles) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``x``, ``y`` and the number of its jet for each constituent, in whole-array NumPy; no jet may be empty."""
    starts, counts = flat.offsets[:-1], flat.counts
    jet = np.repeat(np.arange(len(counts)), counts)
    total = np.add.reduceat(flat.pt, starts)

    def mean(values: np.ndarray) -> np.ndarray:
        return (np.add.reduceat(flat.pt * values, starts) / total)[jet]

    x, y = flat.eta, flat.phi - flat.phi[starts][jet]
    y = y - 2 * np.pi * np.round(y / (2 * np.pi))
    x, y = x - mean(x), y - mean(y)
    angle = 0.5 * np.arctan2(-2 * mean(x * y), mean(y * y) - mean(x * x))
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = cos * x + sin * y, cos * y - sin * x
    return x * np.where(mean(np.sign(x)) < 0, -1, 1), y * np.where(mean(np.sign(y)) < 0, -1, 1), jet


def with_bincount(jets: ak.Array) -> np.ndarray:
    """The rival: whole-array NumPy, pixels filled by `numpy.bincount`."""
    flat = flatten_particles(jets, "jet")
    x, y, jet = numpy_frame(flat)
    column, row = (np.floor((c / HALF_WIDTH + 1) * (N_PIXELS / 2)).astype(np.int64) for c in (x, y))
    inside = (column >= 0) & (column < N_PIXELS) & (row >= 0) & (row < N_PIXELS)
    pixel = ((jet * N_PIXELS + row) * N_PIXELS + column)[inside]
    images = np.bincount(pixel, flat.pt[inside], minlength=len(jets) * N_PIXELS**2).reshape(-1, N_PIXELS, N_PIXELS)
    return (images / images.sum(axis=(1, 2), keepdims=True)).astype(np.float32)


def with_boost_histogram(jets: ak.Array) -> np.ndarray:
    """The rival: the same, filled as one three-dimensional boost-histogram."""
    flat = flatten_particles(jets, "jet")
    x, y, jet = numpy_frame(flat)
    pixels = bh.axis.Regular(N_PIXELS, -HALF_WIDTH, HALF_WIDTH, underflow=False, overflow=False)
    histogram = bh.Histogram(bh.axis.Integer(0, len(jets), underflow=False, overflow=False), pixels, pixels)
    images = histogram.fill(jet, y, x, weight=flat.pt).values()
    return (images / images.sum(axis=(1, 2), keepdims=True)).astype(np.float32)


def best_rate(make: Callable[[ak.Array], np.ndarray], jets: ak.Array) -> float:
    """Jets per second of CPU time in the fastest of `REPEATS` runs, after one that compiles and warms up."""
    make(jets)
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        make(jets)
        times.append(time.process_time() - start)
    return len(jets) / min(times)


def energyflow_rate(python: str, jets: ak.Array) -> dict[str, object]:
    """What `images_energyflow.py` measures on the same jets in another environment.

    It does not take differences of phi the short way round and finds no particles in a jet at the seam, so it is given
    angles that have no seam.
    """
    columns = np.stack([ak.to_numpy(jets[name]) for name in ("pt", "eta", "phi")], axis=-1)
    phi = columns[:, :, 2] - columns[:, :1, 2]
    columns[:, :, 2] = phi - 2 * np.pi * np.round(phi / (2 * np.pi))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "jets.npy")
        np.save(path, columns)
        script = Path(__file__).with_name("images_energyflow.py")
        command = [python, str(script), str(path), str(N_PIXELS), str(HALF_WIDTH), str(REPEATS)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Run, print a table, keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--energyflow", metavar="PYTHON", help="python of an environment with EnergyFlow")
    options = parser.parse_args()
    config = {
        "seed": SEED,
        "n_jets": N_JETS,
        "constituents": N_CONSTITUENTS,
        "n_pixels": N_PIXELS,
        "half_width": HALF_WIDTH,
        "repeats": REPEATS,
        "time": "CPU time of the process, one thread",
    }
    jets = toy_jets(N_JETS, SEED)
    expected = ours(jets)
    numbers: dict[str, object] = {}
    rates = {}
    for make in (ours, one_by_one, with_bincount, with_boost_histogram):
        # Where rounding puts a constituent on the other side of a border, two pixels differ.
        same = np.abs(make(jets) - expected).sum(axis=(1, 2)) < 1e-3
        numbers[make.__name__] = rates[make.__name__] = best_rate(make, jets)
        numbers[f"{make.__name__}_same_images"] = float(np.mean(same))
    if options.energyflow:
        found = energyflow_rate(options.energyflow, jets)
        numbers["energyflow"] = rates["energyflow"] = found["rate"]
        numbers["energyflow_version"] = found["version"]
    for name, rate in rates.items():
        numbers[f"{name}_ratio"] = rates["ours"] / rate
        print(f"{name:22} {rate:10.0f} jets/s {rates['ours'] / rate:8.1f}")
    save_result("images", config=config, numbers=numbers, packages=("numpy", "awkward", "numba", "boost-histogram"))


if __name__ == "__main__":
    main()

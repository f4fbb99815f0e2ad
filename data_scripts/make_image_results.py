"""The table of chapter 13: image autoencoders, with and without skips, in both directions, >= 5 seeds each.

Simulates the events, trains, and writes ``src/cmslabs/data/results/jet-images.json``.  An interrupted run goes on.

Example: python data_scripts/make_image_results.py --work build/image-results
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from repository import checked_out
from scipy.stats import spearmanr

from cmslabs.data.stored_results import result_path, write_result
from cmslabs.errors import CmslabsError
from cmslabs.evaluation.metrics import auc, bootstrap, max_sic
from cmslabs.features.images import jet_images
from cmslabs.features.substructure import tau_ratio
from cmslabs.io import json_hash, read_json, sha256, write_json
from cmslabs.models.registry import make_model
from cmslabs.simulation.chunkfile import read_events_of_chunk
from cmslabs.simulation.processes import get_process
from cmslabs.simulation.production import Recipe, run_recipe

ROOT = Path(__file__).resolve().parent.parent
#: What decides the numbers; results of other code are not taken for ours.
CODE = (
    *(f"src/cmslabs/features/{name}.py" for name in ("compiling", "image_frame", "images", "particles")),
    *(f"src/cmslabs/models/{name}.py" for name in ("image_autoencoder", "settings", "torch_model", "training")),
    "data_scripts/make_image_results.py",
)
SIGNALS = ("wprime-2prong", "wprime-3prong", "zprime-tt", "graviton-ww")
CONFIG: dict[str, Any] = {
    # Events after the trigger and the seed, which the bundled samples do not have.  The first 1000 are for training.
    "events": {
        "qcd-dijets": [5000, 701],
        "wprime-2prong": [2000, 702],
        "wprime-3prong": [2000, 703],
        "zprime-tt": [2000, 704],
        "graviton-ww": [2000, 705],
    },
    "train_events": 1000,
    # QCD events after the training part that play the background; those after them play a signal that is none.
    "test_background": 3000,
    "image": {"n_pixels": 24, "half_width": 1.1, "channel": "pt"},
    "model": {
        "latent": 6,
        "epochs": 12,
        "batch_size": 32,
        "learning_rate": 2e-3,
        "schedule": "cosine",
        "patience": None,
        "device": "cpu",
    },
    "trained_on": ["qcd-dijets", "wprime-2prong", "zprime-tt"],
    "pixels": ["sqrt", "raw"],
    "skips": [False, True],
    "seeds": [0, 1, 2, 3, 4],
    "event_score": "mean of the two jets' scores",
}


def simulate(work: Path) -> dict[str, ak.Array]:
    """Events of every process, from chunks in the folder `work`."""
    events = {}
    for process, (number, seed) in CONFIG["events"].items():
        recipe = Recipe(get_process(process), content=("constituents",))
        paths = run_recipe(recipe, number, seed, work / process, progress=True)
        events[process] = ak.concatenate([read_events_of_chunk(path) for path in paths])
    return events


def images_of(events: ak.Array) -> np.ndarray:
    """Images of both jets, shape (n_events, 2, n_pixels, n_pixels)."""
    return np.stack([jet_images(events[jet], **CONFIG["image"]) for jet in ("j1", "j2")], axis=1)


def simple_numbers(events: ak.Array, images: np.ndarray) -> dict[str, np.ndarray]:
    """What one can know of an event without any training, shape (n_events,) each."""
    table = {name: ak.to_numpy(events.table[name]) for name in events.table.fields}
    tau21 = [tau_ratio(table[f"tau2{jet}"], table[f"tau1{jet}"]) for jet in ("j1", "j2")]
    return {
        "mass": table["mj1"] + table["mj2"],
        "constituents": (table["nconstj1"] + table["nconstj2"]).astype(float),
        "pixels": np.count_nonzero(images, axis=(1, 2, 3)).astype(float),
        "tau21": -(tau21[0] + tau21[1]),
    }


def jet_features(events: ak.Array) -> np.ndarray:
    """What the supervised bound sees: mass, multiplicity, tau21, tau32 of both jets, by mass; shape (n_events, 8)."""
    table = {name: ak.to_numpy(events.table[name]) for name in events.table.fields}
    jets = []
    for jet in ("j1", "j2"):
        tau21, tau32 = (tau_ratio(table[f"tau{n + 1}{jet}"], table[f"tau{n}{jet}"]) for n in (1, 2))
        jets.append(np.stack([table[f"m{jet}"], table[f"nconst{jet}"], tau21, tau32], axis=1))
    order = (jets[0][:, 0] < jets[1][:, 0])[:, None]
    return np.hstack([np.where(order, jets[1], jets[0]), np.where(order, jets[0], jets[1])])


def parts(process: str, n: int) -> dict[str, slice]:
    """Rows of a process: for training, as background, as signal, and as the signal of the null row."""
    first = CONFIG["train_events"]
    if process == "qcd-dijets":
        end = first + CONFIG["test_background"]
        return {
            "train": slice(first),
            "background": slice(first, end),
            "signal": slice(first, end),
            "null": slice(end, n),
        }
    half = (first + n) // 2
    # Trained on a signal, its first half is the background and its second half the null row.
    return {"train": slice(first), "background": slice(first, half), "signal": slice(first, n), "null": slice(half, n)}


def compare(background: np.ndarray, signal: np.ndarray) -> dict[str, float]:
    """AUC with its bootstrap interval, and max SIC."""
    labels = np.repeat([0, 1], [len(background), len(signal)])
    scores = np.concatenate([background, signal])
    interval = bootstrap(auc, labels, scores, n=100, random_state=0)
    found = {"auc": interval.value, "low": interval.low, "high": interval.high, "max_sic": max_sic(labels, scores)}
    return {name: round(float(value), 4) for name, value in found.items()}


def against(trained_on: str, numbers: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Every other process, and the null row, against the one that was trained on."""
    rows = {name: parts(name, len(values)) for name, values in numbers.items()}
    background = numbers[trained_on][rows[trained_on]["background"]]
    found = {"null": compare(background, numbers[trained_on][rows[trained_on]["null"]])}
    others = SIGNALS if trained_on == "qcd-dijets" else ("qcd-dijets",)
    return found | {name: compare(background, numbers[name][rows[name]["signal"]]) for name in others}


def train(trained_on: str, pixels: str, skips: bool, seed: int, images: dict, simple: dict) -> dict[str, Any]:
    """One row of the table."""
    model = make_model("image-autoencoder", pixels=pixels, skips=skips, random_state=seed, **CONFIG["model"])
    n_pixels = CONFIG["image"]["n_pixels"]
    start = time.perf_counter()
    model.fit(images[trained_on][: CONFIG["train_events"]].reshape(-1, n_pixels, n_pixels))
    seconds = time.perf_counter() - start
    wanted = images if trained_on == "qcd-dijets" else {name: images[name] for name in (trained_on, "qcd-dijets")}
    scores = {
        name: model.anomaly_score(values.reshape(-1, n_pixels, n_pixels)).reshape(-1, 2).mean(axis=1)
        for name, values in wanted.items()
    }
    rows = parts(trained_on, len(scores[trained_on]))["background"]
    known = scores[trained_on][rows]
    return {
        "trained_on": trained_on,
        "pixels": pixels,
        "skips": skips,
        "seed": seed,
        "seconds": round(seconds, 1),
        "error": float(f"{known.mean():.4g}"),
        "spearman": {
            name: round(float(spearmanr(known, values[rows]).statistic), 3)
            for name, values in simple[trained_on].items()
        },
        "against": against(trained_on, scores),
    }


def references(events: dict[str, ak.Array], simple: dict) -> Iterator[dict[str, Any]]:
    """Rows without images: one number each, then boosted trees that know the labels."""
    for name in ("mass", "constituents", "pixels", "tau21"):
        numbers = {process: values[name] for process, values in simple.items()}
        yield {"method": name, "against": against("qcd-dijets", numbers)}
    features = {process: jet_features(found) for process, found in events.items()}
    first = CONFIG["train_events"]
    for seed in CONFIG["seeds"]:
        found = {}
        for process in SIGNALS:
            model = make_model("boosted-trees", random_state=seed)
            rows = [features[name][:first] for name in ("qcd-dijets", process)]
            model.fit(np.concatenate(rows), np.repeat([0, 1], [len(one) for one in rows]))
            scores = {name: model.anomaly_score(features[name]) for name in ("qcd-dijets", process)}
            row = {name: parts(name, len(values)) for name, values in scores.items()}
            found[process] = compare(
                scores["qcd-dijets"][row["qcd-dijets"]["background"]], scores[process][row[process]["signal"]]
            )
        yield {"method": "supervised", "seed": seed, "against": found}


def main() -> int:
    """Simulate, train what is missing, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/image-results"), help="for events and finished rows")
    parser.add_argument("--out", type=Path, default=result_path("jet-images"))
    options = parser.parse_args()
    try:
        events = simulate(options.work / "events")
        images = {process: images_of(found) for process, found in events.items()}
        simple = {process: simple_numbers(found, images[process]) for process, found in events.items()}
        identity = json_hash([CONFIG, {name: sha256(ROOT / name) for name in CODE}])
        rows = []
        for trained_on, pixels, skips, seed in itertools.product(
            CONFIG["trained_on"], CONFIG["pixels"], CONFIG["skips"], CONFIG["seeds"]
        ):
            path = options.work / identity / f"{trained_on}-{pixels}-{'unet' if skips else 'cae'}-{seed}.json"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, train(trained_on, pixels, skips, seed, images, simple))
                print(path.stem, file=sys.stderr, flush=True)
            rows.append(read_json(path))
        numbers = {"autoencoders": rows, "references": list(references(events, simple))}
        write_result(
            options.out,
            "jet-images",
            script="data_scripts/make_image_results.py",
            commit=checked_out(*CODE),
            config=CONFIG,
            numbers=numbers,
            packages=("torch", "numpy", "scikit-learn", "pythia8mc", "fastjet"),
        )
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {len(rows)} trainings")
    return 0


if __name__ == "__main__":
    sys.exit(main())

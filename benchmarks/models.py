"""How fast networks train, against the same networks in the usual loop over a DataLoader, and in skorch.

    python benchmarks/models.py [--quick] [--skorch FOLDER]

The rivals stand in `models_rivals.py`: same data, same first weights, same batches in the same order, same number of
epochs, same validation part, five seeds.  Rounding grows in a training, so two loops of one seed end a little apart; a
loop whose mean AUC differs by more than 0.01 is an error.  The loop runs twice, with torch's own number of threads, as
people write it, and with one, which is faster for small networks.  skorch is not among the course's packages: install
it into a folder of its own (``pip install --no-deps --target FOLDER skorch tabulate``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from models_rivals import Epochs, dataloader_loop, skorch_fit
from record import save_result

from cmslabs.data.download import dataset_path
from cmslabs.data.jagged import read_events
from cmslabs.evaluation.metrics import auc
from cmslabs.evaluation.splits import split_events
from cmslabs.features.dijets import detector_features
from cmslabs.features.images import jet_images
from cmslabs.models.devices import seeded, stream_seed
from cmslabs.models.registry import make_model
from cmslabs.models.training import TrainingSettings, train

SEEDS, SIGNAL = (1, 2, 3, 4, 5), "wprime-2prong"
#: Model -> its parameters, epochs, and the AUC to reach [against W' with two prongs], seen in a first run.
CASES: dict[str, dict[str, Any]] = {
    "autoencoder": {"name": "autoencoder", "parameters": {}, "epochs": 12, "auc": 0.60},
    "vae": {"name": "vae", "parameters": {"beta": 0.1, "scoring": "kl"}, "epochs": 12, "auc": 0.75},
    "image-autoencoder": {"name": "image-autoencoder", "parameters": {}, "epochs": 4, "auc": 0.61},
    "image U-Net": {"name": "image-autoencoder", "parameters": {"skips": True}, "epochs": 4, "auc": 0.57},
}


def read_parts(images: bool) -> dict[str, np.ndarray]:
    """Training and validation part (QCD), and test events with their labels."""
    if images:
        events = read_events(dataset_path("sim-dijet-constituents"))
        X = jet_images(events.j1, n_pixels=24)
        process, ids = np.asarray(events.process.tolist()), np.asarray(events.event)
    else:
        table = pd.read_parquet(dataset_path("sim-dijet-features"))
        X, process, ids = detector_features(table).to_numpy(), table["process"].to_numpy(), table["event"]
    split, background = split_events(ids), process == "qcd-dijets"
    test = split.test[background[split.test] | (process[split.test] == SIGNAL)]
    train_rows, validation = (rows[background[rows]] for rows in (split.train, split.validation))
    return {"train": X[train_rows], "val": X[validation], "test": X[test], "labels": (process[test] == SIGNAL) * 1}


class Case:
    """One model, ready to be trained from the same weights again and again."""

    def __init__(self, case: dict[str, Any], parts: dict[str, np.ndarray], epochs: int):
        self.epochs, self.seed = epochs, SEEDS[0]
        self.model = make_model(case["name"], **case["parameters"], epochs=1, device="cpu", random_state=SEEDS[0])
        self.model.fit(parts["train"][:500], X_val=parts["val"])
        self.model._measure(self.model._checked(parts["train"], reset=True))
        self.parts = parts
        self.arrays = [
            self.model._scaled(self.model._checked(parts[name], reset=False)).astype(np.float32)
            for name in ("train", "val")
        ]
        self.batch_size, self.learning_rate = self.model.batch_size, self.model.learning_rate
        self.loss = self.model._loss()

    def network(self) -> Any:
        """The untrained weights of a seed."""
        with seeded(self.seed):
            return self.model._network()

    def auc(self, network: Any) -> float:
        """Of the test events."""
        self.model.network_ = network
        return auc(self.parts["labels"], self.model.anomaly_score(self.parts["test"]))


def ours(case: Case) -> Epochs:
    """The course's loop."""
    aucs, seconds = [], []

    def watch(network: Any, history: Any) -> None:
        aucs.append(case.auc(network))
        network.eval()
        seconds.append(history.seconds)

    settings = TrainingSettings(
        epochs=case.epochs, batch_size=case.batch_size, learning_rate=case.learning_rate, patience=None, device="cpu"
    )
    train(case.network(), case.loss, *case.arrays, settings, random_state=case.seed, after_epoch=watch)
    return Epochs(aucs, seconds)


def summary(runs: list[Epochs], n_events: int, wanted: float) -> dict[str, float | None]:
    """Time of the fastest run, mean AUC, and the median time to the AUC, unless less than half of the runs reach it."""
    fastest = min(run.seconds[-1] for run in runs)
    reached = [
        min((t for t, value in zip(run.seconds, run.aucs, strict=True) if value >= wanted), default=np.inf)
        for run in runs
    ]
    return {
        "seconds": fastest,
        "events_per_second": n_events / fastest,
        "auc": float(np.mean([run.aucs[-1] for run in runs])),
        "seconds_to_auc": float(np.median(reached)) if np.isfinite(np.median(reached)) else None,
    }


def compare(name: str, case: Case, wanted: float, seeds: Sequence[int], skorch: bool) -> dict[str, Any]:
    """All ways to train one model, in turns, so that a busy minute hits all of them."""
    ways: dict[str, Callable[[], Epochs]] = {
        "ours": lambda: ours(case),
        "DataLoader": lambda: dataloader_loop(case, stream_seed(case.seed, "order")),
        "DataLoader, one thread": lambda: dataloader_loop(case, stream_seed(case.seed, "order"), threads=1),
    }
    if skorch and name == "autoencoder":
        ways["skorch"] = lambda: skorch_fit(case)
        ways["skorch, one thread"] = lambda: skorch_fit(case, threads=1)
    runs: dict[str, list[Epochs]] = {way: [] for way in ways}
    for case.seed in seeds:
        for way, run in ways.items():
            runs[way].append(run())
    n_events = len(case.arrays[0])
    found = {way: summary(these, n_events * case.epochs, wanted) for way, these in runs.items()}
    for way, numbers in found.items():
        numbers["ratio"] = numbers["seconds"] / found["ours"]["seconds"]
        reached = "never" if numbers["seconds_to_auc"] is None else f"{numbers['seconds_to_auc']:.2f}"
        print(
            f"{name:18} {way:24} {numbers['seconds']:8.2f} {numbers['events_per_second']:10.0f} {reached:>7}"
            f" {numbers['auc']:7.3f} {numbers['ratio']:6.1f}",
            flush=True,
        )
        # skorch draws its batches in another order; the loops see the same ones.
        if "DataLoader" in way and abs(numbers["auc"] - found["ours"]["auc"]) > 0.01:
            raise SystemExit(f"{name}: {way} reaches an AUC of {numbers['auc']:.3f}; it is not the same training.")
    return {"wanted_auc": wanted, "n_train": n_events, "batch_size": case.batch_size, "epochs": case.epochs, **found}


def main() -> None:
    """Run, print a table, keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two epochs, once, and nothing is kept")
    parser.add_argument("--skorch", help="folder with skorch and tabulate")
    options = parser.parse_args()
    if options.skorch:
        sys.path.append(options.skorch)
    seeds = SEEDS[:1] if options.quick else SEEDS
    torch.manual_seed(SEEDS[0])
    numbers: dict[str, Any] = {"threads": torch.get_num_threads()}
    print(f"{'model':18} {'loop':24} {'time [s]':>8} {'events/s':>10} {'to AUC':>7} {'AUC':>7} {'ratio':>6}")
    parts = {images: read_parts(images) for images in (False, True)}
    for name, case in CASES.items():
        ready = Case(case, parts["image" in name], 2 if options.quick else case["epochs"])
        numbers[name] = compare(name, ready, case["auc"], seeds, bool(options.skorch))
    if not options.quick:
        config = {"seeds": seeds, "signal": SIGNAL, "cases": CASES, "skorch": bool(options.skorch)}
        packages = ("torch", "numpy", *(("skorch",) if options.skorch else ()))
        save_result("models", config=config, numbers=numbers, packages=packages)


if __name__ == "__main__":
    main()

"""How fast flows train and draw at 61 dimensions, against plain nflows, and how near they come to known densities.

    python benchmarks/flow.py [--quick]

Speed: flows of the same size (4 layers, two hidden layers of 128 units, 8 bins) go through the same training loop with
the same batches; so does nflows' own default, which has residual blocks.  The data are drawn from a density that is
known, so that each way also says how many nats per event it still lacks.  Time is that of the process on one thread,
which a busy machine stretches less than the clock.  The attempts to beat nflows, one row each:

- one spline step with its own backward pass, columns first and bins in the middle; the last product in blocks that
  follow the mask (`cmslabs.models.spline`, `cmslabs.models.conditioner`): the row "ours";
- smaller networks between the splines: "ours, 64 units";
- coupling layers: half as many splines;
- `torch.compile` of the spline, if --compile is given: it needs a C++ compiler and half a minute.
  (Tried and given up: a backward pass by hand of the curve inside its bin, too.  It was no faster than autograd's.)

Errors: of Gaussian, mixture and ring in two dimensions, for both kinds of flow and all coordinates.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flow_rivals import PlainNflows
from record import ROOT, save_result

from cmslabs.models import flow_network
from cmslabs.models.coordinates import COORDINATES
from cmslabs.models.devices import seeded
from cmslabs.models.flow import Flow, negative_log_density
from cmslabs.models.flow_network import KINDS, FlowNetwork
from cmslabs.models.training import TrainingSettings, train

sys.path.append(str(Path(ROOT) / "tests" / "models"))

SEED, COLUMNS, LAYERS, WIDTH, BINS, BOUND, BATCH = 1, 61, 4, 128, 8, 4.0, 256
#: Events to train on, to judge with, to draw; epochs, and how often everything is repeated.
FULL = {"train": 5000, "test": 2000, "drawn": 200, "epochs": 3, "repeats": 2, "known": 10_000, "known_epochs": 14}
QUICK = {"train": 1024, "test": 500, "drawn": 50, "epochs": 1, "repeats": 1, "known": 2000, "known_epochs": 3}


def ours(width: int = WIDTH, kind: str = "autoregressive") -> Any:
    """Our network."""
    return FlowNetwork(COLUMNS, 0, kind, LAYERS, (width, width), BINS, BOUND, "relu", 0.0)


WAYS = {
    "nflows": lambda: PlainNflows(COLUMNS, LAYERS, WIDTH, BINS, BOUND, residual=False),
    "nflows, residual": lambda: PlainNflows(COLUMNS, LAYERS, WIDTH, BINS, BOUND, residual=True),
    "ours": ours,
    "ours, 64 units": lambda: ours(64),
    "ours, coupling": lambda: ours(kind="coupling"),
}


def known_61(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns with long tails, and the log of their density: x = sinh(z) of a normal z."""
    mixing = np.random.default_rng(7).normal(size=(COLUMNS, 20))
    covariance = mixing @ mixing.T + 4 * np.eye(COLUMNS)
    covariance *= 0.25 / covariance.diagonal().mean()
    factor = np.linalg.cholesky(covariance)
    noise = rng.normal(size=(n, COLUMNS))
    x = np.sinh(noise @ factor.T)
    log_density = -0.5 * (noise**2 + np.log(2 * np.pi)).sum(axis=1) - np.log(factor.diagonal()).sum()
    log_density -= 0.5 * np.log1p(x**2).sum(axis=1)
    scale = x.std(axis=0)
    return x / scale, log_density + np.log(scale).sum()


def measure(make: Any, X: np.ndarray, X_test: np.ndarray, truth: np.ndarray, sizes: dict[str, int]) -> dict[str, Any]:
    """One training, and events drawn."""
    with seeded(SEED):
        network = make()
    settings = TrainingSettings(
        epochs=sizes["epochs"], batch_size=BATCH, patience=None, clip_norm=5.0, device="cpu", threads=1, progress=False
    )
    start = time.process_time()
    train(network, negative_log_density, X, X_test[:BATCH], settings, random_state=SEED)
    seconds = time.process_time() - start
    with torch.no_grad():
        reached = torch.cat([network(part) for part in torch.tensor(X_test, dtype=torch.float32).split(500)])
        noise = torch.randn(sizes["drawn"], COLUMNS, generator=torch.Generator().manual_seed(SEED))
        start = time.process_time()
        network.from_noise(noise)
        drawing = time.process_time() - start
    return {
        "seconds": seconds,
        "events_per_second": sizes["epochs"] * len(X) / seconds,
        "nats_missing": float(truth.mean() - reached.double().mean()),
        "drawn_per_second": sizes["drawn"] / drawing,
        "weights": sum(weight.numel() for weight in network.parameters()),
    }


def speed(sizes: dict[str, int], ways: dict[str, Any]) -> dict[str, Any]:
    """All ways in turns; of each the fastest run."""
    rng = np.random.default_rng(SEED)
    (X, _), (X_test, truth) = known_61(sizes["train"], rng), known_61(sizes["test"], rng)
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for make in ways.values():
        measure(make, X[:BATCH], X_test[:BATCH], truth, QUICK)
    for _ in range(sizes["repeats"]):
        for way, make in ways.items():
            runs[way].append(measure(make, X, X_test, truth, sizes))
    best = {way: min(these, key=lambda run: run["seconds"]) for way, these in runs.items()}
    print(
        f"{'flow':20} {'weights':>8} {'time [s]':>8} {'events/s':>9} {'ratio':>6} {'drawn/s':>9} {'nats missing':>13}"
    )
    for way, numbers in best.items():
        numbers["ratio"] = numbers["events_per_second"] / best["nflows"]["events_per_second"]
        print(
            f"{way:20} {numbers['weights']:8d} {numbers['seconds']:8.2f} {numbers['events_per_second']:9.0f}"
            f" {numbers['ratio']:6.2f} {numbers['drawn_per_second']:9.0f} {numbers['nats_missing']:8.2f}",
            flush=True,
        )
    if best["ours"]["nats_missing"] > best["nflows"]["nats_missing"] + 0.5:
        raise SystemExit("ours has learnt less than nflows in as many epochs: its speed is worth nothing.")
    return best


def errors(sizes: dict[str, int]) -> dict[str, Any]:
    """How far from known densities in two dimensions."""
    from densities import KNOWN

    found: dict[str, Any] = {}
    print(f"\n{'density':10} {'kind':15} {'coordinates':12} {'KL':>8} {'+-':>7} {'mean |d|':>9} {'time [s]':>9}")
    for name, known in KNOWN.items():
        X = known.draw(sizes["known"], np.random.default_rng(SEED))
        X_test = known.draw(20_000, np.random.default_rng(SEED + 1))
        truth = known.log_density(X_test)
        for kind in KINDS:
            for coordinates in COORDINATES:
                model = Flow(
                    kind,
                    widths=(32, 32),
                    coordinates=coordinates,
                    epochs=sizes["known_epochs"],
                    batch_size=500,
                    learning_rate=1e-2,
                    device="cpu",
                    progress=False,
                    random_state=SEED,
                )
                start = time.process_time()
                model.fit(X)
                seconds = time.process_time() - start
                difference = truth - model.log_prob(X_test)
                row = {
                    "kl": float(difference.mean()),
                    "kl_error": float(difference.std() / np.sqrt(len(difference))),
                    "mean_distance": float(np.abs(difference).mean()),
                    "seconds": seconds,
                }
                found[f"{name}, {kind}, {coordinates}"] = row
                print(
                    f"{name:10} {kind:15} {coordinates:12} {row['kl']:8.4f} {row['kl_error']:7.4f}"
                    f" {row['mean_distance']:9.3f} {seconds:9.2f}",
                    flush=True,
                )
    return found


def compiled() -> Any:
    """Our network with a compiled spline."""
    flow_network.rational_quadratic = torch.compile(flow_network.rational_quadratic, dynamic=False)
    return ours()


def main() -> None:
    """Run, print tables, keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few events, once, and nothing is kept")
    parser.add_argument("--compile", action="store_true", help="also try torch.compile, and keep nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = QUICK if options.quick else FULL
    ways = WAYS | ({"ours, compiled": compiled} if options.compile else {})
    numbers = {"speed": speed(sizes, ways)}
    if options.compile:
        return
    numbers["errors"] = errors(sizes)
    if not options.quick:
        size = {"columns": COLUMNS, "layers": LAYERS, "width": WIDTH, "bins": BINS, "bound": BOUND, "batch": BATCH}
        config = {"seed": SEED, "size": size, **sizes, "time": "CPU time of the process, one thread"}
        save_result("flow", config=config, numbers=numbers, packages=("torch", "nflows", "numpy"))


if __name__ == "__main__":
    main()

"""The tables of chapter 12: autoencoders and VAEs with five seeds each, beside what needs no training and the bound.

Trains on the bundled sample and writes ``src/cmslabs/data/results/autoencoders.json``.  An interrupted run goes on.

Example: python data_scripts/make_autoencoder_results.py --work build/autoencoder-results
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from repository import checked_out
from scipy.stats import spearmanr

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import result_path, write_result
from cmslabs.errors import CmslabsError
from cmslabs.evaluation.metrics import auc, bootstrap, max_sic
from cmslabs.evaluation.splits import split_events
from cmslabs.features.dijets import detector_features
from cmslabs.io import json_hash, read_json, sha256, write_json
from cmslabs.models.registry import make_model

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = "sim-dijet-features"
BACKGROUND = "qcd-dijets"
SIGNALS = ("wprime-2prong", "wprime-3prong", "zprime-tt", "graviton-ww")
#: What decides the numbers, besides this script; results of other code are not taken for ours.
CODE = (
    *(f"src/cmslabs/models/{name}.py" for name in ("autoencoder", "devices", "settings", "torch_model", "training")),
    "src/cmslabs/models/vae.py",
    "data_scripts/make_autoencoder_results.py",
)
TRAINING: dict[str, Any] = {
    "widths": [64, 32],
    "latent": 2,
    "epochs": 25,
    "batch_size": 512,
    "learning_rate": 3e-3,
    "patience": None,
    "device": "cpu",
}
CONFIG: dict[str, Any] = {
    "split_seed": 0,
    "training": TRAINING,
    "seeds": [0, 1, 2, 3, 4],
    # Price of the KL term, and epochs over which it rises.
    "vae": [[0.01, 0], [0.1, 0], [0.1, 10], [1.0, 0], [1.0, 10], [10.0, 0]],
    "scores": ["reconstruction", "kl", "total"],
    "references": ["tau21-sum", "norm", "pca", "isolation-forest"],
    "bootstrap": 200,
}


class Sample:
    """Background to train with; test events of every process; and QCD that plays a signal, for the null row."""

    def __init__(self) -> None:
        table = pd.read_parquet(dataset_path(SAMPLE))
        self.X = detector_features(table)
        self.process = table["process"].to_numpy()
        split = split_events(table["event"], random_state=CONFIG["split_seed"])
        qcd = self.process == BACKGROUND
        self.train, self.val = (rows[qcd[rows]] for rows in (split.train, split.validation))
        self.all_train = split.train
        test_qcd = split.test[qcd[split.test]]
        # Every second one of the test events is the signal of the null row.
        self.tests = {"null": (test_qcd[::2], test_qcd[1::2])}
        for name in SIGNALS:
            self.tests[name] = (test_qcd, split.test[self.process[split.test] == name])
        self.test = split.test

    def compare(self, scores: np.ndarray) -> dict[str, dict[str, float]]:
        """AUC with its interval, and max SIC, for every signal; `scores` are those of all rows of the table."""
        found = {}
        for name, (background, signal) in self.tests.items():
            labels = np.repeat([0, 1], [len(background), len(signal)])
            values = scores[np.concatenate([background, signal])]
            interval = bootstrap(auc, labels, values, n=CONFIG["bootstrap"], random_state=0)
            numbers = (interval.value, interval.low, interval.high, max_sic(labels, values))
            found[name] = {
                key: round(float(one), 4) for key, one in zip(("auc", "low", "high", "max_sic"), numbers, strict=True)
            }
        return found


def jobs() -> list[dict[str, Any]]:
    """All trainings."""
    found: list[dict[str, Any]] = [{"model": "autoencoder", "seed": seed} for seed in CONFIG["seeds"]]
    for beta, warmup in CONFIG["vae"]:
        found += [{"model": "vae", "beta": beta, "kl_warmup": warmup, "seed": seed} for seed in CONFIG["seeds"]]
    return found


def train(job: dict[str, Any], sample: Sample) -> dict[str, Any]:
    """One training, with all its scores."""
    more = {name: job[name] for name in ("beta", "kl_warmup") if name in job}
    model = make_model(job["model"], random_state=job["seed"], **TRAINING, **more)
    start = time.perf_counter()
    model.fit(sample.X.iloc[sample.train], X_val=sample.X.iloc[sample.val])
    seconds = time.perf_counter() - start
    norm = make_model("norm").fit(sample.X.iloc[sample.train]).anomaly_score(sample.X)
    scores = {}
    for name in CONFIG["scores"] if job["model"] == "vae" else ["reconstruction"]:
        if job["model"] == "vae":
            model.set_params(scoring=name)
        values = model.anomaly_score(sample.X)
        background = sample.tests["wprime-2prong"][0]
        scores[name] = {
            "mean": float(f"{values[background].mean():.4g}"),
            "spearman_norm": round(float(spearmanr(values[background], norm[background]).statistic), 3),
            "against": sample.compare(values),
        }
    return {**job, "seconds": round(seconds, 1), "val_loss": round(model.history_.best_loss, 4), "scores": scores}


def references(sample: Sample) -> list[dict[str, Any]]:
    """What needs no network, and the bound: boosted trees that are told which events are signal."""
    rows = []
    for name in CONFIG["references"]:
        parameters = {"random_state": 0} if name == "isolation-forest" else {}
        model = make_model(name, **parameters).fit(sample.X.iloc[sample.train])
        rows.append({"model": name, "against": sample.compare(model.anomaly_score(sample.X))})
    for seed in CONFIG["seeds"]:
        found = {}
        for signal in SIGNALS:
            chosen = sample.all_train[np.isin(sample.process[sample.all_train], [BACKGROUND, signal])]
            model = make_model("boosted-trees", random_state=seed)
            model.fit(sample.X.iloc[chosen], sample.process[chosen] == signal)
            found[signal] = sample.compare(model.anomaly_score(sample.X))[signal]
        rows.append({"model": "boosted-trees", "seed": seed, "against": found})
    return rows


def main() -> int:
    """Train what is missing, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/autoencoder-results"), help="for finished rows")
    parser.add_argument("--out", type=Path, default=result_path("autoencoders"))
    options = parser.parse_args()
    try:
        sample = Sample()
        identity = json_hash([CONFIG, {name: sha256(ROOT / name) for name in CODE}])
        rows = []
        for job in jobs():
            path = options.work / identity / f"{'-'.join(str(value) for value in job.values())}.json"
            if not path.exists():
                write_json(path, train(job, sample))
                print(path.stem, file=sys.stderr, flush=True)
            rows.append(read_json(path))
        numbers = {
            "trainings": rows,
            "references": references(sample),
            "events": {
                "train": len(sample.train),
                "validation": len(sample.val),
                **{name: len(signal) for name, (_, signal) in sample.tests.items()},
                "background": len(sample.tests[SIGNALS[0]][0]),
            },
        }
        write_result(
            options.out,
            "autoencoders",
            script="data_scripts/make_autoencoder_results.py",
            commit=checked_out(*CODE),
            config=CONFIG,
            numbers=numbers,
            packages=("torch", "numpy", "scikit-learn"),
        )
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {len(rows)} trainings")
    return 0


if __name__ == "__main__":
    sys.exit(main())

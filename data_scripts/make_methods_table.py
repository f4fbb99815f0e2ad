"""The table of chapter 14: every method of the registry on the four signals of the bundled sample, five seeds each.

Writes ``src/cmslabs/data/results/methods.json``.  It takes a few minutes on one core.

Example: python data_scripts/make_methods_table.py --out methods.json
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from repository import checked_out

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import result_path, write_result
from cmslabs.data.tables import read_table
from cmslabs.errors import CmslabsError
from cmslabs.evaluation.comparison import Method, compare_methods
from cmslabs.features.dijets import detector_features
from cmslabs.io import sha256
from cmslabs.models.registry import make_model, model_class

ROOT = Path(__file__).resolve().parent.parent
SAMPLE, BACKGROUND = "sim-dijet-features", "qcd-dijets"
NETWORK = {
    "widths": [64, 32],
    "latent": 2,
    "epochs": 20,
    "batch_size": 512,
    "learning_rate": 5e-3,
    "schedule": "cosine",
    "device": "cpu",
}
CONFIG: dict[str, Any] = {
    "sample": SAMPLE,
    "background": BACKGROUND,
    "seeds": [0, 1, 2, 3, 4],
    # Half of 40 000 background events to train on, and 16 000 to be judged on.
    "fractions": [0.5, 0.1, 0.4],
    "min_background": 25,
    # Name in the table -> name in the registry, parameters.
    "methods": {
        "coin": ["coin", {}],
        "heavier jet's extra mass": ["single-feature", {"column": "dmj"}],
        "sum of tau21": ["tau21-sum", {}],
        "norm": ["norm", {}],
        "PCA": ["pca", {"n_components": 2}],
        "isolation forest": ["isolation-forest", {}],
        "kernel density": ["kde", {}],
        "Gaussian mixture": ["gaussian-mixture", {"n_components": 5}],
        "autoencoder": ["autoencoder", NETWORK],
        "5 autoencoders": ["ensemble", {"model": "autoencoder", "n_members": 5, "parameters": NETWORK}],
        "VAE": ["vae", {**NETWORK, "beta": 0.3, "kl_warmup": 5}],
        "boosted trees, supervised": ["boosted-trees", {}],
    },
}
VAE_SCORES = ("reconstruction", "kl", "total")


def fit(title: str, name: str, parameters: dict[str, Any], X: Any, X_val: Any, labels: Any, seed: int) -> dict:
    """Train one method; a VAE gives three scores."""
    if name == "coin":
        return {title: lambda events: np.random.default_rng(seed).random(len(events))}
    known = model_class(name)._get_param_names()
    seeded = {"random_state": seed} if "random_state" in known else {}
    model = make_model(name, **parameters, **seeded)
    if name in ("autoencoder", "vae"):
        model.fit(X, X_val=X_val)
    else:
        model.fit(X, labels)
    if name != "vae":
        return {title: model.anomaly_score}
    return {
        f"{title}, {scoring}": (lambda events, scoring=scoring: model.set_params(scoring=scoring).anomaly_score(events))
        for scoring in VAE_SCORES
    }


def measure(config: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of the table."""
    table = read_table(dataset_path(config["sample"]))
    for name, _ in config["methods"].values():
        if name != "coin":
            model_class(name)  # Imported now: no training pays for it.
    methods = {
        title: Method(partial(fit, title, name, parameters), supervised=name == "boosted-trees")
        for title, (name, parameters) in config["methods"].items()
    }
    rows = []
    for row in compare_methods(
        methods,
        detector_features(table),
        table["event"],
        table["process"],
        config["background"],
        seeds=config["seeds"],
        fractions=config["fractions"],
        min_background=config["min_background"],
    ):
        print(f"seed {row['seed']}: {row['method']}, {row['seconds']:.1f} s", file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=result_path("methods"))
    options = parser.parse_args()
    try:
        config = CONFIG | {"sample_sha256": sha256(dataset_path(SAMPLE))}
        begun = checked_out("src/cmslabs", "data_scripts")
        numbers = {"rows": measure(config)}
        write_result(
            options.out,
            "methods",
            script="data_scripts/make_methods_table.py",
            commit=begun,
            config=config,
            numbers=numbers,
            packages=("torch", "numpy", "scikit-learn"),
        )
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {len(numbers['rows'])} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())

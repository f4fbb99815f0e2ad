"""Null certificates of every model that takes a table, on the background of the bundled sample.

Writes ``src/cmslabs/data/results/certificates.json``.  It takes a quarter of an hour on one core.

Example: python data_scripts/make_certificates.py --only norm --only PCA --out certificates.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from repository import checked_out

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import result_path, write_result
from cmslabs.data.tables import read_table
from cmslabs.errors import CmslabsError, ConfigError
from cmslabs.evaluation.validation.certificate import null_certificate
from cmslabs.evaluation.validation.hunt import hunt_in_tail
from cmslabs.features.dijets import detector_features
from cmslabs.io import sha256
from cmslabs.models.registry import make_model

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
    "seed": 0,
    # 10 trainings x 40 nulls, each with 250 validation and 250 test events, of which a tenth is beyond the threshold.
    "certificate": {"n_trainings": 10, "n_null": 250, "fraction": 0.1, "n_seeds": 5, "n_samples": 3, "alpha": 0.05},
    # Name in the table -> name in the registry, parameters.
    "models": {
        "heavier jet's extra mass": ["single-feature", {"column": "dmj"}],
        "sum of tau21": ["tau21-sum", {}],
        "norm": ["norm", {}],
        "PCA": ["pca", {"n_components": 2}],
        "isolation forest": ["isolation-forest", {}],
        "kernel density": ["kde", {}],
        "Gaussian mixture": ["gaussian-mixture", {"n_components": 5}],
        "autoencoder": ["autoencoder", NETWORK],
        "3 autoencoders": ["ensemble", {"model": "autoencoder", "n_members": 3, "parameters": NETWORK}],
        "VAE": ["vae", {**NETWORK, "beta": 0.3, "kl_warmup": 5}],
        "spline flow": [
            "flow",
            {"n_layers": 3, "widths": [32, 32], "epochs": 8, "batch_size": 512, "learning_rate": 5e-3, "device": "cpu"},
        ],
        "boosted trees, random labels": ["boosted-trees", {}],
    },
    # Bump hunts behind a selection where there is nothing: one in ten events passes, or a share that turns on.
    "hunts": {
        "nulls": 400,
        "n_events": 4000,
        "n_reference": 50_000,
        "edges": [2800.0, 7000.0, 16],
        "slope": 600.0,
        "share": [0.05, 0.3],
        "turn_on": [4000.0, 120.0],
        "options": {"families": ["exponential"], "widths": [1.0], "max_toys": 19, "alpha": 0.05},
    },
}


def certify(config: dict[str, Any], title: str) -> dict[str, Any]:
    """The certificate of one model, with its page and the processor's seconds."""
    table = read_table(dataset_path(config["sample"]))
    table = table[table["process"] == config["background"]]
    name, parameters = config["models"][title]
    start = process_time()
    found = null_certificate(
        make_model(name, **parameters),
        detector_features(table),
        table["mjj"],
        name=title,
        simulation=True,
        seed=config["seed"],
        **config["certificate"],
    )
    seconds = process_time() - start
    content = found.to_dict()
    kept = ("name", "verdict", "verdicts", "n_events", "alpha", "n_train", "n_null", "false_alarms", "table")
    result = {key: content[key] for key in kept}
    result["spearman"] = content["sculpting"]["spearman"]
    return short(result | {"page": found.to_markdown(), "seconds": seconds})


def draw(hunts: dict[str, Any], n_events: int, turns_on: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether events pass (1 or 0), and their masses [GeV]."""
    rng = np.random.default_rng(seed)
    mass = hunts["edges"][0] + rng.exponential(hunts["slope"], rng.poisson(n_events))
    (low, high), (place, width) = hunts["share"], hunts["turn_on"]
    share = low + (high - low) / (1 + np.exp(-(mass - place) / width)) if turns_on else np.full(len(mass), 0.1)
    return 1.0 * (rng.random(len(mass)) < share), mass


def hunt_nulls(config: dict[str, Any]) -> dict[str, Any]:
    """How often a hunt behind a selection calls nothing an excess: by the fit alone, and calibrated."""
    hunts = config["hunts"]
    low, high, n = hunts["edges"]
    edges = np.linspace(low, high, n)
    rows = {}
    for name, turns_on in (("flat", False), ("turn-on", True)):
        alone = calibrated = 0
        for number in range(hunts["nulls"]):
            reference = draw(hunts, hunts["n_reference"], True, 10_000 + number) if turns_on else None
            events = draw(hunts, hunts["n_events"], turns_on, number)
            found = hunt_in_tail(*events, edges, threshold=1.0, reference=reference, seed=number, **hunts["options"])
            alone += found.behind.global_p <= hunts["options"]["alpha"]
            calibrated += found.alarm
        rows[name] = {"nulls": hunts["nulls"], "alarms_fit_alone": alone, "alarms_calibrated": calibrated}
        print(f"hunts, {name}: {rows[name]}", file=sys.stderr, flush=True)
    return rows


def short(value: Any) -> Any:
    """Numbers with five digits: more are not known, and less is stored."""
    if isinstance(value, dict):
        return {key: short(one) for key, one in value.items()}
    if isinstance(value, list):
        return [short(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def measure(config: dict[str, Any]) -> dict[str, Any]:
    """All certificates, and the hunts."""
    certificates = {}
    for title in config["models"]:
        certificates[title] = certify(config, title)
        found = certificates[title]
        print(f"{title}: {found['verdict']}, {found['seconds']:.0f} s", file=sys.stderr, flush=True)
    return {"certificates": certificates, "hunts": hunt_nulls(config)}


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=result_path("certificates"))
    parser.add_argument("--only", action="append", help="a model's name in the table; several are allowed")
    options = parser.parse_args()
    try:
        config = CONFIG | {"sample_sha256": sha256(dataset_path(SAMPLE))}
        if options.only:
            unknown = [name for name in options.only if name not in config["models"]]
            if unknown:
                raise ConfigError(
                    f"there is no model '{unknown[0]}'.", remedy=f"There are: {', '.join(CONFIG['models'])}."
                )
            config = config | {"models": {name: config["models"][name] for name in options.only}}
        begun = checked_out("src/cmslabs", "data_scripts")
        numbers = measure(config)
        write_result(
            options.out,
            "certificates",
            script="data_scripts/make_certificates.py",
            commit=begun,
            config=config,
            numbers=numbers,
            packages=("torch", "nflows", "numpy", "scipy", "scikit-learn"),
        )
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {len(numbers['certificates'])} certificates")
    return 0


if __name__ == "__main__":
    sys.exit(main())

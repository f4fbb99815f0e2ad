"""The numbers of chapter 14 on tuning: the same trained VAEs, chosen by truth, by background, and by chance.

Writes ``src/cmslabs/data/results/tuning.json``.  It takes about five minutes on one core.

Example: python data_scripts/make_tuning_results.py --out tuning.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from repository import checked_out

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import result_path, write_result
from cmslabs.data.tables import read_table
from cmslabs.errors import CmslabsError
from cmslabs.evaluation.metrics import auc
from cmslabs.evaluation.splits import split_events
from cmslabs.evaluation.winner import choose_by_truth
from cmslabs.features.dijets import detector_features
from cmslabs.io import sha256
from cmslabs.models.registry import make_model
from cmslabs.models.tuning import propose
from cmslabs.models.tuning_config import load_tuning
from cmslabs.models.tuning_data import imitate

ROOT = Path(__file__).resolve().parent.parent
SAMPLE, BACKGROUND, NOTHING = "sim-dijet-features", "qcd-dijets", "nothing"
SIGNALS = ("wprime-2prong", "wprime-3prong", "zprime-tt", "graviton-ww")
SCORES = ("reconstruction", "kl", "total")
CONFIG: dict[str, Any] = {
    "sample": SAMPLE,
    "tuning": "vae",  # Its search space; each training gives all three scores.
    "trainings": 40,
    "seed": 0,
    "fractions": [0.35, 0.05, 0.6],
    "max_train": 10000,
    # Events with labels that somebody tunes on.
    "labelled": {"usual": 1000, "unusual": 100},
    "candidates": [1, 3, 10, 30, 120],
    "draws": 500,
}


def parts(config: dict[str, Any]) -> dict[str, np.ndarray]:
    """Background to train on and to validate with, and the test part of every kind of event."""
    table = read_table(dataset_path(config["sample"]))
    features, kind = detector_features(table), table["process"].to_numpy()
    split = split_events(table["event"], config["fractions"], random_state=config["seed"])
    rows = {name: [row for row in part if kind[row] == BACKGROUND] for name, part in split._asdict().items()}
    found = {name: features.iloc[rows[name]] for name in ("train", "validation")}
    found["train"] = found["train"].iloc[: config["max_train"]]
    test = {signal: features.iloc[[row for row in split.test if kind[row] == signal]] for signal in SIGNALS}
    background = features.iloc[rows["test"]]
    # A third of the test background plays a signal that is none.
    return (
        found
        | {BACKGROUND: background.iloc[: 2 * len(background) // 3]}
        | test
        | {NOTHING: background.iloc[2 * len(background) // 3 :]}
    )


def train(config: dict[str, Any], events: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """All candidates, and their scores of the test events, shape (candidates, events) for each kind."""
    tuning = load_tuning(config["tuning"])
    search = {name: value for name, value in tuning.search.items() if name != "scoring"}
    space = tuning.model_copy(update={"search": search})
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=config["seed"]))
    kinds = (BACKGROUND, *SIGNALS, NOTHING)
    imitated = {how: imitate(events["validation"], how, config["seed"]) for how in ("shuffled", "shifted")}
    candidates, scores = [], {kind: [] for kind in kinds}
    for number in range(config["trainings"]):
        parameters = propose(study.ask(), space)
        model = make_model("vae", **parameters, device="cpu", random_state=config["seed"])
        model.fit(events["train"], X_val=events["validation"])
        error = model.set_params(scoring="reconstruction").anomaly_score(events["validation"]).mean()
        for scoring in SCORES:
            model.set_params(scoring=scoring)
            usual = model.anomaly_score(events["validation"])
            row = {**parameters, "scoring": scoring, "reconstruction_error": float(f"{error:.4g}")}
            for how, anomalies in imitated.items():
                unusual = model.anomaly_score(type(events["validation"])(anomalies, columns=events["train"].columns))
                row[how] = area(usual, unusual)
            for kind in kinds:
                scores[kind].append(model.anomaly_score(events[kind]))
            row["auc"] = {kind: area(scores[BACKGROUND][-1], scores[kind][-1]) for kind in kinds[1:]}
            candidates.append(row)
        print(f"{number + 1} of {config['trainings']}", file=sys.stderr, flush=True)
    return candidates, {kind: np.array(found) for kind, found in scores.items()}


def area(usual: np.ndarray, unusual: np.ndarray) -> float:
    """AUC of two lists of scores, to four digits."""
    return round(auc(np.repeat([0, 1], [len(usual), len(unusual)]), np.concatenate([usual, unusual])), 4)


def curse(config: dict[str, Any], scores: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """What the winner seems to be worth, and what it is worth, for every signal and number of candidates."""
    rows = []
    for kind in (*SIGNALS, NOTHING):
        for n in config["candidates"]:
            found = choose_by_truth(
                scores[BACKGROUND],
                scores[kind],
                n_usual=config["labelled"]["usual"],
                n_unusual=config["labelled"]["unusual"],
                n_candidates=n,
                draws=config["draws"],
                random_state=config["seed"],
            )
            row = {"signal": kind, "candidates": n}
            for name in ("seen", "fresh"):
                values = getattr(found, name)
                low, high = np.percentile(values, [16, 84])
                row[name] = [round(float(value), 4) for value in (values.mean(), low, high)]
            rows.append(row)
    return rows


def transfer(config: dict[str, Any], candidates: list[dict[str, Any]], scores: dict) -> dict[str, dict[str, float]]:
    """Chosen with the truth of one signal: mean AUC on each of the signals."""
    auc_of = {kind: np.array([row["auc"][kind] for row in candidates]) for kind in SIGNALS}
    found = {}
    for kind in SIGNALS:
        winners = choose_by_truth(
            scores[BACKGROUND],
            scores[kind],
            n_usual=config["labelled"]["usual"],
            n_unusual=config["labelled"]["unusual"],
            draws=config["draws"],
            random_state=config["seed"],
        ).candidate
        found[kind] = {other: round(float(auc_of[other][winners].mean()), 4) for other in SIGNALS}
    return found


def main() -> int:
    """Train, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=result_path("tuning"))
    options = parser.parse_args()
    try:
        search = load_tuning(CONFIG["tuning"]).model_dump(mode="json")
        config = CONFIG | {"sample_sha256": sha256(dataset_path(SAMPLE)), "space": search}
        begun = checked_out("src/cmslabs", "data_scripts")
        candidates, scores = train(config, parts(config))
        numbers = {
            "candidates": candidates,
            "curse": curse(config, scores),
            "transfer": transfer(config, candidates, scores),
            "test_events": {kind: values.shape[1] for kind, values in scores.items()},
        }
        write_result(
            options.out,
            "tuning",
            script="data_scripts/make_tuning_results.py",
            commit=begun,
            config=config,
            numbers=numbers,
            packages=("torch", "numpy", "optuna"),
        )
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {len(candidates)} candidates")
    return 0


if __name__ == "__main__":
    sys.exit(main())

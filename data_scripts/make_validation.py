"""The studies of chapter 17 that train again and again, and how often each check rings where it should and should not.

Writes ``src/cmslabs/data/results/validation.json``.  It takes a quarter of an hour on one core.

Example: python data_scripts/make_validation.py --keep parts --out validation.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from make_certificates import short
from make_flow_search import CONFIG as SEARCH
from make_flow_search import hundredths, on_columns, prepare, train_flow
from repository import checked_out
from scipy.stats import spearmanr
from validation_rates import rates

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import result_path, write_result
from cmslabs.errors import CmslabsError, ConfigError
from cmslabs.evaluation.splits import split_events
from cmslabs.evaluation.validation.common import largest, tail_size
from cmslabs.evaluation.validation.ks import compare_tail, pipeline_distances
from cmslabs.evaluation.validation.permutation import permutation_control
from cmslabs.evaluation.validation.stability import stability_study
from cmslabs.evaluation.validation.trainer import norm_trainer
from cmslabs.features.observables import flagged
from cmslabs.io import json_hash, read_json, sha256, write_json
from cmslabs.models.registry import make_model

#: The settings of chapter 16 that matter here.
SHARED = ("sample", "background", "fractions", "context", "atom_seed", "flow")
CONFIG: dict[str, Any] = {
    "search": {name: SEARCH[name] for name in SHARED} | {"columns": SEARCH["columns"]["33"]},
    "seed": 0,
    "alpha": 0.05,
    # Of the flow of chapter 16 as it is.
    "stability": {"n_trainings": 5, "n_samples": 3, "fraction": 0.01, "least": 0.5},
    # What differs in its quick sister, for studies that train a hundred times.
    "sister": {"kind": "coupling", "epochs": 8, "batch_size": 256},
    "ks": {
        "n_events": 5000,
        "fraction": 0.02,
        "n_pseudo": 59,
        # The density that pseudo-data are drawn from; it learns from the training part.
        "density": {"kind": "coupling"},
        "planted": {"process": "zprime-tt", "n_events": 150},
    },
    "permutation": {"n_train": 5000, "n_test": 5000, "statistic": "upper tail", "n_permutations": 99},
    # All checks on searches for nothing, and each on searches with its fault.
    "rates": {
        "nulls": 400,
        "planted": 100,
        "n_events": 3000,
        "fraction": 0.05,
        "n_pseudo": 39,
        "n_permutations": 99,
        "edges": [2000.0, 5000.0, 16],
        "hunt": {"families": ["exponential"], "widths": [1.0], "max_toys": 39},
    },
}


class Search:
    """The events of chapter 16, and its flow, to be trained again."""

    def __init__(self, config: dict[str, Any]):
        search = config["search"]
        self.config, self.columns = search, search["columns"]
        self.used = [*self.columns, search["context"]]
        prepared = SEARCH | search | {"columns": {"33": self.columns}}
        self.table, self.features, _ = prepare(prepared)
        self.process = self.table["process"].to_numpy()
        split = split_events(self.table["event"], search["fractions"], random_state=config["seed"])
        self.train, self.validation, self.test = (
            rows[self.process[rows] == search["background"]] for rows in (split.train, split.validation, split.test)
        )
        self.tested = split.test
        self.first: Any = None

    def rows(self, rows: np.ndarray) -> pd.DataFrame:
        """The columns that the flow knows, of these events."""
        return self.features.iloc[rows][self.used].reset_index(drop=True)

    def full(self, X: pd.DataFrame, seed: int) -> Callable:
        """Trainer of the flow of chapter 16, with its validation part; the first one is kept."""
        model = train_flow(self.config, self.columns, X, self.rows(self.validation), seed)
        self.first = self.first or model
        return on_columns(model)

    def flow(self, **changes: Any) -> Any:
        """Another flow on the same columns, not trained."""
        parameters = self.config["flow"] | {
            "integers": flagged(self.columns, "integer"),
            "context": [self.config["context"]],
        }
        return make_model("flow", **parameters | changes)

    def sister(self, changes: dict[str, Any]) -> Callable:
        """Trainer of the quick sister."""
        return lambda X, seed: on_columns(self.flow(**changes, random_state=seed).fit(X[self.used]))


def stability(config: dict[str, Any], search: Search) -> dict[str, Any]:
    """Seeds and samples of the flow of chapter 16; its radius, which is not stored there; how like it its sister is."""
    X, tested, seed = search.rows(search.train), search.rows(search.test), config["seed"]
    search.first = None
    found = stability_study(
        search.full, X, tested, reference=norm_trainer, alpha=config["alpha"], seed=seed, **config["stability"]
    )
    radius = on_columns(search.first, "latent_radius")
    parts = {"test": search.tested, "validation": search.validation}
    quick = search.sister(config["sister"])(search.rows(search.train[: config["permutation"]["n_train"]]), seed)
    full = on_columns(search.first)(tested)
    return found.to_dict() | {
        "radius": {name: hundredths(radius(search.rows(rows))) for name, rows in parts.items()},
        "seed_0_mean": float(full.mean()),
        "sister_spearman": float(spearmanr(quick(tested), full).statistic),
    }


def permutation(config: dict[str, Any], search: Search) -> dict[str, Any]:
    """The control with shuffled columns, of the quick sister."""
    options = dict(config["permutation"])
    X = search.rows(search.train[: options.pop("n_train")])
    tested = search.rows(search.test[: options.pop("n_test")])
    train = search.sister(config["sister"])
    return permutation_control(
        train,
        X,
        tested,
        options.pop("statistic"),
        alpha=config["alpha"],
        seed=config["seed"],
        tick=lambda done: done % 20 or print(f"  {done} trainings", file=sys.stderr, flush=True),
        **options,
    ).to_dict()


def ks(config: dict[str, Any], search: Search) -> dict[str, Any]:
    """The tail against pseudo-data: of QCD, of QCD with a planted signal, and of pseudo-data themselves."""
    options, seed = config["ks"], config["seed"]
    context, n = config["search"]["context"], options["n_events"]
    known = search.rows(search.train)
    density = search.flow(**options["density"], random_state=seed).fit(known, X_val=search.rows(search.validation))
    masses = known[context].to_numpy()

    def draw(n_events: int, number: int) -> pd.DataFrame:
        mass = np.random.default_rng((seed, number)).choice(masses, n_events)
        drawn = density.sample(n_events, context=pd.DataFrame({context: mass}), random_state=number)
        return drawn[search.used]

    train = search.sister(config["sister"])
    pseudo = pipeline_distances(train, draw, n, fraction=options["fraction"], n_pseudo=options["n_pseudo"], seed=seed)
    qcd = search.rows(search.test[:n])
    signal = np.flatnonzero(search.process == options["planted"]["process"])[: options["planted"]["n_events"]]
    planted = pd.concat([search.rows(search.test[: n - len(signal)]), search.rows(signal)], ignore_index=True)
    tables = {"QCD": qcd, "QCD with a planted signal": planted, "pseudo-data": draw(n, 10_000)}
    results = {}
    for name, X in tables.items():
        in_tail = largest(train(X, seed)(X), tail_size(options["fraction"], n))
        found = compare_tail(X, in_tail, mass=X[context], pseudo=pseudo, alpha=config["alpha"], random_state=seed)
        copies = found.with_copies(found.table["feature"][0], len(search.used))
        results[name] = found.to_dict() | {
            "signal_in_tail": int(in_tail[n - len(signal) :].sum()) if X is planted else 0,
            "random_bh": {
                "alone": int((found.references["random"].p_bh <= config["alpha"]).sum()),
                "with_copies": int((copies.references["random"].p_bh[: len(found.features)] <= config["alpha"]).sum()),
            },
            "pseudo_bands": np.quantile(pseudo, [0.025, 0.5, 0.975], axis=0).round(4).tolist(),
            "columns": list(found.features),
        }
        print(f"  {name}: {found.verdict}, p = {found.p_value:.3f}", file=sys.stderr, flush=True)
    return results


PARTS = {"stability": stability, "permutation": permutation, "ks": ks, "rates": rates}


def measure(config: dict[str, Any], keep: Path | None = None, only: list[str] | None = None) -> dict[str, Any]:
    """All parts; those that lie in the folder `keep` already, made with this configuration, are not made again."""
    numbers: dict[str, Any] = {}
    search = None
    for name, part in PARTS.items():
        if only and name not in only:
            continue
        kept = keep and keep / f"{name}-{json_hash(config)}.json"
        if kept and kept.exists():
            numbers[name] = read_json(kept)
            continue
        if name != "rates" and search is None:
            search = Search(config)
        begun = process_time()
        numbers[name] = short(part(config, search)) | {"seconds": round(process_time() - begun)}
        print(f"{name}: {numbers[name]['seconds']} s", file=sys.stderr, flush=True)
        if kept:
            keep.mkdir(parents=True, exist_ok=True)
            write_json(kept, numbers[name])
    return numbers


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=result_path("validation"))
    parser.add_argument("--keep", type=Path, help="folder for the parts: a run that was cut off goes on")
    parser.add_argument("--only", action="append", help=f"one of the parts: {', '.join(PARTS)}; several are allowed")
    options = parser.parse_args()
    try:
        unknown = [name for name in options.only or () if name not in PARTS]
        if unknown:
            raise ConfigError(f"there is no part '{unknown[0]}'.", remedy=f"There are: {', '.join(PARTS)}.")
        config = CONFIG | {"sample_sha256": sha256(dataset_path(CONFIG["search"]["sample"]))}
        begun = checked_out("src/cmslabs", "data_scripts")
        numbers = measure(config, options.keep, options.only)
        write_result(
            options.out,
            "validation",
            script="data_scripts/make_validation.py",
            commit=begun,
            config=config,
            numbers=numbers,
            packages=("torch", "nflows", "numpy", "scipy", "scikit-learn"),
        )
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {', '.join(numbers)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

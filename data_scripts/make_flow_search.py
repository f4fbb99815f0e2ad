"""The search of chapter 16: spline flows on the sample of observables, beside what needs no flow, five seeds each.

Writes ``src/cmslabs/data/results/flow_search.json``.  It takes half an hour on one core.

`prepare` and `train_flow` are what a study needs that trains this chapter's flow again.

Example: python data_scripts/make_flow_search.py --seed 0 --out flow_search.json
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from repository import checked_out
from scipy.stats import spearmanr

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import result_path, write_result
from cmslabs.data.tables import read_table
from cmslabs.errors import CmslabsError
from cmslabs.evaluation.comparison import Method, compare_methods
from cmslabs.evaluation.splits import split_events
from cmslabs.evaluation.validation.decorrelated import MassQuantile
from cmslabs.features.atoms import spread_atoms
from cmslabs.features.cleaning import CleaningReport, clean_dijets
from cmslabs.features.observables import SETS, base_observables, flagged
from cmslabs.io import sha256
from cmslabs.models.registry import make_model, model_class

SAMPLE, BACKGROUND = "sim-dijet-observables", "qcd-dijets"
#: Ghosts are counted: an area is a whole number of these.
GHOST_AREA = 0.01


def both(*names: str) -> list[str]:
    """The columns of both jets."""
    return [f"{name}_{jet}" for jet in ("j1", "j2") for name in names]


#: What stays out of the largest set beside the mass of the pair: the five fractions of a jet sum to 1, and pt_j1
#: follows from that mass and the rest.
FOLLOW = ("neHEF_j1", "neHEF_j2", "pt_j1")
FLOW: dict[str, Any] = {
    "n_layers": 3,
    "widths": [64, 64],
    "bins": 8,
    "epochs": 30,
    "batch_size": 512,
    "learning_rate": 3e-3,
    "device": "cpu",
}
#: As in the table of methods (`make_methods_table`).
NETWORK: dict[str, Any] = {
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
    # The validation part stops the training and sets thresholds: 1 % of it are more than 50 events.
    "fractions": [0.5, 0.2, 0.3],
    "min_background": 25,
    "context": "mjj",
    # Of the uniform numbers that atoms become.
    "atom_seed": 0,
    "tails": [0.1, 0.01],
    "columns": {
        "4": both("mass", "tau21"),
        "14": both("mass", "tau1", "tau21", "tau32", "msoftdrop", "n_constituents", "ptd"),
        "33": list(SETS["dijet_flow"]),
        "41": [name for name in base_observables() if name not in FOLLOW],
    },
    "flow": FLOW,
    # Name in the table -> columns, and what differs from the parameters above.
    "flows": {
        "flow": ["33", {}],
        "flow, mjj not given": ["33", {"context": []}],
        "flow, quantile coordinates": ["33", {"coordinates": "quantile"}],
        "flow, 4 columns": ["4", {}],
        "flow, 14 columns": ["14", {}],
        "flow, 41 columns": ["41", {}],
    },
    # Name in the table -> name in the registry, parameters; all on the 33 columns.
    "others": {
        "coin": ["coin", {}],
        "sum of the masses": ["mass-sum", {}],
        "sum of tau21": ["tau21-sum", {"columns": ["tau21_j1", "tau21_j2"]}],
        "norm": ["norm", {}],
        "PCA": ["pca", {"n_components": 2}],
        "isolation forest": ["isolation-forest", {}],
        "Gaussian mixture": ["gaussian-mixture", {"n_components": 5}],
        "autoencoder": ["autoencoder", NETWORK],
        "boosted trees, supervised": ["boosted-trees", {}],
    },
}


def prepare(config: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, CleaningReport]:
    """Events that survive the cleaning, their columns as numbers that can have a density, and what was dropped.

    Returns
    -------
    table : DataFrame
        All columns, as they are in the sample.
    features : DataFrame, float64
        The largest set of columns and the context.  Atoms are spread; areas count ghosts.
    report : CleaningReport
    """
    table, report = clean_dijets(read_table(dataset_path(config["sample"])))
    table = table.reset_index(drop=True)
    names = list(dict.fromkeys(name for names in config["columns"].values() for name in names))
    features = spread_atoms(table[[*names, config["context"]]].astype(np.float64), config["atom_seed"])
    for name in both("area"):
        if name in features:
            features[name] = (features[name] / GHOST_AREA).round()
    return table, features, report


def train_flow(
    config: dict[str, Any], columns: Sequence[str], X: pd.DataFrame, X_val: pd.DataFrame, seed: int, **changes: Any
) -> Any:
    """A flow for the density of `columns`, given the context; `changes` are other parameters than the config's."""
    context = changes.pop("context", [config["context"]])
    parameters = config["flow"] | {"integers": flagged(columns, "integer"), "context": context} | changes
    used = [*columns, *context]
    return make_model("flow", **parameters, random_state=seed).fit(X[used], X_val=X_val[used])


def on_columns(model: Any, score: str = "anomaly_score") -> Callable[[pd.DataFrame], np.ndarray]:
    """A scorer that takes a table with more columns than the model knows."""
    return lambda events: getattr(model, score)(events[list(model.feature_names_in_)])


def fit_flow(config: dict[str, Any], title: str, made: dict, X, X_val, labels, seed: int) -> dict[str, Callable]:
    """Train one of the flows; the main one also scores by its radius, the one in quantiles without a Jacobian."""
    columns, changes = config["flows"][title]
    model = train_flow(config, config["columns"][columns], X, X_val, seed, **changes)
    made[title] = model
    scorers = {title: on_columns(model)}
    if title == "flow":
        scorers["flow, radius"] = on_columns(model, "latent_radius")
    if changes.get("coordinates"):
        used = list(model.feature_names_in_)
        scorers[f"{title}, no Jacobian"] = lambda events: -model.log_prob(events[used], jacobian=False)
    return scorers


def fit_other(config: dict[str, Any], title: str, X, X_val, labels, seed: int) -> dict[str, Callable]:
    """Train what is no flow."""
    name, parameters = config["others"][title]
    columns, context = config["columns"]["33"], config["context"]
    if name == "coin":
        return {title: lambda events: np.random.default_rng(seed).random(len(events))}
    if name == "mass-sum":
        masses = both("mass")
        flat = MassQuantile.of(X[masses].sum(axis=1), X[context])
        return {title: lambda events: flat(events[masses].sum(axis=1), events[context])}
    seeded = {"random_state": seed} if "random_state" in model_class(name)._get_param_names() else {}
    model = make_model(name, **parameters, **seeded)
    if name == "autoencoder":
        model.fit(X[columns], X_val=X_val[columns])
    else:
        model.fit(X[columns], labels)
    return {title: on_columns(model)}


def look_at(config: dict[str, Any], table: pd.DataFrame, features: pd.DataFrame, model: Any, seed: int) -> dict:
    """The main flow of one seed: how it trained, its tails, and for the first seed all scores."""
    split = split_events(table["event"], config["fractions"], random_state=seed)
    kind = table["process"].to_numpy()
    validation = split.validation[kind[split.validation] == config["background"]]
    score, radius = on_columns(model), on_columns(model, "latent_radius")
    begun = process_time()
    tested = score(features.iloc[split.test])
    seconds = process_time() - begun
    found, kinds = score(features.iloc[validation]), kind[split.test]
    usual = kinds == config["background"]
    mass = features[config["context"]].to_numpy()[split.test]
    result = {
        "seed": seed,
        "n_train": int((kind[split.train] == config["background"]).sum()),
        "n_validation": len(validation),
        "n_test": {name: int((kinds == name).sum()) for name in pd.unique(kinds)},
        "best_epoch": model.history_.best_epoch,
        "train_loss": [round(loss, 3) for loss in model.history_.train_loss],
        "val_loss": [round(loss, 3) for loss in model.history_.val_loss],
        "microseconds_per_event": round(1e6 * seconds / len(tested), 1),
        "spearman": {
            "score": round(float(spearmanr(tested[usual], mass[usual])[0]), 4),
            "radius": round(float(spearmanr(radius(features.iloc[split.test[usual]]), mass[usual])[0]), 4),
        },
        "tails": [],
    }
    for share in config["tails"]:
        kept = int(share * len(found))
        threshold = float(np.sort(found)[-kept])
        passing = {name: int((tested[kinds == name] >= threshold).sum()) for name in pd.unique(kinds)}
        result["tails"].append({"share": share, "threshold": round(threshold, 3), "validation": kept, "test": passing})
    if seed == config["seeds"][0]:
        # Hundredths, in the order of the rows that are tested, and of background in the validation part.
        result["scores"] = {"test": hundredths(tested), "validation": hundredths(found)}
    return result


def hundredths(scores: np.ndarray) -> str:
    """Scores in one line, as whole hundredths."""
    return " ".join(str(value) for value in np.round(100 * scores).astype(int))


def measure(config: dict[str, Any], titles: Sequence[str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """All rows of the table, and a closer look at the main flow of each seed."""
    table, features, _ = prepare(config)
    made: dict[str, Any] = {}
    for name, _ in config["others"].values():
        if name not in ("coin", "mass-sum"):
            model_class(name)  # Imported now: no training pays for it.
    model_class("flow")
    methods = {
        title: Method(partial(fit_other, config, title), supervised=title == "boosted trees, supervised")
        for title in config["others"]
    }
    methods |= {title: Method(partial(fit_flow, config, title, made)) for title in config["flows"]}
    methods = {title: method for title, method in methods.items() if titles is None or title in titles}
    for seed in config["seeds"]:
        for row in compare_methods(
            methods,
            features,
            table["event"],
            table["process"],
            config["background"],
            seeds=[seed],
            fractions=config["fractions"],
            min_background=config["min_background"],
        ):
            yield "rows", row
        if "flow" in made:
            sizes = {title: sum(p.numel() for p in model.network_.parameters()) for title, model in made.items()}
            yield "searches", look_at(config, table, features, made["flow"], seed) | {"parameters": sizes}


def collect(config: dict[str, Any]) -> dict[str, Any]:
    """Everything that is stored."""
    numbers: dict[str, Any] = {"rows": [], "searches": []}
    for kind, one in measure(config):
        numbers[kind].append(one)
        what = f"{one['method']}, {one['seconds']:.1f} s" if kind == "rows" else f"tails {one['tails']}"
        print(f"seed {one['seed']}: {what}", file=sys.stderr, flush=True)
    numbers["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
    return numbers


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=result_path("flow_search"))
    parser.add_argument("--seed", action="append", type=int, help="only this one; several are allowed")
    options = parser.parse_args()
    try:
        config = CONFIG | {"sample_sha256": sha256(dataset_path(SAMPLE))}
        if options.seed:
            config |= {"seeds": options.seed}
        begun = checked_out("src/cmslabs", "data_scripts")
        numbers = collect(config)
        write_result(
            options.out,
            "flow_search",
            script="data_scripts/make_flow_search.py",
            commit=begun,
            config=config,
            numbers=numbers,
            packages=("torch", "nflows", "numpy", "scikit-learn"),
        )
    except CmslabsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {len(numbers['rows'])} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The tables of chapter 15: spline flows on 4 and 14 columns of the dijet sample, in several coordinates, five times.

Writes ``src/cmslabs/data/results/flows.json``.  It takes a quarter of an hour on one core.

Example: python data_scripts/make_flow_results.py --out flows.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from make_methods_table import fit as fit_other
from repository import checked_out
from scipy.stats import spearmanr

from cmslabs.data.download import dataset_path
from cmslabs.data.stored_results import result_path, write_result
from cmslabs.data.tables import read_table
from cmslabs.errors import CmslabsError
from cmslabs.evaluation.comparison import Method, compare_methods
from cmslabs.features.dijets import DETECTOR_FEATURES, detector_features
from cmslabs.io import sha256
from cmslabs.models.registry import make_model, model_class

SAMPLE, BACKGROUND = "sim-dijet-features", "qcd-dijets"
JETS = ("j1", "j2")


def both(*names: str) -> list[str]:
    """The columns of both jets."""
    return [f"{name}{jet}" for jet in JETS for name in names]


CONFIG: dict[str, Any] = {
    "sample": SAMPLE,
    "background": BACKGROUND,
    # As in the table of methods (`make_methods_table`), so that its rows on four columns stand beside these.
    "seeds": [0, 1, 2, 3, 4],
    "fractions": [0.5, 0.1, 0.4],
    "min_background": 25,
    "columns": {
        "4": list(DETECTOR_FEATURES),
        "14": both("px", "py", "pz", "m", "tau1", "tau2", "tau3"),
        "polar": both("pt", "eta", "phi", "m", "tau1", "tau2", "tau3"),
    },
    "flow": {
        "n_layers": 3,
        "widths": [64, 64],
        "bins": 8,
        "epochs": 20,
        "batch_size": 512,
        "learning_rate": 3e-3,
        "device": "cpu",
    },
    # Name in the table -> columns, coordinates.
    "flows": {
        "4, standard": ["4", "standard"],
        "4, logit": ["4", "logit"],
        "4, quantile": ["4", "quantile"],
        "14, standard": ["14", "standard"],
        "14, logit": ["14", "logit"],
        "14, quantile": ["14", "quantile"],
        "14, polar": ["polar", "quantile"],
    },
    # Name in the table -> name in the registry, parameters; on the 14 columns.
    "others": {
        "coin": ["coin", {}],
        "norm": ["norm", {}],
        "PCA": ["pca", {"n_components": 2}],
        "isolation forest": ["isolation-forest", {}],
        "Gaussian mixture": ["gaussian-mixture", {"n_components": 5}],
        "boosted trees, supervised": ["boosted-trees", {}],
    },
}


def polar(table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Momenta of both jets as pt [GeV], eta and phi [rad], the second jet's phi measured from the first one's.

    Returns
    -------
    columns : DataFrame
        pt, eta and phi of both jets; ``phij2`` lies in [0, 2 pi).
    log_jacobian : ndarray, shape (n_events,)
        log |d(pt, eta, phi) / d(px, py, pz)|, summed over the jets: -2 log pt - log cosh eta.
    """
    columns = {}
    for jet in JETS:
        px, py, pz = (table[f"{name}{jet}"].to_numpy(np.float64) for name in ("px", "py", "pz"))
        pt = np.hypot(px, py)
        columns |= {f"pt{jet}": pt, f"eta{jet}": np.arcsinh(pz / pt), f"phi{jet}": np.arctan2(py, px)}
    columns["phij2"] = (columns["phij2"] - columns["phij1"]) % (2 * np.pi)
    log_jacobian = -sum(2 * np.log(columns[f"pt{jet}"]) + np.log(np.cosh(columns[f"eta{jet}"])) for jet in JETS)
    return pd.DataFrame(columns, index=table.index), log_jacobian


def prepare(config: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sample, and all columns that one of the methods looks at."""
    table = read_table(dataset_path(config["sample"]))
    columns = config["columns"]["14"]
    table = table[(table["nconstj1"] > 0) & (table["nconstj2"] > 0)].reset_index(drop=True)
    return table, pd.concat([detector_features(table), table[columns].astype(np.float64), polar(table)[0]], axis=1)


def fit_flow(
    config: dict[str, Any], title: str, notes: list[dict], X: pd.DataFrame, X_val: pd.DataFrame, labels: Any, seed: int
) -> dict[str, Callable]:
    """Train one flow; its scores are densities in different coordinates.

    Of each, the mean of log p of the validation part and its scores are noted.
    """
    name, coordinates = config["flows"][title]
    columns = config["columns"][name]
    model = make_model("flow", **config["flow"], coordinates=coordinates, random_state=seed)
    model.fit(X[columns], X_val=X_val[columns])
    scorers: dict[str, Callable] = {title: lambda events: -model.log_prob(events[columns])}
    if name == "polar":
        # The same density per GeV^3 of each jet's momentum: in the units of the other 14.
        scorers = {
            title: lambda events: -model.log_prob(events[columns]) - polar(events)[1],
            f"{title}, not converted": scorers[title],
        }
    if coordinates != "standard":
        scorers[f"{title}, no Jacobian"] = lambda events: -model.log_prob(events[columns], jacobian=False)
    for score, scorer in scorers.items():
        found = scorer(X_val)
        note = {"method": score, "seed": seed, "log_p": round(float(-found.mean()), 4), "scores": found}
        notes.append(note | {"best_epoch": model.history_.best_epoch})
    return scorers


def fit_reference(config: dict[str, Any], title: str, X, X_val, labels, seed: int) -> dict[str, Callable]:
    """Train what is no flow, on the 14 columns."""
    columns = config["columns"]["14"]
    found = fit_other(title, *config["others"][title], X[columns], X_val[columns], labels, seed)
    return {name: lambda events, scorer=scorer: scorer(events[columns]) for name, scorer in found.items()}


def agreement(notes: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rank correlation of any two scores of one seed on the same number of columns, on background."""
    for one, other in combinations(notes, 2):
        if one["seed"] == other["seed"] and one["method"].split(",")[0] == other["method"].split(",")[0]:
            value = spearmanr(one["scores"], other["scores"]).statistic
            pair = [one["method"], other["method"]]
            yield {"seed": one["seed"], "methods": pair, "spearman": round(float(value), 4)}


def measure(config: dict[str, Any]) -> dict[str, Any]:
    """Rows of the table, mean log densities, and how the orders of events agree."""
    table, features = prepare(config)
    for name in ["flow", *(name for name, _ in config["others"].values() if name != "coin")]:
        model_class(name)  # Imported now: no training pays for it.
    notes: list[dict[str, Any]] = []
    methods = {
        title: Method(partial(fit_reference, config, title), supervised=name == "boosted-trees")
        for title, (name, _) in config["others"].items()
    }
    methods |= {title: Method(partial(fit_flow, config, title, notes)) for title in config["flows"]}
    rows = []
    for row in compare_methods(
        methods,
        features,
        table["event"],
        table["process"],
        config["background"],
        seeds=config["seeds"],
        fractions=config["fractions"],
        min_background=config["min_background"],
    ):
        print(f"seed {row['seed']}: {row['method']}, {row['seconds']:.1f} s", file=sys.stderr, flush=True)
        rows.append(row)
    agreements = list(agreement(notes))
    densities = [{key: value for key, value in note.items() if key != "scores"} for note in notes]
    return {"rows": rows, "densities": densities, "agreement": agreements}


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=result_path("flows"))
    options = parser.parse_args()
    try:
        config = CONFIG | {"sample_sha256": sha256(dataset_path(SAMPLE))}
        begun = checked_out("src/cmslabs", "data_scripts")
        numbers = measure(config)
        write_result(
            options.out,
            "flows",
            script="data_scripts/make_flow_results.py",
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

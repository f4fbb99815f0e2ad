"""Small searches, and classifiers whose scores are written down instead of learnt."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmslabs.search.folds import FoldedTrees
from cmslabs.search.scan_config import SearchConfig, ToySettings
from cmslabs.search.toy import toy_events

#: Parameters with which a try takes a fraction of a second.
QUICK = {
    "ratio": {"members": 1, "max_events": 4000, "epochs": 3},
    "flow": {"max_events": 1500, "epochs": 2, "n_layers": 2, "widths": [16, 16]},
    "trees": {"folds": 2, "members": 1, "max_iter": 15},
}


def tiny_config(**changed) -> SearchConfig:
    """A scan of the toy with the methods that need no network, and two tries of two sizes."""
    plain = {
        "name": "tiny",
        "problem": ToySettings(events=16_000, signal=800),
        "methods": ["supervised", "ideal", "simulation"],
        "injections": [0, 0.3],
        "seeds": 2,
        "efficiency": 0.2,
        "permutations": 1,
    }
    return SearchConfig(**(plain | QUICK | changed))


def toy_table(seed: int, background: int = 3000, signal: int = 600, simulation: int = 0) -> pd.DataFrame:
    """Events of the toy in one table, with their process and a number of their own."""
    rng = np.random.default_rng(seed)
    counts = {"background": background, "signal": signal, "simulation": simulation}
    parts = [toy_events(kind, n, rng).assign(process=kind) for kind, n in counts.items() if n]
    return pd.concat(parts, ignore_index=True).assign(event=lambda table: np.arange(len(table)))


def resonance_table(seed: int, background: int, signal: int, inside: int = 0, width: float = 60.0) -> pd.DataFrame:
    """Falling masses with two features that know nothing of them, and a resonance at 3500 GeV.

    `inside` of the signal events are background by name: a signal that is hidden already.
    """
    rng = np.random.default_rng(seed)
    steps = rng.random(background) * (1 - np.exp(-3400 / 400))
    masses = np.concatenate([2600 - 400 * np.log1p(-steps), rng.normal(3500, width, signal)])
    looks = np.concatenate([rng.normal(size=(background, 2)), rng.normal(2.0, 0.5, size=(signal, 2))])
    names = np.repeat(["background", "signal"], [background + inside, signal - inside])
    return pd.DataFrame({"mjj": masses, "a": looks[:, 0], "b": looks[:, 1], "process": names})


def scored(labels, scores, weights, folds) -> FoldedTrees:
    """A classifier that has been trained already: its scores are given."""
    model = FoldedTrees(folds=int(np.max(folds)) + 1)
    model.y_, model.scores_ = np.asarray(labels), np.asarray(scores, dtype=float)
    model.weights_, model.fold_ = np.asarray(weights, dtype=float), np.asarray(folds)
    return model

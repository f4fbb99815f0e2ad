"""Every registered model in a small and quick version, and events that it can be tried on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.models.base import AnomalyModel
from cmslabs.models.registry import MODELS, make_model, model_class

#: Parameters that make a model quick.  A model that is not listed is tried with its defaults.
QUICK: dict[str, dict[str, Any]] = {
    "isolation-forest": {"n_estimators": 30},
    "gaussian-mixture": {"n_components": 2},
    "boosted-trees": {"max_iter": 20},
    "autoencoder": {"widths": (16,), "epochs": 40, "batch_size": 32, "learning_rate": 1e-2},
    "vae": {"widths": (16,), "beta": 0.05, "epochs": 40, "batch_size": 32, "learning_rate": 1e-2},
    "image-autoencoder": {"latent": 2, "widths": (2, 4, 4), "epochs": 8, "batch_size": 32, "learning_rate": 1.5e-2},
    "flow": {"n_layers": 2, "widths": (16,), "epochs": 8, "batch_size": 85, "learning_rate": 1e-2},
    "ensemble": {"model": "isolation-forest", "n_members": 2, "parameters": {"n_estimators": 30}},
}
#: More than one kind of ensemble: of trees, of labelled trees, of networks, of networks for images.
ENSEMBLES = ("gaussian-mixture", "boosted-trees", "autoencoder", "image-autoencoder")
#: What these models are told by their user is all that they know: another sample changes nothing.
LEARN_NOTHING = ("single-feature", "tau21-sum")
NAMES = ("mj_light", "dmj", "tau21_light", "tau21_heavy")


@dataclass(frozen=True)
class Example:
    """A model and its parameters."""

    name: str
    parameters: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return f"ensemble-{dict(self.parameters)['model']}" if self.name == "ensemble" else self.name

    def model(self, seed: int = 1) -> AnomalyModel:
        """Not fitted; with this seed if it has one."""
        more = {"random_state": seed} if self.seeded else {}
        return make_model(self.name, **dict(self.parameters), **more)

    @property
    def seeded(self) -> bool:
        """Whether its training depends on chance."""
        return "random_state" in model_class(self.name)._get_param_names()

    @property
    def images(self) -> bool:
        """Whether it takes images instead of tables."""
        inner = dict(self.parameters).get("model", self.name)
        return model_class(inner)._checked is not AnomalyModel._checked

    def usual(self, seed: int = 0, n: int = 300) -> Any:
        """Events of the kind that it is trained on."""
        return usual_images(seed, n) if self.images else usual_table(seed, n)

    def unusual(self, seed: int = 50, n: int = 300) -> Any:
        """Events of another kind."""
        return unusual_images(seed, n) if self.images else unusual_table(seed, n)

    def fitted(self, seed: int = 1) -> AnomalyModel:
        """A fitted one, shared by all tests that do not change it."""
        return _fitted(self.name, repr(self.parameters), seed, self)

    def fit(self, model: AnomalyModel, seed: int = 0) -> AnomalyModel:
        """Train on usual events, or on both kinds if it needs labels."""
        X = self.usual(seed)
        if not model._needs_labels():
            return model.fit(X)
        both = [X, self.unusual(seed + 100)]
        X = pd.concat(both, ignore_index=True) if isinstance(X, pd.DataFrame) else np.concatenate(both)
        return model.fit(X, np.repeat([0, 1], [len(part) for part in both]))


_kept: dict[tuple, AnomalyModel] = {}


def _fitted(name: str, parameters: str, seed: int, example: Example) -> AnomalyModel:
    key = (name, parameters, seed)
    if key not in _kept:
        _kept[key] = example.fit(example.model(seed))
    return _kept[key]


def all_examples() -> list[Example]:
    """One for every line of the registry, and the other ensembles."""
    found = [Example(name, tuple(QUICK.get(name, {}).items())) for name in MODELS]
    for inner in ENSEMBLES:
        parameters = {"model": inner, "n_members": 2, "parameters": QUICK[inner]}
        found.append(Example("ensemble", tuple(parameters.items())))
    return found


@cache
def usual_table(seed: int, n: int) -> pd.DataFrame:
    """Two pairs of columns that belong together, in the units of jets."""
    rng = np.random.default_rng(seed)
    hidden = np.repeat(rng.normal(size=(n, 2)), 2, axis=1) + 0.2 * rng.normal(size=(n, 4))
    return pd.DataFrame(hidden * [30, 80, 0.1, 0.1] + [120, 200, 0.6, 0.5], columns=list(NAMES))


@cache
def unusual_table(seed: int, n: int) -> pd.DataFrame:
    """The same, shifted by some standard deviations, and against the rule by which columns belong together."""
    table = usual_table(seed, n)
    return table + np.array([4, -4, -6, 1]) * [30, 80, 0.1, 0.1]


@cache
def usual_images(seed: int, n: int) -> np.ndarray:
    """One spot near the middle of 12 x 12 pixels."""
    rng = np.random.default_rng(seed)
    return _spot(rng.normal(5.5, 0.5, (n, 2)), rng.uniform(0.8, 1.2, n))


@cache
def unusual_images(seed: int, n: int) -> np.ndarray:
    """Two spots beside it."""
    rng = np.random.default_rng(seed)
    away = rng.normal(3.0, 0.3, (n, 2))
    return (_spot(5.5 + away, rng.uniform(0.8, 1.2, n)) + _spot(5.5 - away, rng.uniform(0.8, 1.2, n))) / 2


def _spot(centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    row, column = np.mgrid[:12, :12]
    square = (row - centre[:, 0, None, None]) ** 2 + (column - centre[:, 1, None, None]) ** 2
    image = np.exp(-square / (2 * width[:, None, None] ** 2))
    return (image / image.sum(axis=(1, 2), keepdims=True)).astype(np.float32)

"""All models by name.  A new one is a file beside this one, and a line here."""

from __future__ import annotations

import importlib
from typing import Any

from cmslabs.errors import ConfigError, close_names

__all__ = ["MODELS", "make_model", "model_class"]

#: Name -> module and class.  Modules are imported when they are asked for: torch takes seconds.
MODELS: dict[str, str] = {
    "norm": "cmslabs.models.trivial:Norm",
    "single-feature": "cmslabs.models.trivial:SingleFeature",
    "tau21-sum": "cmslabs.models.trivial:Tau21Sum",
    "pca": "cmslabs.models.linear:PCA",
    "isolation-forest": "cmslabs.models.forest:IsolationForest",
    "kde": "cmslabs.models.density:KDE",
    "gaussian-mixture": "cmslabs.models.density:GaussianMixture",
    "boosted-trees": "cmslabs.models.supervised:BoostedTrees",
    "autoencoder": "cmslabs.models.autoencoder:Autoencoder",
    "vae": "cmslabs.models.vae:VariationalAutoencoder",
    "image-autoencoder": "cmslabs.models.image_autoencoder:ImageAutoencoder",
    "flow": "cmslabs.models.flow:Flow",
    "ensemble": "cmslabs.models.ensemble:Ensemble",
}


def model_class(name: str) -> type:
    """The class of a model.

    Raises
    ------
    ConfigError
        If there is no model of that name.
    """
    if name not in MODELS:
        near = close_names(name, MODELS)
        raise ConfigError(
            f"there is no model '{name}'.",
            remedy=f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(MODELS)}.",
        )
    module, _, attribute = MODELS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def make_model(name: str, **parameters: Any) -> Any:
    """A model that is not fitted yet.

    Parameters
    ----------
    name : str
        One of `MODELS`.
    **parameters
        As its class takes them.

    Raises
    ------
    ConfigError
        If there is no such model, or it has no such parameter.
    """
    found = model_class(name)
    known = found._get_param_names()
    for wrong in [given for given in parameters if given not in known]:
        near = close_names(wrong, known)
        raise ConfigError(
            f"the model '{name}' has no parameter '{wrong}'.",
            remedy=f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(known) or 'none'}.",
        )
    return found(**parameters)

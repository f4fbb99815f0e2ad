"""One tuning is one YAML file: which model, on which background, what is searched, and what decides.

Only background decides.  There is no place in the file where a signal could stand.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from cmslabs.config import StrictModel, bundled_names, config_path, load_config
from cmslabs.errors import ConfigError

__all__ = [
    "JetImages",
    "Pruning",
    "Range",
    "TuningConfig",
    "TuningData",
    "bundled_tunings",
    "check_fair",
    "check_parameters",
    "load_tuning",
]

#: What a study must not choose.
_NOT_SEARCHED = {
    "random_state": "the study would choose the luckiest seed, which helps on no other events",
    "device": "it changes the speed, not the result",
    "progress": "it changes what is printed, not the result",
    "checkpoint": "trials would take up each other's training",
}
#: Parameters that change what the loss of a model is made of.
_CHANGES_LOSS = {
    "beta": "the weight of a part of the loss",
    "pixels": "what the loss is computed of",
    "coordinates": "what the density that is the loss is a density in",
    "context": "what the density that is the loss is given",
    "integers": "which columns the loss knows only as a whole number",
    "drop_redundant": "how many columns the density that is the loss has",
}


class Range(StrictModel):
    """Numbers from `low` to `high`: whole ones if both are written without a decimal point.

    With ``log`` each factor is as likely as any other: 0.001 to 0.01 as 0.01 to 0.1.
    """

    low: int | float
    high: int | float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @model_validator(mode="after")
    def _order(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low must be less than high, but {self.low:g} is not less than {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic range must begin above 0")
        return self


#: A mapping is a range, a list is a set of choices.
Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[tuple[Any, ...], Field(min_length=2), Tag("choices")],
    Discriminator(lambda value: "range" if isinstance(value, Mapping | Range) else "choices"),
]


class JetImages(StrictModel):
    """Which images an image model sees; as in `cmslabs.features.images.jet_images`."""

    jet: Literal["j1", "j2"] = "j1"
    n_pixels: Annotated[int, Field(ge=8, le=128)] = 32
    channel: Literal["pt", "energy", "log_pt"] = "pt"


class TuningData(StrictModel):
    """The background: where it lies, and which of its columns the model sees.

    Events are split by their id as everywhere in the course; those of the test part are never used.

    Attributes
    ----------
    source : str
        Name of a dataset, or a table (``.parquet``, ``.csv``).
    process : str or None
        Only rows with this name in the column ``process``; None takes all rows, for background from data.
    features : tuple of str
        Columns; none means the four of `cmslabs.features.dijets.detector_features`.
    images : JetImages or None
        For an image model: images in place of columns.
    max_events : int or None
        The first so many rows, before they are split.
    split_seed : int
        Of `cmslabs.evaluation.splits.split_events`.
    """

    source: str
    process: str | None = None
    features: tuple[str, ...] = ()
    images: JetImages | None = None
    max_events: Annotated[int, Field(ge=50)] | None = None
    split_seed: Annotated[int, Field(ge=0)] = 0


class Pruning(StrictModel):
    """When a trial is stopped: if it is worse than the median of the earlier ones at the same epoch.

    Attributes
    ----------
    trials : int
        Trials that are always completed, so that there is a median.
    epochs : int
        Epochs that every trial gets.
    """

    trials: Annotated[int, Field(ge=1)] = 5
    epochs: Annotated[int, Field(ge=1)] = 3


class TuningConfig(StrictModel):
    """What is tried, and what decides.

    Attributes
    ----------
    objective : {"validation-loss", "shuffled", "shifted"}
        ``validation-loss``: smallest loss on background that was not trained on.  The others: largest AUC of that
        background against imitated anomalies, which are made of it (`cmslabs.models.tuning_data.imitate`).
    trials : int
        Of the whole study, however many processes work on it.
    seed : int
        Of proposals, trainings and imitations.  The study is the same again if one process runs it.
    fixed : dict
        Parameters of the model that all trials share.
    search : dict
        Parameter -> list of choices, or range ``{low, high, log}``.
    pruning : Pruning or None
        None completes every trial.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str = ""
    model: Literal["autoencoder", "vae", "flow", "image-autoencoder"]
    data: TuningData
    objective: Literal["validation-loss", "shuffled", "shifted"]
    trials: Annotated[int, Field(ge=1)] = 20
    seed: Annotated[int, Field(ge=0)] = 0
    fixed: dict[str, Any] = Field(default_factory=dict)
    search: Annotated[dict[str, Dimension], Field(min_length=1)]
    pruning: Pruning | None = Pruning()

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether a small or a large value wins."""
        return "minimize" if self.objective == "validation-loss" else "maximize"


def bundled_tunings() -> list[str]:
    """Names of the tunings that come with the package."""
    return bundled_names("cmslabs.models", "tunings")


def load_tuning(source: str | os.PathLike, overrides: Sequence[str] = ()) -> TuningConfig:
    """Read a tuning file, or a bundled one by its name.

    Parameters
    ----------
    source : path-like or str
        ``"my-tuning.yaml"``, or a name from `bundled_tunings`.
    overrides : sequence of str
        ``"fixed.epochs=5"``.

    Raises
    ------
    ConfigError
        With one line per mistake.

    Examples
    --------
    >>> load_tuning("autoencoder", ["trials=3"]).trials
    3
    """
    config = load_config(config_path(source, "tuning", "cmslabs.models", "tunings"), TuningConfig, overrides)
    check_fair(config)
    return config


def check_fair(config: TuningConfig) -> None:
    """Refuse a study whose trials cannot be compared, or that would choose what must not be chosen.

    Raises
    ------
    ConfigError
        The message names the key.
    """
    images = config.data.images is not None
    wrong = [(f"search.{name}", f"cannot be searched: {why}.") for name, why in _NOT_SEARCHED.items()]
    if config.objective == "validation-loss":
        wrong += [
            (f"search.{name}", f"is {what}, so the losses of two trials cannot be compared.")
            for name, what in _CHANGES_LOSS.items()
        ]
    for key, what in wrong:
        if key.removeprefix("search.") in config.search:
            raise ConfigError(what, where=key, remedy="Put one value under 'fixed', or choose another objective.")
    if "random_state" in config.fixed:
        raise ConfigError("belongs under the key 'seed'.", where="fixed.random_state", remedy="Move the number.")
    for name in sorted(set(config.search) & set(config.fixed)):
        raise ConfigError("stands under 'fixed', too.", where=f"search.{name}", remedy="Take one of them out.")
    if (config.model == "image-autoencoder") != images:
        raise ConfigError(
            f"must {'not ' if images else ''}be given for the model '{config.model}'.",
            where="data.images",
            remedy="Images belong to the model image-autoencoder.",
        )
    if images and (config.data.features or config.objective == "shifted"):
        raise ConfigError(
            "images have no features, and cannot be 'shifted'.", where="data.images", remedy="Use 'shuffled'."
        )


def check_parameters(config: TuningConfig) -> None:
    """Refuse parameters that the model does not have.

    Raises
    ------
    ConfigError
        The message names the key, and parameters with a similar name.
    """
    from cmslabs.models.registry import make_model

    for section in ("fixed", "search"):
        for name in getattr(config, section):
            try:
                make_model(config.model, **{name: None})
            except ConfigError as error:
                raise ConfigError(error.what, where=f"{section}.{name}", remedy=error.remedy) from error

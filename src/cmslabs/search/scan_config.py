"""The YAML file of `cmslabs search`: one search, tried with many injections, seeds and methods."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from inspect import Parameter, signature
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cmslabs.config import StrictModel, config_path, load_config
from cmslabs.errors import ConfigError, close_names
from cmslabs.search.estimate import Columns
from cmslabs.search.problem import Problem
from cmslabs.search.regions import Regions
from cmslabs.search.table_problem import TableProblem, load_source
from cmslabs.search.toy import ToyProblem

__all__ = ["METHODS", "SearchConfig", "TableSettings", "ToySettings", "load_search", "make_problem"]

#: What can be tried, in the order of plots.  The first two are the bounds, the third does nothing about the simulation.
METHODS = ("supervised", "ideal", "simulation", "context", "reweight", "generate", "morph", "cwola", "cathode")
_NEED_SIMULATION = ("simulation", "context", "reweight", "generate", "morph")
_NEED_WINDOW = ("cwola", "cathode")

Cut = tuple[float | None, float | None]


class ToySettings(StrictModel):
    """The toy of `cmslabs.search.toy`.

    Attributes
    ----------
    events : int
        Background events in all regions.
    signal : int
        Signal events that can be injected.
    """

    kind: Literal["toy"] = "toy"
    events: int = Field(default=100_000, ge=1000)
    signal: int = Field(default=4000, ge=100)


class TableSettings(StrictModel):
    """Events of a table.

    Attributes
    ----------
    source : str
        A bundled sample's name, or a Parquet or CSV file.
    features : list of str
        What classifiers see.
    signal_region, within : dict
        Column -> [low, high] in the column's units; null leaves an end open.
    context : list of str or None
        What the region depends on; None takes the columns of the cuts.
    background, simulation, signal : str
        Processes of the table; simulation may be "distorted", or null.
    log_context : bool
        Whether contexts are scaled logarithmically.
    control_kept : float
        Share of the control region's background that the table holds.
    events : int or None
        Use so many background events.
    correlated : float
        See `cmslabs.search.table_problem.TableProblem`.
    """

    kind: Literal["table"] = "table"
    source: str
    features: list[str] = Field(min_length=1)
    signal_region: dict[str, Cut] = Field(min_length=1)
    within: dict[str, Cut] = Field(default_factory=dict)
    context: list[str] | None = None
    background: str
    signal: str
    simulation: str | None = None
    log_context: bool = False
    control_kept: float = Field(default=1.0, gt=0, le=1)
    events: int | None = Field(default=None, ge=100)
    correlated: float = Field(default=0.0, ge=0)


class SearchConfig(StrictModel):
    """Everything that decides the numbers of a scan.

    Attributes
    ----------
    name : str
    problem : ToySettings or TableSettings
    methods : list of str
        Some of `METHODS`.
    injections : list of float
        Signal over background in the signal region; 0 must be among them, and they differ by at least 0.0001.
    seeds, first_seed : int
        How many tries, and the seed of the first.
    efficiency : float
        Of the cut behind which events are counted, on the background estimate.
    permutations : int
        Trainings with shuffled labels for each try without signal.
    trees, ratio, flow : dict
        Parameters of `FoldedTrees`, `DensityRatio` and `ConditionalFlow`.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    problem: ToySettings | TableSettings = Field(discriminator="kind")
    methods: list[str] = Field(min_length=1)
    injections: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(min_length=1)
    seeds: int = Field(default=10, ge=1)
    first_seed: int = Field(default=0, ge=0, lt=1 << 62)
    efficiency: float = Field(default=0.01, gt=0, lt=1)
    permutations: int = Field(default=0, ge=0)
    trees: dict[str, Any] = Field(default_factory=dict)
    ratio: dict[str, Any] = Field(default_factory=dict)
    flow: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> SearchConfig:
        for name in self.methods:
            if name not in METHODS:
                near = close_names(name, METHODS, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"use some of {', '.join(METHODS)}."
                raise ValueError(f"there is no method '{name}'; {hint}")
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("a method stands twice.")
        # Nearer ones would share their random numbers.
        if any(b - a < 1e-4 for a, b in pairwise(sorted(self.injections))):
            raise ValueError("an injection stands twice, or two differ by less than 0.0001.")
        if 0 not in self.injections or min(self.injections) < 0:
            raise ValueError("injections must not be negative, and 0 must be among them: every search needs its null.")
        simulated = self.problem.kind == "toy" or self.problem.simulation is not None
        cuts = list(self.problem.signal_region.values()) if self.problem.kind == "table" else []
        window = len(cuts) == 1 and None not in cuts[0]
        for name in self.methods:
            if name in _NEED_SIMULATION and not simulated:
                raise ValueError(f"the method '{name}' needs a simulation, but problem.simulation is null.")
            if name in _NEED_WINDOW and not window:
                raise ValueError(f"the method '{name}' needs a signal region in one column, with two ends.")
        for part in ("trees", "ratio", "flow"):
            _check_parameters(part, getattr(self, part))
        return self


def _check_parameters(part: str, given: Mapping[str, Any]) -> None:
    """Whether these are parameters of what the part is for, of the kinds that their defaults have."""
    known = _parameters()[part]
    for name, value in given.items():
        if name not in known:
            near = close_names(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(sorted(known))}."
            raise ValueError(f"{part}.{name}: no such parameter; {hint}")
        if value is None and "None" in str(known[name].annotation):
            continue
        kind, whole = type(known[name].default), type(value) is int
        if kind is int and not (whole and value >= 1):
            raise ValueError(f"{part}.{name}: a whole number from 1 on is needed, not {value!r}.")
        if kind is float and not ((whole or type(value) is float) and 0 <= value < float("inf")):
            raise ValueError(f"{part}.{name}: a number from 0 on is needed, not {value!r}.")


@cache
def _parameters() -> dict[str, dict[str, Parameter]]:
    """What may stand in each part.  Seeds are the scan's, the context is the problem's, and no scan is in sample."""
    from cmslabs.models.flow import Flow
    from cmslabs.search.conditional import ConditionalFlow
    from cmslabs.search.folds import FoldedTrees
    from cmslabs.search.ratio import DensityRatio

    parts = {"trees": [FoldedTrees], "ratio": [DensityRatio], "flow": [ConditionalFlow, Flow]}
    taken = ("features", "parameters", "random_state", "context", "in_sample")
    return {
        part: {
            name: one
            for function in functions
            for name, one in signature(function).parameters.items()
            if name not in taken
        }
        for part, functions in parts.items()
    }


def load_search(source: str | os.PathLike, overrides: Sequence[str] = ()) -> SearchConfig:
    """A configuration by its path, or by the name of a bundled one.

    Raises
    ------
    ConfigError
        With one line per mistake.
    """
    return load_config(config_path(source, "search", "cmslabs.search", "searches"), SearchConfig, overrides)


def make_problem(settings: ToySettings | TableSettings) -> Problem:
    """The search that the settings describe.

    Raises
    ------
    ConfigError, DataError, MissingBranchError
        If the table does not fit.
    """
    if settings.kind == "toy":
        return ToyProblem(settings.events, settings.signal)
    regions = Regions(dict(settings.signal_region), dict(settings.within))
    context = regions.context if settings.context is None else tuple(settings.context)
    shared = sorted(set(context) & set(settings.features))
    if shared:
        raise ConfigError(
            f"'{shared[0]}' is context and feature at once.",
            where="problem.features",
            remedy="A classifier that sees the context tells the regions apart without any signal.",
        )
    for name in settings.features:
        if name in ("process", "label") or settings.features.count(name) > 1:
            raise ConfigError(
                f"'{name}' stands twice, or says what an event is.",
                where="problem.features",
                remedy="Give measured columns, each once.",
            )
    columns = Columns(tuple(settings.features), context, settings.log_context)
    wanted = dict.fromkeys([*settings.features, *context, *regions.context])
    return TableProblem(
        load_source(settings.source, list(wanted)),
        columns,
        regions,
        settings.background,
        settings.signal,
        settings.simulation,
        settings.control_kept,
        settings.events,
        settings.correlated,
    )

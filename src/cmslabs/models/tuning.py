"""Choose a model's parameters by trying many, and let nothing decide that would not be there in a search.

What decides is the loss on background, or how well the model tells background from anomalies that are made of it.
The best value of a study is too good: it has been chosen.  Judge the chosen model on events that no trial has seen.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError, DataError, require
from cmslabs.evaluation.roc import auc
from cmslabs.io import canonical_json, json_hash
from cmslabs.models.registry import make_model
from cmslabs.models.tuning_config import Range, TuningConfig, check_fair, check_parameters
from cmslabs.models.tuning_data import imitate
from cmslabs.models.tuning_store import StudyFile

__all__ = ["Tuning", "propose", "tune"]

#: How our tables call the states of a trial.
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


@dataclass(frozen=True)
class Tuning:
    """What a study has found so far.

    Attributes
    ----------
    config : TuningConfig
    trials : DataFrame
        One row per trial that counts: ``trial``, ``state`` (complete, pruned, failed, or running in another process),
        ``value``, ``epochs``, ``seconds``, ``reason``, and the searched parameters.
    """

    config: TuningConfig
    trials: pd.DataFrame

    def count(self, state: str) -> int:
        """Trials in a state."""
        return int((self.trials["state"] == state).sum())

    @property
    def best(self) -> dict[str, Any] | None:
        """The complete trial with the best value, as a row of `trials`; None before there is one."""
        complete = self.trials[self.trials["state"] == "complete"]
        if not len(complete):
            return None
        values = complete["value"]
        return complete.loc[values.idxmin() if self.config.direction == "minimize" else values.idxmax()].to_dict()

    @property
    def best_parameters(self) -> dict[str, Any] | None:
        """All that was fixed or chosen for the best trial: ``make_model(config.model, **best_parameters)``."""
        if self.best is None:
            return None
        chosen = {name: _plain(self.best[name]) for name in self.config.search}
        return {**self.config.fixed, **chosen, "random_state": self.config.seed}


def tune(
    config: TuningConfig,
    X: Any,
    X_val: Any,
    storage: str | os.PathLike,
    *,
    tick: Callable[[Tuning], None] | None = None,
) -> Tuning:
    """Make trials until the study has as many as the configuration wants.

    Several processes may call this with the same file at the same time: together they make exactly so many trials.
    A study that was interrupted goes on.

    Parameters
    ----------
    config : TuningConfig
    X, X_val : DataFrame or ndarray, shape (n_events, ...)
        Background to train on, and background to judge with: `cmslabs.models.tuning_data.background_parts`.
    storage : path-like
        SQLite file of the study.
    tick : callable, optional
        Called after each trial of this process.

    Returns
    -------
    Tuning

    Raises
    ------
    ConfigError
        If the model has no such parameter or cannot have such a value, or the file holds another study.
    DataError
        If the file is no study.
    MissingExtraError
        If optuna is not installed (extra ``tune``).
    """
    check_fair(config)
    check_parameters(config)
    require("optuna", "tune")
    file = StudyFile(storage, config, _identity(config, X, X_val))
    judge = _loss if config.objective == "validation-loss" else _Imitation(config, X_val)
    while True:
        with file.next_trial() as trial:
            if trial is not None:
                _run(file, trial, config, X, X_val, judge)
        if trial is None:
            return _summary(file)
        if tick is not None:
            tick(_summary(file))


def propose(trial: Any, config: TuningConfig) -> dict[str, Any]:
    """Parameters of a trial, fixed ones included."""
    chosen = {}
    for name, dimension in config.search.items():
        if not isinstance(dimension, Range):
            # Lists are no values for Optuna; their JSON is.
            chosen[name] = json.loads(trial.suggest_categorical(name, [canonical_json(one) for one in dimension]))
        elif dimension.whole:
            chosen[name] = trial.suggest_int(name, dimension.low, dimension.high, log=dimension.log)
        else:
            chosen[name] = trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    return {**config.fixed, **chosen}


def _identity(config: TuningConfig, X: Any, X_val: Any) -> str:
    """Hash of all that two trials must share to be compared."""
    events = hashlib.sha256()
    for part in (X, X_val):
        array = np.ascontiguousarray(part)
        events.update(f"{array.dtype}{array.shape}".encode())
        events.update(array.tobytes())
    same = config.model_dump(mode="json", exclude={"name", "title", "trials"})
    return json_hash([same, events.hexdigest()])


class _Imitation:
    """AUC of the validation part against anomalies made of it."""

    def __init__(self, config: TuningConfig, X_val: Any):
        usual = np.asarray(X_val)
        self.events = np.concatenate([usual, imitate(usual, config.objective, config.seed)])
        if hasattr(X_val, "columns"):
            self.events = pd.DataFrame(self.events, columns=X_val.columns)
        self.labels = np.repeat([0, 1], len(usual))

    def __call__(self, model: Any, history: Any) -> float:
        return auc(self.labels, model.anomaly_score(self.events))


def _loss(model: Any, history: Any) -> float:
    return min(history.val_loss)


def _run(file: StudyFile, trial: Any, config: TuningConfig, X: Any, X_val: Any, judge: Callable) -> None:
    """Train once and tell the result; a trial that is pruned or loses its numbers is a result, too."""
    from cmslabs.models.training import TrainingError

    pruned = require("optuna", "tune").TrialPruned
    states = require("optuna.trial", "tune").TrialState
    parameters = propose(trial, config)
    start, epochs = time.perf_counter(), 0

    def after_epoch(network: Any, history: Any) -> None:
        nonlocal epochs
        epochs = history.epochs
        trial.report(judge(model, history), epochs)
        if trial.should_prune():
            raise pruned

    def remember(**facts: Any) -> None:
        for name, value in {"epochs": epochs, "seconds": round(time.perf_counter() - start, 3), **facts}.items():
            trial.set_user_attr(name, value)

    try:
        model = make_model(config.model, **parameters, random_state=config.seed)
        model.fit(X, X_val=X_val, after_epoch=after_epoch)
    except pruned:
        remember()
        file.study.tell(trial, state=states.PRUNED)
    except TrainingError as error:
        remember(reason=str(error))
        file.study.tell(trial, state=states.FAIL)
    except (ConfigError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise  # It is the events that are wrong, and the message says where.
        raise ConfigError(
            f"the model '{config.model}' cannot be trained with {canonical_json(parameters)}: {error}",
            remedy=None if isinstance(error, ConfigError) else "Correct the value under 'fixed' or 'search'.",
        ) from error
    else:
        value = model.history_.best_loss if config.objective == "validation-loss" else judge(model, model.history_)
        remember()
        file.study.tell(trial, float(value))


def _summary(file: StudyFile) -> Tuning:
    rows = []
    for trial in file.counted():
        row = {
            "trial": trial.user_attrs["slot"],
            "state": _STATES[trial.state.name],
            "value": trial.value if trial.state.name == "COMPLETE" else None,
            **{name: trial.user_attrs.get(name) for name in ("epochs", "seconds", "reason")},
        }
        for name, dimension in file.config.search.items():
            value = trial.params.get(name)
            row[name] = value if isinstance(dimension, Range) or value is None else json.loads(value)
        rows.append(row)
    columns = ["trial", "state", "value", "epochs", "seconds", "reason", *file.config.search]
    return Tuning(file.config, pd.DataFrame(rows, columns=columns, dtype=object))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

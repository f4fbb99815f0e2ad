"""Many trainings of one model, averaged: what one of them happened to learn, the others did not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from cmslabs.errors import ConfigError, DataError
from cmslabs.models.base import AnomalyModel, ModelInputError
from cmslabs.models.registry import make_model, model_class
from cmslabs.models.storage import State

__all__ = ["Ensemble"]

#: Between these quantiles lie 68 % of the events; half their distance is the unit of a member's score.
_MIDDLE = (0.16, 0.5, 0.84)


class Ensemble(AnomalyModel):
    """Mean score of several trainings of one model, which differ in their seeds.

    The scores of two trainings may have different zeros and units.  So from each member's score the median of the
    training events is subtracted, and the rest is divided by half the distance of their 16 % and 84 % quantiles,
    before the mean is taken.  (For labelled training events: of all of them, background and signal.)

    Parameters
    ----------
    model : str
        A name of `cmslabs.models.registry.MODELS` whose model has a ``random_state``.
    n_members : int
        Trainings.
    parameters : dict, optional
        Of the model, besides its ``random_state``.
    random_state : int or None
        Decides the members' seeds.

    Attributes
    ----------
    members_ : list of AnomalyModel
    centres_, units_ : ndarray, shape (n_members,)
        Median and half of the middle 68 % of each member's training scores.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> model = Ensemble("isolation-forest", n_members=3, random_state=0).fit(rng.normal(size=(500, 2)))
    >>> centre, far = model.anomaly_score([[0.0, 0.0], [6.0, 6.0]])
    >>> bool(centre < 0 < far)
    True
    """

    # A member may be happy with what another kind of model refuses: it checks for itself.
    needs_spread = False

    def __init__(
        self,
        model: str = "isolation-forest",
        n_members: int = 5,
        parameters: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ):
        self.model = model
        self.n_members = n_members
        self.parameters = parameters
        self.random_state = random_state

    def _needs_labels(self) -> bool:
        return model_class(self.model).supervised

    def _checked(self, X: Any, reset: bool) -> np.ndarray:
        """A table is checked here; whatever else its model takes, such as images, each member checks for itself."""
        if model_class(self.model)._checked is AnomalyModel._checked:
            return super()._checked(X, reset)
        X = np.asarray(X)
        if reset:
            self.n_features_in_ = int(np.prod(X.shape[1:]))
        return X

    def _event_shape(self) -> tuple[int, ...]:
        return self.members_[0]._event_shape()

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        self._check_parameters()
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=self.n_members)
        table = self._named(X)
        members, scores = [], []
        for seed in seeds:
            member = make_model(self.model, **(self.parameters or {}), random_state=int(seed))
            members.append(member.fit(table, y))
            scores.append(member.anomaly_score(table))
        low, middle, high = np.quantile(scores, _MIDDLE, axis=1)
        if (high <= low).any():
            raise ModelInputError(
                f"two thirds of the events get the same score from {self.model}: its unit would be 0.",
                remedy="Give more events, or another model.",
            )
        self.members_, self.centres_, self.units_ = members, middle, (high - low) / 2

    def _score(self, X: np.ndarray) -> np.ndarray:
        table = self._named(X)
        scores = np.array([member.anomaly_score(table) for member in self.members_])
        return ((scores - self.centres_[:, None]) / self.units_[:, None]).mean(axis=0)

    def _check_parameters(self) -> None:
        if not isinstance(self.n_members, int | np.integer) or self.n_members < 1:
            raise ConfigError(f"n_members={self.n_members!r} is no number of trainings.", remedy="Give one >= 1.")
        if "random_state" not in model_class(self.model)._get_param_names():
            raise ConfigError(
                f"all trainings of '{self.model}' are the same: it has no random_state.",
                remedy="An ensemble needs a model that depends on its seed.",
            )
        if "random_state" in (self.parameters or {}):
            raise ConfigError(
                "the ensemble itself decides the random_state of its members.",
                where="parameters",
                remedy="Give random_state to the ensemble.",
            )

    def _named(self, X: np.ndarray) -> Any:
        """The table with its columns' names, which some models look for."""
        names = getattr(self, "feature_names_in_", None)
        return X if names is None else pd.DataFrame(X, columns=names)

    # A file holds each member's parts under its number.

    def _state(self) -> State:
        state = State(arrays={"centres": self.centres_, "units": self.units_})
        facts = []
        for number, member in enumerate(self.members_):
            facts.append(member._facts())
            part = member._state()
            for kind in ("plain", "arrays", "tensors", "estimators"):
                getattr(state, kind).update({f"{number}.{name}": one for name, one in getattr(part, kind).items()})
        state.plain["members"] = facts
        return state

    def _restore(self, state: State) -> None:
        self.centres_, self.units_ = state.arrays["centres"], state.arrays["units"]
        self.members_ = []
        for number, facts in enumerate(state.plain["members"]):
            part = State()
            for kind in ("plain", "arrays", "tensors", "estimators"):
                found = getattr(state, kind).items()
                mine = {name.removeprefix(f"{number}."): one for name, one in found if name.startswith(f"{number}.")}
                getattr(part, kind).update(mine)
            self.members_.append(model_class(self.model)._from_parts(facts, part))
        if not len(self.members_) == len(self.centres_) == len(self.units_) > 0:
            raise DataError("holds an ensemble with missing members.", remedy="Save the model again.")

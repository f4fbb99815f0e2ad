"""The contract of every model: fit, anomaly score, save and load, and errors that name the column.

A model is a scikit-learn estimator.  `__init__` stores its parameters and nothing else; what `fit` learns ends in an
underscore.  A high `anomaly_score` means unusual; `score_samples` is its negative, as in scikit-learn.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils import ClassifierTags
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from cmslabs.errors import CmslabsError, DataError
from cmslabs.models.checks import ModelInputError, checked_labels, checked_table, refuse_flat_columns
from cmslabs.models.storage import State, from_plain, read_state, to_plain, write_state

__all__ = ["AnomalyModel", "ModelInputError", "NotFittedModelError"]

#: What a model knows about its table; it is saved apart from what it has learnt.
_TABLE = ("n_features_in_", "feature_names_in_")


class NotFittedModelError(CmslabsError, NotFittedError):
    """A model was asked for scores, or to be saved, before it was fitted."""


class AnomalyModel(BaseEstimator):
    """Base of all models.

    A new model writes two methods: ``_fit(X, y)`` learns from a checked array of float64, and ``_score(X)`` gives one
    number per row.  What it learns ends in an underscore.  If that is more than arrays, numbers, texts and fitted
    scikit-learn estimators, it also writes ``_state()`` and ``_restore(state)``.

    Attributes
    ----------
    n_features_in_ : int
        Columns of the table that it was fitted to.
    feature_names_in_ : ndarray of str
        Their names, if that was a DataFrame.
    """

    # What else `fit` of a network takes is no metadata that scikit-learn should route: without this it would give
    # such a model a method `set_fit_request`, and our manual a page of its text.
    __metadata_request__fit: ClassVar[dict[str, str]] = {"X_val": UNUSED, "after_epoch": UNUSED}

    #: Whether `fit` needs labels.
    supervised: ClassVar[bool] = False
    #: Fewest rows that `fit` accepts.
    min_rows: ClassVar[int] = 2
    #: Whether a column that has one value only is refused: it cannot be standardised.
    needs_spread: ClassVar[bool] = True

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from a table.

        Parameters
        ----------
        X : DataFrame or array_like, shape (n_events, n_features)
            One row per event, finite.  Units are the user's: models standardise what they need to.
        y : array_like, shape (n_events,), optional
            Labels, 0 for background and 1 for signal; only supervised models read them.

        Raises
        ------
        ModelInputError
            If there are too few rows, a value is not finite, a column is constant (the message names the column), or
            a supervised model gets no labels, or labels of one class only.
        """
        X = self._checked(X, reset=True)
        self._check_spread(X)
        y = checked_labels(type(self).__name__, y, len(X)) if self._needs_labels() else None
        try:
            self._fit(X, y)
        except CmslabsError:
            raise
        except ValueError as error:
            # scikit-learn's estimators check their own parameters while they are fitted.
            raise ModelInputError(f"{type(self).__name__}: {' '.join(str(error).split())}") from error
        return self

    def anomaly_score(self, X: Any) -> np.ndarray:
        """One number per row, shape (n_events,): the higher, the more unusual.

        Raises
        ------
        NotFittedModelError
            If the model was not fitted.
        ModelInputError
            If the table has other columns than the one that the model was fitted to, or a value is not finite.
        """
        self._check_fitted()
        return self._finite(np.asarray(self._score(self._checked(X, reset=False)), dtype=np.float64))

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the anomaly score, shape (n_events,): the higher, the more usual, as in scikit-learn."""
        return -self.anomaly_score(X)

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted model into one file, without pickle.

        Raises
        ------
        NotFittedModelError
            If there is nothing to write yet.
        ConfigError
            If its class is not in `cmslabs.models.registry.MODELS`, or a parameter is no plain value: such a file
            could not be read again.
        """
        self._check_fitted()
        write_state(path, type(self), self._facts(), self._state())

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a model that `save` has written: ``AnomalyModel.load`` any, a model's own ``load`` only its kind.

        Raises
        ------
        DataError
            If the file is damaged, holds another model than `cls`, or anything that `save` does not write.
        """
        found, facts, state = read_state(path)
        if not issubclass(found, cls):
            raise DataError(
                f"holds a {found.__name__}, not a {cls.__name__}.", where=path, remedy=f"Use {found.__name__}.load."
            )
        try:
            model = found._from_parts(facts, state)
            # One event, whatever its score: parts that are missing or do not fit together show here.
            model._score(np.zeros((1, *model._event_shape())))
            return model
        except DataError as error:
            raise DataError(error.what, where=path, remedy=error.remedy) from error
        except Exception as error:
            raise DataError(
                f"is not a whole {found.__name__} ({type(error).__name__}: {error}).",
                where=path,
                remedy="Save the model again.",
            ) from error

    def __sklearn_tags__(self):
        """What scikit-learn may expect of it."""
        tags = super().__sklearn_tags__()
        if self._needs_labels():
            tags.target_tags.required = True
            tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags

    # What a new model writes.

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        raise NotImplementedError

    def _score(self, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _needs_labels(self) -> bool:
        """Whether this model, with its parameters, reads `y`."""
        return self.supervised

    def _state(self) -> State:
        """What was learnt, sorted by how it can be stored safely."""
        state = State()
        for name, value in vars(self).items():
            if not name.endswith("_") or name.startswith("_") or name in _TABLE:
                continue
            if isinstance(value, np.ndarray):
                state.arrays[name] = value
            elif isinstance(value, BaseEstimator):
                state.estimators[name] = value
            else:
                state.plain[name] = to_plain(value, name)
        return state

    def _restore(self, state: State) -> None:
        """Take up what `_state` gave."""
        plain = {name: from_plain(value) for name, value in state.plain.items()}
        for name, value in {**plain, **state.arrays, **state.estimators}.items():
            # A file must not replace a method, or a parameter.
            if not name.isidentifier() or not name.endswith("_") or name.startswith("_") or hasattr(type(self), name):
                raise DataError(f"holds {name!r}, which is nothing that a model learns.")
            setattr(self, name, value)

    # Checks, which a model of other things than tables replaces.

    def _checked(self, X: Any, reset: bool) -> np.ndarray:
        """The table as an array, or an error that says where it is wrong."""
        return checked_table(self, X, reset)

    def _check_spread(self, X: np.ndarray) -> None:
        """Refuse a constant column."""
        if self.needs_spread:
            refuse_flat_columns(X, getattr(self, "feature_names_in_", None))

    def _event_shape(self) -> tuple[int, ...]:
        """Shape of one event, as `_checked` gives it."""
        return tuple(getattr(self, "image_shape_", (self.n_features_in_,)))

    def _finite(self, score: np.ndarray) -> np.ndarray:
        """The scores, or an error that says which row has none."""
        bad = np.flatnonzero(~np.isfinite(score))
        if len(bad):
            raise ModelInputError(
                f"{type(self).__name__} gives a score that is not finite for {len(bad)} rows.",
                where=f"row {bad[0]}",
                remedy="Such a row lies far from all that the model was fitted to; look at it before you drop it.",
            )
        return score

    # Saving in parts, which an ensemble needs for its members.

    def _facts(self) -> dict[str, Any]:
        names = getattr(self, "feature_names_in_", None)
        return {
            "parameters": {name: to_plain(value, name) for name, value in self.get_params(deep=False).items()},
            "n_features": int(self.n_features_in_),
            "feature_names": None if names is None else [str(name) for name in names],
        }

    @classmethod
    def _from_parts(cls, facts: dict[str, Any], state: State) -> Self:
        model = cls(**{name: from_plain(value) for name, value in facts["parameters"].items()})
        model.n_features_in_ = int(facts["n_features"])
        if facts["feature_names"] is not None:
            model.feature_names_in_ = np.asarray([str(name) for name in facts["feature_names"]], dtype=object)
        model._restore(state)
        return model

    def _check_fitted(self) -> None:
        try:
            check_is_fitted(self)
        except NotFittedError as error:
            raise NotFittedModelError(
                f"this {type(self).__name__} is not fitted yet.", remedy="Call fit(X) with background events first."
            ) from error

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
from sklearn.utils.validation import check_is_fitted, validate_data

from cmslabs.errors import CmslabsError, DataError
from cmslabs.models.storage import State, read_state, write_state

__all__ = ["AnomalyModel", "ModelInputError", "NotFittedModelError"]


class ModelInputError(DataError, ValueError):
    """Numbers that a model cannot be fitted to, or cannot score."""


class NotFittedModelError(CmslabsError, NotFittedError):
    """A model was asked for scores before it was fitted."""


class AnomalyModel(BaseEstimator):
    """Base of all models.

    A new model writes three methods: ``_fit(X, y)`` learns from a checked array of float64; ``_score(X)`` gives one
    number per row; and, unless all that it learns are arrays, numbers and fitted scikit-learn estimators,
    ``_state()`` and ``_restore(state)``.

    Attributes
    ----------
    n_features_in_ : int
        Columns of the table that it was fitted to.
    feature_names_in_ : ndarray of str
        Their names, if that was a DataFrame.
    """

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
            If there are too few rows, a value is not finite, or a column is constant; the message names the column.
        """
        X = self._checked(X, reset=True)
        if self.needs_spread:
            self._check_spread(X)
        self._fit(X, self._checked_labels(y, len(X)))
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
        try:
            check_is_fitted(self)
        except NotFittedError as error:
            raise NotFittedModelError(
                f"this {type(self).__name__} is not fitted yet.", remedy="Call fit(X) with background events first."
            ) from error
        score = np.asarray(self._score(self._checked(X, reset=False)), dtype=np.float64)
        if not np.isfinite(score).all():
            first = int(np.flatnonzero(~np.isfinite(score))[0])
            raise ModelInputError(
                f"{type(self).__name__} gives a score that is not finite for {int((~np.isfinite(score)).sum())} rows.",
                where=f"row {first}",
                remedy="Such a row lies far from all that the model was fitted to; look at it before you drop it.",
            )
        return score

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the anomaly score, shape (n_events,): the higher, the more usual, as in scikit-learn."""
        return -self.anomaly_score(X)

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted model into one file, without pickle."""
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        state = self._state()
        facts = {
            "parameters": _plain(self.get_params(deep=False)),
            "n_features": int(self.n_features_in_),
            "feature_names": None if names is None else [str(name) for name in names],
        }
        write_state(path, type(self), facts, state)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a model that `save` has written.

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
        model = found(**facts["parameters"])
        model.n_features_in_ = facts["n_features"]
        if facts["feature_names"] is not None:
            model.feature_names_in_ = np.asarray(facts["feature_names"], dtype=object)
        model._restore(state)
        return model

    # What a new model writes.

    def _fit(self, X: np.ndarray, y: np.ndarray | None) -> None:
        raise NotImplementedError

    def _score(self, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _state(self) -> State:
        """What was learnt, sorted by how it can be stored safely."""
        state = State()
        for name, value in vars(self).items():
            if not name.endswith("_") or name.startswith("_") or name in ("n_features_in_", "feature_names_in_"):
                continue
            if isinstance(value, np.ndarray):
                state.arrays[name] = value
            elif isinstance(value, BaseEstimator):
                state.estimators[name] = value
            else:
                state.plain[name] = _plain(value)
        return state

    def _restore(self, state: State) -> None:
        for name, value in {**state.plain, **state.arrays, **state.estimators}.items():
            setattr(self, name, value)

    # Checks.

    def _checked(self, X: Any, reset: bool) -> np.ndarray:
        """The table as float64, or an error that says where it is wrong."""
        self._check_finite(X)
        try:
            return validate_data(
                self, X, reset=reset, dtype=np.float64, ensure_min_samples=self.min_rows if reset else 1
            )
        except ValueError as error:
            raise ModelInputError(str(error).splitlines()[0]) from error

    def _check_finite(self, X: Any) -> None:
        """Name the first column of a DataFrame that has a hole; arrays are left to scikit-learn."""
        for name in getattr(X, "columns", ()):
            column = np.asarray(X[name])
            if column.dtype.kind in "fiub" and not np.isfinite(column).all():
                bad = np.flatnonzero(~np.isfinite(column))
                raise ModelInputError(
                    f"column '{name}' holds {len(bad)} values that are NaN or inf.",
                    where=f"row {bad[0]}",
                    remedy="Drop these rows, or find out why they have no value.",
                )

    def _check_spread(self, X: np.ndarray) -> None:
        low, high = X.min(axis=0), X.max(axis=0)
        # Standardising divides by the spread; below the precision of a float there is none.
        flat = np.flatnonzero(high - low <= 1e-12 * np.maximum(np.abs(low), np.abs(high)))
        if len(flat):
            names = getattr(self, "feature_names_in_", range(X.shape[1]))
            raise ModelInputError(
                f"column '{names[flat[0]]}' is constant ({X[0, flat[0]]:g} in every row).",
                remedy="It tells nothing about any event: leave it out.",
            )

    def _checked_labels(self, y: Any, n: int) -> np.ndarray | None:
        if not self.supervised:
            return None
        if y is None:
            raise ModelInputError(
                f"{type(self).__name__} needs labels: requires y to be passed, but the target y is None.",
                remedy="Give fit(X, y) with 0 for background and 1 for signal.",
            )
        y = np.asarray(y)
        if y.shape != (n,):
            raise ModelInputError(f"{n} rows need {n} labels, not an array of shape {y.shape}.")
        found = np.unique(y)
        if len(found) == 1:
            raise ModelInputError(
                f"the labels hold one class only ({found[0]}).", remedy="Give background and signal to compare."
            )
        return y


def _plain(value: Any) -> Any:
    """Parameters as JSON can hold them: NumPy's numbers become Python's, tuples lists."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value

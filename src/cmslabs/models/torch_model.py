"""What all models that are networks share: a validation part, a scale, the training loop, scores, one file."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np

from cmslabs.errors import ConfigError, DataError, require
from cmslabs.models.base import AnomalyModel, ModelInputError
from cmslabs.models.checks import refuse_flat_columns
from cmslabs.models.devices import pick_device, seed_from, seeded, stream_seed, torch_threads
from cmslabs.models.storage import State
from cmslabs.models.training import History, TrainingSettings, train

torch = require("torch", "torch")

__all__ = ["TorchModel"]


class TorchModel(AnomalyModel):
    """Base of the models that are networks.

    A new one writes ``_network()``, an untrained network for `n_features_in_` columns; ``_loss()``, as
    `cmslabs.models.training.train` takes it; and ``_row_scores(network, batch)``.  The parameters of its ``__init__``
    that have the name of a training setting become that setting.

    Attributes
    ----------
    network_ : torch.nn.Module
        With the weights of the best epoch, on the CPU.
    history_ : History
        Of the training.
    mean_, scale_ : ndarray, shape (n_features,)
        Of the training part; the network sees ``(X - mean_) / scale_``.
    """

    #: Scores are computed with it.  With float64 they do not depend on which rows are scored together.
    scoring_type: ClassVar[Any] = torch.float64
    #: Rows that are scored at once.
    scoring_rows: ClassVar[int] = 16_384

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        X_val: Any = None,
        after_epoch: Callable[[Any, History], Mapping[str, float] | None] | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : DataFrame or array_like, shape (n_events, n_features)
            One row per event, finite.
        y : None
            Not read.
        X_val : like X, optional
            Validation part, for early stopping.  Without it a random part of X is set aside, `validation_fraction`
            of the rows.  Give it yourself where rows belong together (`cmslabs.evaluation.splits.split_events`).
        after_epoch : callable, optional
            As in `cmslabs.models.training.train`: to watch the training, or to end it.

        Raises
        ------
        ModelInputError
            If there are too few rows, none to validate with, a value is not finite, or a column is constant.
        TrainingError
            If the loss is not finite any more.
        """
        X = self._checked(X, reset=True)
        seed = seed_from(self.random_state)
        if X_val is None:
            X, X_val = self._parts(X, seed)
        elif len(X_val) == 0:
            raise ModelInputError("X_val holds no event, so there is nothing to validate with.")
        else:
            X_val = self._checked(X_val, reset=False)
        X, X_val = self._before_training(X, X_val, seed)
        self._measure(X)
        with seeded(stream_seed(seed, "weights")):
            self.network_ = self._network()
        self.history_ = train(
            self.network_,
            self._loss(),
            self._scaled(X).astype(np.float32),
            self._scaled(X_val).astype(np.float32),
            self._settings(),
            # A checkpoint refuses a training without a seed of the user's own: it could not be repeated.
            None if self.random_state is None else seed,
            validation_loss=self._validation_loss(),
            after_epoch=after_epoch,
        )
        self.network_.to("cpu")
        return self

    # What a new model writes.

    def _network(self) -> Any:
        raise NotImplementedError

    def _loss(self) -> Callable[[Any, Any, Any], Any]:
        raise NotImplementedError

    def _validation_loss(self) -> Callable[[Any, Any, Any], Any] | None:
        """What early stopping watches, if that is not the loss."""
        return None

    def _row_scores(self, network: Any, batch: Any) -> Any:
        raise NotImplementedError

    def _before_training(self, X: np.ndarray, X_val: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Look at both parts, and change them if need be, before anything is measured."""
        return X, X_val

    # How the pieces fit together.

    def _settings(self, **more: Any) -> TrainingSettings:
        mine = {one.name: getattr(self, one.name) for one in fields(TrainingSettings) if hasattr(self, one.name)}
        return TrainingSettings(**(mine | more))

    def _parts(self, X: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Training and validation part of the rows."""
        if not 0 < self.validation_fraction < 1:
            raise ConfigError(f"validation_fraction must lie between 0 and 1, not {self.validation_fraction!r}.")
        n_val = round(self.validation_fraction * len(X))
        if n_val < 1 or len(X) - n_val < 2:
            raise ModelInputError(
                f"validation_fraction={self.validation_fraction:g} of {len(X)} events leaves {len(X) - n_val} to train"
                f" on and {n_val} to validate with; at least 2 and 1 are needed.",
                remedy="Give more events, another fraction, or your own X_val.",
            )
        order = np.random.default_rng(stream_seed(seed, "split")).permutation(len(X))
        return X[order[n_val:]], X[order[:n_val]]

    def _measure(self, X: np.ndarray) -> None:
        """Centre and width of each column of the training part."""
        refuse_flat_columns(X, getattr(self, "feature_names_in_", None))
        self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        return (X - self.mean_) / self.scale_

    def _score(self, X: np.ndarray) -> np.ndarray:
        return self._each(self._row_scores, X)

    def _apply(self, function: Callable[[Any, Any], Any], X: Any) -> np.ndarray:
        """``function(network, batch)`` for a table as the user gives it."""
        self._check_fitted()
        return self._each(function, self._checked(X, reset=False))

    def _each(self, function: Callable[[Any, Any], Any], X: np.ndarray) -> np.ndarray:
        """``function(network, batch)`` for all rows of a checked array, on scaled values, as one array."""
        double = self.scoring_type is torch.float64
        device = torch.device("cpu") if double else pick_device(self.device)
        network = copy.deepcopy(self.network_).to(device, self.scoring_type).eval()
        parts = []
        with torch.no_grad(), torch_threads(network):
            for start in range(0, len(X), self.scoring_rows):
                batch = torch.tensor(self._scaled(X[start : start + self.scoring_rows]), dtype=self.scoring_type)
                parts.append(function(network, batch.to(device)).cpu().numpy())
        return np.concatenate(parts)

    def _state(self) -> State:
        return State(
            plain={"history_": dict(vars(self.history_))},
            arrays={"mean_": np.asarray(self.mean_), "scale_": np.asarray(self.scale_)},
            tensors={"network": dict(self.network_.state_dict())},
        )

    def _restore(self, state: State) -> None:
        self.history_ = History(**state.plain["history_"])
        self.mean_, self.scale_ = state.arrays["mean_"], state.arrays["scale_"]
        self._restore_network(state)

    def _restore_network(self, state: State) -> None:
        """The network, once everything that decides its shape is there."""
        self.network_ = self._network()
        try:
            self.network_.load_state_dict(state.tensors["network"])
        except RuntimeError as error:
            raise DataError(
                "holds the weights of another network than its parameters describe.", remedy="Save the model again."
            ) from error
        self.network_.eval()

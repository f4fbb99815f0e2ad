"""Neural spline flow: a density that one can write down, and draw from."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import logsumexp

from cmslabs.errors import require
from cmslabs.models.base import ModelInputError
from cmslabs.models.checks import refuse_flat_columns
from cmslabs.models.coordinates import Coordinates
from cmslabs.models.devices import seed_from, stream_seed, torch_threads
from cmslabs.models.flow_columns import Roles
from cmslabs.models.flow_network import FlowNetwork
from cmslabs.models.scaling import Scale
from cmslabs.models.storage import State
from cmslabs.models.torch_model import TorchModel
from cmslabs.models.training import History

torch = require("torch", "torch")

__all__ = ["Flow", "negative_log_density"]

#: Points of the unit cell over which a density of whole numbers is averaged.
_CELL_POINTS = 8


def negative_log_density(network: Any, batch: Any, generator: Any) -> Any:
    """Mean over the events of a batch, in the coordinates that the network sees."""
    return -network(batch).mean()


class Flow(TorchModel):
    r"""Neural spline flow; the score is minus the log of its density.

    A chain of invertible maps takes the events to a normal distribution, each column through a monotone spline that
    other columns bend (C. Durkan et al., doi:10.48550/arXiv.1906.04032).  By the change of variables the density of an
    event is that of its image times the volume by which the maps stretch:

    .. math:: \log p(x) = \log \mathcal N(z(x)) + \log |\det dz/dx|

    The second term includes the preprocessing, so `log_prob` is a density in the units of the table.

    Parameters
    ----------
    kind : {"autoregressive", "coupling"}
        Whether each column is bent by all before it, or one half by the other.  The first gives the better density.  It
        draws events column by column, which takes as many passes as there are columns; the second needs one.
    n_layers : int
        Maps in the chain.
    widths : tuple of int
        Hidden layers of the network in each of them.
    bins : int
        Of each spline.
    tail_bound : float
        Splines bend the interval [-tail_bound, tail_bound], in units of the columns' standard deviations; beyond it
        they are straight, so that every event, however far out, has a finite density.
    coordinates : {"standard", "logit", "quantile"}
        See `cmslabs.models.coordinates.Coordinates`.
    integers : sequence of str or int
        Columns (names or positions) that hold whole numbers: the number of constituents, of vertices.  For the
        training, a number k is spread over [k, k + 1), once, by the seed.  Of an event with such columns, `log_prob` is
        the log of the probability of its whole numbers times the density of the rest: the mean of the density over 8
        fixed points of its unit cell.  No chance is involved there.
    context : sequence of str or int
        Columns that are given and not modelled: `log_prob` is then that of the others *given* these.
    drop_redundant : bool
        What to do if columns follow from others (`cmslabs.models.redundancy`): False is an error that names them; True
        keeps the first independent ones, which `kept_` lists, and does not look at the rest.
    activation, dropout
        As of `Autoencoder`, for the networks between the splines.
    validation_fraction, epochs, batch_size, learning_rate, weight_decay, schedule, patience, clip_norm
        As of `Autoencoder`.
    device, mixed_precision, progress, checkpoint, random_state
        As of `Autoencoder`.

    Attributes
    ----------
    kept_ : list of str or int
        Columns whose density it is.
    roles_ : cmslabs.models.flow_columns.Roles
        Which columns are modelled, given, whole numbers; which were dropped, and why.
    coordinates_ : Coordinates
        Of the modelled columns.
    context_mean_, context_spread_ : ndarray, shape (n_context,)
    network_ : FlowNetwork
    history_ : History
        Its losses are in nats per event, in the network's coordinates.

    Notes
    -----
    Scores are computed in float64, and splines invert their equation with a discriminant that is clamped at 0.  Results
    that are not finite are an error, which happens beyond some 1e150 standard deviations.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mass": rng.exponential(50.0, 2000) + 20.0, "n": rng.poisson(4.0, 2000)})
    >>> model = Flow(n_layers=2, widths=(16,), integers=("n",), epochs=10, learning_rate=1e-2, random_state=1).fit(X)
    >>> probability = np.exp(model.log_prob(pd.DataFrame({"mass": [50.0, 50.0, 50.0], "n": [4, 9, 30]})))
    >>> bool(probability[0] > 3 * probability[1] > 1e3 * probability[2])
    True
    >>> model.sample(3, random_state=0).columns.tolist()
    ['mass', 'n']
    """

    # The parameters of all splines of so many events still fit into the cache of a laptop.
    scoring_rows = 1024

    def __init__(
        self,
        kind: str = "autoregressive",
        n_layers: int = 4,
        widths: Sequence[int] = (64, 64),
        bins: int = 8,
        tail_bound: float = 4.0,
        *,
        coordinates: str = "standard",
        integers: Sequence[str | int] = (),
        context: Sequence[str | int] = (),
        drop_redundant: bool = False,
        activation: str = "relu",
        dropout: float = 0.0,
        validation_fraction: float = 0.15,
        epochs: int = 50,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        patience: int | None = 10,
        clip_norm: float | None = 5.0,
        device: str = "auto",
        mixed_precision: str = "off",
        progress: bool | None = None,
        checkpoint: Any = None,
        random_state: Any = None,
    ):
        self.kind = kind
        self.n_layers = n_layers
        self.widths = widths
        self.bins = bins
        self.tail_bound = tail_bound
        self.coordinates = coordinates
        self.integers = integers
        self.context = context
        self.drop_redundant = drop_redundant
        self.activation = activation
        self.dropout = dropout
        self.validation_fraction = validation_fraction
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.patience = patience
        self.clip_norm = clip_norm
        self.device = device
        self.mixed_precision = mixed_precision
        self.progress = progress
        self.checkpoint = checkpoint
        self.random_state = random_state

    def log_prob(self, X: Any, jacobian: bool = True) -> np.ndarray:
        """Log of the density, shape (n_events,).

        Parameters
        ----------
        X : DataFrame or array_like, shape (n_events, n_features)
            With the columns of the table that it was fitted to, context included.
        jacobian : bool
            Without it, the density is that in the network's own coordinates: good for nothing but to see how the
            ranking of events depends on coordinates.

        Raises
        ------
        NotFittedModelError
            If the model was not fitted.
        ModelInputError
            If the table has other columns, a value is not finite or not a whole number where it should be one, or a
            density is 0 as far as numbers go.
        """
        self._check_fitted()
        return self._finite(self._log_density(self._checked(X, reset=False), jacobian))

    def latent(self, X: Any) -> np.ndarray:
        """Where the events lie in the normal distribution, shape (n_events, n_modelled)."""
        self._check_fitted()
        middle = next(self.roles_.in_cells(self._checked(X, reset=False), 1))
        return self._each(lambda network, batch: network.to_noise(batch), middle)

    def latent_radius(self, X: Any) -> np.ndarray:
        """How far from the middle of the normal distribution the events lie, shape (n_events,).

        For events of the training's kind its distribution is that of chi with `n_modelled` degrees of freedom,
        whatever the context is.  So as a score it does not sculpt the context, as far as the flow has learnt the
        density; minus log p given the context does, because its mean is the conditional entropy.
        """
        return self._finite(np.linalg.norm(self.latent(X), axis=1))

    def sample(self, n: int, context: Any = None, random_state: Any = None) -> Any:
        """Draw events.

        Parameters
        ----------
        n : int
        context : DataFrame or array_like, shape (n, n_context) or (n_context,), optional
            One row per event, or one for all; columns in the order of the parameter `context`, or by name.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        DataFrame or ndarray, shape (n, n_modelled + n_context)
            In the units of the table, with its columns in their order; columns that were dropped are not there.

        Raises
        ------
        NotFittedModelError
            If the model was not fitted.
        ModelInputError
            If the context is missing, or has another shape.
        """
        self._check_fitted()
        if n != int(n) or n < 1:
            raise ModelInputError(f"{n!r} is no number of events.", remedy="Give a whole number from 1 on.")
        given = self.roles_.given(int(n), context)
        noise = np.random.default_rng(seed_from(random_state)).normal(size=(int(n), len(self.roles_.modelled)))
        scaled = (given - self.context_mean_) / self.context_spread_
        modelled = self.coordinates_.inverse(self._drawn(noise, scaled))
        if not np.isfinite(modelled).all():
            raise ModelInputError("this flow draws values that are not finite.", remedy="Train it again.")
        return self.roles_.table(modelled, given)

    # What `TorchModel` asks for.

    def _before_training(self, X: np.ndarray, X_val: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        refuse_flat_columns(X, getattr(self, "feature_names_in_", None))
        self.roles_ = Roles.of(self, X)
        self.kept_ = self.roles_.kept
        for part in (X, X_val):
            self.roles_.require_whole(part)
        rng = np.random.default_rng(stream_seed(seed, "cells"))
        return self.roles_.spread(X, rng), self.roles_.spread(X_val, rng)

    def _measure(self, X: np.ndarray) -> None:
        self.coordinates_ = Coordinates.of(self.coordinates, X[:, self.roles_.modelled])
        scale = Scale.of(X[:, self.roles_.context])
        self.context_mean_, self.context_spread_ = scale.mean, scale.spread

    def _network(self) -> Any:
        return FlowNetwork(
            len(self.roles_.modelled),
            len(self.roles_.context),
            self.kind,
            self.n_layers,
            self.widths,
            self.bins,
            self.tail_bound,
            self.activation,
            self.dropout,
        )

    def _loss(self) -> Any:
        return negative_log_density

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        """Modelled columns in the network's coordinates, then the context."""
        context = (X[:, self.roles_.context] - self.context_mean_) / self.context_spread_
        return np.column_stack([self.coordinates_.forward(X[:, self.roles_.modelled])[0], context])

    def _score(self, X: np.ndarray) -> np.ndarray:
        return -self._log_density(X)

    def _log_density(self, X: np.ndarray, jacobian: bool = True) -> np.ndarray:
        # All points of the cells at once: each call of `_each` prepares a network.
        cells = list(self.roles_.in_cells(X, _CELL_POINTS))
        moved = np.concatenate(cells)
        log_density = self._each(lambda network, batch: network(batch), moved)
        if jacobian:
            log_density = log_density + self.coordinates_.forward(moved[:, self.roles_.modelled])[1]
        return logsumexp(log_density.reshape(len(cells), len(X)), axis=0) - np.log(len(cells))

    def _drawn(self, noise: np.ndarray, context: np.ndarray) -> np.ndarray:
        """Noise through the network, backwards, on the CPU and in float64."""
        network = copy.deepcopy(self.network_).double().eval()
        parts = []
        with torch.no_grad(), torch_threads(network):
            for start in range(0, len(noise), self.scoring_rows):
                rows = slice(start, start + self.scoring_rows)
                given = torch.tensor(context[rows]) if self.roles_.context else None
                parts.append(network.from_noise(torch.tensor(noise[rows]), given).numpy())
        return np.concatenate(parts)

    def _state(self) -> State:
        parts = {f"coordinates.{name}": part for name, part in self.coordinates_.parts.items()}
        return State(
            plain={
                "history_": dict(vars(self.history_)),
                "roles_": self.roles_.to_plain(),
                "coordinates": self.coordinates_.kind,
            },
            arrays={"context_mean_": self.context_mean_, "context_spread_": self.context_spread_, **parts},
            tensors={"network": dict(self.network_.state_dict())},
        )

    def _restore(self, state: State) -> None:
        self.history_ = History(**state.plain["history_"])
        self.roles_ = Roles.from_plain(state.plain["roles_"])
        self.kept_ = self.roles_.kept
        arrays = {name.removeprefix("coordinates."): part for name, part in state.arrays.items()}
        self.context_mean_, self.context_spread_ = arrays.pop("context_mean_"), arrays.pop("context_spread_")
        self.coordinates_ = Coordinates(state.plain["coordinates"], arrays)
        self._restore_network(state)

"""How many of the observables are independent: the rank of their derivatives, event by event.

Observables are functions of the 44 that are measured on their own.  If their Jacobian has fewer independent rows
than there are rows, they live on a surface, and a probability density of them does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cmslabs.errors import DataError
from cmslabs.features.dijet_kinematics import derive
from cmslabs.features.observable_table import ENERGY_FRACTIONS
from cmslabs.features.observables import base_observables, observable_names

__all__ = ["jacobian_rank", "observable_jacobian"]

#: Steps of the difference quotient, in standard deviations.
STEP = 1e-4


def observable_jacobian(base: pd.DataFrame, names: str | Iterable[str] = "dijet61") -> np.ndarray:
    """Derivatives of observables by the measured ones, in units of their standard deviations.

    Parameters
    ----------
    base : DataFrame, shape (n, var)
        With the measured observables that `names` need; at least two events.  Other columns are ignored.
    names : str or iterable of str
        A set, or names.

    Returns
    -------
    ndarray, shape (n, n_names, n_base)
        Central differences.  The last axis is in the order of `base_observables(names)`.

    Raises
    ------
    DataError
        If there are fewer than two events, or a value is not finite.
    MissingBranchError, ConfigError
        If a column is missing, or a name is unknown.
    """
    names = observable_names(names)
    inputs = base_observables(names)
    values = derive(base, inputs)
    table = np.stack(list(values.values()), axis=1)
    if len(table) < 2 or not np.isfinite(table).all():
        raise DataError(
            f"{len(table)} events with {int((~np.isfinite(table)).sum())} values that are not finite have no Jacobian.",
            remedy="Give at least two clean events: see cmslabs.features.cleaning.",
        )
    outputs = np.stack(list(derive(base, names).values()), axis=1)
    scale = _spread(table)
    result = np.empty((len(table), len(names), len(inputs)))
    for column, name in enumerate(inputs):
        shifted = [derive(values | {name: values[name] + sign * STEP * scale[column]}, names) for sign in (1, -1)]
        up, down = (np.stack(list(one.values()), axis=1) for one in shifted)
        result[:, :, column] = (up - down) / (2 * STEP)
    return result / _spread(outputs)[None, :, None]


def jacobian_rank(
    base: pd.DataFrame, names: str | Iterable[str] = "dijet61", fractions_sum: bool = False, tolerance: float = 1e-6
) -> np.ndarray:
    """Number of independent observables at each event.

    Parameters
    ----------
    base, names
        As for `observable_jacobian`.
    fractions_sum : bool
        Whether the five energy fractions of a jet sum to 1, as in the simulation: one direction less for each jet of
        which all five are needed.
    tolerance : float
        Singular values below this part of the largest are zero.

    Returns
    -------
    ndarray of int, shape (n,)

    Raises
    ------
    DataError, MissingBranchError, ConfigError
        As for `observable_jacobian`.
    """
    names = observable_names(names)
    derivatives = observable_jacobian(base, names)
    if fractions_sum:
        inputs = base_observables(names)
        scale = _spread(np.stack([np.asarray(base[name], dtype=np.float64) for name in inputs], axis=1))
        derivatives = derivatives @ _on_the_surface(inputs, scale)
    singular = np.linalg.svd(derivatives, compute_uv=False)
    return (singular > tolerance * singular[:, :1]).sum(axis=1)


def _on_the_surface(inputs: tuple[str, ...], scale: np.ndarray) -> np.ndarray:
    """Projector on the directions in which the sums of the fractions stay as they are."""
    projector = np.eye(len(inputs))
    for jet in ("j1", "j2"):
        members = [f"{name}_{jet}" for name in ENERGY_FRACTIONS]
        if not set(members) <= set(inputs):
            continue
        gradient = np.where(np.isin(inputs, members), scale, 0.0)
        gradient /= np.linalg.norm(gradient)
        projector -= np.outer(gradient, gradient)
    return projector


def _spread(table: np.ndarray) -> np.ndarray:
    """Standard deviations; 1 for a constant column."""
    spread = table.std(axis=0)
    return np.where(spread > 0, spread, 1.0)

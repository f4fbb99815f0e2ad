"""What a flow does with each column of a table: model it, condition on it, or leave it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError
from cmslabs.models.base import AnomalyModel, ModelInputError
from cmslabs.models.checks import column_position
from cmslabs.models.coordinates import cell_points, dequantise, require_integers
from cmslabs.models.redundancy import RedundantColumnsError, find_redundancy

__all__ = ["Roles"]


@dataclass(frozen=True)
class Roles:
    """Positions in the table, and what follows from them.

    Attributes
    ----------
    modelled, context, integers : tuple of int
        Columns whose density is wanted; columns that are given; those of the modelled ones that hold whole numbers.
    names : tuple of str or None
        Of all columns of the table, if it has names.
    relations : str
        Which columns were left out, and what they follow from.
    """

    modelled: tuple[int, ...]
    context: tuple[int, ...]
    integers: tuple[int, ...]
    names: tuple[str, ...] | None
    relations: str

    @classmethod
    def of(cls, model: AnomalyModel, X: np.ndarray) -> Roles:
        """As the parameters `context`, `integers` and `drop_redundant` of a model say.

        Raises
        ------
        ConfigError
            If a column has two roles, or none is left to model.
        RedundantColumnsError
            If modelled columns follow from others, or from the context, and are not to be dropped.
        """
        names = getattr(model, "feature_names_in_", None)
        names = None if names is None else tuple(map(str, names))
        context, integers = (
            [column_position(model, column, X.shape[1]) for column in _listed(getattr(model, role), role)]
            for role in ("context", "integers")
        )
        _refuse_twice([*context, *integers], names)
        if len(context) == X.shape[1]:
            raise ConfigError("all columns are context: nothing is left to model.", where="context")
        found = find_redundancy(X, fixed=context)
        relations = found.describe(names)
        if found.relations and not model.drop_redundant:
            raise RedundantColumnsError(
                f"there is no density of these columns: {relations}.",
                remedy="Leave out one column of each relation, or use drop_redundant=True.",
            )
        modelled = tuple(i for i in found.kept if i not in context)
        if not modelled:
            raise RedundantColumnsError(f"nothing is left to model: {relations}.")
        return cls(modelled, tuple(context), tuple(i for i in integers if i in modelled), names, relations)

    @property
    def kept(self) -> list[Any]:
        """Names of the modelled columns, or their positions."""
        return [i if self.names is None else self.names[i] for i in self.modelled]

    def require_whole(self, X: np.ndarray) -> None:
        """Refuse a table with other than whole numbers in the columns that are to hold them."""
        require_integers(X, self.integers, self.names)

    def spread(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Whole numbers spread over their cells: see `cmslabs.models.coordinates.dequantise`."""
        return dequantise(X, self.integers, rng)

    def in_cells(self, X: np.ndarray, n: int) -> Iterator[np.ndarray]:
        """The table with its whole numbers moved to points of their cells, `n` times; the first time to the middle."""
        self.require_whole(X)
        for point in cell_points(len(self.integers), n if self.integers else 1):
            moved = X.copy()
            moved[:, self.integers] += point
            yield moved

    def given(self, n: int, context: Any) -> np.ndarray:
        """The context of each event to be drawn, shape (n, n_context).

        Raises
        ------
        ModelInputError
            If it is missing, or has another shape, or lacks a column.
        """
        wanted = len(self.context)
        if not wanted and context is not None:
            raise ModelInputError("this flow has no context.", remedy="Name columns in its parameter context.")
        if wanted and context is None:
            raise ModelInputError(f"this flow needs a context of {wanted} columns to draw events.")
        if hasattr(context, "columns") and self.names is not None:
            names = [self.names[i] for i in self.context]
            missing = [name for name in names if name not in context.columns]
            if missing:
                raise ModelInputError(f"the context has no column '{missing[0]}'.")
            context = context[names]
        rows = np.zeros((n, 0)) if context is None else np.atleast_2d(np.asarray(context, dtype=np.float64))
        if rows.shape not in {(n, wanted), (1, wanted)} or not np.isfinite(rows).all():
            raise ModelInputError(
                f"the context must be finite and have the shape ({n}, {wanted}) or (1, {wanted}), not {rows.shape}."
            )
        return np.broadcast_to(rows, (n, wanted))

    def table(self, modelled: np.ndarray, given: np.ndarray) -> Any:
        """Modelled columns, whole numbers rounded down, and context as one table, in the order of the first one."""
        modelled = modelled.copy()
        whole = [self.modelled.index(column) for column in self.integers]
        modelled[:, whole] = np.floor(modelled[:, whole])
        positions = [*self.modelled, *self.context]
        rows = np.column_stack([modelled, given])[:, np.argsort(positions)]
        if self.names is None:
            return rows
        return pd.DataFrame(rows, columns=[self.names[i] for i in sorted(positions)])

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {key: list(one) if isinstance(one, tuple) else one for key, one in asdict(self).items()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Roles:
        """What `to_plain` gave."""
        return cls(**{key: tuple(one) if isinstance(one, list) else one for key, one in plain.items()})


def _listed(columns: Any, role: str) -> Sequence[str | int]:
    if isinstance(columns, str | int):
        raise ConfigError(f"{role}={columns!r} is no list of columns.", remedy=f"Use {role}=({columns!r},).")
    return columns


def _refuse_twice(columns: list[int], names: Sequence[str] | None) -> None:
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise ConfigError(
            f"column {twice[0] if names is None else repr(names[twice[0]])} is named twice.",
            where="context and integers",
            remedy="A context is not modelled, so its whole numbers stay as they are.",
        )

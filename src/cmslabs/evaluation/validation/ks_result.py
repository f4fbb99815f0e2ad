"""What the comparison of a tail with the rest gives: distances, and what each null makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.errors import DataError
from cmslabs.evaluation.validation.common import plain
from cmslabs.evaluation.validation.multiplicity import benjamini_hochberg, max_t, standardised

__all__ = ["KSResult", "Reference", "make_reference"]


@dataclass(frozen=True)
class Reference:
    """The distances that one null gives, and what the data's are worth against it.

    Attributes
    ----------
    drawn : ndarray, shape (n_draws, n_features)
        Distances in each draw.
    p : ndarray, shape (n_features,)
        P-value of each feature, as if it had been the only one.
    p_max_t : ndarray, shape (n_features,)
        Adjusted so that the chance of any false alarm is controlled (`max_t`).
    p_bh : ndarray, shape (n_features,)
        Adjusted by Benjamini and Hochberg, which controls the share of false alarms.
    """

    drawn: np.ndarray
    p: np.ndarray
    p_max_t: np.ndarray
    p_bh: np.ndarray


@dataclass(frozen=True)
class KSResult:
    """Result of `compare_tail` and `ks_study`.

    Attributes
    ----------
    features : tuple of str
    distance : ndarray, shape (n_features,)
        Kolmogorov-Smirnov distance of the tail from the rest, 0 to 1: the effect size.
    direction : ndarray, shape (n_features,)
        Median of the tail minus median of the rest, in units of the feature.
    n_tail, n_events : int
    references : dict of str to Reference
        ``random``; ``mass`` if masses were given; ``pseudo`` if there are pseudo-data.
    alpha : float
        Probability of a false alarm.
    """

    features: tuple[str, ...]
    distance: np.ndarray
    direction: np.ndarray
    n_tail: int
    n_events: int
    references: dict[str, Reference] = field(repr=False)
    alpha: float

    @property
    def p_value(self) -> float | None:
        """Of the largest deviation from the pseudo-data, all features together; None without pseudo-data."""
        pseudo = self.references.get("pseudo")
        return None if pseudo is None else float(pseudo.p_max_t.min())

    @property
    def verdict(self) -> str:
        """ "as in pseudo-data", "unlike pseudo-data", or "by construction" where there are none to compare with."""
        if self.p_value is None:
            return "by construction"
        return "unlike pseudo-data" if self.p_value <= self.alpha else "as in pseudo-data"

    @property
    def alarm(self) -> bool:
        """Whether the tail differs from what the fitted density and the selection explain."""
        return self.verdict == "unlike pseudo-data"

    @property
    def table(self) -> pd.DataFrame:
        """One row per feature, the largest distance first; typical distance and p-values for each null."""
        columns: dict[str, Any] = {"feature": self.features, "distance": self.distance, "direction": self.direction}
        for name, found in self.references.items():
            columns[f"{name}_median"] = np.median(found.drawn, axis=0)
            columns |= {f"{name}_p": found.p, f"{name}_p_max_t": found.p_max_t, f"{name}_p_bh": found.p_bh}
        return pd.DataFrame(columns).sort_values("distance", ascending=False, ignore_index=True)

    def with_copies(self, feature: str, copies: int) -> KSResult:
        """The same study if the table held a feature `copies` times more: what does each adjustment make of it?

        Raises
        ------
        DataError
            If there is no such feature.
        """
        if feature not in self.features:
            raise DataError(f"there is no feature '{feature}'.", remedy=f"There are: {', '.join(self.features)}.")
        position = self.features.index(feature)
        columns = np.append(np.arange(len(self.features)), np.full(copies, position))
        names = (*self.features, *(f"{feature} (copy {number + 1})" for number in range(copies)))
        references = {
            name: make_reference(self.distance[columns], found.drawn[:, columns], two_sided=name == "pseudo")
            for name, found in self.references.items()
        }
        changed = {"distance": self.distance[columns], "direction": self.direction[columns], "references": references}
        return replace(self, features=names, **changed)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON."""
        facts = {name: getattr(self, name) for name in ("verdict", "p_value", "alpha", "n_tail", "n_events")}
        draws = {name: len(found.drawn) for name, found in self.references.items()}
        return plain({"study": "ks", **facts, "draws": draws, "features": self.table.to_dict("records")})


def make_reference(distance: np.ndarray, drawn: np.ndarray, two_sided: bool = False) -> Reference:
    """P-values of the distances.  Two-sided: a tail may differ less than that of pseudo-data, too."""
    observed = distance
    compared = drawn
    if two_sided:
        unusual = standardised(np.vstack([distance, drawn]))
        observed, compared = unusual[0], unusual[1:]
    p = (1 + (compared >= observed - 1e-12).sum(axis=0)) / (len(drawn) + 1)
    return Reference(drawn, p, max_t(observed, compared), benjamini_hochberg(p))

"""Values that many events share exactly, spread over an interval that no other event uses.

A jet whose soft drop fails has the mass -1, an event without a third jet the momentum 0.  At such an atom a
density is infinite.  Drawing these values uniformly in a gap keeps their probability and makes it finite: then
``p(x)`` times the width of the gap is the probability of the atom, given the rest.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmslabs.errors import DataError
from cmslabs.features.observables import CATALOGUE

__all__ = ["GAPS", "atom_fractions", "gather_atoms", "spread_atoms"]

#: Kind of observable -> the interval, open to the right, in which its atom is spread.  Third jets have at least 30 GeV
#: (or what the configuration says: not less, please); masses and fractions are not negative.
GAPS: dict[str, tuple[float, float]] = {
    "msoftdrop": (-1.0, 0.0),
    "third_jet_pt": (0.0, 30.0),
    "neHEF": (-0.01, 0.0),
    "chEmEF": (-0.01, 0.0),
    "muEF": (-0.01, 0.0),
}


def _gap(name: str) -> tuple[float, float] | None:
    if name not in CATALOGUE or CATALOGUE[name].atom is None:
        return None
    return GAPS[name.removesuffix("_j1").removesuffix("_j2")]


def spread_atoms(table: pd.DataFrame, random_state: int | np.random.Generator | None = None) -> pd.DataFrame:
    """Replace each atom by uniform numbers in its gap.

    Parameters
    ----------
    table : DataFrame
        With columns of the catalogue; columns without an atom stay.
    random_state : int, Generator or None
        The same seed gives the same numbers.

    Returns
    -------
    DataFrame
        A copy, float64 where an atom was spread.

    Raises
    ------
    DataError
        If values that are no atoms lie in the gap: then nobody could tell the two apart afterwards.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"third_jet_pt": [0.0, 80.0, 0.0]})
    >>> spread = spread_atoms(table, random_state=1)
    >>> bool(spread["third_jet_pt"].between(0, 30).tolist() == [True, False, True])
    True
    >>> gather_atoms(spread)["third_jet_pt"].tolist()
    [0.0, 80.0, 0.0]
    """
    rng = np.random.default_rng(random_state)
    result = table.copy()
    for name in table.columns:
        gap = _gap(name)
        if gap is None:
            continue
        values = table[name].to_numpy(dtype=np.float64).copy()
        at = values == CATALOGUE[name].atom
        inside = ~at & (values >= gap[0]) & (values < gap[1])
        if inside.any():
            raise DataError(
                f"{name}: {int(inside.sum())} values lie in the gap from {gap[0]:g} to {gap[1]:g} that its atom needs.",
                remedy="Are the atoms spread already, or were jets below the usual threshold counted?",
            )
        values[at] = rng.uniform(*gap, size=int(at.sum()))
        result[name] = values
    return result


def gather_atoms(table: pd.DataFrame) -> pd.DataFrame:
    """The opposite of `spread_atoms`, for events that a model has drawn: what lies in a gap becomes the atom."""
    result = table.copy()
    for name in table.columns:
        gap = _gap(name)
        if gap is not None:
            values = table[name].to_numpy(dtype=np.float64)
            result[name] = np.where((values >= gap[0]) & (values < gap[1]), CATALOGUE[name].atom, values)
    return result


def atom_fractions(table: pd.DataFrame) -> dict[str, float]:
    """Share of the events at the atom, for each column that has one.

    Examples
    --------
    >>> import pandas as pd
    >>> atom_fractions(pd.DataFrame({"muEF_j1": [0.0, 0.0, 0.0, 0.3], "mjj": [1.0, 2.0, 3.0, 4.0]}))
    {'muEF_j1': 0.75}
    """
    return {name: float((table[name] == CATALOGUE[name].atom).mean()) for name in table if _gap(name) is not None}

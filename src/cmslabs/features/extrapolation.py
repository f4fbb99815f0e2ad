"""The numbers of the search without a resonance: two say where an event lies, five what its jets look like.

After arXiv:2311.12924.  The context decides which region an event belongs to; the features are what a classifier sees.
"""

from __future__ import annotations

import pandas as pd

from cmslabs.errors import missing_column
from cmslabs.features.substructure import tau_ratio

__all__ = ["EXTRAPOLATION_CONTEXT", "EXTRAPOLATION_FEATURES", "extrapolation_features"]

#: Column -> unit.
EXTRAPOLATION_CONTEXT: dict[str, str] = {"ht": "GeV", "met": "GeV"}
EXTRAPOLATION_FEATURES: dict[str, str] = {"mjj": "GeV", "tau21j1": "1", "tau21j2": "1", "tau32j1": "1", "tau32j2": "1"}


def extrapolation_features(table: pd.DataFrame) -> pd.DataFrame:
    """Context and features of events, from a table that `cmslabs simulate` wrote.

    Parameters
    ----------
    table : DataFrame
        With ``ht``, ``met``, ``mjj`` [GeV] and ``tau1`` to ``tau3`` of both jets (``tau1j1`` and so on).

    Returns
    -------
    pandas.DataFrame
        The columns of `EXTRAPOLATION_CONTEXT` and `EXTRAPOLATION_FEATURES`, float64, with the index of `table`.

    Raises
    ------
    MissingBranchError
        If a column is missing.

    Examples
    --------
    >>> one = {"ht": 900.0, "met": 80.0, "mjj": 1200.0}
    >>> one |= {f"tau{n}{jet}": 0.4 / n for n in (1, 2, 3) for jet in ("j1", "j2")}
    >>> extrapolation_features(pd.DataFrame([one])).round(2).to_dict("records")
    [{'ht': 900.0, 'met': 80.0, 'mjj': 1200.0, 'tau21j1': 0.5, 'tau21j2': 0.5, 'tau32j1': 0.67, 'tau32j2': 0.67}]
    """
    needed = [*EXTRAPOLATION_CONTEXT, "mjj", *(f"tau{n}{jet}" for jet in ("j1", "j2") for n in (1, 2, 3))]
    for name in needed:
        if name not in table:
            raise missing_column(name, table.columns)
    columns = {name: table[name].to_numpy(dtype=float) for name in (*EXTRAPOLATION_CONTEXT, "mjj")}
    for n in (2, 3):
        for jet in ("j1", "j2"):
            columns[f"tau{n}{n - 1}{jet}"] = tau_ratio(table[f"tau{n}{jet}"], table[f"tau{n - 1}{jet}"])
    return pd.DataFrame(columns, index=table.index)

"""The dijet table: each event's two leading jets in numbers, as in the LHC Olympics' feature files."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.errors import DataError, MissingBranchError, close_names
from cmslabs.features.clustering import cluster_jets
from cmslabs.features.substructure import nsubjettiness, soft_drop_mass, tau_ratio

__all__ = ["DETECTOR_FEATURES", "DIJET_COLUMNS", "count_degenerate", "detector_features", "dijet_table"]

#: Column -> unit.  After `event` the 14 columns of the LHC Olympics files, then ours.
DIJET_COLUMNS: dict[str, str] = {
    "event": "1",
    **{
        f"{name}{jet}": unit
        for jet in ("j1", "j2")
        for name, unit in {
            "px": "GeV",
            "py": "GeV",
            "pz": "GeV",
            "m": "GeV",
            "tau1": "1",
            "tau2": "1",
            "tau3": "1",
        }.items()
    },
    "mjj": "GeV",
    "tau4j1": "1",
    "tau4j2": "1",
    "msoftdropj1": "GeV",
    "msoftdropj2": "GeV",
    "nconstj1": "1",
    "nconstj2": "1",
}

#: The four numbers that anomaly detectors of this course see, and their units.  The dijet mass is none of them.
DETECTOR_FEATURES: dict[str, str] = {"mj_light": "GeV", "dmj": "GeV", "tau21_light": "1", "tau21_heavy": "1"}


def dijet_table(events: ak.Array, jets: ak.Array | None = None) -> pd.DataFrame:
    """Cluster each event and describe its two leading jets; one row per event, in the events' order.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
        Records with ``particles`` (massless: ``pt`` [GeV], ``eta``, ``phi`` [rad]) and, if known, ``label``
        (0 background, 1 signal) and ``event`` (its number; otherwise counted from 0).
    jets : ak.Array, optional
        What `cmslabs.features.clustering.cluster_jets` gave for these events, if it was called already.

    Returns
    -------
    pandas.DataFrame
        The columns of `DIJET_COLUMNS`, and ``label`` if the events have one.  Momenta and masses in GeV.
        Jets are anti-kT, R = 1.0, pT > 20 GeV, by falling pT.  A jet that does not exist is all zeros
        (``nconstj2 == 0`` shows it), and then ``mjj`` is 0: no row is dropped, so that two programs'
        answers can be compared row by row.  `count_degenerate` counts them.

    Raises
    ------
    DataError, MissingBranchError
        If the events are not as described.

    Examples
    --------
    >>> import awkward as ak
    >>> particles = [{"pt": 500.0, "eta": 0.0, "phi": 0.0}, {"pt": 500.0, "eta": 0.0, "phi": 3.0}]
    >>> table = dijet_table(ak.Array([{"particles": particles, "label": 1}]))
    >>> table[["event", "mjj", "nconstj1", "label"]].round(1).values.tolist()
    [[0.0, 997.5, 1.0, 1.0]]
    """
    if "particles" not in events.fields:
        raise DataError(
            f"the events have no field 'particles' (they have: {', '.join(events.fields) or 'none'}).",
            remedy="Read them with cmslabs.data.lhco, or give records with particles.pt, .eta, .phi.",
        )
    jets = cluster_jets(events.particles) if jets is None else jets
    if len(jets) != len(events):
        raise DataError(f"{len(jets)} events of jets do not belong to {len(events)} events.")
    numbers = events.event if "event" in events.fields else np.arange(len(events))
    columns = {"event": np.asarray(numbers, dtype=np.int64)}
    leading = [_describe(jets, position) for position in (0, 1)]
    for suffix, jet in zip(("j1", "j2"), leading, strict=True):
        columns |= {name + suffix: values for name, values in jet.items()}
    columns["mjj"] = _pair_mass(*leading)
    order = list(DIJET_COLUMNS)
    if "label" in events.fields:
        columns["label"] = np.asarray(events.label).astype(np.int8)
        order.append("label")
    return pd.DataFrame(columns)[order]


def count_degenerate(table: pd.DataFrame) -> dict[str, int]:
    """Count the rows whose values are defined by convention and not by physics.

    Returns
    -------
    dict
        ``n_events``; ``n_two_jets``: events with both jets; ``n_degenerate``: jets of the two leading ones
        that have a single constituent, for which mass, taus and soft-drop mass are 0.

    Examples
    --------
    >>> import pandas as pd
    >>> count_degenerate(pd.DataFrame({"nconstj1": [30, 1, 0], "nconstj2": [1, 12, 0]}))
    {'n_events': 3, 'n_two_jets': 2, 'n_degenerate': 2}
    """
    first, second = table["nconstj1"], table["nconstj2"]
    return {
        "n_events": len(table),
        "n_two_jets": int((second > 0).sum()),
        "n_degenerate": int((first == 1).sum() + (second == 1).sum()),
    }


def detector_features(table: pd.DataFrame) -> pd.DataFrame:
    """The four standard features of an anomaly detector, as in the searches on the LHC Olympics data.

    Parameters
    ----------
    table : DataFrame
        With ``mj1``, ``mj2`` [GeV] and ``tau1``, ``tau2`` of both jets (``tau1j1`` and so on), as `dijet_table` gives
        them.

    Returns
    -------
    pandas.DataFrame, shape (n_events, 4)
        The columns of `DETECTOR_FEATURES`, float64, with the index of `table`: the mass of the lighter jet, how much
        heavier the other one is [GeV], and tau2 / tau1 of both.  Lighter is said of the mass, not of pT; of two jets
        of equal mass, jet 1 is called the lighter one.

    Raises
    ------
    MissingBranchError
        If a column is missing.

    Notes
    -----
    The inputs of A. Hallin and others, *Classifying anomalies through outer density estimation*, arXiv:2109.00546.

    Examples
    --------
    >>> import pandas as pd
    >>> one = {"mj1": 500.0, "tau1j1": 0.5, "tau2j1": 0.1, "mj2": 100.0, "tau1j2": 0.0, "tau2j2": 0.0}
    >>> detector_features(pd.DataFrame([one])).to_dict("records")
    [{'mj_light': 100.0, 'dmj': 400.0, 'tau21_light': 1.0, 'tau21_heavy': 0.2}]
    """
    needed = ["mj1", "mj2", "tau1j1", "tau2j1", "tau1j2", "tau2j2"]
    for name in needed:
        if name not in table:
            near = close_names(name, map(str, table.columns), n=1)
            raise MissingBranchError(
                f"the table has no column '{name}'.",
                remedy=f"Is it called '{near[0]}'?" if near else f"Needed are {', '.join(needed)}.",
            )
    mass = table[["mj1", "mj2"]].to_numpy(dtype=np.float64)
    tau21 = np.stack([tau_ratio(table[f"tau2{jet}"], table[f"tau1{jet}"]) for jet in ("j1", "j2")], axis=1)
    first_is_light = mass[:, 0] <= mass[:, 1]
    columns = {
        "mj_light": mass.min(axis=1),
        "dmj": mass.max(axis=1) - mass.min(axis=1),
        "tau21_light": np.where(first_is_light, tau21[:, 0], tau21[:, 1]),
        "tau21_heavy": np.where(first_is_light, tau21[:, 1], tau21[:, 0]),
    }
    return pd.DataFrame(columns, index=table.index)


def _describe(jets: ak.Array, position: int) -> dict[str, np.ndarray]:
    """The columns of one of the leading jets; zeros where the event has no such jet."""
    present = ak.to_numpy(ak.num(jets, axis=1)) > position
    found = jets[present][:, position]
    pt, eta, phi, mass = (ak.to_numpy(found[name]) for name in ("pt", "eta", "phi", "mass"))
    tau = nsubjettiness(found.constituents)
    columns = {
        "px": pt * np.cos(phi),
        "py": pt * np.sin(phi),
        "pz": pt * np.sinh(eta),
        "m": mass,
        **{f"tau{i + 1}": tau[:, i] for i in range(4)},
        "msoftdrop": soft_drop_mass(found.constituents),
        "nconst": ak.to_numpy(ak.num(found.constituents, axis=1)),
    }
    return {name: _spread(values, present) for name, values in columns.items()}


def _spread(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Put the values of the events that have the jet into a column of all events."""
    column = np.zeros(len(present), dtype=np.int32 if values.dtype.kind in "iu" else np.float64)
    column[present] = values
    return column


def _pair_mass(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> np.ndarray:
    """Invariant mass of the two jets in GeV; 0 where there are not two."""
    energy = sum(np.sqrt(jet["px"] ** 2 + jet["py"] ** 2 + jet["pz"] ** 2 + jet["m"] ** 2) for jet in (first, second))
    momentum2 = sum((first[name] + second[name]) ** 2 for name in ("px", "py", "pz"))
    mass = np.sqrt(np.maximum(energy**2 - momentum2, 0.0))
    return np.where(second["nconst"] > 0, mass, 0.0)

"""What a box's file says apart from its physics, and whether a classifier can use it.

A box is sealed if all that is not physics - lengths, metadata, order, numbers of events, low-order bits - is the same
whatever is inside.  Here that is collected, per box and per event, and given to classifiers that know the truth of
many boxes.  If they cannot do better than chance, nobody can who knows less.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cmslabs.data.parquet import PROVENANCE_KEY, open_parquet
from cmslabs.data.tables import read_table
from cmslabs.simulation.box_events import BITS

__all__ = ["box_bookkeeping", "event_bookkeeping", "physics", "separate_boxes", "separate_events"]

#: Mantissa bits of float32.
MANTISSA = 23


def box_bookkeeping(path: str | os.PathLike) -> dict[str, float]:
    """Everything about a file that is no physics, as numbers.

    Lengths of file, metadata and columns; schema and names of metadata; rows, row groups, event numbers; missing and
    non-finite values; how many low-order bits are zero; whether neighbouring rows, or early and late ones, are alike.
    """
    found: dict[str, float] = {"file_bytes": os.path.getsize(path)}
    with open_parquet(path) as file:
        meta, schema = file.metadata, file.schema_arrow
        found |= {"rows": meta.num_rows, "columns": meta.num_columns, "row_groups": meta.num_row_groups}
        found |= {"footer_bytes": meta.serialized_size, "schema": zlib.crc32(str(schema.remove_metadata()).encode())}
        for key, text in sorted((schema.metadata or {}).items()):
            found[f"metadata {key.decode()}"] = len(text)
        record = json.loads((schema.metadata or {}).get(PROVENANCE_KEY, b"{}"))
        # The commitment is random; its being there, and its length, are not.
        found |= {f"provenance {name}": float(len(value)) for name, value in _leaves(record)}
        for group in range(meta.num_row_groups):
            found[f"rows of group {group}"] = meta.row_group(group).num_rows
            for column in range(meta.num_columns):
                chunk = meta.row_group(group).column(column)
                name = f"bytes of {chunk.path_in_schema}, group {group}"
                found[name], found[f"plain {name}"] = chunk.total_compressed_size, chunk.total_uncompressed_size
    return found | _numbers_and_order(read_table(path))


def _leaves(value: object, name: str = "") -> list[tuple[str, str]]:
    """Names and texts of all entries of nested JSON."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, f"{name}.{key}")]
    return [(name, json.dumps(value))]


def _numbers_and_order(frame: pd.DataFrame) -> dict[str, float]:
    row = np.arange(len(frame))
    event = frame["event"].to_numpy() if "event" in frame else row
    found = {"first event": event.min(), "last event": event.max(), "events out of place": np.mean(event != row)}
    for name in frame.columns.drop("event", errors="ignore"):
        values = frame[name].to_numpy()
        found[f"not finite in {name}"] = np.sum(~np.isfinite(values))
        if values.dtype.kind == "f":  # float16 becomes float32 without a change
            found[f"zero bits in {name}"] = zero_bits(values).mean()
        rank = values.argsort().argsort() / len(values) - 0.5
        found[f"drift of {name}"] = np.mean(rank * (row / len(row) - 0.5))
        found[f"neighbours in {name}"] = np.mean(rank[1:] * rank[:-1])
    return {name: float(value) for name, value in found.items()}


def zero_bits(values: np.ndarray) -> np.ndarray:
    """How many of the last bits of the mantissa are zero, 0 to 23, for float32 numbers.

    Examples
    --------
    >>> zero_bits(np.array([1.5, 0.1], dtype="f4")).tolist()
    [22, 0]
    """
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32) & np.uint32((1 << MANTISSA) - 1)
    lowest = bits & (~bits + np.uint32(1))
    return np.where(bits == 0, MANTISSA, np.log2(np.maximum(lowest, 1))).astype(int)


def event_bookkeeping(frame: pd.DataFrame) -> pd.DataFrame:
    """Per event what is no physics: its place, its number, and the zero bits of its numbers.

    Where grooming removes nothing, a jet's soft-drop mass is its mass, and their bits are the same: that is physics,
    and more frequent for jets with two prongs.  Of the groomed mass only the bits beyond the rounding are looked at.
    """
    row = np.arange(len(frame))
    columns = {"row": row / len(frame), "event": frame["event"] / len(frame), "step": frame["event"] - row}
    for name in frame.columns.drop("event"):
        values = frame[name].to_numpy()
        bits = zero_bits(values) if values.dtype == np.float32 else values % 2
        if name.startswith("msoftdrop"):
            bits = np.minimum(bits, MANTISSA - BITS[""])
        columns[f"bits of {name}"] = bits
    return pd.DataFrame({name: np.asarray(values, dtype=np.float64) for name, values in columns.items()})


def physics(frame: pd.DataFrame) -> pd.DataFrame:
    """Per event the physics: what a supervised classifier may use.  Its separation is the bound."""
    return frame.drop(columns="event")


def separate_boxes(
    features: Sequence[dict[str, float]], labels: Sequence[bool], *, permutations: int = 99, seed: int = 0
) -> tuple[float, float]:
    """Can a classifier tell boxes apart by these numbers?

    Randomised trees, four-fold cross-validation, the area under the ROC curve, and its p-value: how often boxes with
    exchanged labels are told apart as well (the label of no box enters its own score).

    Parameters
    ----------
    features : sequence of dict
        One per box; an entry that is missing in a box is a number of its own.
    labels : sequence of bool
    permutations : int
        The p-value cannot be below ``1 / (permutations + 1)``.
    seed : int

    Returns
    -------
    auc, p : float
    """
    table = pd.DataFrame(list(features)).fillna(-1.0)
    x = table.loc[:, table.nunique() > 1].to_numpy(dtype=np.float64)
    y = np.asarray(labels, dtype=bool)
    if x.shape[1] == 0:
        return 0.5, 1.0
    rng = np.random.default_rng(seed)
    auc = _box_auc(x, y, seed)
    null = [_box_auc(x, rng.permutation(y), seed) for _ in range(permutations)]
    return auc, (1 + sum(one >= auc for one in null)) / (permutations + 1)


def _box_auc(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    scores = np.empty(len(y))
    for train, test in StratifiedKFold(4, shuffle=True, random_state=seed).split(x, y):
        trees = ExtraTreesClassifier(8, max_features=None, max_depth=2, random_state=seed).fit(x[train], y[train])
        scores[test] = trees.predict_proba(x[test])[:, 1]
    return float(roc_auc_score(y, scores))


def separate_events(
    features: Sequence[pd.DataFrame], labels: Sequence[np.ndarray], *, seed: int = 0, folds: int = 4
) -> tuple[float, float]:
    """Can a classifier find the hidden events by these numbers?

    Boosted trees learn on some boxes and score the others.  Under the null hypothesis the area under the ROC curve
    has mean 1/2 and variance ``(a + b + 1) / (12 a b)`` for a and b events (H. B. Mann, D. R. Whitney, Ann. Math.
    Statist. 18 (1947) 50, doi:10.1214/aoms/1177730491), which gives the p-value.

    Parameters
    ----------
    features : sequence of pandas.DataFrame
        One table per box.
    labels : sequence of ndarray of bool
        Which events are hidden ones.
    seed, folds : int

    Returns
    -------
    auc, p : float
        Mean over the folds, and the probability of such a mean or a larger one by chance.
    """
    from scipy.stats import norm
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    fold = np.random.default_rng(seed).permutation(len(features)) % folds
    aucs, variances = [], []
    for number in range(folds):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        trees = HistGradientBoostingClassifier(max_iter=30, class_weight="balanced", random_state=seed)
        # More threads cost more than they bring for so few events, above all where others work, too.
        with threadpool_limits(1):
            trees.fit(pd.concat([features[i] for i in train]), np.concatenate([labels[i] for i in train]))
        truth = np.concatenate([labels[i] for i in test])
        scores = trees.predict_proba(pd.concat([features[i] for i in test]))[:, 1]
        aucs.append(roc_auc_score(truth, scores))
        a, b = truth.sum(), (~truth).sum()
        variances.append((a + b + 1) / (12 * a * b))
    z = (np.mean(aucs) - 0.5) / (np.sqrt(np.sum(variances)) / folds)
    return float(np.mean(aucs)), float(norm.sf(z))

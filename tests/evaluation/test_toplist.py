"""Lists of the highest scores, and files of scores by event id."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cmslabs.data.tables import read_provenance, read_table
from cmslabs.errors import DataError
from cmslabs.evaluation.toplist import score_table, top_events, write_scores
from cmslabs.io import Provenance


def test_the_highest_come_first():
    rng = np.random.default_rng(0)
    ids, scores = rng.permutation(1000), rng.random(1000)
    top = top_events(ids, scores, 20)
    assert top.index.tolist() == list(range(1, 21))
    assert top.index.name == "rank"
    assert (np.diff(top.score) <= 0).all()
    lookup = dict(zip(ids, scores, strict=True))
    assert [lookup[event] for event in top.event] == top.score.tolist()
    assert top.score.min() >= np.sort(scores)[-20]


def test_ties_keep_their_order_and_short_lists_are_whole():
    assert top_events([5, 3, 8, 1], [1.0, 2.0, 1.0, 2.0]).event.tolist() == [3, 1, 5, 8]


def test_several_columns_come_along():
    table = pd.DataFrame({"run": [1, 1, 2], "event": [7, 8, 7], "mjj": [3.0, 4.0, 5.0]}, index=[9, 9, 9])
    top = top_events(table, [0.1, 0.3, 0.2], 2)
    assert top.to_dict("list") == {"run": [1, 2], "event": [8, 7], "mjj": [4.0, 5.0], "score": [0.3, 0.2]}
    assert score_table(pd.Series([4, 5], name="number"), [1, 2]).columns.tolist() == ["number", "score"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_hold_ids_scores_and_where_they_come_from(tmp_path, ending):
    path = tmp_path / f"scores.{ending}"
    about = Provenance(source="simulation", simulation=True, script="test", units={"event": "1"})
    write_scores(path, [11, 2**53 + 1], [0.25, 1 / 3], about)
    back = read_table(path)
    assert back.event.tolist() == [11, 2**53 + 1]
    assert back.score.tolist() == [0.25, 1 / 3]
    assert read_provenance(path).simulation
    assert read_provenance(path).units == {"event": "1", "score": "1"}


@pytest.mark.parametrize(
    ("ids", "scores", "reason"),
    [
        ([1, 2], [0.5], "2 events need 2 scores"),
        ([1, 2], [0.5, np.nan], "row 1: 1 scores are NaN"),
        (pd.DataFrame({"score": [1]}), [0.5], "a column 'score' already"),
    ],
)
def test_bad_lists(ids, scores, reason):
    with pytest.raises(DataError, match=reason):
        score_table(ids, scores)


def test_an_empty_list_is_refused():
    with pytest.raises(DataError, match="is empty"):
        top_events([1], [1.0], 0)

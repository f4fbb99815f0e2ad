"""The best of many is too good where it was chosen, and no better than it is elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from cmslabs.errors import DataError
from cmslabs.evaluation.metrics import auc
from cmslabs.evaluation.winner import choose_by_truth


def test_numbers_of_one_candidate_are_its_auc():
    rng = np.random.default_rng(0)
    usual, unusual = rng.integers(5, size=(1, 40)), rng.integers(2, 7, size=(1, 30))
    found = choose_by_truth(usual, unusual, n_usual=39, n_unusual=29, draws=3, random_state=4)
    whole = auc(np.repeat([0, 1], [40, 30]), np.concatenate([usual[0], unusual[0]]))
    # 39 x 29 of 40 x 30 pairs are seen.
    assert np.abs(found.seen - whole).max() < 0.1
    assert (found.candidate == 0).all()
    assert set(found.fresh) <= {0, 0.5, 1}  # One pair is left.


def test_a_choice_among_equals_is_luck():
    rng = np.random.default_rng(1)
    coins = rng.random((60, 3000)), rng.random((60, 3000))
    luck = [
        choose_by_truth(*coins, n_usual=200, n_unusual=50, n_candidates=n, draws=100).seen.mean() for n in (1, 5, 60)
    ]
    assert luck[0] == pytest.approx(0.5, abs=0.02)
    assert luck[0] < luck[1] < luck[2]
    # Expected largest of 60 normal numbers, in units of the AUC's own error.
    error = np.sqrt((200 + 50 + 1) / (12 * 200 * 50))
    assert luck[2] == pytest.approx(0.5 + 2.3 * error, abs=0.02)
    fresh = choose_by_truth(*coins, n_usual=200, n_unusual=50, draws=100).fresh
    assert fresh.mean() == pytest.approx(0.5, abs=0.01)


def test_a_clear_winner_wins_and_is_what_it_seems():
    rng = np.random.default_rng(2)
    usual, unusual = rng.normal(size=(10, 2000)), rng.normal(size=(10, 2000))
    unusual[7] += 2
    found = choose_by_truth(usual, unusual, n_usual=500, n_unusual=200, draws=50)
    assert (found.candidate == 7).all()
    assert found.seen.mean() == pytest.approx(found.fresh.mean(), abs=0.01)
    again = choose_by_truth(usual, unusual, n_usual=500, n_unusual=200, draws=50)
    np.testing.assert_array_equal(again.seen, found.seen)


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (((3, 10), (4, 10)), {}, "not those of the same"),
        (((3,), (3, 10)), {}, "not those of the same"),
        (((3, 10), (3, 10)), {"n_candidates": 4}, "not those of the same 4"),
        (((3, 5), (3, 10)), {}, "5 of 5 events cannot choose"),
        (((3, 10), (3, 10)), {"n_unusual": 0}, "0 of 10 events cannot choose"),
    ],
)
def test_choices_that_cannot_be(shapes, options, message):
    scores = [np.zeros(shape) for shape in shapes]
    with pytest.raises(DataError, match=message):
        choose_by_truth(*scores, **{"n_usual": 5, "n_unusual": 5, **options})

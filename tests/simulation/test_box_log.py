"""The log sheet: every claim stays, none is impossible, and the scores are proper."""

from __future__ import annotations

import datetime
import json
import threading

import numpy as np
import pytest

from cmslabs.errors import ConfigError, DataError
from cmslabs.simulation.box_log import Entry, note, read_log, score_log
from cmslabs.simulation.box_truth import Truth

BOX = 64 * "0"
CLAIM = {"p": 0.03, "mass": 3150.0, "signal_probability": 0.4}


def test_claims_are_added_one_after_the_other(tmp_path):
    log = tmp_path / "sheets" / "box-log.json"
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    first = note(log, " bump hunt ", **CLAIM, box=BOX, remark="first try")
    second = note(log, "cut on tau21", p=1, signal_probability=0)
    assert read_log(log) == [first, second]
    assert first.method == "bump hunt"
    assert (second.mass, second.box, second.remark) == (None, None, None)
    made = datetime.datetime.fromisoformat(first.time)
    assert before <= made <= datetime.datetime.now(datetime.UTC)
    assert made.utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"p": 0}, "p: .*greater than 0"),
        ({"p": 1.01}, "p: "),
        ({"p": float("nan")}, "p: "),
        ({"signal_probability": -0.1}, "signal_probability"),
        ({"signal_probability": 40}, "signal_probability"),
        ({"mass": 0}, "mass"),
        ({"mass": float("inf")}, "mass"),
        ({"method": "  "}, "name the method"),
        ({"box": "box.parquet"}, "box"),
    ],
)
def test_impossible_claims_are_refused(tmp_path, change, reason):
    arguments = {"method": "guess"} | CLAIM | change
    with pytest.raises(ConfigError, match=reason):
        note(tmp_path / "log.json", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_claims_at_the_same_time_are_all_kept(tmp_path):
    log = tmp_path / "log.json"
    threads = [
        threading.Thread(target=note, args=(log, f"method {number}"), kwargs=CLAIM, daemon=True) for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.method for entry in read_log(log)) == sorted(f"method {number}" for number in range(12))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not valid JSON"),
        ("[]", "is no log sheet"),
        ('{"entries": []}', "is no log sheet"),
        ('{"format": "cmslabs box log 1", "entries": {}}', "is no log sheet"),
        ('{"format": "cmslabs box log 1", "entries": [3]}', "entry 1: is no claim"),
        ('{"format": "cmslabs box log 1", "entries": [{"p": 0.1}]}', "entry 1: .*required and missing"),
    ],
)
def test_other_files_are_refused_and_not_written_over(tmp_path, content, reason):
    log = tmp_path / "log.json"
    log.write_text(content)
    with pytest.raises(DataError, match=f"(?s){reason}"):
        read_log(log)
    with pytest.raises(DataError):
        note(log, "guess", **CLAIM)
    assert log.read_text() == content


def test_a_wrong_entry_is_named(tmp_path):
    log = tmp_path / "log.json"
    for _ in range(3):
        note(log, "guess", **CLAIM)
    content = json.loads(log.read_text())
    content["entries"][1]["p"] = 7
    log.write_text(json.dumps(content))
    with pytest.raises(DataError, match="entry 2: p: "):
        read_log(log)


def test_a_sheet_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_log(tmp_path / "log.json")


def entries(probabilities, box=None):
    now = "2026-01-01T12:00:00+00:00"
    return [Entry(time=now, method="m", p=0.5, signal_probability=q, box=box) for q in probabilities]


NOTHING, CELL = Truth(kind="nothing"), Truth(kind="hot-cell", eta=0.1, phi=0.1, pt=200, share=0.02)
SIGNAL = Truth(kind="wprime", mass=3000, mass_x=300, mass_y=150, share=0.04)


def test_scores_by_hand():
    assert score_log(entries([0, 0.5, 1]), SIGNAL).brier.tolist() == [1, 0.25, 0]
    for no_signal in (NOTHING, CELL):
        assert score_log(entries([0, 0.5, 1]), no_signal).brier.tolist() == [0, 0.25, 1]
    assert score_log([], SIGNAL).empty


def test_nobody_does_better_on_average_than_by_saying_what_they_believe():
    stated = np.linspace(0, 1, 101)
    if_signal, if_not = (score_log(entries(stated), truth).brier.to_numpy() for truth in (SIGNAL, NOTHING))
    for belief in (0.1, 1 / 3, 0.8):
        expected = belief * if_signal + (1 - belief) * if_not
        assert abs(stated[expected.argmin()] - belief) <= 0.005
    third = [score_log(entries([1 / 3]), truth).brier[0] for truth in (SIGNAL, NOTHING, CELL)]
    assert np.mean(third) == pytest.approx(2 / 9)


def test_claims_on_other_boxes_are_not_scored():
    claims = entries([0.1]) + entries([0.2], BOX) + entries([0.3], 64 * "1")
    assert score_log(claims, NOTHING, BOX).signal_probability.tolist() == [0.1, 0.2]
    assert len(score_log(claims, NOTHING)) == 3

"""The golden JSON: against loops, at the edges, and files that are none."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.errors import DataError
from cmslabs.objects.golden import GoldenRuns

RANGES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 10)).map(lambda p: (p[0], p[0] + p[1])), min_size=1, max_size=5
)
GOLDEN = st.dictionaries(st.integers(1, 6), RANGES, min_size=1, max_size=4)


def slow_mask(sections, runs, blocks):
    return [
        any(first <= block <= last for first, last in sections.get(run, ()))
        for run, block in zip(runs, blocks, strict=True)
    ]


def check_against_loops(sections, events):
    runs, blocks = [run for run, _ in events], [block for _, block in events]
    golden = GoldenRuns(sections)
    assert golden.mask(np.array(runs, dtype="u4"), np.array(blocks, dtype="u4")).tolist() == slow_mask(
        sections, runs, blocks
    )
    every = {
        (run, block) for run, pairs in sections.items() for first, last in pairs for block in range(first, last + 1)
    }
    assert golden.n_sections == len(every)
    assert golden.runs == tuple(sorted(sections))


@settings(max_examples=75, deadline=None)
@given(GOLDEN, st.lists(st.tuples(st.integers(0, 7), st.integers(0, 55)), max_size=40))
def test_mask_is_that_of_the_loops(sections, events):
    """Overlapping, touching and unordered ranges; runs that are not listed; events in any order."""
    check_against_loops(sections, events)


def test_edges_belong_to_the_range():
    golden = GoldenRuns({10: [(5, 7)], 11: [(1, 1)]})
    assert golden.mask([10] * 5, [4, 5, 6, 7, 8]).tolist() == [False, True, True, True, False]
    assert golden.mask([9, 10, 11, 12], [6, 6, 1, 1]).tolist() == [False, True, True, False]
    assert golden.mask([], []).tolist() == []


def test_large_numbers_do_not_run_into_the_next_run():
    golden = GoldenRuns({284044: [(1, 2**32 - 1)], 284045: [(3, 4)]})
    runs = np.array([284044, 284045, 284045], dtype="u4")
    assert golden.mask(runs, np.array([2**32 - 1, 0, 3], dtype="u4")).tolist() == [True, False, True]


def test_reading(tmp_path):
    path = tmp_path / "golden.json"
    path.write_text(json.dumps({"273158": [[1, 1279]], "273302": [[1, 459], [462, 500]]}))
    golden = GoldenRuns.read(path)
    assert golden.runs == (273158, 273302)
    assert golden.n_sections == 1279 + 459 + 39
    assert golden.mask([273302, 273302], [460, 462]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["no JSON"]),
        ("[1, 2]", ["no list of runs"]),
        ("{}", ["no luminosity section"]),
        ('{"run": [[1, 2]]}', ["'run'", "no run number"]),
        ('{"0": [[1, 2]]}', ["'0'"]),
        ('{"-5": [[1, 2]]}', ["'-5'"]),
        ('{"99999999999": [[1, 2]]}', ["99999999999"]),
        ('{"273158": []}', ["273158", "no list of ranges"]),
        ('{"273158": [1, 2]}', ["273158", "no range"]),
        ('{"273158": [[1]]}', ["273158", "no range"]),
        ('{"273158": [[1, 2, 3]]}', ["273158", "no range"]),
        ('{"273158": [[1, 2.5]]}', ["273158", "whole numbers"]),
        ('{"273158": [["1", "2"]]}', ["273158", "whole numbers"]),
        ('{"273158": [[true, 2]]}', ["273158", "whole numbers"]),
        ('{"273158": [[9, 2]]}', ["273158", "[9, 2]", "does not rise"]),
        ('{"273158": [[-1, 2]]}', ["273158", "does not rise"]),
        ('{"273158": {"1": 2}}', ["273158"]),
        ('{"273158": null}', ["273158"]),
        ('{"273158": [[1, 2]], "273158": [[5, 6]]}', ["273158", "stands twice"]),
    ],
)
def test_files_that_are_none_are_refused_with_the_run(tmp_path, text, words):
    path = tmp_path / "golden.json"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        GoldenRuns.read(path)
    assert [word for word in ["golden.json", *words] if word not in str(error.value)] == []


def test_binary_and_missing_files_are_refused(tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00root")
    with pytest.raises(DataError, match=r"x\.json"):
        GoldenRuns.read(tmp_path / "x.json")
    with pytest.raises(DataError, match="missing"):
        GoldenRuns.read(tmp_path / "missing.json")


def test_a_million_events_take_no_time():
    rng = np.random.default_rng(0)
    golden = GoldenRuns({run: [(first, first + 5) for first in range(1, 1000, 10)] for run in range(1, 301)})
    runs, blocks = rng.integers(1, 310, 1_000_000), rng.integers(1, 1000, 1_000_000)
    start = time.process_time()
    mask = golden.mask(runs, blocks)
    assert time.process_time() - start < 2
    few = slice(0, 2000)
    assert mask[few].tolist() == [
        run <= 300 and (block - 1) % 10 < 6 for run, block in zip(runs[few], blocks[few], strict=True)
    ]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('side="right"', 'side="left"'),
        ("<= self._last", "< self._last"),
        ("place >= 0", "place >= -9"),
        ("- 1\n", "\n"),
    ],
)
def test_a_planted_fault_is_caught(monkeypatch, right, wrong):
    import inspect
    import textwrap

    from cmslabs.objects import golden as module

    source = textwrap.dedent(inspect.getsource(GoldenRuns.mask))
    assert source.count(right) == 1
    made = {}
    exec("from __future__ import annotations\n" + source.replace(right, wrong), vars(module), made)
    monkeypatch.setattr(GoldenRuns, "mask", made["mask"])
    with pytest.raises((AssertionError, IndexError)):
        check_against_loops({2: [(3, 5)], 4: [(1, 9)]}, [(2, 5), (2, 3), (2, 6), (4, 1), (1, 1), (5, 1), (4, 9)])

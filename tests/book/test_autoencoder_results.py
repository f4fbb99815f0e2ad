"""The stored tables of chapter 12: whole, described, and what their script would write again."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from cmslabs.data.stored_results import stored_result
from cmslabs.io import json_hash

pytest.importorskip("torch", reason="needs the extra torch")


@pytest.fixture(scope="module")
def script():
    """`data_scripts/make_autoencoder_results.py` as a module."""
    return importlib.import_module(Path(stored_result("autoencoders")["script"]).stem)


@pytest.fixture(scope="module")
def sample(script):
    """Its events."""
    return script.Sample()


def test_the_result_is_that_of_the_script_as_it_stands(script):
    result = stored_result("autoencoders")
    assert result["config_hash"] == json_hash(script.CONFIG)
    assert "+" not in result["commit"]
    done = [
        {name: row[name] for name in job}
        for job, row in zip(script.jobs(), result["numbers"]["trainings"], strict=True)
    ]
    assert done == script.jobs()
    assert all(row["seconds"] > 0 for row in result["numbers"]["trainings"])


def test_no_event_is_in_two_parts(sample):
    parts = [set(sample.train), set(sample.val), *(set(rows) for rows in sample.tests["null"])]
    assert len(set.union(*parts)) == sum(map(len, parts))
    for background, signal in sample.tests.values():
        assert not (set(background) | set(signal)) & (set(sample.train) | set(sample.val) | set(sample.all_train))


@pytest.mark.slow
def test_scores_and_a_training_come_out_again(script, sample):
    stored = stored_result("autoencoders")["numbers"]
    reference = next(row for row in stored["references"] if row["model"] == "tau21-sum")
    again = script.make_model("tau21-sum").fit(sample.X.iloc[sample.train]).anomaly_score(sample.X)
    assert sample.compare(again) == reference["against"]
    # Another processor may round otherwise, and a training does not forget it: not to the last digit.
    row = next(row for row in stored["trainings"] if row.get("beta") == 0.1 and row["seed"] == 0)
    found = script.train({name: row[name] for name in ("model", "beta", "kl_warmup", "seed")}, sample)
    for score, tolerance in (("kl", 0.03), ("reconstruction", 0.06)):
        expected = row["scores"][score]["against"]["wprime-2prong"]["auc"]
        assert found["scores"][score]["against"]["wprime-2prong"]["auc"] == pytest.approx(expected, abs=tolerance)

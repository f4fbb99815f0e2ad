"""Cleaning: each fault is found, counted and dropped; nothing else is."""

from __future__ import annotations

import json
import math

import awkward as ak
import dijet_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.config import validate
from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.features.atoms import GAPS, atom_fractions, gather_atoms, spread_atoms
from cmslabs.features.cleaning import Cleaner, CleaningConfig, clean_dijets
from cmslabs.features.dijet61 import dijet_identity, dijet_observables
from cmslabs.features.observables import CATALOGUE, SETS, flagged


@pytest.fixture(scope="module")
def good() -> tuple[pd.DataFrame, pd.DataFrame]:
    events = oracle.random_events(21, 80, fat_counts=(2, 3), jet_counts=(3, 6))
    for event in events:
        for jet in event["FatJet"]:
            jet["jetId"] = 6
    events = ak.Array(events)
    return dijet_observables(events), dijet_identity(events)


def test_good_events_stay_as_they_are(good):
    kept, report = clean_dijets(*good)
    pd.testing.assert_frame_equal(kept, good[0])
    assert [step.removed for step in report.steps] == [0, 0, 0, 0]
    assert report.identity == "run, luminosityBlock, event"
    assert [step.name for step in report.steps] == ["finite", "ranges", "jet id", "duplicates"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_values_that_are_not_finite(good, name):
    table, identity = good[0].head(10).copy(), good[1].head(10)
    table.loc[table.index[[2, 5, 7]], name] = [math.nan, math.inf, -math.inf]
    kept, report = clean_dijets(table, identity)
    assert report.steps[0].causes == {name: 3}
    assert kept.index.equals(table.index.delete([2, 5, 7]))


@pytest.mark.parametrize("name", CATALOGUE)
def test_values_out_of_their_range(good, name):
    row, table, identity = CATALOGUE[name], good[0].head(10).copy(), good[1].head(10)
    width = row.high - row.low
    table.loc[table.index[[3, 8]], name] = [row.low - 0.9e-3 * width, row.high + 0.9e-3 * width]
    assert len(clean_dijets(table, identity)[0]) == 10
    table.loc[table.index[[3, 8]], name] = [row.low - 1.1e-3 * width, row.high + 1.1e-3 * width]
    kept, report = clean_dijets(table, identity)
    assert report.steps[1].causes == {name: 2}
    assert kept.index.equals(table.index.delete([3, 8]))
    assert len(clean_dijets(table, identity, CleaningConfig(ranges=False))[0]) == 10


@pytest.mark.parametrize(("wanted", "dropped"), [(0, 0), (2, 1), (4, 2), (6, 2)])
def test_jet_identification(good, wanted, dropped):
    identity = good[1].copy()
    identity.loc[identity.index[2], "jet_id_j2"] = 0
    identity.loc[identity.index[7], "jet_id_j1"] = 2
    kept, report = clean_dijets(good[0], identity, CleaningConfig(jet_id=wanted))
    assert report.steps[2].removed == dropped == len(good[0]) - len(kept)


def test_without_identification_it_is_not_guessed(good):
    with pytest.raises(MissingBranchError, match=r"jet_id_j1.*'FatJet_jetId'.*jet_id: 0"):
        clean_dijets(good[0])


def test_repeated_events_are_kept_once_by_number_or_by_content(good):
    table, identity = (pd.concat([part, part.iloc[[4, 9, 4]]]) for part in good)
    kept, report = clean_dijets(table, identity)
    pd.testing.assert_frame_equal(kept, good[0])
    assert report.steps[3].causes == {"repeated": 3}
    by_content, report = clean_dijets(table, identity.drop(columns="run"))
    pd.testing.assert_frame_equal(by_content, good[0])
    assert report.identity == "all observables"
    assert len(clean_dijets(table, identity, CleaningConfig(duplicates=False))[0]) == len(table)


def test_same_number_in_another_run_is_another_event(good):
    identity = pd.concat([good[1], good[1].assign(run=2)])
    table = pd.concat([good[0], good[0]])
    assert len(clean_dijets(table, identity)[0]) == 2 * len(good[0])


@settings(max_examples=20, deadline=None)
@given(
    faults=st.lists(
        st.tuples(st.integers(0, 59), st.integers(0, 60), st.sampled_from([math.nan, 1e9, -1e9])), max_size=12
    )
)
def test_events_are_neither_lost_nor_counted_twice(good, faults):
    table, identity = good[0].iloc[:60].copy(), good[1].iloc[:60]
    for row, column, value in faults:
        table.iloc[row, column] = value
    kept, report = clean_dijets(table, identity)
    bad = {row for row, _, _ in faults}
    assert set(kept.index) == set(table.index) - {table.index[row] for row in bad}
    assert (report.n_before, report.n_after) == (60, 60 - len(bad))
    for before, after in zip(report.steps, report.steps[1:], strict=False):
        assert before.after == after.before
    assert sum(step.removed for step in report.steps) == len(bad)


def test_pieces_give_the_same_as_the_whole(good):
    table, identity = (pd.concat([part, part.iloc[:30]]) for part in good)
    table = table.reset_index(drop=True)
    identity = identity.reset_index(drop=True)
    table.loc[11, "met"] = math.nan
    whole, report = clean_dijets(table, identity)
    cleaner = Cleaner()
    pieces = [cleaner(table.iloc[k : k + 7], identity.iloc[k : k + 7]) for k in range(0, len(table), 7)]
    pd.testing.assert_frame_equal(pd.concat(pieces), whole)
    assert cleaner.report() == report


def test_a_report_as_text_and_json(good, tmp_path):
    table = good[0].copy()
    table.loc[table.index[:3], "width_j2"] = math.nan
    _, report = clean_dijets(table, good[1])
    report.write(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found == report.to_dict()
    n = len(table)
    assert found["steps"][0] == {
        "name": "finite",
        "before": n,
        "after": n - 3,
        "removed": 3,
        "causes": {"width_j2": 3},
    }
    text = report.text().splitlines()
    assert text[1].split() == ["finite", str(n), str(n - 3), "3"]
    assert text[2] == "    width_j2: 3"
    share = f"{100 * (n - 3) / n:.2f}"
    assert text[-1] == f"kept {n - 3} of {n} events ({share} %); equal events: run, luminosityBlock, event"


def test_no_events_are_no_error(good):
    kept, report = clean_dijets(good[0].iloc[:0], good[1].iloc[:0])
    assert len(kept) == 0
    assert "kept 0 of 0 events (100.00 %)" in report.text()


def test_foreign_tables_are_refused(good):
    with pytest.raises(DataError, match="not of the same events"):
        clean_dijets(good[0], good[1].iloc[1:])
    with pytest.raises(DataError, match="no column of the catalogue"):
        clean_dijets(pd.DataFrame({"pxj1": [1.0]}))
    with pytest.raises(ConfigError, match="did you mean 'jet_id'"):
        validate(CleaningConfig, {"jetid": 2})


# Atoms.


def test_atoms_are_spread_into_gaps_and_gathered_again(good):
    table = good[0].copy()
    fractions = [name for name in flagged(CATALOGUE, "atom") if "EF_" in name]
    table.loc[table.index[:10], fractions] = 0.0
    spread = spread_atoms(table, random_state=5)
    for name in flagged(CATALOGUE, "atom"):
        low, high = GAPS[name.removesuffix("_j1").removesuffix("_j2")]
        at = table[name] == CATALOGUE[name].atom
        assert at.any()
        assert spread.loc[at, name].between(low, high, inclusive="left").all()
        assert spread.loc[at, name].nunique() == at.sum()
        pd.testing.assert_series_equal(spread.loc[~at, name], table.loc[~at, name])
    others = [name for name in CATALOGUE if name not in flagged(CATALOGUE, "atom")]
    pd.testing.assert_frame_equal(spread[others], table[others])
    pd.testing.assert_frame_equal(gather_atoms(spread), table)
    pd.testing.assert_frame_equal(spread_atoms(table, random_state=5), spread)
    assert not spread_atoms(table, random_state=6).equals(spread)


def test_spread_atoms_are_uniform():
    table = pd.DataFrame({"third_jet_pt": np.zeros(20_000)})
    counts = np.histogram(spread_atoms(table, 1)["third_jet_pt"], bins=10, range=(0, 30))[0]
    assert counts.sum() == 20_000
    assert np.sum((counts - 2000) ** 2 / 2000) < 30  # chi2 of 9 degrees of freedom: p = 4e-4


def test_spreading_twice_is_refused(good):
    spread = spread_atoms(good[0], random_state=5)
    with pytest.raises(DataError, match=r"msoftdrop_j1: \d+ values lie in the gap from -1 to 0"):
        spread_atoms(spread)


def test_shares_of_atoms(good):
    found = atom_fractions(good[0][list(SETS["dijet_flow"])])
    assert set(found) == {"msoftdrop_j1", "msoftdrop_j2", "third_jet_pt"}
    assert found["third_jet_pt"] == (good[0]["third_jet_pt"] == 0).mean()

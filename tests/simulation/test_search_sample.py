"""Tables of the searches: which events they keep, what their files say of them, and runs that are not made twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cmslabs.data.catalog import load_card, samples_folder
from cmslabs.data.tables import read_provenance, read_table
from cmslabs.errors import DataError
from cmslabs.features.dijets import detector_features
from cmslabs.features.extrapolation import EXTRAPOLATION_CONTEXT, EXTRAPOLATION_FEATURES, extrapolation_features
from cmslabs.io import sha256, write_json
from cmslabs.simulation import search_sample
from cmslabs.simulation.processes import PROCESSES
from cmslabs.simulation.search_sample import (
    EXTRAPOLATION,
    RESONANCE,
    SCULPTED,
    SIGNAL_REGION,
    Source,
    extrapolation_table,
    make_source,
    resonance_table,
    thinned,
    write_search_table,
)

DATA = Source("data", "qcd-extrapolation", 200, 1)
MC = Source("mc", "qcd-extrapolation", 100, 2, "a14")
SIGNAL = Source("signal", "hidden-valley-2tev", 50, 3)
SOURCES = (DATA, MC, SIGNAL)


def simulated(n, seed) -> pd.DataFrame:
    """As `cmslabs simulate` writes it, as far as it is read here."""
    rng = np.random.default_rng(seed)
    columns = {"ht": 700 + rng.exponential(150, n), "met": rng.exponential(60, n), "mjj": rng.uniform(500, 3000, n)}
    for jet in ("j1", "j2"):
        columns[f"m{jet}"] = rng.uniform(20, 300, n)
        columns |= {f"tau{k}{jet}": rng.uniform(0.1, 0.5, n) / k for k in (1, 2, 3)}
    return pd.DataFrame(columns)


@pytest.fixture
def runs(tmp_path):
    """Tables and records of three runs."""
    paths = {}
    for source in SOURCES:
        paths[source] = tmp_path / source.folder / f"{source.name}-features.parquet"
        paths[source].parent.mkdir()
        simulated(source.events, source.seed).to_parquet(paths[source])
        details = {"settings": ["a = b"], "selection": {"ht": 700}, "run": {"sigma_pb": 1.5}, "events": source.events}
        record = {"provenance": {"seed": source.seed, "details": details | {"other": 1}}}
        write_json(tmp_path / source.folder / f"{source.name}.json", record)
    return paths


def in_signal_region(table) -> np.ndarray:
    return ((table["ht"] > 800) & (table["met"] > 75)).to_numpy()


def test_the_table_keeps_the_signal_region_and_every_second_event_beside_it(runs):
    found = extrapolation_table(runs, control_every=2)
    assert list(found) == [*EXTRAPOLATION_CONTEXT, *EXTRAPOLATION_FEATURES, "process"]
    whole = extrapolation_features(read_table(runs[DATA]))
    inside = in_signal_region(whole)
    kept = [row for row in range(200) if inside[row] or row % 2 == 0]
    assert 100 < len(kept) < 200
    mine = found[found["process"] == "qcd-extrapolation"].drop(columns="process")
    np.testing.assert_allclose(mine.to_numpy(), whole.iloc[kept].to_numpy(), rtol=2.5e-4)
    assert set(mine.dtypes) == {np.dtype("float32")}
    # Only of the background is there more than enough.
    assert found["process"].value_counts().to_dict() == {
        "qcd-extrapolation": len(kept),
        "qcd-extrapolation-a14": 100,
        "hidden-valley-2tev": 50,
    }


def test_numbers_are_rounded_to_eleven_bits(runs):
    found = extrapolation_table(runs)["mjj"].to_numpy()
    assert ((found.view("u4") & 0xFFF) == 0).all()


def test_the_table_of_the_window(runs):
    found = resonance_table({source: runs[source] for source in (DATA, SIGNAL)})
    assert list(found) == ["mjj", "mj_light", "dmj", "tau21_light", "tau21_heavy", "process"]
    whole = read_table(runs[SIGNAL])
    mine = found[found["process"] == "hidden-valley-2tev"]
    np.testing.assert_allclose(mine[["mj_light", "dmj"]], detector_features(whole)[["mj_light", "dmj"]], rtol=2.5e-4)
    np.testing.assert_allclose(mine["mjj"], whole["mjj"], rtol=2.5e-4)
    assert len(found) == 250


def test_a_thinned_table_has_numbers_of_its_own_for_either_region(runs):
    table = extrapolation_table(runs, control_every=1)
    every = {"qcd-extrapolation": 2, "qcd-extrapolation-a14": 1, "hidden-valley-2tev": 5}
    beside = {"qcd-extrapolation": 7, "qcd-extrapolation-a14": 3, "hidden-valley-2tev": 5}
    found = thinned(table, every, beside)
    expected = []
    for process in every:
        counts = {True: 0, False: 0}
        part = {True: [], False: []}
        for row in table[table["process"] == process].to_dict("records"):
            inside = row["ht"] > 800 and row["met"] > 75
            if counts[inside] % (every if inside else beside)[process] == 0:
                part[inside].append(row)
            counts[inside] += 1
        expected += part[True] + part[False]
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected), check_dtype=False)


def test_a_file_says_what_its_events_come_from(runs, tmp_path):
    table, path = extrapolation_table(runs), tmp_path / "small.parquet"
    write_search_table(path, table, runs, "make.py", control_every=2)
    pd.testing.assert_frame_equal(read_table(path), table, check_dtype=False)
    record = read_provenance(path)
    assert (record.source, record.simulation, record.script) == ("simulation", True, "make.py")
    assert record.units["met"] == "GeV"
    assert set(record.units) == set(table)
    assert record.details["control_every"] == 2
    assert record.details["runs"] == {
        f"{source.folder}/{source.name}": {
            "settings": ["a = b"],
            "selection": {"ht": 700},
            "run": {"sigma_pb": 1.5},
            "seed": source.seed,
        }
        for source in SOURCES
    }


def test_a_run_that_is_there_is_not_made_again(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(search_sample, "simulate", lambda *_, **__: pytest.fail("it is there"))
    assert make_source(MC, tmp_path) == runs[MC]
    for other in (Source("data", DATA.process, 200, 9), Source("data", DATA.process, 201, 1)):
        with pytest.raises(DataError, match=r"qcd-extrapolation\.json: holds another run. Choose another folder"):
            make_source(other, tmp_path)


def test_a_run_that_is_not_there_is_made(tmp_path):
    source = Source("signal", "hidden-valley-2tev", 4, 6)
    table = read_table(make_source(source, tmp_path))
    assert len(table) == 4
    assert (extrapolation_features(table)["ht"] > 700).all()


def test_no_two_runs_share_a_seed_or_a_file():
    runs = [*EXTRAPOLATION, *RESONANCE, SCULPTED]
    assert len({run.seed for run in runs}) == len(runs)
    assert len({(run.folder, run.name) for run in runs}) == len(runs)
    for run in runs:
        PROCESSES[run.process].lines(variant=run.variant)


def test_the_card_knows_the_bundled_file():
    path = samples_folder() / "extrapolation.parquet"
    card, table = load_card("sim-extrapolation"), read_table(path)
    file = card.file("extrapolation.parquet")
    assert (file.sha256, file.size_bytes, card.n_events) == (sha256(path), path.stat().st_size, len(table))
    # 2 MB were planned for it.
    assert path.stat().st_size < 2.1e6
    described = [name for column in card.columns for name in column.name.split(", ")]
    assert sorted(described) == sorted(table.columns)
    assert set(table["process"]) == {source.name for source in EXTRAPOLATION}
    assert SIGNAL_REGION == {"ht": 800.0, "met": 75.0}
    assert table["ht"].min() > 699


def test_the_bundled_file_remembers_the_runs_behind_it():
    record = read_provenance(samples_folder() / "extrapolation.parquet")
    assert record.simulation
    assert {f"{source.folder}/{source.name}" for source in EXTRAPOLATION} == set(record.details["runs"])
    for source in EXTRAPOLATION:
        run = record.details["runs"][f"{source.folder}/{source.name}"]
        assert run["seed"] == source.seed
        assert run["settings"] == list(PROCESSES[source.process].lines(variant=source.variant))


def test_the_bundled_file_is_thinned_as_its_card_says():
    """Every 4th event of the background's signal region, every 12th beside it: together they are all that were made."""
    from make_search_samples import BUNDLED_CONTROL, CONTROL_EVERY, EVERY

    table = read_table(samples_folder() / "extrapolation.parquet")
    for name in EVERY:
        inside = in_signal_region(table) & (table["process"] == name).to_numpy()
        beside = ~in_signal_region(table) & (table["process"] == name).to_numpy()
        once_more = CONTROL_EVERY if name == "qcd-extrapolation" else 1
        made = EVERY[name] * inside.sum() + once_more * BUNDLED_CONTROL[name] * beside.sum()
        assert made == pytest.approx(sum(source.events for source in EXTRAPOLATION if source.name == name), rel=0.005)
    # A third of the signal region with all of the control region has nature's ratio: three times 4 is 12.
    background = EVERY["qcd-extrapolation"], CONTROL_EVERY * BUNDLED_CONTROL["qcd-extrapolation"]
    assert 3 * background[0] == background[1]

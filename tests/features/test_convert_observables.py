"""From a file of events to a clean table: formats, chunks, provenance, and files that lack something."""

from __future__ import annotations

import awkward as ak
import dijet_oracle as oracle
import numpy as np
import pandas as pd
import pytest
import uproot

from cmslabs.data.tables import read_provenance, read_table, write_events
from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.features.cleaning import CleaningConfig, clean_dijets
from cmslabs.features.convert_observables import ObservablesConfig, observables_config, write_observables
from cmslabs.features.dijet61 import dijet_identity, dijet_observables
from cmslabs.features.dijet_config import DijetConfig
from cmslabs.features.observables import CATALOGUE, SETS
from cmslabs.io import Provenance, sha256


@pytest.fixture(scope="module")
def events() -> ak.Array:
    return ak.Array(oracle.random_events(31, 90))


@pytest.fixture
def source(tmp_path, events):
    path = tmp_path / "objects.parquet"
    write_events(path, events, Provenance(source="toy", simulation=True, script="tests"))
    return path


def write_root(path, events):
    """NanoAOD as CMS writes it: no particles inside the jets."""
    fat = events.FatJet[[name for name in events.FatJet.fields if name != "constituents"]]
    with uproot.recreate(path) as file:
        columns = {name: events[name] for name in ("run", "luminosityBlock", "event")}
        columns |= {"FatJet": fat, "Jet": events.Jet}
        columns |= {"MET_pt": events.MET.pt, "MET_phi": events.MET.phi, "PV_npvs": events.PV.npvs}
        tree = file.mktree("Events", {name: _kind(column) for name, column in columns.items()})
        tree.extend(columns)
    return path


def _kind(column):
    return column.type.content if isinstance(column, ak.Array) else column.dtype


def expected(events, chosen, config):
    table = dijet_observables(events, chosen, config.dijets)
    kept, report = clean_dijets(table, dijet_identity(events, config.dijets), config.cleaning)
    return kept, report


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@pytest.mark.parametrize("chunk_size", [7, 20_000])
def test_the_table_is_that_of_the_functions(tmp_path, source, events, ending, chunk_size):
    out = tmp_path / f"table{ending}"
    summary = write_observables(source, out, chunk_size=chunk_size)
    table, report = expected(events, "dijet61", observables_config("dijet61"))
    found = read_table(out)
    assert list(found.columns) == ["position", "run", "luminosityBlock", "event", "label", *CATALOGUE]
    assert found["position"].tolist() == table.index.tolist() == found["event"].tolist()
    pd.testing.assert_frame_equal(found[list(CATALOGUE)], table.reset_index(drop=True), rtol=1e-12)
    assert summary["cleaning"] == report.to_dict()
    n_dijets = sum(oracle.leading(event) is not None for event in ak.to_list(events))
    assert (summary["n_events"], summary["n_dijets"], summary["n_written"]) == (90, n_dijets, len(table))
    assert 0 < summary["n_written"] < n_dijets


def test_root_and_parquet_agree(tmp_path, source, events):
    nano = write_root(tmp_path / "nano.root", events)
    for name, out in ((source, "a.parquet"), (nano, "b.parquet")):
        write_observables(name, tmp_path / out, "dijet_nanoaod")
    one, other = read_table(tmp_path / "a.parquet"), read_table(tmp_path / "b.parquet")
    names = list(SETS["dijet_nanoaod"])
    assert len(one) > 5
    pd.testing.assert_frame_equal(one[names], other[names])


def test_provenance_says_set_configuration_and_units(tmp_path, source):
    config = ObservablesConfig(dijets=DijetConfig(fat_jet_pt=300), cleaning=None)
    summary = write_observables(source, tmp_path / "t.parquet", "dijet_flow", config)
    assert summary["cleaning"] is None
    assert summary["n_written"] == summary["n_dijets"]
    table, found = read_table(tmp_path / "t.parquet"), read_provenance(tmp_path / "t.parquet")
    assert set(found.units) == set(table.columns)
    assert found.units["mass_j1"] == "GeV"
    assert found.simulation is True
    assert found.details["input_sha256"] == sha256(source)
    assert found.details["config"]["dijets"]["fat_jet_pt"] == 300
    assert found.script == "cmslabs features --set dijet_flow"


def test_a_file_changes_what_it_says_and_nothing_else(tmp_path):
    (tmp_path / "c.yaml").write_text("cleaning: {jet_id: 6}\n")
    found = observables_config("dijet_nanoaod", tmp_path / "c.yaml")
    assert found.dijets == observables_config("dijet_nanoaod").dijets
    assert found.dijets.energy_fractions == "matched_jet"
    assert found.cleaning.jet_id == 6
    (tmp_path / "c.yaml").write_text("dijets: {jet_pt: 50}\n")
    found = observables_config("dijet_nanoaod", tmp_path / "c.yaml").dijets
    assert (found.jet_pt, found.energy_fractions) == (50.0, "matched_jet")
    (tmp_path / "c.yaml").write_text("dijets: 3\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: dijets"):
        observables_config("dijet61", tmp_path / "c.yaml")


def test_what_is_simulated_can_be_said(tmp_path, source, events):
    write_observables(source, tmp_path / "t.parquet", simulation=False)
    assert read_provenance(tmp_path / "t.parquet").simulation is False
    nano = write_root(tmp_path / "nano.root", events)
    write_observables(nano, tmp_path / "t.parquet", "dijet_nanoaod")
    # No generator branch: a file of data, as far as it says.
    assert read_provenance(tmp_path / "t.parquet").simulation is False


def test_a_missing_branch_leaves_the_old_table(tmp_path, events):
    out = tmp_path / "t.parquet"
    out.write_text("old")
    nano = write_root(tmp_path / "nano.root", events)
    with pytest.raises(MissingBranchError, match=r"nano\.root, Events.*width_j1.*FatJet_constituents"):
        write_observables(nano, out, "dijet61")
    assert out.read_text() == "old"


def test_wrong_files_and_wrong_use(tmp_path, source):
    (tmp_path / "particles.h5").write_text("x")
    with pytest.raises(DataError, match=r"particles\.h5.*--set lhco"):
        write_observables(tmp_path / "particles.h5", tmp_path / "t.parquet")
    with pytest.raises(ConfigError, match="input and output"):
        write_observables(source, source)
    with pytest.raises(ConfigError, match="dijet61"):
        write_observables(source, tmp_path / "t.parquet", "dijet")
    with pytest.raises(ConfigError, match="0 events"):
        write_observables(source, tmp_path / "t.parquet", chunk_size=0)


def test_no_events_give_an_empty_table(tmp_path, events):
    write_events(tmp_path / "none.parquet", events[:0], Provenance(source="toy", simulation=True, script="tests"))
    summary = write_observables(tmp_path / "none.parquet", tmp_path / "t.parquet")
    assert summary["n_events"] == summary["n_written"] == 0
    assert list(read_table(tmp_path / "t.parquet").columns)[-61:] == list(CATALOGUE)


def test_duplicates_are_found_across_chunks(tmp_path, events):
    config = ObservablesConfig(cleaning=CleaningConfig(jet_id=0))
    twice = ak.concatenate([events, events])
    write_events(tmp_path / "twice.parquet", twice, Provenance(source="toy", simulation=True, script="tests"))
    summary = write_observables(tmp_path / "twice.parquet", tmp_path / "t.parquet", config=config, chunk_size=50)
    assert 2 * summary["n_written"] == summary["n_dijets"]
    assert np.all(read_table(tmp_path / "t.parquet")["position"] < len(events))

"""Files: ROOT as coffea and our own reader see it, LHC Olympics HDF5, tables with provenance."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cmslabs.data.lhco import read_particles
from cmslabs.data.nanoaod import open_nanoaod, read_nanoaod
from cmslabs.data.tables import read_events, read_provenance, read_table
from cmslabs.features.dijets import dijet_table
from cmslabs.simulation.generator import simulate
from cmslabs.simulation.nano import FILTERS
from cmslabs.simulation.trigger import DOUBLE_MUON, TRIPLE_MUON
from cmslabs.simulation.writers import round_floats

#: What a processor for UL2016 NanoAODv9 reads.
COLLECTIONS = {
    "Muon": "pt eta phi mass charge pdgId dxy dz sip3d mediumId tightId pfRelIso04_all",
    "Electron": "pt eta phi mass charge pdgId dxy dz cutBased",
    "Jet": "pt eta phi mass jetId",
    "FatJet": "pt eta phi mass jetId msoftdrop tau1 tau2 tau3 tau4",
    "GenPart": "pt eta phi mass pdgId status statusFlags genPartIdxMother",
    "MET": "pt phi",
    "Pileup": "nTrueInt",
    "PV": "npvs x y z",
    "L1PreFiringWeight": "Nom Up Dn",
    "Flag": " ".join(FILTERS),
    "HLT": " ".join([*DOUBLE_MUON, TRIPLE_MUON]),
}
BRANCHES = {f"{name}_{field}" for name, fields in COLLECTIONS.items() for field in fields.split()}
BRANCHES |= {"run", "luminosityBlock", "event", "genWeight"}


@pytest.fixture(scope="module")
def four_leptons(tmp_path_factory):
    return simulate("zz-4l", events=40, seed=2, out=tmp_path_factory.mktemp("zz"), chunk_size=25)


@pytest.fixture(scope="module")
def dijets(tmp_path_factory):
    out = tmp_path_factory.mktemp("dijets")
    return simulate("wprime-2prong", events=40, seed=2, out=out, chunk_size=25, constituents=True, particles=True)


def test_the_root_file_has_the_branches_of_nanoaod(four_leptons):
    with uproot.open(four_leptons.files["events"]) as file:
        tree = file["Events"]
        assert file.classname_of("Events") == "TTree"
        assert set(tree.keys()) >= BRANCHES | {f"n{name}" for name in ("Muon", "Electron", "Jet", "FatJet", "GenPart")}
        np.testing.assert_array_equal(tree["nMuon"].array(), ak.num(tree["Muon_pt"].array()))
        assert tree["event"].array().to_list() == list(range(1, 41))
        assert tree["luminosityBlock"].array().to_list() == [1] * 25 + [2] * 15
        runs = file["Runs"].arrays()
        assert runs.genEventSumw.to_list() == [four_leptons.summary["tried"]]
        assert json.loads(str(file["cmslabs"]))["source"] == "simulation"


def test_types_are_those_of_nanoaod(four_leptons):
    with uproot.open(four_leptons.files["events"]) as file:
        types = {branch.name: repr(branch.interpretation) for branch in file["Events"].branches}
    assert "'>f4'" in types["Muon_pt"]
    assert "'>i4'" in types["Muon_charge"]
    assert "bool" in types["Muon_mediumId"]
    assert "bool" in types["HLT_TripleMu_12_10_5"]
    assert "'>u8'" in types["event"]


def test_coffea_reads_it(four_leptons):
    schemas = pytest.importorskip("coffea.nanoevents")
    path = str(four_leptons.files["events"])
    with pytest.warns(RuntimeWarning, match="Missing cross-reference"):  # collections that we do not have
        events = schemas.NanoEventsFactory.from_root({path: "Events"}, schemaclass=schemas.NanoAODSchema).events()
    ours = read_nanoaod(path)
    np.testing.assert_array_equal(ak.flatten(events.Muon.pt), ak.flatten(ours.Muon.pt))
    pairs = events.Muon[ak.num(events.Muon) > 1]
    assert ak.all((pairs[:, 0] + pairs[:, 1]).mass > 0)
    assert set(ak.flatten(abs(events.Muon.matched_gen.pdgId)).to_list()) == {13}
    assert "Mu17_TrkIsoVVL_Mu8_TrkIsoVVL" in events.HLT.fields


def test_our_reader_knows_that_it_is_simulation(four_leptons):
    file = open_nanoaod(four_leptons.files["events"])
    assert (file.n_events, file.simulation, file.format) == (40, True, "TTree")
    leptons = read_nanoaod(four_leptons.files["events"])
    assert ak.all(ak.num(leptons.Muon) + ak.num(leptons.Electron) >= 4)


def test_the_parquet_format_holds_the_same_events(four_leptons, tmp_path):
    made = simulate("zz-4l", events=40, seed=2, out=tmp_path, chunk_size=25, format="parquet")
    jagged = read_events(made.files["events"])
    nano = read_nanoaod(four_leptons.files["events"])
    np.testing.assert_array_equal(ak.flatten(jagged.Muon.pt), ak.flatten(nano.Muon.pt))
    np.testing.assert_array_equal(jagged.MET.pt, nano.MET.pt)
    np.testing.assert_array_equal(jagged.HLT.PFHT900, nano.HLT.PFHT900)


def test_units_are_named_as_the_fields_of_the_parquet_file(tmp_path):
    made = simulate("jpsi", events=2, seed=2, out=tmp_path, chunk_size=2, format="parquet")
    events, units = read_events(made.files["events"]), read_provenance(made.files["events"]).units
    fields = {f"{name}.{field}" for name in events.fields for field in events[name].fields}
    assert set(units) == fields | {name for name in events.fields if not events[name].fields}
    assert (units["Muon.pt"], units["MET.phi"], units["Muon.dz"]) == ("GeV", "rad", "cm")


def test_the_particle_file_gives_the_features_again(dijets):
    events = read_particles(dijets.files["particles"])
    assert events.label.to_list() == [1] * 40
    again = dijet_table(events)
    table = read_table(dijets.files["features"])
    assert table.event.tolist() == list(range(40))
    assert table.label.tolist() == [1] * 40
    for name in ("mjj", "mj1", "mj2", "tau1j1", "tau3j2", "msoftdropj1"):
        np.testing.assert_allclose(again[name], table[name], rtol=1e-4, atol=1e-3, err_msg=name)
    np.testing.assert_array_equal(again.nconstj1, table.nconstj1)


def test_the_particle_file_is_in_pandas_layout(dijets, real_data):
    import h5py

    with (
        h5py.File(dijets.files["particles"]) as ours,
        h5py.File(real_data / "lhco/events_anomalydetection_tiny.h5") as real,
    ):
        assert set(ours["df"]) == set(real["df"])
        assert ours["df/block0_values"].shape[1] == real["df/block0_values"].shape[1]
        assert set(ours["df"].attrs) >= set(real["df"].attrs)
        np.testing.assert_array_equal(ours["df/axis0"], real["df/axis0"])


def test_constituents_are_the_hardest_of_both_jets(dijets):
    events = read_events(dijets.files["constituents"])
    table = read_table(dijets.files["features"])
    assert events.event.to_list() == table.event.tolist()
    for jet in ("j1", "j2"):
        assert ak.max(ak.num(events[jet])) <= 100
        assert ak.all(ak.num(events[jet]) == np.minimum(table[f"nconst{jet}"], 100))
        pt = np.hypot(table[f"px{jet}"], table[f"py{jet}"])
        total = ak.sum(events[jet].pt, axis=1)
        assert (np.asarray(total) > 0.9 * pt).all()
        assert ak.all(events[jet].pt[:, :-1] >= events[jet].pt[:, 1:])


def test_tables_say_that_they_are_simulated(dijets):
    table = read_table(dijets.files["features"])
    provenance = table.attrs["provenance"]
    assert provenance["source"] == "simulation"
    assert provenance["simulation"] is True
    assert set(provenance["units"]) == set(table.columns)


def test_csv(tmp_path, dijets):
    made = simulate("wprime-2prong", events=40, seed=2, out=tmp_path, chunk_size=25, format="csv")
    table = read_table(made.files["features"])
    np.testing.assert_allclose(table.mjj, read_table(dijets.files["features"]).mjj, rtol=1e-12)


@given(
    hnp.arrays(np.float32, 20, elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)),
    st.integers(min_value=4, max_value=23),
)
def test_rounding_keeps_so_many_bits(values, bits):
    found = round_floats(values, bits)
    assert (np.abs(found - values) <= np.abs(values) * 2.0 ** -(bits + 1)).all()
    assert not (found.view(np.uint32) & np.uint32((1 << (23 - bits)) - 1)).any()
    np.testing.assert_array_equal(round_floats(found, bits), found)

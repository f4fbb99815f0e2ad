"""The bundled samples: what is in them, and that a slice made again from its seed is the same."""

from __future__ import annotations

import platform

import awkward as ak
import numpy as np
import pandas as pd
import pytest

from cmslabs.data.catalog import load_card, samples_folder
from cmslabs.data.fileset import load_fileset
from cmslabs.data.nanoaod import open_nanoaod, read_nanoaod, read_runs
from cmslabs.data.tables import read_events, read_provenance, read_table
from cmslabs.errors import ConfigError
from cmslabs.io import Provenance, sha256
from cmslabs.jobs import Chunk, chunk_seed
from cmslabs.simulation.chunkfile import unpack
from cmslabs.simulation.production import generate_chunk
from cmslabs.simulation.sample_files import PRECISION, constituent_events, feature_frame, mixing_order
from cmslabs.simulation.samples import DIJETS, DIMUON, FOUR_LEPTON, make_samples
from cmslabs.simulation.writers import round_floats

FOLDER = samples_folder()
FILES = {
    "sim-dijet-features": ("dijet-features.parquet", 5.0),
    "sim-dijet-constituents": ("dijet-constituents.parquet", 5.0),
    "sim-dimuon": ("dimuon.root", 2.1),
    "sim-fourlepton": ("fourlepton.root", 0.6),
    "pseudo-dimuon": ("pseudo-dimuon.root", 0.55),
    "pseudo-fourlepton": ("pseudo-fourlepton.root", 0.15),
}
#: Fileset -> the simulated sample that it describes.
FILESETS = {"samples-dimuon": "dimuon.root", "samples-fourlepton": "fourlepton.root"}
N = 15


def nano_provenance(name):
    import uproot

    with uproot.open(FOLDER / name) as file:
        return Provenance.model_validate_json(str(file["cmslabs"]))


@pytest.mark.parametrize("card", FILES)
def test_cards_know_the_files(card):
    name, limit = FILES[card]
    file = load_card(card).file(name)
    assert file.sha256 == sha256(FOLDER / name)
    assert file.size_bytes == (FOLDER / name).stat().st_size
    assert (FOLDER / name).stat().st_size <= limit * 1e6
    assert load_card(card).kind == "simulation"


def test_the_lepton_samples_are_small_together():
    sizes = {name: (FOLDER / name).stat().st_size for name, _ in FILES.values() if name.endswith(".root")}
    assert sum(sizes.values()) <= 3.0e6
    assert sum(size for name, size in sizes.items() if name.startswith("pseudo")) <= 0.7e6


def test_composition_of_the_dijets():
    table = read_table(FOLDER / "dijet-features.parquet")
    assert table.process.value_counts().to_dict() == {
        "qcd-dijets": 40_000,
        "wprime-2prong": 8_000,
        "wprime-3prong": 3_000,
        "zprime-tt": 3_000,
        "graviton-ww": 3_000,
    }
    assert (table.label == (table.process != "qcd-dijets")).all()
    assert table.event.tolist() == list(range(57_000))
    assert np.isfinite(table.drop(columns="process").to_numpy(dtype=float)).all()
    assert table.attrs["provenance"]["source"] == "simulation"
    assert set(table.attrs["provenance"]["units"]) == set(table.columns)
    assert load_card("sim-dijet-features").n_events == 57_000


def test_constituents_belong_to_the_features():
    jets = read_events(FOLDER / "dijet-constituents.parquet")
    table = read_table(FOLDER / "dijet-features.parquet").set_index("event").loc[ak.to_numpy(jets.event)]
    assert list(table.process) == jets.process.to_list()
    for jet in ("j1", "j2"):
        assert ak.all(ak.num(jets[jet]) == np.minimum(table[f"nconst{jet}"].to_numpy(), 100))
        parts = ak.values_astype(jets[jet], "float64")
        px = ak.to_numpy(ak.sum(parts.pt * np.cos(parts.phi), axis=1))
        energy = ak.to_numpy(ak.sum(parts.pt * np.cosh(parts.eta), axis=1))
        complete = table[f"nconst{jet}"].to_numpy() <= 100
        pt = np.hypot(table[f"px{jet}"], table[f"py{jet}"]).to_numpy()
        assert complete.mean() > 0.8
        np.testing.assert_allclose(
            px[complete], table[f"px{jet}"].to_numpy()[complete], atol=0.003 * pt[complete].max()
        )
        assert (energy > 0).all()


def described(card):
    """Patterns of the columns that a card describes; one line may name several."""
    return [name for column in load_card(card).columns for name in column.name.split(", ")]


def test_cards_describe_every_column_of_the_tables():
    table = read_table(FOLDER / "dijet-features.parquet")
    assert sorted(described("sim-dijet-features")) == sorted(table.columns)
    types = {
        name: column.type for column in load_card("sim-dijet-features").columns for name in column.name.split(", ")
    }
    assert {name: str(kind) for name, kind in table.dtypes.items() if name != "process"} == {
        name: kind for name, kind in types.items() if name != "process"
    }
    jets = read_events(FOLDER / "dijet-constituents.parquet")
    names = [f"{name}.{field}" for name in jets.fields for field in jets[name].fields]
    assert sorted(described("sim-dijet-constituents")) == sorted([*names, "event", "process", "label"])


@pytest.mark.parametrize("card", [card for card, (name, _) in FILES.items() if name.endswith(".root")])
def test_cards_describe_branches_that_exist(card):
    import fnmatch

    import uproot

    with uproot.open(FOLDER / FILES[card][0]) as file:
        branches = file["Events"].keys()
        units = nano_provenance(FILES[card][0]).units
    for pattern in described(card):
        assert fnmatch.filter(branches, pattern), pattern
    assert set(units) == {name for name in branches if not (name[0] == "n" and name[1].isupper())}


def on_this_platform(provenance):
    """Bytes are promised where the samples were made: elsewhere the last bit of a logarithm may differ."""
    return provenance.details["platform"] == f"{platform.system()} {platform.machine()}"


def first_events(part, n=N):
    """The first events of a part, generated again."""
    chunk = Chunk(0, 0, n, chunk_seed(part.seed, 0))
    return unpack(generate_chunk(part.recipe, chunk))[0]


@pytest.mark.slow
@pytest.mark.parametrize("part", DIJETS, ids=lambda part: part.name)
def test_dijets_made_again_are_the_same(part):
    stored = read_table(FOLDER / "dijet-features.parquet")
    stored = stored[stored.process == part.name].head(N).reset_index(drop=True)
    events = first_events(part)
    again = feature_frame(events, part, stored.event.to_numpy())
    if not on_this_platform(read_provenance(FOLDER / "dijet-features.parquet")):
        for name in ("mjj", "mj1", "mj2"):
            assert np.median(again[name]) == pytest.approx(np.median(stored[name]), rel=0.5)
        return
    pd.testing.assert_frame_equal(again, stored)
    jets = read_events(FOLDER / "dijet-constituents.parquet")
    jets = jets[jets.process == part.name][:N]
    expected = constituent_events(events, part, stored.event.to_numpy())
    assert ak.array_equal(jets, expected, dtype_exact=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "name", "code"),
    [
        *((DIMUON, "dimuon.root", code) for code in range(len(DIMUON))),
        *((FOUR_LEPTON, "fourlepton.root", code) for code in range(len(FOUR_LEPTON))),
    ],
    ids=lambda value: value[0].name if isinstance(value, tuple) else str(value),
)
def test_leptons_made_again_are_the_same(parts, name, code):
    n = 5
    stored = read_nanoaod(FOLDER / name)
    start = sum(part.events for part in parts[:code])
    place = np.argsort(mixing_order(parts))[start : start + n]
    stored, again = stored[place], first_events(parts[code], n)
    assert stored.simProcess.to_list() == [code] * n
    if not on_this_platform(nano_provenance(name)):
        assert ak.mean(stored.Muon.pt) == pytest.approx(ak.mean(again.Muon.pt), rel=1.0)
        return
    np.testing.assert_array_equal(stored.PV.npvs, again.PV_npvs)
    for kind, name in (("Muon", "pfRelIso04_all"), ("Electron", "pfRelIso03_all")):
        isolation = round_floats(ak.to_numpy(ak.flatten(again[kind][name])), PRECISION[f"{kind}_{name}"])
        np.testing.assert_array_equal(ak.to_numpy(ak.flatten(stored[kind][name])), isolation)
    for kind in ("Muon", "Electron", "Jet", "GenPart"):
        assert ak.num(stored[kind]).to_list() == ak.num(again[kind]).to_list()
        for field in ("pt", "eta", "phi"):
            values = ak.to_numpy(ak.flatten(again[kind][field]))
            expected = round_floats(values, PRECISION.get(kind, PRECISION[""]))
            np.testing.assert_array_equal(
                ak.to_numpy(ak.flatten(stored[kind][field])), expected, err_msg=f"{kind} {field}"
            )
    np.testing.assert_array_equal(stored.HLT[stored.HLT.fields[0]], again[f"HLT_{stored.HLT.fields[0]}"])


def test_the_dimuon_spectrum_has_its_peaks():
    events = read_nanoaod(FOLDER / "dimuon.root", ["Muon", "simProcess"])
    assert len(events) == load_card("sim-dimuon").n_events >= 20_000
    mass = ak.to_numpy((events.Muon[:, 0] + events.Muon[:, 1]).mass)
    for center, width, least in ((91.0, 10, 3000), (3.097, 0.1, 1500), (9.46, 0.15, 1000)):
        peak = mass[np.abs(mass - center) < width]
        assert len(peak) >= least
        beside = np.sum(np.abs(np.abs(mass - center) - 2 * width) < width / 2)
        assert len(peak) > 2.5 * beside, center
        assert abs(np.median(peak) - center) < 0.05 * width


def test_the_four_lepton_spectrum_has_its_peaks():
    events = read_nanoaod(FOLDER / "fourlepton.root")
    assert len(events) == load_card("sim-fourlepton").n_events >= 1500
    leptons = ak.concatenate([events[kind][["pt", "eta", "phi", "mass"]] for kind in ("Muon", "Electron")], axis=1)
    leptons = ak.with_name(
        leptons[ak.argsort(leptons.pt, ascending=False)][:, :4], "Momentum4D", behavior=events.behavior
    )
    mass = ak.to_numpy((leptons[:, 0] + leptons[:, 1] + leptons[:, 2] + leptons[:, 3]).mass)
    assert np.sum(np.abs(mass - 124.6) < 4) > 350
    assert np.sum((mass > 135) & (mass < 180)) < 300
    assert np.sum(mass > 180) > 1000


@pytest.mark.parametrize("name", ["dimuon.root", "fourlepton.root"])
def test_root_samples_say_what_they_are_made_of(name):
    provenance = nano_provenance(name)
    assert provenance.simulation is True
    composition = provenance.details["composition"]
    assert set(composition) == set(provenance.details["simProcess"])
    events = read_nanoaod(FOLDER / name, ["simProcess"])
    counts = np.bincount(ak.to_numpy(events.simProcess)).tolist()
    # The order in the file's JSON is alphabetical; simProcess has its own list.
    assert counts == [composition[part]["events"] for part in provenance.details["simProcess"]]


def test_an_unknown_sample_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no sample 'trijet'"):
        list(make_samples(["trijet"], tmp_path, tmp_path, 1))


@pytest.mark.parametrize("name", FILESETS.values())
def test_runs_has_one_row_per_process(name):
    runs = read_runs(FOLDER / name)
    details = nano_provenance(name).details
    tried = [details["composition"][part]["tried"] for part in details["simProcess"]]
    assert runs.run.to_list() == [1] * len(tried)
    assert runs.simProcess.to_list() == list(range(len(tried)))
    assert runs.genEventCount.to_list() == tried
    assert runs.genEventSumw.to_list() == runs.genEventSumw2.to_list() == tried


@pytest.mark.parametrize("fileset", FILESETS)
def test_filesets_have_the_numbers_of_the_files(fileset):
    """Cross-sections to six digits, process numbers and numbers of events; all are simulated, and say so."""
    name, datasets = FILESETS[fileset], load_fileset(fileset).datasets
    details = nano_provenance(name).details
    simulated = {key: entry for key, entry in datasets.items() if entry.kind == "simulation"}
    assert [entry.only["simProcess"] for entry in simulated.values()] == list(range(len(simulated)))
    assert list(simulated) == details["simProcess"]
    for key, entry in simulated.items():
        assert entry.cross_section.pb == float(f"{details['composition'][key]['sigma_pb']:.6g}")
        assert entry.cross_section.order == "LO (Pythia 8)"
    for entry in datasets.values():
        assert entry.is_simulated
        (file,) = entry.files
        assert file.n_events == open_nanoaod(file.path).n_events
    (data,) = (entry for entry in datasets.values() if entry.kind == "data")
    assert data.primary == "DoubleMuon"


def test_cross_sections_of_quarkonia_contain_the_branching_ratio():
    """About 5.7 and 4.6 microbarn are produced, of which 6.0 and 2.5 % decay to muons."""
    composition = nano_provenance("dimuon.root").details["composition"]
    assert composition["jpsi"]["sigma_pb"] == pytest.approx(0.0596 * 5.7e6, rel=0.02)
    assert composition["upsilon"]["sigma_pb"] == pytest.approx(0.0248 * 4.6e6, rel=0.03)

"""NanoAOD: real files of four versions, TTree and RNTuple, and broken ones."""

from functools import cache

import awkward as ak
import numpy as np
import pytest
import uproot
from file_makers import muons, write_ntuple, write_tree

from cmslabs.data.nanoaod import iterate_nanoaod, open_nanoaod, read_nanoaod, read_runs
from cmslabs.data.nanoaod_names import FIRST, LAST, MARKERS, TABLE, canonical_names, find_version, remark
from cmslabs.errors import ConfigError, DataError, MissingBranchError

FILES = {  # name: events, version, simulation
    "nano_dimuon.root": (40, 6, False),
    "nano_dy.root": (40, 6, True),
    "nano_tt_v12.root": (200, 12, True),
    "NanoAODv5_sample.root": (1000, 5, True),
    "nanoAOD_2015_CMS_Open_Data_ttbar.root": (200, 9, True),
}


@cache
def opened(path):
    """A real file, opened once: its 1500 branches take half a second."""
    return open_nanoaod(path)


@pytest.fixture(params=FILES)
def real_file(request, real_data):
    return real_data / "nanoaod" / request.param


def test_what_a_real_file_is(real_file):
    nano = opened(real_file)
    assert (nano.n_events, nano.version, nano.simulation) == FILES[real_file.name]
    assert nano.format == "TTree"
    assert set(nano.branches) == set(uproot.open(real_file)["Events"].keys())


def test_every_branch_arrives_unchanged(real_file):
    """Branch by branch against uproot itself; only counters are left out, for they are the lengths of the lists."""
    events = opened(real_file).read()
    tree = uproot.open(real_file)["Events"]
    canonical = {"Rho_fixedGridRhoFastjet": "fixedGridRhoFastjet"}
    counted = 0
    for name, array in tree.arrays(how=dict).items():
        collection, _, field = name.partition("_")
        if name.startswith("Rho_fixedGridRhoFastjet"):
            mine = events[name.replace(*next(iter(canonical.items())))]
        elif field and collection in events.fields and field in events[collection].fields:
            mine = events[collection, field]
        elif name in events.fields:
            mine = events[name]
        else:
            assert name.startswith("n"), name
            counter = name[1:].partition("_")
            lists = events[counter[0], counter[2]] if counter[2] else events[counter[0]]
            assert ak.all(ak.num(lists) == array), name
            counted += 1
            continue
        assert ak.array_equal(mine, array, equal_nan=True), name
    assert counted >= 14


def test_known_answers(real_data):
    folder = real_data / "nanoaod"
    dimuon = opened(folder / "nano_dimuon.root").read(["Muon", "FatJet"])
    assert (ak.sum(ak.num(dimuon.Muon) >= 2), ak.sum(ak.num(dimuon.FatJet) >= 2)) == (33, 2)
    assert set(dimuon.run.tolist()) == {315267}
    dy = opened(folder / "nano_dy.root").read(["genWeight", "LHEPdfWeight", "FatJet"])
    assert ak.mean(dy.genWeight < 0) == pytest.approx(0.23, abs=0.01)
    assert set(ak.num(dy.LHEPdfWeight).tolist()) == {33}
    assert ak.sum(ak.num(dy.FatJet)) == 0
    assert "msoftdrop" in dy.FatJet.fields
    v12 = opened(folder / "nano_tt_v12.root").read(["FatJet", "HLT"])
    assert ak.sum(ak.num(v12.FatJet) >= 2) == 33
    assert len(v12.HLT.fields) == 4
    v5 = opened(folder / "NanoAODv5_sample.root").read(["Muon.pt", "FatJet.msoftdrop", "LHEPdfWeight"])
    assert (ak.sum(ak.num(v5.Muon) >= 2), ak.sum(ak.num(v5.FatJet) >= 2)) == (219, 107)
    groomed = ak.flatten(v5.FatJet.msoftdrop)
    assert (np.sum(groomed < 0), len(groomed)) == (114, 385)
    assert ak.sum(ak.num(v5.LHEPdfWeight)) == 0


def test_vectors(real_data):
    events = opened(real_data / "nanoaod" / "nano_dimuon.root").read(["Muon", "MET", "SV", "IsoTrack"])
    pairs = events.Muon[ak.num(events.Muon) >= 2]
    mass = (pairs[:, 0] + pairs[:, 1]).mass
    m = [ak.to_numpy(pairs[name][:, :2]) for name in ("pt", "eta", "phi", "mass")]
    pt, eta, phi, rest = (np.asarray(x, dtype=float) for x in m)
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + rest**2).sum(1)
    momentum = [(pt * f).sum(1) for f in (np.cos(phi), np.sin(phi), np.sinh(eta))]
    np.testing.assert_allclose(mass, np.sqrt(energy**2 - sum(p**2 for p in momentum)), rtol=1e-3)
    assert ak.all(np.abs(events.MET.px**2 + events.MET.py**2 - events.MET.pt**2) < 1e-2)
    assert events.SV.layout.purelist_parameter("__record__") is None  # It has a place and a momentum.
    assert events.IsoTrack.layout.purelist_parameter("__record__") == "Momentum3D"


def test_one_set_of_names(real_data):
    for name in FILES:
        events = opened(real_data / "nanoaod" / name).read(["MET", "fixedGridRhoFastjetAll", "RawMET.pt"])
        assert events.fields[:3] == ["run", "luminosityBlock", "event"]
        assert {"MET", "fixedGridRhoFastjetAll", "RawMET"} <= set(events.fields)
        assert {"pt", "phi", "sumEt"} <= set(events.MET.fields)
    by_own_name = opened(real_data / "nanoaod" / "nano_tt_v12.root").read(["Rho_fixedGridRhoFastjetAll"])
    assert "fixedGridRhoFastjetAll" in by_own_name.fields


def test_names_of_version_15(tmp_path):
    n = 5
    pfmet = {
        "PFMET_pt": np.arange(n, dtype=np.float32),
        "PFMET_phi": np.zeros(n, np.float32),
        "RawPFMET_pt": np.ones(n, np.float32),
        "Muon_promptMVA": muons()["Muon_eta"],
        "Jet_pt": muons()["Muon_pt"],
    }
    path = write_tree(tmp_path / "v15.root", muons(**pfmet))
    nano = open_nanoaod(path)
    assert nano.version == 15
    events = nano.read()
    assert events.MET.pt.tolist() == [0, 1, 2, 3, 4]
    assert "PFMET" not in events.fields
    assert nano.read(["MET"]).MET.fields == nano.read(["PFMET"]).MET.fields == ["pt", "phi"]
    with pytest.raises(MissingBranchError, match=r"Jet\.jetId: bit 1 is tight.*not stored in version 15"):
        nano.read(["Jet.jetId"])


def test_a_file_with_both_names_keeps_both(tmp_path):
    n = 5
    both = {"PFMET_pt": np.ones(n, np.float32), "MET_pt": np.zeros(n, np.float32)}
    events = read_nanoaod(write_tree(tmp_path / "both.root", muons(**both)))
    assert (events.PFMET.pt[0], events.MET.pt[0]) == (1, 0)


def test_the_table_of_versions():
    for row in TABLE:
        covered = sorted(version for first, last in row.names for version in range(first, last + 1))
        assert covered == list(range(FIRST, LAST + 1)), row.canonical
        assert row.source
        assert row.remark
        if row.kind == "renamed":
            assert row.canonical.removeprefix("Runs.") in row.names.values()
    assert [version for version, _, _ in MARKERS] == sorted((m[0] for m in MARKERS), reverse=True)
    assert find_version(["FsrPhoton_pt"], ["genEventSumw_"]) == 6
    assert find_version(["FsrPhoton_pt"], ["genEventSumw"]) == 7
    assert find_version([]) == 5
    assert canonical_names(["Rho.fixedGridRhoFastjetAll"]) == {"Rho.fixedGridRhoFastjetAll": "fixedGridRhoFastjetAll"}
    assert remark("Muon.pt") is None


def as_ntuple(tree_path, path, nested):
    """Write the first events of a real file as an RNTuple, flat like a tree or with collections."""
    events = opened(tree_path).read(["Muon", "FatJet", "MET", "HLT", "LHEPdfWeight", "genWeight"], stop=100)
    if nested:
        plain = {name: events[name] for name in events.fields}
        for name in ("Muon", "FatJet"):
            plain[name] = ak.zip({f: events[name, f] for f in events[name].fields})
        plain["MET"] = ak.zip({f: events.MET[f] for f in events.MET.fields})
        content = ak.zip(plain, depth_limit=1)
    else:
        content = {}
        for name in events.fields:
            for field in events[name].fields or [""]:
                content[f"{name}_{field}" if field else name] = events[name, field] if field else events[name]
        content["nMuon"] = ak.num(events.Muon)
    write_ntuple(path, content)
    return events


@pytest.mark.parametrize("nested", [True, False])
def test_rntuple_reads_as_the_tree(tmp_path, real_data, nested):
    path = tmp_path / "ntuple.root"
    wanted = as_ntuple(real_data / "nanoaod" / "NanoAODv5_sample.root", path, nested)
    nano = open_nanoaod(path)
    assert (nano.format, nano.n_events, nano.simulation) == ("RNTuple", 100, True)
    events = nano.read()
    assert set(events.fields) == set(wanted.fields)
    for name in wanted.fields:
        for field in wanted[name].fields or [None]:
            a, b = (x[name, field] if field else x[name] for x in (events, wanted))
            assert a.type == b.type, (name, field)
            assert ak.array_equal(a, b, equal_nan=True), (name, field)
    assert (events.Muon[0:1] + events.Muon[0:1]).type == (wanted.Muon[0:1] + wanted.Muon[0:1]).type
    part = nano.read(["Muon.pt"], 30, 60)
    assert ak.array_equal(part.Muon.pt, wanted.Muon.pt[30:60])
    assert part.fields == ["run", "luminosityBlock", "event", "Muon"]


def test_chunks_and_ranges(real_data):
    path = real_data / "nanoaod" / "NanoAODv5_sample.root"
    nano, whole = opened(path), read_nanoaod(path, ["Jet"])
    chunks = list(iterate_nanoaod([path], ["Jet"], chunk_size=300))
    assert [len(chunk) for chunk in chunks] == [300, 300, 300, 100]
    assert ak.array_equal(ak.concatenate(chunks), whole)
    assert ak.array_equal(read_nanoaod(path, ["Jet"], 123, 456).Jet.pt, whole.Jet.pt[123:456])
    assert len(nano.read(["Jet"], 900, 5000)) == 100
    assert len(nano.read(["Jet"], 5000)) == 0
    two = list(iterate_nanoaod([path, real_data / "nanoaod" / "nano_dy.root"], ["Jet.pt"], 1000))
    assert [len(chunk) for chunk in two] == [1000, 40]
    with pytest.raises(ConfigError, match="chunk"):
        next(iterate_nanoaod(path, chunk_size=0))
    with pytest.raises(ConfigError, match="range"):
        read_nanoaod(path, start=-1)


def test_only_what_is_asked_for_is_read(real_data, monkeypatch):
    path = real_data / "nanoaod" / "NanoAODv5_sample.root"
    read = []
    original = uproot.models.TBasket.Model_TBasket.read.__func__

    def spy(cls, chunk, cursor, context, file, selffile, parent, concrete=None):
        read.append(parent.name)
        return original(cls, chunk, cursor, context, file, selffile, parent, concrete)

    monkeypatch.setattr(uproot.models.TBasket.Model_TBasket, "read", classmethod(spy))
    nano = open_nanoaod(path)
    assert read == []
    nano.read(["Muon.pt"])
    assert set(read) <= {"run", "luminosityBlock", "event", "Muon_pt", "nMuon"}
    assert "Muon_pt" in read


def test_missing_names_say_what_is_there(real_data):
    nano = opened(real_data / "nanoaod" / "nano_dimuon.root")
    for wanted, close in {"Muons": "Muon", "Muon_Pt": "Muon.pt", "Muon.ptt": "Muon.pt", "muon": "Muon"}.items():
        with pytest.raises(
            MissingBranchError, match=rf"nano_dimuon.root, Events: has no collection or branch '{wanted}'.*{close}"
        ):
            nano.read([wanted])
    with pytest.raises(MissingBranchError, match="data check FILE"):
        nano.read(["zzzzzzzz"])
    with pytest.raises(MissingBranchError, match=r"'HLT\.Nothing\*'"):
        nano.read(["HLT.Nothing*"])
    assert set(nano.read(["HLT.IsoMu2?"]).HLT.fields) == {
        n[4:] for n in nano.branches if n.startswith("HLT_IsoMu2") and len(n) == 11
    }


def test_no_events(tmp_path):
    full = open_nanoaod(write_tree(tmp_path / "full.root", muons())).read()
    for write in (write_tree, write_ntuple):
        path = write(tmp_path / "empty.root", {name: value[:0] for name, value in muons().items()})
        events = read_nanoaod(path)
        assert len(events) == 0
        assert events.fields == full.fields
        assert set(events.Muon.fields) == set(full.Muon.fields)
        chunks = list(iterate_nanoaod([path, path]))
        assert [len(chunk) for chunk in chunks] == [0]


def test_runs(real_data, tmp_path):
    runs = read_runs(real_data / "nanoaod" / "nano_dy.root")
    assert {"genEventCount", "genEventSumw", "genEventSumw2", "LHEPdfSumw"} <= set(runs.fields)
    assert runs.genEventCount[0] > 0
    with pytest.raises(DataError, match=r"no tree .Runs..*genWeight"):
        read_runs(write_tree(tmp_path / "t.root", muons()))


@pytest.mark.parametrize(
    ("branch", "value", "reason"),
    [
        ("Muon_pt", np.nan, "not finite or negative in 1 event.*first in event 1"),
        ("Muon_pt", np.inf, "not finite or negative"),
        ("Muon_pt", -1, "not finite or negative"),
        ("Muon_eta", np.nan, "is not finite"),
        ("Muon_mass", -np.inf, "is not finite"),
    ],
)
def test_bad_momenta(tmp_path, branch, value, reason):
    branches = muons()
    flat = ak.to_numpy(ak.flatten(branches[branch])).copy()
    flat[0] = value
    branches[branch] = ak.unflatten(flat, ak.num(branches[branch]))
    path = write_tree(tmp_path / "bad.root", branches)
    with pytest.raises(DataError, match=reason) as caught:
        read_nanoaod(path)
    assert f"bad.root, Events/{branch}" in str(caught.value)
    assert len(read_nanoaod(path, check=False)) == 5
    assert len(read_nanoaod(path, start=2)) == 3


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"Muon_pt": ak.values_astype(muons()["Muon_pt"], np.int32)}, "must hold floating-point numbers"),
        ({"Muon_charge": ak.values_astype(muons()["Muon_charge"], np.float32)}, "must hold integers"),
        ({"run": np.ones(5, dtype=np.float64)}, "must hold integers"),
    ],
)
def test_wrong_types(tmp_path, more, reason):
    with pytest.raises(DataError, match=reason) as caught:
        open_nanoaod(write_tree(tmp_path / "t.root", muons(**more)))
    assert f"t.root, Events/{next(iter(more))}" in str(caught.value)


def test_branches_of_different_lengths(tmp_path):
    other = ak.Array([[1.0]] * 5)
    path = write_tree(tmp_path / "t.root", muons(Muon_dxy=other))
    with pytest.raises(DataError, match="Muon_pt and Muon_dxy have different numbers of objects"):
        read_nanoaod(path)
    assert len(read_nanoaod(path, ["Muon.pt"])) == 5

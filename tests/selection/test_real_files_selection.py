"""Every step of the three selections on real files of five NanoAOD generations, against loops over uproot's lists.

What a file lacks for the analyses that come with the package, and what follows:

=======================  ====================================================  ==================================
file                     lacks                                                 so
=======================  ====================================================  ==================================
nano_dimuon              Flag_BadPFMuonDzFilter; the TkMu8 paths; PFHT900      error, or recorded skip
nano_dy                  the same                                              the same
NanoAODv5_sample         the same                                              the same
nanoAOD_2015 (open)      three of the eight filters; PFHT900 and AK8PFJet450;  the same; the columns of the
                         FatJet_msoftdrop                                      soft-drop mass are left empty
nano_tt_v12              every trigger path of both analyses                   error, whatever the policy
=======================  ====================================================  ==================================

`LACKS` is that table, and a test holds it against the files.
"""

from __future__ import annotations

import awkward as ak
import loops
import numpy as np
import pytest
import uproot

from cmslabs.data.catalog import list_cards
from cmslabs.data.datasets import dataset_path
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.errors import MissingBranchError
from cmslabs.objects.cuts import ElectronCuts, FatJetCuts, MuonCuts
from cmslabs.objects.jets import jet_mask
from cmslabs.objects.leptons import electron_mask, muon_mask
from cmslabs.objects.quality import event_filters, trigger
from cmslabs.selection.analysis import FILTERS_2016, load_analysis
from cmslabs.selection.channels import CHANNELS

schema = pytest.importorskip("cmslabs.objects.schema", reason="needs the extra cms")

TK = ("HLT_Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL", "HLT_Mu17_TrkIsoVVL_TkMu8_TrkIsoVVL_DZ")
DOUBLE_MUON = (
    *("HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL", TK[0], "HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ", TK[1]),
    "HLT_TripleMu_12_10_5",
)
LACKS = {  # file -> missing filters, missing paths of "dimuon", missing paths of "dijet", missing columns
    "nano_dimuon.root": (("Flag_BadPFMuonDzFilter",), TK, ("HLT_PFHT900",), ()),
    "nano_dy.root": (("Flag_BadPFMuonDzFilter",), TK, ("HLT_PFHT900",), ()),
    "NanoAODv5_sample.root": (("Flag_BadPFMuonDzFilter",), TK, ("HLT_PFHT900",), ()),
    "nanoAOD_2015_CMS_Open_Data_ttbar.root": (
        ("Flag_globalSuperTightHalo2016Filter", "Flag_BadPFMuonFilter", "Flag_BadPFMuonDzFilter"),
        (),
        ("HLT_PFHT900", "HLT_AK8PFJet450"),
        ("j1_msoftdrop", "j2_msoftdrop"),
    ),
    "nano_tt_v12.root": ((), DOUBLE_MUON, ("HLT_PFHT900", "HLT_PFJet450", "HLT_AK8PFJet450"), ()),
}
#: Cuts that let real events with three and four leptons pass: the course's own leave none in these small files.
LOOSE = (
    *("muons.pt=3", "muons.id=null", "muons.isolation=null", "electrons.cut_based=0", "lepton_pt=[]"),
    *("z.mass=[0.2, 400]", "four_lepton.min_mass=0", "fat_jets.jet_id=0", "fat_jets.lepton_distance=null"),
)
ANALYSES = {
    "dimuon": ("dimuon", ()),
    "dimuon of equal charge": ("dimuon", (*LOOSE, "dimuon.charge=same", "dimuon.mass=[0, 500]")),
    "dimuon, loose": ("dimuon", (*LOOSE, "dimuon.charge=any")),
    "four-lepton": ("four-lepton", ()),
    "four-muon": ("four-muon", ()),
    "four-lepton, loose": ("four-lepton", (*LOOSE, "muons.sip3d=null", "electrons.sip3d=null")),
    "dijet": ("dijet", ()),
    "dijet, loose": ("dijet", (*LOOSE, "dijet.delta_eta=null", "dijet.min_mass=300")),
}


#: So many events of a bundled sample; a slow test takes them all.
FEW = 2000


@pytest.fixture(scope="module")
def as_lists():
    """What uproot reads of a file, as lists; every file is read once."""
    known = {}

    def read(path, stop=None):
        if (path, stop) not in known:
            known[path, stop] = loops.read(path, stop=stop)
        return known[path, stop]

    return read


@pytest.fixture(scope="module")
def lazy_events():
    """Lazy events of a file, opened once."""
    known = {}

    def read(path, stop=None):
        if (path, stop) not in known:
            known[path, stop] = schema.open_events(path, 0, stop)
        return known[path, stop]

    return read


@pytest.fixture(scope="module")
def eager_events():
    """All arrays of a file, read once."""
    known = {}

    def read(path, stop=None):
        if (path, stop) not in known:
            known[path, stop] = read_nanoaod(path, stop=stop)
        return known[path, stop]

    return read


@pytest.fixture(params=LACKS)
def real_file(request, real_data):
    return real_data / "nanoaod" / request.param


BUNDLED = [card.name for card in list_cards() if card.bundled and card.files[0].name.endswith(".root")]


def analysis_named(name):
    bundled, overrides = ANALYSES[name]
    return load_analysis(bundled, ["missing.columns=skip", *overrides])


def apply(events, analysis, scale=1.0):
    return CHANNELS[analysis.channel].apply(events, analysis, scale)


def counts_of(selected):
    return loops.cutflow(
        [dict(zip(selected.cuts, row, strict=True)) for row in zip(*selected.cuts.values(), strict=True)]
    )


def compare(selected, lists, analysis, scale=1.0):
    """Every cut of every event, and every column of every candidate."""
    expected = [loops.SELECT[analysis.channel](event, analysis, scale) for event in lists]
    assert list(selected.cuts) == list(expected[0][0])
    for name, mask in selected.cuts.items():
        assert mask.tolist() == [bool(cuts[name]) for cuts, _ in expected], name
    assert counts_of(selected) == loops.cutflow([cuts for cuts, _ in expected])
    candidates = [i for i, (_, columns) in enumerate(expected) if columns is not None]
    assert selected.columns.rows.tolist() == candidates
    for name, column in selected.columns.items():
        wanted = [expected[i][1][name] for i in candidates]
        tolerance = 1e-6 if name.endswith("mass") or name in ("m4l", "mjj") else 1e-9
        np.testing.assert_allclose(column[candidates], wanted, rtol=tolerance, atol=1e-6, err_msg=name)
        assert np.all(np.isnan(column) | (column == -1) | np.isin(np.arange(len(column)), candidates)), name


@pytest.mark.parametrize("name", ANALYSES)
def test_selection_of_a_real_file_is_that_of_the_loops(real_file, lazy_events, as_lists, name):
    analysis = analysis_named(name)
    compare(apply(lazy_events(real_file), analysis), as_lists(real_file), analysis)


@pytest.mark.parametrize("scale", [1.002, 0.9, 1.3])
@pytest.mark.parametrize("name", ["dimuon", "four-lepton, loose", "dijet"])
def test_muon_scale_comes_before_the_cuts(real_file, lazy_events, as_lists, name, scale):
    analysis = analysis_named(name)
    compare(apply(lazy_events(real_file), analysis, scale), as_lists(real_file), analysis, scale)


@pytest.mark.parametrize("card", BUNDLED)
@pytest.mark.parametrize("name", [name for name, (_, overrides) in ANALYSES.items() if overrides])
def test_selection_of_a_bundled_sample_is_that_of_the_loops(card, lazy_events, as_lists, name):
    path, analysis = dataset_path(card), analysis_named(name)
    compare(apply(lazy_events(path, FEW), analysis), as_lists(path, FEW), analysis)


@pytest.mark.slow
@pytest.mark.parametrize("card", BUNDLED)
@pytest.mark.parametrize("name", [name for name, (_, overrides) in ANALYSES.items() if not overrides])
def test_selection_of_a_whole_bundled_sample_is_that_of_the_loops(card, lazy_events, as_lists, name):
    path, analysis = dataset_path(card), analysis_named(name)
    compare(apply(lazy_events(path), analysis), as_lists(path), analysis)


@pytest.mark.parametrize("name", [name for name in ANALYSES if name not in ("four-lepton", "four-muon")])
def test_loose_cuts_leave_real_events_to_compare(real_data, lazy_events, name):
    """A comparison of nothing with nothing would agree, too.  (Four leptons need the bundled samples.)"""
    analysis = analysis_named(name)
    paths = [real_data / "nanoaod" / file for file in LACKS]
    assert sum(list(counts_of(apply(lazy_events(path), analysis)).values())[-1] for path in paths) >= 5


KNOWN = {  # file -> events with two muons, events with two fat jets, as its README tells; None where it tells nothing
    "nano_dimuon.root": (33, 2),
    "nano_dy.root": (None, 0),
    "nano_tt_v12.root": (None, 33),
    "NanoAODv5_sample.root": (219, 107),
    "nanoAOD_2015_CMS_Open_Data_ttbar.root": (None, None),
}
#: Cuts that everything passes.
ANY_MUON = MuonCuts(pt=0, eta=100, id=None, isolation=None)
ANY_FAT_JET = FatJetCuts(pt=0, eta=100, jet_id=0, lepton_distance=None)


@pytest.mark.parametrize("reader", [schema.open_events, read_nanoaod])
def test_known_answers(real_file, reader):
    events = reader(real_file)
    muons, fat_jets = muon_mask(events, ANY_MUON), jet_mask(events, ANY_FAT_JET, "FatJet")
    tree = uproot.open(real_file)["Events"]
    for mask, name, known in zip((muons, fat_jets), ("Muon", "FatJet"), KNOWN[real_file.name], strict=True):
        assert ak.sum(mask, axis=1).to_list() == tree[f"n{name}"].array().to_list()
        assert known is None or ak.sum(ak.sum(mask, axis=1) >= 2) == known
    if real_file.name == "NanoAODv5_sample.root":
        groomed = ak.flatten(events["FatJet"]["msoftdrop"])
        assert (int(ak.sum(groomed < 0)), len(groomed)) == (114, 385)


def test_masks_are_those_of_the_loops(real_file, as_lists, lazy_events):
    events = lazy_events(real_file)
    for cuts in (MuonCuts(), MuonCuts(id="tightId", pt=10), MuonCuts(sip3d=4, isolation=None)):
        if cuts.id == "tightId":
            tight = uproot.open(real_file)["Events/Muon_tightId"].array().to_list()
            lists = [
                [{**muon, "tightId": bit} for muon, bit in zip(event["Muon"], bits, strict=True)]
                for event, bits in zip(as_lists(real_file), tight, strict=True)
            ]
        else:
            lists = [event["Muon"] for event in as_lists(real_file)]
        assert muon_mask(events, cuts).to_list() == [[loops.is_muon(m, cuts) for m in muons] for muons in lists]
    for cuts in (ElectronCuts(), ElectronCuts(cut_based=0), ElectronCuts(cut_based=4, sip3d=4)):
        wanted = [[loops.is_electron(e, cuts) for e in event["Electron"]] for event in as_lists(real_file)]
        assert electron_mask(events, cuts).to_list() == wanted


def bits(path, names):
    """Branch -> list of booleans, of those that are there."""
    tree = uproot.open(path)["Events"]
    return {name: [bool(bit) for bit in tree[name].array()] for name in names if name in tree}


def test_filters_pass_where_all_that_are_there_do(real_file, lazy_events):
    events, gone = lazy_events(real_file), LACKS[real_file.name][0]
    names = [f"Flag_{name}" for name in FILTERS_2016]
    decision = event_filters(events, FILTERS_2016, "skip")
    assert decision.skipped == gone
    assert decision.used == tuple(name for name in names if name not in gone)
    assert decision.mask.tolist() == [all(event) for event in zip(*bits(real_file, names).values(), strict=True)]
    if gone:
        with pytest.raises(MissingBranchError) as error:
            event_filters(events, FILTERS_2016)
        assert all(word in str(error.value) for word in (real_file.name, *gone, "missing.filters", "close names"))
    else:
        assert event_filters(events, FILTERS_2016).mask.tolist() == decision.mask.tolist()


@pytest.mark.parametrize(("analysis", "primary", "place"), [("dimuon", "DoubleMuon", 1), ("dijet", "JetHT", 2)])
def test_triggers_fire_where_one_that_is_there_does(real_file, lazy_events, analysis, primary, place):
    events, gone = lazy_events(real_file), LACKS[real_file.name][place]
    paths = load_analysis(analysis).triggers[primary]["default"]
    names = [f"HLT_{name}" for name in paths]
    if len(gone) == len(paths):
        for policy in ("error", "skip"):
            with pytest.raises(MissingBranchError, match=real_file.name):
                trigger(events, paths, policy)
        return
    decision = trigger(events, paths, "skip")
    assert set(decision.skipped) == set(gone)
    assert decision.mask.tolist() == [any(event) for event in zip(*bits(real_file, names).values(), strict=True)]
    if gone:
        with pytest.raises(MissingBranchError) as error:
            trigger(events, paths)
        assert all(word in str(error.value) for word in (real_file.name, *gone, "missing.triggers"))


def test_real_bits_are_not_all_the_same(real_data):
    """So that the two tests above compare something: one real event has no good vertex, 22 simulated ones fire."""
    data = schema.open_events(real_data / "nanoaod" / "nano_dimuon.root")
    assert event_filters(data, FILTERS_2016, "skip").mask.sum() == 39
    simulation = schema.open_events(real_data / "nanoaod" / "NanoAODv5_sample.root")
    two, three = "Mu17_TrkIsoVVL_Mu8_TrkIsoVVL", "TripleMu_12_10_5"
    assert [int(trigger(simulation, paths).mask.sum()) for paths in ([two], [three], [two, three])] == [21, 4, 22]


@pytest.mark.parametrize("name", ["dimuon", "four-lepton", "dijet"])
def test_a_column_without_its_branch_is_an_error_or_a_recorded_gap(real_file, lazy_events, name):
    gone = LACKS[real_file.name][3] if name == "dijet" else ()
    strict = apply(lazy_events(real_file), load_analysis(name))
    for column in strict.columns:
        if column in gone:
            with pytest.raises(MissingBranchError) as error:
                strict.columns[column]
            assert all(
                word in str(error.value) for word in (real_file.name, "FatJet_msoftdrop", "missing.columns", column)
            )
        else:
            assert len(strict.columns[column]) == len(lazy_events(real_file))
    lenient = apply(lazy_events(real_file), load_analysis(name, ["missing.columns=skip"]))
    columns = dict(lenient.columns)
    assert set(lenient.columns.skipped) == set(gone)
    assert all(np.isnan(columns[column]).all() for column in gone)


@pytest.mark.parametrize("name", ANALYSES)
def test_both_readers_give_the_same(real_file, lazy_events, eager_events, name):
    same(lazy_events(real_file), eager_events(real_file), analysis_named(name))


@pytest.mark.parametrize("card", BUNDLED)
@pytest.mark.parametrize("name", ANALYSES)
def test_both_readers_give_the_same_of_a_bundled_sample(card, lazy_events, eager_events, name):
    path = dataset_path(card)
    same(lazy_events(path, FEW), eager_events(path, FEW), analysis_named(name))


def same(one, other, analysis):
    first, second = apply(one, analysis), apply(other, analysis)
    assert list(first.cuts) == list(second.cuts)
    for name in first.cuts:
        np.testing.assert_array_equal(first.cuts[name], second.cuts[name])
    for name in first.columns:
        np.testing.assert_array_equal(first.columns[name], second.columns[name], err_msg=name)
    assert first.muons[["pt", "eta", "charge"]].to_list() == second.muons[["pt", "eta", "charge"]].to_list()


def test_pieces_of_a_file_give_what_the_file_gives(real_data, lazy_events):
    path, analysis = real_data / "nanoaod" / "NanoAODv5_sample.root", analysis_named("dijet, loose")
    whole = apply(lazy_events(path), analysis)
    pieces = [apply(lazy_events(path)[start : start + 300], analysis) for start in range(0, 1000, 300)]
    for name in whole.cuts:
        np.testing.assert_array_equal(np.concatenate([piece.cuts[name] for piece in pieces]), whole.cuts[name])
    for name in whole.columns:
        np.testing.assert_array_equal(np.concatenate([piece.columns[name] for piece in pieces]), whole.columns[name])


def test_some_events_of_a_file_give_what_they_give_in_the_file(real_data, lazy_events):
    """The processor selects events first, and then selects among them."""
    path, analysis = real_data / "nanoaod" / "NanoAODv5_sample.root", analysis_named("four-lepton, loose")
    rows = np.random.default_rng(3).permutation(1000)[:600]
    whole, some = apply(lazy_events(path), analysis, 1.01), apply(lazy_events(path)[rows], analysis, 1.01)
    for name in whole.cuts:
        np.testing.assert_array_equal(some.cuts[name], whole.cuts[name][rows])
    for name in whole.columns:
        np.testing.assert_array_equal(some.columns[name], whole.columns[name][rows])
    assert some.muons["pt"].to_list() == whole.muons["pt"][rows].to_list()

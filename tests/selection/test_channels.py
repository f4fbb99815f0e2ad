"""Channels: every cut its own mask, columns made when asked for, branches read when needed, faults caught."""

from __future__ import annotations

from functools import cache

import awkward as ak
import loops
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutants import plant
from nano_toys import EVENTS, nano, rotated
from nano_toys import lists as toy_lists

from cmslabs.data.datasets import dataset_path
from cmslabs.errors import ConfigError, MissingBranchError
from cmslabs.objects import jets, leptons
from cmslabs.selection import momenta
from cmslabs.selection.analysis import Analysis, load_analysis
from cmslabs.selection.channels import CHANNELS, aligned
from cmslabs.selection.sparse import mask_for

NAMES = ("dimuon", "four-lepton", "four-muon", "dijet")


def apply(events, analysis, scale=1.0):
    return CHANNELS[analysis.channel].apply(events, analysis, scale)


def muon(pt, eta=0.0, phi=0.0, charge=1, **more):
    return {"pt": pt, "eta": eta, "phi": phi, "charge": charge, **more}


PAIR = [muon(50.0, charge=1), muon(40.0, phi=3.0, charge=-1)]


def by_loops(events, analysis, scale=1.0):
    """What the slow loops find in toy events."""
    return [loops.SELECT[analysis.channel](event, analysis, scale) for event in toy_lists(events)]


def check_against_loops(events, analysis, scale=1.0, expected=None):
    """Cuts and columns of toy events; gives the number of events that pass everything."""
    selected = apply(nano(events), analysis, scale)
    expected = by_loops(events, analysis, scale) if expected is None else expected
    assert list(selected.cuts) == list(expected[0][0])
    for name, mask in selected.cuts.items():
        # A difference is counted, not shown: pytest would compare the long lists word by word.
        assert np.count_nonzero(mask != np.array([bool(cuts[name]) for cuts, _ in expected])) == 0, name
    assert set(selected.columns) == set(selected.units)
    for name, column in selected.columns.items():
        wanted = [columns[name] if columns is not None else None for _, columns in expected]
        for value, right in zip(column.tolist(), wanted, strict=True):
            if right is None:
                assert value == -1 or np.isnan(value), name
            else:
                assert value == pytest.approx(right, rel=1e-5, abs=1e-4), name
    return int(selected.mask.sum())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_cuts_and_columns_of_random_events_are_those_of_the_loops(name, events):
    check_against_loops(events, load_analysis(name))


def many_events(n=400, seed=3):
    """Events that are full of leptons and jets around all thresholds."""
    rng = np.random.default_rng(seed)

    def some(count, low, high, **more):
        return [
            muon(
                rng.uniform(low, high),
                rng.uniform(-2.6, 2.6),
                rng.uniform(-3.1, 3.1),
                int(rng.choice([-1, 1])),
                **{name: rng.choice(values).item() for name, values in more.items()},
            )
            for _ in range(count)
        ]

    events = []
    for i in range(n):
        event = {
            "Muon": some(rng.integers(0, 6), 4, 60, mediumId=[True, True, True, False], pfRelIso04_all=[0.0, 0.1, 0.3]),
            "Electron": some(rng.integers(0, 5), 5, 60, cutBased=[2, 3, 4], sip3d=[1.0, 2.0, 5.0]),
            "Jet": some(rng.integers(0, 5), 20, 100, mass=[5.0, 12.0], jetId=[1, 2, 6, 6]),
            "FatJet": some(rng.integers(0, 5), 150, 900, mass=[0.0, 80.0], jetId=[0, 4, 6, 6], tau1=[0.0, 0.3]),
            "met": rng.uniform(0, 80),
            "npvs": int(rng.integers(1, 60)),
        }
        for collection in ("Jet", "FatJet"):  # Some jets are leptons.
            for jet, lepton in zip(event[collection][::2], event["Muon"] + event["Electron"], strict=False):
                jet |= {"eta": lepton["eta"] + rng.uniform(-0.6, 0.6), "phi": lepton["phi"]}
        events.append(event | {"event": i})
    return events


@pytest.mark.parametrize("scale", [1.0, 1.02, 0.9])
@pytest.mark.parametrize(("name", "least"), [("dimuon", 30), ("four-lepton", 10), ("four-muon", 2), ("dijet", 10)])
def test_cuts_and_columns_of_many_events_are_those_of_the_loops(name, least, scale):
    assert check_against_loops(many_events(), load_analysis(name), scale) >= least


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, st.randoms(use_true_random=False))
def test_order_inside_the_event_does_not_matter(name, events, random):
    analysis = load_analysis(name)
    mixed = [{key: random.sample(objects, len(objects)) for key, objects in event.items()} for event in events]
    one, other = apply(nano(events), analysis), apply(nano(mixed), analysis)
    for cut in one.cuts:
        np.testing.assert_array_equal(one.cuts[cut], other.cuts[cut])
    for column in one.columns:
        np.testing.assert_allclose(one.columns[column], other.columns[column], rtol=1e-9, err_msg=column)


def test_rotation_moves_phi_and_nothing_else():
    analysis, events = load_analysis("dimuon", ["dimuon.mass=[0, 1000]"]), many_events()
    one, other = apply(nano(events), analysis), apply(nano([rotated(event, 2.5) for event in events]), analysis)
    for cut in one.cuts:
        np.testing.assert_array_equal(one.cuts[cut], other.cuts[cut])
    rows = one.columns.rows
    for column in one.columns:
        before, after = one.columns[column][rows], other.columns[column][rows]
        if column.endswith("phi"):
            np.testing.assert_allclose(np.cos(after - before), np.cos(2.5), atol=1e-5)
        elif column != "n_jets":
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4, err_msg=column)


# Masks and columns


def test_each_cut_is_independent_of_the_others():
    """N-1: leaving out the charge lets the pair of equal charge pass, all else as before."""
    same = [PAIR[0], PAIR[1] | {"charge": 1}]
    soft = [PAIR[0], PAIR[1] | {"pt": 9.0}]
    light = [PAIR[0], PAIR[1] | {"phi": 0.05}]
    selected = apply(nano([{"Muon": pair} for pair in (PAIR, same, soft, light, PAIR[:1])]), load_analysis("dimuon"))
    assert {name: mask.tolist() for name, mask in selected.cuts.items()} == {
        "two muons": [True, True, True, True, False],
        "lepton pT": [True, True, False, True, False],
        "opposite charge": [True, False, True, True, False],
        "mass": [True, True, True, False, False],
    }
    assert selected.mask.tolist() == [True, False, False, False, False]


def test_names_of_the_cuts_follow_the_analysis():
    events = nano([{"Muon": PAIR}])
    for charge, names in (
        ("same", ["two muons", "lepton pT", "same charge", "mass"]),
        ("any", ["two muons", "lepton pT", "mass"]),
    ):
        assert list(apply(events, load_analysis("dimuon", [f"dimuon.charge={charge}"])).cuts) == names
    assert list(apply(events, load_analysis("dijet", ["dijet.delta_eta=null"])).cuts) == ["two fat jets"]
    assert list(apply(events, load_analysis("dijet", ["dijet.min_mass=900"])).cuts)[-1] == "dijet mass"


def test_events_without_a_candidate_have_no_values():
    selected = apply(nano([{"Muon": PAIR}, {"Muon": PAIR[:1]}, {}]), load_analysis("dimuon"))
    assert selected.columns.rows.tolist() == [0]
    assert np.isnan(selected.columns["mass"]).tolist() == [False, True, True]
    assert selected.columns["n_jets"].tolist() == [0, -1, -1]
    assert selected.columns["npvs"].tolist() == [15, -1, -1]


@pytest.mark.parametrize("name", NAMES)
def test_no_events(name):
    selected = apply(nano([]), load_analysis(name))
    assert all(len(mask) == 0 and mask.dtype == bool for mask in selected.cuts.values())
    assert all(len(column) == 0 for column in selected.columns.values())
    assert len(selected.muons) == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_column_has_a_unit_and_a_kind(name):
    selected = apply(nano(many_events(50)), load_analysis(name))
    assert set(selected.units.values()) <= {"GeV", "1", "rad"}
    assert list(selected.columns) == list(selected.units) == list(CHANNELS[load_analysis(name).channel].units)
    for column, values in selected.columns.items():
        assert values.dtype == (np.int32 if column in ("n_jets", "npvs", "flavour") else np.float64)
        assert len(values) == 50


def test_muons_are_those_of_the_candidate():
    third = muon(12.0, phi=1.0)
    selected = apply(nano([{"Muon": [*PAIR, third]}, {"Muon": [third]}]), load_analysis("dimuon"))
    assert selected.muons["pt"].to_list() == [[50.0, 40.0], []]
    four = apply(
        nano([{"Muon": PAIR, "Electron": [muon(30.0, 1.0), muon(25.0, 1.0, 3.0, -1)]}]), load_analysis("four-lepton")
    )
    assert four.columns["flavour"].tolist() == [1]
    assert four.muons["pt"].to_list() == [[50.0, 40.0]]
    assert apply(nano(many_events(9)), load_analysis("dijet")).muons["pt"].to_list() == [[]] * 9


def test_muon_scale_moves_muons_across_thresholds_and_nothing_else():
    near = [muon(20.0, charge=1), muon(10.0, phi=3.0, charge=-1)]
    events = nano([{"Muon": near, "met": 33.0}])
    analysis = load_analysis("dimuon")
    assert [bool(apply(events, analysis, scale).mask[0]) for scale in (0.998, 1.0, 1.002)] == [False, False, True]
    up = apply(events, analysis, 1.002)
    assert up.columns["mass"][0] == pytest.approx(1.002 * apply(events, analysis).columns["mass"][0], rel=1e-5)
    assert up.columns["mu1_pt"][0] == pytest.approx(20.04)
    assert up.muons["pt"].to_list()[0] == pytest.approx([20.04, 10.02])
    assert up.columns["met"][0] == 33.0


def test_jets_on_a_selected_lepton_are_not_counted():
    on_it, beside = muon(50.0, eta=0.3), muon(45.0, eta=0.5)
    events = nano([{"Muon": PAIR, "Jet": [on_it, beside]}])
    assert apply(events, load_analysis("dimuon")).columns["n_jets"].tolist() == [1]
    assert apply(events, load_analysis("dimuon", ["jets.lepton_distance=null"])).columns["n_jets"].tolist() == [2]
    bad = nano([{"Muon": [*PAIR, muon(30.0, eta=0.5, mediumId=False)], "Jet": [on_it, beside]}])
    assert apply(bad, load_analysis("dimuon")).columns["n_jets"].tolist() == [1]


# Branches


def without(events, collection, *names):
    kept = [name for name in events[collection].fields if name not in names]
    if not names or not kept:
        return events[[name for name in events.fields if name != collection]]
    return ak.with_field(events, events[collection][kept], collection)


@pytest.mark.parametrize(
    ("name", "collection", "branch"),
    [
        *(("dimuon", "Muon", field) for field in ("pt", "eta", "phi", "mass", "charge", "mediumId", "pfRelIso04_all")),
        *(("four-lepton", "Electron", field) for field in ("pt", "eta", "cutBased", "sip3d", "charge")),
        ("four-lepton", "Muon", "sip3d"),
        *(("dijet", "FatJet", field) for field in ("pt", "eta", "phi", "mass", "jetId")),
        *(("dimuon", "Muon", None), ("four-lepton", "Electron", None), ("dijet", "FatJet", None)),
    ],
)
@pytest.mark.parametrize("policy", ["error", "skip"])
def test_a_cut_without_its_branch_is_an_error_whatever_the_policy(name, collection, branch, policy):
    events = without(nano(many_events(60)), collection, *([branch] if branch else []))
    analysis = load_analysis(name, [f"missing.columns={policy}", f"missing.triggers={policy}"])
    with pytest.raises(MissingBranchError) as error:
        apply(events, analysis)
    assert (collection if branch is None else f"{collection}_{branch}") in str(error.value)


@pytest.mark.parametrize(
    ("name", "collection", "branch", "columns"),
    [
        ("dimuon", "MET", None, {"met"}),
        ("dimuon", "PV", "npvs", {"npvs"}),
        ("dimuon", "Jet", "jetId", {"n_jets"}),
        ("dimuon", "Jet", None, {"n_jets"}),
        ("four-muon", "Jet", "pt", {"n_jets"}),
        ("dijet", "FatJet", "msoftdrop", {"j1_msoftdrop", "j2_msoftdrop"}),
        ("dijet", "FatJet", "tau2", {"j1_tau21", "j2_tau21"}),
    ],
)
def test_a_column_without_its_branch_is_an_error_or_a_recorded_gap(name, collection, branch, columns):
    events = without(nano(many_events(60)), collection, *([branch] if branch else []))
    strict = apply(events, load_analysis(name))
    for column in strict.columns:
        if column in columns:
            with pytest.raises(MissingBranchError, match=r"missing\.columns"):
                strict.columns[column]
        else:
            assert len(strict.columns[column]) == 60
    lenient = apply(events, load_analysis(name, ["missing.columns=skip"]))
    assert lenient.columns.skipped == {}  # Nobody has asked yet.
    for column, values in lenient.columns.items():
        if column in columns:
            assert np.all(np.isnan(values) | (values == -1))
    assert set(lenient.columns.skipped) == columns
    assert all(collection in reason for reason in lenient.columns.skipped.values())
    assert lenient.mask.tolist() == strict.mask.tolist()


def test_isolation_is_needed_for_its_column_only_if_not_for_the_cut():
    events = without(nano([{"Muon": PAIR}]), "Muon", "pfRelIso04_all")
    analysis = load_analysis("dimuon", ["muons.isolation=null", "missing.columns=skip"])
    selected = apply(events, analysis)
    assert selected.mask.tolist() == [True]
    assert np.isnan(selected.columns["mu1_iso"]).all()
    assert set(selected.columns.skipped) == {"mu1_iso"}


def lazily(card, log):
    """Events of a bundled sample that note which branches are read."""
    nanoevents = pytest.importorskip("coffea.nanoevents", reason="needs the extra cms")
    from cmslabs.objects.schema import CmslabsSchema

    return nanoevents.NanoEventsFactory.from_root(
        {str(dataset_path(card)): "Events"}, mode="virtual", schemaclass=CmslabsSchema, access_log=log
    ).events()


def read_so_far(log):
    return {entry.branch for entry in log}


def test_only_what_is_needed_is_read():
    log: list = []
    selected = apply(lazily("sim-fourlepton", log), load_analysis("four-muon"))
    muons = {f"Muon_{name}" for name in ("pt", "eta", "phi", "mass", "charge", "mediumId", "pfRelIso04_all", "sip3d")}
    assert read_so_far(log) == {"nMuon"} | muons
    for column in ("m4l", "z1_mass", "l4_eta"):
        selected.columns[column]
    assert read_so_far(log) == {"nMuon"} | muons
    selected.columns["met"]
    assert read_so_far(log) == {"nMuon", "MET_pt"} | muons
    selected.columns["n_jets"]
    assert read_so_far(log) == {"nMuon", "MET_pt", "nJet", "Jet_pt", "Jet_eta", "Jet_phi", "Jet_jetId"} | muons


def test_dimuon_reads_no_electrons_and_no_impact_parameter():
    log: list = []
    dict(apply(lazily("sim-dimuon", log), load_analysis("dimuon")).columns)
    assert not {name for name in read_so_far(log) if name.startswith(("Electron", "FatJet", "Muon_sip3d", "HLT"))}


# What is asked of a channel


def test_columns_that_are_not_there_are_refused_before_reading():
    with pytest.raises(ConfigError, match="mu1_pt"):
        CHANNELS["dimuon"].check(load_analysis("dimuon", ["table=[mu1_ptt]"]))
    histogram = {"h": {"variable": "m4l", "bins": 3, "range": [0, 1]}}
    with pytest.raises(ConfigError, match=r"histograms\.h\.variable"):
        CHANNELS["dimuon"].check(Analysis(name="x", title="x", channel="dimuon", histograms=histogram))
    with pytest.raises(ConfigError, match="lepton_pt has 3"):
        CHANNELS["dimuon"].check(load_analysis("dimuon", ["lepton_pt=[20, 10, 5]"]))
    with pytest.raises(ConfigError, match=r"lepton_pt rises.*\[20.0, 10.0\]"):
        CHANNELS["dimuon"].check(load_analysis("dimuon", ["lepton_pt=[10, 20]"]))
    CHANNELS["dimuon"].check(load_analysis("dimuon", ["lepton_pt=[10, 10]"]))
    with pytest.raises(ConfigError, match="flavours is empty"):
        CHANNELS["four-lepton"].check(load_analysis("four-lepton", ["four_lepton.flavours=[]"]))
    for key in ("muons.pt", "muons.eta", "electrons.pt", "jets.lepton_distance"):
        for number in (".inf", ".nan"):
            with pytest.raises(ConfigError, match=key):
                load_analysis("four-lepton", [f"{key}={number}"])
    for name, key in (("dimuon", "dimuon.mass"), ("four-lepton", "z.mass")):
        with pytest.raises(ConfigError, match=f"{key} goes from 120 to 12"):
            CHANNELS[name].check(load_analysis(name, [f"{key}=[120, 12]"]))
    for name in NAMES:
        CHANNELS[load_analysis(name).channel].check(load_analysis(name))


def test_four_thresholds_for_four_leptons():
    leptons_ = [muon(50.0, 0.0, 0.0, 1), muon(40.0, 0.1, 3.0, -1), muon(30.0, 1.0, 1.0, 1), muon(9.0, 1.0, -2.0, -1)]
    events = nano([{"Muon": leptons_}])
    for threshold, passes in ((8.0, True), (9.5, False)):
        analysis = load_analysis("four-muon", [f"lepton_pt=[20, 10, 10, {threshold}]"])
        CHANNELS["four-lepton"].check(analysis)
        assert bool(apply(events, analysis).cuts["lepton pT"][0]) is passes


# Faults that these tests must catch


FAULTS = {
    "isolation the wrong way round": (leptons.muon_mask, "< cuts.isolation", "> cuts.isolation"),
    "identification not asked for": (leptons.muon_mask, "!= 0", "!= 7"),
    "eta of one side only": (leptons.muon_mask, 'abs(flat(events, "Muon", "eta"))', 'flat(events, "Muon", "eta")'),
    "scale after the cuts": (leptons.muon_mask, "pt if scale == 1.0 else pt * scale", "pt"),
    "scale of the cuts only": (leptons.scale_muons, 'muons["pt"] * factor', 'muons["pt"]'),
    "electrons one working point lower": (leptons.electron_mask, ">= cuts.cut_based", ">= cuts.cut_based - 1"),
    "one bit of the jet's is enough": (jets.jet_mask, "== cuts.jet_id", "!= 0"),
    "phi is not periodic": (jets.far_from, "+ np.pi) % (2 * np.pi) - np.pi", "+ 0)"),
    "jets on leptons are kept": (jets.far_from, "~ak.any", "ak.any"),
    "thresholds are ceilings": (aligned.passes_pt, "> pt", "< pt"),
    "only the leading lepton has a threshold": (aligned.passes_pt, "[:, position]", "[:, 0]"),
    "rows of other events": (mask_for, "mask[rows] = good", "mask[: len(good)] = good"),
    "jets are massless": (momenta.momenta, " + mass**2", ""),
    "objects in any order": (leptons.by_falling_pt, "ascending=False", "ascending=True"),
}


@cache
def events_and_loops():
    """Events with analysis, scale, and what the loops find, which no planted fault changes."""
    plain = [(load_analysis(name), 1.0) for name in ("dimuon", "four-lepton", "dijet")]
    events = many_events()
    choices = [*plain, (load_analysis("dimuon", ["jets.jet_id=6"]), 0.9)]
    return [(events, analysis, scale, by_loops(events, analysis, scale)) for analysis, scale in choices]


def check_all():
    for events, analysis, scale, expected in events_and_loops():
        check_against_loops(events, analysis, scale, expected)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(monkeypatch, fault):
    events_and_loops()
    plant(monkeypatch, *FAULTS[fault])
    with pytest.raises(AssertionError):
        check_all()


def test_planting_no_fault_changes_nothing(monkeypatch):
    for function, right, _ in FAULTS.values():
        plant(monkeypatch, function, right, right)
    check_all()

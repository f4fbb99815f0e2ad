"""The 61 observables against a slow oracle, under rotations and boosts, from other sources, and with bad input."""

from __future__ import annotations

import copy
import math

import awkward as ak
import dijet_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.features.dijet61 import dijet_identity, dijet_observables
from cmslabs.features.dijet_config import DijetConfig, config_of
from cmslabs.features.observables import CATALOGUE, SETS, observables_markdown

N = 120


@pytest.fixture(scope="module")
def plain() -> list[dict]:
    return oracle.random_events(7, N)


@pytest.fixture(scope="module")
def table(plain) -> pd.DataFrame:
    return dijet_observables(ak.Array(plain))


@pytest.fixture(scope="module")
def expected(plain) -> pd.DataFrame:
    rows = {place: oracle.observables(event) for place, event in enumerate(plain)}
    return pd.DataFrame.from_dict({place: row for place, row in rows.items() if row is not None}, orient="index")


def test_the_sample_is_worth_testing_on(expected):
    assert 30 <= len(expected) < N
    for name in CATALOGUE:
        assert expected[name].nunique() > 5, name
    assert (expected["third_jet_pt"] == 0).any()
    assert (expected["third_jet_pt"] > 0).any()
    assert (expected["n_jets"] == 0).any()


def test_rows_and_columns(table, expected):
    assert table.index.tolist() == expected.index.tolist()
    assert table.index.name == "position"
    assert tuple(table.columns) == SETS["dijet61"]
    assert set(table.dtypes) == {np.dtype("float64")}


@pytest.mark.parametrize("name", CATALOGUE)
def test_agrees_with_the_oracle(name, table, expected):
    np.testing.assert_allclose(table[name], expected[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CATALOGUE)
def test_values_lie_in_the_stated_range(name, table):
    row = CATALOGUE[name]
    assert table[name].between(row.low, row.high).all()


def test_one_observable_alone_is_the_same_column(plain, table):
    events = ak.Array(plain)
    for name in CATALOGUE:
        np.testing.assert_array_equal(dijet_observables(events, [name])[name], table[name], err_msg=name)


# Invariance.

DEPENDS_ON_PHI = {"phi_j1", "phi_j2"}
#: What a boost along the beam leaves as it is.  Massless particles and jets: rapidity is pseudorapidity.
CHANGED_BY_BOOST = {"eta_j1", "eta_j2", "y_boost"}


def changed(plain, change) -> ak.Array:
    events = copy.deepcopy(plain)
    for event in events:
        for jet in (*event["FatJet"], *event["Jet"]):
            change(jet)
            for part in jet.get("constituents", []):
                change(part)
        if "phi" in event["MET"]:
            change(event["MET"])
    return ak.Array(events)


@settings(max_examples=10, deadline=None)
@given(angle=st.floats(-10, 10))
def test_a_rotation_around_the_beam_changes_only_azimuths(plain, table, angle):
    def rotate(one):
        one["phi"] = oracle._wrap(one["phi"] + angle)

    rotated = dijet_observables(changed(plain, rotate))
    for name in set(CATALOGUE) - DEPENDS_ON_PHI:
        np.testing.assert_allclose(rotated[name], table[name], rtol=1e-9, atol=1e-7, err_msg=name)
    difference = rotated["phi_j1"] - table["phi_j1"] - angle
    np.testing.assert_allclose(np.cos(difference), 1.0, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(rapidity=st.floats(-0.3, 0.3))
def test_a_boost_along_the_beam_moves_the_pair_as_a_whole(rapidity):
    events = oracle.random_events(8, 60)
    for event in events:
        for jet in (*event["FatJet"], *event["Jet"]):
            jet["mass"] = 0.0
            jet["eta"] *= 0.5  # Nobody crosses the edge of the detector.

    def boost(one):
        if "eta" in one:
            one["eta"] += rapidity

    before, after = dijet_observables(ak.Array(events)), dijet_observables(changed(events, boost))
    for name in set(CATALOGUE) - CHANGED_BY_BOOST:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-7, atol=1e-7, err_msg=name)
    for name in CHANGED_BY_BOOST:
        np.testing.assert_allclose(after[name], before[name] + rapidity, atol=1e-9, err_msg=name)


def test_masses_and_angles_in_the_pairs_frame_survive_a_boost_of_massive_jets(plain, table):
    """Rapidities add up, pseudorapidities of massive jets do not."""

    def boost(one):
        if "mass" in one:
            transverse = math.hypot(one["pt"], one["mass"])
            y = math.asinh(one["pt"] * math.sinh(one["eta"]) / transverse) + 0.02
            one["eta"] = math.asinh(transverse * math.sinh(y) / one["pt"])

    after = dijet_observables(changed(plain, boost))
    both = after.index.intersection(table.index)
    assert len(both) > 25
    same = (after.loc[both, ["pt_j1", "pt_j2"]] == table.loc[both, ["pt_j1", "pt_j2"]]).all(axis=1)
    both = both[same]
    for name in ("mjj", "y_star", "chi", "pt_jj", "delta_phi", "mass_asymmetry"):
        np.testing.assert_allclose(after.loc[both, name], table.loc[both, name], rtol=1e-7, err_msg=name)
    np.testing.assert_allclose(after.loc[both, "y_boost"], table.loc[both, "y_boost"] + 0.02, atol=1e-9)
    assert np.abs(after.loc[both, "delta_eta"] - table.loc[both, "delta_eta"]).max() > 1e-4


def test_the_order_of_jets_and_particles_in_the_file_says_nothing(plain, table):
    events = copy.deepcopy(plain)
    for event in events:
        event["FatJet"].reverse()
        event["Jet"].reverse()
        for jet in event["FatJet"]:
            jet["constituents"].reverse()
    pd.testing.assert_frame_equal(dijet_observables(ak.Array(events)), table, rtol=1e-12)


def test_what_two_massless_jets_back_to_back_must_give():
    jet = {"pt": 1000.0, "eta": 0.0, "phi": 0.0, "mass": 0.0}
    found = dijet_observables(ak.Array([{"FatJet": [jet, jet | {"phi": math.pi}]}]), ["mjj", "chi", "delta_r", "pt_jj"])
    np.testing.assert_allclose(found.to_numpy(), [[2000.0, 1.0, math.pi, 0.0]], atol=1e-4)


# Stand-ins, and other places of the particles.


def test_fractions_and_counts_of_the_matched_jet(plain):
    config = DijetConfig(energy_fractions="matched_jet", n_constituents="matched_jet")
    found = dijet_observables(ak.Array(plain), "dijet61", config)
    unmatched = 0
    for place, row in found.iterrows():
        for name, jet in zip(("j1", "j2"), oracle.leading(plain[place]), strict=True):
            partner = oracle.matched(plain[place], jet)
            unmatched += partner is None
            for field in oracle.FRACTIONS:
                expected = math.nan if partner is None else partner[field]
                assert row[f"{field}_{name}"] == pytest.approx(expected, nan_ok=True)
            expected = math.nan if partner is None else partner["nConstituents"]
            assert row[f"n_constituents_{name}"] == pytest.approx(expected, nan_ok=True)
    assert 0 < unmatched < 2 * len(found)


def test_dijet_nanoaod_is_a_proxy_by_definition(plain):
    assert config_of("dijet_nanoaod").energy_fractions == "matched_jet"
    named = dijet_observables(ak.Array(plain), "dijet_nanoaod")
    chosen = dijet_observables(ak.Array(plain), SETS["dijet_nanoaod"], DijetConfig(energy_fractions="matched_jet"))
    pd.testing.assert_frame_equal(named, chosen)
    own = dijet_observables(ak.Array(plain), SETS["dijet_nanoaod"])
    assert not np.allclose(named["chHEF_j1"], own["chHEF_j1"])


def with_candidate_lists(plain, links: str, index: str, candidates: str, weight: float | None = None) -> ak.Array:
    """The same events with all particles in one shuffled list, and links from the jets to it."""
    rng = np.random.default_rng(3)
    events = copy.deepcopy(plain)
    for event in events:
        owners, parts = [], []
        for number, jet in enumerate(event["FatJet"]):
            inside = jet.pop("constituents")
            owners += [number] * len(inside)
            parts += inside
        order = rng.permutation(len(parts))
        place = np.argsort(order)
        event[candidates] = [dict(parts[k]) for k in order]
        if weight is not None:
            for part in event[candidates]:
                part["pt"] /= weight
                part["puppiWeight"] = weight
        event[links] = [{"jetIdx": owner, index: int(place[k])} for k, owner in enumerate(owners)]
    return ak.Array(events)


@pytest.mark.parametrize(
    ("names", "weight"),
    [(("FatJetPFCands", "pFCandsIdx", "PFCands"), 0.5), (("FatJetPFCand", "pfCandIdx", "PFCand"), None)],
)
def test_candidates_in_a_list_of_their_own(plain, table, names, weight):
    config = DijetConfig(puppi_weights=weight is not None, n_constituents="candidates")
    found = dijet_observables(with_candidate_lists(plain, *names, weight=weight), config=config)
    counts = [[len(jet["constituents"]) for jet in oracle.leading(plain[place])] for place in found.index]
    np.testing.assert_array_equal(found[["n_constituents_j1", "n_constituents_j2"]], counts)
    rest = [name for name in CATALOGUE if not name.startswith("n_constituents")]
    pd.testing.assert_frame_equal(found[rest], table[rest], rtol=1e-6)


def test_a_link_to_nowhere_is_refused(plain):
    events = with_candidate_lists(plain, "FatJetPFCands", "pFCandsIdx", "PFCands").to_list()
    broken = next(place for place, event in enumerate(events) if event["FatJetPFCands"])
    events[broken]["FatJetPFCands"][0]["pFCandsIdx"] = 10_000
    with pytest.raises(DataError, match=rf"1 links lead to no candidate, first in event {broken}\."):
        dijet_observables(ak.Array(events), ["width_j1"], DijetConfig(puppi_weights=False))


def test_missing_weights_are_told(plain):
    events = with_candidate_lists(plain, "FatJetPFCands", "pFCandsIdx", "PFCands")
    with pytest.raises(MissingBranchError, match=r"'PFCands_puppiWeight'.*puppi_weights: false"):
        dijet_observables(events, ["ptd_j2"])


def test_a_jet_without_particles_is_nan_and_not_zero(plain):
    events = copy.deepcopy(plain)
    place = next(k for k, event in enumerate(events) if oracle.leading(event))
    oracle.leading(events[place])[1]["constituents"].clear()
    found = dijet_observables(ak.Array(events))
    names = ["width_j2", "ptd_j2", "leading_fraction_j2"]
    assert found.loc[place, names].isna().all()
    assert found.drop(columns=names).notna().all(axis=None)


# Cuts, and bad input.


def test_cuts_are_those_of_the_configuration(plain):
    loose = dijet_observables(ak.Array(plain), ["pt_j2", "n_jets", "ht"], DijetConfig(fat_jet_pt=0, fat_jet_eta=9))
    tight = dijet_observables(ak.Array(plain), ["pt_j2", "n_jets", "ht"], DijetConfig(fat_jet_pt=500, jet_pt=100))
    assert loose["pt_j2"].min() < 200
    assert tight["pt_j2"].min() > 500
    assert len(tight) < len(loose)
    both = loose.index.intersection(tight.index)
    assert (tight.loc[both, "n_jets"] <= loose.loc[both, "n_jets"]).all()
    assert (tight.loc[both, "ht"] < loose.loc[both, "ht"]).any()


BRANCHES = {
    "FatJet_chHEF": ("chHEF_j1", "energy_fractions: matched_jet"),
    "FatJet_nConstituents": ("n_constituents_j1", "n_constituents: matched_jet"),
    "FatJet_tau3": ("tau3_j1, tau32_j1", "data check FILE"),
    "FatJet_area": ("area_j1", "data check FILE"),
    "FatJet_constituents": ("width_j1", "PFNano"),
    "Jet_pt": ("ht", "data check FILE"),
    "MET_phi": ("min_dphi_met", "data check FILE"),
    "PV_npvs": ("n_pv", "data check FILE"),
    "FatJet_pt": ("pt_j1", "data check FILE"),
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_missing_branch_is_named_with_its_observables(plain, branch):
    users, remedy = BRANCHES[branch]
    events = ak.Array(plain)
    collection, _, field = branch.partition("_")
    events = ak.without_field(events, (collection, field))
    with pytest.raises(MissingBranchError) as caught:
        dijet_observables(events)
    text = str(caught.value)
    assert users in text
    assert branch in text
    assert remedy in text


def test_a_missing_collection_is_named_too(plain):
    events = ak.Array([{key: value for key, value in event.items() if key != "MET"} for event in plain])
    with pytest.raises(MissingBranchError, match=r"met, met_over_sqrt_ht need 'MET_pt'; min_dphi_met needs 'MET_phi'"):
        dijet_observables(events)
    assert len(dijet_observables(events, ["ht"])) > 0


def test_unknown_names_are_refused(plain):
    with pytest.raises(ConfigError, match="Did you mean tau21_j1"):
        dijet_observables(ak.Array(plain), ["tau21j1"])
    with pytest.raises(ConfigError, match="dijet61"):
        dijet_observables(ak.Array(plain), "dijet62")
    with pytest.raises(ConfigError, match="chosen twice"):
        dijet_observables(ak.Array(plain), ["mjj", "mjj"])


def test_no_events_and_no_dijets_give_no_rows(plain):
    events = ak.Array(plain)
    assert dijet_observables(events[:0]).shape == (0, 61)
    lonely = events[ak.num(events.FatJet) < 2]
    assert len(lonely) > 0
    assert dijet_observables(lonely).shape == (0, 61)
    assert len(dijet_identity(lonely)) == 0


def test_identity_belongs_to_the_same_events(plain, table):
    identity = dijet_identity(ak.Array(plain))
    assert identity.index.equals(table.index)
    assert identity["event"].tolist() == table.index.tolist()
    for place, row in identity.iterrows():
        assert [row["jet_id_j1"], row["jet_id_j2"]] == [jet["jetId"] for jet in oracle.leading(plain[place])]
    assert list(identity.columns) == ["run", "luminosityBlock", "event", "label", "jet_id_j1", "jet_id_j2"]


# Real files.

READ = ["FatJet", "Jet", "MET", "PV"]


def test_nanoaod_v12_gives_dijet_nanoaod(real_data):
    events = read_nanoaod(real_data / "nanoaod" / "nano_tt_v12.root", READ)
    table = dijet_observables(events, "dijet_nanoaod")
    assert table.shape == (22, 55)
    assert np.isfinite(table.to_numpy()).all()
    by_hand = ak.to_list(events[["FatJet", "Jet", "MET", "PV"]])
    for place, row in table.iterrows():
        event = by_hand[place]
        expected = oracle.of_event(event)
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-5, abs=1e-5), name
        for number, jet in enumerate(oracle.leading(event), start=1):
            assert row[f"tau21_j{number}"] == pytest.approx(jet["tau2"] / jet["tau1"], rel=1e-6)
            assert row[f"chHEF_j{number}"] == oracle.matched(event, jet)["chHEF"]


def test_nanoaod_v5_needs_the_stand_in_for_the_count(real_data):
    events = read_nanoaod(real_data / "nanoaod" / "NanoAODv5_sample.root", READ)
    with pytest.raises(MissingBranchError, match=r"NanoAODv5_sample\.root.*n_constituents_j1.*FatJet_nConstituents"):
        dijet_observables(events, "dijet_nanoaod")
    config = DijetConfig(energy_fractions="matched_jet", n_constituents="matched_jet")
    table = dijet_observables(events, "dijet_nanoaod", config)
    assert table.shape == (68, 55)
    assert np.isfinite(table.to_numpy()).all()
    assert (table["msoftdrop_j2"] == -1).sum() > 0
    for name in table:
        assert table[name].between(CATALOGUE[name].low, CATALOGUE[name].high).all(), name


def test_real_files_without_candidates_refuse_dijet61(real_data):
    events = read_nanoaod(real_data / "nanoaod" / "nano_tt_v12.root", READ)
    with pytest.raises(MissingBranchError, match=r"width_j1.*FatJetPFCands_pFCandsIdx.*dijet_nanoaod"):
        dijet_observables(events, "dijet61", DijetConfig(energy_fractions="matched_jet"))


def test_the_table_for_the_book_has_every_observable():
    text = observables_markdown()
    for name in CATALOGUE:
        stem = name[:-1] if name.endswith(("_j1", "_j2")) else name
        assert text.count(f"| `{stem}` |") == 1
    assert len(text.splitlines()) == 2 + 22 + 17
    assert {line.count("|") for line in text.splitlines()} == {9}

"""The catalogue: 61 records that agree with each other and with what is computed; independence of the sets."""

from __future__ import annotations

import math

import awkward as ak
import dijet_oracle as oracle
import numpy as np
import pytest

from cmslabs.errors import ConfigError, DataError, MissingBranchError
from cmslabs.features.dijet61 import dijet_observables
from cmslabs.features.dijet_kinematics import derive
from cmslabs.features.jacobian import jacobian_rank, observable_jacobian
from cmslabs.features.observable_table import CANDIDATES, DERIVED, FAT_JET, MATCHED
from cmslabs.features.observables import (
    CATALOGUE,
    FLOW_CONTEXT,
    SETS,
    base_observables,
    flagged,
    observable,
    observable_names,
)


def test_22_for_each_jet_and_17_for_the_event():
    first = [name for name in CATALOGUE if name.endswith("_j1")]
    second = [name for name in CATALOGUE if name.endswith("_j2")]
    assert [name[:-1] for name in first] == [name[:-1] for name in second]
    assert (len(first), len(CATALOGUE) - 2 * len(first)) == (22, 17)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_record_is_complete(name):
    row = observable(name)
    assert row.low < row.high
    assert row.unit in ("1", "GeV", "rad", "sqrt(GeV)")
    assert all((row.meaning, row.formula, row.reference, row.source))
    assert bool(row.branches) != row.derived == (row.source == DERIVED)
    assert set(row.inputs) <= {other for other in CATALOGUE if not CATALOGUE[other].derived}
    assert row.atom is None or row.low <= row.atom <= row.high
    assert (row.flow == "left out") == bool(row.why)
    assert (row.flow == "function") <= (row.derived or name.startswith(("pt_j", "eta_j", "tau2_j", "tau3_j")))


def test_the_two_jets_have_the_same_records():
    for name in CATALOGUE:
        if name.endswith("_j1"):
            one, two = CATALOGUE[name], CATALOGUE[name[:-1] + "2"]
            same = ("unit", "low", "high", "formula", "reference", "source", "branches", "integer", "atom", "flow")
            assert [getattr(one, key) for key in same] == [getattr(two, key) for key in same]


def test_sources_in_nanoaodv9_are_those_of_the_definition():
    """Ten fractions by proxy, six of candidates, and per jet eleven branches of AK8 jets."""
    counts = {}
    for row in CATALOGUE.values():
        counts[row.source] = counts.get(row.source, 0) + 1
    assert counts[MATCHED] == 10
    assert counts[CANDIDATES] == 6
    assert counts[FAT_JET] == 22
    assert counts[DERIVED] == 17
    assert set(SETS["dijet61"]) - set(SETS["dijet_nanoaod"]) == {
        f"{name}_{jet}" for name in ("width", "ptd", "leading_fraction") for jet in ("j1", "j2")
    }


def test_flags():
    assert set(flagged(CATALOGUE, "integer")) == {
        *("area_j1", "area_j2", "n_constituents_j1", "n_constituents_j2", "n_jets", "n_pv"),
    }
    assert {name.removesuffix("_j1").removesuffix("_j2") for name in flagged(CATALOGUE, "atom")} == {
        *("neHEF", "chEmEF", "muEF", "msoftdrop", "third_jet_pt"),
    }
    with pytest.raises(ConfigError, match="integer or atom"):
        flagged(CATALOGUE, "atoms")


def test_an_empty_choice_is_refused():
    with pytest.raises(ConfigError, match="no observable is chosen"):
        observable_names([])


def test_derive_needs_its_inputs():
    with pytest.raises(MissingBranchError, match="tau21_j1 needs tau1_j1"):
        derive({"tau2_j1": np.ones(2)}, ["tau21_j1"])


def test_conventions_where_a_ratio_is_none():
    zero = {name: np.zeros(1) for name in base_observables()}
    found = derive(zero, ["tau21_j1", "mass_asymmetry", "pt_asymmetry", "met_over_sqrt_ht", "mass_over_pt_j2"])
    assert [float(values[0]) for values in found.values()][:4] == [1.0, 0.0, 0.0, 0.0]
    assert math.isnan(found["mass_over_pt_j2"][0])


# Independence.


@pytest.fixture(scope="module")
def base():
    events = oracle.random_events(11, 40, fat_counts=(2, 3), jet_counts=(4, 6))
    return dijet_observables(ak.Array(events))


@pytest.mark.parametrize(("fractions_sum", "expected"), [(False, 44), (True, 42)])
def test_of_the_61_only_so_many_are_independent(base, fractions_sum, expected):
    assert jacobian_rank(base, "dijet61", fractions_sum).tolist() == [expected] * len(base)


@pytest.mark.parametrize("names", [SETS["dijet_flow"], SETS["dijet_flow"] + FLOW_CONTEXT], ids=["features", "context"])
@pytest.mark.parametrize("fractions_sum", [False, True])
def test_the_set_for_densities_has_full_rank(base, names, fractions_sum):
    assert jacobian_rank(base, names, fractions_sum).tolist() == [len(names)] * len(base)


@pytest.mark.parametrize("name", [name for name, row in CATALOGUE.items() if row.flow == "function"])
def test_what_was_left_out_as_a_function_is_one(base, name):
    """One more column does not add a dimension: with the azimuth, because jets have one and the set has not."""
    names = (*SETS["dijet_flow"], *FLOW_CONTEXT, name)
    assert (jacobian_rank(base, names) == len(names) - 1).all()


@pytest.mark.parametrize(
    "name", [name for name, row in CATALOGUE.items() if row.flow == "left out" and not name.startswith("neHEF")]
)
def test_what_was_left_out_for_another_reason_is_no_function(base, name):
    names = (*SETS["dijet_flow"], name)
    assert (jacobian_rank(base, names) == len(names)).all()


def test_with_all_five_fractions_the_sum_rule_is_seen(base):
    five = [f"{name}_j1" for name in oracle.FRACTIONS]
    assert (jacobian_rank(base, five) == 5).all()
    assert (jacobian_rank(base, five, fractions_sum=True) == 4).all()


def test_a_planted_copy_is_seen(base):
    names = (*SETS["dijet_flow"], "mass_over_pt_j1", "pt_j1")
    assert (jacobian_rank(base, names) < len(names)).all()


def test_derivatives_are_right(base):
    found = observable_jacobian(base, ["tau21_j1"])[:, 0]
    scale = base[["tau1_j1", "tau2_j1"]].std(ddof=0).to_numpy() / base["tau21_j1"].std(ddof=0)
    expected = np.stack([-base["tau2_j1"] / base["tau1_j1"] ** 2, 1 / base["tau1_j1"]], axis=1) * scale
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_no_jacobian_of_one_event_or_of_nan(base):
    with pytest.raises(DataError, match="1 events"):
        jacobian_rank(base.head(1))
    with pytest.raises(DataError, match="1 values that are not finite"):
        jacobian_rank(base.assign(met=[math.nan, *base["met"].tolist()[1:]]))


def test_the_44_are_independent_of_each_other_as_branches():
    """End to end: shift one thing in the events, see which measured observables move; 44 patterns, all different."""
    events = oracle.random_events(12, 12, fat_counts=(2,), jet_counts=(6,))
    events = [event for event in events if oracle.observables(event)]
    before = dijet_observables(ak.Array(events)).iloc[[0]]
    place = before.index[0]
    moved = []
    for shift in _shifts():
        again = [event if k != place else shift(event) for k, event in enumerate(_copies(events))]
        moved.append((dijet_observables(ak.Array(again)).loc[place] - before.iloc[0])[list(base_observables())])
    matrix = np.array(moved, dtype=float)
    assert np.linalg.matrix_rank(matrix / np.abs(matrix).max(axis=0), tol=1e-8) == 44


def _copies(events):
    import copy

    return copy.deepcopy(events)


def _shifts():
    """Small changes of one event: every field of the two jets, each particle's share, AK4 jets, MET, vertices."""
    fields = ("pt", "eta", "phi", "mass", "area", "nConstituents", "msoftdrop", *oracle.FRACTIONS)
    for jet in (0, 1):
        for field in (*fields, "tau1", "tau2", "tau3", "tau4"):
            yield lambda event, jet=jet, field=field: _add(oracle.leading(event)[jet], field, event)
        for particle in (0, 1, 2):
            yield lambda event, jet=jet, k=particle: _add(oracle.leading(event)[jet]["constituents"][k], "pt", event)
    for jet in range(6):
        yield lambda event, jet=jet: _add(event["Jet"][jet], "pt", event)
    yield lambda event: _add(event["MET"], "pt", event)
    yield lambda event: _add(event["MET"], "phi", event)
    yield lambda event: _add(event["PV"], "npvs", event)
    # A seventh jet in the open: one more to count.
    yield lambda event: event | {"Jet": [*event["Jet"], {**event["Jet"][0], "pt": 31.0, "eta": 0.0, "phi": 0.5}]}


def _add(record: dict, field: str, event: dict) -> dict:
    record[field] += 1 if isinstance(record[field], int) else 1e-3
    return event

"""Spectra from tables: masses that are counted, bins that somebody filled, and what is wrong with published ones."""

from __future__ import annotations

import csv
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from cmslabs.data.cms_csv import LEPTON_MASS
from cmslabs.data.spectrum import check_spectrum, edges_from_centres, gaps, possible_edges
from cmslabs.data.spectrum_counts import are_whole, counts_from_density, counts_from_errors, errors_are_poisson
from cmslabs.data.spectrum_file import read_spectrum
from cmslabs.data.spectrum_masses import _round_outwards, count_masses
from cmslabs.data.tables import write_table
from cmslabs.errors import CmslabsError, ConfigError, DataError, MissingBranchError
from cmslabs.io import Provenance

#: A falling spectrum in bins that grow, as published ones have.
EDGES = np.array([500.0, 520, 541, 563, 586, 610, 635, 661])
COUNTS = np.array([410.0, 322, 260, 199, 161, 118, 96])
CENTRES, WIDTHS = (EDGES[1:] + EDGES[:-1]) / 2, np.diff(EDGES)
ORIGIN = Provenance(source="simulation", simulation=True, script="test", units={"mjj": "TeV"})


def save(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def digits(values, n=5):
    """Numbers as they are published: with n digits."""
    return [float(f"{value:.{n - 1}e}") for value in values]


@pytest.fixture
def table(tmp_path):
    return tmp_path / "t.csv"


# ---- real files


def test_trijet_is_counts_between_centres_plus_and_minus_half_a_width(real_data):
    found = read_spectrum(real_data / "hepdata" / "trijet.csv")
    with open(real_data / "hepdata" / "trijet.csv") as file:
        rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    assert found.spectrum.counts.tolist() == found.spectrum.variances.tolist() == [row["y"] for row in rows]
    assert found.spectrum.edges.tolist() == [
        *(row["x"] - row["bin_widths_1d"] / 2 for row in rows),
        rows[-1]["x"] + rows[-1]["bin_widths_1d"] / 2,
    ]
    assert (found.quantity, found.unit, found.simulation, found.remarks) == ("Mass", "GeV", False, ())


def test_diphoton_is_noticed_to_be_a_density_with_doubled_widths(real_data):
    path = real_data / "hepdata" / "diphoton.csv"
    found = read_spectrum(path)
    spectrum = found.spectrum
    assert spectrum.edges[:4].tolist() == [500, 506, 513, 519]
    assert spectrum.counts.sum() == 5036
    table = pd.read_csv(path)
    np.testing.assert_allclose(spectrum.counts / spectrum.widths, table["y"], rtol=6e-5)  # Five digits are published.
    np.testing.assert_allclose(spectrum.centres, table["x"])
    assert "'bin_widths_1d' is 2 times the spacing" in found.remarks[0]
    assert "events per GeV, not counts" in found.remarks[1]
    # `cmslabs data check` says the same.
    problems, details = check_spectrum(table)
    assert "is 2 times the spacing" in problems[0]
    assert details["edges that make y x width whole numbers begin at [GeV]"] == 500.0
    assert details["sum of these counts"] == 5036


def test_diphoton_tells_its_counts_by_its_errors_too(real_data):
    """Two ways to the same counts that share nothing."""
    table = pd.read_csv(real_data / "hepdata" / "diphoton.csv")
    spectrum = read_spectrum(real_data / "hepdata" / "diphoton.csv").spectrum
    counts, factor, per_width = counts_from_errors(
        *(np.asarray(values) for values in (table["y"], spectrum.widths, table["y_up"], table["y_down"]))
    )
    assert counts.tolist() == spectrum.counts.tolist()
    assert per_width
    assert factor == pytest.approx(1, abs=1e-3)


def slow_masses(path, n_leptons):
    """Invariant masses from the textbook formula, one event at a time."""
    with open(path) as file:
        for row in csv.DictReader(file):
            energy = px = py = pz = 0.0
            for i in range(1, n_leptons + 1):
                pt, eta, phi = (float(row[f"{name}{i}"]) for name in ("pt", "eta", "phi"))
                energy += math.sqrt((pt * math.cosh(eta)) ** 2 + LEPTON_MASS[13] ** 2)
                px, py, pz = px + pt * math.cos(phi), py + pt * math.sin(phi), pz + pt * math.sinh(eta)
            yield math.sqrt(energy**2 - px**2 - py**2 - pz**2)


@pytest.mark.parametrize(
    ("name", "n_leptons", "quantity", "first", "last", "n_outside"),
    [
        ("Zmumu_Run2011A", 2, "Dimuon mass", 60, 120, 0),
        ("peakdata6", 2, "Dimuon mass", 3.5, 3.9, 34),
        ("4mu_2011", 4, "Four-lepton mass", 77.6, 465.6, 0),
        ("4mu_2012", 4, "Four-lepton mass", 84.6, 744.6, 0),
    ],
)
def test_lepton_tables_need_no_option(real_data, name, n_leptons, quantity, first, last, n_outside):
    path = real_data / "cms-csv" / f"{name}.csv"
    found = read_spectrum(path)
    assert (found.quantity, found.unit, found.simulation) == (quantity, "GeV", False)
    edges = found.spectrum.edges
    assert edges[[0, -1]].tolist() == pytest.approx([first, last])
    masses = list(slow_masses(path, n_leptons))
    by_hand = [sum(low <= mass < high for mass in masses) for low, high in pairwise(edges)]
    assert found.spectrum.counts.tolist() == by_hand
    assert len(masses) - sum(by_hand) == n_outside


def test_what_is_said_of_the_lepton_tables(real_data):
    said = " ".join(read_spectrum(real_data / "cms-csv" / "Zmumu_Run2011A.csv").remarks)
    assert "in 356 events the charges do not add up to 0" in said
    assert "taken for muons" in said
    said = " ".join(read_spectrum(real_data / "cms-csv" / "peakdata6.csv").remarks)
    assert "in 69 rows the column M differs" in said
    assert "selected by M, from 3.5 to 3.899 GeV" in said
    assert "taken for muons" not in " ".join(read_spectrum(real_data / "cms-csv" / "4mu_2011.csv").remarks)
    own = read_spectrum(real_data / "cms-csv" / "peakdata6.csv", column="M")
    assert own.spectrum.counts.sum() == 4106
    assert own.remarks[0] == "masses are the column 'M'"


# ---- masses


def test_masses_are_counted_in_equal_bins(table):
    save(table, mjj=[1000.0, 1500, 1999, 2000], pt=[1, 2, 3, 4])
    found = read_spectrum(table, range=(1000, 2000), n_bins=2)
    assert found.spectrum.counts.tolist() == [1, 3]
    assert found.spectrum.edges.tolist() == [1000, 1500, 2000]
    assert found.quantity == "Dijet mass"
    assert "2 equal bins of 500 GeV, from 1000 to 2000 GeV" in found.remarks
    inner = read_spectrum(table, column="mjj", range=(1400, 1900), n_bins=5)
    assert inner.spectrum.counts.sum() == 1
    assert "3 masses lie outside and are not counted" in inner.remarks
    assert read_spectrum(table, column="pt").quantity == "pt"


@given(low=st.floats(0.001, 1e4), span=st.floats(0.001, 1e4), n_bins=st.integers(2, 100))
@settings(max_examples=200, deadline=None)
def test_the_default_range_holds_all_masses_and_little_more(low, span, n_bins):
    high = low + span
    begin, end = _round_outwards(low, high, n_bins)
    assert 0 < begin <= low * (1 + 1e-9)
    assert end >= high
    assert end - begin <= 1.25 * span + (low - begin)
    assert low - begin <= 1.3 * span / n_bins * 1.2


@given(low=st.floats(900, 1300), span=st.floats(300, 3000), n_bins=st.integers(8, 80))
@settings(max_examples=100, deadline=None)
def test_no_bin_at_an_end_lacks_events_because_the_masses_are_cut_there(low, span, n_bins):
    """A flat spectrum with two cuts: by default its first and last bin hold as much as the others."""
    masses = np.linspace(low, low + span, 50_000)
    counts = count_masses(masses, None, n_bins, "GeV", "t.csv")[0].counts
    assert counts.sum() >= len(masses) - 1  # The first may miss its edge by the last digit of a float.
    assert abs(counts[[0, -1]] - np.median(counts)).max() < 0.5 * np.sqrt(np.median(counts)) + 2


def test_numbers_stay_round_where_the_masses_fade_out(table):
    save(table, mjj=np.concatenate([[1013.3], np.random.default_rng(1).normal(3000, 200, 3000), [5017.7]]))
    assert read_spectrum(table, n_bins=40).spectrum.edges[[0, 1, -1]].tolist() == [990, 1100, 5390]


def test_weights_are_not_used_and_that_is_said(table):
    save(table, mjj=[1000.0, 1500, 1900], Weight=[1.0, 2.0, 0.5])
    found = read_spectrum(table, range=(1000, 2000), n_bins=2)
    assert found.spectrum.counts.tolist() == [1, 2]
    assert "the column 'Weight' is not used: every row counts as one event" in found.remarks


def test_halves_times_a_width_of_fifty_are_no_proof_of_a_density(table):
    """Any number of halves times 50 is whole: that says nothing about events."""
    counts = np.array([1795.5, 416, 103.5, 80, 62.5, 54, 41.5, 33, 26.5])
    save(table, centre=np.arange(1025.0, 1475, 50), width=50.0, count=counts)
    with pytest.raises(DataError, match="no whole numbers"):
        read_spectrum(table)


def test_energies_become_gev_and_simulation_is_said(tmp_path):
    masses = np.linspace(1.0, 5.0, 101)
    write_table(tmp_path / "t.parquet", pd.DataFrame({"mjj": masses, "label": 0}), ORIGIN)
    found = read_spectrum(tmp_path / "t.parquet", range=(1000, 5000), n_bins=4)
    assert found.simulation is True
    assert found.spectrum.counts.tolist() == [25, 25, 25, 26]
    assert "the column 'mjj' is in TeV; here it is given in GeV" in found.remarks
    save(tmp_path / "u.csv", **{"M [TeV]": masses})
    assert read_spectrum(tmp_path / "u.csv", n_bins=4).spectrum.edges[0] == 1000
    save(tmp_path / "b.csv", **{"M [TeV]": CENTRES / 1000, "width": WIDTHS / 1000, "events": COUNTS})
    np.testing.assert_allclose(read_spectrum(tmp_path / "b.csv").spectrum.edges, EDGES)


def test_events_without_a_pair_are_left_out(table):
    found = read_spectrum(save(table, mjj=[0.0, 0.0, 1000, 2000]))
    assert found.spectrum.counts.sum() == 2
    assert "2 rows have the mass 0" in " ".join(found.remarks)


def test_masses_that_are_no_numbers_are_refused_with_count_and_place(table):
    for bad in (np.nan, np.inf, -np.inf):
        save(table, mjj=[1000.0, 1100, bad, 1200, bad])
        with pytest.raises(DataError, match=r"'mjj' is not finite in 2 row\(s\), first in row 2") as caught:
            read_spectrum(table)
        assert "t.csv" in str(caught.value)


def test_a_sealed_box_is_a_table_with_mjj(tmp_path):
    """Constituents beside the masses are jagged and not read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pa.table({"mjj": np.linspace(2000.0, 4000, 50), "j1": [[1.0]] * 50, "mj1": np.ones(50)})
    pq.write_table(columns, tmp_path / "box.parquet")
    assert read_spectrum(tmp_path / "box.parquet").spectrum.counts.sum() == 50


# ---- bins


def test_the_ways_to_write_a_spectrum_are_the_same_spectrum(table):
    root = np.sqrt(COUNTS)
    ways = [
        {"centre": CENTRES, "width": WIDTHS, "count": COUNTS},
        {"x": CENTRES, "y": COUNTS, "y_up": root, "y_down": root, "bin_widths_1d": WIDTHS},
        {"low": EDGES[:-1], "high": EDGES[1:], "events": COUNTS},
        {"M [GeV]": CENTRES, "M [GeV] LOW": EDGES[:-1], "M [GeV] HIGH": EDGES[1:], "Events": COUNTS},
        {"mass": CENTRES, "counts": COUNTS},
        {"x": CENTRES, "width": WIDTHS, "n": COUNTS, "stat +": root, "stat -": -root},
        {"x": CENTRES, "dx": 2 * WIDTHS, "n": COUNTS, "error": root},
        {"x": CENTRES, "dx": 0 * WIDTHS, "n": COUNTS},
        {"x": CENTRES, "width": WIDTHS, "y": digits(COUNTS / WIDTHS)},
        {"x": CENTRES, "width": 2 * WIDTHS, "y": digits(COUNTS / WIDTHS)},
        {"x": CENTRES, "width": WIDTHS, "y": 0.013 * COUNTS, "err": 0.013 * root},
        {"x": CENTRES, "width": WIDTHS, "y": 7 * COUNTS, "err": 7 * root},
        {"x": CENTRES, "width": WIDTHS, "y": 0.013 * COUNTS / WIDTHS, "up": 0.013 * root / WIDTHS},
        {"x": CENTRES[::-1], "width": WIDTHS[::-1], "y": COUNTS[::-1]},
    ]
    for way in ways:
        found = read_spectrum(save(table, **way))
        np.testing.assert_allclose(found.spectrum.edges, EDGES, err_msg=str(list(way)))
        assert found.spectrum.counts.tolist() == found.spectrum.variances.tolist() == COUNTS.tolist()
        assert found.spectrum.counts is not found.spectrum.variances


def test_a_table_without_names_that_speak_is_taken_by_position(table):
    three = save(table, a=CENTRES, b=WIDTHS, c=COUNTS)
    with pytest.raises(DataError, match=r"no column that is clearly a mass[.] Columns: a, b, c"):
        read_spectrum(three)
    assert read_spectrum(three, bins=True).spectrum.edges.tolist() == EDGES.tolist()
    root = np.sqrt(COUNTS)
    five = save(table, a=CENTRES, b=WIDTHS, c=COUNTS, d=root, e=root)
    assert read_spectrum(five, bins=True).spectrum.counts.tolist() == COUNTS.tolist()
    with pytest.raises(DataError, match="columns that describe no bins"):
        read_spectrum(save(table, a=CENTRES, b=WIDTHS, c=COUNTS, d=root), bins=True)


def test_a_range_takes_whole_bins_and_may_avoid_a_gap(table):
    keep = [0, 1, 2, 4, 5, 6]
    save(table, x=CENTRES[keep], width=WIDTHS[keep], count=COUNTS[keep])
    with pytest.raises(DataError, match="no bins between 563 and 586 GeV"):
        read_spectrum(table)
    found = read_spectrum(table, range=(586, 661))
    assert found.spectrum.edges.tolist() == EDGES[4:].tolist()
    assert "3 of 6 bins lie within 586 to 661 GeV" in found.remarks
    assert read_spectrum(table, range=(587, 700)).spectrum.edges.tolist() == EDGES[5:].tolist()
    assert check_spectrum(
        pd.DataFrame({"x": CENTRES, "y": COUNTS, "u": 1, "d": 1, "w": WIDTHS}).iloc[keep].astype(float)
    )[0] == ["there are no bins between 563 and 586 GeV"]


ROOT = np.sqrt(COUNTS)
BAD = {
    "no rows": ({"x": [], "width": [], "count": []}, "no bins"),
    "one bin": ({"x": [1.0], "width": [1.0], "count": [5]}, "two are the least"),
    "one bin without a width": ({"x": [1.0], "count": [5]}, "one bin and no width"),
    "all zero": ({"x": CENTRES, "width": WIDTHS, "count": 0 * COUNTS}, "all its bins are empty"),
    "negative": ({"x": CENTRES, "width": WIDTHS, "count": COUNTS - 200}, "'count' has -1 in row 3"),
    "NaN": ({"x": CENTRES, "width": WIDTHS, "count": [*COUNTS[:-1], np.nan]}, "'count' has nan in row 6"),
    "infinite width": ({"x": CENTRES, "width": [np.inf, *WIDTHS[1:]], "count": COUNTS}, "'width' has inf in row 0"),
    "negative width": ({"x": CENTRES, "width": -WIDTHS, "count": COUNTS}, "'width' has -20 in row 0"),
    "negative errors": ({"x": CENTRES, "width": WIDTHS, "y": COUNTS, "err": ROOT - 15}, "'err' are negative"),
    "two tables": ({"x": [*CENTRES, *CENTRES], "y": [*COUNTS, *COUNTS], "dx": [*WIDTHS, *WIDTHS]}, "two bins are at"),
    "overlap": ({"low": EDGES[:-1], "high": EDGES[1:] + 9, "y": COUNTS}, "bins overlap"),
    "turned edges": ({"low": EDGES[1:], "high": EDGES[:-1], "y": COUNTS}, "end before they begin"),
    "foreign centres": ({"x": CENTRES + 99, "low": EDGES[:-1], "high": EDGES[1:], "y": COUNTS}, "outside its bin"),
    "impossible centres": ({"x": [1.0, 2, 3, 6, 7], "count": [5, 4, 3, 2, 1]}, "no bin edges have these centres"),
    "words": ({"x": CENTRES, "width": WIDTHS, "count": ["many"] * 7}, "must hold numbers"),
    "fractions": ({"x": CENTRES, "width": WIDTHS, "count": COUNTS + np.pi * WIDTHS}, "no whole numbers, neither"),
    "weighted": (
        {"x": CENTRES, "width": WIDTHS, "y": COUNTS * np.arange(1, 8), "err": ROOT * np.arange(1, 8) * 3.3**0.5},
        "errors are not those of counts",
    ),
    "weighted fractions": (
        {"x": CENTRES, "width": WIDTHS, "y": COUNTS / np.arange(2, 9), "err": ROOT / np.arange(2, 9)},
        "Weighted events have no Poisson likelihood",
    ),
    "two centres": ({"x": CENTRES, "mass": CENTRES, "width": WIDTHS, "count": COUNTS}, "may both be the bins' centre"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bins_are_refused_with_a_reason_and_a_remedy(table, name):
    columns, reason = BAD[name]
    with pytest.raises(DataError, match=reason) as caught:
        read_spectrum(save(table, **columns))
    assert "t.csv" in str(caught.value)
    assert caught.value.remedy


def test_errors_larger_than_counting_can_be_left_out(table):
    """The remedy that the message gives works."""
    columns = {"x": CENTRES, "width": WIDTHS, "y": COUNTS, "err": 0.3 * COUNTS}
    with pytest.raises(DataError, match="leave the columns of errors out"):
        read_spectrum(save(table, **columns))
    del columns["err"]
    assert read_spectrum(save(table, **columns)).spectrum.counts.tolist() == COUNTS.tolist()


def test_wrong_use(table, tmp_path):
    save(table, mjj=[1000.0, 2000], mll=[1.0, 2.0])
    for options, reason in (
        ({"column": "mjj", "bins": True}, "not both"),
        ({"column": "mjj", "range": (2, 1)}, "from a lower to a higher"),
        ({"column": "mjj", "range": (1, math.nan)}, "from a lower to a higher"),
        ({"column": "mjj", "n_bins": 1}, "two bins or more"),
    ):
        with pytest.raises(ConfigError, match=reason):
            read_spectrum(table, **options)
    with pytest.raises(MissingBranchError, match="Close names: mjj"):
        read_spectrum(table, column="mj")
    with pytest.raises(DataError, match=r"several columns that may be the mass[.] Columns: mjj, mll"):
        read_spectrum(table)
    with pytest.raises(DataError, match="none of its 2 masses lies between 1 and 2"):
        read_spectrum(table, column="mjj", range=(1, 2))
    with pytest.raises(DataError, match="all its masses are 5"):
        read_spectrum(save(table, mjj=[5.0, 5.0]))
    with pytest.raises(DataError, match="holds no masses"):
        read_spectrum(save(table, mjj=[]))
    with pytest.raises(ConfigError, match="has its bins already"):
        read_spectrum(save(table, x=CENTRES, width=WIDTHS, count=COUNTS), n_bins=10)
    with pytest.raises(DataError, match="Tables end in"):
        read_spectrum(save(tmp_path / "t.txt", mjj=[1.0, 2.0]))
    with pytest.raises(DataError, match="no such file"):
        read_spectrum(tmp_path / "absent.csv")
    for text, remedy in (
        ("", "such as 'mass'"),
        ("1\n2\n", "such as 'mass'"),
        ("mass;n\n", "by commas"),
        ("#: x\n", "comment"),
    ):
        table.write_text(text)
        with pytest.raises(DataError, match="its first line names no columns") as caught:
            read_spectrum(table)
        assert remedy in caught.value.remedy


def test_what_is_missing_in_lepton_tables(table):
    head = "Run,Event,pt1,eta1,phi1,Q1"
    table.write_text(f"{head}\n1,1,5,0,0,1\n")
    with pytest.raises(DataError, match=r"1 lepton\(s\) per event"):
        read_spectrum(table)
    table.write_text(f"{head}\n")
    with pytest.raises(DataError, match="no events"):
        read_spectrum(table)
    table.write_text(
        "Run,Event,PID1,pt1,eta1,phi1,Q1,PID2,pt2,eta2,phi2,Q2\n1,1,11,5,0,0,-1,-11,9,0,1,1\n1,2,13,5,1,0,-1,-13,9,0,2,1\n"
    )
    found = read_spectrum(table, range=(0, 100), n_bins=2)
    assert (found.quantity, found.spectrum.counts.sum()) == ("Dilepton mass", 2)


# ---- where bins begin, and how many events they hold


@given(
    first=st.integers(1, 1000),
    start=st.integers(2, 50),
    growth=st.lists(st.integers(0, 3), min_size=8, max_size=30),
    scale=st.sampled_from([0.001, 0.1, 1.0, 10.0]),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=100, deadline=None)
def test_counts_survive_publication_as_a_density_with_wrong_widths(first, start, growth, scale, seed):
    edges = (first + np.cumsum([0, *(start + np.cumsum(growth))])) * scale
    counts = np.random.default_rng(seed).poisson(200 * np.exp(-np.arange(len(growth)) / 6)).astype(float)
    assume((counts > 0).sum() >= 8)
    density = np.array(digits(counts / np.diff(edges)))
    centres = ((edges[1:] + edges[:-1]) / 2).round(9)
    candidates = possible_edges(centres)
    found = counts_from_density(density, [np.diff(one) for one in candidates])
    assert found is not None
    np.testing.assert_allclose(candidates[found[0]], edges, atol=1e-6 * scale)
    assert found[1].tolist() == counts.tolist()


def test_random_densities_are_never_taken_for_counts():
    """What the tolerance promises: less than one of ten thousand; the true widths are among 300 candidates."""
    rng = np.random.default_rng(5)
    centres = np.arange(10) * 30.0 + 115
    candidates = [np.diff(edges) for edges in possible_edges(centres)]
    assert len(candidates) > 25
    for _ in range(400):
        density = np.array(digits(rng.exponential(2.0, 10)))
        assert counts_from_density(density, candidates) is None
    exact = digits(rng.poisson(60, 10) / 30.0)
    assert counts_from_density(np.array(exact), candidates)[0] == 0


def garwood(n):
    """Upper error of a Poisson count for one standard deviation, by solving for it."""
    alpha = stats.norm.sf(1)
    return optimize.brentq(lambda mu: stats.poisson.cdf(n, mu) - alpha, n + 1e-9, n + 20 * math.sqrt(n + 1)) - n


@pytest.mark.parametrize("convention", ["root", "garwood"])
@pytest.mark.parametrize("per_width", [True, False])
@given(factor=st.floats(1e-6, 1e6), seed=st.integers(0, 10_000), written=st.integers(4, 8))
@settings(max_examples=30, deadline=None)
def test_counts_are_found_by_their_errors(convention, per_width, factor, seed, written):
    rng = np.random.default_rng(seed)
    counts, widths = rng.poisson(np.geomspace(300, 3, 12)).astype(float) + 1, rng.uniform(5, 15, 12)
    unit = factor / widths if per_width else factor * np.ones(12)
    up = np.array([math.sqrt(n) if convention == "root" else garwood(n) for n in counts])
    values, errors = (np.array(digits(array * unit, written)) for array in (counts, up))
    found, measured, said = counts_from_errors(values, widths, errors, errors if convention == "root" else errors * 0.9)
    np.testing.assert_allclose(found, counts, atol=max(1.0, 0.003 * counts.max()))
    assert measured == pytest.approx(factor, rel=0.02)
    assert said is per_width


def test_weighted_events_have_no_counts():
    rng = np.random.default_rng(2)
    for _ in range(100):
        weights = [rng.exponential(1, rng.poisson(mean)) for mean in np.geomspace(300, 10, 12)]
        values = np.array([w.sum() for w in weights])
        errors = np.array([np.sqrt((w**2).sum()) for w in weights])
        counts = counts_from_errors(values, np.ones(12), errors, errors)
        assert counts is None


def test_errors_of_counts_are_known():
    counts = np.array([0.0, 1, 2, 5, 20, 1000, 231784])
    upper = np.array([garwood(n) if n else 1.84 for n in counts])
    assert errors_are_poisson(counts, np.sqrt(counts), np.sqrt(counts))
    assert errors_are_poisson(counts, upper, np.sqrt(counts) * 0.9)
    assert not errors_are_poisson(counts, 2 * upper, 2 * upper)
    assert not errors_are_poisson(counts, 0.1 * counts, 0.1 * counts)


def test_large_whole_numbers_and_fractions_beside_them():
    assert are_whole(np.array([1147981.0, 0.0, 3.0]))
    assert not are_whole(np.array([1147981.5, 3.0]))


def test_edges_and_gaps_in_general():
    np.testing.assert_allclose(edges_from_centres(CENTRES, 500.0), EDGES)
    assert possible_edges(CENTRES)[0].tolist() == EDGES.tolist()
    assert possible_edges(np.array([0.5, 1.5, 2.5]))[0].tolist() == [0, 1, 2, 3]
    assert gaps(EDGES[:-1], EDGES[1:]) == []


# ---- twenty ways to write a header, and more


def attempt(path, **options):
    """The spectrum or our error; any other exception ends the test."""
    try:
        return read_spectrum(path, **options), None
    except CmslabsError as error:
        return None, str(error)


ROWS = "\n".join(f"{c},{w},{n:.0f}" for c, w, n in zip(CENTRES, WIDTHS, COUNTS, strict=True))
HEAD = "centre,width,count"
TURNED = "\n".join(",".join(reversed(line.split(","))) for line in f"{HEAD}\n{ROWS}".split("\n"))
GOOD, WRONG = True, False
BINNED = [
    ("as it is", f"{HEAD}\n{ROWS}\n", GOOD),
    ("no newline at the end", f"{HEAD}\n{ROWS}", GOOD),
    ("DOS line ends", f"{HEAD}\n{ROWS}\n".replace("\n", "\r\n"), GOOD),
    ("byte order mark", f"\ufeff{HEAD}\n{ROWS}\n", GOOD),
    ("capitals", f"{HEAD.upper()}\n{ROWS}\n", GOOD),
    ("spaces in the header", f" centre , width, count \n{ROWS}\n", GOOD),
    ("quoted header", f'"centre","width","count"\n{ROWS}\n', GOOD),
    ("American", f"{HEAD.replace('centre', 'center')}\n{ROWS}\n", GOOD),
    ("units in brackets", f"Bin centre [GeV],Bin width [GeV],Events\n{ROWS}\n", GOOD),
    ("units in parentheses", f"M (GeV),width (GeV),N\n{ROWS}\n", GOOD),
    ("hyphens", f"bin-centre,bin-width,n-events\n{ROWS}\n", GOOD),
    ("x and y", f"x,bin_widths_1d,y\n{ROWS}\n", GOOD),
    ("another order", f"{TURNED}\n", GOOD),
    ("empty lines", f"{HEAD}\n\n{ROWS}\n\n", GOOD),
    ("a further column", f"{HEAD},note\n" + ROWS.replace("\n", ",a\n") + ",a\n", GOOD),
    ("a further column of nothing", f"{HEAD},\n" + ROWS.replace("\n", ",\n") + ",\n", GOOD),
    ("exponents", f"{HEAD}\n{ROWS}\n".replace("410", "4.10e2"), GOOD),
    ("counts with a point", f"{HEAD}\n" + ROWS.replace("\n", ".0\n") + ".0\n", GOOD),
    ("rows in another order", f"{HEAD}\n" + "\n".join(reversed(ROWS.split("\n"))) + "\n", GOOD),
    ("a minus before nothing", f"{HEAD}\n{ROWS}\n".replace("410", "-0"), None),
    ("semicolons", f"{HEAD}\n{ROWS}\n".replace(",", ";"), WRONG),
    ("tabs", f"{HEAD}\n{ROWS}\n".replace(",", "\t"), WRONG),
    ("no header", f"{ROWS}\n", WRONG),
    ("a comment before", f"# spectrum\n{HEAD}\n{ROWS}\n", WRONG),
    ("HEPData's comments", f"#: table_doi: x\n#: name: y\n{HEAD}\n{ROWS}\n", WRONG),
    ("a comment after", f"{HEAD}\n{ROWS}\n# end\n", WRONG),
    ("a column twice", f"{HEAD},count\n" + ROWS.replace("\n", ",1\n") + ",1\n", WRONG),
    ("decimal commas", f"{HEAD}\n{ROWS}\n".replace("552.0", "552,0"), WRONG),
    ("a cut line", f"{HEAD}\n{ROWS[:-6]}\n", WRONG),
    ("a missing value", f"{HEAD}\n{ROWS}\n".replace("410", ""), WRONG),
    ("a dash for nothing", f"{HEAD}\n{ROWS}\n".replace("410", "-"), WRONG),
    ("not a number", f"{HEAD}\n{ROWS}\n".replace("410", "nan"), WRONG),
    ("negative", f"{HEAD}\n{ROWS}\n".replace("410", "-4"), WRONG),
    ("thousands", f"{HEAD}\n{ROWS}\n".replace("410", '"1,410"'), WRONG),
    ("no counts", f"centre,width\n{ROWS}\n", WRONG),
    ("header only", f"{HEAD}\n", WRONG),
    ("nothing", "", WRONG),
    ("bytes", "\ufffe\udcff", WRONG),
]


@pytest.mark.parametrize(("name", "text", "good"), BINNED)
def test_headers_of_bins(table, name, text, good):
    table.write_bytes(text.encode("utf-8", "surrogateescape"))
    found, error = attempt(table)
    if error is not None:
        assert good is not GOOD, f"{name}: {error}"
        assert "t.csv" in error
        return
    assert good is not WRONG, f"{name}: was read"
    assert found.spectrum.edges.tolist() == EDGES.tolist()
    if good:
        assert found.spectrum.counts.tolist() == COUNTS.tolist()


MASSES = [
    ("mjj\n1\n2\n4\n", GOOD),
    ("Mjj\n1\n2\n4\n", GOOD),
    ("m_jj\n1\n2\n4\n", GOOD),
    ("MASS\n1\n2\n4\n", GOOD),
    ("M\n1\n2\n4\n", GOOD),
    ("m4l\n1\n2\n4\n", GOOD),
    ("Invariant mass [GeV]\n1\n2\n4\n", GOOD),
    ("\ufeffmll\r\n1\r\n2\r\n4\r\n", GOOD),
    (" mass \n1\n2\n4\n", GOOD),
    ('"dimuon mass"\n1\n2\n4\n', GOOD),
    ("run,m,pt\n1,1,5\n1,2,6\n1,4,7\n", GOOD),
    ("n,mgg\n1,1\n1,2\n1,4\n", GOOD),
    ("mass,y\n1,0.5\n2,0.1\n4,0.2\n", GOOD),
    ("mjj,mj1,mj2,label\n1,9,9,0\n2,9,9,0\n4,9,9,1\n", GOOD),
    ("1\n2\n4\n", WRONG),
    ("energy\n1\n2\n4\n", WRONG),
    ("mass,mjj\n1,1\n2,2\n4,4\n", WRONG),
    ("mass\none\ntwo\nfour\n", WRONG),
    ("mass\n1\n2,3\n4\n", WRONG),
    ("mass\n1\n\n2\nnan\n", WRONG),
    ("mass;pt\n1;2\n", WRONG),
    ("\n", WRONG),
]


@pytest.mark.parametrize(("text", "good"), MASSES)
def test_headers_of_masses(table, text, good):
    table.write_bytes(text.encode())
    found, error = attempt(table, range=(1, 5), n_bins=4)
    assert (error is None) is good, error
    if not good:
        assert "t.csv" in error
        return
    assert found.spectrum.counts.tolist() == [1, 1, 0, 1]

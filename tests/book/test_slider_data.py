"""The slider's numbers are those of the bundled sample, and follow from it by a slow, obvious loop too."""

from __future__ import annotations

import json
import math

import awkward as ak
import make_slider_data
import numpy as np
import pytest
from course_slider import DATA, slider_html

from cmslabs.data.download import dataset_path
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.io import sha256


@pytest.fixture(scope="module")
def stored() -> dict:
    return json.loads(DATA.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def muons() -> ak.Array:
    return read_nanoaod(dataset_path(make_slider_data.SAMPLE), collections=["Muon"]).Muon


def test_stored_numbers_come_out_again(stored, muons):
    assert stored["provenance"]["sample_sha256"] == sha256(dataset_path(make_slider_data.SAMPLE))
    assert {key: value for key, value in stored.items() if key != "provenance"} == make_slider_data.slider_data(muons)


def pair_by_hand(event) -> tuple[float, float] | None:
    """Mass and smaller pT of the two leading muons of one event, with nothing but the formulas."""
    leading = sorted(event, key=lambda muon: -muon["pt"])[:2]
    if len(leading) < 2 or leading[0]["charge"] * leading[1]["charge"] >= 0:
        return None
    total = [0.0] * 4
    for muon in leading:
        px, py = muon["pt"] * math.cos(muon["phi"]), muon["pt"] * math.sin(muon["phi"])
        pz = muon["pt"] * math.sinh(muon["eta"])
        energy = math.sqrt(px**2 + py**2 + pz**2 + muon["mass"] ** 2)
        total = [a + b for a, b in zip(total, (energy, px, py, pz), strict=True)]
    mass = math.sqrt(max(0.0, total[0] ** 2 - total[1] ** 2 - total[2] ** 2 - total[3] ** 2))
    return mass, leading[1]["pt"]


def test_pairs_are_those_of_a_loop(muons):
    some = muons[:300]
    expected = [pair for event in some.to_list() if (pair := pair_by_hand(event))]
    mass, smaller_pt = make_slider_data.opposite_pairs(some)
    np.testing.assert_allclose(mass, [pair[0] for pair in expected], rtol=1e-7)
    np.testing.assert_allclose(smaller_pt, [pair[1] for pair in expected], rtol=1e-6)


def test_harder_cuts_keep_fewer_pairs_and_the_last_window_longest(stored):
    pairs = np.array(stored["pairs"])
    assert np.all(np.diff(pairs) <= 0)
    assert 0 < pairs[-1] < pairs[0]
    assert np.all(np.array(stored["counts"]).sum(axis=1) <= pairs)
    low, _, high = (np.array(window["pairs"]) for window in stored["windows"])
    # A heavy particle gives its muons more momentum than a light one.
    assert low[10] / low[0] < 0.2 < 0.5 < high[10] / high[0]


def test_file_is_small_and_says_that_it_is_simulated(stored):
    assert DATA.stat().st_size < 100_000
    assert stored["simulation"] is True
    html = slider_html(stored)
    assert "Simulation" in html
    assert f"<td>{stored['pairs'][0]}</td>" in html
    # One closing tag only: nothing in the numbers may end the script element early.
    assert html.count("</script>") == 1


def test_another_sample_would_be_noticed(stored, muons):
    # One per cent on the momentum scale is what a reader would not see by eye.
    shifted = ak.with_field(muons, muons.pt * 1.01, "pt")
    assert make_slider_data.slider_data(shifted)["counts"] != stored["counts"]

"""Pseudo-data: sections and their list, collisions drawn for a luminosity, muons lost, nothing of the generator."""

from __future__ import annotations

import json
import platform

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from cmslabs.data.catalog import load_card, samples_folder
from cmslabs.data.fileset import load_fileset
from cmslabs.data.nanoaod import open_nanoaod, read_nanoaod
from cmslabs.errors import SimulationError
from cmslabs.io import read_json, sha256
from cmslabs.jobs import Chunk, chunk_seed
from cmslabs.simulation.chunkfile import read_record, unpack
from cmslabs.simulation.production import generate_chunk, run_recipe, summarise
from cmslabs.simulation.pseudo_data import (
    DataTaking,
    collect_collisions,
    draw_collisions,
    lose_muons,
    make_pseudo_data,
)
from cmslabs.simulation.sample_files import PRECISION, Part
from cmslabs.simulation.samples import CERTIFIED, PSEUDO_DIMUON, PSEUDO_FOUR_LEPTON, RUNS, certified_sections
from cmslabs.simulation.worlds import PSEUDO_DATA
from cmslabs.simulation.writers import round_floats

FOLDER = samples_folder()
PARTS = {"pseudo-dimuon": PSEUDO_DIMUON, "pseudo-fourlepton": PSEUDO_FOUR_LEPTON}
#: A small run of our own: Higgs bosons only, so few collisions that it takes a second.
PART = Part("higgs-4l", 12, seed=77, world=PSEUDO_DATA.name)


@pytest.fixture(scope="module")
def chunks(tmp_path_factory):
    return {PART: run_recipe(PART.recipe, PART.events, PART.seed, tmp_path_factory.mktemp("chunks"), chunk_size=6)}


@pytest.fixture(scope="module", params=PARTS)
def sample(request):
    """Name, events and provenance of one bundled file of pseudo-data."""
    path = FOLDER / f"{request.param}.root"
    with uproot.open(path) as file:
        details = json.loads(str(file["cmslabs"]))["details"]
    return request.param, read_nanoaod(path), details


ranges = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5)), max_size=4).map(
    lambda pairs: tuple((first, last) for first, last in sorted((a, min(a + b, 40)) for a, b in pairs))
)


@given(ranges)
def test_sections_are_certified_or_not(uncertified):
    kept = []
    for first, last in uncertified:
        if not kept or first > kept[-1][1]:
            kept.append((first, last))
    taking = DataTaking(2, 1.0, sections=40, uncertified=tuple(kept))
    bad = {section for first, last in kept for section in range(first, last + 1)}
    assert taking.is_certified(np.arange(1, 41)).tolist() == [section not in bad for section in range(1, 41)]
    if len(bad) < 40:
        assert taking.delivered_pb * (40 - len(bad)) / 40 == pytest.approx(1000.0)


def test_the_list_of_certified_sections_is_that_of_the_runs():
    assert read_json(CERTIFIED) == certified_sections()
    assert set(certified_sections()) == {"2", "3"}
    for name, taking in RUNS.items():
        fileset = load_fileset(name.replace("pseudo", "samples"))
        assert fileset.luminosity_fb == taking.luminosity_fb
        assert fileset.golden_json == str(CERTIFIED)


def test_collisions_are_counted_one_by_one(chunks):
    """An event is in the file if its collision was among the first so many, over the borders of chunks."""
    (paths,) = chunks.values()
    records = [read_record(path) for path in paths]
    numbers = records[0]["tries"] + [records[0]["tried"] + number for number in records[1]["tries"]]
    assert len(numbers) == 12
    for n_collisions in (0, numbers[0], numbers[0] + 1, numbers[5] + 1, numbers[6] + 1, numbers[-1] + 1):
        found = collect_collisions(PART, paths, n_collisions)
        assert len(found) == sum(number < n_collisions for number in numbers)
    with pytest.raises(SimulationError, match=r"higgs-4l: \d+ collisions are needed, \d+ were simulated"):
        collect_collisions(PART, paths, numbers[-1] + 2)


def test_the_number_of_collisions_is_poisson_around_the_luminosity(chunks):
    (paths,) = chunks.values()
    sigma = summarise(paths)["sigma_pb"]
    taking = DataTaking(2, 40.0 / sigma / 1000, sections=10, uncertified=((2, 3),))
    drawn = [draw_collisions(chunks, taking, np.random.default_rng(seed))["higgs-4l"] for seed in range(120)]
    # Eight of ten sections are certified: 40 collisions there are 50 in all.
    np.testing.assert_allclose([entry["expected"] for entry in drawn], 50.0)
    numbers = [entry["collisions"] for entry in drawn]
    assert abs(np.mean(numbers) - 50) < 4 * np.sqrt(50 / 120)
    assert np.var(numbers) == pytest.approx(50, rel=4 * np.sqrt(2 / 120))


def test_the_same_run_has_the_same_bytes(chunks, tmp_path):
    taking = DataTaking(9, 2.0)
    for name in ("one.root", "two.root"):
        make_pseudo_data(chunks, taking, tmp_path / name)
    assert sha256(tmp_path / "one.root") == sha256(tmp_path / "two.root")
    make_pseudo_data(chunks, DataTaking(10, 2.0), tmp_path / "three.root")
    assert sha256(tmp_path / "one.root") != sha256(tmp_path / "three.root")


def test_lost_muons_take_their_events_with_them():
    selection = {"leptons": 2, "muons": 2}
    phi = [[0.5, 3.0], [0.5, 3.0], [-0.5, 3.0, 0.7], [2.0, -2.0]]
    muons = ak.zip({"phi": ak.Array(phi), "pt": ak.full_like(ak.Array(phi), 9.0)})
    events = ak.zip({"Muon": muons, "Electron": ak.Array([[]] * 4), "n": np.arange(4)}, depth_limit=1)
    after = lose_muons(events, np.array([False, True, True, True]), selection)
    assert after.n.to_list() == [0, 2, 3]
    assert after.Muon.phi.to_list() == [[0.5, 3.0], [-0.5, 3.0], [2.0, -2.0]]


def test_pseudo_data_know_nothing_of_a_generator(sample):
    name, events, details = sample
    nano = open_nanoaod(FOLDER / f"{name}.root")
    assert not nano.simulation
    forbidden = ("gen", "Gen", "Pileup", "LHE", "simProcess", "L1PreFiring")
    assert not [branch for branch in nano.branches if branch.startswith(forbidden) or "genPart" in branch]
    assert "neutral" not in events.Muon.fields
    card = load_card(name)
    assert card.kind == "simulation"
    assert "Pseudo-data (simulated)" in card.title
    assert card.n_events == len(events) == nano.n_events
    assert details["world"]["muon_scale"] == PSEUDO_DATA.muon_scale


def test_run_and_sections(sample):
    name, events, details = sample
    taking = RUNS[name]
    assert set(ak.to_numpy(events.run)) == {taking.run}
    section = ak.to_numpy(events.luminosityBlock)
    assert (np.diff(section) >= 0).all()
    assert section.min() >= 1
    assert section.max() <= taking.sections
    number = ak.to_numpy(events.event)
    assert (np.diff(number) > 0).all()
    drawn = details["pseudo_data"]["drawn"]
    assert sum(entry["recorded"] for entry in drawn.values()) >= number[-1]
    for entry in drawn.values():
        assert abs(entry["collisions"] - entry["expected"]) < 4 * np.sqrt(entry["expected"])
    assert set(drawn) == {part.name for part in PARTS[name]}


def test_sections_that_are_not_certified_look_bad():
    """Half of the pairs are gone, and no muon lies in the dead quarter; certified sections are flat in phi."""
    events = read_nanoaod(FOLDER / "pseudo-dimuon.root", ["Muon"])
    taking = RUNS["pseudo-dimuon"]
    good = taking.is_certified(ak.to_numpy(events.luminosityBlock))
    rate = {kind: np.sum(good == kind) / (50 if kind else 10) for kind in (True, False)}
    assert 0.35 < rate[False] / rate[True] < 0.7
    for kind in (True, False):
        phi = ak.to_numpy(ak.flatten(events.Muon.phi[good == kind]))
        share = np.mean((phi > 0) & (phi < np.pi / 2))
        assert share == pytest.approx(0.25 if kind else 0.0, abs=4 * np.sqrt(0.25 * 0.75 / len(phi)) if kind else 0)


def test_every_event_fired_a_trigger_of_the_primary_data_set(sample):
    _, events, _ = sample
    fired = np.any([events.HLT[path.removeprefix("HLT_")] for path in PSEUDO_DATA.recorded], axis=0)
    assert fired.all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "part"),
    [(name, part) for name, parts in PARTS.items() for part in parts],
    ids=lambda v: getattr(v, "name", v),
)
def test_pseudo_data_made_again_are_the_same(name, part):
    """The first events of every part are in the file, once each, unless a muon may have been lost."""
    with uproot.open(FOLDER / f"{name}.root") as file:
        made_on = json.loads(str(file["cmslabs"]))["details"]["platform"]
    stored = read_nanoaod(FOLDER / f"{name}.root")
    again, _ = unpack(generate_chunk(part.recipe, Chunk(0, 0, 6, chunk_seed(part.seed, 0))))
    if made_on != f"{platform.system()} {platform.machine()}":
        # Bytes are promised on the platform that made the file.
        assert ak.mean(stored.Muon.pt) == pytest.approx(ak.mean(again.Muon.pt), rel=1.0)
        return
    leading = {field: ak.to_numpy(stored.Muon[field][:, 0]) for field in ("pt", "eta", "phi")}
    found = 0
    for event in again:
        if ak.any((event.Muon.phi > 0) & (event.Muon.phi < np.pi / 2)):
            continue
        muon = {field: round_floats(ak.to_numpy(event.Muon[field]), PRECISION["Muon"]) for field in leading}
        same = np.flatnonzero(np.all([leading[field] == muon[field][0] for field in leading], axis=0))
        assert len(same) == 1
        for field, values in muon.items():
            np.testing.assert_array_equal(stored.Muon[field][same[0]], values)
        assert stored.PV.npvs[same[0]] == event.PV_npvs
        found += 1
    assert found

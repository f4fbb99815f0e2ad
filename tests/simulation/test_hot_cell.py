"""A hot cell: one more particle at one place, odd jets there, and no bump in the dijet mass."""

from __future__ import annotations

import pickle
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest

from cmslabs.data.catalog import samples_folder
from cmslabs.data.tables import read_table
from cmslabs.jobs import Chunk
from cmslabs.simulation.box_recipe import hidden_ingredient
from cmslabs.simulation.box_truth import Truth
from cmslabs.simulation.chunkfile import unpack
from cmslabs.simulation.detector import MAX_PARTICLES, Observed, observe
from cmslabs.simulation.hot_cell import HotCell
from cmslabs.simulation.processes import get_process
from cmslabs.simulation.production import Recipe, generate_chunk

CELL = HotCell(eta=0.6525, phi=3.0979, pt=200.0)


def observed(counts, rng) -> Observed:
    """Events with so many random particles."""
    n = sum(counts)
    columns = {"pt": rng.exponential(5, n), "eta": rng.uniform(-2.5, 2.5, n), "phi": rng.uniform(-np.pi, np.pi, n)}
    columns |= {"kind": np.zeros(n), "charge": np.ones(n), "row": np.arange(n)}
    types = {"pt": "f4", "eta": "f4", "phi": "f4", "kind": "i1", "charge": "i1", "row": "i8"}
    particles = ak.unflatten(ak.zip({name: values.astype(types[name]) for name, values in columns.items()}), counts)
    particles = particles[ak.argsort(particles.pt, ascending=False)]
    met = rng.uniform(0, 80, (2, len(counts)))
    return Observed(particles, met[0], met[1] / 80 * 2 * np.pi - np.pi, rng.uniform(500, 3000, len(counts)))


def test_one_particle_more_in_one_tower():
    before = observed([40, 0, 699, 700, 3], np.random.default_rng(1))
    after = CELL.fire(before, np.random.default_rng(2))
    assert ak.num(after.particles).to_list() == [41, 1, 700, MAX_PARTICLES, 4]
    assert ak.all(after.particles.pt[:, :-1] >= after.particles.pt[:, 1:])
    extra = after.particles[after.particles.row == -1]
    assert ak.num(extra).to_list() == [1] * 5
    assert ak.all(abs(extra.eta - CELL.eta) <= 0.0435)
    turn = (ak.to_numpy(extra.phi[:, 0]) - CELL.phi + np.pi) % (2 * np.pi) - np.pi
    assert np.all(np.abs(turn) <= np.pi / 72 + 1e-6)
    assert ak.all(abs(extra.phi) <= np.pi)
    assert ak.all(extra.charge == 0)
    # In the event that was full, the softest particle went.
    assert after.particles.type.content == before.particles.type.content
    assert after.particles[3].row.to_list()[1:] == before.particles[3].row.to_list()[:-1]


def test_the_missing_momentum_points_away_from_it():
    """By vectors: what is added on one side is missing on the other."""
    before = observed([5] * 400, np.random.default_rng(3))
    after = CELL.fire(before, np.random.default_rng(4))
    extra = after.particles[after.particles.row == -1][:, 0]
    change = after.met_pt * np.exp(1j * after.met_phi) - before.met_pt * np.exp(1j * before.met_phi)
    added = ak.to_numpy(extra.pt) * np.exp(1j * ak.to_numpy(extra.phi))
    np.testing.assert_allclose(change, -added, atol=1e-4)
    np.testing.assert_allclose(after.sum_et - before.sum_et, np.abs(added), rtol=1e-5)


def test_its_strength():
    before = observed([1] * 20_000, np.random.default_rng(5))
    after = CELL.fire(before, np.random.default_rng(6))
    pt = ak.to_numpy(after.particles[after.particles.row == -1].pt[:, 0]).astype(float)
    assert pt.mean() == pytest.approx(200, abs=4 * 30 / np.sqrt(20_000))
    assert pt.std() == pytest.approx(30, rel=0.05)


def test_a_cell_can_lift_an_event_over_the_trigger(species, gun):
    """Two jets of 1100 GeV: only with the cell in one of them the event is kept."""
    from cmslabs.simulation.dijet_events import dijet_events

    event = [(11, 1100.0, CELL.eta, CELL.phi), (-11, 1100.0, -0.3, CELL.phi - np.pi)]
    batch = gun([event] * 20)
    selection = get_process("qcd-dijets").selection
    far = HotCell(-0.6, 1.5, 200.0)
    kept = [
        len(dijet_events(batch, species, selection, np.random.default_rng(1), (), cell)[0])
        for cell in (None, CELL, far)
    ]
    assert kept[0] == kept[2] == 0
    assert kept[1] >= 15


def test_without_a_cell_nothing_changes(species, gun):
    batch = gun([[(211, 50.0, 0.1, 0.2), (22, 30.0, 1.0, 2.0)]] * 5)
    one = observe(batch, species, np.random.default_rng(1))
    two = observe(batch, species, np.random.default_rng(1))
    assert ak.array_equal(one.particles, two.particles)
    background = get_process("qcd-dijets")
    assert background.hot_cell is None
    assert "hot_cell" not in Recipe(background).identity()


def test_the_cell_is_part_of_a_run_s_identity():
    recipes = [Recipe(replace(get_process("qcd-dijets"), hot_cell=replace(CELL, pt=pt))) for pt in (200.0, 201.0)]
    first, second = (recipe.identity() for recipe in recipes)
    assert first["hot_cell"] == {"eta": 0.6525, "phi": 3.0979, "pt": 200.0, "spread": 0.15}
    assert first != second
    assert pickle.loads(pickle.dumps(recipes[0])) == recipes[0]


@pytest.fixture(scope="module")
def fired():
    """400 events with a strong cell, as a box gets them."""
    truth = Truth(kind="hot-cell", eta=CELL.eta, phi=CELL.phi, pt=250, share=0.02)
    part = hidden_ingredient(truth, 40_000, 1, False)
    table = unpack(generate_chunk(part.recipe, Chunk(0, 0, 400, 9)))[0].table
    return {name: ak.to_numpy(table[name]) for name in table.fields}


@pytest.fixture(scope="module")
def background():
    """The bundled QCD dijets."""
    sample = read_table(samples_folder() / "dijet-features.parquet")
    return sample[sample.process == "qcd-dijets"]


def near(table) -> np.ndarray:
    """Which events have one of their two jets around the cell."""
    found = np.zeros(len(table["mjj"]), dtype=bool)
    for jet in ("j1", "j2"):
        px, py, pz = (np.asarray(table[f"p{axis}{jet}"], dtype=float) for axis in "xyz")
        turn = (np.arctan2(py, px) - CELL.phi + np.pi) % (2 * np.pi) - np.pi
        found |= np.hypot(np.arcsinh(pz / np.hypot(px, py)) - CELL.eta, turn) < 0.7
    return found


@pytest.mark.slow
def test_it_makes_odd_jets_at_one_place(fired, background):
    here, usual = near(fired), near(background)
    # A few hundred odd events in a box: 2 to 3 % of 40 000 events, and about half of them have a jet around the cell.
    assert 0.3 < here.mean() < 0.8
    assert usual.mean() < 0.25
    assert 800 * here.mean() > 200
    odd = np.maximum(fired["mj1"], fired["mj2"])[here]
    normal = np.maximum(background.mj1, background.mj2)[usual]
    assert np.median(odd) > 1.3 * np.median(normal)
    assert np.median(fired["met"]) > 3 * np.median(background.met)


@pytest.mark.slow
def test_it_makes_no_bump(fired, background):
    """A box with it, against one without, in every window of 12 % above the trigger's turn-on: below two sigma."""
    n_fired, total = 1200, 40_000
    for center in np.geomspace(2600, 6000, 12):
        low, high = 0.94 * center, 1.06 * center
        usual = np.mean((background.mjj > low) & (background.mjj < high))
        with_cell = np.mean((fired["mjj"] > low) & (fired["mjj"] < high))
        change = n_fired * (with_cell - usual)
        # The expectation from 400 simulated events has its own error, in units of the box's.
        error = n_fired * np.sqrt(usual * (1 - usual) / len(fired["mjj"])) / np.sqrt(total * usual)
        assert change / np.sqrt(total * usual) < 2 + 2 * error, center

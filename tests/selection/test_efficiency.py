"""Tag and probe: a slow oracle for the pairs, toys for the errors, and a background that has to be subtracted."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from toy_worlds import TOY_DATA, TOY_SIMULATION, make_world

from cmslabs.errors import DataError, MissingBranchError
from cmslabs.selection.efficiency import (
    ABSETA_EDGES,
    PEAK,
    PT_EDGES,
    Probes,
    find_probes,
    measure_efficiency,
    scale_factors,
)

SHAPE = (len(ABSETA_EDGES) - 1, len(PT_EDGES) - 1)


def random_events(n, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, n)
    total = int(counts.sum())
    flat = {
        "pt": rng.exponential(30, total) + 5,
        "eta": rng.uniform(-2.4, 2.4, total),
        "phi": rng.uniform(-np.pi, np.pi, total),
        "mass": np.full(total, 0.105658),
        "charge": rng.choice([-1, 1], total),
        "mediumId": rng.random(total) < 0.8,
        "pfRelIso04_all": rng.exponential(0.15, total),
    }
    return ak.zip({"Muon": ak.unflatten(ak.zip(flat), counts)}, depth_limit=1)


@pytest.mark.parametrize("isolation", [None, 0.25])
def test_pairs_against_a_slow_oracle(isolation):
    events = random_events(600, 1)
    weight = np.random.default_rng(2).uniform(0, 2, 600)
    found = find_probes(events, "mediumId", isolation, weight)
    wanted = []
    for muons, w in zip(events.Muon.to_list(), weight, strict=True):
        for tag in muons:
            for probe in muons:
                if tag is probe or tag["charge"] == probe["charge"]:
                    continue
                if not tag["mediumId"] or tag["pt"] <= 25 or tag["pfRelIso04_all"] >= 0.15 or probe["pt"] <= 15:
                    continue
                if isolation is not None and not probe["mediumId"]:
                    continue
                passes = probe["mediumId"] if isolation is None else probe["pfRelIso04_all"] < isolation
                four = np.zeros(4)
                for one in (tag, probe):
                    pt, eta, phi = (one[name] for name in ("pt", "eta", "phi"))
                    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
                    four += [np.sqrt(px**2 + py**2 + pz**2), px, py, pz]
                mass = np.sqrt(max(four[0] ** 2 - np.sum(four[1:] ** 2), 0))
                wanted.append((mass, probe["pt"], abs(probe["eta"]), passes, w))
    columns = (found.mass, found.pt, found.abseta, found.passes, found.weight)
    got, wanted = np.stack(columns, axis=1).astype(float), np.array(wanted, dtype=float)
    assert len(got) == len(wanted) > 100
    got, wanted = (rows[np.lexsort((rows[:, 0], rows[:, 1]))] for rows in (got, wanted))
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-6)


def test_a_file_without_muons_says_so():
    with pytest.raises(MissingBranchError, match="Muon"):
        find_probes(ak.Array([{"run": 1}]), "mediumId")


def toy_probes(rng, n, efficiency, background=0.0, background_efficiency=0.2, weights=False):
    """Probes in one bin of the map, a peak over a flat background."""
    n_background = rng.poisson(background * n)
    mass = np.concatenate([rng.normal(91, 3, rng.poisson(n)), rng.uniform(65, 117, n_background)])
    share = np.where(np.arange(len(mass)) < len(mass) - n_background, efficiency, background_efficiency)
    passes = rng.random(len(mass)) < share
    weight = rng.exponential(1.0, len(mass)) if weights else np.ones(len(mass))
    same = np.ones(len(mass))
    return Probes(mass, 40 * same, 0.5 * same, passes, weight)


def one_bin(probes):
    found = measure_efficiency(probes, (0.0, 0.9), (15.0, 120.0))
    return found.value[0, 0], found.error[0, 0], found.counted[0, 0]


@pytest.mark.parametrize(
    ("n", "efficiency", "background", "weights"),
    [(2000, 0.9, 0.0, False), (2000, 0.9, 0.5, False), (2000, 0.6, 0.5, True), (300, 0.96, 0.1, False)],
)
def test_errors_cover_the_truth(n, efficiency, background, weights):
    """Pulls of 400 toys: mean 0, width 1."""
    rng = np.random.default_rng([n, int(100 * efficiency), int(10 * background)])
    found = np.array([one_bin(toy_probes(rng, n, efficiency, background, weights=weights)) for _ in range(400)])
    pulls = (found[:, 0] - efficiency) / found[:, 1]
    assert abs(pulls.mean()) < 4 / np.sqrt(400)
    assert 0.85 < pulls.std() < 1.15


def test_without_subtraction_the_background_biases():
    """The fault that the sidebands are there for; the difference becomes the systematic error."""
    rng = np.random.default_rng(3)
    found = np.array([one_bin(toy_probes(rng, 2000, 0.9, 0.5)) for _ in range(50)])
    assert abs(found[:, 0].mean() - 0.9) < 0.005
    assert found[:, 2].mean() < 0.85


def test_no_failing_probe_is_not_certainty():
    probes = toy_probes(np.random.default_rng(1), 100, 1.0)
    value, error, _ = one_bin(probes)
    n = int(((probes.mass >= PEAK[0]) & (probes.mass < PEAK[1])).sum())
    assert value == 1.0
    assert error == pytest.approx(0.5 / (n + 1), rel=0.2)


def test_an_empty_bin_is_an_error():
    probes = toy_probes(np.random.default_rng(1), 100, 0.9)
    with pytest.raises(DataError, match=r"no probes are left at abs\(eta\) 0.9 to 1.2, pT 15 to 120 GeV"):
        measure_efficiency(probes, (0.0, 0.9, 1.2), (15.0, 120.0))


@pytest.fixture(scope="module")
def toys():
    return make_world(TOY_SIMULATION, 60_000, 11), make_world(TOY_DATA, 60_000, 12)


def test_toy_worlds_come_out(toys):
    """Efficiencies of both worlds in every bin, and their ratio, against what they were made with."""
    measured = [measure_efficiency(find_probes(events, "mediumId")) for events in toys]
    centres = np.array(ABSETA_EDGES[:-1]) + 0.01
    truths = [world.medium_id_efficiency(centres)[:, None] for world in (TOY_SIMULATION, TOY_DATA)]
    factors = scale_factors(measured[1], measured[0])
    rows = [(one.value - truth) / one.error for one, truth in zip(measured, truths, strict=True)]
    rows.append((factors.value - truths[1] / truths[0]) / factors.stat)
    for pulls in rows:
        assert pulls.shape == SHAPE
        assert np.sum(pulls**2) < 28  # 8 degrees of freedom: p = 5e-4
    assert (factors.stat < 0.02).all()
    assert (factors.total >= factors.stat).all()
    # A fault that this has to see: the eta bins in the wrong order.
    wrong = (factors.value[::-1] - truths[1] / truths[0]) / factors.stat
    assert np.sum(wrong**2) > 100


def test_errors_of_scale_factors(toys):
    """Both samples count, in quadrature, relative to their efficiencies."""
    data, simulation = (measure_efficiency(find_probes(events, "mediumId", 0.25)) for events in reversed(toys))
    factors = scale_factors(data, simulation)
    i, j = 1, 0
    relative = np.hypot(data.error[i, j] / data.value[i, j], simulation.error[i, j] / simulation.value[i, j])
    assert factors.stat[i, j] == pytest.approx(factors.value[i, j] * relative)
    unsubtracted = data.counted[i, j] / simulation.counted[i, j]
    assert factors.syst[i, j] == pytest.approx(abs(factors.value[i, j] - unsubtracted))

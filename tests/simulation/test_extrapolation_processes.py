"""Processes of the search without a resonance: HT against a loop, dark mesons that decay as asked, known fractions."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from scipy.stats import ks_2samp

from cmslabs.data.catalog import samples_folder
from cmslabs.data.tables import read_table
from cmslabs.errors import SimulationError
from cmslabs.features.clustering import cluster_jets
from cmslabs.simulation.dijet_events import dijet_events, passes_trigger, scalar_sum
from cmslabs.simulation.extrapolation_processes import EXTRAPOLATION_SELECTION, QCD_EXTRAPOLATION, hidden_valley
from cmslabs.simulation.processes import PROCESSES
from cmslabs.simulation.pythia import batches, start

MESONS = (4900111, 4900113, 4900211, 4900213)
SIGNALS = ["hidden-valley-2tev", "hidden-valley-3tev", "hidden-valley-4tev"]


@pytest.fixture(scope="module")
def jets():
    """Lists of jets, sorted by pT, also beyond all cuts; some events have none or one."""
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 6, 400)
    pt = np.concatenate([np.sort(rng.exponential(300, n) + 20)[::-1] for n in counts])
    return ak.unflatten(ak.zip({"pt": pt, "eta": rng.uniform(-4, 4, len(pt))}), counts)


def ht_by_hand(event) -> float:
    return sum(jet["pt"] for jet in event if jet["pt"] > 50 and abs(jet["eta"]) < 2.5)


def test_ht_is_the_sum_of_hard_central_jets(jets):
    np.testing.assert_allclose(scalar_sum(jets), [ht_by_hand(event) for event in jets.to_list()])
    borders = ak.zip({"pt": [[50.0, 51.0, 900.0, 60.0]], "eta": [[0.0, 0.0, 2.5, -2.4]]})
    assert scalar_sum(borders).tolist() == [111.0]


@pytest.mark.parametrize("cuts", [{"jet_pt": 200.0, "jet_eta": 2.5}, EXTRAPOLATION_SELECTION])
def test_the_trigger_cuts_on_ht_only_where_it_is_asked_for(jets, cuts):
    expected = [
        len(event) > 1
        and event[0]["pt"] > cuts["jet_pt"]
        and abs(event[0]["eta"]) < cuts["jet_eta"]
        and ("ht" not in cuts or ht_by_hand(event) > cuts["ht"])
        for event in jets.to_list()
    ]
    found = passes_trigger(jets, cuts)
    assert found.tolist() == expected
    assert 0 < found.sum() < len(found)


def test_events_of_known_jets(gun, species):
    """Photons of 500 and 400 GeV pass HT > 700, of 400 and 250 they do not; the table has HT if it is cut on."""
    fired = gun([[(22, a, 0.3, 0.1), (22, b, -0.4, 3.0)] for a, b in ((500, 400), (400, 250), (600, 500))])
    events, index = dijet_events(fired, species, EXTRAPOLATION_SELECTION, np.random.default_rng(1), ("features",))
    assert index.tolist() == [0, 2]
    np.testing.assert_allclose(ak.to_numpy(events.table.ht), [900, 1100], rtol=0.05)
    without = {name: cut for name, cut in EXTRAPOLATION_SELECTION.items() if name != "ht"}
    events, index = dijet_events(fired, species, without, np.random.default_rng(1), ("features",))
    assert index.tolist() == [0, 1, 2]
    assert "ht" not in events.table.fields


def test_ht_of_generated_events_is_that_of_their_particles(generated):
    events, _ = generated("qcd-extrapolation", 60, content=("particles",))
    ht = ak.to_numpy(events.table["ht"])
    assert (ht > 700).all()
    np.testing.assert_allclose(ht, scalar_sum(cluster_jets(events.particles, 1.0, 20.0)), rtol=1e-4)


def test_signal_and_background_have_the_same_selection_and_no_mpi():
    for name in ("qcd-extrapolation", *SIGNALS):
        process = PROCESSES[name]
        assert process.selection == EXTRAPOLATION_SELECTION
        assert process.lines()[-1] == "PartonLevel:MPI = off"
        assert process.label == int(name in SIGNALS)
    a14 = set(QCD_EXTRAPOLATION.lines(variant="a14")) - set(QCD_EXTRAPOLATION.lines())
    assert a14 == {"Tune:pp = 21"}


@pytest.mark.parametrize(("mass", "r_inv"), [(1400, 0.3), (2000, -0.1), (2000, 1.1), (np.nan, 0.3), (2000, np.nan)])
def test_an_impossible_dark_shower_is_refused(mass, r_inv):
    with pytest.raises(
        SimulationError, match=r"hidden_valley: a Z' of .* is not possible. Choose a mass from 1500 GeV on"
    ):
        hidden_valley(mass, r_inv)


def decays(process, n=300):
    """Numbers of dark mesons that decay to nothing visible, and to quarks; and the masses of the Z'."""
    batch = next(batches(start(process.lines(), 11), n))
    first = batch.offsets[:-1][batch.event]
    mother = np.abs(batch.id[first + batch.mother1])
    of_mesons = np.isin(mother, MESONS)
    mass = np.sqrt(np.maximum(batch.e**2 - batch.px**2 - batch.py**2 - batch.pz**2, 0))
    invisible, quarks = ((of_mesons & (np.abs(batch.id) == one)).sum() / 2 for one in (51, 1))
    return invisible, quarks, mass[np.abs(batch.id) == 4900023]


@pytest.mark.parametrize("r_inv", [0.0, 1 / 3, 1.0])
def test_so_many_dark_mesons_stay_invisible(r_inv):
    invisible, visible, _ = decays(hidden_valley(2000, r_inv))
    n = invisible + visible
    assert n > 500
    assert invisible / n == pytest.approx(r_inv, abs=4 * np.sqrt(r_inv * (1 - r_inv) / n))


@pytest.mark.parametrize("mass", [2000.0, 3000.0])
def test_the_mass_of_the_resonance(mass):
    found = decays(hidden_valley(mass), 60)[2]
    assert np.median(found) == pytest.approx(mass, abs=15)


@pytest.fixture(scope="module")
def sample():
    return read_table(samples_folder() / "extrapolation.parquet")


@pytest.mark.parametrize(("name", "share"), [*zip(SIGNALS, (0.57, 0.74, 0.83), strict=True)])
def test_shares_in_the_signal_region(sample, name, share):
    """Of the triggered events, and what must be so: a third of the mesons is missing, mostly on one side only.

    Of two mesons one is invisible with a probability of 4/9, and of more with a larger one.
    """
    events = sample[sample["process"] == name]
    assert ((events["ht"] > 800) & (events["met"] > 75)).mean() == pytest.approx(share, abs=0.05)
    assert (events["met"] > 75).mean() > 4 / 9
    mass = 1000 * int(name[-4])
    # What is invisible is missing in the mass of the jets, and nothing makes it larger than the resonance.
    assert 0.3 * mass < events["mjj"].median() < 0.95 * mass
    assert np.quantile(events["mjj"], 0.95) < 1.15 * mass


def test_the_two_tunes_differ_a_little_in_substructure_and_not_in_the_mass(sample):
    beside = sample[(sample["ht"] <= 800) | (sample["met"] <= 75)]
    data, simulation = (beside[beside["process"] == f"qcd-extrapolation{end}"] for end in ("", "-a14"))
    for name in ("tau21j1", "tau21j2", "tau32j1"):
        found = ks_2samp(data[name], simulation[name])
        assert found.pvalue < 1e-4, name
        assert found.statistic < 0.05, name
    assert ks_2samp(data["mjj"], simulation["mjj"]).pvalue > 1e-3

"""Processes: the settings say what PHYSICS asks for, mistakes are refused, truth masses are right."""

from __future__ import annotations

import numpy as np
import pytest

from cmslabs.errors import SimulationError
from cmslabs.simulation.processes import PROCESSES, get_process, wprime
from cmslabs.simulation.pythia import batches, start

DIJETS = ["qcd-dijets", "wprime-2prong", "wprime-3prong", "zprime-tt", "graviton-ww"]
EXTRAPOLATION = ["qcd-extrapolation", *(f"hidden-valley-{mass}tev" for mass in (2, 3, 4))]
LEPTONS = ["drell-yan", "zz-4l", "higgs-4l", "ttbar", "jpsi", "upsilon"]


def test_all_processes_are_there():
    assert list(PROCESSES) == DIJETS + EXTRAPOLATION + LEPTONS
    assert all(name == process.name for name, process in PROCESSES.items())


def test_dijets_have_no_multi_parton_interactions_and_leptons_have():
    assert all(PROCESSES[name].lines()[-1] == "PartonLevel:MPI = off" for name in DIJETS + EXTRAPOLATION)
    assert all(PROCESSES[name].lines()[-1] == "PartonLevel:MPI = on" for name in LEPTONS)


def test_mpi_is_the_domain_shift():
    off, on = (PROCESSES["qcd-dijets"].lines(mpi=value) for value in (False, True))
    assert set(off) ^ set(on) == {"PartonLevel:MPI = off", "PartonLevel:MPI = on"}


def test_the_background_has_no_cut_on_its_mass():
    assert not [line for line in PROCESSES["qcd-dijets"].lines() if "mHat" in line]


def test_only_signals_have_the_label_1():
    assert [name for name, process in PROCESSES.items() if process.label] == DIJETS[1:] + EXTRAPOLATION[1:]


@pytest.mark.parametrize("name", DIJETS + EXTRAPOLATION + LEPTONS)
def test_pythia_starts_with_every_process_and_variant(name):
    process = PROCESSES[name]
    for variant in (None, *process.variants):
        assert next(batches(start(process.lines(variant=variant), 5), 2)).n_events == 2


def test_an_unknown_process_is_refused_with_a_hint():
    with pytest.raises(SimulationError, match=r"no process 'qcd-dijet'.*Did you mean qcd-dijets"):
        get_process("qcd-dijet")


def test_an_unknown_variant_is_refused():
    with pytest.raises(SimulationError, match=r"no variant 'tau'.*muons"):
        PROCESSES["zz-4l"].lines(variant="tau")


@pytest.mark.parametrize(("options", "match"), [({"prongs": 4}, "4 prongs"), ({"mass_x": 3400.0}, "cannot decay")])
def test_an_impossible_resonance_is_refused(options, match):
    with pytest.raises(SimulationError, match=match):
        wprime(**options)


def test_pythia_refuses_a_wrong_setting():
    with pytest.raises(SimulationError, match="does not understand the setting 'HardQDC:all = on'"):
        start(["HardQDC:all = on"], 1)


def test_a_process_without_phase_space_is_refused(capfd):
    with pytest.raises(SimulationError, match="cannot start"):
        start(["HardQCD:all = on", "PhaseSpace:pTHatMin = 7000."], 1)


@pytest.fixture(scope="module")
def truth():
    """Masses of the last copies of some resonances in 400 events of a process."""

    def masses(name, *ids):
        batch = next(batches(start(PROCESSES[name].lines(), 77), 400))
        mass = np.sqrt(np.maximum(batch.e**2 - batch.px**2 - batch.py**2 - batch.pz**2, 0))
        found = []
        for one in ids:
            rows = np.flatnonzero(np.abs(batch.id) == one)
            # A row that is not the mother of the same particle is the last copy.
            first = batch.offsets[:-1][batch.event]
            copied = set((first + batch.mother1)[np.abs(batch.id) == one])
            found.append(mass[[row for row in rows if row not in copied]])
        return found

    return masses


@pytest.mark.parametrize("prongs", [2, 3])
def test_truth_masses_of_the_w_prime_and_its_daughters(truth, prongs):
    heavy, x, y = truth(f"wprime-{prongs}prong", 34, 9000001, 9000002)
    assert len(heavy) == len(x) == len(y) == 400
    # 500.6 +- 7.6 and 100.1 +- 1.7 were measured before: three standard errors of 400 events around them.
    assert abs(x.mean() - 500.6) < 3 * 7.6 / 20 * np.sqrt(2)
    assert abs(x.std() - 7.6) < 1.5
    assert abs(y.mean() - 100.1) < 3 * 1.7 / 20 * np.sqrt(2)
    assert abs(y.std() - 1.7) < 0.4
    assert abs(np.median(heavy) - 3500) < 25


def test_other_masses_give_a_resonance_there():
    process = wprime(mass=3000.0, mass_x=300.0, mass_y=200.0)
    batch = next(batches(start(process.lines(), 3), 50))
    mass = np.sqrt(np.maximum(batch.e**2 - batch.px**2 - batch.py**2 - batch.pz**2, 0))
    for pdg, expected in ((34, 3000), (9000001, 300), (9000002, 200)):
        assert abs(np.median(mass[np.abs(batch.id) == pdg]) - expected) < 0.02 * expected


@pytest.mark.parametrize(("name", "daughters"), [("wprime-2prong", 2), ("wprime-3prong", 3)])
def test_the_daughters_decay_to_so_many_quarks(name, daughters):
    batch = next(batches(start(PROCESSES[name].lines(), 9), 20))
    first = batch.offsets[:-1][batch.event]
    mother = np.abs(batch.id[first + batch.mother1])
    quarks = (np.abs(batch.id) <= 4) & np.isin(mother, (9000001, 9000002)) & (np.abs(batch.status) == 23)
    assert np.bincount(batch.event[quarks], minlength=20).tolist() == [2 * daughters] * 20


@pytest.mark.parametrize(("name", "resonance", "children"), [("zprime-tt", 32, {6}), ("graviton-ww", 5100039, {24})])
def test_the_other_signals_decay_as_their_names_say(truth, name, resonance, children):
    batch = next(batches(start(PROCESSES[name].lines(), 9), 20))
    first = batch.offsets[:-1][batch.event]
    mother = np.abs(batch.id[first + batch.mother1])
    decay = np.abs(batch.id[(mother == resonance) & (np.abs(batch.id) != resonance)])
    assert set(decay) == children
    (mass,) = truth(name, resonance)
    assert abs(np.median(mass) - 3500) < 60


def test_muonic_z_bosons_leave_no_hard_electrons():
    batch = next(batches(start(PROCESSES["zz-4l"].lines(variant="muons"), 9), 20))
    hard = np.abs(batch.status) == 23
    assert set(np.abs(batch.id[hard & np.isin(np.abs(batch.id), (11, 13))])) == {13}

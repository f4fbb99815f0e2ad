"""Physics: peaks where they belong, efficiencies, missing momentum, and the real LHC Olympics file."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import vector

from cmslabs.data.lhco import read_particles
from cmslabs.features.clustering import cluster_jets

pytestmark = pytest.mark.slow


def column(events, name):
    return ak.to_numpy(events.table[name])


def light_and_heavy(events):
    masses = np.stack([column(events, "mj1"), column(events, "mj2")])
    return np.median(masses.min(axis=0)), np.median(masses.max(axis=0))


def window(values, low, high):
    return float(np.mean((values > low) & (values < high)))


def four_momenta(leptons):
    return vector.zip({name: leptons[name] for name in ("pt", "eta", "phi", "mass")})


def dimuon_mass(events):
    muon = four_momenta(events.Muon)
    return ak.to_numpy((muon[:, 0] + muon[:, 1]).mass)


@pytest.fixture(scope="module")
def qcd(generated):
    return generated("qcd-dijets", 400)


def test_background_passes_the_trigger_as_often_as_measured_before(qcd):
    _, record = qcd
    efficiency = record["kept"] / record["tried"]
    error = np.sqrt(efficiency * (1 - efficiency) / record["tried"])
    # 0.4285 +- 0.0016 in the bundled sample; 0.41 was measured before with another light detector.
    assert abs(efficiency - 0.4285) < 3 * error
    assert abs(efficiency - 0.41) < 3 * error
    assert error < 0.02


def test_the_trigger_is_what_it_says(qcd):
    events, _ = qcd
    pt = np.hypot(column(events, "pxj1"), column(events, "pyj1"))
    assert pt.min() > 1200
    assert np.abs(np.arcsinh(column(events, "pzj1") / pt)).max() < 2.5
    # The spectrum falls steeply: half of the events lie in the first tenth above the threshold.
    assert window(pt, 1200, 1320) > 0.4


def test_mass_of_two_jets(qcd, generated):
    background = column(qcd[0], "mjj")
    signal = column(generated("wprime-2prong", 300)[0], "mjj")
    assert abs(np.median(signal) - 3500) < 50
    assert window(signal, 3300, 3700) == pytest.approx(0.78, abs=0.08)
    assert window(background, 3300, 3700) == pytest.approx(0.137, abs=4 * np.sqrt(0.137 * 0.863 / 400))


def test_jets_of_the_signal_have_the_masses_of_its_daughters(qcd, generated):
    light, heavy = light_and_heavy(generated("wprime-2prong", 300)[0])
    assert light == pytest.approx(103, abs=8)
    assert heavy == pytest.approx(497, abs=8)
    assert light_and_heavy(qcd[0])[1] < 300


def test_two_and_three_prongs_look_like_it(qcd, generated):
    """tau21 falls for two prongs, tau32 for three; QCD has neither."""
    median = {}
    for name, events in {
        "qcd": qcd[0],
        "2": generated("wprime-2prong", 300)[0],
        "3": generated("wprime-3prong", 300)[0],
    }.items():
        ratio = {}
        for jet in ("j1", "j2"):
            for n in (2, 3):
                ratio[n, jet] = column(events, f"tau{n}{jet}") / column(events, f"tau{n - 1}{jet}")
        median[name] = {n: np.median(ratio[n, "j1"] + ratio[n, "j2"]) for n in (2, 3)}
    assert median["2"][2] < 0.7 * median["qcd"][2]
    assert median["3"][3] < 0.9 * median["2"][3]


def test_missing_momentum_is_larger_where_there_are_neutrinos(qcd, generated):
    top = generated("zprime-tt", 200)[0]
    assert np.median(column(qcd[0], "met")) < 0.6 * np.median(column(top, "met"))
    assert window(column(qcd[0], "met"), 300, np.inf) < 0.1 < window(column(top, "met"), 300, np.inf)


def test_z_jpsi_and_upsilon(generated):
    z = dimuon_mass(generated("drell-yan", 100, variant="z-peak")[0])
    z = z[(z > 80) & (z < 100)]
    assert abs(np.median(z) - 90.9) < 1.0  # radiated photons pull it below 91.2
    assert 2 < z.std() < 4
    for name, n, mass, width in (("jpsi", 20, 3.097, 0.2), ("upsilon", 25, 9.46, 0.25)):
        found = dimuon_mass(generated(name, n)[0])
        peak = found[np.abs(found - mass) < width]
        assert len(peak) > 0.5 * n, name
        assert abs(np.median(peak) - mass) < 0.02 * mass, name
        # The detector, not nature, makes these peaks wide: about 1 % of the mass.
        assert 0.003 < peak.std() / mass < 0.03, name


def test_higgs_and_z_pairs(generated):
    for name, low, high in (("higgs-4l", 120, 128), ("zz-4l", 180, 1000)):
        events = generated(name, 60)[0]
        both = [four_momenta(events[kind]) for kind in ("Muon", "Electron")]
        leptons = ak.concatenate(both, axis=1)
        leptons = leptons[ak.argsort(leptons.pt, ascending=False)][:, :4]
        mass = ak.to_numpy(ak.sum(leptons, axis=1).mass)
        assert window(mass, low, high) > 0.6, name
    assert ak.mean(events.MET_pt) < 30


def test_efficiencies_of_leptons(generated):
    """29 % of Drell-Yan events have two muons in acceptance, 25 % of ZZ four leptons: ours reach a little further."""
    for name, n, expected in (("drell-yan", 60, 0.29), ("zz-4l", 60, 0.31)):
        _, record = generated(name, n)
        efficiency = record["kept"] / record["tried"]
        assert abs(efficiency - expected) < 4 * np.sqrt(expected * (1 - expected) / record["tried"]), name


def test_against_the_real_lhc_olympics_file(real_data, qcd, generated):
    """Two different programs with the same physics; our detector ends at abs(eta) = 2.5, theirs at 5."""
    real = read_particles(real_data / "lhco" / "events_anomalydetection_tiny.h5")
    masses = ak.to_numpy(cluster_jets(real.particles).mass[:, :2])
    label, count = ak.to_numpy(real.label), ak.to_numpy(ak.num(real.particles))
    particles = {
        mpi: generated("qcd-dijets", 150, mpi=mpi, content=("particles",))[0].particles for mpi in (False, True)
    }
    ours = {mpi: np.median(ak.num(found)) for mpi, found in particles.items()}

    # The median of 907 real and 400 simulated events is known to about 4 GeV.
    light, heavy = light_and_heavy(qcd[0])
    assert light == pytest.approx(np.median(masses[label == 0].min(axis=1)), rel=0.15)
    assert heavy == pytest.approx(np.median(masses[label == 0].max(axis=1)), rel=0.20)
    assert ours[False] == pytest.approx(np.median(count[label == 0]), rel=0.10)
    # Multi-parton interactions are why the original is made without them.
    assert ours[True] > 1.25 * np.median(count[label == 0])

    light, heavy = light_and_heavy(generated("wprime-2prong", 300)[0])
    assert light == pytest.approx(np.median(masses[label == 1].min(axis=1)), rel=0.07)
    assert heavy == pytest.approx(np.median(masses[label == 1].max(axis=1)), rel=0.02)

"""The bundled samples of both worlds side by side: pile-up, the momentum scale, and the yield of the pseudo-data."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest
import uproot
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from cmslabs.data.catalog import samples_folder
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.simulation.samples import RUNS
from cmslabs.simulation.worlds import PSEUDO_DATA, SIMULATION

FOLDER = samples_folder()


def fired(events):
    """Which events fired one of the paths of the pseudo-data's primary data set."""
    return np.any([events.HLT[path.removeprefix("HLT_")] for path in PSEUDO_DATA.recorded], axis=0)


def test_pileup_of_the_sample_reaches_vertices_and_isolation():
    events = read_nanoaod(FOLDER / "dimuon.root")
    true, vertices = ak.to_numpy(events.Pileup.nTrueInt), ak.to_numpy(events.PV.npvs)
    profile = np.bincount(true.astype(int), minlength=100) / len(true)
    assert np.abs(np.cumsum(profile) - np.cumsum(SIMULATION.pileup_profile())).max() < 1.63 / np.sqrt(len(true))
    slope, offset = np.polyfit(true, vertices, 1)
    assert slope == pytest.approx(0.7, abs=0.03)
    assert offset == pytest.approx(1.0, abs=0.6)
    soft = events.Muon[(events.Muon.pt > 5) & (events.Muon.pt < 15)]
    failing = [ak.mean(ak.flatten(soft.pfRelIso04_all[part]) > 0.25) for part in (true < 19, true > 27)]
    assert failing[1] > failing[0] + 0.05


def test_weights_by_the_true_profiles_make_the_vertices_of_the_pseudo_data():
    """Drell-Yan events that fired a trigger, weighted by the ratio of both profiles, against the pseudo-data."""
    simulated = read_nanoaod(FOLDER / "dimuon.root")
    data = read_nanoaod(FOLDER / "pseudo-dimuon.root")
    simulated = simulated[fired(simulated)]
    true = ak.to_numpy(simulated.Pileup.nTrueInt).astype(int)
    ratio = PSEUDO_DATA.pileup_profile() / np.maximum(SIMULATION.pileup_profile(), 1e-300)
    weight = ratio[true]
    found, wanted = ak.to_numpy(simulated.PV.npvs), ak.to_numpy(data.PV.npvs)
    assert abs(found.mean() - wanted.mean()) > 2.5
    mean = np.average(found, weights=weight)
    error = np.sqrt(np.sum((weight * (found - mean)) ** 2)) / weight.sum()
    assert abs(mean - wanted.mean()) < 3 * np.hypot(error, wanted.std() / np.sqrt(len(wanted)))
    n_effective = weight.sum() ** 2 / np.sum(weight**2)
    assert n_effective > 0.4 * len(weight)


def z_peak(events):
    """Position and error [GeV] of the Z peak: a Gaussian fit to its core, by maximum likelihood."""
    pair = events.Muon[:, 0] + events.Muon[:, 1]
    mass = ak.to_numpy(pair.mass)
    low, high, width = 86.0, 96.0, 2.4
    core = mass[(mass > low) & (mass < high)]

    def cost(center):
        area = norm.cdf((high - center) / width) - norm.cdf((low - center) / width)
        return 0.5 * np.mean((core - center) ** 2) / width**2 + np.log(area)

    center = minimize_scalar(cost, bounds=(88, 94), method="bounded").x
    step = 0.05
    curvature = (cost(center + step) - 2 * cost(center) + cost(center - step)) / step**2
    return center, 1 / np.sqrt(curvature * len(core))


def test_the_momentum_scale_is_seen_in_the_z_peak():
    """0.2 % of 91 GeV is 0.18 GeV: the peak of the pseudo-data lies higher by that."""
    peaks = [z_peak(read_nanoaod(FOLDER / name, ["Muon"])) for name in ("pseudo-dimuon.root", "dimuon.root")]
    shift = peaks[0][0] - peaks[1][0]
    error = np.hypot(peaks[0][1], peaks[1][1])
    # Precise enough to tell the shift from none.
    assert error < 0.09
    assert abs(shift - 0.002 * peaks[1][0]) < 3 * error


def test_the_pseudo_data_have_the_yield_of_their_luminosity():
    """Pairs above 12 GeV in certified sections, against L x sigma x efficiency of the simulated Drell-Yan events."""
    taking, counts = RUNS["pseudo-dimuon"], {}
    for name in ("dimuon.root", "pseudo-dimuon.root"):
        events = read_nanoaod(FOLDER / name)
        heavy = ak.to_numpy((events.Muon[:, 0] + events.Muon[:, 1]).mass) > 12
        if name == "dimuon.root":
            with uproot.open(FOLDER / name) as file:
                part = json.loads(str(file["cmslabs"]))["details"]["composition"]["drell-yan"]
            counts[name] = np.sum(fired(events) & heavy & ak.to_numpy(events.simProcess == 0))
        else:
            counts[name] = np.sum(heavy & taking.is_certified(ak.to_numpy(events.luminosityBlock)))
    scale = 1000 * taking.luminosity_fb * part["sigma_pb"] / part["tried"]
    expected, error = scale * counts["dimuon.root"], scale * np.sqrt(counts["dimuon.root"])
    assert abs(counts["pseudo-dimuon.root"] - expected) < 3.5 * np.hypot(error, np.sqrt(expected))

"""The corrections of the bundled samples: made again from them, compared with the truth, and tried on them."""

from __future__ import annotations

import gzip
import importlib.util
import json
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from scipy.stats import chi2

from cmslabs.data.fileset import load_fileset
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.errors import ConfigError
from cmslabs.io import Provenance, sha256
from cmslabs.objects.golden import GoldenRuns
from cmslabs.selection import correction_set as module
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.correction_json import PILEUP_NAME, write_set
from cmslabs.selection.correction_set import MUON_CUTS, make_corrections, pileup_weights
from cmslabs.selection.corrections import Corrections
from cmslabs.selection.efficiency import ABSETA_EDGES, PT_EDGES
from cmslabs.selection.pileup import pileup_closure
from cmslabs.selection.weights import event_weights
from cmslabs.simulation.worlds import PSEUDO_DATA, SIMULATION

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = Path(str(files("cmslabs.data") / "filesets" / "samples-corrections.json.gz"))
FILESETS = ("samples-dimuon", "samples-fourlepton")
MEDIUM = "NUM_MediumID_DEN_TrackerMuons"
CENTRES = [(low + high) / 2 for low, high in pairwise(ABSETA_EDGES)]
PTS = [(low + high) / 2 for low, high in pairwise(PT_EDGES)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "again.json.gz"
    return path, make_corrections(path)


@pytest.fixture(scope="module")
def corrections():
    return Corrections.load(BUNDLED)


def simulated_file(fileset):
    return next(one.files[0].path for one in load_fileset(fileset).datasets.values() if one.kind == "simulation")


def factors(corrections, name, key):
    """A map of scale factors as an array, shape (n_abseta, n_pt)."""
    eta, pt = np.meshgrid(CENTRES, PTS, indexing="ij")
    values = corrections.known[name](abseta=eta.ravel(), pt=pt.ravel(), scale_factors=key)
    return values.reshape(eta.shape)


def test_the_bundled_file_is_what_the_samples_give(made):
    """If this fails the samples or the code have changed: make corrections."""
    again, bundled = (json.loads(gzip.decompress(path.read_bytes())) for path in (made[0], BUNDLED))
    assert again["description"] == bundled["description"]
    assert again == bundled


def test_the_same_content_gives_the_same_bytes(made, tmp_path):
    content = json.loads(gzip.decompress(made[0].read_bytes()))
    write_set(tmp_path / "other-name.json.gz", content)
    raw = (tmp_path / "other-name.json.gz").read_bytes()
    assert raw == made[0].read_bytes()
    assert raw[3] == 0, "no file name in the header"
    assert raw[4:8] == bytes(4), "no time in the header"
    assert len(raw) < 20_000


def test_the_report_names_every_factor(made):
    lines = made[1]
    assert "events of pseudo-data" in lines[0]
    assert [line for line in lines if line in MUON_CUTS] == list(MUON_CUTS)
    assert len(lines) == 1 + len(MUON_CUTS) * (1 + len(CENTRES) * len(PTS))


def test_it_says_where_it_comes_from():
    content = json.loads(gzip.decompress(BUNDLED.read_bytes()))
    record = Provenance.model_validate_json(content["description"])
    assert record.simulation
    assert record.script == "data_scripts/make_corrections.py"
    fileset = load_fileset("samples-dimuon")
    for kind, paths in (("data", set()), ("simulation", set())):
        paths |= {Path(file.path) for one in fileset.datasets.values() if one.kind == kind for file in one.files}
        assert record.details[kind] == {path.name: sha256(path) for path in paths}
    assert record.details["worlds"] == json.loads(
        json.dumps({"data": PSEUDO_DATA.record(), "simulation": SIMULATION.record()})
    )


def test_correctionlib_accepts_it():
    from correctionlib import schemav2

    content = json.loads(gzip.decompress(BUNDLED.read_bytes()))
    checked = schemav2.CorrectionSet.model_validate(content)
    assert [one.name for one in checked.corrections] == [PILEUP_NAME, *MUON_CUTS]


@pytest.mark.parametrize("fileset", FILESETS)
def test_filesets_use_it(fileset):
    loaded = load_fileset(fileset)
    assert Path(loaded.corrections) == BUNDLED
    for analysis in ("dimuon", "four-lepton", "four-muon"):
        Corrections.load(loaded.corrections).chosen(load_analysis(analysis))


# --- against the truth --------------------------------------------------------------------------------------------


def test_identification_against_the_truth(corrections):
    """Pulls of the measured scale factors against the efficiencies that the worlds were made with."""
    centres = np.array(CENTRES)
    truth = (PSEUDO_DATA.medium_id_efficiency(centres) / SIMULATION.medium_id_efficiency(centres))[:, None]
    pulls = (factors(corrections, MEDIUM, "nominal") - truth) / factors(corrections, MEDIUM, "stat")
    assert chi2.sf(np.sum(pulls**2), pulls.size) > 1e-3
    assert chi2.cdf(np.sum(pulls**2), pulls.size) > 1e-3, "errors far too large"
    # The worlds do differ, and these errors are small enough to see it: a map of ones would be wrong.
    no_factor = (factors(corrections, MEDIUM, "nominal") - 1) / factors(corrections, MEDIUM, "stat")
    assert chi2.sf(np.sum(no_factor**2), pulls.size) < 0.05


@pytest.mark.parametrize("name", [name for name in MUON_CUTS if name != MEDIUM])
def test_isolation_is_the_same_once_pileup_is(corrections, name):
    nominal = factors(corrections, name, "nominal")
    pulls = (nominal - 1) / (factors(corrections, name, "systup") - nominal)
    assert chi2.sf(np.sum(pulls**2), pulls.size) > 1e-3


@pytest.mark.parametrize("name", MUON_CUTS)
def test_up_and_down_are_both_errors_in_quadrature(corrections, name):
    nominal, stat, syst, up, down = (
        factors(corrections, name, key) for key in ("nominal", "stat", "syst", "systup", "systdown")
    )
    assert (stat > 0).all()
    np.testing.assert_allclose(up - nominal, np.hypot(stat, syst), atol=3e-5)
    np.testing.assert_allclose(nominal - down, np.hypot(stat, syst), atol=3e-5)


def test_pileup_weights_have_the_mean_one(corrections):
    simulated = SIMULATION.pileup_profile()
    varied = corrections.pileup(np.arange(len(simulated), dtype=float))
    for values in (varied.nominal, varied.up, varied.down):
        assert np.sum(simulated * values) == pytest.approx(1.0, abs=1e-5)
    numbers = np.arange(len(simulated))
    means = [np.sum(numbers * simulated * one) for one in (varied.down, varied.nominal, varied.up)]
    assert means == pytest.approx([28 * 0.954, 28.0, 28 * 1.046], rel=1e-3)


# --- on the bundled samples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fileset", FILESETS)
def test_pileup_closes_on_the_bundled_simulation(fileset):
    n_true = ak.to_numpy(read_nanoaod(simulated_file(fileset), ["Pileup.nTrueInt"])["Pileup", "nTrueInt"])
    weights = pileup_weights()["nominal"][n_true.astype(int)]
    closure = pileup_closure(n_true, weights, PSEUDO_DATA.pileup_profile())
    assert closure.p_value > 1e-3
    assert abs(closure.normalisation - 1) < 4 * closure.normalisation_error
    assert pileup_closure(n_true, np.ones(len(n_true)), PSEUDO_DATA.pileup_profile()).p_value < 1e-12


@pytest.fixture(scope="module")
def peak(corrections):
    """Z -> mu mu of the bundled files, with weights: number of vertices, isolations, abs(eta), weights."""
    fileset, analysis = load_fileset("samples-dimuon"), load_analysis("dimuon")
    found = {}
    for kind in ("data", "simulation"):
        paths = {file.path for one in fileset.datasets.values() if one.kind == kind for file in one.files}
        assert len(paths) == 1
        names = ["Muon", "PV.npvs", "HLT"]
        names += [] if kind == "data" else ["Pileup", "genWeight", "L1PreFiringWeight"]
        events = read_nanoaod(paths.pop(), names)
        good = np.any([ak.to_numpy(events["HLT", path]) for path in analysis.triggers["DoubleMuon"]["default"]], axis=0)
        if kind == "data":
            good &= GoldenRuns.read(fileset.golden_json).mask(events.run, events.luminosityBlock)
        muon = events.Muon[(events.Muon.pt > 15) & events.Muon.mediumId]
        good &= ak.to_numpy(ak.num(muon) == 2)
        first, second = muon[good][:, 0], muon[good][:, 1]
        mass = np.sqrt(2 * first.pt * second.pt * (np.cosh(first.eta - second.eta) - np.cos(first.phi - second.phi)))
        inside = ak.to_numpy((abs(mass - 91) < 10) & (first.charge != second.charge))
        events, muon = events[good][inside], muon[good][inside]
        weights = event_weights(events, analysis, corrections, muon, kind)
        found[kind] = (ak.to_numpy(events.PV.npvs), muon, weights)
    return found


def shape_p_value(one, other):
    """p-value of two histograms (yields, errors), the first scaled to the second."""
    scale = other[0].sum() / one[0].sum()
    value = np.sum((scale * one[0] - other[0]) ** 2 / ((scale * one[1]) ** 2 + other[1] ** 2))
    return chi2.sf(value, len(one[0]) - 1)


def histogram(values, edges, weights):
    return tuple(
        np.histogram(values, edges, weights=one)[0] ** power for one, power in ((weights, 1), (weights**2, 0.5))
    )


def test_pileup_weights_repair_the_number_of_vertices(peak):
    edges = np.array([0, 10, 13, 15, 17, 19, 21, 24, 60])
    npvs, _, weights = peak["simulation"]
    data = histogram(peak["data"][0], edges, peak["data"][2].nominal)
    assert (data[0] > 25).all()
    assert shape_p_value(histogram(npvs, edges, weights.nominal), data) > 1e-3
    without = weights.nominal / weights.steps["pileup"]
    assert shape_p_value(histogram(npvs, edges, without), data) < 1e-12


def test_isolation_agrees_once_pileup_does(peak):
    """Pile-up makes the isolation worse in the simulation; with weights it is as in the pseudo-data.

    The difference that the weights make is smaller than what this few pseudo-data can tell.
    """
    edges = np.array([0.0, 0.02, 0.05, 0.08, 0.12, 0.18, 0.4])
    npvs, muon, weights = peak["simulation"]
    isolation = ak.to_numpy(muon.pfRelIso04_all[:, 1])
    _, data_muon, data_weights = peak["data"]
    data = histogram(ak.to_numpy(data_muon.pfRelIso04_all[:, 1]), edges, data_weights.nominal)
    assert shape_p_value(histogram(isolation, edges, weights.steps["pileup"]), data) > 1e-3
    much = npvs > np.median(npvs)
    assert isolation[much].mean() > isolation[~much].mean()


# --- the script ---------------------------------------------------------------------------------------------------


@pytest.fixture
def script():
    place = ROOT / "data_scripts" / "make_corrections.py"
    specification = importlib.util.spec_from_file_location("script_make_corrections", place)
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded


def test_script_writes_and_reports(script, made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["make_corrections.py", "--out", str(tmp_path / "x.json.gz")])
    assert script.main() == 0
    assert (tmp_path / "x.json.gz").read_bytes() == made[0].read_bytes()
    assert capsys.readouterr().out.splitlines()[1:] == made[1][1:]


def test_script_says_what_is_missing(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "FILESET", "cms-2016")
    monkeypatch.setattr("sys.argv", ["make_corrections.py", "--out", str(tmp_path / "x.json.gz")])
    assert script.main() == 2
    assert "make samples" in capsys.readouterr().err
    assert not (tmp_path / "x.json.gz").exists()
    with pytest.raises(ConfigError, match="there is no data"):
        make_corrections(tmp_path / "x.json.gz")

"""Files of corrections: both official conventions, rules outside of the maps, and what is wrong with a file."""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from correction_makers import (
    ETA_EDGES,
    LOOSE_ISO,
    MEDIUM,
    PILEUP,
    PT_EDGES,
    muon_correction,
    official,
    pileup_correction,
    pileup_weight,
    scale_factor,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.errors import CmslabsError, ConfigError, DataError, MissingExtraError
from cmslabs.objects.cuts import MuonCuts
from cmslabs.selection import correction_file
from cmslabs.selection.analysis import load_analysis
from cmslabs.selection.corrections import Corrections, MissingCorrectionError

CUTS = MuonCuts()


CONVENTIONS = {
    "abseta-pt-scale_factors": {},
    "year-abseta-pt-ValType": {"older": True},
    "eta-pt-scale_factors": {"angle": "eta"},
}


@pytest.fixture(scope="module", params=CONVENTIONS.values(), ids=CONVENTIONS)
def corrections(request, tmp_path_factory):
    return Corrections.load(official(tmp_path_factory.mktemp("pog") / "2016postVFP_UL", **request.param))


def slow_factor(pt, eta):
    """Nominal, up, down and the two counts, muon by muon."""
    rows, below, above = [], 0, 0
    for one_pt, one_eta in zip(pt, eta, strict=True):
        i = max(k for k, edge in enumerate(ETA_EDGES) if edge <= abs(one_eta))
        j = min(max([k for k, edge in enumerate(PT_EDGES) if edge <= one_pt], default=0), len(PT_EDGES) - 2)
        nominal, up, down = (scale_factor(i, j, key) for key in ("nominal", "systup", "systdown"))
        if one_pt < PT_EDGES[0]:
            below += 1
            up, down = nominal + 2 * (up - nominal), nominal - 2 * (nominal - down)
        above += one_pt >= PT_EDGES[-1]
        rows.append((nominal, up, down))
    return np.array(rows).reshape(-1, 3).T, below, above


@settings(deadline=None)
@given(muons=st.lists(st.tuples(st.floats(0.1, 500), st.floats(-2.399, 2.399)), max_size=40))
def test_muons_against_a_slow_oracle(corrections, muons):
    pt, eta = np.array(muons, dtype=float).reshape(-1, 2).T
    for found in (corrections.muon_id(CUTS, pt, eta), corrections.muon_iso(CUTS, pt, eta)):
        wanted, below, above = slow_factor(pt, eta)
        np.testing.assert_allclose([found.nominal, found.up, found.down], wanted, rtol=1e-12)
        assert found.counts == {"below_pt": below, "above_pt": above}


def test_edges_of_the_map(corrections):
    """Just below 15 GeV the uncertainty doubles, at 15 it does not; 120 GeV and more are the last bin."""
    pt = np.array([14.999, 15.0, 119.9, 120.0, 1e6])
    found = corrections.muon_id(CUTS, pt, np.zeros(5))
    np.testing.assert_allclose((found.up - found.nominal)[:2] / 0.003, [2.0, 1.0], rtol=1e-9)
    np.testing.assert_allclose((found.nominal - found.down)[:2] / 0.003, [2.0, 1.0], rtol=1e-9)
    assert found.nominal[0] == found.nominal[1]
    assert len(set(found.nominal[2:])) == 1
    assert found.counts == {"below_pt": 1, "above_pt": 2}


def test_eta_keeps_its_sign_where_the_file_asks_for_it(tmp_path):
    """A map in eta may differ on both sides; one that starts at 0 means abs(eta) whatever it is called."""
    signed, unsigned = json.loads(json.dumps(muon_correction(angle="eta"))), muon_correction()
    signed["data"]["content"][3]["content"][0]["content"][0]["value"] = 0.5
    unsigned["data"]["input"] = unsigned["inputs"][0]["name"] = "eta"
    pt, eta = np.array([16.0, 16.0]), np.array([-0.1, 0.1])
    found = Corrections.load(write(tmp_path / "signed.json", signed)).muon_id(CUTS, pt, eta).nominal
    assert found.tolist() == [0.5, scale_factor(0, 0, "nominal")]
    found = Corrections.load(write(tmp_path / "unsigned.json", unsigned)).muon_id(CUTS, pt, eta).nominal
    assert found.tolist() == [scale_factor(0, 0, "nominal")] * 2


def test_infinite_last_edge(tmp_path):
    """Newer official files end at "inf"."""
    path = write(tmp_path / "muon_Z.json", muon_correction(last_pt="inf"))
    found = Corrections.load(path).muon_id(CUTS, np.array([1e5]), np.array([0.0]))
    assert found.nominal[0] == scale_factor(0, len(PT_EDGES) - 2, "nominal")
    assert found.counts == {"below_pt": 0, "above_pt": 0}


@settings(deadline=None)
@given(numbers=st.lists(st.floats(-3, 120), max_size=30))
def test_pileup_against_a_slow_oracle(corrections, numbers):
    found = corrections.pileup(np.array(numbers))
    inside = [min(max(int(np.floor(n)), 0), 98) for n in numbers]
    for key, values in (("nominal", found.nominal), ("up", found.up), ("down", found.down)):
        np.testing.assert_allclose(values, [pileup_weight(n, key) for n in inside], rtol=1e-12)
    assert found.counts == {"outside": sum(n < 0 or n >= 99 for n in numbers)}


def test_muons_beyond_the_map_are_an_error(corrections):
    with pytest.raises(DataError, match=r"1 muon\(s\) lie beyond abs\(eta\) = 2.4.*Set muons.eta"):
        corrections.muon_id(CUTS, np.array([30.0, 30.0]), np.array([0.0, -2.4]))


def test_the_analysis_is_checked_before_the_run(corrections):
    assert set(corrections.chosen(load_analysis("dimuon")).known) == {PILEUP, MEDIUM, LOOSE_ISO}
    assert set(corrections.chosen(load_analysis("dijet")).known) == {PILEUP}
    assert set(corrections.chosen(load_analysis("dimuon", ["muons.isolation=null"])).known) == {PILEUP, MEDIUM}
    assert not corrections.chosen(load_analysis("dimuon", ["weights=[genWeight, prefiring]"])).known
    with pytest.raises(ConfigError, match=r"ends at abs\(eta\) = 2.4, the muons of 'dimuon' at 2.5"):
        corrections.chosen(load_analysis("dimuon", ["muons.eta=2.5"]))
    with pytest.raises(MissingCorrectionError, match=r"NUM_TightID_DEN_TrackerMuons.*there are: NUM_MediumID"):
        corrections.chosen(load_analysis("dimuon", ["muons.id=tightId"]))
    with pytest.raises(ConfigError, match=r"isolation below 0.2 .*Choose from 0.25, 0.15"):
        corrections.chosen(load_analysis("dimuon", ["muons.isolation=0.2"]))


def test_no_cut_no_factor(corrections):
    pt, eta = np.array([30.0]), np.array([0.0])
    assert corrections.muon_id(MuonCuts(id=None, isolation=None), pt, eta) is None
    assert corrections.muon_iso(MuonCuts(isolation=None), pt, eta) is None


def test_names_follow_the_cuts(tmp_path):
    names = {
        ("looseId", 0.25): ("NUM_LooseID_DEN_TrackerMuons", "NUM_LooseRelIso_DEN_LooseID"),
        ("tightId", 0.15): ("NUM_TightID_DEN_TrackerMuons", "NUM_TightRelIso_DEN_TightIDandIPCut"),
    }
    for (identification, isolation), wanted in names.items():
        path = write(tmp_path / "muon_Z.json", *(muon_correction(name) for name in wanted))
        chosen = load_analysis(
            "dimuon", [f"muons.id={identification}", f"muons.isolation={isolation}", "weights=[muon]"]
        )
        assert tuple(Corrections.load(path).chosen(chosen).known) == wanted


def test_they_travel_to_workers(corrections):
    pt, eta = np.array([3.0, 40.0]), np.array([0.1, -2.2])
    before = corrections.muon_id(CUTS, pt, eta)
    there = pickle.loads(pickle.dumps(corrections.chosen(load_analysis("dimuon"))))
    after = there.muon_id(CUTS, pt, eta)
    np.testing.assert_array_equal([before.nominal, before.up, before.down], [after.nominal, after.up, after.down])


def test_files_and_folders(tmp_path):
    folder = official(tmp_path / "folder")
    paths = [folder / "muon_Z.json.gz", folder / "puWeights.json.gz"]
    for source in (folder, str(folder), paths, [paths[0], paths[1], paths[0]]):
        loaded = Corrections.load(source)
        assert set(loaded.known) == {PILEUP, MEDIUM, LOOSE_ISO}
        assert set(loaded.files) == {str(path) for path in paths}
        assert {len(digest) for digest in loaded.files.values()} == {64}
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no \.json or \.json\.gz file"):
        Corrections.load(tmp_path / "empty")
    # As in the official folders, where muon_JPsi has the same names.
    write(folder / "muon_JPsi.json.gz", muon_correction(MEDIUM))
    with pytest.raises(DataError, match=rf"'{MEDIUM}' stands there and in .*muon_JPsi.*one by one"):
        Corrections.load(folder)


def test_pileup_of_two_periods_is_ambiguous(tmp_path):
    both = [pileup_correction(), pileup_correction("Collisions17_UltraLegacy_goldenJSON")]
    with pytest.raises(ConfigError, match="several corrections of pile-up"):
        Corrections.load(write(tmp_path / "pu.json", *both)).pileup(np.array([20.0]))


def broken(change):
    content = {"schema_version": 2, "corrections": [muon_correction()]}
    change(content)
    return json.dumps(content)


MALFORMED = {
    "not JSON": "{",
    "a list": "[]",
    "empty": "",
    "deep": "[" * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
    "NaN": broken(lambda c: c["corrections"][0].update(version=float("nan"))),
    "version 1": broken(lambda c: c.update(schema_version=1)),
    "no version": broken(lambda c: c.pop("schema_version")),
    "corrections are a number": broken(lambda c: c.update(corrections=3)),
    "a correction is a text": broken(lambda c: c.update(corrections=["x"])),
    "no name": broken(lambda c: c["corrections"][0].pop("name")),
    "no data": broken(lambda c: c["corrections"][0].pop("data")),
    "inputs are a text": broken(lambda c: c["corrections"][0].update(inputs="abseta")),
    "data is a text": broken(lambda c: c["corrections"][0].update(data="x")),
    "unknown node": broken(lambda c: c["corrections"][0]["data"].update(nodetype="python")),
    "edges fall": broken(lambda c: c["corrections"][0]["data"].update(edges=[2.4, 0.9, 1.2, 2.1, 0.0])),
    "edges are missing": broken(lambda c: c["corrections"][0]["data"].pop("edges")),
    "a bin too few": broken(lambda c: c["corrections"][0]["data"]["content"].pop()),
    "no input": broken(lambda c: c["corrections"][0].update(inputs=[])),
    "an input too many": broken(lambda c: c["corrections"][0]["inputs"].append({"name": "phi", "type": "real"})),
    "pt is a text": broken(lambda c: c["corrections"][0]["inputs"][1].update(type="string")),
    "other names": broken(lambda c: c["corrections"][0]["inputs"][0].update(name="theta")),
    "binned in what is no input": broken(lambda c: c["corrections"][0]["data"].update(input="eta")),
    "no up": broken(
        lambda c: [
            [leaf["content"].pop(3) for leaf in row["content"]] for row in c["corrections"][0]["data"]["content"]
        ]
    ),
    "two years": json.dumps(
        {"schema_version": 2, "corrections": [muon_correction(older=True, years=("2016", "2017"))]}
    ),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_get_an_error_with_a_remedy(tmp_path, text):
    path = tmp_path / "muon_Z.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CmslabsError) as caught:
        Corrections.load(path).muon_id(CUTS, np.array([30.0]), np.array([0.3]))
    assert caught.value.remedy
    assert "muon_Z.json" in str(caught.value)
    assert len(str(caught.value)) < 700


def test_without_correctionlib_the_error_names_the_extra(tmp_path, monkeypatch):
    loaded = Corrections.load(official(tmp_path / "pog"))
    monkeypatch.setitem(sys.modules, "correctionlib", None)
    with pytest.raises(MissingExtraError, match=r"cmslabs\[cms\]"):
        loaded.pileup(np.array([20.0]))


def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path):
    folder = official(tmp_path / "pog")
    code = (
        "import sys; from cmslabs.selection.weights import event_weights; "
        "from cmslabs.selection.corrections import Corrections; "
        f"Corrections.load({str(folder)!r}); "
        "print(sorted({'correctionlib', 'coffea', 'dask'} & set(sys.modules)))"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"


def test_files_that_are_no_files(tmp_path):
    (tmp_path / "code.py").write_text("raise SystemExit")
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b"{}" * 1000)[:-20])
    (tmp_path / "plain.json.gz").write_text("{}")
    for name, wanted in (
        ("code.py", "is not named .json"),
        ("cut.json.gz", "cannot be unpacked"),
        ("plain.json.gz", "cannot be unpacked"),
        ("missing.json", "no such file"),
    ):
        with pytest.raises(DataError, match=wanted):
            Corrections.load(tmp_path / name)


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(correction_file, "MAX_BYTES", 1 << 20)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b" " * (1 << 22)))
    with pytest.raises(DataError, match="larger than 1 MiB unpacked"):
        Corrections.load(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_input_that_is_no_number(corrections, bad):
    for evaluate in (
        lambda: corrections.pileup(np.array([20.0, bad])),
        lambda: corrections.muon_id(CUTS, np.array([20.0, bad]), np.zeros(2)),
        lambda: corrections.muon_iso(CUTS, np.array([20.0, 30.0]), np.array([0.0, bad])),
    ):
        with pytest.raises(DataError) as caught:
            evaluate()
        assert caught.value.remedy
        assert not np.isnan(bad) or "not finite for 1 of 2 values, first at 1" in str(caught.value)


def test_an_infinite_value_in_the_file(tmp_path):
    correction = pileup_correction()
    correction["data"]["content"][0]["value"]["content"][20] = 1e999
    path = tmp_path / "pu.json"
    path.write_text(json.dumps({"schema_version": 2, "corrections": [correction]}))
    with pytest.raises(DataError, match="Infinity is not allowed"):
        Corrections.load(path)
    path.write_text(path.read_text().replace("Infinity", "1e999"))
    with pytest.raises(DataError):
        Corrections.load(path).pileup(np.array([20.0]))

"""The CMS education tables, real ones and broken ones."""

import csv
import math

import awkward as ak
import numpy as np
import pytest

from cmslabs.data.cms_csv import LEPTON_MASS, is_cms_csv, read_cms_csv
from cmslabs.errors import DataError, MissingBranchError

HEADER = "Run,Event,pt1,eta1,phi1,Q1,pt2,eta2,phi2,Q2"
ROW = "1,2,40.5,0.1,3.0,1,20.25,-0.5,-3.0,-1"


def write(tmp_path, *lines):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def slow_mass(leptons):
    """Invariant mass from the textbook formula, one lepton at a time."""
    total = [0.0, 0.0, 0.0, 0.0]
    for pt, eta, phi, mass in leptons:
        p = (pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta))
        total = [a + b for a, b in zip(total, (math.sqrt(sum(x * x for x in p) + mass**2), *p), strict=True)]
    return math.sqrt(total[0] ** 2 - sum(x * x for x in total[1:]))


def summed(leptons):
    return ak.sum(leptons, axis=1)


@pytest.mark.parametrize(
    ("name", "events", "leptons"),
    [("Zmumu_Run2011A", 10583, 2), ("peakdata6", 4106, 2), ("4mu_2011", 18, 4), ("4mu_2012", 95, 4)],
)
def test_real_tables(real_data, name, events, leptons):
    path = real_data / "cms-csv" / f"{name}.csv"
    assert is_cms_csv(path)
    read = read_cms_csv(path)
    assert len(read) == events
    assert ak.all(ak.num(read.Muon) == leptons)
    assert ak.all(read.Muon.pt[:, :-1] >= read.Muon.pt[:, 1:])
    with open(path) as file:
        rows = list(csv.DictReader(file))[:50]
    mass = LEPTON_MASS[13]
    for row, muons in zip(rows, read.Muon, strict=False):
        wanted = [
            (float(row[f"pt{i}"]), float(row[f"eta{i}"]), float(row[f"phi{i}"]), int(row[f"Q{i}"]))
            for i in range(1, leptons + 1)
        ]
        found = [(m["pt"], m["eta"], m["phi"], m["charge"]) for m in muons.tolist()]
        assert sorted(found) == sorted(wanted)
        by_hand = slow_mass([(*w[:3], mass) for w in wanted])
        assert ak.sum(muons).mass == pytest.approx(by_hand, rel=1e-6)


def test_known_peaks(real_data):
    z = read_cms_csv(real_data / "cms-csv" / "Zmumu_Run2011A.csv")
    mass = ak.to_numpy(summed(z.Muon).mass)
    counts, edges = np.histogram(mass, bins=60, range=(60, 120))
    assert edges[counts.argmax()] == pytest.approx(91, abs=1.5)
    psi = read_cms_csv(real_data / "cms-csv" / "peakdata6.csv")
    # The table's own M agrees with the muon mass to its rounding; the mass from E, px, py, pz does not.
    assert np.median(np.abs(summed(psi.Muon).mass - psi.M)) < 0.002
    higgs = read_cms_csv(real_data / "cms-csv" / "4mu_2012.csv")
    assert np.median(np.abs(summed(higgs.Muon).mass - higgs.M)) < 0.01
    assert {"mZ1", "mZ2"} <= set(higgs.fields)


def test_event_numbers_that_overflowed(real_data):
    events = read_cms_csv(real_data / "cms-csv" / "4mu_2011.csv")
    with open(real_data / "cms-csv" / "4mu_2011.csv") as file:
        stored = [int(row["Event"]) for row in csv.DictReader(file)]
    assert min(stored) < 0
    assert events.event.tolist() == [number % 2**32 for number in stored]


def test_leptons_by_particle_number(tmp_path):
    path = write(tmp_path, "Run,Event,PID1,pt1,eta1,phi1,Q1,PID2,pt2,eta2,phi2,Q2", "1,1,13,5,0,0,-1,-11,9,0,1,1")
    events = read_cms_csv(path)
    assert events.Muon.pdgId.tolist() == [[13]]
    assert events.Electron.pdgId.tolist() == [[-11]]
    assert events.Electron.mass[0, 0] == pytest.approx(0.000511, rel=1e-4)
    assert events.Muon.number.tolist() == [[1]]


def test_the_caller_may_say_electrons(tmp_path):
    events = read_cms_csv(write(tmp_path, HEADER, ROW), lepton="electron")
    assert events.fields == ["run", "event", "Electron"]
    assert events.Electron.pdgId.tolist() == [[-11, 11]]


def test_no_rows(tmp_path):
    events = read_cms_csv(write(tmp_path, HEADER))
    assert len(events) == 0
    assert events.fields == ["run", "event", "Muon"]
    assert "mass" in events.Muon.fields


@pytest.mark.parametrize(
    ("lines", "error", "reason"),
    [
        ((HEADER, ROW, "1,2,3"), DataError, "line 3: has 3 values where the header has 10 names"),
        ((HEADER, ROW + ",7"), DataError, "line 2: has 11 values"),
        ((HEADER, ROW.replace("40.5", "forty")), DataError, "'pt1' must hold numbers but has 'forty'"),
        ((HEADER, ROW.replace("40.5", "nan")), DataError, "'pt1' is not finite in 1 row"),
        ((HEADER, ROW.replace("40.5", "inf")), DataError, "'pt1' is not finite"),
        ((HEADER, ROW.replace("40.5", "")), DataError, "'pt1' is not finite"),
        ((HEADER, ROW, ROW.replace("20.25", "-20.25")), DataError, r"'pt2' is negative in 1 row\(s\), first in row 1"),
        ((HEADER, ROW.replace(",-1", ",-2")), DataError, r"'Q2' is neither \+1 nor -1"),
        ((HEADER.replace("eta2", "Eta2"), ROW), MissingBranchError, "no column 'eta2'.*Close names: Eta2"),
        ((HEADER.replace("Event", "Nr"), ROW), MissingBranchError, "no column 'Event'"),
        ((HEADER.replace("pt2", "pt1"), ROW), DataError, "'pt1' stands twice"),
        (("x,y", "1,2"), MissingBranchError, "no column 'Run'"),
        (("",), DataError, "no header line"),
        (
            ("Run,Event,PID1,pt1,eta1,phi1,Q1", "1,1,13,5,0,0,1"),
            DataError,
            "particle number 13 and the charge 1 do not belong",
        ),
    ],
)
def test_bad_tables(tmp_path, lines, error, reason):
    path = write(tmp_path, *lines)
    with pytest.raises(error, match=reason) as caught:
        read_cms_csv(path)
    assert "t.csv" in str(caught.value)


def test_unchecked(tmp_path):
    assert len(read_cms_csv(write(tmp_path, HEADER, ROW.replace("40.5", "-1")), check=False)) == 1
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="no header line of text"):
        read_cms_csv(binary)

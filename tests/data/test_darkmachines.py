"""Dark Machines events: generated lines against a slow reading of each."""

import math

import awkward as ak
import pytest
from file_makers import dark_machines_lines

from cmslabs.data.darkmachines import OBJECTS, is_dark_machines, iterate_darkmachines, read_darkmachines
from cmslabs.errors import ConfigError, DataError

LINE = (
    "7;ttbar;0.5;120000.0;1.5;j,250000,200000,0.5,1.0;m-,50000,49000,0.1,-2.0;"
    "e+,30000,29000,-0.2,3.0;g,9000,9000,0,0;b,90000,80000,0.3,0.1"
)


def write(tmp_path, *lines):
    path = tmp_path / "dm.csv"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def slow_event(line):
    """One line, word by word."""
    head, *objects = line.split(";")[:5], *line.split(";")[5:]
    found = {name: [] for name in ("Jet", "BJet", "Electron", "Muon", "Photon")}
    for word in filter(None, objects):
        symbol, *values = word.split(",")
        energy, pt, eta, phi = map(float, values)
        name, charge, _ = OBJECTS[symbol]
        found[name].append((pt / 1000, eta, phi, charge, energy / 1000))
    for values in found.values():
        values.sort(key=lambda value: -value[0])
    return head, found


def test_generated_events(tmp_path):
    lines = dark_machines_lines(200)
    events = ak.concatenate(list(iterate_darkmachines(write(tmp_path, *lines), chunk_size=33)))
    assert len(events) == 200
    for event, line in zip(events, lines, strict=True):
        head, found = slow_event(line)
        assert (event.event, event.process, event.weight) == (int(head[0]), head[1], float(head[2]))
        assert event.MET.pt == pytest.approx(float(head[3]) / 1000)
        assert event.MET.phi == float(head[4])
        for name, wanted in found.items():
            objects = event[name]
            assert len(objects) == len(wanted)
            for obj, (pt, eta, phi, charge, energy) in zip(objects, wanted, strict=True):
                assert (obj.pt, obj.eta, obj.phi) == pytest.approx((pt, eta, phi))
                assert obj.mass >= 0
                assert obj.energy == pytest.approx(max(energy, pt * math.cosh(eta)))
                assert getattr(obj, "charge", 0) == charge


def test_one_line(tmp_path):
    path = write(tmp_path, LINE + ";")  # Some files end their lines with a semicolon.
    assert is_dark_machines(path)
    event = read_darkmachines(path)[0]
    assert (event.Muon[0].charge, event.Muon[0].pdgId) == (-1, 13)
    assert (event.Electron[0].charge, event.Electron[0].pdgId) == (1, -11)
    assert event.Jet[0].pt == 200.0
    assert event.BJet[0].pt == 80.0
    assert event.Photon[0].mass == 0


def test_no_objects_and_no_events(tmp_path):
    events = read_darkmachines(write(tmp_path, "1;x;1;5;0", "", LINE))
    assert ak.num(events.Jet).tolist() == [0, 1]
    empty = read_darkmachines(write(tmp_path))
    assert len(empty) == 0
    assert empty.fields == events.fields
    assert empty.Muon.fields == events.Muon.fields
    only_met = read_darkmachines(write(tmp_path, "1;x;1;5;0"))
    assert only_met.type.content == events.type.content


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1;x;1;5", "fewer than 5 values"),
        ("1;x;1;5;0;j,1,2,3", "'j,1,2,3' instead of name, E, pt, eta, phi"),
        ("1;x;1;5;0;j,1,2,3,4,5", "instead of name"),
        ("1;x;1;5;0;q,1,2,3,4", "object 'q', not one of j, b"),
        ("1;x;1;5;0;j,1,two,3,4", "'two' where the pt must be a number"),
        ("1;x;one;5;0", "'one' where the event weight"),
        ("1;x;1;nan;0", "nan as MET"),
        ("1;x;1;-5;0", "-5.0 as MET|-0.005 as MET"),
        ("1;x;1;5;inf", "inf as METphi"),
        ("1;x;1;5;0;j,5,-1,0,0", "-1.0 as pt of an object"),
        ("1;x;1;5;0;j,5,nan,0,0", "nan as pt of an object"),
        ("1;x;1;5;0;j,inf,1,0,0", "inf as E of an object"),
        ("x,y,z", "fewer than 5 values"),
    ],
)
def test_bad_lines(tmp_path, line, reason):
    with pytest.raises(DataError, match=reason) as caught:
        read_darkmachines(write(tmp_path, LINE, line, LINE))
    assert "dm.csv, line 2" in str(caught.value)


def test_unchecked_and_binary(tmp_path):
    assert len(read_darkmachines(write(tmp_path, "1;x;1;nan;0;j,5,-1,0,0"), check=False)) == 1
    path = tmp_path / "b.csv"
    path.write_bytes(b"\xff\xfe\x00" * 50)
    with pytest.raises(DataError, match="is not text"):
        read_darkmachines(path)
    assert not is_dark_machines(path)
    with pytest.raises(ConfigError):
        next(iterate_darkmachines(path, 0))


def test_chunks_do_not_change_anything(tmp_path):
    path = write(tmp_path, *dark_machines_lines(100))
    whole = read_darkmachines(path)
    for size in (1, 7, 100, 1000):
        assert ak.array_equal(ak.concatenate(list(iterate_darkmachines(path, size))), whole)
    assert whole.process.tolist()[:1] == ["njets"]

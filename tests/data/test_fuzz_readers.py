"""Each reader on many variants of branches, headers and bytes: a correct result or a CmslabsError, nothing else."""

import random
import shutil

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from file_makers import FEATURES, dark_machines_lines, features, muons, particles, write_fixed, write_ntuple, write_tree

from cmslabs.data.check import check_file
from cmslabs.data.cms_csv import read_cms_csv
from cmslabs.data.darkmachines import read_darkmachines
from cmslabs.data.lhco import read_lhco_features, read_particles, read_signal_region
from cmslabs.data.nanoaod import read_nanoaod, read_runs
from cmslabs.data.tables import iterate_events, read_events, read_provenance, read_table, write_events, write_table
from cmslabs.errors import CmslabsError
from cmslabs.io import Provenance

ORIGIN = Provenance(source="simulation", simulation=True, script="test")
GOOD, BAD = True, False
COUNTS = ak.num(muons()["Muon_pt"])


def attempt(reader, path):
    """The result or our error; any other exception ends the test."""
    try:
        return reader(path), None
    except CmslabsError as error:
        return None, error


def judge(name, good, error, where):
    """Whether the reader gave a result; an error names the file and was to be expected."""
    if error is None:
        assert good is not BAD, f"{name}: was read"
        return True
    assert good is not GOOD, f"{name}: {error}"
    assert where in str(error)
    return False


def jagged(values):
    """A branch with as many objects as there are muons."""
    return ak.unflatten(np.resize(np.asarray(values), int(ak.sum(COUNTS))), COUNTS)


# --- NanoAOD: (name, changed branches, whether the muons must come out unchanged) ------------------------------------
BRANCHES = [
    ("as it is", {}, GOOD),
    ("double precision", {"Muon_dxy": jagged(np.ones(4))}, GOOD),
    ("half a collection", {"Muon_mass": None}, GOOD),
    ("no kinematics", {"Muon_eta": None, "Muon_phi": None, "Muon_mass": None}, GOOD),
    ("no identity", {"run": None, "luminosityBlock": None, "event": None}, GOOD),
    ("another collection", {"Jet_pt": ak.Array([[1.0, 2.0]] * 5)}, GOOD),
    ("a flat record", {"MET_pt": np.ones(5), "MET_phi": np.zeros(5)}, GOOD),
    ("a number beside a list", {"Muon_total": np.ones(5)}, GOOD),
    ("a name with two underscores", {"HLT_Mu17_Mu8": np.ones(5, bool)}, GOOD),
    ("a name without a field", {"Muon_": np.ones(5)}, GOOD),
    ("a name without a collection", {"_pt": np.ones(5)}, GOOD),
    ("a list that is no collection", {"LHEPdfWeight": jagged(np.ones(4, np.float32))}, GOOD),
    ("a counter of nothing", {"nothing": np.ones(5, np.int32)}, GOOD),
    ("a field called fields", {"Muon_fields": jagged(np.ones(4, np.float32))}, GOOD),
    ("a collection called event", {"event_x": np.ones(5)}, GOOD),
    ("both names of the MET", {"MET_pt": np.ones(5), "PFMET_pt": np.zeros(5)}, GOOD),
    ("the newer name of rho", {"Rho_fixedGridRhoFastjetAll": np.ones(5)}, GOOD),
    ("both names of rho", {"Rho_fixedGridRhoFastjetAll": np.ones(5), "fixedGridRhoFastjetAll": np.zeros(5)}, GOOD),
    ("a second longitudinal coordinate", {"Muon_z": jagged(np.ones(4, np.float32))}, GOOD),
    ("an energy beside the mass", {"Muon_energy": jagged(np.ones(4, np.float32))}, GOOD),
    ("unsigned charges", {"Muon_charge": jagged(np.ones(4, np.uint8))}, GOOD),
    ("NaN where CMS leaves some", {"Muon_dxy": jagged(np.array([np.nan], np.float32))}, GOOD),
    ("integers for pT", {"Muon_pt": jagged(np.ones(4, np.int32))}, BAD),
    ("truth values for eta", {"Muon_eta": jagged(np.ones(4, bool))}, BAD),
    ("floating-point charges", {"Muon_charge": jagged(np.ones(4, np.float32))}, BAD),
    ("a flat pT", {"Muon_pt": np.ones(5, np.float32), "Muon_dxy": jagged(np.ones(4))}, None),
    ("other lengths", {"Muon_dxy": ak.Array([[1.0]] * 5)}, BAD),
    ("negative pT", {"Muon_pt": jagged(-np.ones(4, np.float32))}, BAD),
    ("infinite phi", {"Muon_phi": jagged(np.full(4, np.inf, np.float32))}, BAD),
    ("floating-point run", {"run": np.ones(5)}, BAD),
]


# An RNTuple refuses names that begin with an underscore, and so does the writer.
NTUPLES = [case for case in BRANCHES if case[0] != "a name without a collection"]


@pytest.mark.parametrize(
    ("write", "name", "change", "good"),
    [*((write_tree, *case) for case in BRANCHES), *((write_ntuple, *case) for case in NTUPLES)],
)
def test_nanoaod_branches(tmp_path, write, name, change, good):
    branches = muons(**change)
    path = write(tmp_path / "x.root", branches)
    events, error = attempt(read_nanoaod, path)
    if not judge(name, good, error, "x.root"):
        return
    for branch in ("Muon_pt", "Muon_charge"):
        if branch in branches and isinstance(branches[branch], ak.Array):
            assert ak.array_equal(events.Muon[branch[5:]], branches[branch])
    for branch, value in change.items():
        if isinstance(value, np.ndarray) and branch in events.fields:
            np.testing.assert_array_equal(ak.to_numpy(events[branch]), value)


# --- CSV ------------------------------------------------------------------------------------------------------------
HEAD = "Run,Event,pt1,eta1,phi1,Q1,pt2,eta2,phi2,Q2"
ROW = "165617,74969122,54.7055,-0.432396,2.57421,1,34.2464,-0.98848,-0.498704,-1"
TURNED = ",".join(reversed(HEAD.split(","))), ",".join(reversed(ROW.split(",")))
HEADERS = [
    ("as it is", f"{HEAD}\n{ROW}\n", GOOD),
    ("no newline at the end", f"{HEAD}\n{ROW}", GOOD),
    ("DOS line ends", f"{HEAD}\r\n{ROW}\r\n", GOOD),
    ("byte order mark", f"\ufeff{HEAD}\n{ROW}\n", GOOD),
    ("spaces in the header", f"{HEAD.replace(',', ', ')}\n{ROW}\n", GOOD),
    ("quoted header", '"' + HEAD.replace(",", '","') + f'"\n{ROW}\n', GOOD),
    ("empty lines", f"{HEAD}\n\n{ROW}\n\n\n", GOOD),
    ("columns in another order", f"{TURNED[0]}\n{TURNED[1]}\n", GOOD),
    ("a further column", f"{HEAD},name\n{ROW},Z\n", GOOD),
    ("a further column of nothing", f"{HEAD},\n{ROW},\n", GOOD),
    ("numbers with exponents", f"{HEAD}\n{ROW.replace('54.7055', '5.47055e+1')}\n", GOOD),
    ("a column of M without values", f"{HEAD},M\n{ROW},\n", BAD),
    ("semicolons", f"{HEAD}\n{ROW}\n".replace(",", ";"), BAD),
    ("tabs", f"{HEAD}\n{ROW}\n".replace(",", "\t"), BAD),
    ("lower case", f"{HEAD.lower()}\n{ROW}\n", BAD),
    ("a missing charge", f"{HEAD[:-3]}\n{ROW[:-3]}\n", BAD),
    ("a column twice", f"{HEAD},pt1\n{ROW},1\n", BAD),
    ("a third lepton in part", f"{HEAD},pt3\n{ROW},1\n", BAD),
    ("a comment", f"{HEAD}\n# comment\n{ROW}\n", BAD),
    ("decimal commas", f"{HEAD}\n{ROW.replace('54.7055', '54,7055')}\n", BAD),
    ("words", f"{HEAD}\n{ROW.replace('54.7055', 'large')}\n", BAD),
    ("no header", f"{ROW}\n", BAD),
    ("a fractional run", f"{HEAD}\n{ROW.replace('165617', '1.5')}\n", BAD),
    ("a huge event number", f"{HEAD}\n{ROW.replace('74969122', '99999999999999999999')}\n", BAD),
    ("a negative run", f"{HEAD}\n{ROW.replace('165617', '-5')}\n", BAD),
    ("a third charge", f"{HEAD}\n{ROW[:-2]}2\n", BAD),
    ("nothing", "", BAD),
    ("a newline", "\n", BAD),
]


@pytest.mark.parametrize(("name", "text", "good"), HEADERS)
def test_csv_headers(tmp_path, name, text, good):
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    events, error = attempt(read_cms_csv, path)
    if not judge(name, good, error, "x.csv"):
        return
    assert events.Muon.pt.tolist() == [[54.7055, 34.2464]]
    assert events.Muon.charge.tolist() == [[1, -1]]


# --- Dark Machines --------------------------------------------------------------------------------------------------
EVENT = "7;ttbar;0.5;120000;1.5;j,250000,200000,0.5,1.0;m-,50000,49000,0.1,-2.0"
LINES = [
    ("as it is", EVENT, GOOD),
    ("a semicolon at the end", EVENT + ";", GOOD),
    ("several", EVENT + ";;;", GOOD),
    ("DOS line ends", EVENT + "\r", GOOD),
    ("spaces", EVENT.replace(";", " ; ").replace(",", " , "), GOOD),
    ("capitals", EVENT.replace(";j", ";J").replace("m-", "M-"), GOOD),
    ("exponents", EVENT.replace("200000", "2e5"), GOOD),
    ("a plus sign", EVENT.replace("200000", "+200000"), GOOD),
    ("an empty line before", "\n" + EVENT, GOOD),
    ("objects in another order", "7;ttbar;0.5;120000;1.5;m-,50000,49000,0.1,-2.0;j,250000,200000,0.5,1.0", GOOD),
    ("an empty object", EVENT.replace(";j", ";;j"), GOOD),
    ("commas", EVENT.replace(";", ","), BAD),
    ("a header", "event ID;process ID;event weight;MET;METphi;objects\n" + EVENT, BAD),
    ("no MET", "7;ttbar;0.5", BAD),
    ("four numbers", EVENT.replace("200000,", ""), BAD),
    ("six numbers", EVENT.replace("200000", "1,200000"), BAD),
    ("an unknown object", EVENT.replace("m-", "tau"), BAD),
    ("a word", EVENT.replace("200000", "many"), BAD),
    ("NaN", EVENT.replace("200000", "nan"), BAD),
    ("infinity", EVENT.replace("250000", "inf"), BAD),
    ("negative", EVENT.replace("200000", "-1"), BAD),
    ("no event ID", EVENT.replace("7;", ";", 1), BAD),
    ("a NaN event ID", EVENT.replace("7;", "nan;", 1), BAD),
    ("a hexadecimal number", EVENT.replace("200000", "0x30D40"), BAD),
]


@pytest.mark.parametrize(("name", "line", "good"), LINES)
def test_dark_machines_lines(tmp_path, name, line, good):
    path = tmp_path / "x.csv"
    path.write_bytes((line + "\n").encode())
    events, error = attempt(read_darkmachines, path)
    if not judge(name, good, error, "x.csv, line"):
        return
    assert (events.Jet.pt.tolist(), events.Muon.pt.tolist()) == ([[200.0]], [[49.0]])
    assert events.process.tolist() == ["ttbar"]


# --- LHC Olympics ---------------------------------------------------------------------------------------------------
def replace(name, content, **options):
    def change(file):
        del file[name]
        if content is not None:
            file.create_dataset(name, data=content, **options)

    return change


def names_as_text(file):
    for name in ("df/axis0", "df/block0_items"):
        replace(name, NUMBERS.astype("S"))(file)


ROWS = particles(6)
NUMBERS = np.arange(2101)
HDF5 = [
    ("as it is", lambda file: None, GOOD),
    ("uncompressed", replace("df/block0_values", ROWS), GOOD),
    ("gzip", replace("df/block0_values", ROWS, compression="gzip"), GOOD),
    ("single precision", replace("df/block0_values", ROWS.astype("f4")), None),
    ("big-endian", replace("df/block0_values", ROWS.astype(">f8")), GOOD),
    ("another name", lambda file: file.move("df", "events"), GOOD),
    ("a further array", lambda file: file.create_dataset("note", data=1), GOOD),
    (
        "column names as text",
        lambda file: [replace(f"df/{n}", NUMBERS.astype("S"))(file) for n in ("axis0", "block0_items")],
        GOOD,
    ),
    ("row numbers from 5", replace("df/axis1", np.arange(5, 11)), GOOD),
    ("transposed", replace("df/block0_values", ROWS.T), BAD),
    ("three dimensions", replace("df/block0_values", ROWS[:, :2100].reshape(6, 700, 3)), BAD),
    ("too few rows", replace("df/block0_values", ROWS[:3]), BAD),
    ("too few columns", replace("df/block0_values", ROWS[:, :50]), BAD),
    ("text", replace("df/block0_values", np.full((6, 2101), b"a")), BAD),
    ("complex numbers", replace("df/block0_values", ROWS + 1j), BAD),
    ("no values", replace("df/block0_values", None), BAD),
    ("no items", replace("df/block0_items", None), BAD),
    ("no columns", replace("df/axis0", None), BAD),
    ("columns of another table", replace("df/axis0", NUMBERS + 1), BAD),
    ("a column twice", replace("df/axis0", np.where(NUMBERS == 5, 4, NUMBERS)), BAD),
    ("two tables", lambda file: file.copy("df", "df2"), BAD),
    ("no group", lambda file: file.__delitem__("df"), BAD),
    ("a list of one number", replace("df/axis0", 3), BAD),
    ("labels of 3", replace("df/block0_values", np.where(NUMBERS == 2100, 3.0, ROWS)), BAD),
]


@pytest.mark.parametrize(("name", "change", "good"), HDF5)
def test_olympics_layouts(tmp_path, name, change, good):
    path = write_fixed(tmp_path / "x.h5", ROWS, NUMBERS)
    with h5py.File(path, "r+") as file:
        change(file)
    events, error = attempt(read_particles, path)
    if not judge(name, good, error, "x.h5"):
        return
    np.testing.assert_allclose(ak.sum(events.particles.pt, axis=1), ROWS[:, :2100:3].sum(axis=1), rtol=1e-6)


ARRAY = np.random.default_rng(1).uniform(0.1, 1, (20, 6)).round(3)
ARRAY[:, 5] = 1
ARRAYS = [
    ("as it is", ARRAY, GOOD),
    ("Fortran order", np.asfortranarray(ARRAY), GOOD),
    ("big-endian", ARRAY.astype(">f8"), GOOD),
    ("single precision", ARRAY.astype("f4"), GOOD),
    ("half precision", ARRAY.astype("f2"), None),
    ("no rows", ARRAY[:0], None),
    ("five columns", ARRAY[:, :5], BAD),
    ("transposed", ARRAY.T, BAD),
    ("one dimension", ARRAY.ravel(), BAD),
    ("no dimension", np.float64(3), BAD),
    ("integers", ARRAY.astype(int), BAD),
    ("complex", ARRAY + 0j, BAD),
    ("records", np.zeros(3, dtype=[("a", "f8")]), BAD),
    ("text", np.full((3, 6), "a"), BAD),
    ("labels of 2", np.where(np.arange(6) == 5, 2.0, ARRAY), BAD),
    ("NaN", np.where(np.arange(6) == 2, np.nan, ARRAY), BAD),
    ("infinity", np.where(np.arange(6) == 5, np.inf, ARRAY), BAD),
]


@pytest.mark.parametrize(("name", "array", "good"), ARRAYS)
def test_signal_region_arrays(tmp_path, name, array, good):
    np.save(tmp_path / "x.npy", array)
    table, error = attempt(read_signal_region, tmp_path / "x.npy")
    if not judge(name, good, error, "x.npy"):
        return
    np.testing.assert_allclose(table["mjj"], array[:, 0].astype(float) * 1000, rtol=1e-3)


# --- Parquet --------------------------------------------------------------------------------------------------------
PLAIN = pa.table({"n": pa.array([1, 2, 3]), "x": pa.array([0.5, None, 2.5])})
PARQUETS = [
    ("as it is", PLAIN, {}, GOOD),
    *(
        (f"compressed with {codec}", PLAIN, {"compression": codec}, GOOD)
        for codec in ("none", "snappy", "gzip", "brotli", "lz4")
    ),
    ("small row groups", PLAIN, {"row_group_size": 1}, GOOD),
    ("version 1.0", PLAIN, {"version": "1.0"}, GOOD),
    ("data pages 2.0", PLAIN, {"data_page_version": "2.0"}, GOOD),
    ("without Arrow's schema", PLAIN, {"store_schema": False}, GOOD),
    ("without statistics", PLAIN, {"write_statistics": False}, GOOD),
    ("a category", PLAIN.append_column("c", pa.array(["a", "b", "a"]).dictionary_encode()), {}, GOOD),
    ("a time", PLAIN.append_column("t", pa.array([1, 2, 3], pa.timestamp("us"))), {}, GOOD),
    ("text", PLAIN.append_column("s", pa.array(["a", None, "b"])), {}, GOOD),
    ("a column of nothing", PLAIN.append_column("z", pa.nulls(3)), {}, GOOD),
    ("half precision", PLAIN.append_column("h", pa.array(np.ones(3, np.float16))), {}, GOOD),
    ("no rows", PLAIN.slice(0, 0), {}, GOOD),
    ("other metadata", PLAIN.replace_schema_metadata({"note": "x"}), {}, GOOD),
    ("a list", PLAIN.append_column("l", pa.array([[1], [], [2]])), {}, BAD),
    ("a record", PLAIN.append_column("r", pa.array([{"a": 1}] * 3)), {}, BAD),
    ("spoiled provenance", PLAIN.replace_schema_metadata({"cmslabs": "{"}), {}, BAD),
    ("provenance of another kind", PLAIN.replace_schema_metadata({"cmslabs": '{"x": 1}'}), {}, BAD),
    ("provenance that is no text", PLAIN.replace_schema_metadata({"cmslabs": b"\xff\xfe"}), {}, BAD),
]


@pytest.mark.parametrize(("name", "table", "options", "good"), PARQUETS)
def test_parquet_tables(tmp_path, name, table, options, good):
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, **options)
    frame, error = attempt(read_table, path)
    if not judge(name, good, error, "x.parquet"):
        return
    assert frame["n"].tolist() == table["n"].to_pylist()
    assert frame.columns.tolist() == table.column_names
    assert read_events(path)["n"].tolist() == table["n"].to_pylist()


FORM = ak.Array([{"n": 1, "x": 0.5}]).layout.form.to_json()
FORMS = [
    "",
    "{",
    "[]",
    "3",
    '"int64"',
    FORM.replace('"n"', '"m"'),
    FORM.replace("int64", "no such type"),
    FORM.replace('"x"', '"n"'),
]


@pytest.mark.parametrize("form", FORMS)
def test_parquet_events_with_a_spoiled_form(tmp_path, form):
    path = tmp_path / "x.parquet"
    pq.write_table(PLAIN.replace_schema_metadata({"cmslabs:form": form}), path)
    with pytest.raises(CmslabsError, match=r"x\.parquet: is not a whole Parquet file"):
        read_events(path)


# --- Bytes ----------------------------------------------------------------------------------------------------------
def make_tables(folder):
    write_table(folder / "table.parquet", pd.DataFrame({"a": np.arange(99.0), "b": ["x"] * 99}), ORIGIN)
    events = ak.Array({"M": ak.zip({"pt": ak.Array([[1.0, 2.0], [], [3.0]])})})
    write_events(folder / "events.parquet", events, ORIGIN)
    return folder


def pieces(path):
    return list(iterate_events(path, 2))


MAKERS = {
    "tree.root": (lambda path: write_tree(path, muons(40)), [read_nanoaod, read_runs]),
    "ntuple.root": (lambda path: write_ntuple(path, muons(40)), [read_nanoaod]),
    "particles.h5": (lambda path: write_fixed(path, particles(20), range(2101)), [read_particles, read_lhco_features]),
    "features.h5": (lambda path: write_fixed(path, features(), FEATURES), [read_lhco_features, read_particles]),
    "array.npy": (lambda path: np.save(path, ARRAY), [read_signal_region]),
    "table.parquet": (lambda path: make_tables(path.parent), [read_table, read_provenance, read_events]),
    "events.parquet": (
        lambda path: make_tables(path.parent),
        [read_events, pieces, read_provenance],
    ),
    "leptons.csv": (lambda path: path.write_text(f"{HEAD}\n" + f"{ROW}\n" * 20), [read_cms_csv, read_table]),
    "dark.csv": (lambda path: path.write_text("\n".join(dark_machines_lines(30)) + "\n"), [read_darkmachines]),
}


def spoil(content: bytes, seed: int) -> bytes:
    """Change, cut, insert or delete some bytes; half of the time near the beginning, where the headers are."""
    rng = random.Random(seed)
    spoiled = bytearray(content)
    reach = len(spoiled) if seed % 2 else min(len(spoiled), 600)
    place = rng.randrange(reach)
    kind = seed % 4
    if kind == 0:
        for _ in range(rng.randint(1, 6)):
            spoiled[rng.randrange(reach)] = rng.randrange(256)
    elif kind == 1:
        del spoiled[place:]
    elif kind == 2:
        spoiled[place:place] = rng.randbytes(rng.randint(1, 20))
    else:
        del spoiled[place : place + rng.randint(1, 20)]
    return bytes(spoiled)


@pytest.mark.parametrize("name", MAKERS)
def test_spoiled_bytes(tmp_path, name):
    make, readers = MAKERS[name]
    path = tmp_path / name
    make(path)
    content = path.read_bytes()
    for reader in [*readers[:1], check_file]:
        reader(path)  # The file is good before it is spoiled.
    refused = 0
    for seed in range(60):
        path.write_bytes(spoil(content, seed))
        for reader in [*readers, check_file]:
            _, error = attempt(reader, path)
            refused += error is not None
            assert error is None or name in str(error)
    assert refused >= 15


@pytest.mark.parametrize("seed", range(20))
def test_spoiled_real_file(tmp_path, real_data, seed):
    path = tmp_path / "real.root"
    shutil.copy(real_data / "nanoaod" / "nano_tt_v12.root", path)
    path.chmod(0o600)
    path.write_bytes(spoil(path.read_bytes(), seed))
    events, error = attempt(lambda path: read_nanoaod(path, ["Muon", "MET", "FatJet"]), path)
    if error is None:
        assert {"Muon", "MET", "FatJet"} <= set(events.fields)
    else:
        assert "real.root" in str(error)
        assert error.remedy

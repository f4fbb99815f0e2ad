"""The frame of the command line: exit status, where text goes, help."""

import subprocess
import sys

import pytest

import cmslabs


def call(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "cmslabs.cli", *arguments], capture_output=True, text=True, check=False, **options
    )


def test_version():
    outcome = call("--version")
    assert (outcome.returncode, outcome.stdout.strip()) == (0, cmslabs.__version__)


def test_a_bad_input_is_one_line_on_stderr_and_status_2(tmp_path):
    outcome = call("features", str(tmp_path / "absent.h5"), str(tmp_path / "out.csv"))
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("error: ")
    assert "absent.h5" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_an_unknown_option_is_wrong_use():
    outcome = call("features", "--no-such-option")
    assert outcome.returncode == 2
    assert "--no-such-option" in outcome.stderr


@pytest.mark.parametrize("command", [["data", "list"], ["data", "fetch"], ["features"], ["simulate"], ["doctor"]])
def test_help_has_an_example(command):
    outcome = call(*command, "--help")
    assert outcome.returncode == 0
    assert "Example" in outcome.stdout


def test_doctor_reports_every_extra_as_json():
    import json

    found = json.loads(call("doctor", "--json").stdout)
    assert found["versions"]["cmslabs"] == cmslabs.__version__
    assert {"torch", "cms", "jets", "sim", "grade"} <= set(found["extras"])


def test_doctor_names_the_remedy_for_a_missing_extra(monkeypatch):
    from cmslabs.cli import doctor

    original = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "optuna" else original(name))
    assert 'pip install "cmslabs[tune]"' in doctor.report()["extras"]["tune"]


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m cmslabs.cli data list --json | head -c 1"
    outcome = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in outcome.stderr
    assert "BrokenPipe" not in outcome.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["features", "{particles}", "{tmp}/file/table.csv"],
        ["features", "{particles}", "{tmp}/folder.csv"],
        ["data", "export", "{sample}", "{tmp}/file/muons.parquet", "--branches", "Muon_pt"],
        ["data", "export", "{sample}", "{tmp}/folder.parquet", "--branches", "Muon_pt"],
        ["simulate", "drell-yan", "--events", "1", "--out", "{tmp}/file"],
    ],
)
def test_a_place_that_cannot_be_written_is_one_line_and_status_2(tmp_path, command):
    from cmslabs.data.download import dataset_path

    pytest.importorskip("fastjet")
    if command[0] == "simulate":
        pytest.importorskip("pythia8mc")
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.parquet").mkdir()
    names = {"tmp": tmp_path, "sample": dataset_path("sim-fourlepton"), "particles": _two_particles(tmp_path)}
    outcome = call(*(part.format(**names) for part in command))
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    last = outcome.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert str(tmp_path) in last
    assert not list(tmp_path.glob("**/.part-*"))


def _two_particles(folder):
    """Two events of two particles each, in Parquet."""
    import awkward as ak

    from cmslabs.data.tables import write_events
    from cmslabs.io import Provenance

    one = [{"pt": 500.0, "eta": 0.0, "phi": 0.0}, {"pt": 400.0, "eta": 0.1, "phi": 3.0}]
    path = folder / "particles.parquet"
    write_events(path, ak.Array([{"particles": one}] * 2), Provenance(source="test", simulation=True, script="test"))
    return path


def test_doctor_says_that_the_cache_cannot_be_written(monkeypatch, tmp_path):
    from cmslabs.cli import doctor

    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CMSLABS_DATA", str(tmp_path / "file"))
    assert "cannot be written: set CMSLABS_DATA" in doctor.report()["data"]["cache"]
    monkeypatch.setenv("CMSLABS_DATA", str(tmp_path / "to be made"))
    assert doctor.report()["data"]["cache"] == str(tmp_path / "to be made")

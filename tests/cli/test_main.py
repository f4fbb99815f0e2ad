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

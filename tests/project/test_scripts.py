"""The scripts around the project do what their names say."""

import http.server
import importlib.util
import os
import statistics
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cmslabs.data.stored_results import stored_result

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "data_scripts"


@pytest.fixture
def script(monkeypatch):
    """Load a script of data_scripts as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))

    def load(name):
        specification = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module

    return load


class Server(http.server.BaseHTTPRequestHandler):
    """200 for /good, 403 for /robots, 404 for the rest."""

    def do_GET(self):
        status = {"/good": 200, "/robots": 403}.get(self.path, 404)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        """Keep the test's output clean."""


@pytest.fixture
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_links_are_found_in_prose_notebooks_and_bibliographies(script):
    links = script("check_links")
    text = (
        'See [a](https://a.org/x_1), <https://b.org>. In JSON: "https://c.org/y\\n".\n'
        "doi = {10.1007/JHEP01(2021)001}, local http://127.0.0.1:8000/ and https://d.org/z;"
    )
    found = links.addresses(text)
    assert {"https://a.org/x_1", "https://b.org", "https://c.org/y", "https://d.org/z"} <= found
    assert any(address.startswith("https://doi.org/10.1007/JHEP01") for address in found)
    assert not any("127.0.0.1" in address for address in found)


def test_a_dead_link_is_told_from_a_living_one(script, address):
    links = script("check_links")
    assert links.answer(f"{address}/good") is None
    assert links.answer(f"{address}/robots") is None
    assert "404" in links.answer(f"{address}/gone")


def test_a_server_that_is_away_is_dead(script):
    assert "ConnectionError" in script("check_links").answer("http://127.0.0.1:9/")


def test_ci_script_parses_and_runs_the_commands_of_the_readme():
    path = ROOT / ".ci" / "run"
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text()
    assert os.access(path, os.X_OK)
    for command in ("make book", "make test"):
        assert command in text
        assert command in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(("status", "minutes"), [(0, "0."), (7, "0.")])
def test_ci_step_reports_minutes_and_passes_the_failure_on(tmp_path, status, minutes):
    """Run the script's own functions around a command with a known exit status."""
    text = (ROOT / ".ci" / "run").read_text()
    head = text[: text.index("step system ")].replace('cd "$(dirname "$0")/.."', "true")
    script = tmp_path / "run"
    script.write_text(head + f'step probe bash -c "exit {status}"\nfinish 0\n')
    outcome = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert outcome.returncode == status
    assert "probe" in outcome.stdout
    assert minutes in outcome.stdout


def test_ci_fails_itself_over_its_limit(tmp_path):
    text = (ROOT / ".ci" / "run").read_text()
    head = text[: text.index("step system ")].replace('cd "$(dirname "$0")/.."', "true")
    script = tmp_path / "run"
    script.write_text(head + "limit_minutes=0\nbegan=-1\nstep probe true\nfinish 0\n")
    outcome = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert outcome.returncode == 3
    assert "over the limit" in outcome.stdout


def test_an_unlisted_skip_fails_continuous_integration(tmp_path):
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\ndef test_a():\n    pytest.skip('no reason that counts')\ndef test_b():\n    pass\n"
        "def test_training_gpu():\n    pytest.skip('no GPU')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "PYTEST_XDIST_WORKER")}
    free = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert free.returncode == 0, free.stdout
    strict = subprocess.run(
        command, cwd=tmp_path, env={**environment, "CI": "true"}, capture_output=True, text=True, check=False
    )
    assert strict.returncode == 1
    assert "test_a: Skipped: no reason that counts" in strict.stdout
    assert "test_training_gpu" not in strict.stdout.split("must run them")[1]


def test_a_wheel_without_one_card_would_be_noticed(script, tmp_path, monkeypatch):
    """The release check's own teeth: a wheel with everything but one card."""
    check = script("release_check")
    monkeypatch.setattr(check, "run", lambda *command, cwd, **environment: "")
    import zipfile

    source = ROOT / "src"
    with zipfile.ZipFile(tmp_path / "cmslabs-0.1.0-py3-none-any.whl", "w") as wheel:
        for path in (source / "cmslabs").rglob("*"):
            if path.is_file() and path.name != "sim-dimuon.yaml":
                wheel.writestr(path.relative_to(source).as_posix(), "")
    with pytest.raises(SystemExit, match=r"lacks \['cmslabs/data/cards/sim-dimuon.yaml'\]"):
        check.build_wheel(tmp_path)


def test_the_numbers_of_every_result_and_the_scans_medians_are_printed(script, capsys):
    script("show_numbers").main()
    printed = capsys.readouterr().out
    results = [*ROOT.glob("benchmarks/results/*.json"), *ROOT.glob("src/cmslabs/data/results/*.json")]
    assert len(results) > 20
    for path in results:
        assert f"{path.stem} (commit " in printed
    rows = stored_result("search-jets")["numbers"]["rows"]
    mine = [
        sic
        for sic, method, injection, permutation in zip(
            *(rows[name] for name in ("max_sic", "method", "injection", "permutation")), strict=True
        )
        if (method, injection, permutation) == ("reweight", 0.0243, 0)
    ]
    (line,) = [line for line in printed.splitlines() if "max_sic.reweight.0.0243 " in line and "of 10" in line][1:]
    assert f" {statistics.median(mine):.2f} [" in line

"""The promises of README and CONTRIBUTING that a machine can check."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import cmslabs

ROOT = Path(__file__).resolve().parents[2]


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, cmslabs, cmslabs.cli.main; "
        "print(sorted({'torch', 'coffea', 'fastjet', 'pythia8mc', 'numba', 'dask', 'sklearn'} & set(sys.modules)))"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"


def test_every_make_command_of_the_texts_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "book/instructors.md"):
        used = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / name).read_text(), re.MULTILINE))
        assert used <= targets, f"{name} names commands that do not exist: {used - targets}"
    wanted = {
        "book",
        "test",
        "lab",
        "serve",
        "labs",
        "samples",
        "clean",
        "help",
        "release-check",
        "owner",
        "grade-demo",
    }
    assert wanted <= targets


def test_every_script_of_the_makefile_exists():
    scripts = set(re.findall(r"data_scripts/\w+\.py", (ROOT / "Makefile").read_text()))
    assert scripts
    assert not [script for script in scripts if not (ROOT / script).is_file()]


def test_help_lists_the_commands():
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r"make book +\S", text)
    assert re.search(r"make test +\S", text)


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == str(citation["version"]) == cmslabs.__version__


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.name)
def test_workflows_are_valid_yaml_with_jobs_and_least_rights(path):
    content = yaml.safe_load(path.read_text())
    assert content["jobs"]
    assert "write-all" not in str(content.get("permissions"))
    assert content["permissions"]["contents"] == "read"
    for job in content["jobs"].values():
        assert job["runs-on"]


def test_pages_are_deployed_only_after_the_tests():
    pages = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text())
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    # YAML 1.1 reads the key `on` as true.
    assert pages[True]["workflow_run"]["workflows"] == [ci["name"]]
    assert "conclusion == 'success'" in pages["jobs"]["deploy"]["if"]


def test_large_files_stand_only_among_the_samples():
    samples = ROOT / "src/cmslabs/data/samples"
    large = [path for path in tracked() if path.stat().st_size > 1_000_000 and samples not in path.parents]
    assert large == []
    assert sum(path.stat().st_size for path in tracked() if samples in path.parents) <= 20_000_000


def test_no_path_of_a_developers_machine_stands_in_the_repository():
    pattern = re.compile(rb"/(?:home|Users)/[a-z]\w*/|/root/|/work/")
    found = [
        path.relative_to(ROOT)
        for path in tracked()
        if path != Path(__file__).resolve() and path.suffix != ".parquet" and pattern.search(path.read_bytes())
    ]
    assert found == []


def test_locked_npm_packages_carry_no_addresses():
    for path in tracked():
        if path.name == "package-lock.json":
            assert '"resolved"' not in path.read_text()


def test_the_order_of_the_rooms_is_kept():
    outcome = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout

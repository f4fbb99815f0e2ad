"""Build the wheel and use it as a stranger would: in an empty folder, without the repository.

1. The wheel holds every file of the package, with cards, samples and results, and nothing else.
2. Installing it into an environment with numpy and torch at our lower bounds leaves both untouched.
3. The command line works from it, everything that a lab imports is there, and the first lab runs.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: What a lab needs beside cmslabs; Colab and Binder have it.
NOTEBOOK_TOOLS = ["nbclient", "ipykernel"]
IMPORTS = (ast.Import, ast.ImportFrom)


def run(*command: object, cwd: Path, **environment: str) -> str:
    """Run a command; show its output only when it fails."""
    outcome = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{outcome.stdout}\n{outcome.stderr}")
    return outcome.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel and look into it."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    foreign = [name for name in names if not re.match(r"cmslabs[/-]", name)]
    if foreign:
        sys.exit(f"{wheel.name} holds what is not the package: {foreign[:5]}")
    source = ROOT / "src"
    tracked = [path for path in (source / "cmslabs").rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    lost = {path.relative_to(source).as_posix() for path in tracked} - set(names)
    if lost or not tracked:
        sys.exit(f"{wheel.name} lacks {sorted(lost)[:5] or 'everything'}")
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1e6:.1f} MB")
    return wheel


def lower_bounds() -> dict[str, str]:
    """Our lower bounds of numpy and torch."""
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["torch"]]
    found = dict(line.split(">=") for line in lines if line.startswith(("numpy>=", "torch>=")))
    return {name: version + ".0" * (2 - version.count(".")) for name, version in found.items()}


def relaxed_constraints(folder: Path) -> Path:
    """Our pins without numpy and torch: Colab brings its own of those two."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    path = folder / "constraints.txt"
    path.write_text("\n".join(line for line in lines if not re.match(r"(numpy|torch)==", line)))
    return path


def fake_distribution(site: Path, name: str, version: str) -> Path:
    """Register `name` as installed, without its gigabytes: pip looks only at the metadata."""
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "INSTALLER").write_text("release-check\n")
    (folder / "RECORD").write_text("")
    return folder


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel beside old numpy and torch; return the environment's Python."""
    bounds = lower_bounds()
    home = folder / "environment"
    venv.create(home, with_pip=True)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    add = [*pip, "install", "--no-compile"]
    run(*add, f"numpy=={bounds['numpy']}", cwd=folder)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    fake = fake_distribution(site, "torch", bounds["torch"])
    constraints = relaxed_constraints(folder)
    run(*add, "-c", constraints, f"{wheel}[torch]", *NOTEBOOK_TOOLS, cwd=folder)
    frozen = dict(line.split("==") for line in run(*pip, "freeze", cwd=folder).splitlines() if "==" in line)
    for name, version in bounds.items():
        if frozen.get(name) != version:
            sys.exit(f"installing cmslabs changed {name} from {version} to {frozen.get(name)}")
    print("left untouched: " + ", ".join(f"{name} {version}" for name, version in bounds.items()))
    for path in sorted(fake.iterdir()):
        path.unlink()
    fake.rmdir()
    return python


def smoke(python: Path, folder: Path) -> None:
    """A few commands, from a folder that holds nothing else."""
    empty = folder / "empty"
    empty.mkdir()
    command = [python, "-m", "cmslabs.cli"]
    home = {"HOME": str(empty), "CMSLABS_OFFLINE": "1"}
    for arguments in (["--version"], ["doctor"], ["data", "list", "--json"], ["data", "show", "sim-dimuon"]):
        run(*command, *arguments, cwd=empty, **home)
    sample = run(
        python,
        "-c",
        "from cmslabs.data.download import dataset_path; print(dataset_path('sim-dimuon'))",
        cwd=empty,
        **home,
    ).strip()
    if str(ROOT / "src") in sample:
        sys.exit(f"the sample comes from the repository, not from the wheel: {sample}")
    run(*command, "data", "check", sample, cwd=empty, **home)
    print("the command line works from the wheel")


def import_lines(notebooks: list[Path]) -> list[str]:
    """Every import of the labs, each once; those of the set-up cell for Colab stand deeper and are left out."""
    cells = [cell for path in notebooks for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = {ast.unparse(node) for text in code for node in ast.parse(text).body if isinstance(node, IMPORTS)}
    return sorted(lines)


def run_labs(python: Path, folder: Path) -> None:
    """Import what the labs import, and execute the first (with solutions), in an empty folder."""
    notebooks = sorted((ROOT / "labs/source").glob("*/*.ipynb"))
    home = {"HOME": str(folder / "empty"), "CMSLABS_OFFLINE": "1"}
    lines = import_lines(notebooks)
    run(python, "-c", "\n".join(lines), cwd=folder / "empty", **home)
    print(f"{len(lines)} imports of {len(notebooks)} labs work from the wheel")
    execute = (
        "import sys, nbformat, nbclient; nb = nbformat.read(sys.argv[1], 4); "
        "nbclient.NotebookClient(nb, timeout=300, kernel_name='python3').execute()"
    )
    run(python, "-c", execute, notebooks[0], cwd=folder / "empty", **home)
    print(f"{notebooks[0].stem} runs from the wheel")


def main() -> None:
    """All of it, in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build_wheel(folder)
        python = install(wheel, folder)
        smoke(python, folder)
        run_labs(python, folder)


if __name__ == "__main__":
    main()

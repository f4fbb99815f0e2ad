"""Write environment.yml from pyproject.toml (which packages) and constraints.txt (which versions)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEADER = """\
# For conda and Binder: the packages of pyproject.toml at the versions of constraints.txt.
# Written by data_scripts/make_environment.py; a test compares the three files.
# On Linux pip brings torch with several GB of CUDA libraries; the README says how to do without.
name: cmslabs
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
      - -c constraints.txt
"""


def pins() -> dict[str, str]:
    """Name and exact version of every line of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def direct_requirements() -> list[str]:
    """Requirements of the package and of all extras, without versions, markers kept."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted: dict[str, str] = {}
    for group in [project["dependencies"], *project["optional-dependencies"].values()]:
        for requirement in group:
            specification, _, marker = requirement.partition(";")
            name = re.match(r"[A-Za-z0-9_.-]+", specification).group().lower()
            if name != "cmslabs":
                wanted[name] = f"; {marker.strip()}" if marker else ""
    return [name + marker for name, marker in sorted(wanted.items())]


def environment() -> str:
    """The text of environment.yml."""
    versions = pins()
    lines = []
    for requirement in direct_requirements():
        name, _, marker = requirement.partition(";")
        text = f"{name}=={versions[name]}" + (f";{marker}" if marker else "")
        lines.append(f"      - {text}" if not marker else f'      - "{text}"')
    return HEADER + "\n".join([*lines, "      - -e ."]) + "\n"


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment())

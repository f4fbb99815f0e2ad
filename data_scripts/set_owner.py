"""Set the public address of the repository everywhere.

The address stands once, as `repository.url` in `_config.yml`.  Badges, install cells and links hold
copies of it; this script finds the copies of the old address and writes the new one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXT_FILES = {".md", ".yml", ".yaml", ".cff", ".ipynb", ".toml", ".bib", ".html"}
NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?$")


def public_address(root: Path = ROOT) -> str:
    """The address in `_config.yml`, for example ``https://github.com/OWNER/anomaly-hunting``."""
    return yaml.safe_load((root / "_config.yml").read_text())["repository"]["url"].rstrip("/")


def tracked_text_files(root: Path = ROOT) -> list[Path]:
    """Files of the repository that may hold the address."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [root / name for name in listed.split("\0") if Path(name).suffix in TEXT_FILES and (root / name).is_file()]


def set_owner(name: str, root: Path = ROOT) -> list[Path]:
    """Replace the owner in every copy of the address; return the files that changed.

    Raises
    ------
    ValueError
        If `name` cannot be a GitHub account.
    """
    if not NAME.match(name):
        raise ValueError(f"{name!r} cannot be the name of a GitHub account; use: make owner NAME=your-name")
    old = public_address(root).removeprefix("https://")
    host, owner, repository = old.split("/")
    # Binder and Colab links leave out the host: ".../gh/OWNER/anomaly-hunting/...".
    pattern = re.compile(
        rf"(?P<before>{re.escape(host)}/|/gh/|/github/|(?<![\w/.-])){re.escape(f'{owner}/{repository}')}\b"
    )
    escaped = f"{host}/{owner}/{repository}".replace("/", "%2F"), f"{host}/{name}/{repository}".replace("/", "%2F")
    changed = []
    for path in tracked_text_files(root):
        text = path.read_text(encoding="utf-8")
        new = pattern.sub(lambda match: f"{match['before']}{name}/{repository}", text).replace(*escaped)
        if new != text:
            path.write_text(new, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    try:
        changed = set_owner(sys.argv[1] if len(sys.argv) > 1 else "")
    except ValueError as error:
        sys.exit(f"error: {error}")
    for path in changed:
        print(path.relative_to(ROOT))

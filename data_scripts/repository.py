"""What the scripts ask the repository: which commit its files are of."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def checked_out(*paths: str) -> str:
    """The commit that is checked out, with a mark if one of the paths was changed since."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *paths)
    return _git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

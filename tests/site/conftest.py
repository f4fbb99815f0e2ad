"""The built site behind a small server, and a browser.  Without either the tests skip and say why."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "data_scripts")]

from site_visit import Browser, serve  # noqa: E402 - it lies beside this file

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder with the site, built from the sources as they are now."""
    import build_book

    stamp = build_book.HTML / ".source-hash"
    if not stamp.is_file():
        pytest.skip("there is no built site: run `make book` first")
    if stamp.read_text() != build_book.site_hash():
        pytest.skip("the built site is older than its sources: run `make book` again")
    return build_book.HTML


@pytest.fixture(scope="module")
def browser():
    """A headless chromium.  Module scope: playwright keeps an event loop that other tests must not meet."""
    path = os.environ.get("CMSLABS_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.skip("there is no chromium: install one, or name it in CMSLABS_CHROMIUM")
    with Browser(path) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served, with a slash at the end."""
    with serve(site) as address:
        yield address

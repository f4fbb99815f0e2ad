"""What the pages printed when the site was built is what their notebooks store.

nbval would run every page a second time for the same comparison.  It still runs the labs, and by hand any chapter.
"""

from __future__ import annotations

import copy
from functools import cache

import build_book
import nbformat
import pytest
from jupyter_cache import get_cache
from site_files import ROOT

pytestmark = pytest.mark.site

PAGES = [path.relative_to(ROOT).as_posix() for path in build_book.notebooks_of_the_toc()]


@cache
def executed(page: str) -> nbformat.NotebookNode:
    """The notebook as the build has executed it."""
    return get_cache(build_book.CACHE).merge_match_into_notebook(nbformat.read(ROOT / page, 4))[1]


def texts(cell: nbformat.NotebookNode) -> list[str]:
    """What a cell printed, and the values that it showed as text; warnings do not count."""
    printed = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    shown = [output.data["text/plain"] for output in cell.outputs if "text/plain" in output.get("data", {})]
    return [printed, *shown]


def differences(stored: nbformat.NotebookNode, done: nbformat.NotebookNode) -> list[str]:
    """Texts of the cells with the tag of nbval that came out otherwise."""
    pairs = zip(stored.cells, done.cells, strict=True)
    compared = [pair for pair in pairs if "nbval-check-output" in pair[0].metadata.get("tags", [])]
    assert len(compared) >= 3
    return [f"{texts(one)} became {texts(other)}" for one, other in compared if texts(one) != texts(other)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_prints_what_its_notebook_stores(page, site):
    assert differences(nbformat.read(ROOT / page, 4), executed(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_one_changed_digit_is_seen(page, site):
    """The planted fault: the last printed line of the page that is compared."""
    done = copy.deepcopy(executed(page))
    outputs = [
        output
        for cell in done.cells
        for output in cell.get("outputs", [])
        if "nbval-check-output" in cell.metadata.get("tags", []) and output.get("name") == "stdout"
    ]
    outputs[-1].text = outputs[-1].text.rstrip()[:-1] + "?"
    assert len(differences(nbformat.read(ROOT / page, 4), done)) == 1

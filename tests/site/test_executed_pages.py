"""What the pages printed when the site was built is what their notebooks store."""

from __future__ import annotations

import copy
from functools import cache

import build_book
import nbformat
import pytest
from jupyter_cache import get_cache
from site_files import ROOT
from stored_texts import TAG, differences

pytestmark = pytest.mark.site

PAGES = [path.relative_to(ROOT).as_posix() for path in build_book.notebooks_of_the_toc()]


@cache
def executed(page: str) -> nbformat.NotebookNode:
    """The notebook as the build has executed it."""
    done = get_cache(build_book.CACHE).merge_match_into_notebook(nbformat.read(ROOT / page, 4))[1]
    # Outputs of cells that store none can only come from the run: these are not the stored ones over again.
    plain = [cell for cell in done.cells if TAG not in cell.metadata.get("tags", [])]
    assert any(cell.get("outputs") for cell in plain)
    return done


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
        if TAG in cell.metadata.get("tags", []) and output.get("name") == "stdout"
    ]
    outputs[-1].text = outputs[-1].text.rstrip()[:-1] + "?"
    assert len(differences(nbformat.read(ROOT / page, 4), done)) == 1

"""The files of the site: links, launch buttons, nothing that belongs to instructors."""

from __future__ import annotations

import statistics
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from build_book import NEED_ALL_CORES
from site_files import (
    OWN_PAGES,
    ROOT,
    dead_links,
    declared_minutes,
    launch_links,
    leaks,
    page_names,
    run_seconds,
    secret_lines,
    toc_files,
)

pytestmark = pytest.mark.site


def test_pages_are_those_of_the_table_of_contents(site):
    assert set(page_names(site)) - set(OWN_PAGES) == {f"{name}.html" for name in toc_files()}


def test_address_of_the_site_leads_to_its_first_page(site):
    assert f'url={toc_files()[0]}.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_links_inside_the_site_work(site):
    assert dead_links(site) == []


def test_no_page_shows_a_traceback(site):
    shown = [name for name in page_names(site) if "output traceback" in (site / name).read_text(encoding="utf-8")]
    assert shown == []


def test_notebooks_can_be_launched(site):
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    name = repository["url"].removeprefix("https://github.com/")
    notebooks = [file for file in toc_files() if (ROOT / f"{file}.ipynb").is_file()]
    assert len(notebooks) >= 4
    for file in notebooks:
        links = launch_links(site, f"{file}.html")
        assert unquote(links["binder"]).endswith(f"/{name}/{repository['branch']}?urlpath=lab/tree/{file}.ipynb")
        assert unquote(links["colab"]).endswith(f"/{name}/blob/{repository['branch']}/{file}.ipynb")


def test_nothing_of_a_labs_solution_is_published(site):
    sources = sorted((ROOT / "labs" / "source").glob("*/*.ipynb"))
    assert sources
    public = [*(ROOT / "labs" / "release").glob("*/*.ipynb"), *(ROOT / "book").glob("*/*.ipynb")]
    for source in sources:
        secret = secret_lines(source, public)
        assert secret, f"{source.name} has no solution that could leak"
        assert leaks(site, secret) == []


def test_pages_take_about_as_long_as_they_say(site):
    measured = run_seconds(site)
    assert len(measured) >= 3
    declared = {page: 60 * declared_minutes(page) for page in measured}
    assert max(declared.values()) <= 60
    # A minute on the computer on which the chapters were written.  This one may be slower: all pages together say it.
    slowness = max(1.0, statistics.median(seconds / declared[page] for page, seconds in measured.items()))
    assert slowness < 3
    # A page with processes of its own has all cores on a computer that does nothing else; here nobody promises that.
    longest = {page: 60 * slowness * (2 if Path(page).name in NEED_ALL_CORES else 1) for page in measured}
    assert {page: seconds for page, seconds in measured.items() if seconds > longest[page]} == {}
    assert {page: seconds for page, seconds in measured.items() if seconds > 5 * declared[page]} == {}


def test_executed_pages_are_published_with_results_but_sources_as_written(site):
    assert sorted((site / "_sources").rglob("*.ipynb"))
    assert not [path for path in (site / "_sources").rglob("*") if "labs/source" in path.as_posix()]

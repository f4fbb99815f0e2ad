"""Glossary, references, API pages, data cards: complete, and in order."""

from __future__ import annotations

import re
from pathlib import Path

import course_api
import course_cards
import course_certificates
import course_commands
import course_observables
import pytest
import yaml
from chapter_rules import BOOK, ROOT, bibliography, chapters, glossary_terms, named

from cmslabs.data.catalog import list_cards
from cmslabs.data.stored_results import stored_result
from cmslabs.features.observables import CATALOGUE


def pages() -> list[Path]:
    return [*BOOK.rglob("*.md"), *chapters(), *(ROOT / "labs" / "release").glob("*/*.ipynb")]


def test_glossary_has_no_term_twice():
    lower = [term.lower() for term in glossary_terms()]
    assert len(set(lower)) == len(lower) >= 40


def test_terms_used_on_any_page_exist():
    known = {term.lower() for term in glossary_terms()}
    used = {
        (path.name, named(term))
        for path in pages()
        if path.parent.name != "_ext"
        for term in re.findall(r"\{term\}`([^`]+)`", path.read_text(encoding="utf-8"))
    }
    assert used
    assert {(page, term) for page, term in used if term.lower() not in known} == set()


#: References whose DOI was seen nowhere: they give the publisher's page, and no DOI is guessed.
DOI_NOT_SEEN = {"nanoaod"}


def test_every_reference_has_its_own_doi_or_the_publishers_page():
    dois = bibliography()
    assert {key for key, doi in dois.items() if doi is None} == DOI_NOT_SEEN
    seen = [doi for doi in dois.values() if doi is not None]
    assert len(set(seen)) == len(seen) >= 10
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    for key in DOI_NOT_SEEN:
        entry = text.partition(f"{{{key},")[2].partition("\n}")[0]
        assert re.search(r"url\s*=\s*\{https://", entry)


def test_a_reference_without_doi_is_noticed(monkeypatch, tmp_path):
    import chapter_rules

    (tmp_path / "references.bib").write_text("@misc{a,\n title = {x},\n}\n@misc{b,\n doi = {10.1000/x}\n}\n")
    monkeypatch.setattr(chapter_rules, "BOOK", tmp_path)
    assert bibliography() == {"a": None, "b": "10.1000/x"}


def public_files() -> set[str]:
    """Modules of the package by their files, without the commands, which describe themselves."""
    source = ROOT / "src"
    files = (path.relative_to(source) for path in (source / "cmslabs").rglob("*.py"))
    return {
        ".".join(path.with_suffix("").parts)
        for path in files
        if not any(part.startswith("_") for part in path.parts) and "cli" not in path.parts
    }


def test_api_pages_show_every_public_module():
    shown = []
    for page in sorted((BOOK / "api").glob("*.md")):
        for names in course_api.MARKER.findall(page.read_text(encoding="utf-8")):
            shown += [module for name in names.split() for module in course_api.public_modules(name)]
    assert len(shown) == len(set(shown))
    assert public_files() - set(shown) == set()


def test_api_pages_are_in_the_table_of_contents():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert [page.stem for page in (BOOK / "api").glob("*.md") if f"book/api/{page.stem}\n" not in toc + "\n"] == []


def test_page_of_commands_shows_every_command_with_an_example():
    helps = course_commands.command_helps()
    assert {"cmslabs doctor", "cmslabs data fetch", "cmslabs simulate", "cmslabs features"} <= set(helps)
    assert {name for name, text in helps.items() if not text.startswith(f"Usage: {name}")} == set()
    assert {name for name, text in helps.items() if "Example" not in text} == set()
    assert max(len(line) for text in helps.values() for line in text.splitlines()) <= course_commands.WIDTH
    assert course_commands.MARKER in (BOOK / "api" / "commands.md").read_text(encoding="utf-8")


def test_cards_page_shows_every_card():
    cards = list_cards()
    overview, text = course_cards.overview_markdown(cards), course_cards.cards_markdown(cards)
    assert len(cards) >= 10
    for card in cards:
        assert f"(card-{card.name})" in overview
        assert text.count(f"(card-{card.name})=") == 1
    assert "{dropdown} Columns" in text
    page = (BOOK / "data-cards.md").read_text(encoding="utf-8")
    assert course_cards.OVERVIEW in page
    assert course_cards.CARDS in page


def test_page_of_observables_shows_the_whole_catalogue():
    source = [(BOOK / "observables.md").read_text(encoding="utf-8")]
    course_observables._insert(None, "observables", source)
    assert course_observables.MARKER not in source[0]
    shown = re.findall(r"(?m)^\| `(\w+)` \|", source[0])
    assert {
        name.removesuffix("1") if name.endswith("_j1") else name for name in CATALOGUE if name[-3:] != "_j2"
    } == set(shown)


def test_page_of_certificates_has_one_for_every_model():
    source = [(BOOK / "certificates.md").read_text(encoding="utf-8")]
    course_certificates._insert(None, "certificates", source)
    assert course_certificates.MARKER not in source[0]
    stored = stored_result("certificates")["numbers"]["certificates"]
    assert re.findall(r"(?m)^## (.+)$", source[0]) == list(stored)
    for name, one in stored.items():
        assert re.search(rf"(?m)^\| {re.escape(name)} \| .* \| {re.escape(one['verdict'])} \|$", source[0])


def test_address_of_the_repository_stands_once():
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    address = yaml.safe_load(config)["repository"]["url"]
    assert config.count(address) == 1
    written = [page for page in BOOK.rglob("*.md") if address.removeprefix("https://") in page.read_text("utf-8")]
    assert written == []


@pytest.mark.parametrize("role", ["repo", "repo-file", "binder", "colab"])
def test_launch_addresses_are_derived_from_it(role):
    from course_site import launch_address

    address = launch_address(role, "https://github.com/someone/name", "main", "labs/a b.ipynb")
    assert "someone/name" in address
    assert role == "repo" or address.endswith("labs/a%20b.ipynb")

"""Every page of the site, as a reader on a desktop and on a phone sees it."""

from __future__ import annotations

from collections import Counter

import pytest
from site_files import page_names
from site_visit import AXE_EXCEPTIONS, PHONE, visit_all

pytestmark = [pytest.mark.site, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def visits(site, browser, address):
    return visit_all(browser, address, page_names(site))


def gather(visits, what) -> dict[str, list]:
    return {visit.name: found for visit in visits if (found := what(visit))}


def test_nothing_comes_from_a_foreign_host(visits):
    assert gather(visits, lambda visit: visit.foreign) == {}


def test_console_has_no_errors(visits):
    assert gather(visits, lambda visit: visit.console) == {}


def test_no_request_fails(visits):
    assert gather(visits, lambda visit: visit.failed) == {}


def test_phone_needs_no_horizontal_scrolling(visits):
    assert gather(visits, lambda visit: visit.phone_width if visit.phone_width > PHONE["width"] else None) == {}


def test_formulas_are_typeset(visits):
    assert gather(visits, lambda visit: visit.math_problems) == {}
    assert sum(visit.math for visit in visits) > 20


def test_no_serious_accessibility_violation(visits):
    assert gather(visits, lambda visit: visit.axe) == {}


def test_every_accessibility_exception_is_needed(visits):
    assert {pair for visit in visits for pair in visit.excepted} == set(AXE_EXCEPTIONS)


def test_pictures_have_alternative_text_and_caption(visits):
    images = [(visit.name, image) for visit in visits for image in visit.images]
    poor = [(name, image["src"]) for name, image in images if len(image["alt"]) < 40 or not image["caption"]]
    assert poor == []
    repeated = {alt: n for alt, n in Counter(image["alt"] for _, image in images).items() if n > 1}
    assert repeated == {}

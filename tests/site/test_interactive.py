"""What moves on the site: slider, quizzes, search, and what is left of them without scripts."""

from __future__ import annotations

import json

import pytest
from site_files import page_names
from site_visit import settle

pytestmark = [pytest.mark.site, pytest.mark.slow]


def pages_with(site, text: str) -> list[str]:
    found = [name for name in page_names(site) if text in (site / name).read_text(encoding="utf-8")]
    assert found, f"no page has {text}"
    return found


@pytest.fixture
def page(browser):
    page = browser.page()
    yield page
    page.context.close()


def test_slider_redraws_the_spectrum_by_keyboard(site, address, page):
    page.goto(address + pages_with(site, 'class="pt-slider"')[0])
    figure = page.locator("figure.pt-slider").first
    data = json.loads(figure.locator("script").text_content())
    slider = figure.get_by_label("Both muons have")
    before = figure.locator("path.spectrum").get_attribute("d")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert figure.locator("output").text_content() == f"{data['cuts_gev'][10]:g} GeV"
    assert figure.locator("path.spectrum").get_attribute("d") != before
    assert figure.locator("path.reference").get_attribute("d") == before.removesuffix("Z")
    spoken = figure.locator("[role=status]")
    spoken.filter(has_text=f"Cut {data['cuts_gev'][10]:g} GeV: {data['pairs'][10]} of").wait_for()
    assert str(data["windows"][2]["pairs"][10]) in spoken.text_content()
    assert f"{data['pairs'][10]} of" in figure.locator("svg").get_attribute("aria-label")
    assert slider.get_attribute("aria-valuetext") == f"{data['cuts_gev'][10]:g} GeV"
    assert "GeV" in figure.locator("svg").text_content()
    assert "Simulation" in figure.locator("svg").text_content()


def test_slider_fits_a_phone(site, address, page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(address + pages_with(site, 'class="pt-slider"')[0])
    box = page.locator("figure.pt-slider svg").first.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


#: Chooses and checks every answer of every quiz; gives (number of right answers, verdicts that are wrong or too short).
_TRY_ALL_ANSWERS = """() => [...document.querySelectorAll('form.quiz')].map(form => {
  let right = 0;
  const poor = [];
  for (const radio of form.querySelectorAll('input[type=radio]')) {
    radio.click();
    form.requestSubmit();
    const text = form.querySelector('[role=status]').innerText, isRight = radio.dataset.correct === 'true';
    right += isRight;
    if (!text.startsWith(isRight ? 'Right.' : 'Not this one.') || text.length <= 30) poor.push(text);
  }
  return [right, poor];
})"""


def test_every_quiz_has_one_right_answer_and_feedback_for_each(site, address, page):
    found = {}
    for name in pages_with(site, 'class="quiz"'):
        page.goto(address + name)
        settle(page)
        found[name] = page.evaluate(_TRY_ALL_ANSWERS)
    assert sum(map(len, found.values())) >= 6
    assert {name: quizzes for name, quizzes in found.items() if any(quiz != [1, []] for quiz in quizzes)} == {}


def test_a_quiz_answers_by_keyboard(site, address, page):
    page.goto(address + pages_with(site, 'class="quiz"')[0])
    settle(page)
    form = page.locator("form.quiz").first
    radios, verdict = form.get_by_role("radio"), form.get_by_role("status")
    for position in range(radios.count()):
        radios.nth(position).focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        is_right = radios.nth(position).get_attribute("data-correct") == "true"
        assert verdict.inner_text().startswith("Right." if is_right else "Not this one.")


def test_quiz_asks_for_an_answer_first_and_forgets_old_verdicts(site, address, page):
    page.goto(address + pages_with(site, 'class="quiz"')[0])
    form = page.locator("form.quiz").first
    form.get_by_role("button").click()
    assert form.get_by_role("status").inner_text() == "Choose an answer first."
    form.get_by_role("radio").nth(0).check()
    assert form.get_by_role("status").inner_text() == ""


def test_search_finds_a_word(address, page):
    page.goto(address + "search.html?q=pseudorapidity")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    assert any("glossary" in link.get_attribute("href") for link in results.all())


def test_search_says_when_there_is_nothing(address, page):
    page.goto(address + "search.html?q=xyzzyplugh")
    page.get_by_text("did not match any documents").wait_for()


def test_dark_mode_is_followed_and_can_be_switched(address, browser):
    page = browser.page(color_scheme="dark")
    page.goto(address + "book/index.html")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.locator("button.theme-switch-button:visible").first.click()
    light = page.evaluate(background)
    page.context.close()
    brightness = [sum(map(int, colour[4:-1].split(","))) for colour in (dark, light)]
    assert brightness[0] < 150 < 600 < brightness[1]


def test_without_scripts_answers_and_numbers_are_still_there(site, address, browser):
    page = browser.page(java_script_enabled=False)
    page.goto(address + pages_with(site, 'class="quiz"')[0])
    details = page.locator("form.quiz details").first
    details.locator("summary").click()
    assert details.locator(".quiz-feedback").is_visible()
    assert not page.locator("form.quiz button").first.is_visible()
    page.goto(address + pages_with(site, 'class="pt-slider"')[0])
    assert page.locator("figure.pt-slider table").first.is_visible()
    page.context.close()

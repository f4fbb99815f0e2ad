"""Take the picture of the site that the README shows: the slider of the chapter "First peaks".

Needs a built site and a chromium (named in CMSLABS_CHROMIUM, or found by its usual names).
"""

from __future__ import annotations

import os
import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "book" / "_static" / "site.png"
SITE = ROOT / "_build" / "html"


def page_with_slider() -> Path:
    """The first page of the built site that has the slider."""
    for page in sorted(SITE.rglob("*.html")):
        if 'class="pt-slider"' in page.read_text(encoding="utf-8"):
            return page
    sys.exit("error: no page with the slider in _build/html; run: make book")


def main() -> None:
    """Write the picture with few colours, so that it stays small."""
    chromium = os.environ.get("CMSLABS_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(page_with_slider().as_uri(), wait_until="load")
        slider = page.locator("figure.pt-slider input")
        slider.fill("5")
        slider.blur()
        # Formulas and figures above move the slider until they are there.
        page.wait_for_timeout(1500)
        page.evaluate("scrollTo(0, document.querySelector('figure.pt-slider').offsetTop - 200)")
        page.wait_for_timeout(500)
        shot = page.screenshot()
        browser.close()
    Image.open(BytesIO(shot)).convert("RGB").quantize(64).save(OUT, optimize=True)
    print(OUT.relative_to(ROOT))


if __name__ == "__main__":
    main()

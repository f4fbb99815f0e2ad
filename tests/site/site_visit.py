"""Open pages in a browser and write down what a careful reader would notice."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 800}

#: Violations that are not ours: rule and a part of the selector.  None of them may lie inside <article>.
AXE_EXCEPTIONS: tuple[tuple[str, str], ...] = ()

#: Without "preload" axe does not fetch style sheets a second time (and from wrong addresses).
AXE_OPTIONS = {"resultTypes": ["violations"], "preload": False}

_LOOK = """() => ({
  width: document.documentElement.scrollWidth,
  math: document.querySelectorAll('.math').length,
  rendered: [...document.querySelectorAll('.math')].filter(n => n.querySelector('mjx-container')).length,
  mathErrors: [...document.querySelectorAll('mjx-merror')].map(n => n.textContent),
  rawMath: (() => {
    const walker = document.createTreeWalker(document.querySelector('article') || document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.parentElement.closest('pre, code, script, noscript, mjx-container')) continue;
      if (/\\\\\\(|\\\\\\[|\\$[^$]+\\$/.test(node.textContent)) found.push(node.textContent.trim().slice(0, 80));
    }
    return found;
  })(),
  images: [...document.querySelectorAll('article img')].map(n => ({
    src: n.getAttribute('src'), alt: n.getAttribute('alt') || '',
    caption: !!(n.closest('figure') && n.closest('figure').querySelector('figcaption')),
  })),
})"""


#: Contrast depends on the look of a text, and a site repeats few looks thousands of times, each of which costs axe some
#: milliseconds.  A look is: element and ancestors with their classes, size, weight, and the colours in both modes.
#: This marks texts whose look is known, gives the new looks, and turns code of a known look into plain text.
_MARK_KNOWN_LOOKS = """known => {
  const root = document.documentElement, mode = root.dataset.theme;
  const texts = n => [...n.childNodes].filter(c => c.nodeType === Node.TEXT_NODE && c.textContent.trim());
  const nodes = [...document.querySelectorAll('body *')].filter(n => !n.closest('mjx-container') && texts(n).length);
  const name = node => node ? node.tagName + '.' + node.className + (node.getAttribute('style') || '') : '';
  const lineage = (n, above = 3) => n && above >= 0 ? [n, ...lineage(n.parentElement, above - 1)] : [];
  const keys = nodes.map(n => lineage(n).map(name).join('|'));
  for (const theme of ['light', 'dark']) {
    root.dataset.theme = theme;
    const grounds = new Map();
    const ground = node => {
      if (!node) return '';
      if (!grounds.has(node)) {
        const own = getComputedStyle(node).backgroundColor;
        grounds.set(node, own === 'rgba(0, 0, 0, 0)' ? ground(node.parentElement) : own);
      }
      return grounds.get(node);
    };
    nodes.forEach((n, k) => {
      const look = getComputedStyle(n);
      keys[k] += [look.color, look.fontSize, look.fontWeight, look.display, ground(n)].join('|');
    });
  }
  if (mode === undefined) delete root.dataset.theme; else root.dataset.theme = mode;
  const seen = new Set(known), fresh = [];
  window.repeated = [];
  nodes.forEach((n, k) => {
    if (!seen.has(keys[k])) { seen.add(keys[k]); fresh.push(keys[k]); }
    else if (n.tagName === 'SPAN' && n.closest('pre') && !n.children.length) n.replaceWith(...n.childNodes);
    else window.repeated.push(...texts(n));
  });
  // Formulas in a line are made by the same program: a few of them stand for the page's others.  Those on a line of
  // their own stay, since one that is too wide has to scroll.
  [...document.querySelectorAll('mjx-container:not([display])')].slice(3).forEach(n => n.replaceWith('x'));
  return fresh;
}"""

#: This leaves only texts of a new look, and nothing that is empty.
_DROP_KNOWN_LOOKS = """() => {
  window.repeated.forEach(text => text.remove());
  const empty = n => !n.children.length && !n.textContent.trim() && !n.matches('input, textarea, select, button');
  for (let some = true; some;) {
    const found = [...document.querySelectorAll('body *')].filter(empty);
    found.forEach(n => n.remove());
    some = found.length > 0;
  }
}"""


@dataclass
class Visit:
    """What was seen on one page."""

    name: str
    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    phone_width: int = 0
    math: int = 0
    math_problems: list[str] = field(default_factory=list)
    images: list[dict] = field(default_factory=list)
    axe: list[str] = field(default_factory=list)
    excepted: list[tuple[str, str]] = field(default_factory=list)
    #: Whether we have taken the page apart: what its scripts say of that does not count.
    taken_apart: bool = False


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        """Say nothing: the browser's view is what counts."""


@contextlib.contextmanager
def serve(folder: Path):
    """Serve a folder on 127.0.0.1; gives the address."""
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class Browser:
    """A chromium and one page in it that goes from address to address."""

    def __init__(self, path: str):
        self.path = path

    def __enter__(self) -> Browser:
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=self.path, args=["--no-sandbox"])
        return self

    def __exit__(self, *error) -> None:
        self._browser.close()
        self._playwright.stop()

    def page(self, color_scheme: str = "light", **options) -> Page:
        """A fresh page in its own context, like a first visit."""
        context = self._browser.new_context(viewport=DESKTOP, color_scheme=color_scheme, **options)
        context.set_default_timeout(20_000)
        return context.new_page()


def settle(page: Page) -> None:
    """Wait until formulas are typeset and transitions are over."""
    page.evaluate("async () => { if (window.MathJax && MathJax.startup) await MathJax.startup.promise; }")
    page.wait_for_timeout(50)


def _resize(page: Page, size: dict[str, int]) -> None:
    """Resize and wait until the page's scripts have noticed: they are told just before the next frame."""
    page.set_viewport_size(size)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def visit_all(browser: Browser, address: str, names: list[str]) -> list[Visit]:
    """Visit all pages with one browser page, on desktop and phone, light and dark."""
    page = browser.page(reduced_motion="reduce")
    visits = []
    looks: set[str] = set()
    current: list[Visit] = [Visit("about:blank")]

    def on_request(route):
        url = route.request.url
        if url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            current[0].foreign.append(url)
            route.abort()

    page.route("**/*", on_request)

    def on_error(text: str):
        if not current[0].taken_apart:
            current[0].console.append(text)

    page.on("console", lambda message: message.type == "error" and on_error(message.text))
    page.on("pageerror", lambda error: on_error(str(error)))
    page.on("response", lambda reply: reply.status >= 400 and current[0].failed.append(f"{reply.status} {reply.url}"))
    for name in names:
        # What the last page still has to say is its own.
        page.goto("about:blank")
        current[:] = [Visit(name)]
        _visit(page, address + name, current[0], looks)
        visits.append(current[0])
    page.context.close()
    return visits


def _visit(page: Page, url: str, visit: Visit, looks: set[str]) -> None:
    page.set_viewport_size(DESKTOP)
    page.goto(url, wait_until="load")
    settle(page)
    seen = page.evaluate(_LOOK)
    visit.math, visit.images = seen["math"], seen["images"]
    if seen["rendered"] < seen["math"]:
        visit.math_problems.append(f"{seen['math'] - seen['rendered']} formulas are not typeset")
    visit.math_problems += seen["mathErrors"] + seen["rawMath"]
    _resize(page, PHONE)
    visit.phone_width = page.evaluate("document.documentElement.scrollWidth")
    _resize(page, DESKTOP)
    fresh = page.evaluate(_MARK_KNOWN_LOOKS, list(looks))
    looks.update(fresh)
    _audit(page, visit, "light", AXE_OPTIONS | {"rules": {"color-contrast": {"enabled": False}}})
    if not fresh:
        return
    visit.taken_apart = True
    page.evaluate(_DROP_KNOWN_LOOKS)
    for mode in ("light", "dark"):
        page.evaluate("mode => { document.documentElement.dataset.theme = mode; }", mode)
        page.wait_for_timeout(50)
        _audit(page, visit, mode, AXE_OPTIONS | {"runOnly": ["color-contrast"]})


def _audit(page: Page, visit: Visit, mode: str, options: dict) -> None:
    """Write down the serious violations that axe finds."""
    for violation in Axe().run(page, options=options).response["violations"]:
        if violation["impact"] not in ("serious", "critical"):
            continue
        for node in violation["nodes"]:
            selector = " ".join(map(str, node["target"]))
            known = [pair for pair in AXE_EXCEPTIONS if pair[0] == violation["id"] and pair[1] in selector]
            if known and not page.evaluate("s => !!document.querySelector(s)?.closest('article')", selector):
                visit.excepted += known
            else:
                visit.axe.append(f"{mode}: {violation['id']} at {selector}: {node['html'][:120]}")

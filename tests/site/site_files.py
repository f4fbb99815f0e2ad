"""Look into the files of the built site, without a browser."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
#: Pages that Sphinx makes by itself.
OWN_PAGES = ("genindex.html", "search.html")


@cache
def parsed(path: Path) -> BeautifulSoup:
    """A page, read once; nobody changes it."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


class Places(HTMLParser):
    """Where a page leads to, and the names of its own places; a tree of its elements would take ten times as long."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: set[str] = set()
        self.names: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links |= {found[key] for key in ("href", "src") if key in found}
        self.names |= {found["id"]} if "id" in found else set()


def page_names(site: Path) -> list[str]:
    """Addresses of all pages of the site; the file at the root only leads to the first one."""
    found = (path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return sorted(name for name in found if not name.startswith("_static/") and name != "index.html")


def toc_files() -> list[str]:
    """What `_toc.yml` lists, without endings."""
    text = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    return [yaml.safe_load(text)["root"], *re.findall(r"(?m)^\s*- file: (\S+)", text)]


def dead_links(site: Path) -> list[str]:
    """Links, pictures and scripts of the pages that lead to a file or a place that does not exist."""
    seen = {name: Places(site / name) for name in page_names(site)}
    dead = []
    for name, page in seen.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = ((site / name).parent / unquote(parts.path)).resolve() if parts.path else (site / name).resolve()
            if not target.is_file():
                dead.append(f"{name}: {link}")
                continue
            aim = target.relative_to(site.resolve()).as_posix()
            fragment = unquote(parts.fragment)
            if fragment and aim in seen and fragment not in seen[aim].names:
                dead.append(f"{name}: {link}")
    return dead


def launch_links(site: Path, name: str) -> dict[str, str]:
    """Addresses behind the rocket of a page: ``{"binder": ..., "colab": ...}``."""
    soup = parsed(site / name)
    links = [tag["href"] for tag in soup.select(".dropdown-launch-buttons a[href]")]
    hosts = {"binder": "https://mybinder.org/", "colab": "https://colab.research.google.com/"}
    return {kind: link for kind, host in hosts.items() for link in links if link.startswith(host)}


def run_seconds(site: Path) -> dict[str, float]:
    """How long each executed page took, from the table that the site itself shows."""
    soup = parsed(site / "book" / "how-to-use.html")
    rows = [[cell.get_text(strip=True) for cell in row.find_all("td")] for row in soup.select("table tr")]
    return {row[0]: float(row[3]) for row in rows if len(row) == 5}


def declared_minutes(page: str) -> float:
    """The ``run_minutes`` that a chapter's box declares."""
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    return float(re.search(r"run_minutes:\s*([\d.]+)", "".join(cells[0]["source"]))[1])


def _squeeze(text: str) -> str:
    """Text without spaces."""
    return re.sub(r"\s+", "", text)


def _shown(markup: str) -> str:
    """What a reader sees of HTML, without spaces: highlighted code becomes comparable with its source."""
    return _squeeze(html.unescape(re.sub(r"<[^>]*>", "", markup)))


def secret_lines(source: Path, public: list[Path]) -> set[str]:
    """Lines of solutions and hidden tests of a lab's source that stand in none of the `public` notebooks."""
    secret: set[str] = set()
    for cell in json.loads(source.read_text(encoding="utf-8"))["cells"]:
        inside = False
        for line in "".join(cell["source"]).splitlines():
            if re.search(r"### (BEGIN|END) (SOLUTION|HIDDEN TESTS)", line):
                inside = "BEGIN" in line
            elif inside and len(_squeeze(line)) >= 20:
                secret.add(_squeeze(line))
    known = "".join(
        _squeeze("".join(cell["source"]))
        for path in public
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    )
    return {line for line in secret if line not in known}


def leaks(site: Path, secret: set[str]) -> list[str]:
    """Files of the site in which one of the secret lines, or a marker of nbgrader, stands."""
    markers = {_squeeze(f"### BEGIN {what}") for what in ("SOLUTION", "HIDDEN TESTS")}
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix not in (".html", ".ipynb", ".txt", ".md", ".js", ".json") or "vendor" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".ipynb", ".json"):
            # JSON escapes quotes and splits lines; undo it before comparing.
            text = "".join(_strings(json.loads(text)))
        squeezed = _shown(text) if path.suffix == ".html" else _squeeze(text)
        found += [f"{path.relative_to(site)}: {line}" for line in sorted(secret | markers) if line in squeezed]
    return found


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)

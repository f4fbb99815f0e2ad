"""The checks of the site notice what they are there for: each fault is planted once."""

from __future__ import annotations

import json

import pytest
from site_files import dead_links, leaks, secret_lines
from site_visit import PHONE, serve, visit_all

pytestmark = pytest.mark.site

PAGE = """<!doctype html><html lang="en"><head><title>A page</title>
<style>body {{ background: white; color: black }} [data-theme=dark] body {{ background: black; color: {dark} }}</style>
</head><body><main><article><h1>Title</h1>{body}</article></main></body></html>"""

FAULTS = {
    "foreign": '<p>Text</p><script src="https://cdn.example.org/lib.js"></script>',
    "console": "<p>Text</p><script>console.error('planted')</script>",
    "exception": "<p>Text</p><script>undefined.planted</script>",
    "missing": '<p>Text</p><script src="gone.js"></script>',
    "wide": '<div style="width: 800px">Text</div>',
    "math": '<p>Text <span class="math">\\(x\\)</span></p>',
    "raw": "<p>The mass is $m_1 + m_2$ here.</p>",
    "picture": '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt="plot.png">',
    "contrast": '<p style="color: #bbb">Text that nobody can read</p>',
    "name": '<p>Text</p><button style="width: 20px; height: 20px"></button>',
}


@pytest.fixture(scope="module")
def visits(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    for name, body in FAULTS.items():
        (folder / f"{name}.html").write_text(PAGE.format(body=body, dark="white"))
    (folder / "good.html").write_text(PAGE.format(body="<p>Text</p>", dark="white"))
    (folder / "dark.html").write_text(PAGE.format(body="<p>Text</p>", dark="#222"))
    with serve(folder) as address:
        names = sorted(path.name for path in folder.glob("*.html"))
        return {visit.name.removesuffix(".html"): visit for visit in visit_all(browser, address, names)}


def test_good_page_is_good(visits):
    good = visits["good"]
    assert [good.console, good.foreign, good.failed, good.math_problems, good.images, good.axe] == [[]] * 6
    assert good.phone_width <= PHONE["width"]


def test_faults_of_the_page_are_noticed(visits):
    assert visits["foreign"].foreign == ["https://cdn.example.org/lib.js"]
    assert "planted" in visits["console"].console[0]
    assert "planted" in visits["exception"].console[0]
    assert visits["missing"].failed[0].startswith("404")
    assert visits["wide"].phone_width > PHONE["width"]
    assert visits["math"].math_problems
    assert visits["raw"].math_problems
    assert not visits["picture"].images[0]["caption"]
    assert len(visits["picture"].images[0]["alt"]) < 40


def test_faults_of_access_are_noticed(visits):
    assert any("light: color-contrast" in line for line in visits["contrast"].axe)
    assert any("button-name" in line for line in visits["name"].axe)
    assert [line.split(" at ")[0] for line in visits["dark"].axe if line.startswith("dark")][:1] == [
        "dark: color-contrast"
    ]


def test_dead_links_are_noticed(tmp_path):
    (tmp_path / "other.html").write_text('<p id="here">Text</p>')
    (tmp_path / "page.html").write_text(
        '<a href="other.html#here">good</a><a href="other.html#there">bad</a><a href="gone.html">bad</a>'
        '<img src="gone.png">'
        '<a href="https://example.org/">outside</a><a href="#nowhere">bad</a>'
    )
    assert dead_links(tmp_path) == [
        "page.html: #nowhere", "page.html: gone.html", "page.html: gone.png", "page.html: other.html#there",
    ]  # fmt: skip


def lab(tmp_path, name: str, code: str):
    path = tmp_path / name
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": code.splitlines(keepends=True)}]}))
    return path


def test_leaked_solution_is_noticed_in_every_kind_of_file(tmp_path):
    secret = 'mass = np.sqrt(2 * first.pt * second.pt * "<cosh>")'
    hidden = "assert abs(answer - 91.1876) < 0.5"
    source = lab(
        tmp_path,
        "source.ipynb",
        f"def mass():\n    ### BEGIN SOLUTION\n    {secret}\n    ### END SOLUTION\n"
        f"### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS\nassert callable(mass_of_a_pair)\n",
    )
    lines = secret_lines(source, [lab(tmp_path, "release.ipynb", "def mass():\n    raise NotImplementedError\n")])
    assert len(lines) == 2
    site = tmp_path / "site"
    site.mkdir()
    (site / "page.html").write_text("<pre>nothing to see</pre>")
    assert leaks(site, lines) == []
    highlighted = (
        '<pre><span class="n">mass</span> = np.sqrt(2 * first.pt * second.pt * &quot;&lt;cosh&gt;&quot;)</pre>'
    )
    (site / "page.html").write_text(highlighted)
    lab(site, "notebook.ipynb", hidden)
    (site / "other.html").write_text("<p>### BEGIN SOLUTION</p>")
    assert {leak.partition(":")[0] for leak in leaks(site, lines)} == {"page.html", "notebook.ipynb", "other.html"}


def test_line_that_students_are_given_is_no_secret(tmp_path):
    code = "### BEGIN SOLUTION\nvalues = muons.pt[mask_of_the_good_ones]\n### END SOLUTION\n"
    source = lab(tmp_path, "source.ipynb", code)
    given = lab(tmp_path, "release.ipynb", "# like this:\nvalues = muons.pt[mask_of_the_good_ones]\n")
    assert secret_lines(source, []) != set()
    assert secret_lines(source, [given]) == set()

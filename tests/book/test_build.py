"""The scripts that build the site: what they notice, and what they keep."""

from __future__ import annotations

import json
import re

import build_book
import nbformat
import pytest
import vendor_assets
import yaml
from chapter_rules import ROOT


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    """A small repository in place of ours."""
    for name, value in {"ROOT": tmp_path, "BUILD": tmp_path / "_build", "HTML": tmp_path / "_build" / "html"}.items():
        monkeypatch.setattr(build_book, name, value)
    monkeypatch.setattr(build_book, "CACHE", tmp_path / "_build" / ".jupyter_cache")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("x = 1\n")
    for name in ("constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text("numpy\n")
    return tmp_path


def write_notebook(path, source: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata=kernel)
    nbformat.write(notebook, path)


def test_hash_sees_content_and_names_but_not_what_was_made(sandbox):
    before = build_book.content_hash(("src",))
    (sandbox / "src" / "__pycache__").mkdir()
    (sandbox / "src" / "__pycache__" / "code.pyc").write_text("made")
    assert build_book.content_hash(("src",)) == before
    (sandbox / "src" / "code.py").write_text("x = 2\n")
    changed = build_book.content_hash(("src",))
    (sandbox / "src" / "code.py").rename(sandbox / "src" / "other.py")
    assert len({before, changed, build_book.content_hash(("src",))}) == 3


def test_results_are_forgotten_when_the_code_changes(sandbox):
    build_book.prepare_cache()
    result = build_book.CACHE / "result"
    result.write_text("kept")
    build_book.prepare_cache()
    assert result.exists()
    (sandbox / "src" / "code.py").write_text("x = 2\n")
    build_book.prepare_cache()
    assert not result.exists()


def test_notebooks_of_the_toc_are_those_that_are_executed(sandbox):
    for name in ("book/a.ipynb", "book/b.ipynb", "labs/release/one/one.ipynb", "book/not-listed.ipynb"):
        write_notebook(sandbox / name, "1")
    toc = {"root": "book/index", "parts": [{"chapters": [{"file": "book/a", "sections": [{"file": "book/b"}]}]}]}
    toc["parts"].append({"chapters": [{"file": "labs/release/one/one"}]})
    (sandbox / "_toc.yml").write_text(yaml.safe_dump(toc))
    (sandbox / "_config.yml").write_text("execute:\n  exclude_patterns: [labs/release/*/*.ipynb]\n")
    found = [path.relative_to(sandbox).as_posix() for path in build_book.notebooks_of_the_toc()]
    assert sorted(found) == ["book/a.ipynb", "book/b.ipynb"]


@pytest.mark.slow
def test_pages_run_once_and_failures_are_told(sandbox, monkeypatch, capsys):
    good, bad = sandbox / "good.ipynb", sandbox / "bad.ipynb"
    write_notebook(good, "open('ran.txt', 'a').write('x')")
    write_notebook(bad, "raise ValueError('planted')")
    build_book.prepare_cache()
    monkeypatch.setattr(build_book, "notebooks_of_the_toc", lambda: [good])
    assert build_book.execute_pages(1)
    assert build_book.execute_pages(1)
    assert (sandbox / "ran.txt").read_text() == "x"
    monkeypatch.setattr(build_book, "notebooks_of_the_toc", lambda: [good, bad])
    assert not build_book.execute_pages(1)
    assert "planted" in capsys.readouterr().err


@pytest.mark.slow
def test_warning_ends_the_build(sandbox):
    """That a build without one ends well, the site itself shows."""
    (sandbox / "_config.yml").write_text("title: Small\nonly_build_toc_files: true\n")
    (sandbox / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (sandbox / "index.md").write_text("# Small\n\nSee [no page](gone.md).\n")
    assert build_book.render() != 0
    # A second run must not forget the first one's warnings.
    assert build_book.render() != 0


def test_traceback_on_a_page_is_found(sandbox):
    build_book.HTML.mkdir(parents=True)
    (build_book.HTML / "good.html").write_text("<div class='output text'>")
    assert build_book.pages_with_traceback() == []
    (build_book.HTML / "bad.html").write_text('<div class="output traceback highlight">')
    assert [path.name for path in build_book.pages_with_traceback()] == ["bad.html"]


def test_lock_file_has_versions_and_checksums_but_no_download_addresses():
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
    for name, version in json.loads((ROOT / "package.json").read_text())["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert packages[f"node_modules/{name}"]["version"] == version


def test_site_is_configured_to_ask_nobody():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    wanted = {config["mathjax_path"], *config["nb_ipywidgets_js"]}
    places = {f"vendor/{place}" for place in vendor_assets.ASSETS.values()}
    assert wanted <= places


def test_vendor_folder_is_renewed_when_the_lock_changes(tmp_path, monkeypatch):
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(vendor_assets, "ROOT", tmp_path)
    monkeypatch.setattr(vendor_assets, "VENDOR", tmp_path / "vendor")
    modules = tmp_path / "node_modules"
    for source in vendor_assets.ASSETS:
        (modules / source).parent.mkdir(parents=True, exist_ok=True)
        (modules / source).write_text("script")
    for name in json.loads((ROOT / "package.json").read_text())["dependencies"]:
        (modules / name).mkdir(parents=True, exist_ok=True)
        (modules / name / "package.json").write_text('{"version": "1.0.0", "license": "MIT"}')
    monkeypatch.setattr(vendor_assets, "install", lambda folder: modules)
    assert vendor_assets.vendor()
    assert not vendor_assets.vendor()
    assert (tmp_path / "vendor" / "mathjax" / "tex-chtml.js").read_text() == "script"
    assert "MIT" in (tmp_path / "vendor" / "NOTICE.txt").read_text()
    (tmp_path / "package-lock.json").write_text("{}")
    assert vendor_assets.vendor()

"""What the site needs beyond Jupyter Book: no foreign scripts, and links made from one address.

Roles (the address stands once, in `_config.yml` as ``repository.url``)::

    {repo}`the repository`                                  the repository's front page
    {repo-file}`the Makefile <Makefile>`                    a file or folder of the repository; it must exist
    {binder}`open it on Binder <book/how-to-use.ipynb>`     a notebook; it must exist and be a notebook
    {colab}`open it on Colab <book/how-to-use.ipynb>`
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from docutils import nodes
from sphinx.builders.html._assets import _JavaScript as JavaScript
from sphinx.errors import ExtensionError
from sphinx.util.docutils import ReferenceRole

__all__ = ["launch_address", "setup"]

#: Files that a page would otherwise load although nothing on it uses them.
UNWANTED = "thebe"
#: The attribute by which the widget manager learns where to fetch what it does not have.
CDN = "data-jupyter-widgets-cdn"


def launch_address(kind: str, repository: str, branch: str, path: str) -> str:
    """Address of a file of the repository, on the code host, on Binder or on Colab.

    >>> launch_address("colab", "https://github.com/OWNER/name", "main", "labs/a.ipynb")
    'https://colab.research.google.com/github/OWNER/name/blob/main/labs/a.ipynb'
    """
    repository = repository.rstrip("/")
    name = repository.removeprefix("https://github.com/")
    path = quote(path)
    return {
        "repo": repository,
        "repo-file": f"{repository}/blob/{branch}/{path}",
        "binder": f"https://mybinder.org/v2/gh/{name}/{branch}?urlpath=lab/tree/{path}",
        "colab": f"https://colab.research.google.com/github/{name}/blob/{branch}/{path}",
    }[kind]


class RepositoryRole(ReferenceRole):
    """A link derived from the repository's address."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        kind = self.name
        problem = self._problem(kind)
        if problem:
            message = self.inliner.reporter.error(problem, line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        options = self.config.html_theme_options
        address = launch_address(kind, options["repository_url"], options["repository_branch"], self.target)
        return [nodes.reference(self.rawtext, self.title, refuri=address, internal=False)], []

    def _problem(self, kind: str) -> str | None:
        if kind == "repo":
            return None
        if not (Path(self.env.srcdir) / self.target).exists():
            return f"{{{kind}}}: there is no '{self.target}' in the repository."
        if kind in ("binder", "colab") and not self.target.endswith(".ipynb"):
            return f"{{{kind}}}: '{self.target}' is not a notebook."
        return None


def _check_vendor(app) -> None:
    for name in (app.config.mathjax_path, *app.config.nb_ipywidgets_js):
        if "://" in name:
            raise ExtensionError(f"{name} is on a foreign host; vendor it with data_scripts/vendor_assets.py")
        if not (Path(app.confdir or app.srcdir) / "book" / "_static" / name).exists():
            raise ExtensionError(f"book/_static/{name} is missing; run: python data_scripts/vendor_assets.py")


def _remove_unwanted(app, pagename, templatename, context, doctree) -> None:
    """Drop what sphinx-thebe adds to every page even where it is switched off."""
    for kind in ("script_files", "css_files"):
        kept = []
        for file in context.get(kind, []):
            inline = (getattr(file, "attributes", None) or {}).get("body") or ""
            if UNWANTED not in str(getattr(file, "filename", "") or "") and UNWANTED not in inline.lower():
                kept.append(file)
        context[kind] = kept


def _keep_widgets_at_home(app, pagename, templatename, context, doctree) -> None:
    """Tell the widget manager that its "CDN" is our own vendor folder, seen from this page."""
    files = context.get("script_files", [])
    for position, file in enumerate(files):
        if "html-manager" in str(getattr(file, "filename", "") or ""):
            home = context["pathto"]("_static/vendor/", 1)
            files[position] = JavaScript(file.filename, priority=file.priority, **{**file.attributes, CDN: home})


def _repair_citations(app, pagename, templatename, context, doctree) -> None:
    """Give the entries of a bibliography a role that fits that of their list."""
    if "citation-list" in context.get("body", ""):
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app):
    """Register the roles and the clean-up of pages with Sphinx."""
    for name in ("repo", "repo-file", "binder", "colab"):
        app.add_role(name, RepositoryRole())
    app.connect("builder-inited", _check_vendor)
    app.connect("html-page-context", _remove_unwanted, priority=950)
    app.connect("html-page-context", _repair_citations)
    app.connect("html-page-context", _keep_widgets_at_home, priority=960)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

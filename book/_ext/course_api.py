"""The API pages: a line ``<!-- api: cmslabs.io cmslabs.data -->`` becomes one section per public module.

The modules are found in the package, so that a new module cannot be forgotten; tests/book compares.
"""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

__all__ = ["api_markdown", "public_modules", "setup"]

MARKER = re.compile(r"<!-- api: ([\w. ]+) -->")


def public_modules(name: str) -> list[str]:
    """The module `name` and, if it is a package, all that lies in it and has a public name."""
    module = import_module(name)
    inside = getattr(module, "__path__", None)
    found = [name] if getattr(module, "__all__", None) or inside is None else []
    for info in sorted(pkgutil.iter_modules(inside or []), key=lambda info: info.name):
        if not info.name.startswith("_"):
            found += public_modules(f"{name}.{info.name}")
    return found


def api_markdown(names: list[str]) -> str:
    """Sections with autodoc directives for the modules below `names`."""
    sections = []
    for name in [module for top in names for module in public_modules(top)]:
        sections.append(f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```")
    return "\n\n".join(sections)


def _insert(app, docname, source) -> None:
    source[0] = MARKER.sub(lambda match: api_markdown(match[1].split()), source[0])


def _import_all(app) -> None:
    """Import what the pages show before Sphinx documents any of it.

    Sphinx adds the annotations of pydantic's base class to every model that it documents; after that, pydantic cannot
    make a subclass of it any more.
    """
    for name in ("objects", "features", "simulation", "selection", "evaluation", "models", "data"):
        public_modules(f"cmslabs.{name}")


def setup(app):
    """Listen to every page that is read."""
    app.connect("builder-inited", _import_all)
    app.connect("source-read", _insert)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

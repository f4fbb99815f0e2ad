"""The catalogue of dijet observables on a page: the line ``<!-- observables -->`` is replaced by its table."""

from __future__ import annotations

__all__ = ["MARKER", "setup"]

MARKER = "<!-- observables -->"


def _insert(app, docname, source) -> None:
    if MARKER not in source[0]:
        return
    from cmslabs.features.observables import observables_markdown

    source[0] = source[0].replace(MARKER, observables_markdown())


def setup(app):
    """Listen to every page that is read."""
    app.connect("source-read", _insert)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

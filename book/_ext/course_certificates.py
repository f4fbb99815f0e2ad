"""The null certificates on a page: the line ``<!-- certificates -->`` is replaced by what is stored of them."""

from __future__ import annotations

__all__ = ["MARKER", "setup"]

MARKER = "<!-- certificates -->"


def _insert(app, docname, source) -> None:
    if MARKER not in source[0]:
        return
    from cmslabs.data.stored_results import stored_result
    from cmslabs.evaluation.validation.certificate_page import certificates_markdown

    stored = stored_result("certificates")["numbers"]["certificates"]
    source[0] = source[0].replace(MARKER, certificates_markdown(stored))


def setup(app):
    """Listen to every page that is read."""
    app.connect("source-read", _insert)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

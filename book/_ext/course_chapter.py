"""The ``{chapter}`` directive: the box at the top of a chapter.

Write it in the first Markdown cell, right below the title::

    ```{chapter}
    objectives:
      - Compute the invariant mass of two muons from $p_T$, $\\eta$, $\\phi$ by hand and with `vector`.
      - ...
    prerequisites:
      - Python with numpy arrays
      - "[](../how-to-use.md)"
    reading_minutes: 25
    run_minutes: 0.5
    ```

Three to five objectives, each one something a reader can be asked to *do* ("compute", "predict", "decide";
not "understand"). ``run_minutes`` is what the page takes on two cores, at most 2.
"""

from __future__ import annotations

from course_blocks import BlockError, parse_chapter
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

__all__ = ["setup"]


class ChapterDirective(SphinxDirective):
    """Build an admonition with objectives, prerequisites and times."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        try:
            card = parse_chapter("\n".join(self.content))
        except BlockError as error:
            raise self.error(str(error)) from error
        box = nodes.admonition(classes=["chapter-card", "admonition-chapter"])
        box += nodes.title("", "In this chapter")
        box += nodes.paragraph("", "Afterwards you can")
        box += self._list(card.objectives)
        box += self._line("You need", "; ".join(item.rstrip(".") for item in card.prerequisites) + ".")
        box += self._line("Time", f"{card.reading_minutes:g} min to read, {card.run_minutes:g} min to run.")
        return [box]

    def _list(self, items: tuple[str, ...]) -> nodes.bullet_list:
        bullets = nodes.bullet_list(bullet="-")
        for item in items:
            children, messages = self.state.inline_text(item, self.lineno)
            bullets += nodes.list_item("", nodes.paragraph("", "", *children, *messages))
        return bullets

    def _line(self, name: str, text: str) -> nodes.paragraph:
        children, messages = self.state.inline_text(text, self.lineno)
        return nodes.paragraph("", "", nodes.strong("", name), nodes.Text(": "), *children, *messages)


def setup(app):
    """Register the directive with Sphinx."""
    app.add_directive("chapter", ChapterDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

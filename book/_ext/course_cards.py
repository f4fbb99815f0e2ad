"""Dataset cards on a page: the lines ``<!-- cards-overview -->`` and ``<!-- cards -->`` are replaced by them.

The text is inserted before the page is parsed, so that each card becomes a section with its own address.
"""

from __future__ import annotations

import re

__all__ = ["cards_markdown", "overview_markdown", "setup"]

OVERVIEW, CARDS = "<!-- cards-overview -->", "<!-- cards -->"


def overview_markdown(cards) -> str:
    """A table with one line per card that links to it."""
    from cmslabs.data.card_text import readable_size

    lines = ["| name | kind | events | size |", "|---|---|--:|--:|"]
    for card in cards:
        kind = "Simulation" if card.simulation else "real data"
        events = "?" if card.n_events is None else f"{card.n_events:,}"
        cells = [f"[`{card.name}`](card-{card.name})", kind, events, readable_size(card.size_bytes)]
        lines.append("| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |")
    return "\n".join(lines)


def cards_markdown(cards) -> str:
    """All cards: each one a section with a label, its long lists folded."""
    from cmslabs.data.card_text import card_markdown

    return "\n\n".join(f"(card-{card.name})=\n{_folded(card_markdown(card, level=2))}" for card in cards)


def _folded(text: str) -> str:
    """Turn every sub-section into a foldable block: a schema has dozens of lines."""
    head, *sections = re.split(r"(?m)^### ", text)
    blocks = [head.strip()]
    for section in sections:
        title, _, body = section.partition("\n")
        blocks.append(f"::::{{dropdown}} {title.strip()}\n{body.strip()}\n::::")
    return "\n\n".join(blocks) + "\n"


def _insert(app, docname, source) -> None:
    if OVERVIEW not in source[0] and CARDS not in source[0]:
        return
    from cmslabs.data.catalog import list_cards

    cards = list_cards()
    source[0] = source[0].replace(OVERVIEW, overview_markdown(cards)).replace(CARDS, cards_markdown(cards))


def setup(app):
    """Listen to every page that is read."""
    app.connect("source-read", _insert)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

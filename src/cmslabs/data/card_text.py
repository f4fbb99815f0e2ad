"""Dataset cards as Markdown: for the terminal and for the book."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cmslabs.data.catalog import Card, CardFile

__all__ = ["card_markdown", "readable_size"]

_UNKNOWN = "not known: no public source was seen"


def readable_size(size: int | None) -> str:
    """A size in decimal units, ``"?"`` where it is not known.

    Examples
    --------
    >>> readable_size(2_020_000_000), readable_size(5551), readable_size(12), readable_size(None)
    ('2.0 GB', '5.6 kB', '12 B', '?')
    """
    if size is None:
        return "?"
    if size < 1000:
        return f"{size} B"
    power = next((power for power in (1, 2, 3) if size < 999.95 * 1000**power), 4)
    return f"{size / 1000**power:.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def card_markdown(card: Card, level: int = 1) -> str:
    """The whole card as Markdown.

    Parameters
    ----------
    card : Card
        From `cmslabs.data.catalog.load_card`.
    level : int
        Level of its heading; its sections are one level below.
    """
    section = "#" * (level + 1)
    kind = "Simulation" if card.simulation else "Real data"
    parts = [f"{'#' * level} {card.title}", f"`{card.name}` · **{kind}**", card.content.strip(), _facts(card)]
    parts += [f"{section} Selection", card.selection.strip()]
    if card.columns:
        rows = [(f"`{column.name}`", column.type, column.unit, column.meaning) for column in card.columns]
        parts += [f"{section} Columns", _table(("name", "type", "unit", "meaning"), rows)]
    if card.files:
        parts += [f"{section} Files", *(_file(file) for file in card.files)]
    if card.known_traps:
        parts += [f"{section} Known traps", "\n".join(f"- {_one_line(trap)}" for trap in card.known_traps)]
    if card.citation:
        parts += [f"{section} Citation", card.citation.strip()]
    if card.source_seen:
        seen = "\n".join(f"- {fact}: {_one_line(source)}" for fact, source in card.source_seen.items())
        parts += [f"{section} Where these facts were read", seen]
    return "\n\n".join(parts) + "\n"


def _facts(card: Card) -> str:
    size = readable_size(card.size_bytes) if card.size_bytes is not None else _UNKNOWN
    doi = f"[{card.doi}](https://doi.org/{card.doi})" if card.doi else _UNKNOWN
    rows = [
        ("events", f"{card.n_events:,}" if card.n_events is not None else _UNKNOWN),
        ("size of the files below", size),
        ("licence", card.licence or _UNKNOWN),
        ("DOI", "none: it is made by this project" if card.bundled else doi),
        ("record", f"<{card.record}>" if card.record else ("this package" if card.bundled else _UNKNOWN)),
    ]
    return _table(("fact", "value"), rows)


def _file(file: CardFile) -> str:
    lines = [f"- `{file.name}`" + (f": {_one_line(file.content)}" if file.content else "")]
    details = [f"size {readable_size(file.size_bytes) if file.size_bytes is not None else _UNKNOWN}"]
    if file.n_events is not None:
        details.append(f"{file.n_events:,} events")
    lines.append("  - " + ", ".join(details))
    sums = [(kind, getattr(file, kind)) for kind in ("sha256", "md5", "adler32") if getattr(file, kind)]
    lines += [f"  - {kind} `{value}`" for kind, value in sums] or [
        "  - checksum not published: it is recorded at the first download"
    ]
    lines += [f"  - <{url}>" if url.startswith("http") else f"  - `{url}`" for url in file.urls]
    if file.source_seen:
        lines.append(f"  - read in: {_one_line(file.source_seen)}")
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_one_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())

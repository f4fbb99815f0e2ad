"""Dataset cards: what a dataset is, where its files are, and who says so."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from cmslabs.config import StrictModel, load_config
from cmslabs.data.card_text import card_markdown
from cmslabs.errors import ConfigError, DataError, close_names
from cmslabs.io import atomic_write, existing_file, sha256

__all__ = [
    "Card",
    "CardFile",
    "Column",
    "card_markdown",
    "card_names",
    "list_cards",
    "load_card",
    "samples_folder",
    "update_bundled_card",
]

CARDS = Path(__file__).parent / "cards"
SAMPLES = Path(__file__).parent / "samples"


class Column(StrictModel):
    """One column or branch of a dataset: its name, type, unit (``"1"`` for a pure number) and meaning."""

    name: str
    type: str
    unit: str
    meaning: str


class CardFile(StrictModel):
    """One file of a dataset.

    Attributes
    ----------
    name : str
        Plain file name, also in the cache.
    urls : list of str
        Where it is, the preferred address first; ``https://`` or ``root://``.
    size_bytes, sha256, md5, adler32
        What a good copy has; null where nobody publishes it.
    n_events : int or None
        Events in this file.
    source_seen : str or None
        Where these facts were read.
    """

    name: str
    content: str | None = None
    urls: list[str] = Field(default_factory=list)
    n_events: int | None = Field(default=None, ge=0)
    size_bytes: int | None = Field(default=None, ge=0)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    adler32: str | None = Field(default=None, pattern=r"^[0-9a-f]{8}$")
    source_seen: str | None = None

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not name or name in (".", "..") or re.search(r"[\\/:\0]", name) or name.startswith("."):
            raise ValueError("a file name in a card is a plain name, without folders")
        return name

    @field_validator("urls")
    @classmethod
    def _known_protocols(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if not re.match(r"^(https?|root)://", url):
                raise ValueError(f"the address {url!r} begins neither with https:// nor with root://")
        return urls

    @property
    def has_checksum(self) -> bool:
        """Whether the card knows any checksum of this file."""
        return any((self.sha256, self.md5, self.adler32))


#: Facts of a card that nobody may state without saying where they were read.
_FACTS_WITH_SOURCE = ("n_events", "licence", "doi", "record")


class Card(StrictModel):
    """One dataset: content, columns, selection, licence, citation, files, known traps and sources.

    The YAML key ``schema`` is the attribute `columns`.  ``source_seen`` maps the name of a fact
    (``doi``, ``licence``, ``n_events``, ``record``) to where it was read: a fact without a source is refused.
    The facts of a bundled sample need none, because the file itself lies beside the card.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    kind: Literal["real", "simulation"]
    bundled: bool = False
    content: str
    columns: list[Column] = Field(alias="schema", default_factory=list)
    selection: str
    n_events: int | None = Field(default=None, ge=0)
    licence: str | None = None
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$")
    citation: str | None = None
    record: str | None = None
    files: list[CardFile] = Field(default_factory=list)
    known_traps: list[str] = Field(default_factory=list)
    source_seen: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _honest(self) -> Card:
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("two files of the card have the same name")
        if self.bundled:
            return self
        for fact in _FACTS_WITH_SOURCE:
            if getattr(self, fact) is not None and fact not in self.source_seen:
                raise ValueError(f"'{fact}' has no entry in source_seen: say where it was read, or write null")
        for file in self.files:
            facts = (file.urls, file.size_bytes, file.sha256, file.md5, file.adler32, file.n_events)
            if any(facts) and not file.source_seen:
                raise ValueError(f"the file '{file.name}' has no source_seen: say where its facts were read")
        return self

    @property
    def size_bytes(self) -> int | None:
        """Size of all files together [bytes]; None where one of them is not known."""
        sizes = [file.size_bytes for file in self.files]
        return None if not sizes or None in sizes else sum(sizes)

    @property
    def simulation(self) -> bool:
        """Whether the events are simulated: what plots are labelled by."""
        return self.kind == "simulation"

    def file(self, name: str | None = None) -> CardFile:
        """The file called `name`; without a name the first one, which is the card's main file.

        Raises
        ------
        DataError
            If the card has no such file.
        """
        names = [file.name for file in self.files]
        if not names:
            remedy = f"Look at its record: {self.record}" if self.record else "Look at the paper that it belongs to."
            raise DataError("the card names no file, because no public list was seen.", where=self.name, remedy=remedy)
        if name is None:
            return self.files[0]
        if name not in names:
            known = close_names(name, names) or names
            raise DataError(f"there is no file '{name}'.", where=self.name, remedy=f"There is: {', '.join(known)}.")
        return self.files[names.index(name)]


def samples_folder() -> Path:
    """Folder of the bundled samples."""
    return SAMPLES


def card_names() -> list[str]:
    """Names of all cards, sorted.

    Examples
    --------
    >>> "cms-doublemuon-2016h" in card_names()
    True
    """
    return sorted(path.name.removesuffix(".yaml") for path in CARDS.glob("*.yaml"))


def load_card(name: str) -> Card:
    """Read one card.

    Raises
    ------
    DataError
        If there is no such dataset; the message gives close names.
    ConfigError
        If the card's YAML is wrong.

    Examples
    --------
    >>> load_card("cms-doublemuon-2016h").kind
    'real'
    """
    names = card_names()
    if name not in names:
        close = close_names(name, names)
        hint = f"Did you mean {' or '.join(close)}?" if close else "See them all with: cmslabs data list"
        raise DataError(f"there is no dataset '{name}'.", remedy=hint)
    path = CARDS / f"{name}.yaml"
    card = load_config(path, Card)
    if card.name != name:
        raise ConfigError(f"says name: {card.name}.", where=path, remedy=f"Write name: {name}, as in the file's name.")
    return card


def list_cards() -> list[Card]:
    """All cards, sorted by name."""
    return [load_card(name) for name in card_names()]


def update_bundled_card(name: str, path: str | os.PathLike, n_events: int) -> Card:
    """Write the size, the SHA-256 and the number of events of a bundled sample into its card.

    Only these fields change; the text of the card, its comments and its order stay.

    Parameters
    ----------
    name : str
        A card with ``bundled: true`` and one file.
    path : path-like
        The new sample, named as in the card.
    n_events : int
        Events in the sample.

    Raises
    ------
    ConfigError
        If the card is not bundled, names another file, or lacks one of the lines.
    """
    card, path = load_card(name), existing_file(path)
    where = CARDS / f"{name}.yaml"
    if not card.bundled or len(card.files) != 1:
        raise ConfigError("is not the card of one bundled sample.", where=where, remedy="Edit it by hand.")
    if card.files[0].name != path.name:
        raise ConfigError(
            f"describes '{card.files[0].name}', not '{path.name}'.", where=where, remedy="Rename the file."
        )
    text = where.read_text(encoding="utf-8")
    values = {"size_bytes": path.stat().st_size, "sha256": sha256(path), "n_events": n_events}
    for key, value in values.items():
        text, found = re.subn(rf"(?m)^(\s*){key}:.*$", rf"\g<1>{key}: {value}", text)
        if found != 1:
            remedy = "It must stand there once, with the value null if it is not known."
            raise ConfigError(f"has {found or 'no'} line '{key}:'.", where=where, remedy=remedy)
    with atomic_write(where) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return load_card(name)

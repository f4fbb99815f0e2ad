"""Sealed boxes: everything that makes, commits, checks and opens them."""

from __future__ import annotations

from cmslabs.simulation.box_log import Entry, note, read_log, score_log
from cmslabs.simulation.box_truth import (
    Statement,
    Truth,
    box_truth,
    check_statement,
    commitment,
    is_guessable,
    read_statement,
    statement_of,
    write_statement,
)

__all__ = [
    "Entry",
    "Statement",
    "Truth",
    "box_truth",
    "check_statement",
    "commitment",
    "is_guessable",
    "note",
    "read_log",
    "read_statement",
    "score_log",
    "statement_of",
    "write_statement",
]

"""Wrong answers are made from right ones."""

from __future__ import annotations


def changed(answer: str, *changes: tuple[str, str]) -> str:
    """The answer with pieces replaced; each of them must be there."""
    for old, new in changes:
        assert old in answer, old
        answer = answer.replace(old, new)
    return answer

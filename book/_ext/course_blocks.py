"""Read the YAML bodies of the course's own directives and say what is wrong with them.

No Sphinx here: the tests of the chapters use the same functions as the build.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

__all__ = ["Answer", "BlockError", "ChapterCard", "Quiz", "parse_chapter", "parse_quiz"]

#: Verbs that cannot be tested: an objective says what the reader can *do* afterwards.
VAGUE_VERBS = ("understand", "know", "learn", "appreciate", "be aware", "be familiar")


class BlockError(ValueError):
    """The body of a directive does not say what it has to say."""


@dataclass(frozen=True)
class Answer:
    """One choice: its text, whether it is right, and what we tell who chose it."""

    text: str
    correct: bool
    feedback: str


@dataclass(frozen=True)
class Quiz:
    """A question with exactly one right answer."""

    question: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class ChapterCard:
    """What stands at the top of a chapter; times are in minutes."""

    objectives: tuple[str, ...]
    prerequisites: tuple[str, ...]
    reading_minutes: float
    run_minutes: float


def _load(text: str, name: str, required: set[str]) -> dict:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise BlockError(f"{name}: is not valid YAML ({problem}). Put texts that hold a colon behind '>-'.") from error
    if not isinstance(content, dict) or set(content) != required:
        found = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise BlockError(f"{name}: needs exactly the keys {sorted(required)}, found {found}.")
    return content


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BlockError(f"{where}: needs a text, found {value!r}.")
    text = value.strip()
    if "\n\n" in text:
        raise BlockError(f"{where}: must be one paragraph.")
    return text


def parse_quiz(text: str) -> Quiz:
    """Read the body of a ``{quiz}`` directive.

    Raises
    ------
    BlockError
        If a key is missing, there are fewer than three answers, not exactly one is right, or feedback
        is missing or the same for two answers.
    """
    content = _load(text, "quiz", {"question", "answers"})
    if not isinstance(content["answers"], list) or len(content["answers"]) < 3:
        raise BlockError("quiz: needs a list of at least three answers.")
    answers = []
    for number, item in enumerate(content["answers"], start=1):
        where = f"quiz, answer {number}"
        if not isinstance(item, dict) or not {"text", "feedback"} <= set(item) <= {"text", "feedback", "correct"}:
            raise BlockError(f"{where}: needs 'text' and 'feedback', and 'correct: true' if it is the right one.")
        correct = item.get("correct", False)
        if not isinstance(correct, bool):
            raise BlockError(f"{where}: 'correct' must be true or false.")
        answers.append(Answer(_text(item["text"], where), correct, _text(item["feedback"], f"{where}, feedback")))
    right = sum(answer.correct for answer in answers)
    if right != 1:
        raise BlockError(f"quiz: exactly one answer must be right, found {right}.")
    for what in ("text", "feedback"):
        if len({getattr(answer, what) for answer in answers}) < len(answers):
            raise BlockError(f"quiz: two answers have the same {what}.")
    return Quiz(_text(content["question"], "quiz, question"), tuple(answers))


def parse_chapter(text: str) -> ChapterCard:
    """Read the body of a ``{chapter}`` directive.

    Raises
    ------
    BlockError
        If there are not three to five testable objectives, or a time is missing or absurd.
    """
    content = _load(text, "chapter", {"objectives", "prerequisites", "reading_minutes", "run_minutes"})
    lists = {}
    for key in ("objectives", "prerequisites"):
        if not isinstance(content[key], list) or not content[key]:
            raise BlockError(f"chapter, {key}: needs a list.")
        lists[key] = tuple(_text(item, f"chapter, {key}") for item in content[key])
    if not 3 <= len(lists["objectives"]) <= 5:
        raise BlockError(f"chapter: needs three to five objectives, found {len(lists['objectives'])}.")
    for objective in lists["objectives"]:
        if objective.lower().startswith(VAGUE_VERBS):
            raise BlockError(f"chapter: the objective {objective!r} cannot be tested; say what the reader can do.")
    for key, most in (("reading_minutes", 120), ("run_minutes", 2)):
        value = content[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            raise BlockError(f"chapter, {key}: needs a number above 0 and up to {most}, found {value!r}.")
    return ChapterCard(lists["objectives"], lists["prerequisites"], content["reading_minutes"], content["run_minutes"])

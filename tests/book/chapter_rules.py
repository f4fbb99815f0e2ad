"""The rules of a chapter, as functions that return what is wrong with a notebook."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from course_blocks import BlockError, parse_chapter, parse_quiz
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
KEPT = {"keep_output", "nbval-check-output"}
SECTIONS = ("Takeaways", "What next", "References")
#: What cells that draw look like.  A cell that draws needs a caption and alt text.
DRAWS = re.compile(r"plt\.(subplots|figure)\(|plot_\w+\(|\bshow_\w+\(|\.plot\w*\(")

_FENCE = re.compile(r"(?ms)^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}(?P<title>[^\n]*)\n(?P<body>.*?)^(?P=fence)\s*$")
_TERM = re.compile(r"\{term\}`([^`]+)`")
_CITE = re.compile(r"\{(?:foot)?cite(?::\w+)?\}`([^`]+)`")


@dataclass(frozen=True)
class Directive:
    """A fenced directive in a Markdown cell."""

    name: str
    title: str
    body: str


@dataclass
class Surroundings:
    """What a chapter may refer to, and the alt texts that are taken already."""

    terms: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    alts: dict[str, str] = field(default_factory=dict)


def directives(text: str) -> list[Directive]:
    """All directives of a text, those inside of others too."""
    found = []
    for match in _FENCE.finditer(text):
        found.append(Directive(match["name"], match["title"].strip(), match["body"]))
        found += directives(match["body"])
    return found


def glossary_terms() -> list[str]:
    """Terms of the glossary, in their order."""
    body = directives((BOOK / "glossary.md").read_text(encoding="utf-8"))[0].body
    return [line.strip() for line in body.splitlines() if line and line[0] not in " :"]


def bibliography() -> dict[str, str | None]:
    """Key of every reference -> its DOI, or None."""
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    entries = re.split(r"(?m)^@\w+\{", text)[1:]
    found = {}
    for entry in entries:
        doi = re.search(r"doi\s*=\s*\{(10\.\d{4,9}/[^\s}]+)\}", entry)
        found[entry.partition(",")[0].strip()] = doi[1] if doi else None
    return found


def chapters() -> list[Path]:
    """The executable chapters of the book."""
    return [path for path in sorted(BOOK.glob("[0-9]*/*.ipynb")) if ".ipynb_checkpoints" not in path.parts]


def named(text: str) -> str:
    """``"muons <muon>"`` -> ``"muon"``: what a role points to."""
    match = re.fullmatch(r".*<([^>]+)>", text.strip())
    return (match[1] if match else text).strip()


def check(path: Path, around: Surroundings) -> list[str]:
    """Everything that is wrong with the chapter in this file."""
    return check_notebook(nbformat.read(path, as_version=4), path.name, around)


def check_notebook(notebook: NotebookNode, name: str, around: Surroundings) -> list[str]:
    """Everything that is wrong with a chapter; remembers its alt texts in `around`."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    blocks = directives(text)
    return [
        *_front_matter(notebook, blocks),
        *_teaching(blocks),
        *_exercises(blocks),
        *_sections(text),
        *_references(text, around),
        *_figures(notebook, name, around),
        *_outputs(notebook),
        *_no_machine_paths(notebook),
    ]


def _front_matter(notebook: NotebookNode, blocks: list[Directive]) -> list[str]:
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        return ["the first cell does not begin with a title"]
    cards = [block for block in blocks if block.name == "chapter"]
    if len(cards) != 1 or "{chapter}" not in first.source:
        return ["there is not exactly one {chapter} box in the first cell"]
    try:
        parse_chapter(cards[0].body)
    except BlockError as error:
        return [str(error)]
    return []


def _teaching(blocks: list[Directive]) -> list[str]:
    wrong = []
    quizzes = [block for block in blocks if block.name == "quiz"]
    if len(quizzes) < 2:
        wrong.append(f"there are {len(quizzes)} quiz questions, at least 2 are needed")
    for quiz in quizzes:
        try:
            parse_quiz(quiz.body)
        except BlockError as error:
            wrong.append(str(error))
    if not any(block.name == "admonition" and "predict first" in block.title.lower() for block in blocks):
        wrong.append("there is no 'Predict first' question")
    if not any(block.name == "dropdown" for block in blocks):
        wrong.append("no answer to a prediction is folded")
    return wrong


def _exercises(blocks: list[Directive]) -> list[str]:
    wrong = []
    labels = []
    for block in blocks:
        if block.name in ("exercise", "exercise-start"):
            label = re.search(r":label:\s*(\S+)", block.body)
            labels.append(label[1] if label else None)
    solutions = {block.title: block.body for block in blocks if block.name in ("solution", "solution-start")}
    if not labels:
        wrong.append("there is no exercise")
    for label in labels:
        if label not in solutions:
            wrong.append(f"the exercise '{label}' has no solution")
        elif not re.search(r":class:.*\bdropdown\b", solutions[label]):
            wrong.append(f"the solution of '{label}' is not folded (':class: dropdown')")
    wrong += [f"the solution of '{label}' has no exercise" for label in solutions if label not in labels]
    return wrong


def _sections(text: str) -> list[str]:
    return [f"there is no section '{name}'" for name in SECTIONS if not re.search(rf"(?m)^## {name}\b", text)]


def _references(text: str, around: Surroundings) -> list[str]:
    wrong = []
    terms = [named(term) for term in _TERM.findall(text)]
    if not terms:
        wrong.append("no word is linked to the glossary")
    lower = {term.lower() for term in around.terms}
    wrong += [f"the glossary has no '{term}'" for term in dict.fromkeys(terms) if term.lower() not in lower]
    keys = [key.strip() for group in _CITE.findall(text) for key in group.split(",")]
    if not keys:
        wrong.append("nothing is cited")
    wrong += [f"the bibliography has no '{key}'" for key in dict.fromkeys(keys) if key not in around.keys]
    if "{footbibliography}" not in text:
        wrong.append("there is no {footbibliography}")
    used, defined = set(re.findall(r"\[\^([\w-]+)\](?!:)", text)), set(re.findall(r"(?m)^\[\^([\w-]+)\]:", text))
    wrong += [f"the footnote '{name}' is not defined" for name in sorted(used - defined)]
    return wrong


def _figures(notebook: NotebookNode, name: str, around: Surroundings) -> list[str]:
    wrong = []
    for number, cell in enumerate(notebook.cells):
        options = cell.metadata.get("mystnb", {})
        alt, caption = options.get("image", {}).get("alt"), options.get("figure", {}).get("caption")
        hidden = {"remove-cell", "remove-output"} & set(cell.metadata.get("tags", []))
        draws = cell.cell_type == "code" and DRAWS.search(cell.source) and not hidden
        if not draws and alt is None and caption is None:
            continue
        where = f"the figure of cell {number}"
        if not caption:
            wrong.append(f"{where} has no caption")
        if not alt or len(alt) < 40:
            wrong.append(f"{where} has no alt text of at least 40 characters")
        elif alt in around.alts:
            wrong.append(f"{where} has the alt text of another figure ({around.alts[alt]})")
        else:
            around.alts[alt] = f"{name}, cell {number}"
    return wrong


def _outputs(notebook: NotebookNode) -> list[str]:
    wrong = []
    kept = 0
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        tags = KEPT & set(cell.metadata.get("tags", []))
        if tags and tags != KEPT:
            wrong.append(f"cell {number} has only one of the tags {sorted(KEPT)}")
        if not tags and (cell.outputs or cell.execution_count is not None):
            wrong.append(f"cell {number} has outputs that must be stripped")
        texts = [output for output in cell.outputs if _is_text(output)]
        if tags and not texts:
            wrong.append(f"cell {number} has no stored text although it is tagged")
        if tags and len(texts) != len(cell.outputs):
            wrong.append(f"cell {number} keeps an output that is no plain text")
        if cell.outputs and cell.execution_count is None:
            wrong.append(f"cell {number} has outputs but no execution count, so that nbval takes it as never run")
        kept += bool(tags and texts)
    if kept < 3:
        wrong.append(f"{kept} stored texts are compared by nbval, at least 3 are needed")
    return wrong


def _is_text(output: NotebookNode) -> bool:
    if output.output_type == "stream":
        return output.name == "stdout" and bool("".join(output.text).strip())
    data = output.get("data", {})
    return set(data) == {"text/plain"} and bool("".join(data["text/plain"]).strip())


def _no_machine_paths(notebook: NotebookNode) -> list[str]:
    paths = re.compile(r"(?<![\w/])/(?:home|root|Users|work|tmp)/\w+")
    return [
        f"cell {number} names a folder of somebody's machine ({match[0]})"
        for number, cell in enumerate(notebook.cells)
        if (match := paths.search(str(cell)))
    ]

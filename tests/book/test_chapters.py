"""Every chapter follows the rules, and every rule notices when a chapter does not."""

from __future__ import annotations

import copy

import nbformat
import pytest
from chapter_rules import KEPT, Surroundings, bibliography, chapters, check, check_notebook, glossary_terms
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

OPENING = """# A good chapter

```{chapter}
objectives:
  - Compute a mass by hand.
  - Predict how it changes.
  - Select pairs without a loop.
prerequisites:
  - Python
reading_minutes: 10
run_minutes: 0.2
```

A {term}`jagged array` and {term}`muons <muon>` {footcite}`pdg`.

```{admonition} Predict first
:class: tip
Up or down?
```

```{dropdown} Answer
Up.
```
"""
QUIZ = """```{quiz}
question: %s
answers:
  - text: one
    feedback: too small
  - text: two
    correct: true
    feedback: yes, as computed
  - text: three
    feedback: too large
```"""
ENDING = """```{exercise}
:label: ex-one
Do it.
```

```{solution} ex-one
:class: dropdown
Done.
```

## Takeaways

- One.

## What next

More.

## References

```{footbibliography}
```
"""
ALT = "Histogram of the dimuon mass in GeV with one peak near 91"


def good_chapter():
    """The smallest notebook that follows every rule."""
    cells = [new_markdown_cell(OPENING), new_markdown_cell(QUIZ % "first"), new_markdown_cell(QUIZ % "second")]
    for number in range(3):
        output = new_output("stream", name="stdout", text=f"{number}\n")
        kept = {"metadata": {"tags": sorted(KEPT)}, "outputs": [output], "execution_count": 1}
        cells.append(new_code_cell(f"print({number})", **kept))
    options = {"figure": {"caption": "A caption."}, "image": {"alt": ALT}}
    cells.append(new_code_cell("fig, ax = plt.subplots()", metadata={"mystnb": options}))
    return new_notebook(cells=[*cells, new_markdown_cell(ENDING)])


def surroundings() -> Surroundings:
    return Surroundings(terms=set(glossary_terms()), keys=set(bibliography()))


def test_chapters_follow_the_rules():
    paths = chapters()
    assert len(paths) >= 3
    around = surroundings()
    assert {path.name: wrong for path in paths if (wrong := check(path, around))} == {}


def test_good_chapter_is_good():
    assert check_notebook(good_chapter(), "good", surroundings()) == []


def replace(position: int, old: str, new: str):
    def fault(notebook):
        assert old in notebook.cells[position].source
        notebook.cells[position].source = notebook.cells[position].source.replace(old, new)

    return fault


def change(action):
    def fault(notebook):
        action(notebook.cells)

    return fault


FAULTS = {
    "title": (replace(0, "# A good", "A good"), "does not begin with a title"),
    "no box": (replace(0, "{chapter}", "{note}"), "exactly one {chapter} box"),
    "two objectives": (replace(0, "  - Predict how it changes.\n", ""), "three to five objectives"),
    "vague objective": (replace(0, "Compute a mass", "Understand a mass"), "cannot be tested"),
    "no reading time": (replace(0, "reading_minutes: 10\n", ""), "needs exactly the keys"),
    "run time absurd": (replace(0, "run_minutes: 0.2", "run_minutes: 30"), "run_minutes: needs a number"),
    "no prediction": (replace(0, "Predict first", "Think"), "no 'Predict first' question"),
    "answer not folded": (replace(0, "{dropdown}", "{note}"), "no answer to a prediction is folded"),
    "unknown term": (replace(0, "`jagged array`", "`jagged hat`"), "the glossary has no 'jagged hat'"),
    "unknown term behind a title": (replace(0, "<muon>", "<mouon>"), "the glossary has no 'mouon'"),
    "no term": (
        lambda nb: (replace(0, "{term}`jagged array`", "x")(nb), replace(0, "{term}`muons <muon>`", "y")(nb)),
        "no word is linked",
    ),
    "unknown reference": (replace(0, "`pdg`", "`pgd`"), "the bibliography has no 'pgd'"),
    "nothing cited": (replace(0, "{footcite}`pdg`", ""), "nothing is cited"),
    "footnote": (replace(0, "Up or down?", "Up[^why] or down?"), "footnote 'why' is not defined"),
    "one quiz": (change(lambda cells: cells.pop(2)), "1 quiz questions"),
    "two right answers": (replace(1, "too small", "too small\n    correct: true"), "exactly one answer"),
    "same feedback": (replace(1, "too small", "too large"), "the same feedback"),
    "missing feedback": (replace(1, "    feedback: too small\n", ""), "needs 'text' and 'feedback'"),
    "quiz is not YAML": (replace(1, "question: first", "question: first: second"), "not valid YAML"),
    "no exercise": (replace(-1, "{exercise}", "{note}"), "there is no exercise"),
    "no solution": (replace(-1, "{solution} ex-one", "{solution} ex-two"), "'ex-one' has no solution"),
    "open solution": (replace(-1, ":class: dropdown\nDone", "Done"), "is not folded"),
    "no takeaways": (replace(-1, "## Takeaways", "## Summary"), "no section 'Takeaways'"),
    "no next": (replace(-1, "## What next", "## Then"), "no section 'What next'"),
    "no references": (replace(-1, "## References", "## Books"), "no section 'References'"),
    "no bibliography": (replace(-1, "{footbibliography}", "{note}"), "no {footbibliography}"),
    "no caption": (change(lambda cells: cells[6].metadata.mystnb.figure.clear()), "has no caption"),
    "no alt": (change(lambda cells: cells[6].metadata.mystnb.image.clear()), "no alt text"),
    "short alt": (change(lambda cells: cells[6].metadata.mystnb.image.update(alt="A plot")), "no alt text"),
    "same alt": (change(lambda cells: cells.append(copy.deepcopy(cells[6]))), "alt text of another figure"),
    "figure without a word": (change(lambda cells: cells[6].metadata.clear()), "has no caption"),
    "two kept": (change(lambda cells: cells.pop(4)), "2 stored texts"),
    "kept nothing": (change(lambda cells: cells[4].outputs.clear()), "no stored text although it is tagged"),
    "half a tag": (change(lambda cells: cells[4].metadata.tags.remove("keep_output")), "only one of the tags"),
    "not stripped": (
        change(lambda cells: cells[6].outputs.append(new_output("stream", name="stdout", text="x"))),
        "must be stripped",
    ),
    "execution count": (change(lambda cells: cells[6].update(execution_count=3)), "must be stripped"),
    "kept without a count": (change(lambda cells: cells[4].update(execution_count=None)), "no execution count"),
    "kept picture": (
        change(lambda cells: cells[4].outputs.append(new_output("display_data", {"image/png": "AAAA"}))),
        "no plain text",
    ),
    "machine path": (replace(3, "print(0)", "open('/home" + "/somebody/x')"), "somebody's machine"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_noticed(name):
    fault, message = FAULTS[name]
    notebook = good_chapter()
    fault(notebook)
    wrong = check_notebook(nbformat.from_dict(notebook), "faulty", surroundings())
    assert any(message in line for line in wrong), wrong


def test_alt_texts_are_unique_across_chapters():
    around = surroundings()
    assert check_notebook(good_chapter(), "first", around) == []
    assert any("another figure (first" in line for line in check_notebook(good_chapter(), "second", around))

"""The notebooks as files: the release is generated from the source, gives nothing away, and needs only the package."""

from __future__ import annotations

import ast
import itertools
import re

import nbformat
import pytest
import yaml
from course import Course, lab_names
from nbgrader.nbgraderformat import MetadataValidator
from submissions import LAB1, LAB2, LAB3, LAB4, LAB5, ROOT, cell_named, grade_id, points_of, read_lab, wrong_answers

import cmslabs

LABS = lab_names()
KINDS = ("source", "release")
#: The package and what it needs anyway, and two modules of Python.
STUDENT_IMPORTS = {"cmslabs", "numpy", "scipy", "awkward", "hist", "matplotlib", "mplhep", "math", "statistics"}
#: What given cells with a label, and checks, may use besides.
LABELLED_IMPORTS = {"gzip", "hashlib", "json", "pathlib", "random", "tempfile"}
SET_UP_IMPORTS = {"importlib", "pathlib", "subprocess", "sys", "tempfile"}


def is_set_up(cell) -> bool:
    """Whether this is the cell that installs the package on Colab."""
    return cell.cell_type == "code" and cell.source.startswith("# This cell is the same in every lab.")


def test_there_are_labs():
    assert {LAB1, LAB2, LAB3, LAB4, LAB5} <= set(LABS)


@pytest.mark.parametrize("lab", LABS)
def test_each_task_of_each_lab_has_at_least_three_mistakes_to_try(lab):
    """A lab without a file of wrong answers fails here, so that no lab goes ungraded."""
    wrong = wrong_answers(lab)
    assert {f"check-{task}" for task in wrong} | {"judgement"} == set(points_of(lab))
    assert all(len(answers) >= 3 for answers in wrong.values())


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Course:
    """One course for all labs: a new gradebook takes longer than a release."""
    return Course(tmp_path_factory.mktemp("course"))


@pytest.mark.parametrize("lab", LABS)
def test_the_committed_release_is_what_nbgrader_makes_from_the_source(lab, course):
    made = course.release(lab).read_bytes()
    committed = (ROOT / "labs" / "release" / lab / f"{lab}.ipynb").read_bytes()
    assert made == committed, "labs/release is out of date: run `make labs`"


def test_a_changed_source_changes_the_release(tmp_path):
    """The comparison above can fail."""
    course = Course(tmp_path)
    path = course.root / "source" / LAB1 / f"{LAB1}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\nA new sentence."
    nbformat.write(notebook, path)
    committed = (ROOT / "labs" / "release" / LAB1 / f"{LAB1}.ipynb").read_bytes()
    assert course.release(LAB1).read_bytes() != committed


@pytest.mark.parametrize("lab", LABS)
def test_the_release_gives_nothing_away(lab):
    text = (ROOT / "labs" / "release" / lab / f"{lab}.ipynb").read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    assert "HIDDEN TESTS" not in text
    release = {grade_id(cell): cell.source for cell in read_lab("release", lab).cells}
    for cell in read_lab("source", lab).cells:
        secret = "\n".join(re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", cell.source, re.DOTALL))
        if cell.cell_type == "markdown" and grade_id(cell):
            secret = cell.source
        for line in secret.splitlines():
            if len(line.strip()) > 25:
                assert line.strip() not in release[grade_id(cell)]
        if grade_id(cell) and cell.metadata.nbgrader.solution:
            assert ("NotImplementedError" in release[grade_id(cell)]) == (cell.cell_type == "code")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lab", LABS)
def test_labels_are_complete_and_unique(lab, kind):
    notebook = read_lab(kind, lab)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    labels = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert all(label.schema_version == 3 for label in labels)
    names = [label.grade_id for label in labels]
    assert len(names) == len(set(names))
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@pytest.mark.parametrize("lab", LABS)
def test_each_check_follows_its_answer_and_has_hidden_tests(lab):
    labels = [cell for cell in read_lab("source", lab).cells if "nbgrader" in cell.metadata]
    for before, cell in itertools.pairwise(labels):
        if cell.metadata.nbgrader.grade and not cell.metadata.nbgrader.solution:
            assert before.metadata.nbgrader.solution
            assert grade_id(cell) == f"check-{grade_id(before)}"
            assert "### BEGIN HIDDEN TESTS" in cell.source


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lab", LABS)
def test_outputs_are_kept_only_where_tagged(lab, kind):
    """nbval compares them in the source; in the release they show what a student should see."""
    kept = 0
    for cell in read_lab(kind, lab).cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type != "code":
            continue
        # nbval takes a cell without a count for one that never ran.
        assert cell.execution_count == (1 if cell.outputs else None)
        if cell.outputs:
            kept += 1
            assert {"keep_output", "nbval-check-output"} <= tags
            assert all(output.output_type == "stream" and output.name == "stdout" for output in cell.outputs)
            assert len(cell.outputs[0].text) < 1000
        else:
            assert "keep_output" not in tags
    assert kept >= 3


@pytest.mark.parametrize("lab", LABS)
def test_both_notebooks_keep_the_same_outputs(lab):
    def kept(kind):
        return {cell.id: cell.outputs for cell in read_lab(kind, lab).cells if cell.get("outputs")}

    assert kept("source") == kept("release")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lab", LABS)
def test_text_is_plain_markdown(lab, kind):
    """Colab shows no MyST directives, roles or comments."""
    for cell in read_lab(kind, lab).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"^\s*(```\s*\{|:::|\+\+\+|%\s)|\{[a-z:-]+\}`|\(.*\)=$", cell.source, re.MULTILINE), (
                cell.source
            )
            assert "<" not in re.sub(r"`[^`]*`|\$[^$]*\$", "", cell.source), "no HTML: " + cell.source


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lab", LABS)
def test_only_packages_that_students_have_are_imported(lab, kind):
    for cell in read_lab(kind, lab).cells:
        if cell.cell_type != "code":
            continue
        allowed = (
            SET_UP_IMPORTS if is_set_up(cell) else STUDENT_IMPORTS | (LABELLED_IMPORTS if grade_id(cell) else set())
        )
        for node in ast.walk(ast.parse(cell.source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, cell.source


def test_the_set_up_cell_is_the_same_in_all_labs():
    found = {
        next(cell.source for cell in read_lab(kind, lab).cells if is_set_up(cell)) for lab in LABS for kind in KINDS
    }
    assert len(found) == 1
    (text,) = found
    assert f'VERSION = "{cmslabs.__version__}"' in text
    assert f'REPOSITORY = "{public_address()}"' in text


def public_address() -> str:
    """The repository's address, where it stands once."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"].rstrip("/")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lab", LABS)
def test_the_links_open_this_lab(lab, kind):
    name = public_address().removeprefix("https://github.com/")
    path = f"labs/release/{lab}/{lab}.ipynb"
    assert (ROOT / path).is_file()
    text = read_lab(kind, lab).cells[0].source
    assert f"(https://mybinder.org/v2/gh/{name}/main?urlpath=lab/tree/{path})" in text
    assert f"(https://colab.research.google.com/github/{name}/blob/main/{path})" in text


@pytest.mark.parametrize("lab", LABS)
def test_points_in_the_text_are_the_points_of_the_checks(lab):
    stated = []
    for cell in read_lab("source", lab).cells:
        stated += re.findall(r"^### Task (\d+) \((\d+) point", cell.source, re.MULTILINE)
    assert [int(points) for _, points in stated] == list(points_of(lab).values())
    assert [int(number) for number, _ in stated] == list(range(1, len(stated) + 1))
    assert len(stated) >= 8


@pytest.mark.parametrize("lab", LABS)
def test_jupytext_keeps_labels_and_tags(lab):
    """Labs are edited as text: nothing may get lost on the way there and back."""
    import jupytext

    notebook = read_lab("source", lab)
    again = jupytext.reads(jupytext.writes(notebook, fmt="md:myst"), fmt="md:myst")
    assert [cell.source for cell in again.cells] == [cell.source for cell in notebook.cells]
    for before, after in zip(notebook.cells, again.cells, strict=True):
        assert after.metadata.get("nbgrader") == before.metadata.get("nbgrader")
        assert after.metadata.get("tags") == before.metadata.get("tags")


@pytest.mark.parametrize("lab", LABS)
def test_a_task_has_a_check_of_every_answer(lab):
    answers = {grade_id(c) for c in read_lab("source", lab).cells if c.metadata.get("nbgrader", {}).get("solution")}
    assert answers == {name.removeprefix("check-") for name in points_of(lab)} | {"name"}
    assert cell_named(read_lab("release", lab), "judgement").source == "YOUR ANSWER HERE"


@pytest.mark.parametrize("lab", LABS)
def test_no_check_ends_with_a_call(lab):
    """The guard takes a last line that is a value for partial points: a call there would run after the guard's word."""
    for name in points_of(lab):
        cell = cell_named(read_lab("source", lab), name)
        if cell.cell_type == "code":
            last = ast.parse(cell.source).body[-1]
            assert not (isinstance(last, ast.Expr) and calls_an_answer(last)), name


def calls_an_answer(line: ast.Expr) -> bool:
    """Whether a line calls anything but Python's `round`."""
    calls = [node for node in ast.walk(line) if isinstance(node, ast.Call)]
    return any(not (isinstance(call.func, ast.Name) and call.func.id in {"round", "float"}) for call in calls)

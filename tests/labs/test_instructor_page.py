"""The instructor page says what works: its commands run, and its table is the lab."""

from __future__ import annotations

import ast
import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from course import lab_names
from submissions import LAB1, LAB2, ROOT, cell_named, points_of, read_lab

PAGE = ROOT / "book" / "instructors.md"
#: As Canvas names a file that was handed in twice.
COLLECTED = f"lovelaceada_4711_88123_{LAB1}-1.ipynb"


def commands() -> list[str]:
    """The lines of the page's `bash` blocks, in their order."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.fixture
def labs(tmp_path) -> Path:
    """A copy of the folder `labs`, with the archive that a learning platform gives."""
    folder = tmp_path / "labs"
    unwanted = shutil.ignore_patterns("__pycache__", "gradebook.db*", "submitted", "autograded", "feedback", "private")
    shutil.copytree(ROOT / "labs", folder, ignore=unwanted)
    archive = folder / "downloaded" / LAB1 / "archive" / "submissions.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        file.write(ROOT / "labs" / "source" / LAB1 / f"{LAB1}.ipynb", COLLECTED)
    return folder


@pytest.mark.slow
def test_the_commands_of_the_page_work(labs):
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    lines = commands()
    assert {line.split()[1] for line in lines if line.startswith("nbgrader ")} == {
        "generate_assignment",
        "zip_collect",
        "autograde",
        "generate_feedback",
        "export",
    }
    for line in lines:
        done = subprocess.run(
            shlex.split(line), cwd=labs, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    with open(labs / "grades.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["student_id"], row["raw_score"], row["max_score"]) == ("4711", "20.0", "25.0")
    assert (labs / "grades-lms.csv").read_text().splitlines() == [f"student_id,{LAB1} (25 points)", "4711,"]
    assert (labs / "feedback" / "4711" / LAB1 / f"{LAB1}.html").is_file()
    private = labs / "private" / "source" / LAB2 / f"{LAB2}.ipynb"
    assert private.read_bytes() != (ROOT / "labs" / "source" / LAB2 / f"{LAB2}.ipynb").read_bytes()
    made = (labs / "private" / "release" / LAB1 / f"{LAB1}.ipynb").read_bytes()
    assert made == (ROOT / "labs" / "release" / LAB1 / f"{LAB1}.ipynb").read_bytes()


def part(lab: str) -> str:
    """What the page says about one lab."""
    number = re.match(r"lab(\d+)-", lab).group(1)
    return PAGE.read_text(encoding="utf-8").split(f"\n## Lab {number}: what it asks\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("lab", lab_names())
def test_the_table_of_tasks_has_the_points_of_the_lab(lab):
    stated = re.findall(r"^\| (\d+)\. .*? \| (\d+) \|", part(lab), re.MULTILINE)
    assert [int(points) for _, points in stated] == list(points_of(lab).values())
    assert [int(number) for number, _ in stated] == list(range(1, len(stated) + 1))


@pytest.mark.parametrize("lab", lab_names())
def test_the_rubric_gives_the_points_of_the_manual_task(lab):
    (task, rubric) = re.split(r"### Lab \d+: rubric for task (\d+)\n", part(lab))[1:]
    points = [int(n) for n in re.findall(r"^\| (\d+) \|", rubric, re.MULTILINE)]
    assert int(task) == len(points_of(lab))
    assert sum(points) == points_of(lab)["judgement"]


def test_every_lab_stands_in_the_syllabus():
    syllabus = PAGE.read_text(encoding="utf-8").split("## Syllabus")[1].split("\n## ")[0]
    for lab in lab_names():
        number = re.match(r"lab(\d+)-", lab).group(1)
        assert f"start of lab {number}" in syllabus
        assert f"lab {number} is due" in syllabus


def test_the_demo_has_a_mistake_for_every_lab():
    """`make grade-demo` replaces right code by wrong code; both must still fit the source."""
    tree = ast.parse((ROOT / "data_scripts" / "grade_demo.py").read_text(encoding="utf-8"))
    (mistakes,) = [ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and named(n, "MISTAKES")]
    assert sorted(mistakes) == lab_names()
    for lab, (task, right, wrong, costs) in mistakes.items():
        answer = cell_named(read_lab("source", lab), task).source
        assert answer.count(right) == 1
        assert wrong not in answer.replace(right, "")
        assert 0 < costs <= points_of(lab)[f"check-{task}"]


def named(node: ast.Assign, name: str) -> bool:
    """Whether an assignment is to this name."""
    return isinstance(node.targets[0], ast.Name) and node.targets[0].id == name

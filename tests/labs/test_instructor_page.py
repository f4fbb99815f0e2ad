"""The instructor page says what works: its commands run, and its table is the lab."""

from __future__ import annotations

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
from submissions import LAB1, ROOT, grade_id, read_lab

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
    made = (labs / "private" / "release" / LAB1 / f"{LAB1}.ipynb").read_bytes()
    assert made == (ROOT / "labs" / "release" / LAB1 / f"{LAB1}.ipynb").read_bytes()


def test_the_table_of_tasks_has_the_points_of_the_lab():
    stated = [int(n) for n in re.findall(r"^\| \d+\. .*? \| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]
    labels = [cell.metadata.nbgrader for cell in read_lab("source").cells if grade_id(cell)]
    assert stated == [label.points for label in labels if "points" in label]


def test_the_rubric_gives_the_points_of_the_manual_task():
    rubric = PAGE.read_text(encoding="utf-8").split("### Rubric for task 10")[1].split("A model answer")[0]
    points = [int(n) for n in re.findall(r"^\| (\d+) \|", rubric, re.MULTILINE)]
    (manual,) = [cell for cell in read_lab("source").cells if grade_id(cell) == "judgement"]
    assert sum(points) == manual.metadata.nbgrader.points

"""Make the students' notebooks (labs/release) from the sources with solutions (labs/source)."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# In place of this folder: its scripts must not be found where the standard library is meant.
sys.path[0] = str(ROOT / "labs")

from course import LABS, Course, lab_names  # noqa: E402


def main() -> None:
    """Release every lab in a temporary copy of the course, then take over the notebooks."""
    with tempfile.TemporaryDirectory() as folder:
        course = Course(folder)
        for lab in lab_names():
            target = LABS / "release" / lab / f"{lab}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(course.release(lab), target)
            print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()

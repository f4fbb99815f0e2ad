"""Settings of the course for nbgrader; read by every `nbgrader` command that starts in this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nbgrader import preprocessors as steps
from nbgrader_plugins import ClearUntaggedOutput, GuardedExecute
from repair import DropBrokenLabels, DropDoubleLabels, RestoreCells

c = get_config()  # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "anomaly-hunting"

# Students read these lines.
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"

# A lab runs in 45 seconds; a cell that needs more than a minute is an endless loop.
c.Execute.timeout = 60
# A busy machine may take a while to hand over the outputs of a cell.
c.Execute.iopub_timeout = 15
# Nothing of a kernel is needed after its last cell.
c.Execute.shutdown_kernel = "immediate"
# Kernels warn about their own transport; a terminal full of that hides what matters.
c.Execute.extra_arguments = ["--log-level=ERROR"]

# How Canvas names collected files: lovelaceada_4711_88123_lab1-first-look-1.ipynb, the first number being the student.
c.FileNameCollectorPlugin.named_regexp = r".*?_(?P<student_id>\d+)_.*?(?P<file_id>lab\d+(-[a-z]+)+)"

c.GenerateAssignment.preprocessors = [
    steps.LockCells,
    steps.ClearSolutions,
    ClearUntaggedOutput,
    steps.CheckCellMetadata,
    steps.ComputeChecksums,
    steps.SaveCells,
    steps.ClearHiddenTests,
    steps.ClearMarkScheme,
    steps.ComputeChecksums,
    steps.CheckCellMetadata,
]
c.Autograde.sanitize_preprocessors = [
    steps.ClearOutput,
    DropBrokenLabels,
    DropDoubleLabels,
    steps.OverwriteKernelspec,
    RestoreCells,
    steps.CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    GuardedExecute,
    steps.LimitOutput,
    steps.SaveAutoGrades,
    steps.AssignLatePenalties,
    steps.CheckCellMetadata,
]

"""Put a handed-in notebook in order before it is graded: students copy cells, delete them and lose their labels.

nbgrader stops grading the whole class at a cell that was copied together with its label, and it gives nothing for a
check that was deleted, although the answer may be right.
"""

from __future__ import annotations

from nbgrader.nbgraderformat import MetadataValidator, SchemaTooNewError, SchemaTooOldError, ValidationError
from nbgrader.preprocessors import DeduplicateIds, NbGraderPreprocessor, OverwriteCells

__all__ = ["DropBrokenLabels", "DropDoubleLabels", "RestoreCells"]


class DropDoubleLabels(DeduplicateIds):
    """Of cells with the same label, the last keeps it; the others become ordinary cells."""

    def preprocess_cell(self, cell, resources, cell_index):
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if cell.metadata.get("nbgrader") == {}:
            del cell.metadata["nbgrader"]
        return cell, resources


class DropBrokenLabels(NbGraderPreprocessor):
    """A label that nbgrader cannot read is no label: the cell becomes an ordinary one."""

    def preprocess_cell(self, cell, resources, cell_index):
        try:
            MetadataValidator().validate_cell(cell)
        except (SchemaTooNewError, SchemaTooOldError, ValidationError, KeyError, TypeError, AttributeError):
            self.log.warning("%s: broken label in cell %d", resources["nbgrader"]["student"], cell_index)
            del cell.metadata["nbgrader"]
        return cell, resources


class RestoreCells(OverwriteCells):
    """Give each check its own text back, and put deleted checks back in their place."""

    def preprocess(self, nb, resources):
        self.add_missing_cells = True
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell, resources, cell_index):
        label = cell.metadata.get("nbgrader")
        if label:
            if label.get("grade_id") not in self.kinds("source"):
                # From another lab, or invented.
                del cell.metadata["nbgrader"]
                return cell, resources
            # What a cell is for is not the student's choice; without this, a changed label stops the grading.
            for kind in ("grade", "solution", "locked"):
                label[kind] = label["grade_id"] in self.kinds(kind)
        return super().preprocess_cell(cell, resources, cell_index)

    def kinds(self, kind: str) -> set[str]:
        """Names of the cells of this kind in the lab as it was released: source (all), grade, solution, locked."""
        notebook = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        if kind == "locked":
            return {cell.name for cell in notebook.source_cells if cell.locked}
        return {cell.name for cell in getattr(notebook, f"{kind}_cells")}

    def add_missing_grade_cells(self, nb, resources):
        notebook = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        sources = {cell.name: cell for cell in notebook.source_cells}
        answers = self.kinds("solution")
        for check in notebook.grade_cells:
            place = {cell.metadata.get("nbgrader", {}).get("grade_id"): i for i, cell in enumerate(nb.cells)}
            if check.name in place:
                continue
            # Behind its answer; if that has lost its label too, at the end, where everything is defined.
            behind = place.get(check.name.removeprefix("check-"), len(nb.cells) - 1)
            is_answer = check.name in answers
            cell = self.missing_cell_transform(sources[check.name], check.max_score, is_solution=is_answer)
            nb.cells.insert(behind + 1, cell)
            self.log.warning("%s: the cell %s was missing", resources["nbgrader"]["student"], check.name)
        return nb, resources

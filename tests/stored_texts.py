"""Compare what a notebook stores with what it printed when it was run, as nbval does.

nbval would run every notebook once more for this.  It is tried on some notebooks, and works by hand on all.
"""

from __future__ import annotations

import nbformat

TAG = "nbval-check-output"


def texts(cell: nbformat.NotebookNode) -> list[str]:
    """What a cell printed, and the values that it showed as text; warnings do not count."""
    printed = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    shown = [output.data["text/plain"] for output in cell.outputs if "text/plain" in output.get("data", {})]
    return [printed, *shown]


def differences(stored: nbformat.NotebookNode, done: nbformat.NotebookNode, least: int = 3) -> list[str]:
    """Texts of the cells with the tag of nbval that came out otherwise; there must be `least` such cells."""
    # What ran may have more cells at its end.
    pairs = zip(stored.cells, done.cells, strict=False)
    compared = [pair for pair in pairs if TAG in pair[0].metadata.get("tags", [])]
    assert len(compared) >= least
    return [f"{texts(one)} became {texts(other)}" for one, other in compared if texts(one) != texts(other)]

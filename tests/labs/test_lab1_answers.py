"""Each check of lab 1 accepts the model answer and other right ones, and catches each mistake.

Here the cells run in this process, without nbgrader: that is fast, so every mistake can be tried.  One mistake per task
goes through all of nbgrader in `test_grading.py`.
"""

from __future__ import annotations

import numpy as np
from answers import AnswerTests
from checking import judge
from submissions import LAB1, cell_named, read_lab
from wrong_answers_lab1 import WRONG

RIGHT = {
    "count": {
        "with a loop": "def count_events(events, at_least):\n    return sum(len(m) >= at_least for m in events.Muon)",
    },
    "pairs": {
        "charge product, padded": """
def leading_pairs(muons):
    two = ak.pad_none(muons[:, :2], 2)
    good = ak.fill_none(two.charge[:, 0] * two.charge[:, 1] == -1, False)
    return two[good][:, 0], two[good][:, 1]
""",
    },
    "angle": {
        "by arctan2": "def delta_phi(phi1, phi2):\n    d = phi1 - phi2\n    return np.arctan2(np.sin(d), np.cos(d))",
    },
    "mass": {
        "with vector, and the muon's own mass": """
import vector
vector.register_awkward()
def dimuon_mass(first, second):
    return (first + second).mass
""",
        "with a loop": """
def dimuon_mass(first, second):
    return [(2 * a.pt * b.pt * (np.cosh(a.eta - b.eta) - np.cos(a.phi - b.phi))) ** 0.5 for a, b in zip(first, second)]
""",
    },
    "peak": {
        "with hist": """
def find_peak(mass, low, high):
    h = hist.Hist(hist.axis.Regular(40, low, high)).fill(mass)
    return h.axes[0].centers[np.argmax(h.values())]
""",
    },
    "predict": {"nearly sure": 'prediction = {"A": 1, "B": 0, "C": 0.0, "D": 1.0}'},
}


def kernel() -> dict:
    """What stands in the kernel before a task: the imports, and some masses."""
    notebook = read_lab("source")
    (imports,) = [cell.source for cell in notebook.cells if cell.source.startswith("import awkward")]
    names: dict = {}
    exec(imports, names)
    generator = np.random.default_rng(11)
    names["mass"] = np.concatenate([generator.normal(91.2, 2, 500), generator.uniform(2, 120, 500)])
    exec(cell_named(notebook, "sidebands").source + "\n" + cell_named(notebook, "name").source, names)
    exec(cell_named(notebook, "personal-sample").source, names)
    return names


points = judge(LAB1, kernel)


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB1, RIGHT, WRONG
    points = staticmethod(points)


def test_honest_probabilities_earn_the_most():
    """The score is proper: whoever believes 0.8 expects the most points by writing 0.8."""

    def expected_points(belief: float, written: float) -> float:
        sure = {"B": 0.0, "C": 0.0, "D": 1.0}
        if_true = points("predict", f"prediction = { {'A': written, **sure} }")
        # By symmetry the points for a false statement are those of the opposite probability.
        if_false = points("predict", f"prediction = { {'A': 1 - written, **sure} }")
        return belief * if_true + (1 - belief) * if_false

    written = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert max(written, key=lambda value: expected_points(0.8, value)) == 0.8

"""What chapter 10 says about the real LHC Olympics files, computed again."""

from __future__ import annotations

import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from chapter_rules import BOOK

from cmslabs.data.download import dataset_path
from cmslabs.data.lhco import read_signal_region
from cmslabs.data.tables import read_table
from cmslabs.evaluation.metrics import auc
from cmslabs.evaluation.splits import split_events
from cmslabs.features.dijets import DETECTOR_FEATURES, detector_features
from cmslabs.models.registry import make_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def text() -> str:
    notebook = nbformat.read(BOOK / "03-unusual" / "10-what-is-an-anomaly.ipynb", as_version=4)
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@pytest.fixture(scope="module")
def ours():
    table = read_table(dataset_path("sim-dijet-features"))
    table = table[table.process.isin(["qcd-dijets", "wprime-2prong"])].reset_index(drop=True)
    return table, detector_features(table), table.label.to_numpy(), table.mjj.between(3300, 3700).to_numpy()


@pytest.fixture(scope="module")
def theirs(real_data):
    test, extra = (read_signal_region(real_data / "lhco" / f"innerdata_{name}.npy") for name in ("test", "extrasig"))
    both = pd.concat([test[test.label == 0], extra])
    columns = both[["mj_min", "dmj", "tau21_min", "tau21_max"]]
    return columns.set_axis(list(DETECTOR_FEATURES), axis=1), both.label.to_numpy()


def row(text: str, name: str) -> list[float]:
    """The numbers of one row of a table of the chapter."""
    (line,) = re.findall(rf"(?m)^\| {re.escape(name)} \|(.*)\|$", text)
    return [float(cell) for cell in line.split("|") if cell.strip()]


def test_medians(text, ours, theirs):
    _, features, labels, inside = ours
    for kind, name in enumerate(("background", "W′")):
        samples = {"ours": features[inside & (labels == kind)], "LHC Olympics": theirs[0][theirs[1] == kind]}
        for whose, sample in samples.items():
            medians = sample.median().to_numpy()
            stated = row(text, f"{name}, {whose}")
            np.testing.assert_allclose(stated[:2], medians[:2], atol=0.55)
            np.testing.assert_allclose(stated[2:], medians[2:], atol=0.0055)


def test_areas(text, ours, theirs):
    table, features, labels, inside = ours
    split = split_events(table.event)
    test = split.test[inside[split.test]]
    trees = make_model("boosted-trees", random_state=0).fit(features.iloc[split.train], labels[split.train])
    found = {
        "trees, trained on our simulation": [
            auc(labels[test], trees.anomaly_score(features.iloc[test])),
            auc(theirs[1], trees.anomaly_score(theirs[0])),
        ],
        "`prongs`": [
            auc(labels[test], -features.iloc[test][["tau21_light", "tau21_heavy"]].sum(axis=1)),
            auc(theirs[1], -theirs[0][["tau21_light", "tau21_heavy"]].sum(axis=1)),
        ],
    }
    rng = np.random.default_rng(0)
    train = rng.random(len(theirs[1])) < 0.5
    own = make_model("boosted-trees", random_state=0).fit(theirs[0][train], theirs[1][train])
    found["trees, trained on the LHC Olympics"] = [auc(theirs[1][~train], own.anomaly_score(theirs[0][~train]))]
    for name, values in found.items():
        np.testing.assert_allclose(row(text, name), values, atol=0.0065, err_msg=name)


def test_how_well_one_world_is_told_from_the_other(text, ours, theirs):
    (stated,) = re.findall(r"hardly can \(AUC (0\.\d+)\)\. The signal differs\s+\(AUC (0\.\d+)\)", text)
    _, features, labels, inside = ours
    for kind, number in enumerate(stated):
        mine, other = features[inside & (labels == kind)], theirs[0][theirs[1] == kind]
        n = min(len(mine), len(other))
        both = pd.concat([mine.sample(n, random_state=0), other.sample(n, random_state=0)])
        whose = np.repeat([0, 1], n)
        areas = []
        for seed in range(3):
            train = np.random.default_rng(seed).random(2 * n) < 0.5
            trees = make_model("boosted-trees", random_state=0).fit(both[train], whose[train])
            areas.append(auc(whose[~train], trees.anomaly_score(both[~train])))
        assert np.mean(areas) == pytest.approx(float(number), abs=0.015)

"""The four standard features: which jet is the lighter one, and what happens where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cmslabs.data.download import dataset_path
from cmslabs.data.tables import read_table
from cmslabs.errors import MissingBranchError
from cmslabs.features.dijets import DETECTOR_FEATURES, detector_features

NEEDED = ["mj1", "mj2", "tau1j1", "tau2j1", "tau1j2", "tau2j2"]


def one_by_one(row) -> list[float]:
    """The same for one event, with a sort that says what it does."""
    jets = []
    for jet in ("j1", "j2"):
        tau21 = row[f"tau2{jet}"] / row[f"tau1{jet}"] if row[f"tau1{jet}"] > 0 else 1.0
        jets.append((row[f"m{jet}"], tau21))
    light, heavy = sorted(jets, key=lambda jet: jet[0])
    return [light[0], heavy[0] - light[0], light[1], heavy[1]]


def test_rows_are_what_a_loop_over_events_finds():
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.uniform(0, 1, (200, 6)), columns=NEEDED, index=rng.permutation(200))
    table.loc[rng.random(200) < 0.2, ["tau1j2", "tau2j2"]] = 0.0
    found = detector_features(table)
    expected = [one_by_one(row) for row in table.to_dict("records")]
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=1e-12)
    assert list(found) == list(DETECTOR_FEATURES)
    assert found.index.equals(table.index)
    assert set(found.dtypes) == {np.dtype("float64")}


def test_the_jets_may_be_swapped():
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.uniform(0, 1, (50, 6)), columns=NEEDED)
    swapped = table.rename(columns=lambda name: name.replace("j1", "jX").replace("j2", "j1").replace("jX", "j2"))
    pd.testing.assert_frame_equal(detector_features(swapped), detector_features(table))


def test_the_bundled_sample_has_no_holes():
    found = detector_features(read_table(dataset_path("sim-dijet-features"), NEEDED))
    assert np.isfinite(found.to_numpy()).all()
    assert (found >= 0).all(axis=None)
    assert found[["tau21_light", "tau21_heavy"]].max(axis=None) <= 1.0


def test_a_jet_without_structure_has_the_ratio_one():
    zeros = pd.DataFrame(np.zeros((1, 6)), columns=NEEDED)
    assert detector_features(zeros).to_numpy().tolist() == [[0.0, 0.0, 1.0, 1.0]]


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_column_is_named(name):
    table = pd.DataFrame(np.zeros((1, 6)), columns=NEEDED).drop(columns=name)
    with pytest.raises(MissingBranchError, match=f"has no column '{name}'"):
        detector_features(table)

"""Context and features of the search without a resonance: against a loop over events, and what is missing is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cmslabs.data.catalog import samples_folder
from cmslabs.data.tables import read_table
from cmslabs.errors import MissingBranchError
from cmslabs.features.extrapolation import EXTRAPOLATION_CONTEXT, EXTRAPOLATION_FEATURES, extrapolation_features

NEEDED = ["ht", "met", "mjj", "tau1j1", "tau2j1", "tau3j1", "tau1j2", "tau2j2", "tau3j2"]


def one_by_one(row) -> list[float]:
    """The same for one event; a jet without a denominator has the ratio 1."""

    def ratio(n, jet):
        return row[f"tau{n}{jet}"] / row[f"tau{n - 1}{jet}"] if row[f"tau{n - 1}{jet}"] > 0 else 1.0

    return [row["ht"], row["met"], row["mjj"], *(ratio(n, jet) for n in (2, 3) for jet in ("j1", "j2"))]


def test_rows_are_what_a_loop_over_events_finds():
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.uniform(0, 1, (200, 9)).astype("f4"), columns=NEEDED, index=rng.permutation(200))
    table.loc[rng.random(200) < 0.2, ["tau2j2", "tau3j2"]] = 0.0
    table.loc[rng.random(200) < 0.1, ["tau1j1", "tau2j1", "tau3j1"]] = 0.0
    found = extrapolation_features(table)
    np.testing.assert_allclose(found.to_numpy(), [one_by_one(row) for row in table.to_dict("records")], rtol=1e-6)
    assert list(found) == [*EXTRAPOLATION_CONTEXT, *EXTRAPOLATION_FEATURES]
    assert found.index.equals(table.index)
    assert set(found.dtypes) == {np.dtype("float64")}
    assert np.isfinite(found.to_numpy()).all()


def test_every_column_has_a_unit_and_none_is_context_and_feature():
    assert not set(EXTRAPOLATION_CONTEXT) & set(EXTRAPOLATION_FEATURES)
    assert {*EXTRAPOLATION_CONTEXT.values(), EXTRAPOLATION_FEATURES["mjj"]} == {"GeV"}
    assert {unit for name, unit in EXTRAPOLATION_FEATURES.items() if name != "mjj"} == {"1"}


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_column_is_named(name):
    table = pd.DataFrame(np.ones((1, 9)), columns=NEEDED)
    with pytest.raises(MissingBranchError, match=f"the table has no column '{name}'. Is it called '{name.upper()}'"):
        extrapolation_features(table.rename(columns={name: name.upper()}))


def test_the_bundled_sample_holds_these_columns_without_holes():
    table = read_table(samples_folder() / "extrapolation.parquet")
    assert list(table) == [*EXTRAPOLATION_CONTEXT, *EXTRAPOLATION_FEATURES, "process"]
    values = table.drop(columns="process")
    assert np.isfinite(values.to_numpy()).all()
    ratios = values.filter(like="tau")
    assert ratios.min(axis=None) >= 0
    assert ratios.max(axis=None) <= 1.3

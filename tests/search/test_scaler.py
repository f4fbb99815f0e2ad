"""One scale for all columns: measured on the simulation, kept in a file, and turned back without loss."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmslabs.errors import DataError, MissingBranchError
from cmslabs.search.estimate import Columns
from cmslabs.search.scaler import FeatureScaler


@pytest.fixture
def simulation() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {"ht": 700 + rng.exponential(100, 400), "met": rng.exponential(20, 400), "x": rng.normal(size=400)}
    )


def test_the_simulation_fills_the_scale_to_its_ends(simulation):
    scaler = FeatureScaler.of(simulation, ["ht", "x"])
    scaled = scaler.forward(simulation)
    assert scaled.min(axis=0).tolist() == [-2.5, -2.5]
    np.testing.assert_allclose(scaled.max(axis=0), 2.5, rtol=1e-15)
    # One event by hand.
    value = simulation["ht"].iloc[7]
    low, high = simulation["ht"].min(), simulation["ht"].max()
    assert scaled[7, 0] == pytest.approx(-2.5 + 5 * (value - low) / (high - low))


def test_data_beyond_the_simulation_lie_beyond_the_ends(simulation):
    scaler = FeatureScaler.of(simulation, ["x"])
    low, high = simulation["x"].min(), simulation["x"].max()
    beyond = scaler.forward(pd.DataFrame({"x": [low - (high - low), high + (high - low)]}))
    assert beyond[:, 0].tolist() == pytest.approx([-7.5, 7.5])


def test_a_logarithmic_column_is_straight_in_its_logarithm(simulation):
    scaler = FeatureScaler.of(simulation, ["ht", "x"], logarithmic=["ht"])
    low, high = np.log(simulation["ht"].min()), np.log(simulation["ht"].max())
    middle = pd.DataFrame({"ht": [np.exp((low + high) / 2)], "x": [0.0]})
    assert scaler.forward(middle)[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert scaler.low[0] == pytest.approx(low)
    # The other column is as it was.
    assert (
        scaler.forward(simulation)[:, 1].tolist()
        == FeatureScaler.of(simulation, ["x"]).forward(simulation)[:, 0].tolist()
    )


def test_columns_say_which_contexts_are_logarithmic(simulation):
    columns = Columns(("x",), ("ht", "met"), log_context=True)
    assert columns.scaler(simulation).logarithmic == ("ht", "met")
    assert columns.scaler(simulation).columns == ("x", "ht", "met")
    assert columns.scaler(simulation, ["ht", "x"]).logarithmic == ("ht",)
    assert Columns(("x",), ("ht", "met")).scaler(simulation).logarithmic == ()


@given(st.integers(0, 2**31), st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
def test_there_and_back(seed, logarithmic):
    rng = np.random.default_rng(seed)
    simulation = pd.DataFrame(rng.lognormal(0, 2, size=(30, 3)) * 10.0 ** rng.integers(-3, 4, 3), columns=list("abc"))
    data = simulation.iloc[rng.permutation(30)] * rng.uniform(0.5, 2.0, size=(30, 3))
    scaler = FeatureScaler.of(simulation, list("abc"), logarithmic)
    back = scaler.inverse(scaler.forward(data))
    ranges = (simulation.max() - simulation.min()).to_numpy()
    assert list(back) == list("abc")
    assert (np.abs(back.to_numpy() - data.to_numpy()) <= 1e-9 * np.maximum(ranges, data.to_numpy())).all()


def test_a_table_keeps_names_and_index(simulation):
    part = simulation.iloc[[5, 3]]
    found = FeatureScaler.of(simulation, ["x", "ht"]).table(part)
    assert (list(found), list(found.index)) == (["x", "ht"], [5, 3])


def test_a_file_gives_the_same_numbers(simulation, tmp_path):
    scaler = FeatureScaler.of(simulation, ["ht", "met", "x"], ["ht"])
    scaler.save(tmp_path / "scaler.json")
    found = FeatureScaler.load(tmp_path / "scaler.json")
    assert found == scaler
    assert (found.forward(simulation) == scaler.forward(simulation)).all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.pop("low"),
        lambda found: found.update(low=[1.0]),
        lambda found: found.update(high=["much", "more", "most"]),
        lambda found: found.update(columns=3),
    ],
)
def test_a_file_that_is_no_scaler(simulation, tmp_path, spoil):
    path = tmp_path / "scaler.json"
    FeatureScaler.of(simulation, ["ht", "met", "x"]).save(path)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"scaler\.json: is no scaler of cmslabs"):
        FeatureScaler.load(path)


def test_files_that_are_something_else(tmp_path):
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(DataError, match="is no scaler"):
        FeatureScaler.load(tmp_path / "list.json")
    (tmp_path / "torn.json").write_text('{"columns": [')
    with pytest.raises(DataError, match="is not valid JSON"):
        FeatureScaler.load(tmp_path / "torn.json")
    with pytest.raises(DataError, match=r"gone\.json"):
        FeatureScaler.load(tmp_path / "gone.json")


def test_columns_without_a_scale(simulation):
    with pytest.raises(DataError, match="'flat' is constant in the simulation"):
        FeatureScaler.of(simulation.assign(flat=1.0), ["ht", "flat"])
    with pytest.raises(DataError, match=r"'x' has values without a logarithm. Scale it linearly"):
        FeatureScaler.of(simulation, ["ht", "x"], ["x"])
    with pytest.raises(MissingBranchError, match=r"'HT'. Is it called 'ht'\?"):
        FeatureScaler.of(simulation, ["HT"])
    # Data are refused, too: a logarithm of nothing would be minus infinity.
    scaler = FeatureScaler.of(simulation, ["ht"], ["ht"])
    with pytest.raises(DataError, match="without a logarithm"):
        scaler.forward(pd.DataFrame({"ht": [0.0]}))

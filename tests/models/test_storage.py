"""Files of models: nothing in them is executed, and what `save` does not write is refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from examples import Example, usual_table
from sklearn.preprocessing import FunctionTransformer

from cmslabs.errors import ConfigError, DataError
from cmslabs.models import storage
from cmslabs.models.base import AnomalyModel
from cmslabs.models.forest import IsolationForest
from cmslabs.models.linear import PCA
from cmslabs.models.registry import make_model
from cmslabs.models.storage import TRUSTED, State, write_state
from cmslabs.models.trivial import Norm

X = usual_table(0, 300)


class Bomb:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def saved(tmp_path) -> Path:
    """A fitted PCA as a file."""
    PCA().fit(X).save(tmp_path / "model.zip")
    return tmp_path / "model.zip"


@pytest.fixture
def forest(tmp_path) -> Path:
    """A fitted isolation forest as a file."""
    IsolationForest(5, random_state=0).fit(X).save(tmp_path / "forest.zip")
    return tmp_path / "forest.zip"


def members(path: Path) -> dict[str, bytes]:
    """Name -> content."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, changes: dict[str, bytes | None]) -> Path:
    """The file with members replaced, added, or (None) left out."""
    content = {name: data for name, data in {**members(path), **changes}.items() if data is not None}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def with_json(path: Path, **changes: object) -> Path:
    """The file with other entries in model.json; None leaves one out."""
    about = json.loads(members(path)["model.json"]) | changes
    about = {name: value for name, value in about.items() if value is not None}
    return rewritten(path, {"model.json": json.dumps(about).encode()})


def npz(**arrays: object) -> bytes:
    """An archive of arrays; objects are pickled into it."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def refused(path: Path, match: str) -> None:
    """Loading must say this, and where."""
    with pytest.raises(DataError, match=match) as caught:
        AnomalyModel.load(path)
    assert str(path) in str(caught.value)


# What a file holds.


def test_the_trusted_types_are_those_that_are_needed():
    """As skops says; older versions ask for more, see the comment there."""
    asked = set()
    for name in ("isolation-forest", "gaussian-mixture", "boosted-trees"):
        estimators = make_model(name, random_state=0).fit(X, np.arange(300) % 2)._state().estimators
        asked |= set(skops.io.get_untrusted_types(data=skops.io.dumps(estimators)))
    assert asked <= set(TRUSTED)
    assert asked >= {"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"}
    if tuple(map(int, skops.__version__.split(".")[:2])) >= (0, 16):
        assert asked == set(TRUSTED[:2])


def test_no_member_is_a_pickle(saved, forest):
    assert set(members(saved)) == {"model.json", "arrays.npz"}
    assert set(members(forest)) == {"model.json", "estimators.skops"}
    for path in (saved, forest):
        for name, content in members(path).items():
            if name != "model.json":
                inside = zipfile.ZipFile(io.BytesIO(content)).namelist()
                assert all(entry.endswith((".npy", ".json")) for entry in inside)


def test_parameters_keep_their_types(tmp_path):
    parameters = {"n_members": np.int64(2), "parameters": {"n_estimators": 5, "max_samples": np.float64(0.5)}}
    model = make_model("ensemble", **parameters, random_state=3).fit(X)
    model.save(tmp_path / "model.zip")
    found = AnomalyModel.load(tmp_path / "model.zip")
    assert found.get_params() == {
        "model": "isolation-forest",
        "n_members": 2,
        "parameters": {"n_estimators": 5, "max_samples": 0.5},
        "random_state": 3,
    }
    names = make_model("tau21-sum").fit(X)
    names.save(tmp_path / "names.zip")
    assert AnomalyModel.load(tmp_path / "names.zip").columns == ("tau21_light", "tau21_heavy")


def test_a_parameter_that_is_no_plain_value_is_refused_when_saving(tmp_path):
    model = IsolationForest(3, random_state=np.random.RandomState(1)).fit(X)
    with pytest.raises(ConfigError, match=r"random_state: a RandomState .* cannot be saved.*whole number"):
        model.save(tmp_path / "model.zip")
    assert not list(tmp_path.iterdir())


def test_a_class_without_a_line_in_the_registry_is_refused_when_saving(tmp_path):
    class Own(Norm):
        """Not registered."""

    with pytest.raises(ConfigError, match=r"Own is in no registry.*Add a line to cmslabs\.models\.registry\.MODELS"):
        Own().fit(X).save(tmp_path / "model.zip")


def test_a_model_does_not_load_another_kind(saved):
    with pytest.raises(DataError, match=r"holds a PCA, not a Norm\. Use PCA\.load"):
        Norm.load(saved)


# Damage.


def test_every_damage_is_noticed_or_harmless(saved, forest):
    for path in (saved, forest):
        whole = path.read_bytes()
        scores = AnomalyModel.load(path).anomaly_score(X)
        rng = np.random.default_rng(5)
        outcomes = []
        for number in range(150):
            content = bytearray(whole)
            if number % 3 == 0:
                del content[rng.integers(len(content)) :]
            else:
                for place in rng.integers(len(content), size=1 + number % 4):
                    content[place] ^= int(rng.integers(1, 256))
            path.write_bytes(content)
            try:
                again = AnomalyModel.load(path)
            except DataError:
                outcomes.append("refused")
            else:
                # Dates and flags of the archive may change without harm; numbers may not.
                assert np.array_equal(again.anomaly_score(X), scores)
                outcomes.append("harmless")
        assert outcomes.count("refused") > 100


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", pickle.dumps({"a": 1})], ids=range(4))
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    refused(tmp_path / "file", "is not a whole model file")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "nothing.zip", "there is no such file")
    refused(tmp_path, "is a folder")


@pytest.mark.parametrize("key", ["class", "plain", "parameters", "n_features", "feature_names"])
def test_a_missing_entry_is_refused(saved, key):
    refused(with_json(saved, **{key: None}), "is not a whole")


def test_missing_and_unfitting_numbers_are_refused(saved):
    whole = dict(np.load(io.BytesIO(members(saved)["arrays.npz"])))
    for name in ("mean_", "components_"):
        rewritten(saved, {"arrays.npz": npz(**{key: one for key, one in whole.items() if key != name})})
        refused(saved, f"is not a whole PCA .*{name}")
        rewritten(saved, {"arrays.npz": npz(**(whole | {name: whole[name][..., :3]}))})
        refused(saved, "is not a whole PCA")


def test_another_format_is_refused(saved):
    refused(with_json(saved, format=99), "has the format 99; this version of cmslabs reads 1")


def test_unknown_parameters_are_refused(saved):
    refused(with_json(saved, parameters={"n_components": 2, "shell": "rm"}), "unexpected keyword argument 'shell'")


# Attacks.


def test_a_pickle_among_the_arrays_is_not_opened(saved, tmp_path):
    trap = tmp_path / "trap"
    rewritten(saved, {"arrays.npz": npz(mean_=np.array([Bomb(trap)], dtype=object))})
    refused(saved, "Object arrays cannot be loaded")
    assert not trap.exists()


def test_a_pickle_among_the_tensors_is_not_opened(saved, tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra torch")
    trap = tmp_path / "trap"
    buffer = io.BytesIO()
    torch.save({"network": Bomb(trap)}, buffer)
    refused(rewritten(saved, {"tensors.pt": buffer.getvalue()}), "is not a whole model file")
    assert not trap.exists()
    # The trap works where somebody opens it carelessly.
    torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
    assert trap.exists()


def test_a_pickle_as_a_further_member_is_refused(saved, tmp_path):
    trap = tmp_path / "trap"
    refused(rewritten(saved, {"model.pkl": pickle.dumps(Bomb(trap))}), r"is no model of cmslabs \(it holds 'model.pkl'")
    assert not trap.exists()


def test_a_foreign_type_among_the_estimators_is_refused(forest):
    estimators = {"forest_": FunctionTransformer(os.system)}
    refused(rewritten(forest, {"estimators.skops": skops.io.dumps(estimators)}), "holds a posix.system|nt.system")


def test_our_own_code_is_no_estimator(forest):
    estimators = {"forest_": Norm().fit(X)}
    refused(rewritten(forest, {"estimators.skops": skops.io.dumps(estimators)}), "holds a cmslabs.models.trivial.Norm")


@pytest.mark.parametrize("name", ["../model.json", "/etc/passwd", "..\\arrays.npz", "arrays.npz/x"])
def test_a_path_that_leads_elsewhere_is_refused(saved, name):
    refused(rewritten(saved, {name: b"{}"}), "is no model of cmslabs")


def test_a_member_that_comes_twice_is_refused(saved):
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("model.json", b"{}")
    refused(saved, r"it holds 'model.json'")


@pytest.mark.parametrize(
    "name", ["os:system", "builtins:eval", "cmslabs.models.base:AnomalyModel", "cmslabs.models.linear:Scale", ""]
)
def test_a_class_that_is_not_registered_is_never_imported(saved, name):
    refused(with_json(saved, **{"class": name}), "which this version of cmslabs does not know")


@pytest.mark.parametrize("name", ["fit", "anomaly_score", "_score", "__class__", "n_components", "a b_", ""])
def test_a_file_cannot_replace_a_method_or_a_parameter(saved, name):
    refused(with_json(saved, plain={name: 1}), "which is nothing that a model learns")


def test_an_array_cannot_replace_one_either(saved):
    rewritten(saved, {"arrays.npz": npz(**{"../fit": np.zeros(3)})})
    refused(saved, "which is nothing that a model learns")


def test_a_bomb_is_not_unpacked(saved, monkeypatch):
    monkeypatch.setattr(storage, "LARGEST", 10_000_000)
    rewritten(saved, {"arrays.npz": bytes(20_000_000)})
    assert saved.stat().st_size < 100_000
    refused(saved, "unpacks to 0.0 GB; no model")


def test_a_bomb_inside_the_archive_is_not_unpacked(saved, monkeypatch):
    monkeypatch.setattr(storage, "LARGEST", 10_000_000)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, mean_=np.zeros(3_000_000))
    assert len(buffer.getvalue()) < 100_000
    refused(rewritten(saved, {"arrays.npz": buffer.getvalue()}), "unpacks to")


def test_an_array_that_claims_to_be_huge_is_refused(saved):
    """Its header says 8 TB, its content is missing."""
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(buffer, header)
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("mean_.npy", buffer.getvalue())
    refused(rewritten(saved, {"arrays.npz": outer.getvalue()}), "is not a whole model file")


def test_a_tree_that_leads_nowhere_is_refused(tmp_path):
    for field, value, match in (
        ("children_left", 10**6, "branches lead nowhere"),
        ("children_right", 0, "branches lead nowhere"),
        ("feature", 99, "a column that does not exist"),
    ):
        model = IsolationForest(5, random_state=0).fit(X)
        getattr(model.forest_.estimators_[2].tree_, field)[0] = value
        model.save(tmp_path / "forest.zip")
        refused(tmp_path / "forest.zip", match)


def test_a_boosted_tree_that_leads_nowhere_is_refused(tmp_path):
    for field, value, match in (
        ("left", 10**6, "branches lead nowhere"),
        ("right", 0, "branches lead nowhere"),
        ("feature_idx", -2, "a column that does not exist"),
        ("is_categorical", 1, "trees with categories"),
    ):
        model = Example("boosted-trees", (("max_iter", 3),)).fitted(seed=1)
        nodes = model.classifier_._predictors[1][0].nodes
        before = nodes[field][0]
        nodes[field][0] = value
        model.save(tmp_path / "trees.zip")
        nodes[field][0] = before
        refused(tmp_path / "trees.zip", match)


def test_a_member_of_an_ensemble_that_is_missing_is_noticed(tmp_path):
    model = make_model("ensemble", n_members=3, parameters={"n_estimators": 3}, random_state=0).fit(X)
    state = model._state()
    state.plain["members"] = state.plain["members"][:2]
    write_state(tmp_path / "model.zip", type(model), model._facts(), state)
    refused(tmp_path / "model.zip", "missing members")


def test_states_of_no_plain_values_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be saved"):
        storage.to_plain({"a": [1, {2}]}, "history_")
    with pytest.raises(ConfigError, match="history_: a float"):
        storage.to_plain([1.0, float("nan")], "history_")
    write_state(tmp_path / "empty.zip", Norm, Norm().fit(X)._facts(), State())
    assert set(members(tmp_path / "empty.zip")) == {"model.json"}

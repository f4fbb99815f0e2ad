"""Models by name, and a new one in one line."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from examples import usual_table

from cmslabs.errors import ConfigError
from cmslabs.models.base import AnomalyModel
from cmslabs.models.registry import MODELS, make_model, model_class

NEW = '''
"""A new model in a file of its own."""
import numpy as np
from cmslabs.models.base import AnomalyModel

class Largest(AnomalyModel):
    """The largest deviation of any column."""
    def _fit(self, X, y):
        self.mean_, self.spread_ = X.mean(axis=0), X.std(axis=0)

    def _score(self, X):
        return np.abs((X - self.mean_) / self.spread_).max(axis=1)
'''


def test_names_lead_to_classes():
    pytest.importorskip("torch", reason="needs the extra torch")
    for name in MODELS:
        assert issubclass(model_class(name), AnomalyModel)
        assert isinstance(make_model(name), model_class(name))
    assert len(set(MODELS.values())) == len(MODELS)


def test_parameters_are_handed_on():
    model = make_model("isolation-forest", n_estimators=7, random_state=3)
    assert (model.n_estimators, model.random_state) == (7, 3)


@pytest.mark.parametrize(
    ("name", "remedy"), [("isolation-forrest", "Did you mean 'isolation-forest'"), ("xyz", "There are: norm, single")]
)
def test_an_unknown_name_is_refused(name, remedy):
    with pytest.raises(ConfigError, match=f"there is no model '{name}'. {remedy}"):
        make_model(name)


def test_an_unknown_parameter_is_refused():
    with pytest.raises(ConfigError, match=r"'pca' has no parameter 'n_component'. Did you mean 'n_components'"):
        make_model("pca", n_component=2)
    with pytest.raises(ConfigError, match=r"'norm' has no parameter 'x'. It has: none"):
        make_model("norm", x=2)


def test_a_new_model_is_a_file_and_a_line(tmp_path, monkeypatch):
    (tmp_path / "largest.py").write_text(NEW)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(MODELS, "largest", "largest:Largest")
    X = usual_table(0, 300)
    model = make_model("largest").fit(X)
    model.save(tmp_path / "model.zip")
    again = AnomalyModel.load(tmp_path / "model.zip")
    assert np.array_equal(again.anomaly_score(X), model.anomaly_score(X))
    assert model.anomaly_score(X + 10 * X.std()).min() > 5


def test_simple_models_need_no_torch():
    code = (
        "import sys; from cmslabs.models.registry import model_class;"
        "[model_class(n) for n in ('norm', 'tau21-sum', 'pca', 'isolation-forest', 'kde', 'gaussian-mixture',"
        " 'boosted-trees', 'ensemble')]; print('torch' in sys.modules)"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "False"
